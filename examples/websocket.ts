// A WebSocket (RFC 6455) that answers each message with itself, and a text with the name of the
// thread that read it: at /echo in an accept thread, at /worker/echo on the loop of a worker.
//
//     npx millrace websocket.ts
//     node -e "const socket = new WebSocket('ws://127.0.0.1:9000/echo');
//       socket.onmessage = ({ data }) => console.log(data);
//       socket.onopen = () => socket.send('hello')"

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { threadName } from 'node:worker_threads';
import type { RawStream, Request, Response } from 'millrace';
import { defineApp, rawOnLoop } from 'millrace';

const MESSAGE_SIZE_MAX = 65_536;
const VERSION = '13';
const NOTHING = Buffer.alloc(0);
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

// What a frame is, section 5.2.
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

// Why a connection is closed, section 7.4.1, unless it goes on.
const GOES_ON = 0;
const GOING_AWAY = 1001;
const PROTOCOL_ERROR = 1002;
const NOT_UTF_8 = 1007;
const TOO_BIG = 1009;

interface Frame {
  readonly opcode: number;
  readonly isLast: boolean;
  readonly payload: Buffer;
  /** Of all of it, in bytes. */
  readonly size: number;
}

/** What is kept of a connection until more has come. */
interface State {
  /** A frame that is not complete: they are cut anywhere. */
  rest: Buffer;
  /** The type of a message that is not complete, CONTINUATION when there is none. */
  type: number;
  /** What there is of it. */
  message: Buffer;
}

// Section 4.2. A browser lets any page connect, and says which in Origin: who serves more than this
// looks at it.
function shakeHands(request: Request, response: Response<'echo'>, inWorker: boolean): void {
  const key = request.field('sec-websocket-key') ?? '';
  if (request.field('sec-websocket-version') !== VERSION) {
    response.field('Upgrade', 'websocket').field('Sec-WebSocket-Version', VERSION);
    response.end('426 this is a WebSocket\n', 426);
  } else if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) response.end('400 no key\n', 400);
  else {
    const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
    // Who does not ask for it gets a 426.
    response
      .field('Sec-WebSocket-Accept', accept)
      .upgrade('echo', { token: 'websocket', data: inWorker });
  }
}

/** The first frame of `bytes`, undefined until it is complete, or why the connection is closed. */
function readFrame(bytes: Buffer): Frame | number | undefined {
  if (bytes.length < 2) return undefined;
  const opcode = bytes[0]! & 0x0f;
  const isLast = (bytes[0]! & 0x80) !== 0;
  // There are no extensions, which would use these bits; and a client masks what it sends.
  if ((bytes[0]! & 0x70) !== 0 || (bytes[1]! & 0x80) === 0) return PROTOCOL_ERROR;
  let size = bytes[1]! & 0x7f;
  let at = 2;
  if (opcode >= CLOSE && (size > 125 || !isLast)) return PROTOCOL_ERROR;
  if (size === 126) {
    if (bytes.length < 4) return undefined;
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return undefined;
    size = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  if (size > MESSAGE_SIZE_MAX) return TOO_BIG;
  const end = at + 4 + size;
  if (bytes.length < end) return undefined;
  const payload = Buffer.from(bytes.subarray(at + 4, end));
  for (let index = 0; index < size; index++) payload[index]! ^= bytes[at + (index & 3)]!;
  return { opcode, isLast, payload, size: end };
}

function send(connection: RawStream, opcode: number, payload: Buffer): void {
  const size = payload.length;
  let head = Buffer.of(0x80 | opcode, size);
  if (size > 0xffff) {
    head = Buffer.of(0x80 | opcode, 127, 0, 0, 0, 0, 0, 0, 0, 0);
    head.writeBigUInt64BE(BigInt(size), 2);
  } else if (size > 125) head = Buffer.of(0x80 | opcode, 126, size >> 8, size & 0xff);
  // Who does not read what comes back is not read from.
  if (!connection.write(Buffer.concat([head, payload]))) connection.pause();
}

function close(connection: RawStream, code: number): void {
  send(connection, CLOSE, Buffer.of(code >> 8, code & 0xff));
  connection.end();
}

// Answers why the connection is closed, or GOES_ON, as those below.
function answer(connection: RawStream, type: number, message: Buffer): number {
  if (type === TEXT && !isUtf8(message)) return NOT_UTF_8;
  const name = Buffer.from(type === TEXT ? `${threadName}: ` : '');
  send(connection, type, Buffer.concat([name, message]));
  return GOES_ON;
}

function takePart(connection: RawStream, state: State, { opcode, isLast, payload }: Frame): number {
  // The first frame of a message has its type, and those behind it have none: section 5.4.
  const isFirst = state.type === CONTINUATION;
  if (isFirst === (opcode === CONTINUATION)) return PROTOCOL_ERROR;
  const type = isFirst ? opcode : state.type;
  const message = Buffer.concat([state.message, payload]);
  if (message.length > MESSAGE_SIZE_MAX) return TOO_BIG;
  state.type = isLast ? CONTINUATION : type;
  state.message = isLast ? NOTHING : message;
  return isLast ? answer(connection, type, message) : GOES_ON;
}

function take(connection: RawStream, state: State, frame: Frame): number {
  switch (frame.opcode) {
    case CONTINUATION:
    case TEXT:
    case BINARY:
      return takePart(connection, state, frame);
    case CLOSE:
      // The same code comes back, and then the end: section 5.5.1.
      send(connection, CLOSE, frame.payload.subarray(0, 2));
      connection.end();
      return GOES_ON;
    case PING:
      send(connection, PONG, frame.payload);
      return GOES_ON;
    case PONG:
      return GOES_ON;
    default:
      return PROTOCOL_ERROR;
  }
}

// The same in every thread.

function begin(connection: RawStream): void {
  const state: State = { rest: NOTHING, type: CONTINUATION, message: NOTHING };
  connection.data = state;
}

function receive(connection: RawStream, bytes: Uint8Array): void {
  const state = connection.data as State;
  // A copy: the bytes are overwritten.
  let rest = Buffer.concat([state.rest, bytes]);
  let code = GOES_ON;
  while (connection.open && code === GOES_ON) {
    const frame = readFrame(rest);
    if (frame === undefined) break;
    if (typeof frame === 'number') code = frame;
    else {
      rest = rest.subarray(frame.size);
      code = take(connection, state, frame);
    }
  }
  state.rest = rest;
  if (code !== GOES_ON) close(connection, code);
}

function goOn(connection: RawStream): void {
  connection.resume();
}

export default defineApp({
  routes: {
    'GET /echo': (request, response) => shakeHands(request, response, false),
    'GET /worker/echo': (request, response) => shakeHands(request, response, true),
  },
  protocols: {
    // It has no port: the way to it is the handshake.
    echo: {
      onOpen: (connection) => {
        const inWorker = connection.data === true;
        begin(connection);
        // Without room there it stays here.
        if (inWorker) connection.handOff('echo');
      },
      onData: receive,
      onDrain: goOn,
    },
  },
  connections: {
    echo: rawOnLoop({
      onOpen: begin,
      onData: receive,
      onDrain: goOn,
      onRecall: (connection) => close(connection, GOING_AWAY),
    }),
  },
});
