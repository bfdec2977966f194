// The application that Millrace runs in the benchmark of tasks: it measures its own calls, in the
// accept thread, and serves the mixed load.

import type { Task } from '../../src/index.ts';
import { defineApp, delegate, handOff, onLoop } from '../../src/index.ts';
import { measureCalls } from './measure-calls.ts';
import type { Work } from './work.ts';
import { BYTES_SIZE, burn, invert, nothing } from './work.ts';

export default defineApp({
  routes: {
    'GET /test/fast': (_request, response) => response.end(),
    'GET /test/cpu': delegate('burn', { input: () => 50 }),
    'GET /hand-off/loop': handOff('loop'),
    'GET /hand-off/blocking': handOff('blocking'),
    'GET /measure': async (request, response) => {
      const { searchParams } = new URL(request.target, 'http://localhost');
      const bytes = new Uint8Array(BYTES_SIZE);
      const inFlight = Number(searchParams.get('inFlight'));
      const arrays = Array.from({ length: inFlight }, () => ({ into: new Uint8Array(BYTES_SIZE) }));
      const call = {
        nothing: () => request.delegate('nothing'),
        bytes: () => request.delegate('invert', bytes),
        into: (caller: number) => request.delegate('invert', bytes, arrays[caller]),
      }[searchParams.get('work') as Work];
      const figures = await measureCalls(call, Number(searchParams.get('calls')), inFlight);
      response.end(JSON.stringify(figures));
    },
  },
  connections: {
    loop: onLoop((_request, response) => response.end()),
    blocking: (connection) => connection.endSync(),
  },
  tasks: {
    nothing,
    invert: (task: Task<Uint8Array>) => invert(task.inputBytes),
    burn: (task: Task<number>) => burn(task.input),
  },
});
