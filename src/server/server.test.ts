import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { RawPeer } from '../../test/support/raw-peer.ts';
import type { ServerOptions } from '../base/options.ts';
import type { Listeners } from '../io/listener.ts';
import { bindListeners, closeListeners, startListening } from '../io/listener.ts';
import { bind, Server } from './server.ts';

const OPTIONS: ServerOptions = {
  port: 0,
  host: '127.0.0.1',
  acceptThreads: 1,
  acceptCapacity: 16,
  workerThreads: 1,
  slowDuration: 0,
  drainTimeoutMs: 10_000,
  taskTimeoutMs: 1000,
  taskSize: 2048,
  taskQueue: 0,
  taskQueueFull: 'refuse',
  taskDeaths: 5,
  workerNice: 0,
  workerHeap: 0,
  demoFaults: false,
  workerConcurrency: 4,
  requests: {
    keepAliveTimeoutMs: 1000,
    headerTimeoutMs: 1000,
    bodyTimeoutMs: 1000,
    sendTimeoutMs: 1000,
    handlerTimeoutMs: 1000,
    bodySizeMax: 1000,
    requestsMax: 1000,
  },
  backend: 'auto',
  verbose: false,
};

function moduleOf(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

const APP = moduleOf(`export default {
  routes: { 'GET /fast': (_, response) => response.end('fast'), 'GET /slow': { task: 'slow' } },
  tasks: { slow: (task) => task.end('slow') },
};`);

// Sockets and eventfds by what they are, which is what a server opens. Node has some of its own.
function openDescriptors(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const fd of readdirSync('/proc/self/fd')) {
    const stat = statSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const kind = readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/, '');
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

test('a port in use is told before any thread is started', async () => {
  const listeners = bindListeners('127.0.0.1', 0, 1);
  const { port } = listeners;
  startListening(listeners);
  const before = openDescriptors();
  await rejects(
    Server.start({ ...OPTIONS, port }, APP, () => {}),
    {
      name: 'StartError',
      exitCode: 69,
    },
  );
  deepEqual(openDescriptors(), before);
  closeListeners(listeners);
});

test('an application that is none is told, and no descriptor stays open', async () => {
  const before = openDescriptors();
  await rejects(
    Server.start(OPTIONS, moduleOf(''), () => {}),
    { name: 'StartError', exitCode: 1, message: /defineApp/ },
  );
  deepEqual(openDescriptors(), before);
});

test('two that would listen on one port are told, by name', async () => {
  const { port } = unusedListeners();
  const protocol = (at: number): string => `{ port: ${at}, onData() {} }`;
  const app = (protocols: string): string =>
    moduleOf(`export default { routes: {}, protocols: { ${protocols} } };`);
  const before = openDescriptors();
  await rejects(
    Server.start({ ...OPTIONS, port }, app(`echo: ${protocol(port)}`), () => {}),
    {
      name: 'StartError',
      exitCode: 1,
      message: `HTTP and protocol "echo" have the same port, ${port}; give one of them another`,
    },
  );
  await rejects(
    Server.start(OPTIONS, app(`a: ${protocol(port)}, b: ${protocol(port)}`), () => {}),
    { message: /^protocol "a" and protocol "b" have the same port/ },
  );
  deepEqual(openDescriptors(), before);
  const server = await Server.start(OPTIONS, app(`a: ${protocol(0)}, b: ${protocol(0)}`), () => {});
  await server.close();
});

function unusedListeners(): Listeners {
  const listeners = bind(OPTIONS);
  closeListeners(listeners);
  return listeners;
}

test('a server serves from its start to its drain, and tells what it did', async (context) => {
  const logged: string[] = [];
  const server = await Server.start(OPTIONS, APP, (line) => logged.push(line));
  context.after(() => server.drain());
  const peer = new RawPeer(server.port);
  peer.send('GET /fast HTTP/1.1\r\nHost: a\r\n\r\nGET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  let answer = '';
  while (!answer.endsWith('slow')) answer += peer.recv();
  equal(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
  peer.close();
  const reports = await server.report();
  deepEqual(
    reports.map(({ name }) => name),
    ['accept-0', 'worker-0'],
  );
  for (const { heap } of reports) {
    ok(heap !== undefined && heap.usedBytes > 0);
    ok(heap.allocatedBytes > 0);
  }
  equal(reports[0]!.counters.requests, 2);
  server.drain();
  server.drain();
  await server.ended;
  const [accept, worker] = server.counters();
  equal(accept![0], 'accept-0');
  equal(accept![1].tasksDelegated, 1);
  equal(accept![1].connectionsOpen, 0);
  equal(worker![1].tasksRun, 1);
  deepEqual(logged, []);
});

// Reports where a thread loads it, and waits until the test has seen that.
const GATED = moduleOf(`
  import { threadName } from 'node:worker_threads';
  const channel = new BroadcastChannel('threads awaited at start');
  if (threadName.startsWith('accept') || Number(threadName.slice(7)) >= 15) {
    await new Promise((resolve) => {
      channel.onmessage = ({ data }) => data === 'go ' + threadName && resolve();
      channel.postMessage(threadName);
    });
  }
  channel.close();
  export default { routes: { 'GET /fast': (_, response) => response.end('fast') } };`);

/** Starts 17 workers on a port, and lets threads go on that report. Answers what came when. */
async function startGated(
  context: TestContext,
  port: number,
  onThread: (thread: string, order: string[]) => void,
  listeners?: Listeners,
): Promise<string[]> {
  const channel = new BroadcastChannel('threads awaited at start');
  context.after(() => channel.close());
  const order: string[] = [];
  const all = Promise.withResolvers<void>();
  channel.onmessage = (event) => {
    const { data: thread } = event as MessageEvent & { data: string };
    onThread(thread, order);
    order.push(thread);
    channel.postMessage(`go ${thread}`);
    if (thread === 'worker-16') all.resolve();
  };
  const options = { ...OPTIONS, port, workerThreads: 17 };
  const takeOver =
    listeners === undefined
      ? undefined
      : { listeners, before: async () => void order.push('before') };
  const server = await Server.start(options, GATED, () => {}, { takeOver });
  context.after(() => server.close());
  order.push('ready');
  await all.promise;
  return order;
}

test('it serves from its first worker on, and is ready with 16; others follow', async (context) => {
  const { port } = unusedListeners();
  const order = await startGated(context, port, (thread, order) => {
    if (thread === 'worker-15') order.push(ask(port));
  });
  deepEqual(order, ['accept-0', 'fast', 'worker-15', 'ready', 'worker-16']);
});

test('it takes nothing over before it is ready', async (context) => {
  const listeners = bind(OPTIONS);
  context.after(() => closeListeners(listeners));
  const order = await startGated(context, listeners.port, () => {}, listeners);
  deepEqual(order, ['accept-0', 'worker-15', 'before', 'ready', 'worker-16']);
});

function ask(port: number): string {
  const peer = new RawPeer(port);
  peer.send('GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let answer = '';
  while (!answer.endsWith('fast')) answer += peer.recv();
  peer.close();
  return answer.slice(-4);
}
