// The scenarios: what is asked for, how, of whom, and how large the answer is.

import { join } from 'node:path';
import { BASELINE, EPOLL, MILLRACE, MILLRACE_EPOLL, NGINX, NODE_HTTP } from './servers.ts';
import {
  BROWSER_FIELDS,
  BROWSER_TARGET,
  EMPTY_PATH,
  type FieldLine,
  JSON_PATH,
  LARGE_PATH,
  LARGE_SIZE,
  SMALL_PATH,
  SMALL_SIZE,
  UPLOAD_PATH,
  UPLOAD_SIZE,
  USER_SIZE,
} from './targets.ts';

const PIPELINE_DEPTH = 16;

export type Scenario = {
  readonly name: string;
  readonly what: string;
  /** True exactly when it runs without being asked for. */
  readonly byDefault: boolean;
  readonly target: string;
  /** Beside those that wrk sends anyway. */
  readonly fields: readonly FieldLine[];
  /** Bytes of the request's body, or 0: then the request is a GET, else a POST. */
  readonly requestSize: number;
  /** Bytes of the response's body. */
  readonly responseSize: number;
  readonly connections: number;
  /** A Lua script for wrk, in this folder, and its argument. */
  readonly script: readonly [file: string, argument: number] | undefined;
  /** False where wrk's percentiles are not to be believed, see `pipelined`. */
  readonly latency: boolean;
  /** The names of the servers that can answer it. */
  readonly servers: readonly string[];
};

const APPLICATIONS = [MILLRACE, MILLRACE_EPOLL, BASELINE, NODE_HTTP];

const EMPTY: Omit<Scenario, 'name' | 'what'> = {
  byDefault: true,
  target: EMPTY_PATH,
  fields: [],
  requestSize: 0,
  responseSize: 0,
  connections: 64,
  script: undefined,
  latency: true,
  servers: [...APPLICATIONS, EPOLL],
};

const ON_DEMAND: Omit<Scenario, 'name' | 'what'> = { ...EMPTY, byDefault: false, connections: 32 };

export const SCENARIOS: readonly Scenario[] = [
  {
    ...EMPTY,
    name: 'keep-alive',
    what: '64 connections, one request in flight on each',
  },
  {
    ...EMPTY,
    name: 'pipelined',
    what: `64 connections, ${PIPELINE_DEPTH} requests in flight on each`,
    script: [join(import.meta.dirname, 'pipeline.lua'), PIPELINE_DEPTH],
    // wrk fills in latencies it thinks it missed ("coordinated omission") as if every request were
    // sent by itself. With batches most of its figures are then inventions, the high percentiles
    // often 0 (wg/wrk, issues 236 and 354).
    latency: false,
  },
  {
    ...EMPTY,
    name: 'connect',
    what: '64 clients, a connection per request; latency from connected on',
    fields: [['Connection', 'close']],
  },
  {
    ...ON_DEMAND,
    name: 'json',
    what: '64 connections, one request in flight on each, JSON of an async handler with one await',
    target: JSON_PATH,
    responseSize: USER_SIZE,
    connections: 64,
    servers: APPLICATIONS,
  },
  {
    ...ON_DEMAND,
    name: '10k',
    what: '32 connections, one request in flight on each, responses of 10 KiB',
    target: SMALL_PATH,
    responseSize: SMALL_SIZE,
    servers: [...APPLICATIONS, NGINX],
  },
  {
    ...ON_DEMAND,
    name: '1m',
    what: '32 connections, one request in flight on each, responses of 1 MiB',
    target: LARGE_PATH,
    responseSize: LARGE_SIZE,
    servers: [...APPLICATIONS, NGINX],
  },
  {
    ...ON_DEMAND,
    name: 'browser',
    what: '64 connections, one request in flight on each, of about 500 bytes with 10 fields',
    target: BROWSER_TARGET,
    fields: BROWSER_FIELDS,
    connections: 64,
    servers: [...APPLICATIONS, EPOLL, NGINX],
  },
  {
    ...ON_DEMAND,
    name: 'upload',
    what: '32 connections, one request in flight on each, with a body of 64 KiB',
    target: UPLOAD_PATH,
    requestSize: UPLOAD_SIZE,
    script: [join(import.meta.dirname, 'upload.lua'), UPLOAD_SIZE],
    servers: APPLICATIONS,
  },
];
