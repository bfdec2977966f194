// Clients that go away while their response is awaited: whoever forms it is told, whatever the
// request said about the connection.

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HttpPeer, request } from '../support/http-peer.ts';
import { sharedServer, startServer } from '../support/server-process.ts';

const APP = fileURLToPath(new URL('../support/gone-app.ts', import.meta.url));
const server = sharedServer([APP, '-A', '1', '-w', '1', '--task-timeout', '60']);
const CLOSE = 'Connection: close';

const KINDS = {
  'that keeps its connection': (target: string) => request(target),
  'that closes its connection': (target: string) => request(target, 'GET', CLOSE),
  'of HTTP/1.0': (target: string) => `GET ${target} HTTP/1.0\r\n\r\n`,
  'with bytes behind it': (target: string) => `${request(target, 'GET', CLOSE)}more`,
};

// One on a connection that has had another request is received in another way.
for (const before of [0, 1]) {
  for (const [kind, of] of Object.entries(KINDS)) {
    const name = `${kind.replaceAll(/\W/g, '-')}${before}`;
    const timeout = 10_000;

    test(`request ${before} ${kind}: a reset aborts its signal`, { timeout }, async (t) => {
      const peer = await HttpPeer.open(t, server().port);
      if (before > 0) await peer.ask(request('/nothing'));
      const other = await HttpPeer.open(t, server().port);
      await peer.send(of(`/waits/${name}`));
      // Behind this, the request has come.
      await other.ask(request('/nothing'));
      peer.reset();
      equal((await other.ask(request(`/gone/${name}`))).body, 'gone');
    });

    // Nothing but the end of the client wakes the thread.
    test(`request ${before} ${kind}: the end of a side too, with an answer`, {
      timeout,
    }, async (t) => {
      const peer = await HttpPeer.open(t, server().port);
      if (before > 0) await peer.ask(request('/nothing'));
      const other = await HttpPeer.open(t, server().port);
      await peer.send(of(`/waits/${name}-half`));
      await other.ask(request('/nothing'));
      peer.endSending();
      equal((await peer.response()).body, 'still answered');
      equal(await peer.ended, 'end');
    });

    test(`request ${before} ${kind}: a reset takes its tasks back`, { timeout }, async (t) => {
      const [earlier] = await server().report();
      const delegated = earlier!.counters.tasksDelegated! + 2;
      const peers = await Promise.all([0, 1].map(() => HttpPeer.open(t, server().port)));
      for (const [index, peer] of peers.entries()) {
        if (before > 0) await peer.ask(request('/nothing'));
        await peer.send(of(index === 0 ? '/task' : '/calls'));
      }
      await server().reportUntil(([accept]) => accept!.counters.tasksDelegated === delegated);
      for (const peer of peers) peer.reset();
      await server().reportUntil(
        ([accept]) =>
          accept!.counters.tasksCompleted! + accept!.counters.tasksCancelled! === delegated,
      );
    });
  }
}

test('a result never reaches another connection', { timeout: 10_000 }, async (t) => {
  const own = await startServer(t, [APP, '-A', '1', '-C', '1', '-w', '1', '--task-queue', '2']);
  const first = await HttpPeer.open(t, own.port);
  await first.send(request('/hold'));
  await own.program.output(({ stderr }) => stderr.includes('held') || undefined);
  first.reset();
  // There is one slot: this connection has the one of the first, whose task is still running.
  const second = await HttpPeer.open(t, own.port);
  equal((await second.ask(request('/run'))).body, '"of run"');
  // And so it has the exchange of the first in this one.
  equal((await second.ask(request('/release'))).body, '"of release"');
  await own.reportUntil(([accept]) => accept!.counters.tasksCompleted === 3);
  equal((await second.ask(request('/nothing'))).status, 404);
  equal(second.hasBytes, false);
});
