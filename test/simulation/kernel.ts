// A simulated kernel: a clock, and descriptors that are numbers, reused lowest first. What is
// asked of it comes by the `SimIo` of each thread; operations wait until the scheduler lets one go
// on.

import { type Faults, NO_FAULTS } from './faults.ts';
import type { Operation } from './operation.ts';
import type { Random } from './random.ts';
import type { SimIo } from './sim-io.ts';
import { EventFile, type File, FlagFile, ListeningSocket } from './socket.ts';

export type Trace = (event: string) => void;

export class Kernel {
  /** Milliseconds, not wrapped. */
  nowMs: number;
  readonly random: Random;
  readonly faults: Faults;
  readonly trace: Trace | undefined;
  readonly ios: SimIo[] = [];
  readonly #files: (File | undefined)[] = [];
  readonly #ready: Operation[] = [];

  constructor(random: Random, faults: Faults = NO_FAULTS, nowMs = 0, trace?: Trace) {
    this.random = random;
    this.faults = faults;
    this.nowMs = nowMs;
    this.trace = trace;
  }

  /** Gives a file the lowest free descriptor. */
  open(file: File): number {
    let fd = 0;
    while (this.#files[fd] !== undefined) fd++;
    this.#files[fd] = file;
    return fd;
  }

  openListener(): number {
    return this.open(new ListeningSocket());
  }

  openEventfd(): number {
    return this.open(new EventFile());
  }

  openFlag(): number {
    return this.open(new FlagFile());
  }

  file(fd: number): File | undefined {
    return this.#files[fd];
  }

  /** Frees a descriptor. False: it was not open. */
  close(fd: number): boolean {
    const file = this.#files[fd];
    if (file === undefined) return false;
    this.#files[fd] = undefined;
    if (file.kind === 'socket') file.closeServer();
    else if (file.kind === 'listener') {
      file.closed = true;
      for (const socket of file.backlog) socket.abort();
    } else file.closed = true;
    return true;
  }

  get openDescriptors(): number[] {
    return [...this.#files.keys()].filter((fd) => this.#files[fd] !== undefined);
  }

  writeEventfd(fd: number): void {
    const file = this.#files[fd];
    if (file?.kind === 'eventfd') file.write();
  }

  /** Lets one operation that can go on do so; false when none can. */
  progressOne(): boolean {
    const ready = this.#ready;
    ready.length = 0;
    for (const io of this.ios) io.collectReady(ready);
    if (ready.length === 0) return false;
    const operation = ready[ready.length === 1 ? 0 : this.random.below(ready.length)]!;
    operation.io.progress(operation);
    return true;
  }

  /** Lets everything that can go on do so. */
  settle(): void {
    while (this.progressOne());
  }

  /** When the next timer runs out, or Infinity. */
  nextTimerMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const io of this.ios) next = Math.min(next, io.timerDueMs);
    return next;
  }
}
