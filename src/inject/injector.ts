// The accept thread of an application without a thread, a kernel or a socket: the service that
// serves TCP, over an `Io` in memory, in Node's own loop. Control plane.

import { AcceptService } from '../accept/accept-service.ts';
import type { AnyApp } from '../app/app.ts';
import { appWithoutWorkers, compileApp } from '../app/compiled-app.ts';
import { mayKeep } from '../app/escape.ts';
import { COUNTERS_SIZE } from '../base/counters.ts';
import { blocksSize } from '../connection/connection-memory.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { adaptFetchApp } from '../fetch/adapt-fetch-app.ts';
import type { FetchApp } from '../fetch/fetch-app.ts';
import { isFetchApp } from '../fetch/fetch-app.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { NOTHING_PLANNED } from '../kernel/node-loop.ts';
import { SystemClock } from '../kernel/system-clock.ts';
import { TASKS_MAX } from '../server/crash-budget.ts';
import { planMemory } from '../server/memory-plan.ts';
import { completeOptions } from '../server/serve-options.ts';
import { MemoryIo } from './memory-io.ts';
import { nodeTimeout } from './node-timeout.ts';

/** More requests at a time wait for their turn. */
const CAPACITY = 64;
/** Turns without work that follow each other at once; later ones come with a pause. */
const EAGER_TURNS = 100;
const PAUSE_MS = 1;

export class Injector {
  readonly io: MemoryIo;
  // What the loop wants to be called for its next turn, while it is not planned.
  #turn: (() => void) | undefined;
  #planned = false;
  #idleTurns = 0;
  #isNewTurn = false;
  #users = 0;

  constructor(app: AnyApp | FetchApp, log: (message: string, error?: unknown) => void) {
    const options = completeOptions({
      acceptThreads: 1,
      acceptCapacity: CAPACITY,
      workerThreads: 0,
    });
    const { pools, delegate, rowsSize } = planMemory(options, 'epoll');
    this.io = new MemoryIo({ ...pools, blocksSize: blocksSize(pools) });
    this.io.onWork = () => this.#plan(true);
    const service = new AcceptService({
      plan: {
        index: 0,
        options,
        backend: 'epoll',
        app: 'in this process',
        delegateMemory: createDelegateMemory(delegate),
        refusedTasks: new SharedArrayBuffer(TASKS_MAX * Int32Array.BYTES_PER_ELEMENT),
        acceptWakeups: [],
        workerWakeups: [],
        counters: new SharedArrayBuffer(COUNTERS_SIZE),
        holdings: new SharedArrayBuffer(HOLDINGS_SIZE),
        listenerFd: 0,
        pools,
        rows: new SharedArrayBuffer(rowsSize),
      },
      app: appWithoutWorkers(compileApp(isFetchApp(app) ? adaptFetchApp(app) : app, mayKeep)),
      io: this.io,
      clock: new SystemClock(),
      nodeLoop: {
        backendFd: 0,
        beginTurn: () => {
          this.#isNewTurn = true;
        },
        // Node has its turn behind each in which code of the user ran.
        timeoutMs: () => {
          const timeoutMs = this.#isNewTurn ? NOTHING_PLANNED : 0;
          this.#isNewTurn = false;
          return timeoutMs;
        },
        runMicrotasks: () => {},
        failForGood: () => {},
      },
      nextTurn: (turn) => {
        this.#turn = turn;
        this.#plan(!this.io.waits);
      },
      wakeWorker: () => {},
      refuseConnections: () => {},
      log,
      onEnd: () => {},
    });
    service.onCommand('serve');
    service.run();
  }

  /** From here on the loop runs, until `release` was called as often. */
  use(): void {
    this.#users++;
    this.#plan(true);
  }

  release(): void {
    this.#users--;
  }

  // Handlers go on at any time and cannot be seen to, so the loop looks again and again while there
  // is a request; with a pause when it has found nothing for long.
  #plan(busy: boolean): void {
    if (busy) this.#idleTurns = 0;
    if (this.#planned || this.#turn === undefined || this.#users === 0) return;
    this.#planned = true;
    if (this.#idleTurns++ < EAGER_TURNS) setImmediate(() => this.#run());
    else nodeTimeout(() => this.#run(), PAUSE_MS);
  }

  #run(): void {
    const turn = this.#turn;
    this.#planned = false;
    this.#turn = undefined;
    turn?.();
  }
}
