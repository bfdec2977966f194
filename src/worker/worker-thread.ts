// The worker thread: the same loop as an accept thread, with a task intake in place of the
// listener. Control plane at start; the phases are data plane, the tasks themselves are the user's.

import { parentPort, workerData } from 'node:worker_threads';
import { loadApp } from '../app/compiled-app.ts';
import { assert } from '../base/assert.ts';
import type { Counters } from '../base/counters.ts';
import { Counter, count } from '../base/counters.ts';
import type { ThreadPlan } from '../base/thread-plan.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { TaskIntake } from '../delegate/task-intake.ts';
import { TaskRunner } from '../delegate/task-runner.ts';
import { SMALL_IO } from '../io/io-options.ts';
import { openIo } from '../io/open-io.ts';
import { Wakeup } from '../kernel/eventfd.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import type { LoopClient } from '../loop/loop.ts';
import { Loop } from '../loop/loop.ts';
import { ThreadPort } from '../loop/thread-port.ts';
import { NONE } from '../memory/pool.ts';

class WorkerThread implements LoopClient {
  readonly #loop: Loop;
  readonly #intake: TaskIntake;
  readonly #runner: TaskRunner;
  readonly #counters: Counters;

  static async start(): Promise<void> {
    assert(parentPort !== null, 'a worker thread is started by the main thread');
    const port = new ThreadPort(parentPort);
    try {
      const plan = workerData as ThreadPlan<DelegateMemory>;
      const thread = new WorkerThread(plan, port, await loadApp(plan.app));
      port.report({ kind: 'ready' });
      thread.#loop.run(thread);
    } catch (error) {
      port.fail(error);
    }
  }

  private constructor(
    plan: ThreadPlan<DelegateMemory>,
    port: ThreadPort,
    app: Awaited<ReturnType<typeof loadApp>>,
  ) {
    this.#counters = new Float64Array(plan.counters);
    const wakeups = plan.acceptWakeups.map((fd) => new Wakeup(fd));
    this.#intake = new TaskIntake(plan.delegateMemory, plan.index, (thread) =>
      wakeups[thread]!.signal(),
    );
    this.#runner = new TaskRunner(
      this.#intake.holders,
      app.tasks,
      { options: plan.options },
      (task, error) => {
        count(this.#counters, Counter.tasksFailed);
        port.log(`task "${task}" failed`, error);
      },
    );
    this.#loop = new Loop({
      io: openIo(plan.backend, SMALL_IO),
      clock: new SystemClock(),
      nodeLoop: new NodeLoop(),
      counters: this.#counters,
      timers: 1,
    });
    this.#loop.io.watchWakeups(plan.workerWakeups[plan.index]!);
    port.listen((kind) => {
      if (kind !== 'drain') return;
      this.#loop.stop();
      this.#loop.io.destroy();
      port.end();
    });
  }

  beginTick(): void {}

  onCompletion(): void {
    assert(false, 'a worker submits nothing that completes here');
  }

  // One task in a tick: the result is published at once, and Node gets its turn between tasks.
  runMessages(): boolean {
    const holder = this.#intake.take();
    if (holder === NONE) return false;
    this.#loop.userCodeRan();
    this.#runner.run(holder);
    this.#intake.finish(holder);
    count(this.#counters, Counter.tasksRun);
    return this.#intake.hasTasks();
  }

  runDeferred(): boolean {
    return false;
  }

  runSends(): void {}

  onTimer(): void {}

  runReleases(): void {}

  prepareSleep(): boolean {
    return this.#intake.sleep();
  }

  endSleep(): void {
    this.#intake.wake();
  }
}

await WorkerThread.start();
