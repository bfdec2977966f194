// When nothing can happen but that time passes, every thread sleeps and is known to, and whatever
// is unfinished waits for something that will come: or a wake-up was lost.

import type { ConnectionTable } from '../../src/connection/connection-table.ts';
import {
  AWAITED,
  BODY_PAUSED,
  CLOSE_AFTER_SEND,
  DEFERRED,
  HANDED_OFF,
  OPEN,
  PEER_ENDED,
  RECEIVES_BODY,
  SUSPENDED,
} from '../../src/connection/connection-table.ts';
import { DROP_MAX } from '../../src/connection/drop-side.ts';
import type { DelegateMemory } from '../../src/delegate/layout.ts';
import { delegateLayout } from '../../src/delegate/layout.ts';
import type { TaskQueue } from '../../src/delegate/task-queue.ts';
import { CLOSE, RECV, SEND } from '../../src/io/token.ts';
import { NONE } from '../../src/memory/pool.ts';
import type { ConnectionChecks, Link, Links } from './connection-checks.ts';
import type { Kernel } from './kernel.ts';
import type { Ownership } from './ownership.ts';
import { isOf } from './requests.ts';
import type { AcceptThread, WorkerThread } from './sim-thread.ts';
import type { ListeningSocket } from './socket.ts';

/** A listener that rests looks again after this time at most. */
const REST_MS_MAX = 400;
const WATCHED_MASK =
  CLOSE_AFTER_SEND | AWAITED | RECEIVES_BODY | PEER_ENDED | SUSPENDED | BODY_PAUSED | DEFERRED;

/** What there is; the lists are the server's own. */
export interface ServerParts {
  readonly kernel: Kernel;
  readonly memory: DelegateMemory;
  readonly queue: TaskQueue;
  readonly ownership: Ownership;
  readonly listeners: readonly ListeningSocket[];
  readonly accepts: readonly AcceptThread[];
  readonly workers: readonly WorkerThread[];
  readonly workerChecks: readonly ConnectionChecks[];
  readonly links: Links;
  readonly workerConcurrency: number;
  fail(message: string): never;
}

export class HangChecks {
  readonly #server: ServerParts;

  constructor(server: ServerParts) {
    this.#server = server;
  }

  /** Nothing moves: every thread sleeps, and what it was told of was done. */
  assertNothingHangs(workersDrain: boolean): void {
    const isFree = this.#server.workers.some((worker) => worker.isAlive && !this.#isFull(worker));
    if (isFree && !workersDrain && this.#server.queue.hasTasks()) {
      this.#server.fail('a task waits, and every worker sleeps');
    }
    const waitsForTimers = this.#pausedIds().length > 0;
    const { workerSleepers, acceptSleepers } = delegateLayout(this.#server.memory.options);
    for (const [index, thread] of this.#server.workers.entries()) {
      if (thread.isAlive && !this.#isFull(thread)) {
        this.#assertSleeps(thread, workerSleepers, index);
      }
    }
    for (const [index, thread] of this.#server.accepts.entries()) {
      if (!thread.isAlive) continue;
      this.#assertSleeps(thread, acceptSleepers, index);
      if (thread.service.delegator.hasCompletions()) {
        this.#server.fail(`a result waits, and ${thread.name} sleeps`);
      }
      // What waits for a worker is not lost, and a blocking handler holds up the tasks beside it.
      const runners = this.#server.ownership.runners(index);
      const goOn = runners.filter((runner) => this.#worker(runner)?.phase !== 'blocked');
      if (goOn.length > 0 && !waitsForTimers) {
        this.#server.fail(`a task of ${thread.name} never ends`);
      }
      this.#assertWaits(thread, index);
    }
  }

  #assertSleeps({ name, phase }: { name: string; phase: string }, bits: number, at: number): void {
    if (phase !== 'asleep') this.#server.fail(`${name} does not sleep, and does nothing`);
    const word = new Int32Array(this.#server.memory.buffer)[bits + (at >>> 5)]!;
    if ((word & (1 << (at & 31))) === 0) this.#server.fail(`${name} sleeps, and nobody knows`);
  }

  #assertWaits({ name, io, service }: AcceptThread, index: number): void {
    const { table } = service.connections;
    const paused = this.#pausedIds();
    for (const link of this.#server.links.values()) {
      const { slot, client, home } = link;
      if (home !== index) continue;
      if (isWatched(table, slot) && !io.isInFlight(RECV, slot)) {
        this.#server.fail(`client ${client.id} may go away, and ${name} would not notice`);
      }
      // Or for a worker that has as many tasks as it may have.
      if (this.#server.queue.hasTasks() || paused.some((id) => isOf(id, client.id))) continue;
      if (table.state(slot) === HANDED_OFF) {
        this.#assertGuestWaits(link);
        continue;
      }
      if (![RECV, SEND, CLOSE].some((operation) => io.isInFlight(operation, slot))) {
        this.#server.fail(`client ${client.id} waits for nothing, at ${name}`);
      }
    }
    const waiting = this.#server.listeners[index]!.backlog.length;
    // A jump between a look at the clock and the setting of a timer makes that timer as late.
    const { nowMs, faults } = this.#server.kernel;
    const rests = io.timerDueMs <= nowMs + REST_MS_MAX || faults.clockJump > 0;
    if (waiting > 0 && table.pool.free > 0 && !rests) {
      this.#server.fail(`${waiting} connections wait for ${name}, which accepts none`);
    }
  }

  // By its number among all threads.
  #worker(thread: number): WorkerThread | undefined {
    return this.#server.workers[thread - this.#server.accepts.length];
  }

  #assertGuestWaits({ fd, client }: Link): void {
    const thread = this.#server.ownership.threadOf(fd) ?? NONE;
    const worker = this.#worker(thread);
    if (worker === undefined || !worker.isAlive) {
      this.#server.fail(`client ${client.id} is away, and nobody has it`);
    }
    // The handler that blocks it is waited for, by others too.
    if (worker.phase === 'blocked' || this.#mayBlockLater(worker)) return;
    const slot = this.#server.workerChecks[thread - this.#server.accepts.length]!.slotOf(fd);
    if (slot === NONE)
      this.#server.fail(`client ${client.id} is away, and ${worker.name} forgot it`);
    if (![RECV, SEND].some((operation) => worker.io.isInFlight(operation, slot))) {
      this.#server.fail(`client ${client.id} waits for nothing, at ${worker.name}`);
    }
  }

  // It takes no task, whoever says that there is one.
  #isFull({ turns, phase, service }: WorkerThread): boolean {
    if (phase === 'blocked' || service.guests.hasWaiting || !service.guests.hasRoom) return true;
    return turns.tasks === this.#server.workerConcurrency;
  }

  // Its async tasks are waited for.
  #mayBlockLater({ turns, service }: WorkerThread): boolean {
    return service.guests.hasWaiting && turns.tasks > 0;
  }

  // The requests whose handlers or tasks wait for a timer.
  #pausedIds(): number[] {
    return [...this.#server.accepts, ...this.#server.workers].flatMap(
      ({ turns }) => turns.pausedIds,
    );
  }
}

/** True exactly when a response is formed, behind the last request of a client that is there. */
function isWatched(table: ConnectionTable, slot: number): boolean {
  const flags = table.flags(slot);
  if (table.state(slot) !== OPEN || table.dropped(slot) >= DROP_MAX) return false;
  return (flags & WATCHED_MASK) === (CLOSE_AFTER_SEND | AWAITED);
}
