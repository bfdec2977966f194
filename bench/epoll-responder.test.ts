// The yardstick itself: what it answers, and that it closes on the rest. Over real sockets.

import { equal, match } from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { CC, hasTool, missingLine } from './machine.ts';
import { compileResponder, EPOLL, serverTable, startServer } from './servers.ts';

const RESPONSE =
  'HTTP/1.1 200 OK\r\n' +
  'Date: \\w{3}, \\d\\d \\w{3} \\d{4} \\d\\d:\\d\\d:\\d\\d GMT\r\n' +
  'Content-Length: 0\r\n\r\n';
const CLOSING_RESPONSE = RESPONSE.replace('Content-L', 'Connection: close\r\nContent-L');
const GET = 'GET /test/fast HTTP/1.1\r\nHost: test\r\n\r\n';
const CLOSING_GET = 'GET /test/fast HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n';

// Everything the responder sends to one write, until it closes; with `end` we close first.
async function exchange(url: string, bytes: string, end: boolean): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.setEncoding('latin1');
  if (end) socket.end(bytes);
  else socket.write(bytes);
  let received = '';
  for await (const chunk of socket) received += chunk;
  return received;
}

async function startResponder(t: TestContext): Promise<string | undefined> {
  if (!hasTool(CC)) {
    t.skip(missingLine(CC));
    return undefined;
  }
  compileResponder();
  const row = serverTable(undefined).find(({ name }) => name === EPOLL)!;
  const { origin, stop } = await startServer(row, undefined);
  t.after(stop);
  return origin;
}

test('the C responder', { timeout: 60_000 }, async (t) => {
  const url = await startResponder(t);
  if (url === undefined) return;
  match(await exchange(url, GET, true), new RegExp(`^${RESPONSE}$`));
  match(await exchange(url, GET.repeat(16), true), new RegExp(`^(${RESPONSE}){16}$`));
  match(await exchange(url, CLOSING_GET, false), new RegExp(`^${CLOSING_RESPONSE}$`));
  const mixed = await exchange(url, GET + CLOSING_GET + GET, false);
  match(mixed, new RegExp(`^${RESPONSE}${CLOSING_RESPONSE}$`));
  equal(await exchange(url, 'POST / HTTP/1.1\r\n\r\n', false), '');
  equal(await exchange(url, 'GET / HTTP/1.1\r\nHost:', false), '');
  equal(await exchange(url, 'GET \r\n\r\n', false), '');
});
