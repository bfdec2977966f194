// Connections of protocols that are handed to workers and come back: whatever the peer sends, cut
// anywhere, is read in order, each line by the thread it should be; and nothing is left.

import { deepEqual, equal, ok } from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import type { Prng } from '../support/prng.ts';
import { prng } from '../support/prng.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { sharedServer, startServer, sumOf } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/raw-hand-off-app.ts', import.meta.url));

const server = sharedServer([APP, '-A', '1', '-C', '300', '-w', '2']);

function start(t: TestContext, ...args: string[]): Promise<ServerProcess> {
  return startServer(t, [APP, '-A', '1', '-C', '100', ...args]);
}

function open(t: TestContext, own: ServerProcess, name = 'lines'): Promise<HttpPeer> {
  return HttpPeer.open(t, Number(new RegExp(`${name} on port (\\d+)`).exec(own.readyLine)![1]));
}

async function say(peer: HttpPeer, line: string): Promise<string> {
  await peer.send(`${line}\n`);
  return (await peer.lines(1))[0]!;
}

async function goAway(peer: HttpPeer, name = 'lines'): Promise<void> {
  equal(await say(peer, `away ${name}`), `accept-0 away ${name}`);
}

// Every connection, slot, holder and block is back.
async function allBack(own: ServerProcess): Promise<void> {
  await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 0);
}

// Lines with many hand-offs, as one text, and the threads that have to read them.
function script(
  random: Prng,
  count: number,
  kinds = ['lines'],
): { text: string; threads: string[] } {
  const threads: string[] = [];
  let text = '';
  let away = false;
  for (let index = 0; index < count; index++) {
    const goes = random(3) === 0;
    threads.push(away ? 'worker' : 'accept');
    const word = goes ? (away ? 'home' : `away ${kinds[random(kinds.length)]}`) : 'say';
    text += `${word} ${index} ${'x'.repeat(random(2) === 0 ? random(20) : random(3000))}\n`;
    if (goes) away = !away;
  }
  // A worker that is blocked waits for no more.
  if (away) threads.push('worker');
  if (away) text += 'home\n';
  return { text, threads };
}

test('a connection goes to a worker and comes back, as often as it likes', async (t) => {
  const peer = await open(t, server());
  for (let round = 0; round < 20; round++) {
    equal(await say(peer, 'here'), 'accept-0 here');
    await goAway(peer);
    const answer = await say(peer, 'there');
    ok(/^worker-[01] there$/.test(answer), answer);
    equal(await say(peer, 'home'), answer.replace('there', 'home'));
  }
});

for (const kinds of [['lines'], ['blocking'], ['lines', 'blocking']]) {
  test(`bytes stay in order on the way, cut anywhere: ${kinds}`, async (t) => {
    const peers = await Promise.all(Array.from({ length: 20 }, () => open(t, server())));
    await Promise.all(
      peers.map(async (peer, index) => {
        const random = prng(index);
        const { text, threads } = script(random, 100, kinds);
        const read = peer.lines(threads.length);
        for (let at = 0; at < text.length; ) {
          const size = 1 + random(random(2) === 0 ? 30 : 30_000);
          await peer.send(text.slice(at, at + size));
          at += size;
        }
        const answers = await read;
        const sent = text.split('\n').slice(0, -1);
        deepEqual(
          answers.map((line) => line.replace(/^(\w+)-\d+ /, '$1 ')),
          sent.map((line, at) => `${threads[at]} ${line}`),
        );
      }),
    );
    for (const peer of peers) peer.close();
    await allBack(server());
  });
}

test('what was written is sent before a connection leaves', async (t) => {
  const peer = await open(t, server());
  await peer.send('big\naway lines\nbig\nhome\nlast\n');
  const lines = (await peer.lines(5)).map((line) => line.replace(/^(?:millrace)+/, 'B '));
  deepEqual(
    lines.map((line) => line.replace(/-\d/, '')),
    ['B accept big', 'accept away lines', 'B worker big', 'worker home', 'accept last'],
  );
});

test('the end of the peer is told where the connection is', async (t) => {
  const peer = await open(t, server());
  await peer.send('away lines\n');
  peer.endSending();
  const { by, bytes } = await peer.rest();
  equal(by, 'end');
  equal(bytes.replace(/-\d/g, ''), 'accept away lines\nworker bye\n');
});

test('what is asked of a connection that leaves has no effect; misuse throws', async (t) => {
  const own = await start(t, '-w', '1');
  const peer = await open(t, own, 'misuse');
  await peer.send('x');
  deepEqual(await peer.lines(2), ['TypeError RangeError', 'worker-0 after']);
  const http = await HttpPeer.open(t, own.port);
  deepEqual(JSON.parse((await http.ask(request('/events'))).body), ['true false false']);
});

test('a worker that dies ends its connection, whose protocol is told', async (t) => {
  const own = await start(t, '-w', '1');
  const peer = await open(t, own);
  const home = await open(t, own);
  equal(await say(home, 'here'), 'accept-0 here');
  await goAway(peer);
  await peer.send('exit\n');
  ok(['end', 'ECONNRESET'].includes(await peer.ended));
  await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 1);
  equal(await own.counter('closedThreadDied'), 1);
  const http = await HttpPeer.open(t, own.port);
  deepEqual(JSON.parse((await http.ask(request('/events'))).body), ['closed']);
  await goAway(home);
  equal(await say(home, 'there'), 'worker-0 there');
});

test('without room the connection stays, and is told', async (t) => {
  const own = await start(t, '-w', '1', '--task-queue', '2');
  const away = [await open(t, own), await open(t, own)];
  for (const peer of away) await goAway(peer);
  const peer = await open(t, own);
  await peer.send('away lines\nhere\n');
  deepEqual(await peer.lines(3), ['accept-0 away lines', 'no room', 'accept-0 here']);
  equal(await own.counter('handOffsRefused'), 1);
  equal(await say(away[0]!, 'home'), 'worker-0 home');
  equal(await say(away[0]!, 'here'), 'accept-0 here');
  await goAway(peer);
  equal(await say(peer, 'there'), 'worker-0 there');
});

test('a blocking function reads and writes, ends, throws, or ends its worker', async (t) => {
  const own = await start(t, '-w', '1');
  const peer = await open(t, own);
  await peer.send('away blocking\nbig\nthere\n');
  const lines = (await peer.lines(3)).map((line) => line.replace(/^(?:millrace)+/, 'B '));
  deepEqual(lines, ['accept-0 away blocking', 'B worker-0 big', 'worker-0 there']);
  // Another one waits for its turn.
  const other = await open(t, own);
  await other.send('away blocking\nthrow\n');
  peer.endSending();
  deepEqual(await peer.rest(), { by: 'end', bytes: 'worker-0 bye\n' });
  ok(['end', 'ECONNRESET'].includes(await other.ended));
  await own.program.output(
    ({ stderr }) => /a protocol failed: Error: thrown by a blocking function/.exec(stderr)?.[0],
  );
  const reports = await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 0);
  equal(sumOf(reports, 'closedHandlerFailed'), 1);
  const gone = await open(t, own);
  await goAway(gone, 'blocking');
  equal(await say(gone, 'there'), 'worker-0 there');
  gone.reset();
  await allBack(own);
  const last = await open(t, own);
  await goAway(last, 'blocking');
  await last.send('exit\n');
  ok(['end', 'ECONNRESET'].includes(await last.ended));
  await own.reportUntil((accepts) => sumOf(accepts, 'closedThreadDied') === 1);
});

test('all that are away count as connections, and those that leave give their slot', async (t) => {
  const own = await start(t, '-w', '1');
  const peers = await Promise.all(Array.from({ length: 10 }, () => open(t, own)));
  for (const peer of peers) await goAway(peer);
  const reports = await own.reportUntil((accepts) => sumOf(accepts, 'handedOff') === 10);
  equal(sumOf(reports, 'connectionsOpen'), 10);
  for (const [index, peer] of peers.entries()) {
    if (index % 2 === 0) peer.reset();
    else await peer.send('end\n');
  }
  await allBack(own);
});

test('a silent connection is ended in a worker too', async (t) => {
  const own = await start(t, '-w', '1', '--keep-alive-timeout', '0.3');
  const peer = await open(t, own);
  await goAway(peer);
  equal(await peer.ended, 'end');
  await own.reportUntil((accepts) => sumOf(accepts, 'closedIdle') === 1);
});

test('a peer that does not read what a worker sends is ended', async (t) => {
  const own = await start(t, '-w', '1', '--send-timeout', '0.3');
  const peer = await open(t, own);
  await goAway(peer);
  peer.socket.pause();
  await peer.send('flood\n');
  await own.reportUntil((accepts) => sumOf(accepts, 'closedSendTimeout') === 1);
});

test('a drain recalls those that are away: handed back, or ended', async (t) => {
  const own = await start(t, '-w', '1');
  const ended = await open(t, own);
  await goAway(ended);
  const back = await open(t, own);
  await goAway(back, 'recalled');
  await own.reportUntil((accepts) => sumOf(accepts, 'handedOff') === 2);
  const begin = performance.now();
  const code = own.stop();
  equal(await ended.ended, 'end');
  const { by, bytes } = await back.rest();
  equal(by, 'end');
  equal(bytes, 'worker-0 recalled\naccept-0 back\n');
  equal(await code, 0);
  ok(performance.now() - begin < 5000, 'nothing waits for the end of the drain');
});

test('without workers a raw handler runs in the accept thread', async (t) => {
  const own = await start(t, '-w', '0');
  const peer = await open(t, own);
  const { text, threads } = script(prng(7), 100);
  const answers = peer.lines(threads.length);
  await peer.send(text);
  const sent = text.split('\n').slice(0, -1);
  deepEqual(
    await answers,
    sent.map((line) => `accept-0 ${line}`),
  );
  await peer.send('away blocking\n');
  deepEqual(await peer.lines(2), ['accept-0 away blocking', 'no room']);
  await peer.send('away lines\n');
  peer.endSending();
  equal((await peer.rest()).bytes, 'accept-0 away lines\naccept-0 bye\n');
  const http = await HttpPeer.open(t, own.port);
  await own.reportUntil((accepts) => sumOf(accepts, 'connectionsOpen') === 1);
  deepEqual(JSON.parse((await http.ask(request('/events'))).body), ['closed']);
});
