// One run: a server of several threads, its clients and its kernel, under a scheduler that picks
// what happens next. Everything follows from the seed.

import { AssertionError } from '../../src/base/assert.ts';
import { Counter } from '../../src/base/counters.ts';
import { type Canary, HEALTHY } from './canaries.ts';
import { Client } from './client.ts';
import { drawFaults, type FaultName } from './faults.ts';
import { Kernel, type Trace } from './kernel.ts';
import { Random } from './random.ts';
import { SimServer } from './server.ts';
import type { Socket } from './socket.ts';

const STEPS_MAX = 200_000;
/** The clock starts anywhere, also where its 32 bits wrap. */
const CLOCK_STARTS = [1000, 2 ** 31 - 3000, 2 ** 32 - 3000];

export class SimulationFailure extends AssertionError {
  override name = 'SimulationFailure';
}

export interface Outcome {
  readonly operations: number;
  readonly steps: number;
  readonly requests: number;
  readonly connections: number;
  readonly deaths: number;
  /** Tasks that overran their deadline; and ones taken back before a worker began. */
  readonly late: number;
  readonly cancelled: number;
  /** Connections that went to workers, and those whose worker died. */
  readonly handedOff: number;
  readonly lost: number;
}

export interface SimulationOptions {
  readonly seed: number;
  readonly canary?: Canary;
  readonly trace?: Trace;
}

export class Simulation {
  readonly #random: Random;
  readonly #kernel: Kernel;
  readonly #server: SimServer;
  readonly #clients: Client[] = [];
  readonly #trace: Trace | undefined;
  readonly #weights: readonly number[];
  readonly #drainAt: number;
  #steps = 0;
  #failure: unknown;

  constructor({ seed, canary = HEALTHY, trace }: SimulationOptions) {
    const random = new Random(seed);
    this.#random = random;
    this.#trace = trace;
    const faults = drawFaults(random);
    this.#kernel = new Kernel(random, faults, random.pick(CLOCK_STARTS), trace);
    const on = Object.entries(faults).filter(([, probability]) => probability > 0);
    trace?.(`faults: ${on.map(([name, p]) => `${name as FaultName} ${p.toFixed(3)}`).join(', ')}`);
    this.#server = new SimServer(this.#kernel, canary, {
      clientOf: (socket) => this.#clientOf(socket),
      fail: (message) => this.#fail(message),
      countStep: () => this.#countStep(),
      advance: (mayPass) => this.#advance(mayPass),
    });
    const count = random.between(1, 8);
    for (let id = 0; id < count; id++) {
      this.#clients.push(
        new Client(id, {
          kernel: this.#kernel,
          listeners: this.#server.listeners,
          offer: this.#server.offer,
        }),
      );
    }
    // Who is fast and who is slow: threads, kernel, clients, main thread, time.
    this.#weights = [
      random.pick([1, 4, 16]),
      random.pick([1, 4, 16]),
      random.pick([1, 4, 16]),
      1,
      random.pick([0, 0, 0.05, 0.5]),
    ];
    this.#drainAt = random.chance(0.3) ? random.below(1500) : Number.POSITIVE_INFINITY;
  }

  async run(): Promise<Outcome> {
    // What fails in a promise that nobody waits for.
    const onRejection = (error: unknown): void => {
      this.#failure ??= error;
    };
    process.on('unhandledRejection', onRejection);
    try {
      return await new Promise((resolve, reject) => {
        // Called by Node's loop, the run may let microtasks run where it wants them to.
        setImmediate(() => {
          try {
            resolve(this.#run());
          } catch (error) {
            reject(error);
          }
        });
      });
    } finally {
      process.off('unhandledRejection', onRejection);
    }
  }

  #run(): Outcome {
    while (!this.#server.hasEnded) this.#advance(true);
    this.#server.assertNothingLeft();
    for (const client of this.#clients) this.#judge(client);
    return {
      steps: this.#steps,
      operations: this.#server.operationsCount,
      requests: this.#server.count(Counter.requests),
      connections: this.#server.count(Counter.connectionsAccepted),
      deaths: this.#server.deathsCount,
      late: this.#server.count(Counter.tasksLate),
      cancelled: this.#server.count(Counter.tasksCancelled),
      handedOff: this.#server.count(Counter.handedOff),
      lost: this.#server.count(Counter.closedThreadDied),
    };
  }

  // The next step. Within that of a worker, whose blocking handler waits, others take theirs; time
  // passes if nothing can happen and it may.
  #advance(mayPass: boolean): void {
    this.#countStep();
    if (this.#steps > this.#drainAt || this.#clients.every(({ isDone }) => isDone)) {
      this.#server.drain();
    }
    const moved = this.#step();
    if (this.#server.hasMicrotasks) this.#server.runMicrotasks();
    if (this.#failure !== undefined) throw this.#failure;
    if (!moved && mayPass) this.#passTime();
  }

  #countStep(): void {
    if (++this.#steps > STEPS_MAX) this.#fail('the run does not end');
  }

  // One thing that can happen now happens; false when only time can pass.
  #step(): boolean {
    const total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    let at = (this.#random.below(1 << 20) / (1 << 20)) * total;
    let first = 0;
    while (at >= this.#weights[first]!) at -= this.#weights[first++]!;
    if (first === 4) {
      this.#kernel.settle();
      this.#kernel.nowMs += this.#random.between(1, 20);
      return true;
    }
    if (this.#random.chance(this.#kernel.faults.clockJump)) this.#jump();
    for (let index = 0; index < 4; index++) {
      if (this.#act((first + index) % 4)) return true;
    }
    return false;
  }

  #act(actor: number): boolean {
    switch (actor) {
      case 0:
        return this.#server.stepThread();
      case 1:
        return this.#kernel.progressOne();
      case 2:
        return this.#stepClient();
      default:
        return this.#server.stepMain();
    }
  }

  #stepClient(): boolean {
    const first = this.#random.below(this.#clients.length);
    for (let index = 0; index < this.#clients.length; index++) {
      const client = this.#clients[(first + index) % this.#clients.length]!;
      if (client.act()) return true;
    }
    return false;
  }

  #jump(): void {
    this.#kernel.settle();
    const ms = this.#random.pick([150, 1500, 15_000, 200_000]);
    this.#trace?.(`the clock jumps by ${ms} ms`);
    this.#kernel.nowMs += this.#random.below(ms);
  }

  // Nothing moves: whatever is unfinished waits for a client, or for a timer.
  #passTime(): void {
    this.#server.assertNothingHangs();
    const next = this.#kernel.nextTimerMs();
    if (!Number.isFinite(next)) {
      // Clients that stay silent are in nobody's way, if the server sleeps.
      if (this.#server.isDraining) this.#fail('the server does not end: nothing is left to happen');
      this.#server.drain();
      return;
    }
    this.#kernel.nowMs = Math.max(this.#kernel.nowMs, next);
    this.#trace?.(`time passes: ${this.#kernel.nowMs}`);
  }

  #clientOf(socket: Socket): Client {
    const client = this.#clients.find((each) => each.socket === socket);
    return client ?? this.#fail('a connection has no client');
  }

  #judge({ id, socket }: Client): void {
    if (socket !== undefined && !socket.closed) this.#fail(`client ${id} was forgotten`);
  }

  // Code of the app may catch what is thrown here: the run fails nevertheless.
  #fail(message: string): never {
    const failure = new SimulationFailure(message);
    this.#failure ??= failure;
    throw failure;
  }
}
