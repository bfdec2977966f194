// A protocol that hands its connections to workers, for the black-box tests. It is spoken in lines,
// each of which is answered with the thread that read it.
//
//     name        `away NAME` hands the connection to that handler, `home` hands it back
//     answer      THREAD LINE

import { threadName } from 'node:worker_threads';
import type { BlockingRawConnection, RawConnection, RawStream } from '../../src/index.ts';
import { defineApp, rawBlocking, rawOnLoop } from '../../src/index.ts';

type Name = 'lines' | 'recalled' | 'blocking';

const THREAD = threadName ?? '';
const BIG = Buffer.alloc(900_000, 'millrace');
const events: string[] = [];
const floods = new Set<RawStream>();

// Answers lines until `go` takes the connection elsewhere, with what was not read.
function serve(
  connection: RawStream,
  bytes: Uint8Array,
  go: (line: string, rest: Buffer) => boolean,
): void {
  const kept = connection.data instanceof Buffer ? connection.data : Buffer.alloc(0);
  let rest = Buffer.concat([kept, bytes]);
  for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
    const line = rest.toString('latin1', 0, end);
    rest = rest.subarray(end + 1);
    connection.data = rest;
    if (line === 'exit') process.exit(3);
    if (line === 'end') connection.end();
    if (line === 'flood') floods.add(connection);
    if (line === 'big' || line === 'flood') connection.write(BIG);
    connection.write(`${THREAD} ${line}\n`);
    if (go(line, rest)) return;
  }
  connection.data = rest;
}

function atHome(connection: RawConnection<Name>, bytes: Uint8Array): void {
  serve(connection, bytes, (line, rest) => {
    const name = /^away (\w+)/.exec(line)?.[1] as Name | undefined;
    if (name === undefined) return false;
    connection.data = undefined;
    if (connection.handOff(name, rest)) return true;
    connection.data = rest;
    connection.write('no room\n');
    return false;
  });
}

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end(THREAD),
    'GET /events': (_request, response) => response.json(events),
  },
  protocols: {
    lines: {
      port: 0,
      onData: atHome,
      onReturn: (connection, state) => atHome(connection, state),
      onClose: () => events.push('closed'),
    },
    misuse: {
      port: 0,
      onData: (connection) => {
        const refused: string[] = [];
        try {
          connection.handOff('nobody' as 'lines');
        } catch (error) {
          refused.push((error as Error).name);
        }
        try {
          connection.handOff('lines', new Uint8Array(16_385));
        } catch (error) {
          refused.push((error as Error).name);
        }
        connection.write(`${refused.join(' ')}\n`);
        const gone = connection.handOff('lines', 'after\n');
        // Whatever is asked of one that leaves has no effect.
        connection.write('late');
        connection.end();
        connection.close();
        connection.pause();
        events.push(`${gone} ${connection.open} ${connection.handOff('lines')}`);
      },
    },
  },
  connections: {
    lines: rawOnLoop({
      onOpen: (connection, state) => lines(connection, state),
      onData: (connection, bytes) => lines(connection, bytes),
      onDrain: (connection) => {
        if (floods.has(connection)) connection.write(BIG);
      },
      onEnd: (connection) => {
        connection.write(`${THREAD} bye\n`);
        connection.end();
      },
    }),
    blocking: rawBlocking(blockingLines),
    recalled: rawOnLoop({
      onData: () => {},
      onRecall: (connection) => {
        connection.write(`${THREAD} recalled\n`);
        connection.handBack('back\n');
      },
    }),
  },
});

function lines(
  connection: RawStream & { handBack(state?: Uint8Array): void },
  bytes: Uint8Array,
): void {
  serve(connection, bytes, (line, rest) => {
    if (!line.startsWith('home')) return false;
    connection.handBack(rest);
    return true;
  });
}

// The same lines, in straight-line code.
function blockingLines(connection: BlockingRawConnection, state: Uint8Array): Buffer | undefined {
  let rest = Buffer.from(state);
  for (;;) {
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.toString('latin1', 0, end);
      rest = rest.subarray(end + 1);
      if (line === 'exit') process.exit(3);
      if (line === 'throw') throw new Error('thrown by a blocking function');
      if (line === 'big') connection.writeSync(BIG);
      connection.writeSync(`${THREAD} ${line}\n`);
      if (line.startsWith('home')) return rest;
    }
    const bytes = connection.readSync();
    if (bytes === undefined) {
      connection.writeSync(`${THREAD} bye\n`);
      connection.endSync();
      return undefined;
    }
    rest = Buffer.concat([rest, bytes]);
  }
}
