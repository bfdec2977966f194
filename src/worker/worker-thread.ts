// The entry of a worker thread: opens what it needs of the kernel and of Node, and runs the service
// on it until the main thread tells it to end. Control plane.

import { parentPort, workerData } from 'node:worker_threads';
import { loadApp, protocolPorts, taskNames } from '../app/compiled-app.ts';
import { assert } from '../base/assert.ts';
import { keepCompiled } from '../base/modules.ts';
import type { WorkerThreadPlan } from '../base/thread-plan.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { adaptFetchModule } from '../fetch/fetch-module.ts';
import { openIo } from '../io/open-io.ts';
import { Wakeup } from '../kernel/eventfd.ts';
import { keepHoldings } from '../kernel/holdings.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { lowerPriority } from '../kernel/priority.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import { ThreadPort } from '../loop/thread-port.ts';
import { WorkerService } from './worker-service.ts';

async function start(): Promise<void> {
  assert(parentPort !== null, 'a worker thread is started by the main thread');
  const port = new ThreadPort(parentPort);
  try {
    const plan = workerData as WorkerThreadPlan<DelegateMemory>;
    keepHoldings(plan.holdings);
    lowerPriority(plan.options.workerNice);
    const app = await loadApp(plan.app, { options: plan.options }, adaptFetchModule);
    const io = openIo(plan.backend, { ...plan.pools, blocksSize: blocksSize(plan.pools) });
    const acceptWakeups = plan.acceptWakeups.map((fd) => new Wakeup(fd));
    const workerWakeups = plan.workerWakeups.map((fd) => new Wakeup(fd));
    const nodeLoop = new NodeLoop();
    const service = new WorkerService({
      plan,
      app,
      io,
      clock: new SystemClock(),
      nodeLoop,
      nextTurn: nodeLoop.nextTurn,
      wakeups: {
        wakeAcceptThread: (thread) => acceptWakeups[thread]!.signal(),
        wakeWorker: (worker) => workerWakeups[worker]!.signal(),
      },
      log: (message, error) => port.log(message, error),
      onEnd: () => port.end(),
    });
    port.listen(({ kind }) => service.onCommand(kind));
    port.report({ kind: 'ready', tasks: taskNames(app), protocols: protocolPorts(app) });
    keepCompiled();
    service.run();
  } catch (error) {
    port.fail(error);
  }
}

await start();
