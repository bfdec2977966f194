// The accept threads as the main thread sees them: started, replaced when they die, told to end.
//
// One dies of an error that the application does not catch, mostly. Its connections are lost, and
// closed; those that workers have are closed when they come back. The listener stays: who connects
// meanwhile waits for the thread that takes its place. Control plane.

import { setTimeout as delay } from 'node:timers/promises';
import { Counter } from '../base/counters.ts';
import { MODULE_EXTENSION } from '../base/modules.ts';
import type { AcceptThreadPlan, ProtocolPort } from '../base/thread-plan.ts';
import { openDescriptors } from '../connection/connection-table.ts';
import { announceDeath, repairDeadAcceptThread } from '../delegate/dead-thread.ts';
import type { DelegateMemory } from '../delegate/layout.ts';
import type { Wakeups } from '../delegate/sleepers.ts';
import type { Listeners } from '../io/listener.ts';
import { HOLDINGS_SIZE } from '../kernel/holdings.ts';
import { abandonSocket } from '../kernel/sockets.ts';
import { Deaths, releaseLater } from './replacement.ts';
import { EXIT_FAILURE, StartError } from './start-error.ts';
import { Thread } from './thread.ts';

const ACCEPT_THREAD = new URL(`../accept/accept-thread${MODULE_EXTENSION}`, import.meta.url);

/** So many replacements of a thread that do not even start end the server. */
const FAILED_STARTS_MAX = 5;
/** A worker that was about to publish what it had done for the dead thread has done so by then. */
const PUBLISHED_MS = 50;

export interface AcceptPoolOptions {
  readonly plans: readonly AcceptThreadPlan<DelegateMemory>[];
  readonly wakeups: Wakeups;
  readonly log: (message: string) => void;
  /** What threads say. */
  readonly logThread: (thread: string, message: string) => void;
}

interface Place {
  thread: Thread;
  plan: AcceptThreadPlan<DelegateMemory>;
  readonly deaths: Deaths;
}

export class AcceptPool {
  readonly #options: AcceptPoolOptions;
  readonly #places: readonly Place[];
  #protocols: readonly Listeners[] = [];
  #ending = false;

  /** Starts the threads. */
  constructor(options: AcceptPoolOptions) {
    this.#options = options;
    this.#places = options.plans.map((plan) => ({
      thread: this.#thread(plan),
      plan,
      deaths: new Deaths(),
    }));
  }

  get threads(): readonly Thread[] {
    return this.#places.map(({ thread }) => thread);
  }

  /** Settles when all are ready. @throws StartError of the first that cannot start. */
  async ready(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.ready));
  }

  /** The protocols of the application, once the threads are ready. */
  get protocols(): readonly ProtocolPort[] {
    return this.threads[0]!.protocols;
  }

  /** Tells the threads to accept. `protocols`: for each protocol, a listener of each thread. */
  serve(protocols: readonly Listeners[]): void {
    this.#protocols = protocols;
    for (const [index, thread] of this.threads.entries()) thread.serve(this.#fdsOf(index));
  }

  /** Tells the threads to end, as they are told to: none is replaced any more. */
  end(kind: 'drain' | 'retire'): void {
    this.#ending = true;
    for (const thread of this.threads) thread.tell(kind);
  }

  /**
   * From now on threads that die are replaced. Settles when all have ended as they were told.
   * @throws StartError when one died that was told to end, or cannot be replaced.
   */
  async watch(): Promise<void> {
    await Promise.all(this.#places.map((place) => this.#watch(place)));
  }

  async terminate(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.threads.map((thread) => thread.terminate()));
    for (const { plan } of this.#places) releaseLater(plan.holdings);
  }

  async #watch(place: Place): Promise<void> {
    for (let failedStarts = 0; ; ) {
      const error = await place.thread.ended;
      if (this.#ending && error === undefined) return;
      const cause = error?.stack ?? 'it ended by itself';
      const { name } = place.thread;
      if (this.#ending) throw new StartError(`thread ${name} died: ${cause}`, EXIT_FAILURE);
      this.#options.log(`${name} died and is replaced, its connections are lost: ${cause}`);
      await this.#replace(place);
      const fault = await place.thread.ready.then(
        () => undefined,
        (notReady: StartError) => notReady,
      );
      failedStarts = fault === undefined ? 0 : failedStarts + 1;
      if (failedStarts >= FAILED_STARTS_MAX) throw fault;
      if (fault === undefined) this.#serve(place);
    }
  }

  async #replace(place: Place): Promise<void> {
    const { plan } = place;
    const { wakeups } = this.#options;
    const backoff = place.deaths.add();
    releaseLater(plan.holdings);
    for (const fd of openDescriptors(plan.rows)) abandonSocket(fd);
    new Uint8Array(plan.rows).fill(0);
    new Float64Array(plan.counters)[Counter.connectionsOpen] = 0;
    await delay(Math.max(PUBLISHED_MS, backoff));
    const queued = repairDeadAcceptThread(plan.delegateMemory, plan.index, wakeups);
    for (const fd of queued) abandonSocket(fd);
    place.plan = { ...plan, holdings: new SharedArrayBuffer(HOLDINGS_SIZE) };
    place.deaths.begin();
    place.thread = this.#thread(place.plan);
  }

  // The replacement may have been told to end before it could be told to begin.
  #serve({ thread, plan }: Place): void {
    announceDeath(plan.delegateMemory, plan.index);
    this.#options.wakeups.wakeAcceptThread(plan.index);
    thread.serve(this.#fdsOf(plan.index));
    if (this.#ending) thread.tell('drain');
  }

  #fdsOf(index: number): number[] {
    return this.#protocols.map(({ fds }) => fds[index]!);
  }

  #thread(plan: AcceptThreadPlan<DelegateMemory>): Thread {
    return new Thread(`accept-${plan.index}`, ACCEPT_THREAD, plan, this.#options.logThread);
  }
}
