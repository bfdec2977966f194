// The entry of an accept thread: opens what its plan needs of the kernel and of Node, and runs the
// service on it until the main thread tells it to drain. Control plane.

import { parentPort, workerData } from 'node:worker_threads';
import { appWithoutWorkers, loadApp, protocolPorts, taskNames } from '../app/compiled-app.ts';
import { mayKeep } from '../app/escape.ts';
import { assert } from '../base/assert.ts';
import { keepCompiled } from '../base/modules.ts';
import type { AcceptThreadPlan } from '../base/thread-plan.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import { adaptFetchModule } from '../fetch/fetch-module.ts';
import { refuseNewConnections } from '../io/listener.ts';
import { openIo } from '../io/open-io.ts';
import { Wakeup } from '../kernel/eventfd.ts';
import { keepHoldings } from '../kernel/holdings.ts';
import { NodeLoop } from '../kernel/node-loop.ts';
import { closeDescriptor } from '../kernel/sockets.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import { ThreadPort } from '../loop/thread-port.ts';
import { AcceptService } from './accept-service.ts';

async function start(): Promise<void> {
  assert(parentPort !== null, 'an accept thread is started by the main thread');
  const port = new ThreadPort(parentPort);
  try {
    const plan = workerData as AcceptThreadPlan<DelegateMemory>;
    keepHoldings(plan.holdings);
    const loaded = await loadApp(plan.app, { options: plan.options }, adaptFetchModule, mayKeep);
    const app = plan.options.workerThreads === 0 ? appWithoutWorkers(loaded) : loaded;
    const { pools } = plan;
    const io = openIo(plan.backend, { ...pools, blocksSize: blocksSize(pools) });
    const wakeups = plan.workerWakeups.map((fd) => new Wakeup(fd));
    const listenerFds = [plan.listenerFd];
    const nodeLoop = new NodeLoop();
    const service = new AcceptService({
      plan,
      app,
      io,
      clock: new SystemClock(),
      nodeLoop,
      nextTurn: nodeLoop.nextTurn,
      wakeWorker: (worker) => wakeups[worker]!.signal(),
      refuseConnections: () => {
        for (const fd of listenerFds) refuseNewConnections(fd);
      },
      onRetired: () => port.report({ kind: 'retired' }),
      log: (message, error) => port.log(message, error),
      onEnd: () => {
        for (const fd of listenerFds) closeDescriptor(fd);
        port.end();
      },
    });
    port.listen((command) => {
      const protocolFds = command.kind === 'serve' ? command.protocolFds : [];
      listenerFds.push(...protocolFds);
      service.onCommand(command.kind, protocolFds);
    });
    port.report({ kind: 'ready', tasks: taskNames(app), protocols: protocolPorts(app) });
    keepCompiled();
    service.run();
  } catch (error) {
    port.fail(error);
  }
}

await start();
