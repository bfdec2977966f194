// Large bodies in both directions, with a fast and with a slow peer: right to the last byte, and
// without growth of the server's memory.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { parseResponse } from '../support/http-response.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { BLOCK_SIZE, block, hashOfBlocks } from './blocks.ts';
import type { SoakSpec } from './soak.ts';
import { check, mebibytes, memoryOf, passed } from './soak.ts';

const GIBIBYTE = 1024 ** 3;
const COUNT = GIBIBYTE / BLOCK_SIZE;
const WARM_UP = 500;
/** 1 GiB in about 20 s. */
const SLOW_RATE = GIBIBYTE / 20;
const GROWTH_MAX = 48 * 1024 * 1024;
const TICK_MS = 20;

type Transfer = (server: ServerProcess, count: number, rate: number) => Promise<string>;

/** Bytes that may have passed by now. */
function allowance(rate: number): () => number {
  const begin = performance.now();
  return () => ((performance.now() - begin) / 1000) * rate;
}

async function opened(server: ServerProcess): Promise<Socket> {
  const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

const upload: Transfer = async (server, count, rate) => {
  const socket = await opened(server);
  const answer = new Promise<Buffer>((resolve, reject) => {
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      if (parseResponse(Buffer.concat(pieces), 'POST', false)) resolve(Buffer.concat(pieces));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
  });
  const head = `POST /hash HTTP/1.1\r\nHost: test\r\nContent-Length: ${count * BLOCK_SIZE}\r\n\r\n`;
  socket.write(head);
  const allowed = allowance(rate);
  for (let index = 0; index < count; index++) {
    while (index * BLOCK_SIZE > allowed()) await passed(TICK_MS);
    if (!socket.write(block(index))) await once(socket, 'drain');
  }
  const { status, body } = parseResponse(await answer, 'POST', false)!;
  check(status === 200, `the status is ${status}`);
  socket.destroy();
  return body;
};

// Reads the chunks of the response as they come: all of it would not fit in memory.
const download: Transfer = async (server, count, rate) => {
  const socket = await opened(server);
  socket.write(`GET /blocks?count=${count} HTTP/1.1\r\nHost: test\r\n\r\n`);
  const hash = createHash('sha256');
  const allowed = allowance(rate);
  let received = 0;
  let line = '';
  let left = 0;
  let headEnded = false;
  let ended = false;
  const take = (piece: Buffer): void => {
    for (let at = 0; at < piece.length && !ended; ) {
      if (left > 2) {
        const size = Math.min(left - 2, piece.length - at);
        hash.update(piece.subarray(at, at + size));
        received += size;
        left -= size;
        at += size;
      } else if (left > 0) {
        left--;
        at++;
      } else {
        line += String.fromCharCode(piece[at++]!);
        if (!headEnded) {
          headEnded = line.endsWith('\r\n\r\n');
          if (headEnded) line = '';
        } else if (line.endsWith('\r\n')) {
          left = Number.parseInt(line, 16) + 2;
          ended = left === 2;
          line = '';
        }
      }
    }
  };
  for await (const piece of socket) {
    take(piece as Buffer);
    if (ended) break;
    while (received > allowed()) await passed(TICK_MS);
  }
  check(received === count * BLOCK_SIZE, `${received} bytes arrived`);
  socket.destroy();
  return hash.digest('hex');
};

function transfer(run: Transfer): SoakSpec {
  return {
    args: ['-C', '100', '--body-timeout', '5', '--send-timeout', '5'],
    run: async (server) => {
      // The first one compiles what the others need.
      check((await run(server, WARM_UP, Infinity)) === hashOfBlocks(WARM_UP), 'wrong bytes');
      const expected = hashOfBlocks(COUNT);
      const measured: string[] = [];
      for (const [name, rate] of [
        ['fast', Infinity],
        ['slow', SLOW_RATE],
      ] as const) {
        const before = memoryOf(server, 'VmHWM');
        const begin = performance.now();
        check((await run(server, COUNT, rate)) === expected, `wrong bytes, ${name}`);
        const seconds = (performance.now() - begin) / 1000;
        const grown = memoryOf(server, 'VmHWM') - before;
        check(grown < GROWTH_MAX, `the server grew by ${mebibytes(grown)}, ${name}`);
        const speed = mebibytes(GIBIBYTE / seconds);
        measured.push(
          `${name}: 1 GiB in ${seconds.toFixed(1)} s (${speed}/s), VmHWM ` +
            `${mebibytes(before)} + ${mebibytes(grown)}`,
        );
      }
      return measured.join('; ');
    },
  };
}

export const uploads: SoakSpec = transfer(upload);
export const downloads: SoakSpec = transfer(download);
