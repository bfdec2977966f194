// The line between a thread and the main thread: commands come, reports go. Control plane.

import { getHeapStatistics } from 'node:v8';
import type { MessagePort } from 'node:worker_threads';
import { errorText } from '../base/error-text.ts';
import type { Command, Report } from '../base/thread-plan.ts';

export class ThreadPort {
  readonly #port: MessagePort;
  // Keeps the thread alive, as `#port` does unless the application unreferences that: libuv would
  // say for ever that the thread has to end, and it would never sleep. Not before the application
  // is loaded: one that waits for nothing ends the thread, and the start.
  #alive: MessagePort | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Takes the commands that concern the thread's own work. Those sent before now have waited. */
  listen(onCommand: (command: Command) => void): void {
    this.#alive = new MessageChannel().port1;
    this.#alive.ref();
    this.#port.on('message', (command: Command) => {
      if (command.kind === 'report') this.#reportHeap();
      else onCommand(command);
    });
  }

  report(report: Report): void {
    this.#port.postMessage(report);
  }

  log(message: string, error?: unknown): void {
    this.report({
      kind: 'log',
      message: error === undefined ? message : `${message}: ${errorText(error)}`,
    });
  }

  /** The thread cannot start; the main thread says why, and ends. */
  fail(error: unknown): void {
    const code = (error as NodeJS.ErrnoException)?.code ?? '';
    this.report({ kind: 'failed', message: errorText(error), code });
    this.#close();
  }

  /** The thread has done what it had to. What its application still keeps open ends with it. */
  end(): void {
    this.report({ kind: 'ended' });
    this.#close();
  }

  #close(): void {
    this.#port.close();
    this.#alive?.close();
  }

  #reportHeap(): void {
    const { used_heap_size, total_allocated_bytes } = heapStatistics();
    this.report({
      kind: 'heap',
      usedBytes: used_heap_size,
      allocatedBytes: total_allocated_bytes,
    });
  }
}

// Node 26 has `total_allocated_bytes`; its type definitions do not.
function heapStatistics(): { used_heap_size: number; total_allocated_bytes: number } {
  return getHeapStatistics() as ReturnType<typeof getHeapStatistics> & {
    total_allocated_bytes: number;
  };
}
