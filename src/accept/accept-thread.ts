// The accept thread: builds its loop, its pools and its connections from the plan, then serves
// until the main thread tells it to drain. Control plane: what runs per connection is in
// `connection/`.

import { parentPort, workerData } from 'node:worker_threads';
import { loadApp } from '../app/compiled-app.ts';
import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter } from '../base/counters.ts';
import type { AcceptThreadPlan } from '../base/thread-plan.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import { Connections } from '../connection/connections.ts';
import { Delegator } from '../delegate/delegator.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { TaskRunner } from '../delegate/task-runner.ts';
import type { Io } from '../io/io.ts';
import { refuseNewConnections } from '../io/listener.ts';
import { openIo } from '../io/open-io.ts';
import { ACCEPT } from '../io/token.ts';
import { Wakeup } from '../kernel/eventfd.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { closeDescriptor } from '../kernel/sockets.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import type { LoopClient } from '../loop/loop.ts';
import { Loop } from '../loop/loop.ts';
import { ThreadPort } from '../loop/thread-port.ts';
import { Listener } from './listener.ts';
import { AcceptThreadDelegation } from './task-delegation.ts';

/** Drain: for so long, handshakes under way complete and are accepted. */
const DRAIN_ACCEPT_MS = 100;
/** Drain: for so long, a connection that is silent may still send a request and get its answer. */
const DRAIN_IDLE_MS = 500;
/** Drain: after this, what is left is ended. */
const DRAIN_MAX_MS = 10_000;
const DRAIN_CHECK_MS = 10;

class AcceptThread implements LoopClient {
  readonly #plan: AcceptThreadPlan<DelegateMemory>;
  readonly #port: ThreadPort;
  readonly #counters: Counters;
  readonly #loop: Loop;
  readonly #delegator: Delegator;
  readonly #delegation: AcceptThreadDelegation;
  readonly #connections: Connections;
  readonly #listener: Listener;
  #serving = false;
  #draining = false;

  static async start(): Promise<void> {
    assert(parentPort !== null, 'an accept thread is started by the main thread');
    const port = new ThreadPort(parentPort);
    try {
      const plan = workerData as AcceptThreadPlan<DelegateMemory>;
      const thread = new AcceptThread(plan, port, await loadApp(plan.app));
      port.report({ kind: 'ready' });
      thread.#loop.run(thread);
    } catch (error) {
      port.fail(error);
    }
  }

  private constructor(
    plan: AcceptThreadPlan<DelegateMemory>,
    port: ThreadPort,
    app: Awaited<ReturnType<typeof loadApp>>,
  ) {
    const { options, pools } = plan;
    this.#plan = plan;
    this.#port = port;
    const counters: Counters = new Float64Array(plan.counters);
    this.#counters = counters;
    const io = openIo(plan.backend, { ...pools, blocksSize: blocksSize(pools) });
    this.#loop = new Loop({
      io,
      clock: new SystemClock(),
      nodeLoop: new NodeLoop(),
      counters,
      timers: options.acceptCapacity,
    });
    const wakeups = plan.workerWakeups.map((fd) => new Wakeup(fd));
    this.#delegator = new Delegator(plan.delegateMemory, plan.index, (worker) =>
      wakeups[worker]!.signal(),
    );
    const log = (message: string, error?: unknown): void => port.log(message, error);
    const runner =
      options.workerThreads === 0
        ? new TaskRunner(this.#delegator.holders, app.tasks, { options }, (task, error) =>
            log(`task "${task}" failed`, error),
          )
        : undefined;
    this.#delegation = new AcceptThreadDelegation(
      this.#delegator,
      io.memory.bytes,
      counters,
      runner,
    );
    this.#connections = new Connections({
      loop: this.#loop,
      app,
      counters,
      delegation: this.#delegation,
      capacity: options.acceptCapacity,
      rows: plan.rows,
      ...pools,
      requests: options.requests,
      log,
    });
    this.#delegation.attach(this.#connections);
    this.#listener = new Listener(io, plan.listenerFd, this.#connections, counters, log);
    io.watchWakeups(plan.acceptWakeups[plan.index]!);
    port.listen((kind) => {
      if (kind === 'serve') this.#serving = true;
      else if (kind === 'drain') this.#drain();
    });
  }

  beginTick(): void {
    this.#connections.beginTick();
  }

  onCompletion(io: Io): void {
    if (io.operation === ACCEPT) this.#listener.onAccept(io.slot, io.result);
    else this.#connections.onCompletion(io);
  }

  runMessages(budget: number): boolean {
    return this.#delegation.runCompletions(budget);
  }

  runDeferred(budget: number): boolean {
    return this.#connections.runDeferred(budget);
  }

  runSends(): void {
    this.#connections.runSends();
  }

  onTimer(slot: number): void {
    this.#connections.onTimer(slot);
  }

  runReleases(): void {
    this.#connections.runReleases();
    if (this.#serving) this.#listener.arm();
  }

  prepareSleep(): boolean {
    return this.#delegator.sleep();
  }

  endSleep(): void {
    this.#delegator.wake();
  }

  // SYNs are dropped first, and what the kernel has accepted by then is served; every response
  // announces the close; the silent are told by an orderly end; tasks are awaited.
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    const begin = performance.now();
    refuseNewConnections(this.#plan.listenerFd);
    this.#connections.drain();
    let accepted = -1;
    let stopped = false;
    const check = setInterval(() => {
      const elapsedMs = performance.now() - begin;
      if (elapsedMs >= DRAIN_MAX_MS) this.#connections.terminateAll();
      else if (elapsedMs >= DRAIN_IDLE_MS) this.#connections.closeIdle();
      // The backlog is empty when accepts wait and none has completed since the last look.
      const before = accepted;
      accepted = this.#counters[Counter.connectionsAccepted]!;
      const caughtUp = this.#listener.waits && accepted === before;
      if (!stopped && elapsedMs >= DRAIN_ACCEPT_MS && (caughtUp || elapsedMs >= DRAIN_MAX_MS)) {
        stopped = true;
        this.#listener.stop();
      }
      if (!stopped || this.#connections.table.pool.used > 0) return;
      if (this.#delegator.holdersUsed > 0 && elapsedMs < DRAIN_MAX_MS) return;
      clearInterval(check);
      this.#end();
    }, DRAIN_CHECK_MS);
  }

  #end(): void {
    this.#connections.assertAllFree();
    this.#loop.stop();
    this.#loop.io.destroy();
    closeDescriptor(this.#plan.listenerFd);
    this.#port.end();
  }
}

await AcceptThread.start();
