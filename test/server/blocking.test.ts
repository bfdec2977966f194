// Blocking handlers on real sockets: what they write is on its way when they go on, and what they
// wait for does not keep the main thread from ending their worker. Async ones are refused.

import { equal, ok } from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const ENGINE = new URL('../../src/index.ts', import.meta.url).href;
const FOLDER = mkdtempSync(join(tmpdir(), 'millrace-test-'));
after(() => rmSync(FOLDER, { recursive: true }));
const APP = `
import { existsSync } from 'node:fs';
import { defineApp, delegate, handOff, rawBlocking } from '${ENGINE}';

const wait = new Int32Array(new SharedArrayBuffer(4));
// Blocks the thread until the test says so.
function until(name) {
  const end = performance.now() + 5000;
  while (!existsSync('${FOLDER}/' + name)) {
    if (performance.now() > end) throw new Error(name + ' did not come');
    Atomics.wait(wait, 0, 0, 2);
  }
}

export default defineApp({
  routes: {
    'GET /writes': handOff('writes'),
    'POST /reads': handOff('reads'),
    'GET /async': handOff('async'),
    'GET /long': delegate('long'),
    'GET /good': delegate('good'),
  },
  tasks: {
    long: () => new Promise(() => {}),
    good: () => 'good',
  },
  connections: {
    async: async (connection) => {
      await null;
      connection.writeSync('later');
    },
    rawAsync: rawBlocking(async (connection) => {
      await null;
      connection.writeSync('later');
    }),
    reads: (connection) => {
      while (connection.readSync() !== undefined);
    },
    writes: (connection) => {
      connection.writeSync('one\\n');
      until('http-one');
      connection.writeSync('two\\n');
      until('http-two');
    },
    rawWrites: rawBlocking((connection) => {
      connection.writeSync('one\\n');
      until('raw-one');
      connection.writeSync('two\\n');
      until('raw-two');
    }),
  },
  protocols: {
    raw: {
      port: 0,
      onOpen: (connection) => connection.handOff('rawWrites'),
      onData: () => {},
      onReturn: (connection) => connection.end(),
    },
    wrong: {
      port: 0,
      onOpen: (connection) => connection.handOff('rawAsync'),
      onData: () => {},
    },
  },
});
`;
const PATH = join(FOLDER, 'app.ts');
writeFileSync(PATH, APP);
const server = sharedServer([PATH, '-A', '1', '-C', '100', '-w', '1']);

function tell(name: string): void {
  writeFileSync(join(FOLDER, name), '');
}

function portOf(protocol: string): number {
  return Number(new RegExp(`${protocol} on port (\\d+)`).exec(server().readyLine)![1]);
}

async function arrives(peer: HttpPeer, text: string): Promise<void> {
  while (!peer.peek().includes(text)) {
    ok(peer.endedBy === undefined, 'it is there before the end');
    await Promise.race([once(peer.socket, 'data'), peer.ended]);
  }
  peer.take();
}

test('what is written has gone when the handler goes on, and does not wait for more', async (t) => {
  const peer = await HttpPeer.open(t, server().port);
  await peer.send(request('/writes', 'GET', 'Connection: close'));
  for (const line of ['one', 'two']) {
    await arrives(peer, `${line}\n`);
    tell(`http-${line}`);
  }
  equal((await peer.rest()).bytes.trim(), '0');
});

test('so it is with what is written to a connection of a protocol', async (t) => {
  const peer = await HttpPeer.open(t, portOf('raw'));
  for (const line of ['one', 'two']) {
    await arrives(peer, `${line}\n`);
    tell(`raw-${line}`);
  }
  equal(await peer.ended, 'end');
});

test('a worker whose blocking handler waits ends when it is told to', {
  timeout: 15_000,
}, async (t) => {
  const timeouts = ['--task-timeout', '1', '--body-timeout', '1000'];
  const own = await startServer(t, [PATH, '-A', '1', '-C', '100', '-w', '1', ...timeouts]);
  const late = await HttpPeer.open(t, own.port);
  await late.send(request('/long'));
  await own.reportUntil((accepts) => sumOf(accepts, 'tasksDelegated') === 1);
  const reads = await HttpPeer.open(t, own.port);
  await reads.send(request('/reads', 'POST', 'Content-Length: 5'));
  // Its thread has no turn of Node's in which it could answer for the late task.
  equal((await late.response()).status, 504);
  await own.program.output(({ stderr }) => stderr.includes('died and is replaced') || undefined);
  equal((await late.ask(request('/good'))).status, 200);
  equal((await reads.rest()).bytes, '');
});

test('one that is async is a failure that says so, and costs no worker', async (t) => {
  const refused = 'Error: a blocking handler may not be async: use onLoop or rawOnLoop';
  const { program } = server();
  const peer = await HttpPeer.open(t, server().port);
  equal((await peer.ask(request('/async'))).status, 500);
  const from = await program.output(({ stderr }) => {
    const at = stderr.indexOf(`a handler failed: ${refused}`);
    return at < 0 ? undefined : at + refused.length;
  });
  const raw = await HttpPeer.open(t, portOf('wrong'));
  await raw.ended;
  await program.output(({ stderr }) => {
    return stderr.includes(`a protocol failed: ${refused}`, from) || undefined;
  });
  equal((await peer.ask(request('/good'))).status, 200);
  equal(program.stderr.includes('died and is replaced'), false);
});
