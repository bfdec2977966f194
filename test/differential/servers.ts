// What each of the two servers makes of a stream: which requests it accepted, with which bodies,
// and with which status it refused the rest.

import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { parseResponse } from '../support/http-response.ts';
import type { Stream } from './streams.ts';

export interface Outcome {
  /** By accepted request; undefined when the server did not get to read it, or it was for HEAD. */
  readonly bodies: readonly (string | undefined)[];
  /** The status of the refusal, or undefined when nothing was refused. */
  readonly refused: number | undefined;
}

export interface Peer {
  readonly outcome: (stream: Stream) => Promise<Outcome>;
  readonly close: () => void;
}

/** Whoever does not end a connection in this time hangs. */
const HANG_MS = 10_000;

interface Exchange {
  readonly responses: Buffer;
  readonly localPort: number;
}

let clients = 0;

// Sends the stream, ends its side and reads all that comes. Each connection is from another address
// of the loopback network: ports that were just used may not be used again for a minute.
function exchange(port: number, stream: Stream): Promise<Exchange> {
  const bytes = Buffer.from(stream.requests.join(''), 'latin1');
  clients = (clients + 1) % 16_000;
  const localAddress = `127.0.${1 + (clients >> 7)}.${1 + (clients & 127)}`;
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ port, host: '127.0.0.1', localAddress, noDelay: true, allowHalfOpen: true },
    });
    const pieces: Buffer[] = [];
    let localPort = 0;
    socket.setTimeout(HANG_MS, () => {
      socket.destroy();
      reject(new Error(`no end of the connection with ${stream.kind}`));
    });
    socket.on('connect', () => {
      localPort = socket.localPort!;
      send(socket, bytes, stream.cuts);
    });
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    // A reset, once a server has refused what it did not read.
    socket.on('error', () => {});
    socket.on('close', () => resolve({ responses: Buffer.concat(pieces), localPort }));
  });
}

function send(socket: Socket, bytes: Buffer, cuts: readonly number[]): void {
  let at = 0;
  const next = (index: number): void => {
    const end = cuts[index] ?? bytes.length;
    const piece = bytes.subarray(at, end);
    at = end;
    if (index === cuts.length) socket.end(piece);
    else socket.write(piece, () => setImmediate(next, index + 1));
  };
  next(0);
}

/** A server that answers each request with 200 and its body, as far as its responses tell. */
export function echoOf(port: number): Peer {
  return {
    close: () => {},
    outcome: async (stream) => {
      const { responses } = await exchange(port, stream);
      const bodies: (string | undefined)[] = [];
      let refused: number | undefined;
      for (let at = 0; at < responses.length; ) {
        if (refused !== undefined) throw new Error(`a response behind ${refused}: ${stream.kind}`);
        const isOk = responses.toString('latin1', at, at + 12) === 'HTTP/1.1 200';
        // A request for HEAD is valid, and is never refused.
        const method = isOk ? (stream.methods[bodies.length] ?? 'POST') : 'POST';
        const response = parseResponse(responses.subarray(at), method, true);
        if (response === undefined) throw new Error(`half a response to ${stream.kind}`);
        at += response.size;
        if (response.status < 200) continue;
        if (response.status !== 200) refused = response.status;
        else bodies.push(method === 'HEAD' ? undefined : response.body);
      }
      return { bodies, refused };
    },
  };
}

interface Accepted {
  readonly method: string;
  body: string;
  ended: boolean;
  readonly isComplete: () => boolean;
}

interface Seen {
  readonly accepted: Accepted[];
  refused: number | undefined;
}

// What node:http answers when nobody listens for `clientError`.
const NODE_STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/**
 * `node:http`, strict, in this process. Asked what it accepted and not what it answered: when it
 * refuses a request, it drops the answers to those before it that are not written yet.
 */
export async function nodeHttp(): Promise<Peer> {
  const seen = new Map<string, Seen>();
  const of = (socket: Socket): Seen => {
    const key = `${socket.remoteAddress}:${socket.remotePort}`;
    let found = seen.get(key);
    if (found === undefined) {
      found = { accepted: [], refused: undefined };
      seen.set(key, found);
    }
    return found;
  };
  const server = createServer({ insecureHTTPParser: false, requireHostHeader: true });
  // Not documented: without it a client that ends its side gets no answers.
  Object.assign(server, { httpAllowHalfOpen: true });
  const sockets = new WeakMap<object, Seen>();
  server.on('connection', (socket: Socket) => sockets.set(socket, of(socket)));
  server.on('request', (request, response) => {
    const accepted: Accepted = {
      method: request.method!,
      body: '',
      ended: false,
      isComplete: () => request.complete,
    };
    const record = sockets.get(request.socket)!;
    // It goes on behind a request whose expectation it refused.
    if (record.refused === undefined) record.accepted.push(accepted);
    request.setEncoding('latin1');
    request.on('data', (text: string) => {
      accepted.body += text;
    });
    request.on('end', () => {
      accepted.ended = true;
      response.end(request.method === 'HEAD' ? '' : accepted.body);
    });
  });
  server.on('checkExpectation', (request, response) => {
    sockets.get(request.socket)!.refused = 417;
    response.writeHead(417, { Connection: 'close' }).end();
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const record = sockets.get(socket)!;
    record.refused ??= NODE_STATUS[error.code ?? ''] ?? 400;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    close: () => {
      server.close();
      server.closeAllConnections();
    },
    outcome: async (stream) => outcomeOfNode(port, stream, seen),
  };
}

async function outcomeOfNode(
  port: number,
  stream: Stream,
  seen: Map<string, Seen>,
): Promise<Outcome> {
  const before = clients + 1;
  const address = `127.0.${1 + ((before % 16_000) >> 7)}.${1 + ((before % 16_000) & 127)}`;
  const { localPort, responses } = await exchange(port, stream);
  const key = `${address}:${localPort}`;
  const { accepted, refused } = seen.get(key)!;
  seen.delete(key);
  const complete = accepted.filter(({ isComplete }) => isComplete());
  const bodies = complete.map(({ method, ended, body }) =>
    ended && method !== 'HEAD' ? body : undefined,
  );
  // A missing Host is answered without an event: the only 400 that is.
  const missing = /HTTP\/1\.1 400 /.test(responses.toString('latin1')) ? 400 : undefined;
  const isCut = complete.length < stream.requests.length && accepted.length > complete.length;
  return { bodies, refused: refused ?? missing ?? (isCut ? 400 : undefined) };
}
