// What an accept thread does, phase by phase: its listener, its connections and its tasks, as the
// client of a loop. It is built from parts it is given: it runs on any `Io`, clock and outer loop.
// Control plane at start and at the end; the phases are data plane, without a line of their own.
//
// Owner: one accept thread.

import type { CompiledApp } from '../app/compiled-app.ts';
import { protocolPorts } from '../app/compiled-app.ts';
import type { Clock } from '../base/clock.ts';
import type { Counters } from '../base/counters.ts';
import type { AcceptThreadPlan, Command } from '../base/thread-plan.ts';
import { Connections } from '../connection/connections.ts';
import { exchangesFor } from '../connection/exchanges.ts';
import { Delegator } from '../delegate/delegator.ts';
import { HandOffRecords } from '../delegate/hand-off-records.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { TaskRunner } from '../delegate/task-runner.ts';
import type { Io } from '../io/io.ts';
import { ACCEPT } from '../io/token.ts';
import type { LoopClient } from '../loop/loop.ts';
import { Loop } from '../loop/loop.ts';
import type { OuterLoop } from '../loop/node-side.ts';
import { Drain } from './drain.ts';
import { HandOffs } from './hand-offs.ts';
import { ACCEPTS_MAX, Listener } from './listener.ts';
import { Listeners } from './listeners.ts';
import { AcceptThreadDelegation } from './task-delegation.ts';

/** How often it is looked whether tasks are late. */
const TASKS_LOOK_MS = 200;

export interface AcceptServiceOptions {
  readonly plan: AcceptThreadPlan<DelegateMemory>;
  readonly app: CompiledApp;
  readonly io: Io;
  readonly clock: Clock;
  readonly nodeLoop: OuterLoop;
  readonly nextTurn: (turn: () => void) => void;
  /** Writes the eventfd of a worker. */
  readonly wakeWorker: (worker: number) => void;
  /** Keeps new connections from the listener; those under way still come. */
  readonly refuseConnections: () => void;
  /** The thread was told to retire, and accepts nothing more. */
  readonly onRetired?: () => void;
  readonly log: (message: string, error?: unknown) => void;
  /** The thread has drained, and its `Io` is destroyed. */
  readonly onEnd: () => void;
}

export class AcceptService implements LoopClient {
  readonly loop: Loop;
  readonly delegator: Delegator;
  readonly connections: Connections;
  readonly handOffs: HandOffs | undefined;
  readonly #delegation: AcceptThreadDelegation;
  readonly #listeners: Listeners;
  readonly #drain: Drain;
  readonly #onEnd: () => void;
  // The timers behind those of the connections.
  readonly #firstListenerTimer: number;
  readonly #drainTimer: number;
  readonly #taskTimer: number;
  readonly #makeListener: (fd: number, protocol: number) => Listener;
  #serving = false;

  constructor(options: AcceptServiceOptions) {
    const { plan, app, io, log } = options;
    const { pools } = plan;
    const { acceptCapacity, workerThreads, requests, taskQueueFull } = plan.options;
    const runsWhenFull = taskQueueFull === 'inline';
    const counters: Counters = new Float64Array(plan.counters);
    this.#onEnd = options.onEnd;
    this.#drainTimer = acceptCapacity;
    this.#taskTimer = acceptCapacity + 1;
    this.#firstListenerTimer = acceptCapacity + 2;
    const listeners = 1 + protocolPorts(app).length;
    this.loop = new Loop({
      io,
      clock: options.clock,
      nodeLoop: options.nodeLoop,
      nextTurn: options.nextTurn,
      counters,
      timers: this.#firstListenerTimer + listeners,
    });
    const spares = runsWhenFull ? 1 : 0;
    this.delegator = new Delegator(plan.delegateMemory, plan.index, options.wakeWorker, spares);
    const runner =
      workerThreads === 0 || runsWhenFull
        ? new TaskRunner(
            this.delegator.holders,
            app.tasks,
            { options: plan.options },
            (task, error) => log(`task "${task}" failed`, error),
            (holder) => this.#delegation.onInlineDone(holder),
          )
        : undefined;
    const refused = new Int32Array(plan.refusedTasks);
    this.handOffs =
      app.connections.length === 0
        ? undefined
        : new HandOffs({
            app,
            delegator: this.delegator,
            records: new HandOffRecords(plan.delegateMemory, this.delegator.holders),
            counters,
            refused,
            clock: options.clock,
            timeoutMs: plan.options.taskTimeoutMs,
            capacity: acceptCapacity,
            handOffs: plan.delegateMemory.options.handOffsPerAcceptThread,
          });
    this.#delegation = new AcceptThreadDelegation({
      delegator: this.delegator,
      bytes: io.memory.bytes,
      counters,
      refused,
      clock: options.clock,
      timeoutMs: plan.options.taskTimeoutMs,
      exchanges: exchangesFor(acceptCapacity),
      inlineRunner: runner,
      tasks: app.tasks,
      handOffs: this.handOffs,
      hasWorkers: workerThreads > 0,
      onUserCode: () => this.loop.userCodeRan(),
    });
    this.connections = new Connections({
      loop: this.loop,
      app,
      counters,
      delegation: this.#delegation,
      departures: this.handOffs,
      capacity: acceptCapacity,
      rows: plan.rows,
      ...pools,
      requests,
      log,
    });
    this.#delegation.attach(this.connections);
    this.handOffs?.attach(this.connections);
    this.#listeners = new Listeners(this.connections.table);
    // Each reserves slots before their connections come: none may take them all.
    const share = Math.max(1, Math.floor(acceptCapacity / (2 * listeners)));
    this.#makeListener = (fd, protocol) =>
      new Listener({
        loop: this.loop,
        timer: this.#firstListenerTimer + protocol,
        fd,
        protocol,
        acceptsMax: listeners === 1 ? ACCEPTS_MAX : Math.min(ACCEPTS_MAX, share),
        connections: this.connections,
        counters,
        log,
      });
    this.#listeners.add(this.#makeListener(plan.listenerFd, 0));
    this.#drain = new Drain({
      loop: this.loop,
      timer: this.#drainTimer,
      listener: this.#listeners,
      connections: this.connections,
      delegator: this.delegator,
      counters,
      timeoutMs: plan.options.drainTimeoutMs,
      refuseConnections: options.refuseConnections,
      onRetired: options.onRetired ?? (() => {}),
    });
    io.watchWakeups(plan.acceptWakeups[plan.index]!);
  }

  run(): void {
    this.loop.run(this);
  }

  /** `protocolFds`: with `serve`, the listeners of the application's protocols. */
  onCommand(kind: Command['kind'], protocolFds: readonly number[] = []): void {
    if (kind === 'serve') {
      for (const [index, fd] of protocolFds.entries()) {
        this.#listeners.add(this.#makeListener(fd, index + 1));
      }
      this.#serving = true;
    } else if (kind === 'drain') this.#drain.begin();
    else if (kind === 'retire') this.#drain.retire();
  }

  beginTick(): void {
    this.connections.beginTick();
  }

  onCompletion(io: Io): void {
    if (io.operation === ACCEPT) this.#listeners.onAccept(io.slot, io.result);
    else this.connections.onCompletion(io);
  }

  runMessages(budget: number): boolean {
    return this.#delegation.runCompletions(budget);
  }

  expectsMessages(): boolean {
    return this.delegator.holdersUsed > 0;
  }

  hasMessages(): boolean {
    return this.delegator.hasCompletions();
  }

  hasWork(): boolean {
    return this.connections.hasWork;
  }

  runDeferred(budget: number): boolean {
    return this.connections.runDeferred(budget);
  }

  runSends(): void {
    this.connections.runSends();
  }

  onTimer(slot: number): void {
    if (slot < this.#drainTimer) this.connections.onTimer(slot);
    else if (slot === this.#drainTimer) this.#drain.onTimer();
    else if (slot === this.#taskTimer) this.#delegation.expire(this.loop.clock.nowMs);
    else this.#listeners.onTimer(slot - this.#firstListenerTimer);
  }

  runReleases(): void {
    this.connections.runReleases();
    if (this.#serving) this.#listeners.arm();
    const { timers, clock } = this.loop;
    if (this.delegator.holdersUsed > 0 && !timers.isSet(this.#taskTimer)) {
      timers.set(this.#taskTimer, clock.nowMs, TASKS_LOOK_MS);
    }
  }

  prepareSleep(): boolean {
    // Timers run out behind the send phase: what they answered goes with the next tick.
    return !this.hasWork() && this.delegator.sleep();
  }

  endSleep(): void {
    this.delegator.wake();
  }

  onStopped(): void {
    this.loop.timers.clear(this.#taskTimer);
    this.loop.io.destroy();
    this.#onEnd();
  }
}
