// The event loop of a thread: one tick in one written order, inside Node's own loop.
//
// A turn runs as an immediate of Node's, so libuv never sleeps and the `Io` is the only place that
// does. A turn is one tick after another until Node has something to do: one of its timers is due,
// its backend descriptor is readable, or code of the user has queued an immediate or begun I/O, for
// which libuv is asked before the thread sleeps. Then Node gets its turn, and the next immediate is
// ours. What promises have queued runs behind each tick.
//
// A tick is cut where the thread may sleep: `beginTick`, the `Io`, `endTick`. `run` does these in a
// row; a simulation, whose threads sleep beside each other in a single real one, step by step.
//
// Owner: one thread. Data plane, `run` and `stop` excepted. Callbacks of the client never re-enter
// the loop: what they want done later they queue for a later phase.

import type { Clock } from '../base/clock.ts';
import { msBetween } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { Io } from '../io/io.ts';
import { CLOSE, TIMER, WATCH } from '../io/token.ts';
import { NONE } from '../memory/pool.ts';
import type { OuterLoop } from './node-side.ts';
import { NodeSide } from './node-side.ts';
import { Spinner } from './spinner.ts';
import { TimerWheel } from './timer-wheel.ts';

/** Budgets of a tick, by phase. What exceeds one is left for the next tick, and counted. */
export const COMPLETIONS_PER_TICK = 256;
export const MESSAGES_PER_TICK = 256;
export const DEFERRED_PER_TICK = 256;
export const TIMERS_PER_TICK = 256;
/** A thread that Node waits for, while code of the user waits in `runUntil`, sleeps no longer. */
const BLOCKED_SLEEP_MAX_MS = 100;
/** Ticks of a turn in which code of the user ran: then Node has its own, whatever else there is. */
const TICKS_PER_TURN = 32;

/** What a thread does in each phase of the tick. A phase with a budget answers: is there more? */
export interface LoopClient {
  /** Before the phases: the clock was just read. */
  beginTick(): void;
  /** Phase 1, for each completion of an ACCEPT, RECV, SEND or CLOSE, which stands in `io`. */
  onCompletion(io: Io): void;
  /** Phase 2: messages of other threads. */
  runMessages(budget: number): boolean;
  /** True exactly when another thread is likely to send a message soon. */
  expectsMessages(): boolean;
  hasMessages(): boolean;
  /** True exactly when there is something to do or to send that needs no completion. */
  hasWork(): boolean;
  /** Phase 3: what earlier phases put off. */
  runDeferred(budget: number): boolean;
  /** Phase 4: one send for each connection that has something to say. */
  runSends(): void;
  /** Phase 5, for each timer that ran out. */
  onTimer(slot: number): void;
  /** Phase 6: what became free is used again. */
  runReleases(): void;
  /** Tells other threads that this one will sleep; false: it must not, there is more to do. */
  prepareSleep(): boolean;
  endSleep(): void;
  /** The loop was stopped, and no tick follows: the `Io` may be destroyed. Control plane. */
  onStopped(): void;
}

export interface LoopOptions {
  readonly io: Io;
  readonly clock: Clock;
  readonly nodeLoop: OuterLoop;
  /** Calls `turn` once after Node's loop had its turn: `setImmediate`. */
  readonly nextTurn: (turn: () => void) => void;
  readonly counters: Counters;
  /** Slots that may have a timer. */
  readonly timers: number;
}

export class Loop {
  readonly io: Io;
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly #node: NodeSide;
  readonly #nextTurn: (turn: () => void) => void;
  readonly #counters: Counters;
  #client: LoopClient | undefined;
  readonly #turn: () => void;
  #stopped = false;
  // True exactly when a tick left work that needs no completion.
  #moreWork = false;
  // True exactly when this turn ends after the current tick.
  #yield = false;
  // True exactly when code of the user waits in `runUntil`.
  #isBlocked = false;
  // True exactly when the thread sleeps, or may sleep, in phase 7.
  #sleeping = false;
  #turnTicks = 0;
  #watching = false;
  #sleepTimerSet = false;
  #sleepTimerMs = 0;
  readonly #spinner = new Spinner();
  // True exactly when the thread spins behind this tick, and does not sleep in it.
  #spins = false;
  // True exactly when it had nothing to do since it last slept, and spun in vain if that was worth
  // it: it sleeps next.
  #hasSpun = false;

  constructor(options: LoopOptions) {
    this.io = options.io;
    this.clock = options.clock;
    this.#node = new NodeSide(options.nodeLoop, options.clock);
    this.#nextTurn = options.nextTurn;
    this.#counters = options.counters;
    this.timers = new TimerWheel(options.timers, options.clock.nowMs);
    this.#turn = () => this.#runTurn();
  }

  /** Starts the loop, which runs until `stop`. Control plane. */
  run(client: LoopClient): void {
    this.#client = client;
    this.#nextTurn(this.#turn);
  }

  /** Ends the loop after the current tick. The client is told at the next turn. Control plane. */
  stop(): void {
    this.#stopped = true;
    this.#yield = true;
  }

  /** The client called code of the user, which may have queued something of Node's. */
  userCodeRan(): void {
    this.#node.userCodeRan();
  }

  /** Begins a turn. False: the loop was stopped, the client knows, and nothing may follow. */
  beginTurn(): boolean {
    if (this.#stopped) {
      this.#client!.onStopped();
      return false;
    }
    this.#yield = false;
    this.#turnTicks = 0;
    if (!this.#watching) {
      this.io.watch(this.#node.backendFd);
      this.#watching = true;
    }
    this.#node.beginTurn();
    return true;
  }

  /** Phases 1 to 6. Answers whether phase 7, which the caller asks the `Io` for, may sleep. */
  beginTick(): boolean {
    const client = this.#client!;
    count(this.#counters, Counter.ticks);
    client.beginTick();
    this.#completions(client); // 1
    const moreMessages = client.runMessages(MESSAGES_PER_TICK); // 2
    const moreDeferred = client.runDeferred(DEFERRED_PER_TICK); // 3
    client.runSends(); // 4
    const moreTimers = this.#sweepTimers(client); // 5
    client.runReleases(); // 6
    this.#moreWork = moreMessages || moreDeferred || moreTimers || this.io.completionsReady > 0;
    if (this.#moreWork) count(this.#counters, Counter.budgetsExhausted);
    this.#spins = false;
    this.#sleeping = this.#prepareSleep(client);
    return this.#sleeping;
  }

  /** After phase 7. Answers whether another tick of this turn follows. */
  endTick(): boolean {
    const client = this.#client!;
    if (this.#sleeping) {
      client.endSleep();
      this.#hasSpun = false;
    }
    if (this.#node.hasMicrotasks) this.#node.runMicrotasks();
    const hasWork = this.#moreWork || this.io.completionsReady > 0 || client.hasWork();
    if (!this.#sleeping && !hasWork) this.#idle(client);
    this.clock.update();
    if (this.#node.isDue()) this.#yield = true;
    this.#turnTicks++;
    return !this.#yield && (this.#turnTicks < TICKS_PER_TURN || !this.#node.hasUserCode);
  }

  /**
   * Runs ticks within the current one until `isDone`, and one at least: code of the user, called in
   * phase 2, waits for what they bring, and what it has said is on its way. Neither Node nor what
   * waits for a promise has a turn meanwhile: Node gets it after the current tick.
   */
  runUntil(isDone: () => boolean): void {
    let done = isDone();
    do {
      // Who waits for nothing does not sleep.
      this.#yield = done;
      this.#node.forget();
      this.#isBlocked = true;
      this.io.submitAndWait(this.beginTick());
      if (this.#sleeping) this.#client!.endSleep();
      this.clock.update();
      done = isDone();
    } while (!done);
    this.#isBlocked = false;
    this.userCodeRan();
    this.#yield = true;
  }

  #runTurn(): void {
    let isDone = false;
    try {
      if (!this.beginTurn()) {
        isDone = true;
        return;
      }
      do {
        this.io.submitAndWait(this.beginTick());
      } while (this.endTick());
      isDone = true;
      this.#nextTurn(this.#turn);
    } finally {
      if (!isDone && this.#node.mayGoOn()) this.#nextTurn(this.#turn);
    }
  }

  #completions(client: LoopClient): void {
    const io = this.io;
    let taken = 0;
    while (taken < COMPLETIONS_PER_TICK && io.nextCompletion()) {
      taken++;
      if (io.operation <= CLOSE) client.onCompletion(io);
      else if (io.operation === TIMER) this.#sleepTimerSet = false;
      else if (io.operation === WATCH) {
        this.#watching = false;
        this.#yield = true;
      }
    }
    this.#counters[Counter.completions]! += taken;
  }

  // Under load there is a completion and no need to sleep. Without one, Node is asked first.
  #idle(client: LoopClient): void {
    // Code of the user may have delegated just now.
    if ((this.#spins || this.#maySpin(client)) && this.#spinner.spin(client)) return;
    this.#hasSpun = true;
    if (this.#node.isUnasked && this.#node.hasWork()) this.#yield = true;
  }

  // What code of the user has queued is seen to, as far as it can be here, so that the thread may
  // sleep in this tick. False: it may not. Where something is not on its way yet that was said
  // before, microtasks run behind the tick.
  #settleUserCode(client: LoopClient): boolean {
    if (this.#isBlocked || this.io.hasSubmissions) return false;
    if (this.#node.hasMicrotasks) {
      this.#node.runMicrotasks();
      // What they gave back or delegated is seen to as in phase 6.
      client.runReleases();
    }
    if (client.hasWork()) return false;
    if (this.#node.hasWork()) this.#yield = true;
    return !this.#yield;
  }

  #maySpin(client: LoopClient): boolean {
    return !this.#hasSpun && client.expectsMessages() && this.#spinner.isWorthwhile();
  }

  #sweepTimers(client: LoopClient): boolean {
    for (let expired = 0; expired < TIMERS_PER_TICK; expired++) {
      const slot = this.timers.expire(this.clock.nowMs);
      if (slot === NONE) return false;
      client.onTimer(slot);
    }
    return true;
  }

  #prepareSleep(client: LoopClient): boolean {
    if (this.#moreWork || this.#yield) return false;
    if (this.#node.isUnasked && !this.#settleUserCode(client)) return false;
    this.#spins = this.#maySpin(client);
    if (this.#spins || !client.prepareSleep()) return false;
    count(this.#counters, Counter.sleeps);
    this.#setSleepTimer();
    return true;
  }

  // One timer for the earlier of Node's and the wheel's. One that runs out too early does no harm:
  // the loop looks, finds nothing due, and sets the next.
  #setSleepTimer(): void {
    const nowMs = this.clock.nowMs;
    let delayMs = this.timers.dueInMs(nowMs);
    const nodeDelayMs = this.#node.dueInMs();
    if (delayMs === NONE || (nodeDelayMs !== NONE && nodeDelayMs < delayMs)) delayMs = nodeDelayMs;
    // Node has something to look at, and nobody is told of more. When it is that the thread is to
    // end, it ends when it is awake.
    if (this.#isBlocked && !this.#watching) {
      delayMs = delayMs === NONE ? BLOCKED_SLEEP_MAX_MS : Math.min(delayMs, BLOCKED_SLEEP_MAX_MS);
    }
    if (delayMs === NONE) return;
    const dueMs = (nowMs + delayMs) | 0;
    if (this.#sleepTimerSet && msBetween(this.#sleepTimerMs, dueMs) >= 0) return;
    this.io.setTimer(delayMs);
    this.#sleepTimerSet = true;
    this.#sleepTimerMs = dueMs;
  }
}
