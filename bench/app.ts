// The application that Millrace runs in the benchmark. It imports nothing of Millrace but types, so
// another checkout (`--baseline`) can load it too.

import type { App } from '../src/index.ts';
import {
  BROWSER_PATH,
  EMPTY_PATH,
  JSON_PATH,
  LARGE_PATH,
  LARGE_SIZE,
  SMALL_PATH,
  SMALL_SIZE,
  UPLOAD_PATH,
  UPLOAD_SIZE,
  USER,
} from './targets.ts';

const small = new Uint8Array(SMALL_SIZE);
const large = new Uint8Array(LARGE_SIZE);

const app: App = {
  routes: {
    [`GET ${EMPTY_PATH}`]: (_request, response) => response.end(),
    [`GET ${BROWSER_PATH}`]: (_request, response) => response.end(),
    [`GET ${JSON_PATH}`]: async (_request, response) => response.json(await USER),
    [`GET ${SMALL_PATH}`]: (_request, response) => response.end(small),
    [`GET ${LARGE_PATH}`]: (_request, response) => response.end(large),
    [`POST ${UPLOAD_PATH}`]: async (request, response) => {
      const body = await request.bytes();
      response.end(undefined, body.length === UPLOAD_SIZE ? 200 : 400);
    },
  },
};

export default app;
