// A module that exports `fetch` alone, with streams in both directions.

import { once } from 'node:events';

export interface State {
  pulled: number;
  cancelled: boolean;
  aborted: boolean;
}

const PIECE = new Uint8Array(65_536);
const state: State = { pulled: 0, cancelled: false, aborted: false };

export async function fetch(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === '/state') return Response.json(state);
  if (pathname === '/cookie') {
    const { headers } = request;
    const first = headers.get('Cookie');
    return Response.json([first, new Map(headers).get('cookie'), headers.get('cookie')]);
  }
  request.signal.addEventListener('abort', () => {
    state.aborted = true;
  });
  if (pathname === '/endless') return new Response(endless());
  if (pathname === '/silent') return new Response(silent());
  if (pathname === '/after-gone') {
    state.cancelled = false;
    if (!request.signal.aborted) await once(request.signal, 'abort');
    return new Response(silent());
  }
  if (pathname === '/wrong-field') return new Response(silent(), { headers: { 'x-a': '\x01' } });
  if (pathname === '/parts') return new Response(parts(request.signal));
  if (pathname === '/parts-of-4') {
    return new Response(parts(request.signal), { headers: { 'content-length': '4' } });
  }
  if (pathname === '/quiet') return new Response(quiet());
  if (pathname === '/slow-body') {
    const reader = request.body!.getReader();
    const { value } = await reader.read();
    state.pulled = value!.length;
    return new Response('left');
  }
  if (pathname === '/never') return new Promise(() => {});
  if (pathname === '/fails') return new Response(failing());
  return new Response('?', { status: 404 });
}

function endless(): ReadableStream<Uint8Array> {
  state.pulled = 0;
  state.cancelled = false;
  return new ReadableStream({
    pull(controller) {
      state.pulled++;
      controller.enqueue(PIECE);
    },
    cancel() {
      state.cancelled = true;
    },
  });
}

function silent(): ReadableStream<Uint8Array> {
  state.cancelled = false;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(PIECE.subarray(0, 10));
    },
    cancel() {
      state.cancelled = true;
    },
  });
}

// Goes on when the client has ended its side.
function parts(signal: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(PIECE.subarray(0, 1));
      await once(signal, 'abort');
      for (let piece = 0; piece < 3; piece++) {
        await new Promise((resolve) => setImmediate(resolve));
        controller.enqueue(PIECE.subarray(0, 1));
      }
      controller.close();
    },
  });
}

// Says nothing at all.
function quiet(): ReadableStream<Uint8Array> {
  state.cancelled = false;
  return new ReadableStream({
    cancel() {
      state.cancelled = true;
    },
  });
}

function failing(): ReadableStream<Uint8Array> {
  let pulled = 0;
  return new ReadableStream({
    pull(controller) {
      if (pulled++ < 3) controller.enqueue(PIECE);
      else throw new Error('a stream that fails on purpose');
    },
  });
}
