// A chat over plain TCP, a line at a time, on a port beside that of HTTP:
//
//     npx millrace chat.ts
//     nc 127.0.0.1 9001
//
// The kernel spreads connections over the accept threads; what is said in one of them reaches the
// others by a BroadcastChannel of Node.

import { BroadcastChannel } from 'node:worker_threads';
import type { RawConnection } from 'millrace';
import { defineApp } from 'millrace';

const LINE_SIZE_MAX = 1000;

const here = new Set<RawConnection>();
const channel = new BroadcastChannel('chat');
channel.onmessage = ({ data }) => tellHere(String(data));
// The server, not the channel, keeps the thread alive.
channel.unref();

function tellHere(line: string): void {
  for (const connection of here) {
    // Who does not read what is said is left behind.
    if (!connection.write(line)) connection.close();
  }
}

function tell(line: string): void {
  tellHere(line);
  channel.postMessage(line);
}

export default defineApp({
  routes: { 'GET /': (_request, response) => response.end('nc 127.0.0.1 9001\n') },
  protocols: {
    chat: {
      port: Number(process.env.CHAT_PORT ?? 9001),
      onOpen: (connection) => {
        connection.data = '';
        here.add(connection);
        connection.write('welcome\n');
      },
      onData: (connection, bytes) => {
        const lines = (connection.data + Buffer.from(bytes).toString()).split('\n');
        connection.data = lines.pop();
        const name = connection.peer?.port;
        for (const line of lines) tell(`${name}: ${line}\n`);
        if (String(connection.data).length > LINE_SIZE_MAX) connection.end();
      },
      onClose: (connection) => {
        here.delete(connection);
      },
    },
  },
});
