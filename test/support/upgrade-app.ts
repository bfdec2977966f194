// Routes whose connections go over to protocols, for the black-box tests. The protocols are spoken
// in lines, each of which is answered with the thread that read it.

import { threadName } from 'node:worker_threads';
import type { RawConnection, RawGuest, RawStream, Response } from '../../src/index.ts';
import {
  defineApp,
  delegate,
  ExchangeError,
  handOff,
  onLoop,
  rawOnLoop,
  UpgradeError,
} from '../../src/index.ts';

const THREAD = threadName ?? '';
const BIG = Buffer.alloc(900_000, 'millrace');
const events: string[] = [];

// Each `go` lets one that waits go on, whoever came first.
const waiting: (() => void)[] = [];
let credits = 0;

function untilGo(): Promise<void> {
  if (credits === 0) return new Promise((resolve) => waiting.push(resolve));
  credits--;
  return Promise.resolve();
}

function go(): void {
  const first = waiting.shift();
  if (first === undefined) credits++;
  else first();
}

function attempt(code: () => void): string {
  try {
    code();
    return 'nothing';
  } catch (error) {
    return (error as Error).message;
  }
}

function serve(connection: RawStream, bytes: Uint8Array, leave: (rest: Buffer) => boolean): void {
  let rest = Buffer.concat([(connection.data as Buffer | undefined) ?? Buffer.alloc(0), bytes]);
  for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
    const line = rest.toString('latin1', 0, end);
    rest = rest.subarray(end + 1);
    if (line === 'big') connection.write(BIG);
    connection.write(`${THREAD} ${line}\n`);
    if (line === 'end') connection.end();
    if ((line === 'away' || line === 'home') && leave(rest)) {
      connection.data = undefined;
      return;
    }
  }
  connection.data = rest;
}

function atHome(connection: RawConnection<'lines'>, bytes: Uint8Array): void {
  serve(connection, bytes, (rest) => connection.handOff('lines', rest));
}

function inWorker(connection: RawGuest, bytes: Uint8Array): void {
  serve(connection, bytes, (rest) => {
    connection.handBack(rest);
    return true;
  });
}

function opened(connection: RawStream): void {
  events.push(`open ${connection.data} ${connection.open}`);
  connection.write(`open ${connection.data}\n`);
  connection.data = undefined;
}

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end('fast'),
    'GET /events': (_request, response) => response.json(events.splice(0)),
    'GET /go': (_request, response) => {
      go();
      response.end();
    },
    // Waits, and is answered as HTTP.
    'GET /wait': async (_request, response) => {
      await untilGo();
      response.end('waited');
    },
    'GET /lines': (request, response) => {
      response.field('X-Says', 'hello').upgrade('lines', { data: request.target });
    },
    'GET /later': async (request, response) => {
      request.signal.addEventListener('abort', () => events.push('aborted'));
      await untilGo();
      response.upgrade('lines', { data: 'later' });
    },
    'GET /maybe': (request, response) => {
      if (request.field('upgrade') === undefined) response.end('plain');
      else response.upgrade('both', { token: 'Both/2' });
    },
    'GET /own': (_request, response) => {
      try {
        response.upgrade('lines');
      } catch (error) {
        const { token, status } = error as UpgradeError;
        const known = error instanceof UpgradeError && error instanceof ExchangeError;
        response.field('Upgrade', token).json({ known }, status);
      }
    },
    'POST /read': async (request, response) => {
      response.upgrade('lines', { data: await request.text() });
    },
    'POST /unread': (_request, response) => response.upgrade('lines'),
    'GET /leaves': (_request, response) => response.upgrade('leaves', { token: 'lines' }),
    'GET /paused': (_request, response) => response.upgrade('paused', { token: 'lines' }),
    'GET /throws': (_request, response) => response.upgrade('throws', { token: 'lines' }),
    'GET /misuse': (_request, response) => {
      const wrong = [
        attempt(() => response.upgrade('nobody' as 'lines')),
        attempt(() => response.upgrade('lines', { token: 'no token' })),
        attempt(() => response.field('upgrade', 'x').upgrade('lines')),
        attempt(() => response.length(400).upgrade('lines')),
      ];
      response.end(JSON.stringify(wrong).padEnd(400));
    },
    'GET /begun': async (_request, response) => {
      await response.write('');
      response.end(attempt(() => response.upgrade('lines')));
    },
    'GET /twice': (request, response) => {
      response.upgrade('lines', { data: 'twice' });
      events.push(
        attempt(() => response.end()),
        attempt(() => request.target),
      );
    },
    'GET /worker': handOff('worker'),
    'GET /respond': delegate('nothing', {
      respond: (_result, response) => {
        response.end(attempt(() => (response as Response).upgrade('lines')));
      },
    }),
  },
  tasks: { nothing: () => 1 },
  protocols: {
    lines: {
      onOpen: opened,
      onData: atHome,
      onReturn: (connection, state) => atHome(connection, state),
      onEnd: (connection) => {
        connection.write('bye\n');
        connection.end();
      },
      onClose: () => events.push('closed'),
    },
    both: {
      port: 0,
      onOpen: opened,
      onData: atHome,
    },
    // Leaves before it has read anything.
    leaves: {
      onOpen: (connection) => void connection.handOff('lines', 'first\n'),
      onData: atHome,
      onReturn: (connection, state) => atHome(connection, state),
    },
    paused: {
      onOpen: async (connection) => {
        connection.pause();
        connection.write('paused\n');
        await untilGo();
        connection.write('resumed\n');
        connection.resume();
      },
      onData: atHome,
    },
    throws: {
      onOpen: () => {
        throw new Error('thrown by a protocol');
      },
      onData: () => events.push('data'),
      onClose: () => events.push('closed'),
    },
  },
  connections: {
    lines: rawOnLoop({
      onOpen: inWorker,
      onData: inWorker,
    }),
    worker: onLoop((_request, response) => {
      response.end(attempt(() => (response as Response).upgrade('lines')));
    }),
  },
});
