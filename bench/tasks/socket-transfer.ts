// Node's own way to let another one serve a connection: the descriptor is sent to a child process
// over a Unix socket, with a message. It cannot be sent to a worker thread, and does not come back.
//
//     node bench/tasks/socket-transfer.ts

import { fork } from 'node:child_process';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

function listen(): void {
  const child = fork(import.meta.filename, ['child'], { serialization: 'advanced' });
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    child.send(0, socket);
  });
  server.listen(0, '127.0.0.1', 4096, () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`ready on http://127.0.0.1:${port} with ${child.pid}\n`);
  });
  process.once('SIGTERM', () => {
    child.kill();
    process.exit();
  });
}

function serve(): void {
  process.on('message', (_message, socket) => {
    // The client may be gone before its connection arrives.
    if (socket === undefined) return;
    const connection = socket as Socket;
    connection.on('error', () => connection.destroy());
    connection.once('data', () => connection.end(ANSWER));
    connection.resume();
  });
}

if (process.argv[2] === 'child') serve();
else listen();
