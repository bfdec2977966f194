// The application of the simulated server, and what it answers: a task may be told to die, and
// handlers and tasks wait for timers of the simulation.

import type { App } from '../../src/app/app.ts';
import type { BlockingConnection } from '../../src/app/blocking-connection.ts';
import { appWithoutWorkers, compileApp } from '../../src/app/compiled-app.ts';
import { handOff, onLoop, rawOnLoop } from '../../src/app/connection-handler.ts';
import { delegate } from '../../src/app/delegation.ts';
import { mayKeep } from '../../src/app/escape.ts';
import type { RawConnection, RawGuest, RawStream } from '../../src/app/protocol.ts';
import type { Request } from '../../src/app/request.ts';
import type { Response } from '../../src/app/response.ts';
import { RAW_STATE_SIZE_MAX } from '../../src/connection/raw-connection.ts';
import type { Task } from '../../src/delegate/task.ts';
import type { NodeTurns } from './node-turn.ts';

const BIG_SIZE = 3000;
/** More than any task holder of a simulation holds. */
const TOO_LARGE = 'x'.repeat(5000);

/**
 * What the simulation does in the middle of a task, where it may throw, and where a connection is
 * served that was handed off; and whose step it is.
 */
export const hooks: {
  onTask: (target: string) => void;
  onGuest: (target: string) => void;
  turns: NodeTurns | undefined;
} = {
  onTask: () => {},
  onGuest: () => {},
  turns: undefined,
};

export function bigBody(target: string): string {
  return target.padEnd(BIG_SIZE, 'b');
}

export function idOf(target: string): number {
  return Number.parseInt(target.slice(target.indexOf('?') + 1), 10);
}

/** The result of `/slow?<id>`. */
export function slowResult(target: string): { status: number; body: string | undefined } {
  const id = idOf(target);
  if (id % 5 === 0) return { status: 200, body: undefined };
  return { status: id % 3 === 0 ? 201 : 200, body: `result of ${target}` };
}

/** The pieces that `/stream?<id>` sends. */
export function streamPieces(target: string): string[] {
  const id = idOf(target);
  return Array.from({ length: id % 7 }, (_, index) =>
    `${index} of ${target};`.repeat(1 + ((id * 31 + index * 17) % (id % 7 === 6 ? 150 : 20))),
  );
}

/** How long a handler or task with this id waits, in milliseconds. */
export function pauseMs(target: string): number {
  const id = idOf(target);
  return id % 11 === 0 ? 3000 : id % 50;
}

/** Long enough for a deadline to pass, every other time. */
function taskPauseMs(target: string): number {
  const id = idOf(target);
  return id % 2 === 0 ? id % 50 : 200 + (id % 7) * 100;
}

type Code = (request: Request, response: Response, turns: NodeTurns) => Promise<void>;

// Waits a number of microtasks, or for a timer: by its id.
async function rest(turns: NodeTurns, target: string): Promise<void> {
  const id = idOf(target);
  if (id % 3 === 0) await turns.pause(pauseMs(target), id);
  for (let index = id % 4; index > 0; index--) await turns.wait(undefined);
}

function waits(code: Code) {
  return (request: Request, response: Response): Promise<void> => {
    const turns = hooks.turns!;
    return turns.run(idOf(request.target), () => code(request, response, turns));
  };
}

async function writePieces(
  response: Response,
  turns: NodeTurns,
  target: string,
  pieces: readonly string[],
): Promise<void> {
  for (const piece of pieces) {
    const taken = response.write(piece);
    if (taken !== undefined) await turns.wait(taken);
    else await rest(turns, target);
  }
  response.end();
}

function waitsInTask(goOn: (task: Task, target: string, turns: NodeTurns) => Promise<void>) {
  return (task: Task): Promise<void> => {
    const { target } = task;
    const turns = hooks.turns!;
    hooks.onTask(target);
    return turns.runTask(idOf(target), () => goOn(task, target, turns));
  };
}

// Answers with the body it is sent, piece by piece.
async function echoPieces(request: Request, response: Response, turns: NodeTurns): Promise<void> {
  const { target, body } = request;
  for (;;) {
    const next = await turns.wait(body.next());
    if (next.done === true) break;
    const taken = response.write(next.value);
    if (taken !== undefined) await turns.wait(taken);
    if (idOf(target) % 4 === 0) await rest(turns, target);
  }
  response.end();
}

// Answers with the body it is sent, when all of it is there.
async function echoWhole(request: Request, response: Response, turns: NodeTurns): Promise<void> {
  const { target } = request;
  if (idOf(target) % 2 === 0) await rest(turns, target);
  const body = await turns.wait(request.bytes());
  await rest(turns, target);
  response.end(body);
}

// What serves a connection that was handed off: each request is served once.
function guest(code: Code) {
  const handler = waits(code);
  return (request: Request, response: Response): Promise<void> => {
    hooks.onGuest(request.target);
    return handler(request, response);
  };
}

function blocks(code: (connection: BlockingConnection, target: string) => void) {
  return (connection: BlockingConnection): void => {
    const { target } = connection.request;
    hooks.onGuest(target);
    // Whether it fails is told in a microtask.
    hooks.turns!.isDirty = true;
    code(connection, target);
  };
}

// Answers each line with itself, up to one that `leaves` takes the connection elsewhere with.
function answerLines(
  connection: RawStream,
  bytes: Uint8Array,
  leaves: (line: string, rest: Buffer) => boolean,
): void {
  let text = `${connection.data ?? ''}${Buffer.from(bytes).toString('latin1')}`;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
    const line = text.slice(0, end + 1);
    text = text.slice(end + 1);
    if (!connection.write(Buffer.from(line, 'latin1'))) connection.pause();
    connection.data = '';
    if (leaves(line, Buffer.from(text, 'latin1'))) return;
  }
  connection.data = text;
}

function linesAtHome(connection: RawConnection, bytes: Uint8Array): void {
  answerLines(connection, bytes, (line, rest) => {
    return line.startsWith('away') && rest.length < RAW_STATE_SIZE_MAX
      ? connection.handOff('lines', rest)
      : false;
  });
}

function linesAway(connection: RawGuest, bytes: Uint8Array): void {
  answerLines(connection, bytes, (line, rest) => {
    if (!line.startsWith('home') || rest.length >= RAW_STATE_SIZE_MAX) return false;
    connection.handBack(rest);
    return true;
  });
}

const APP: App = {
  routes: {
    'GET /fast': (_request, response) => response.end(),
    'GET /echo': (request, response) => response.end(request.target),
    'GET /big': (request, response) => response.end(bigBody(request.target)),
    'GET /form': (_request, response) => response.end(),
    'POST /form': (request, response) => response.end(Buffer.from(request.target), 201),
    'GET /throw': () => {
      throw new Error('thrown by a handler');
    },
    'POST /whole': waits(echoWhole),
    'POST /pieces': waits(echoPieces),
    'POST /unread': (request, response) => response.end(request.target),
    'POST /late': waits(async (request, response, turns) => {
      await rest(turns, request.target);
      response.end(request.target);
    }),
    'GET /wait': waits(async (request, response, turns) => {
      await rest(turns, request.target);
      response.end(request.target);
    }),
    'GET /reject': waits(async (request, _response, turns) => {
      await rest(turns, request.target);
      throw new Error('thrown by a handler');
    }),
    'GET /stream': waits(async (request, response, turns) => {
      const { target } = request;
      await writePieces(response, turns, target, streamPieces(target));
    }),
    'GET /trailers': waits(async (request, response, turns) => {
      const { target } = request;
      response.trailer('X-Target', target);
      await writePieces(response, turns, target, streamPieces(target));
    }),
    'GET /length': waits(async (request, response, turns) => {
      const { target } = request;
      const pieces = streamPieces(target);
      response.length(pieces.join('').length);
      await writePieces(response, turns, target, pieces);
    }),
    'GET /slow': delegate('slow'),
    'GET /fail': delegate('fail'),
    'GET /large': delegate('large'),
    'GET /later': delegate('later'),
    'GET /refuse': delegate('refuse'),
    'GET /block': handOff('block'),
    'GET /block-stream': handOff('blockStream'),
    'GET /block-throw': handOff('blockThrow'),
    'POST /block-pieces': handOff('blockPieces'),
    'GET /loop': handOff('loop'),
    'GET /loop-stream': handOff('loopStream'),
    'GET /loop-reject': handOff('loopReject'),
    'POST /loop-pieces': handOff('loopPieces'),
    'GET /upgrade': (_request, response) => response.upgrade('lines'),
    'GET /upgrade-late': waits(async (request, response, turns) => {
      await rest(turns, request.target);
      response.upgrade('lines');
    }),
    'GET /kept': handOff('kept'),
    'POST /kept-whole': handOff('keptWhole'),
  },
  tasks: {
    slow: (task) => {
      const { target } = task;
      const { status, body } = slowResult(target);
      task.end(body, status);
      hooks.onTask(target);
    },
    fail: (task) => {
      hooks.onTask(task.target);
      throw new Error('thrown by a task');
    },
    large: (task) => {
      hooks.onTask(task.target);
      task.end(TOO_LARGE);
    },
    later: waitsInTask(async (task, target, turns) => {
      await turns.pause(taskPauseMs(target), idOf(target));
      const { status, body } = slowResult(target);
      task.end(body, status);
    }),
    refuse: waitsInTask(async (_task, target, turns) => {
      await rest(turns, target);
      throw new Error('thrown by a task');
    }),
  },
  protocols: {
    // Each line is answered with itself.
    lines: {
      onData: linesAtHome,
      onReturn: linesAtHome,
      onDrain: (connection) => connection.resume(),
    },
  },
  connections: {
    block: blocks((connection, target) => connection.endSync(target)),
    blockStream: blocks((connection, target) => {
      for (const piece of streamPieces(target)) connection.writeSync(piece);
    }),
    blockThrow: blocks(() => {
      throw new Error('thrown by a blocking handler');
    }),
    blockPieces: blocks((connection) => {
      for (let piece = connection.readSync(); piece !== undefined; piece = connection.readSync()) {
        connection.writeSync(piece);
      }
    }),
    loop: onLoop((request, response) => {
      hooks.onGuest(request.target);
      response.end(request.target);
    }),
    loopStream: onLoop(
      guest(async (request, response, turns) => {
        const { target } = request;
        await writePieces(response, turns, target, streamPieces(target));
      }),
    ),
    loopReject: onLoop(
      guest(async (request, _response, turns) => {
        await rest(turns, request.target);
        throw new Error('thrown by a handler on a loop');
      }),
    ),
    loopPieces: onLoop(guest(echoPieces)),
    kept: onLoop(
      guest(async (request, response, turns) => {
        await rest(turns, request.target);
        response.end(request.target);
      }),
      { keep: true },
    ),
    keptWhole: onLoop(guest(echoWhole), { keep: true }),
    lines: rawOnLoop({
      onOpen: linesAway,
      onData: linesAway,
      onDrain: (connection) => connection.resume(),
      // What has come is answered at home.
      onRecall: (connection) => connection.handBack(Buffer.from(String(connection.data), 'latin1')),
    }),
  },
};

export const COMPILED = compileApp(APP, mayKeep);
/** The same where there are no workers. */
export const ALONE = appWithoutWorkers(COMPILED);
