// A simulated thread: the service of a real one, driven a step at a time. A step is one tick up to
// where it may sleep, or the rest of it after the sleep; between two turns Node delivers commands.

import { AcceptService, type AcceptServiceOptions } from '../../src/accept/accept-service.ts';
import { AssertionError } from '../../src/base/assert.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { Command } from '../../src/base/thread-plan.ts';
import type { Loop } from '../../src/loop/loop.ts';
import type { OuterLoop } from '../../src/loop/node-side.ts';
import { WorkerService, type WorkerServiceOptions } from '../../src/worker/worker-service.ts';
import type { Kernel } from './kernel.ts';
import { NodeTurns } from './node-turn.ts';
import type { SimIo } from './sim-io.ts';
import type { FlagFile } from './socket.ts';

/** What is thrown where a thread dies: an assertion, because no code may go on after one. */
export class ThreadDeath extends AssertionError {}

export class SimClock implements Clock {
  nowMs = 0;
  unixSeconds = 0;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.update();
  }

  update(): void {
    this.nowMs = this.#kernel.nowMs | 0;
    this.unixSeconds = unixSeconds(this.#kernel);
  }
}

/** The wall clock of a kernel. */
export function unixSeconds(kernel: Kernel): number {
  return 1_700_000_000 + Math.floor(kernel.nowMs / 1000);
}

/** Node's loop: the commands of the main thread, timers of the app, and now and then another. */
class SimNodeLoop implements OuterLoop {
  readonly backendFd: number;
  readonly turns: NodeTurns;
  onMicrotasks = (): void => {};
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.turns = new NodeTurns(() => kernel.nowMs);
    this.backendFd = kernel.openFlag();
  }

  beginTurn(): void {}

  timeoutMs(): number {
    const { random, faults } = this.#kernel;
    const dueMs = random.chance(faults.nodeTimer) ? random.below(50) : Infinity;
    const nextMs = Math.min(dueMs, this.turns.dueInMs);
    return nextMs === Infinity ? -1 : Math.max(0, nextMs);
  }

  runMicrotasks(): void {
    this.onMicrotasks();
  }

  failForGood(): void {}
}

/** `blocked`: within a tick, a blocking handler lets the loop run. */
type Phase = 'turn' | 'tick' | 'asleep' | 'blocked' | 'ended' | 'dead';

interface Service {
  readonly loop: Loop;
  run(): void;
  onCommand(kind: Command['kind']): void;
}

/** What a thread gets of its simulation, for its service to be made of. */
export type Parts = Pick<AcceptServiceOptions, 'io' | 'clock' | 'nodeLoop' | 'nextTurn' | 'onEnd'>;

export class SimThread<S extends Service = Service> {
  readonly name: string;
  readonly io: SimIo;
  readonly service: S;
  readonly turns: NodeTurns;
  phase: Phase = 'turn';
  readonly #kernel: Kernel;
  readonly #commands: Command['kind'][] = [];
  readonly #backendFd: number;
  readonly #nodeLoop: SimNodeLoop;

  constructor(name: string, kernel: Kernel, io: SimIo, makeService: (parts: Parts) => S) {
    this.name = name;
    this.io = io;
    this.#kernel = kernel;
    const nodeLoop = new SimNodeLoop(kernel);
    this.#nodeLoop = nodeLoop;
    this.#backendFd = nodeLoop.backendFd;
    this.turns = nodeLoop.turns;
    this.service = makeService({
      io,
      clock: new SimClock(kernel),
      nodeLoop,
      nextTurn: () => {},
      onEnd: () => {
        this.phase = 'ended';
        kernel.close(this.#backendFd);
      },
    });
    this.service.run();
  }

  /** Runs what promises have queued, behind each tick of the loop. @throws ThreadDeath. */
  set onMicrotasks(run: () => void) {
    this.#nodeLoop.onMicrotasks = run;
  }

  get isAlive(): boolean {
    return this.phase !== 'dead' && this.phase !== 'ended';
  }

  /** A step is possible: the thread is awake, or what it waits for is there. */
  get isRunnable(): boolean {
    if (this.phase === 'asleep') return this.io.hasCompletion;
    return this.isAlive && this.phase !== 'blocked';
  }

  tell(kind: Command['kind']): void {
    this.#commands.push(kind);
    (this.#kernel.file(this.#backendFd) as FlagFile).readable = true;
  }

  /** One step. @throws ThreadDeath when a worker dies in it. */
  step(): void {
    const { loop } = this.service;
    if (this.phase === 'asleep') {
      this.io.reap();
      this.phase = loop.endTick() ? 'tick' : 'turn';
      return;
    }
    if (this.phase === 'turn') {
      if (this.#deliver()) return;
      if (!loop.beginTurn()) return;
      this.phase = 'tick';
    }
    const sleeps = loop.beginTick();
    this.io.submit();
    if (sleeps && !this.io.hasCompletion) {
      this.phase = 'asleep';
      return;
    }
    this.io.reap();
    this.phase = loop.endTick() ? 'tick' : 'turn';
  }

  /**
   * The thread runs no more, wherever it was. What it shared stays as it is, and its ring holds
   * what it held until it is closed.
   */
  die(): void {
    this.phase = 'dead';
    this.turns.die();
    this.io.die();
    this.#kernel.close(this.#backendFd);
  }

  // Node's own turn. True when timers ran: what they resume goes on before the loop does.
  #deliver(): boolean {
    (this.#kernel.file(this.#backendFd) as FlagFile).readable = false;
    for (const kind of this.#commands.splice(0)) this.service.onCommand(kind);
    return this.turns.runTimers();
  }
}

export type AcceptThread = SimThread<AcceptService>;
export type WorkerThread = SimThread<WorkerService>;

export function acceptThread(
  name: string,
  kernel: Kernel,
  io: SimIo,
  options: Omit<AcceptServiceOptions, keyof Parts> & { readonly onEnd: () => void },
): AcceptThread {
  return new SimThread(name, kernel, io, (parts) => {
    const onEnd = (): void => {
      parts.onEnd();
      options.onEnd();
    };
    return new AcceptService({ ...options, ...parts, onEnd });
  });
}

export function workerThread(
  name: string,
  kernel: Kernel,
  io: SimIo,
  options: Omit<WorkerServiceOptions, keyof Parts>,
): WorkerThread {
  return new SimThread(name, kernel, io, (parts) => new WorkerService({ ...options, ...parts }));
}
