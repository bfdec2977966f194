// Connections end in every way there is, in any order, and nothing is left of them.

import { deepEqual, equal } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { FAST, FAST_AND_CLOSE, HttpPeer, request, SLOW } from '../support/http-peer.ts';
import { prng } from '../support/prng.ts';
import { startServer } from '../support/server-process.ts';

const CYCLES = 4000;
const AT_ONCE = 25;
const SEED = 20_261_123;

type Cycle = (peer: HttpPeer) => Promise<void>;

async function isAnswered(peer: HttpPeer, bytes: string, status = 200): Promise<void> {
  equal((await peer.ask(bytes)).status, status);
}

async function isEnded(peer: HttpPeer): Promise<void> {
  deepEqual(await peer.rest(), { by: 'end', bytes: '' });
  peer.close();
}

const CYCLES_BY_NAME: Readonly<Record<string, Cycle>> = {
  'the client closes after a response': async (peer) => {
    await isAnswered(peer, FAST);
    peer.close();
  },
  'the client closes after some responses': async (peer) => {
    for (const bytes of [FAST, SLOW, FAST]) await isAnswered(peer, bytes);
    peer.close();
  },
  'the client closes without a request': async (peer) => {
    peer.close();
  },
  'the client ends its side without a request': async (peer) => {
    peer.endSending();
    await isEnded(peer);
  },
  'the client closes before its response': async (peer) => {
    await peer.send(FAST);
    peer.close();
  },
  'the server closes first': async (peer) => {
    await isAnswered(peer, FAST_AND_CLOSE);
    await isEnded(peer);
  },
  'the server closes first, after a task': async (peer) => {
    await isAnswered(peer, request('/test/slow', 'GET', 'Connection: close'));
    await isEnded(peer);
  },
  'the server closes an old client': async (peer) => {
    await isAnswered(peer, 'GET /test/fast HTTP/1.0\r\n\r\n');
    await isEnded(peer);
  },
  'both close at once': async (peer) => {
    await isAnswered(peer, FAST_AND_CLOSE);
    peer.close();
  },
  'the client resets without a request': async (peer) => {
    peer.reset();
  },
  'the client resets after a response': async (peer) => {
    await isAnswered(peer, FAST);
    peer.reset();
  },
  'the client resets before its responses': async (peer) => {
    await isAnswered(peer, FAST);
    await peer.send(FAST.repeat(30));
    peer.reset();
  },
  'half a request, then a close': async (peer) => {
    await peer.send(FAST.slice(0, 20));
    peer.close();
  },
  'half a request, then a reset': async (peer) => {
    await isAnswered(peer, FAST);
    await peer.send(FAST + FAST.slice(0, 20));
    peer.reset();
  },
  'half a request, then the end of the client’s side': async (peer) => {
    await isAnswered(peer, FAST + FAST.slice(0, 30));
    peer.endSending();
    await isEnded(peer);
  },
  'the client ends its side after a request': async (peer) => {
    await peer.send(FAST);
    peer.endSending();
    equal((await peer.response()).status, 200);
    await isEnded(peer);
  },
  'the client ends its side after many requests': async (peer) => {
    await isAnswered(peer, FAST);
    await peer.send((FAST + SLOW + FAST).repeat(3));
    peer.endSending();
    equal((await peer.responses(9)).length, 9);
    await isEnded(peer);
  },
  'a bad request': async (peer) => {
    await isAnswered(peer, `BAD\n${FAST}`, 400);
    await isEnded(peer);
  },
  'a bad request, then a reset': async (peer) => {
    await isAnswered(peer, 'BAD\n', 400);
    peer.reset();
  },
};

async function cycle(t: TestContext, port: number, index: number): Promise<void> {
  const names = Object.keys(CYCLES_BY_NAME);
  const name = names[index % names.length]!;
  const peer = await HttpPeer.open(t, port);
  try {
    await CYCLES_BY_NAME[name]!(peer);
  } catch (error) {
    throw new Error(`cycle of the kind "${name}"`, { cause: error });
  }
}

test('nothing is left of thousands of connections of all kinds', async (t) => {
  const server = await startServer(t, ['-A', '2', '-w', '2', '-D', '0', '-C', '1000']);
  for (let index = 0; index < 40; index++) await cycle(t, server.port, index);
  await server.reportUntil((all) => all.every(({ counters }) => counters.connectionsOpen === 0));
  const descriptors = server.descriptors();

  const random = prng(SEED);
  const kinds = Array.from({ length: CYCLES }, () => random(1000));
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let kind = kinds.pop(); kind !== undefined; kind = kinds.pop()) {
        await cycle(t, server.port, kind);
      }
    }),
  );

  const reports = await server.reportUntil((all) =>
    all.every(({ counters }) => counters.connectionsOpen === 0),
  );
  equal(server.descriptors(), descriptors);
  for (const { name, counters } of reports) {
    equal(counters.completionsStale, 0, name);
    equal(counters.acceptsFailed, 0, name);
    equal(counters.closedNoMemory, 0, name);
    equal(counters.tasksCompleted! + counters.tasksCancelled!, counters.tasksDelegated, name);
    const ended = Object.entries(counters).filter(([counter]) => counter.startsWith('closed'));
    const sum = ended.reduce((total, [, count]) => total + count, 0);
    equal(sum, counters.connectionsAccepted, `${name}: each connection ended for one reason`);
  }
  equal(await server.stop(), 0);
});
