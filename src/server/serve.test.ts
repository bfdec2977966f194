import { deepEqual, equal, match, ok, rejects, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './serve.ts';
import { completeOptions } from './serve-options.ts';

const APP = new URL('../../test/support/test-app.ts', import.meta.url);
const SMALL = { port: 0, acceptThreads: 1, workerThreads: 1, acceptCapacity: 10 };

test('a program serves an application, looks at its counters, and ends it', async () => {
  const server = await serve(APP, SMALL);
  equal(server.url, `http://127.0.0.1:${server.port}`);
  equal(await (await fetch(`${server.url}/fast`)).text(), 'fast');
  equal(await (await fetch(`${server.url}/slow`)).text(), 'slow');
  const stats = server.stats();
  deepEqual(
    stats.map(({ name }) => name),
    ['accept-0', 'worker-0'],
  );
  equal(stats[0]!.counters.requests, 2);
  equal(stats[1]!.counters.tasksRun, 1);
  await server.close();
  await rejects(fetch(`${server.url}/fast`));
});

test('a path is looked up in the working directory, and the log goes where it should', async () => {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const server = await serve('test/support/test-app.ts', { ...SMALL, log });
  equal((await fetch(`${server.url}/throws`)).status, 500);
  await server.close();
  ok(lines.some((line) => line.startsWith('accept-0: a handler failed: Error: a mistake')));
});

test('a module that does not load is an error of the start', async () => {
  await rejects(serve('./none.ts', SMALL), ({ name, message, exitCode }) => {
    match(message, /none\.ts/);
    return name === 'StartError' && exitCode === 1;
  });
});

test('parts of the options replace parts of the defaults', () => {
  const options = completeOptions({ acceptThreads: 3, requests: { bodySizeMax: 0 } });
  equal(options.workerThreads, 3);
  equal(options.requests.bodySizeMax, 0);
  equal(options.requests.requestsMax, 1_000_000);
});

test('an option that is out of its range is refused', () => {
  throws(() => completeOptions({ acceptThreads: 0 }), {
    name: 'RangeError',
    message: 'acceptThreads is a whole number from 1 to 1024, not 0',
  });
  throws(() => completeOptions({ port: 1.5 }), RangeError);
  throws(() => completeOptions({ host: 'localhost' }), /host is an IPv4 or IPv6 address/);
  throws(() => completeOptions({ requests: { requestsMax: 0 } }), /requests\.requestsMax/);
  throws(() => completeOptions({ host: '::ffff:127.0.0.1' }), /host is the IPv4 address itself/);
  throws(() => completeOptions({ prot: 1, acceptThread: 2 } as object), {
    name: 'RangeError',
    message: 'there is no option prot, acceptThread',
  });
  throws(() => completeOptions({ requests: { bodySize: 1 } as object }), /requests\.bodySize/);
});
