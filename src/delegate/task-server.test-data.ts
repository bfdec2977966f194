// The server that the tests of this folder show to their tasks. Control plane.

import type { TaskServer } from './task.ts';

export const server: TaskServer = {
  options: {
    port: 0,
    host: '127.0.0.1',
    acceptThreads: 1,
    acceptCapacity: 1,
    workerThreads: 1,
    slowDuration: 30,
    drainTimeoutMs: 10_000,
    workerConcurrency: 4,
    taskTimeoutMs: 1000,
    taskSize: 2048,
    taskQueue: 0,
    taskQueueFull: 'refuse',
    taskDeaths: 5,
    workerNice: 0,
    workerHeap: 0,
    demoFaults: false,
    requests: {
      keepAliveTimeoutMs: 1000,
      headerTimeoutMs: 1000,
      bodyTimeoutMs: 1000,
      sendTimeoutMs: 1000,
      handlerTimeoutMs: 1000,
      bodySizeMax: 1000,
      requestsMax: 1000,
    },
    backend: 'auto',
    verbose: false,
  },
};

/** For a runner whose tasks are all plain functions. */
export function noAsync(): never {
  throw new Error('no task of this test is async');
}
