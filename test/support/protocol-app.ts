// Protocols of an application's own, for the black-box tests.

import { threadName } from 'node:worker_threads';
import type { RawConnection } from '../../src/index.ts';
import { defineApp } from '../../src/index.ts';

const BIG = Buffer.alloc(1_000_000, 'millrace');
const events: string[] = [];

function lineOf(connection: RawConnection, bytes: Uint8Array): string | undefined {
  const text = `${connection.data ?? ''}${Buffer.from(bytes).toString('latin1')}`;
  connection.data = text;
  return text.endsWith('\n') ? text.trim() : undefined;
}

export default defineApp({
  routes: {
    'GET /fast': (_request, response) => response.end('fast'),
    'GET /events': (_request, response) => response.json(events),
  },
  protocols: {
    echo: {
      port: 0,
      onData: (connection, bytes) => {
        // A copy: the bytes are overwritten.
        if (!connection.write(new Uint8Array(bytes))) connection.pause();
      },
      onDrain: (connection) => connection.resume(),
    },
    commands: {
      port: 0,
      onOpen: (connection) => {
        connection.write(`hello from ${threadName} to ${connection.peer!.port}\n`);
      },
      onData: (connection, bytes) => {
        const line = lineOf(connection, bytes);
        if (line === undefined) return;
        connection.data = '';
        if (line === 'throw') throw new Error('thrown by a protocol');
        if (line === 'close') connection.close();
        else if (line === 'big') {
          connection.write(BIG);
          connection.end();
        } else connection.write(`${line}?\n`);
      },
      onEnd: (connection) => {
        connection.write('bye\n');
        connection.end();
      },
      onClose: (connection) => {
        events.push(`closed ${connection.open} ${connection.write('late')}`);
      },
    },
  },
});
