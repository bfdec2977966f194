import { deepEqual, equal, notEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import {
  BIG,
  ConnectionBench,
  errorText,
  get,
  KEEP_ALIVE_MS,
  OK,
  okText,
  post,
  REQUESTS,
  response,
} from '../../test/support/unit-connection-bench.ts';
import { CLOSE, RECV, SEND } from '../io/token.ts';
import { ECANCELED, ECONNRESET, ENOBUFS, EPIPE, ETIMEDOUT } from '../kernel/errno.ts';
import { LINGERING, OPEN, SUSPENDED, TERMINATING } from './connection-table.ts';
import { LINGER_MS } from './lifecycle.ts';

const CLOSE_FIELD = 'Connection: close';
const OK_CLOSE = response('200 OK', [CLOSE_FIELD, 'Content-Length: 0']);
const LAST = `GET /fast HTTP/1.1\r\nHost: a\r\n${CLOSE_FIELD}\r\n\r\n`;

function closeOf(bench: ConnectionBench, slot: number): void {
  bench.tick();
  bench.endClose(slot);
  bench.assertAllFree();
}

test('a connection is served request by request, and ends when the peer ends it', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  deepEqual(bench.io.takeCalls(), ['recv 0']);
  equal(bench.exchange(slot, get('/fast')), OK);
  deepEqual(bench.io.takeCalls(), ['recv 0 repeat', 'send 0 HTTP/1.1 200 OK']);
  equal(bench.exchange(slot, get('/echo')), okText('/echo'));
  deepEqual(bench.io.takeCalls(), ['send 0 HTTP/1.1 200 OK']);
  bench.endRecv(slot, 0);
  deepEqual(bench.io.takeCalls(), ['close 0']);
  closeOf(bench, slot);
  equal(bench.count('connectionsAccepted'), 1);
  equal(bench.count('closedByPeer'), 1);
  equal(bench.count('requests'), 2);
});

test('requests that arrive together are answered in one send', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  equal(bench.exchange(slot, get('/fast').repeat(5)), OK.repeat(5));
  equal(bench.io.calls.filter((call) => call.startsWith('send')).length, 1);
});

test('a request cut at any byte is answered once it is there', () => {
  const text = get('/echo?cut');
  for (let cut = 1; cut < text.length; cut++) {
    const bench = new ConnectionBench();
    const slot = bench.open();
    equal(bench.exchange(slot, text.slice(0, cut)), '');
    equal(bench.exchange(slot, text.slice(cut) + text.slice(0, cut)), okText('/echo?cut'));
    equal(bench.exchange(slot, text.slice(cut)), okText('/echo?cut'));
    bench.endRecv(slot, 0);
    closeOf(bench, slot);
  }
});

test('a head as long as it may be arrives in small pieces; a byte more is 431', () => {
  const begin = 'GET /fast HTTP/1.1\r\nHost: a\r\n';
  for (const [size, expected] of [
    [16_384, OK],
    [16_385, errorText('431 Request Header Fields Too Large', [CLOSE_FIELD])],
  ] as const) {
    const bench = new ConnectionBench({ recvBufferSize: 100, recvBlockSize: 16_484 });
    const slot = bench.open();
    let fields = '';
    while (begin.length + fields.length < size - 400) fields += `A: ${'x'.repeat(295)}\r\n`;
    const last = size - begin.length - fields.length - 7;
    const text = `${begin}${fields}A: ${'x'.repeat(last)}\r\n\r\n`;
    equal(text.length, size);
    let answer = '';
    for (let at = 0; at < size && answer === ''; at += 100) {
      answer += bench.exchange(slot, text.slice(at, at + 100));
    }
    equal(answer, expected);
  }
});

test('what the last response announces is done: the connection ends once it is taken', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.receive(slot, LAST);
  bench.tick();
  equal(bench.io.find(RECV, slot), undefined);
  equal(bench.send(slot, 10), OK_CLOSE.slice(0, 10));
  equal(bench.io.find(CLOSE, slot), undefined);
  bench.tick();
  equal(bench.send(slot), OK_CLOSE.slice(10));
  closeOf(bench, slot);
  equal(bench.count('closedServed'), 1);
});

test('bytes behind the last request: our side ends, the rest is read until the peer ends', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  equal(bench.exchange(slot, LAST + get('/echo')), OK_CLOSE);
  equal(bench.connections.table.state(slot), LINGERING);
  deepEqual(bench.io.takeCalls().slice(-2), ['shutdown 100 write', 'recv 0 repeat']);
  bench.receive(slot, get('/echo'));
  bench.receive(slot, 'x', false);
  equal(bench.io.buffersUsed, 0);
  equal(bench.count('requests'), 1);
  bench.endRecv(slot, 0);
  closeOf(bench, slot);
  equal(bench.count('closedServed'), 1);
});

test('bytes that arrive while the last response is sent make the connection linger too', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.receive(slot, LAST);
  bench.tick();
  bench.receive(slot, get('/echo'));
  equal(bench.send(slot), OK_CLOSE);
  equal(bench.connections.table.state(slot), LINGERING);
  bench.endRecv(slot, -ECONNRESET);
  closeOf(bench, slot);
});

test('a rejected request is answered, and the connection lingers until its time is over', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  equal(bench.exchange(slot, 'NONSENSE\r\n\r\n'), errorText('400 Bad Request', [CLOSE_FIELD]));
  bench.clock.nowMs += LINGER_MS - 200;
  bench.tick();
  equal(bench.connections.table.state(slot), LINGERING);
  bench.clock.nowMs += 500;
  bench.tick();
  equal(bench.connections.table.state(slot), TERMINATING);
  bench.endRecv(slot, 0);
  closeOf(bench, slot);
  equal(bench.count('closedBadRequest'), 1);
});

test('a peer that ends its side still gets what it asked for', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.receive(slot, get('/fast') + get('/echo'));
  bench.endRecv(slot, 0);
  equal(bench.flush(slot), OK + okText('/echo'));
  closeOf(bench, slot);
  equal(bench.count('closedByPeer'), 1);
});

test('a peer that ends within a request gets no answer', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.receive(slot, get('/fast').slice(0, 20));
  bench.endRecv(slot, 0);
  equal(bench.flush(slot), '');
  closeOf(bench, slot);
  equal(bench.count('requests'), 0);
});

for (const errno of [ECONNRESET, ETIMEDOUT]) {
  test(`a receive that fails with ${errno} ends the connection, after its send`, () => {
    const bench = new ConnectionBench();
    const slot = bench.open();
    bench.receive(slot, get('/fast'));
    bench.tick();
    bench.endRecv(slot, -errno);
    equal(bench.io.find(CLOSE, slot), undefined);
    bench.complete(bench.inFlight(SEND, slot), -EPIPE);
    closeOf(bench, slot);
    equal(bench.count('closedByReset'), 1);
  });
}

test('a starved connection that ends in the same tick is not received from again', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.endRecv(slot, -ENOBUFS);
  bench.clock.nowMs += KEEP_ALIVE_MS + 300;
  bench.tick();
  equal(bench.io.find(RECV, slot), undefined);
  closeOf(bench, slot);
  equal(bench.count('closedIdle'), 1);
});

test('a send that fails ends the connection, after its receive', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.receive(slot, get('/fast'));
  bench.tick();
  bench.complete(bench.inFlight(SEND, slot), -EPIPE);
  equal(bench.io.calls.at(-1), 'shutdown 100 both');
  equal(bench.io.find(CLOSE, slot), undefined);
  // What arrived in the meantime is dropped.
  bench.receive(slot, get('/fast'), true);
  equal(bench.count('requests'), 1);
  bench.endRecv(slot, 0);
  closeOf(bench, slot);
  equal(bench.count('closedByReset'), 1);
});

test('a send that was taken in part is not gone on with when the connection ends', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.receive(slot, get('/fast'), true);
  bench.tick();
  bench.connections.ending.terminateAll();
  equal(bench.send(slot, 10).length, 10);
  bench.tick();
  equal(bench.io.find(SEND, slot), undefined);
  bench.endRecv(slot, 0);
  closeOf(bench, slot);
});

test('behind the result of a task that announces the close of a drain, nothing is served', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, `${post('/slow?1')}${get('/fast')}`);
  bench.connections.ending.announce();
  bench.finishTask(200, 'done');
  equal(bench.flush(slot), okText('done', ['Connection: close']));
  equal(bench.count('requests'), 1);
  equal(bench.connections.table.state(slot), LINGERING);
});

test('a connection that is suspended behind a long task has the whole timeout', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, `${post('/slow?1')}${get('/big').repeat(7)}`);
  for (let ms = 0; ms < 2 * KEEP_ALIVE_MS; ms += 100) {
    bench.clock.nowMs += 100;
    bench.tick();
  }
  // Just before its timer, which looks at nothing but the task, runs out once more.
  bench.clock.nowMs += KEEP_ALIVE_MS - 400;
  bench.finishTask(200, 'done');
  bench.tick();
  equal(bench.connections.table.has(slot, SUSPENDED), true);
  bench.clock.nowMs += REQUESTS.sendTimeoutMs - 100;
  bench.tick();
  equal(bench.connections.table.state(slot), OPEN);
  bench.clock.nowMs += 400;
  bench.tick();
  equal(bench.connections.table.state(slot), TERMINATING);
});

test('a peer that ended its side has the whole timeout to take the result of a long task', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.receive(slot, get('/slow?1'));
  bench.endRecv(slot, 0);
  bench.tick();
  bench.clock.nowMs += KEEP_ALIVE_MS - 100;
  bench.finishTask(200, 'done');
  bench.tick();
  bench.clock.nowMs += KEEP_ALIVE_MS - 100;
  bench.tick();
  equal(bench.connections.table.state(slot), OPEN);
  equal(bench.send(slot), okText('done'));
  closeOf(bench, slot);
  equal(bench.count('closedByPeer'), 1);
});

test('a delegated request is answered when its task is done', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  equal(bench.exchange(slot, get('/slow?1')), '');
  equal(bench.connections.table.state(slot), OPEN);
  equal(bench.delegation.running[0]!.target, '/slow?1');
  bench.finishTask(200, 'done');
  equal(bench.flush(slot), okText('done'));
  equal(bench.exchange(slot, get('/fast')), OK);
  equal(bench.count('completionsStale'), 0);
});

test('what is pipelined behind a delegated request that is not safe is served after it', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  const targets = ['/echo?1', '/slow?2', '/echo?3', '/slow?4', '/echo?5'];
  const text = targets
    .map((target) => (target.startsWith('/slow') ? post(target) : get(target)))
    .join('');
  equal(bench.exchange(slot, text), okText('/echo?1'));
  equal(bench.count('requests'), 2);
  bench.finishTask(200, 'second');
  equal(bench.flush(slot), okText('second') + okText('/echo?3'));
  equal(bench.count('requests'), 4);
  bench.finishTask(500);
  equal(bench.flush(slot), errorText('500 Internal Server Error') + okText('/echo?5'));
  equal(bench.exchange(slot, get('/fast')), OK);
  bench.endRecv(slot, 0);
  closeOf(bench, slot);
});

test('bytes that arrive while a task runs are held, and served in order afterwards', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, `${post('/slow')}${get('/echo?0').slice(0, 9)}`);
  bench.io.takeCalls();
  bench.receive(slot, get('/echo?0').slice(9));
  // Kept behind the rest of its request: only from now on it is known that it has to wait.
  deepEqual(bench.io.takeCalls(), []);
  bench.receive(slot, `${get('/echo?1')}${get('/echo?2').slice(0, 5)}`);
  deepEqual(bench.io.takeCalls(), ['cancel recv 0']);
  bench.receive(slot, get('/echo?2').slice(5));
  equal(bench.io.buffersUsed, 2);
  bench.endRecv(slot, -ECANCELED);
  equal(bench.count('requests'), 2);
  equal(bench.flush(slot), '');
  deepEqual(bench.io.takeCalls(), []);
  bench.finishTask(200, 'done');
  const answers = ['/echo?0', '/echo?1', '/echo?2'].map((target) => okText(target));
  equal(bench.flush(slot), okText('done') + answers.join(''));
  equal(bench.io.buffersUsed, 0);
  // From now on the peer is asked for one buffer's worth at a time.
  equal(bench.io.takeCalls()[0], 'recv 0');
  equal(bench.exchange(slot, get('/fast')), OK);
});

test('a buffer that arrives full ends the receive that repeats', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.io.takeCalls();
  const request = get('/fast');
  const flood = request.repeat(Math.ceil(bench.io.bufferSize / request.length));
  bench.receive(slot, flood.slice(0, bench.io.bufferSize));
  deepEqual(bench.io.takeCalls(), ['cancel recv 0']);
  bench.flush(slot);
  bench.io.takeCalls();
  bench.endRecv(slot, -ECANCELED);
  deepEqual(bench.io.takeCalls(), ['recv 0']);
});

test('a receive whose cancellation comes late is not submitted twice', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, post('/slow'));
  bench.receive(slot, get('/echo'));
  bench.receive(slot, get('/fast'));
  bench.finishTask(200, 'done');
  // Served, while the receive that was cancelled is still in flight, and brings bytes.
  equal(bench.flush(slot), okText('done') + okText('/echo') + OK);
  equal(bench.exchange(slot, get('/fast')), OK);
  bench.io.takeCalls();
  bench.endRecv(slot, -ECANCELED);
  deepEqual(bench.io.takeCalls(), ['recv 0']);
  equal(bench.exchange(slot, get('/fast')), OK);
});

test('two delegated requests with held bytes between them: each cancels its own receive', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, post('/slow?1') + post('/slow?2').slice(0, 30));
  bench.receive(slot, post('/slow?2').slice(30));
  bench.receive(slot, get('/echo'));
  bench.endRecv(slot, -ECANCELED);
  bench.finishTask(200, 'one');
  equal(bench.flush(slot), okText('one'));
  equal(bench.delegation.running[0]!.target, '/slow?2');
  bench.finishTask(200, 'two');
  equal(bench.flush(slot), okText('two') + okText('/echo'));
  equal(bench.exchange(slot, get('/fast')), OK);
});

test('a peer that ends while its task runs gets the result, and what it asked behind it', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, post('/slow'));
  bench.receive(slot, get('/echo'));
  bench.endRecv(slot, 0);
  equal(bench.connections.table.state(slot), OPEN);
  bench.finishTask(200, 'done');
  equal(bench.flush(slot), okText('done') + okText('/echo'));
  closeOf(bench, slot);
  equal(bench.count('closedByPeer'), 1);
});

test('a reset while a task runs ends the connection; its result is dropped and counted', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, get('/slow'));
  bench.endRecv(slot, -ECONNRESET);
  equal(bench.connections.table.state(slot), TERMINATING);
  const [running] = bench.delegation.running;
  bench.tick();
  bench.endClose(slot);
  // The slot is another connection's now, which waits for a task of its own.
  equal(bench.open(), slot);
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, get('/slow?other'));
  bench.finishTask(200, 'stale', running);
  equal(bench.count('completionsStale'), 1);
  equal(bench.flush(slot), '');
  bench.finishTask(200, 'fresh');
  equal(bench.flush(slot), okText('fresh'));
  bench.endRecv(slot, 0);
  closeOf(bench, slot);
});

test('a result that comes while its connection is still being closed is dropped too', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, get('/slow'));
  bench.endRecv(slot, -ECONNRESET);
  bench.finishTask(200, 'late');
  equal(bench.count('completionsStale'), 1);
  equal(bench.io.find(SEND, slot), undefined);
  closeOf(bench, slot);
});

test('a completion of an earlier connection of the slot touches nothing, and is counted', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  const { io } = bench;
  io.complete(bench.inFlight(RECV, slot), Buffer.from(get('/fast')));
  io.generation = (io.generation + 1) & 0xff_ffff;
  bench.connections.onCompletion(io);
  equal(bench.count('completionsStale'), 1);
  equal(bench.count('requests'), 0);
  equal(io.buffersUsed, 0);
});

test('a receive that found no buffer is submitted again in the release phase of the tick', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.io.takeCalls();
  bench.endRecv(slot, -ENOBUFS);
  equal(bench.count('recvBuffersDry'), 1);
  deepEqual(bench.io.takeCalls(), []);
  bench.tick();
  deepEqual(bench.io.takeCalls(), ['recv 0']);
  equal(bench.exchange(slot, get('/fast')), OK);
});

test('a connection that is ended while it waits for a buffer is closed once', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.endRecv(slot, -ENOBUFS);
  bench.connections.ending.terminateAll();
  equal(bench.io.find(CLOSE, slot), undefined);
  bench.tick();
  closeOf(bench, slot);
});

test('when responses are not taken, requests wait; then they are served in order', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.receive(slot, get('/big').repeat(7));
  equal(bench.connections.table.has(slot, SUSPENDED), true);
  equal(bench.count('suspended'), 1);
  bench.tick();
  const served = bench.count('requests');
  ok(served < 8);
  // A part that is taken is not enough; more requests arrive and are held.
  equal(bench.send(slot, 100).length, 100);
  bench.receive(slot, get('/echo?last'));
  bench.tick();
  equal(bench.count('requests'), served);
  const rest = bench.flush(slot);
  equal(rest, (okText(BIG).repeat(7) + okText('/echo?last')).slice(100));
  bench.endRecv(slot, -ECANCELED);
  equal(bench.exchange(slot, get('/fast')), OK);
});

test('a peer that ends while it is suspended still gets every response', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.receive(slot, get('/big').repeat(7));
  equal(bench.connections.table.has(slot, SUSPENDED), true);
  equal(bench.io.find(RECV, slot), undefined);
  equal(bench.flush(slot), okText(BIG).repeat(7));
  bench.endRecv(slot, 0);
  closeOf(bench, slot);

  const other = bench.open();
  bench.exchange(other, get('/fast'));
  bench.receive(other, get('/big').repeat(7));
  bench.endRecv(other, 0);
  equal(bench.flush(other), okText(BIG).repeat(7));
  closeOf(bench, other);
});

test('a connection that finds no send block is ended, the others go on', () => {
  const bench = new ConnectionBench({ sendBlocks: 1, capacity: 2 });
  const [slow, other] = [bench.open(), bench.open()];
  bench.receive(slow, get('/fast'));
  bench.tick();
  bench.receive(other, get('/fast'));
  bench.tick();
  bench.endClose(other);
  equal(bench.count('closedNoMemory'), 1);
  equal(bench.count('sendBlocksDry'), 1);
  equal(bench.send(slow), OK);
  equal(bench.exchange(slow, get('/fast')), OK);
});

test('a connection whose part of a request finds no block is ended, the others go on', () => {
  const bench = new ConnectionBench({ recvBlocks: 1, capacity: 2 });
  const [slow, other] = [bench.open(), bench.open()];
  bench.exchange(slow, get('/echo').slice(0, 10));
  bench.exchange(other, get('/fast').slice(0, 10));
  bench.endClose(other);
  equal(bench.count('closedNoMemory'), 1);
  equal(bench.count('recvBlocksDry'), 1);
  equal(bench.exchange(slow, get('/echo').slice(10)), okText('/echo'));
});

test('a connection that would hold too many of the buffers is ended', () => {
  const bench = new ConnectionBench({ recvBuffers: 4 });
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, post('/slow'));
  // Kept, and not held; from here on bytes have to wait.
  bench.receive(slot, get('/fast'));
  for (let buffer = 0; buffer < 3; buffer++) bench.receive(slot, 'held');
  equal(bench.connections.table.state(slot), OPEN);
  bench.receive(slot, 'too many');
  equal(bench.connections.table.state(slot), TERMINATING);
  equal(bench.count('recvBuffersHeldMax'), 1);
  bench.endRecv(slot, 0);
  bench.finishTask();
  closeOf(bench, slot);
  equal(bench.count('closedNoMemory'), 1);
});

test('a connection without a block for the result of its task is ended', () => {
  const bench = new ConnectionBench({ sendBlocks: 1, capacity: 2 });
  const [slot, other] = [bench.open(), bench.open()];
  equal(bench.exchange(slot, get('/fast') + get('/slow')), OK);
  bench.receive(other, get('/fast'));
  bench.tick();
  bench.finishTask(200, 'lost');
  bench.endRecv(slot, 0);
  bench.endClose(slot);
  equal(bench.count('closedNoMemory'), 1);
  equal(bench.send(other), OK);
});

test('silence ends a connection, and each request puts that off', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  for (let round = 0; round < 3; round++) {
    bench.clock.nowMs += KEEP_ALIVE_MS - 100;
    bench.tick();
    equal(bench.exchange(slot, get('/fast')), OK);
  }
  bench.clock.nowMs += KEEP_ALIVE_MS + 300;
  bench.tick();
  equal(bench.io.calls.at(-1), 'shutdown 100 both');
  bench.endRecv(slot, 0);
  closeOf(bench, slot);
  equal(bench.count('closedIdle'), 1);
});

test('a suspended peer that takes responses is not silent, one that takes none is', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.receive(slot, get('/big').repeat(20));
  let answer = '';
  while (bench.connections.table.has(slot, SUSPENDED)) {
    bench.tick();
    bench.clock.nowMs += KEEP_ALIVE_MS / 2;
    bench.tick();
    answer += bench.send(slot, Math.min(5000, bench.inFlight(SEND, slot).bytes.length));
    bench.tick();
  }
  ok(answer.length > 20 * 1000);
  equal(bench.connections.table.state(slot), OPEN);
  equal(answer + bench.flush(slot), okText(BIG).repeat(20));

  const other = bench.open();
  bench.receive(other, get('/big').repeat(12));
  bench.tick();
  bench.clock.nowMs += REQUESTS.sendTimeoutMs + 300;
  bench.tick();
  equal(bench.connections.table.state(other), TERMINATING);
});

test('a connection that never asks is ended, one that waits for its task is not', () => {
  const bench = new ConnectionBench();
  const [silent, waiting] = [bench.open(), bench.open()];
  bench.exchange(waiting, get('/slow'));
  for (let round = 0; round < 5; round++) {
    bench.clock.nowMs += KEEP_ALIVE_MS + 300;
    bench.tick();
  }
  equal(bench.connections.table.state(silent), TERMINATING);
  equal(bench.connections.table.state(waiting), OPEN);
  bench.finishTask(200, 'late');
  equal(bench.flush(waiting), okText('late'));
  bench.clock.nowMs += KEEP_ALIVE_MS + 300;
  bench.tick();
  equal(bench.connections.table.state(waiting), TERMINATING);
});

test('a drain: responses announce the close, the silent are told by an orderly end', () => {
  const bench = new ConnectionBench();
  const { connections } = bench;
  const [idle, busy, part, waiting] = [bench.open(), bench.open(), bench.open(), bench.open()];
  bench.exchange(part, get('/fast').slice(0, 10));
  bench.exchange(waiting, get('/slow'));
  bench.receive(busy, get('/fast'));
  bench.tick();
  connections.ending.announce();
  connections.ending.closeIdle();
  equal(connections.table.state(idle), LINGERING);
  equal(connections.table.state(busy), OPEN);
  equal(connections.table.state(part), OPEN);
  equal(connections.table.state(waiting), OPEN);
  equal(bench.exchange(part, get('/fast').slice(10)), OK_CLOSE);
  equal(connections.table.state(part), LINGERING);
  bench.finishTask(200, 'done');
  equal(bench.flush(waiting), okText('done', [CLOSE_FIELD]));
  equal(bench.send(busy), OK);
  connections.ending.closeIdle();
  equal(connections.table.state(busy), LINGERING);
  for (const slot of [idle, busy, part, waiting]) {
    equal(connections.table.state(slot), LINGERING);
    bench.tick();
    bench.endRecv(slot, 0);
    bench.endClose(slot);
  }
  bench.assertAllFree();
  equal(bench.count('closedDraining'), 2);
  equal(bench.count('closedServed'), 2);
});

test('a drain does not end a connection whose held requests are about to be served', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, post('/slow'));
  bench.receive(slot, get('/echo'));
  bench.finishTask(200, 'done');
  bench.connections.runSends();
  equal(bench.send(slot), okText('done'));
  bench.connections.ending.closeIdle();
  equal(bench.connections.table.state(slot), OPEN);
  equal(bench.flush(slot), okText('/echo'));
});

test('whatever a connection waits for, terminateAll ends it', () => {
  const bench = new ConnectionBench();
  const { connections } = bench;
  const slots = [bench.open(), bench.open(), bench.open(), bench.open()];
  const [, sending, waiting, lingering] = slots as [number, number, number, number];
  bench.receive(sending, get('/fast'));
  bench.tick();
  bench.exchange(waiting, get('/slow'));
  bench.exchange(lingering, 'NONSENSE\r\n\r\n');
  connections.ending.terminateAll();
  connections.ending.terminateAll();
  bench.complete(bench.inFlight(SEND, sending), -EPIPE);
  for (const slot of slots) {
    equal(connections.table.state(slot), TERMINATING);
    if (bench.io.find(RECV, slot) !== undefined) bench.endRecv(slot, 0);
    bench.endClose(slot);
  }
  bench.finishTask();
  bench.assertAllFree();
  equal(bench.count('closedDraining'), 4);
  equal(bench.count('completionsStale'), 1);
});

test('the deferred phase keeps to its budget and says when there is more', () => {
  const bench = new ConnectionBench();
  const slots = [bench.open(), bench.open(), bench.open()];
  for (const slot of slots) bench.exchange(slot, post('/slow') + get('/fast'));
  for (const _ of slots) bench.finishTask(200, 'done');
  const requests = bench.count('requests');
  equal(bench.connections.runDeferred(2), true);
  equal(bench.count('requests'), requests + 2);
  equal(bench.connections.runDeferred(2), false);
  equal(bench.count('requests'), requests + 3);
});

test('a connection that ends while it is deferred is closed when its turn comes', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, post('/slow') + get('/fast'));
  bench.finishTask(200, 'done');
  bench.endRecv(slot, -ECONNRESET);
  equal(bench.io.find(CLOSE, slot), undefined);
  closeOf(bench, slot);
});

test('the most connections that were open at once are counted, and those open now', () => {
  const bench = new ConnectionBench();
  const slots = [bench.open(), bench.open(), bench.open()];
  for (const slot of slots) {
    bench.endRecv(slot, 0);
    bench.endClose(slot);
  }
  bench.open();
  equal(bench.count('connectionsOpenMax'), 3);
  equal(bench.count('connectionsOpen'), 1);
  equal(bench.count('connectionsAccepted'), 4);
});

test('the date of responses is that of their tick', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  equal(bench.exchange(slot, get('/fast')), OK);
  bench.clock.unixSeconds = 86_399;
  bench.tick();
  const later = OK.replace('00:00:00', '23:59:59');
  notEqual(later, OK);
  equal(bench.exchange(slot, get('/fast')), later);
});

test('a peer that ends during a linger is not waited for, deferred or not', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.receive(slot, post('/slow'));
  bench.connections.ending.announce();
  bench.finishTask(200, 'done');
  // The budget of the deferred phase was used up by others: the connection is still deferred.
  bench.connections.runSends();
  bench.send(slot);
  equal(bench.connections.table.state(slot), LINGERING);
  bench.endRecv(slot, 0);
  bench.tick();
  equal(bench.connections.table.state(slot), TERMINATING);
});

test('a peer that takes its response slowly is not idle', () => {
  const bench = new ConnectionBench();
  const slot = bench.open();
  bench.receive(slot, get('/big').repeat(2));
  for (let part = 0; part < 10; part++) {
    bench.tick();
    bench.send(slot, 100);
    bench.clock.nowMs += KEEP_ALIVE_MS / 4;
  }
  equal(bench.connections.table.state(slot), OPEN);
});

test('bytes behind a last request need no block, and do not cost its response', () => {
  const bench = new ConnectionBench({ capacity: 2, recvBlocks: 1 });
  const [holder, last] = [bench.open(), bench.open()];
  bench.exchange(holder, 'GET');
  bench.receive(last, 'GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET');
  equal(bench.flush(last), OK_CLOSE);
  equal(bench.connections.table.state(last), LINGERING);
});
