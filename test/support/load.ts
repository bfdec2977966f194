// Many requests with little work for each, for tests that look at what the server does under load:
// one request, sent again and again, whose responses all have the same size. They are counted by
// their bytes, and the first one is looked at.

import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { HttpPeer } from './http-peer.ts';

export interface Load {
  /** One request; its responses have one size. */
  readonly bytes: string;
  readonly status: number;
  readonly connections: number;
  /** Requests in flight on each connection; its next ones are sent when all are answered. */
  readonly pipelined: number;
  readonly requests: number;
}

/** Sends at least that many requests; settles with how many when each has its response. */
export async function runLoad(t: TestContext, port: number, load: Load): Promise<number> {
  const responseSize = await sizeOfResponse(t, port, load);
  const batch = Buffer.from(load.bytes.repeat(load.pipelined), 'latin1');
  const rounds = Math.ceil(load.requests / load.connections / load.pipelined);
  const connections = Array.from({ length: load.connections }, () =>
    sendBatches(t, port, batch, rounds, responseSize * load.pipelined),
  );
  await Promise.all(connections);
  return rounds * load.pipelined * load.connections + 1;
}

async function sizeOfResponse(t: TestContext, port: number, load: Load): Promise<number> {
  const peer = await HttpPeer.open(t, port);
  const { status, size } = await peer.ask(load.bytes);
  if (status !== load.status) throw new Error(`the status is ${status}, not ${load.status}`);
  peer.close();
  return size;
}

function sendBatches(
  t: TestContext,
  port: number,
  batch: Buffer,
  rounds: number,
  answerSize: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = rounds;
    let missing = answerSize;
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(65_536),
        callback: (size) => {
          missing -= size;
          if (missing > 0) return true;
          if (missing < 0) socket.destroy(new Error('more was answered than was asked'));
          else if (--left === 0) socket.end(() => resolve());
          else {
            missing = answerSize;
            socket.write(batch);
          }
          return true;
        },
      },
    });
    t.after(() => socket.destroy());
    socket.on('connect', () => socket.write(batch));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed')));
  });
}
