import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConnectionBench,
  errorText,
  FakeClock,
  get,
  OK,
  okText,
} from '../../test/support/unit-connection-bench.ts';
import { compileApp } from '../app/compiled-app.ts';
import { delegate } from '../app/delegation.ts';
import type { TaskCaller } from '../app/request.ts';
import type { TaskError } from '../app/task-error.ts';
import { COUNTERS } from '../base/counters.ts';
import { exchangesFor } from '../connection/exchanges.ts';
import { Delegator } from '../delegate/delegator.ts';
import { createDelegateMemory } from '../delegate/layout.ts';
import { NO_WAKEUPS } from '../delegate/no-wakeups.test-data.ts';
import { TEXT } from '../delegate/payload-kind.ts';
import type { Task } from '../delegate/task.ts';
import { TaskIntake } from '../delegate/task-intake.ts';
import { TaskRunner } from '../delegate/task-runner.ts';
import { noAsync, server } from '../delegate/task-server.test-data.ts';
import { ECONNRESET } from '../kernel/errno.ts';
import { NONE } from '../memory/pool.ts';
import { AcceptThreadDelegation } from './task-delegation.ts';

const HOLDERS = 3;
const PAYLOAD_SIZE = 64;
const BUSY = '503 Service Unavailable';

const app = compileApp({
  routes: {
    'GET /fast': (_request, response) => response.end(),
    'GET /echo': delegate('echo'),
    'GET /throw': delegate('throw'),
    'GET /nothing': delegate('nothing'),
    'GET /teapot': delegate('missing'),
    'GET /own': delegate('own', { respond: (_result, response) => response.end('respond') }),
  },
  tasks: {
    nothing: () => {},
    echo: (task: Task) => task.end(task.target),
    throw: () => {
      throw new Error('thrown by a task');
    },
    missing: (task: Task) => task.end('gone', 410),
    own: (task: Task) => task.end(),
  },
});

const TIMEOUT_MS = 1000;

/** Connections whose tasks go to a worker, played by the test, or are run inline without one. */
class Fixture {
  readonly bench: ConnectionBench;
  readonly delegator: Delegator;
  readonly delegation: AcceptThreadDelegation;
  readonly failed: string[] = [];
  readonly refused = new Int32Array(8);
  readonly clock = new FakeClock();
  userCodeCount = 0;
  readonly #intake: TaskIntake | undefined;
  readonly #runner: TaskRunner;

  constructor(workerThreads: number, runsWhenFull = false, holders = HOLDERS) {
    const memory = createDelegateMemory({
      acceptThreads: 1,
      workerThreads,
      holdersPerAcceptThread: holders,
      holderSize: 64 + PAYLOAD_SIZE,
    });
    this.delegator = new Delegator(memory, 0, () => {}, runsWhenFull ? 1 : 0);
    this.#runner = new TaskRunner(
      this.delegator.holders,
      app.tasks,
      server,
      (task) => this.failed.push(task),
      (holder) => this.delegation.onInlineDone(holder),
    );
    this.#intake = workerThreads === 0 ? undefined : new TaskIntake(memory, 0, NO_WAKEUPS);
    let made: AcceptThreadDelegation | undefined;
    this.bench = new ConnectionBench({
      app,
      capacity: 8,
      delegation: (io, counters) => {
        made = new AcceptThreadDelegation({
          delegator: this.delegator,
          bytes: io.memory.bytes,
          counters,
          refused: this.refused,
          clock: this.clock,
          timeoutMs: TIMEOUT_MS,
          exchanges: exchangesFor(8),
          inlineRunner: workerThreads === 0 || runsWhenFull ? this.#runner : undefined,
          hasWorkers: workerThreads > 0,
          tasks: app.tasks,
          handOffs: undefined,
          onUserCode: () => {
            this.userCodeCount++;
          },
        });
        return made;
      },
    });
    this.delegation = made!;
    this.delegation.attach(this.bench.connections);
  }

  /** The worker takes a task, and has not run it yet. */
  begin(): number {
    return this.#intake!.take();
  }

  finish(holder: number): void {
    this.#runner.run(holder);
    this.#intake!.finish(holder);
  }

  /** The worker runs every task there is. */
  work(): void {
    const intake = this.#intake!;
    for (let holder = intake.take(); holder !== NONE; holder = intake.take()) {
      this.#runner.run(holder);
      intake.finish(holder);
    }
  }
}

test('the target goes to a worker, and its result comes back to the connection', () => {
  const fixture = new Fixture(1);
  const { bench, delegation } = fixture;
  const slot = bench.open();
  equal(bench.exchange(slot, get('/echo?a=b')), '');
  equal(delegation.runCompletions(256), false);
  equal(bench.flush(slot), '');
  fixture.work();
  equal(delegation.runCompletions(256), false);
  equal(bench.flush(slot), okText('/echo?a=b'));
  equal(bench.exchange(slot, get('/fast')), OK);
  fixture.delegator.assertAllFree();
  equal(bench.count('tasksDelegated'), 1);
  equal(bench.count('tasksCompleted'), 1);
});

test('each result goes to its own connection, with its own status', () => {
  const fixture = new Fixture(1);
  const { bench } = fixture;
  const targets = ['/throw', '/teapot', '/nothing'];
  const slots = targets.map((target) => {
    const slot = bench.open();
    bench.receive(slot, get(target));
    return slot;
  });
  fixture.work();
  fixture.delegation.runCompletions(256);
  deepEqual(
    slots.map((slot) => bench.flush(slot)),
    [errorText('500 Internal Server Error'), okText('gone').replace('200 OK', '410 Gone'), OK],
  );
  deepEqual(fixture.failed, ['throw']);
  fixture.delegator.assertAllFree();
});

test('a response of the task’s own is not given to whoever would form one', () => {
  const fixture = new Fixture(1);
  const { bench } = fixture;
  const slot = bench.open();
  bench.receive(slot, get('/own'));
  fixture.work();
  fixture.delegation.runCompletions(256);
  equal(bench.flush(slot), OK);
});

test('completions keep to the budget of a tick, and say when there are more', () => {
  const fixture = new Fixture(1);
  const { bench, delegation } = fixture;
  const slots = Array.from({ length: HOLDERS }, () => bench.open());
  for (const [index, slot] of slots.entries()) bench.receive(slot, get(`/echo?${index}`));
  fixture.work();
  equal(delegation.runCompletions(2), true);
  equal(bench.count('tasksCompleted'), 2);
  deepEqual(
    slots.map((slot) => bench.flush(slot)),
    [okText('/echo?0'), okText('/echo?1'), ''],
  );
  equal(delegation.runCompletions(2), false);
  equal(bench.count('tasksCompleted'), 3);
  equal(bench.flush(slots[2]!), okText('/echo?2'));
  equal(delegation.runCompletions(2), false);
});

test('only so many handlers are given their results in a tick', async () => {
  const fixture = new Fixture(1, false, 20);
  const { delegation } = fixture;
  const caller: TaskCaller = { firstCall: undefined };
  let settled = 0;
  const results = Array.from({ length: 20 }, async () => {
    await delegation.call(0, '', TEXT, caller);
    settled++;
  });
  fixture.work();
  equal(delegation.runCompletions(256), true);
  await microtasks();
  equal(settled, 16);
  equal(delegation.runCompletions(256), false);
  await Promise.all(results);
  equal(caller.firstCall, undefined);
});

test('a call that settles leaves its caller; the others can be cancelled', async () => {
  const fixture = new Fixture(1, false, 8);
  const { delegation } = fixture;
  for (const order of permutations([0, 1, 2, 3])) {
    const caller: TaskCaller = { firstCall: undefined };
    const results = order.map(() => delegation.call(0, '', TEXT, caller));
    const taken = order.map(() => fixture.begin());
    for (const index of order.slice(0, 2)) fixture.finish(taken[index]!);
    delegation.runCompletions(256);
    while (caller.firstCall !== undefined) caller.firstCall.cancel();
    const outcomes = await Promise.all(
      results.map((result) => result.then(String, (error: TaskError) => error.code)),
    );
    const expected = order.map((_, index) =>
      order.indexOf(index) < 2 ? 'undefined' : 'cancelled',
    );
    deepEqual(outcomes, expected);
    // Their results come late, and are nobody's.
    for (const index of order.slice(2)) fixture.finish(taken[index]!);
    delegation.runCompletions(256);
    fixture.delegator.assertAllFree();
  }
});

function permutations(of: readonly number[]): number[][] {
  if (of.length === 0) return [[]];
  return of.flatMap((first) =>
    permutations(of.filter((each) => each !== first)).map((rest) => [first, ...rest]),
  );
}

// Those that are queued, and the few that follow each.
async function microtasks(): Promise<void> {
  for (let i = 0; i < 10; i++) await undefined;
}

test('a budget that is met exactly leaves nothing', () => {
  const fixture = new Fixture(1);
  const slots = Array.from({ length: 2 }, () => fixture.bench.open());
  for (const slot of slots) fixture.bench.receive(slot, get('/nothing'));
  fixture.work();
  equal(fixture.delegation.runCompletions(2), false);
  equal(fixture.bench.count('tasksCompleted'), 2);
});

test('when every holder is taken the request is refused, and served again once one is back', () => {
  const fixture = new Fixture(1);
  const { bench } = fixture;
  const slots = Array.from({ length: HOLDERS + 1 }, () => bench.open());
  for (const slot of slots) bench.receive(slot, get('/nothing'));
  const last = slots[HOLDERS]!;
  equal(bench.flush(last), errorText(BUSY, [], ['Retry-After: 1']));
  equal(bench.count('taskHoldersDry'), 1);
  equal(bench.count('tasksDelegated'), HOLDERS);
  fixture.work();
  fixture.delegation.runCompletions(256);
  bench.receive(last, get('/echo'));
  fixture.work();
  fixture.delegation.runCompletions(256);
  equal(bench.flush(last), okText('/echo'));
});

for (const workers of [0, 1]) {
  test(`a target that fills a holder is run, a longer one is 414: ${workers} workers`, () => {
    const fixture = new Fixture(workers);
    const { bench } = fixture;
    const slot = bench.open();
    const longest = `/echo?${'x'.repeat(PAYLOAD_SIZE - 6)}`;
    bench.receive(slot, get(longest));
    if (workers > 0) fixture.work();
    fixture.delegation.runCompletions(256);
    equal(bench.flush(slot), okText(longest));
    equal(bench.exchange(slot, get(`${longest}x`)), errorText('414 URI Too Long'));
    equal(bench.exchange(slot, get('/fast')), OK);
    equal(bench.count('taskHoldersDry'), 0);
    fixture.delegator.assertAllFree();
  });
}

test('without workers a task is run at once, in its place among the other requests', () => {
  const fixture = new Fixture(0);
  const { bench } = fixture;
  const slot = bench.open();
  const text = `${get('/fast')}${get('/echo?1')}${get('/throw')}${get('/fast')}${get('/echo?2')}`;
  bench.receive(slot, text);
  equal(bench.count('requests'), 5);
  equal(
    bench.flush(slot),
    [OK, okText('/echo?1'), errorText('500 Internal Server Error'), OK, okText('/echo?2')].join(''),
  );
  deepEqual(fixture.failed, ['throw']);
  equal(bench.count('tasksCompleted'), 3);
  equal(bench.count('completionsStale'), 0);
  fixture.delegator.assertAllFree();
  equal(bench.exchange(slot, get('/fast')), OK);
});

test('without workers the loop is told that a task ran, which may have queued something', () => {
  const fixture = new Fixture(0);
  const slot = fixture.bench.open();
  equal(fixture.bench.exchange(slot, get('/fast')), OK);
  equal(fixture.userCodeCount, 0);
  equal(fixture.bench.exchange(slot, get('/nothing')), OK);
  equal(fixture.userCodeCount, 1);
});

test('the loop is told as well of a task that runs here because the queue is full', () => {
  const fixture = new Fixture(1, true);
  const slot = fixture.bench.open();
  fixture.bench.exchange(slot, get('/nothing').repeat(HOLDERS - 1));
  equal(fixture.userCodeCount, 0);
  fixture.bench.exchange(slot, get('/nothing'));
  equal(fixture.userCodeCount, 1);
});

test('without workers the holders are never dry, however many tasks there are', () => {
  const fixture = new Fixture(0);
  const slot = fixture.bench.open();
  equal(fixture.bench.exchange(slot, get('/nothing').repeat(10)), OK.repeat(10));
  equal(fixture.bench.count('taskHoldersDry'), 0);
});

test('a task whose client has gone before a worker began it is not run', () => {
  const fixture = new Fixture(1);
  const { bench } = fixture;
  const slot = bench.open();
  bench.exchange(slot, get('/fast'));
  bench.exchange(slot, get('/echo'));
  bench.endRecv(slot, -ECONNRESET);
  bench.tick();
  bench.endClose(slot);
  fixture.delegator.assertAllFree();
  fixture.work();
  equal(fixture.delegation.runCompletions(256), false);
  equal(bench.count('completionsStale'), 0);
  bench.assertAllFree();
});

test('a task that was begun is told that its client has gone; its result is dropped', () => {
  const fixture = new Fixture(1);
  const { bench } = fixture;
  const slot = bench.open();
  bench.exchange(slot, get('/echo'));
  const holder = fixture.begin();
  equal(fixture.delegator.holders.isCancelled(holder), false);
  bench.endRecv(slot, -ECONNRESET);
  equal(fixture.delegator.holders.isCancelled(holder), true);
  bench.tick();
  bench.endClose(slot);
  equal(fixture.delegator.holdersUsed, 1);
  fixture.finish(holder);
  fixture.delegation.runCompletions(256);
  equal(bench.count('completionsStale'), 1);
  fixture.delegator.assertAllFree();
  bench.assertAllFree();
});

test('a task is late at its deadline: 504, taken back if it waits, dropped if it runs', () => {
  for (const isBegun of [false, true]) {
    const fixture = new Fixture(1);
    const { bench, clock } = fixture;
    const slot = bench.open();
    bench.exchange(slot, get('/echo'));
    const holder = isBegun ? fixture.begin() : NONE;
    fixture.delegation.expire((clock.nowMs + TIMEOUT_MS - 1) | 0);
    equal(bench.flush(slot), '');
    fixture.delegation.expire((clock.nowMs + TIMEOUT_MS) | 0);
    equal(bench.flush(slot), errorText('504 Gateway Timeout'));
    equal(bench.count('tasksLate'), 1);
    equal(fixture.delegator.holdersUsed, isBegun ? 1 : 0);
    if (isBegun) fixture.finish(holder);
    fixture.delegation.runCompletions(256);
    fixture.delegator.assertAllFree();
    equal(bench.exchange(slot, get('/fast')), OK);
  }
});

test('a task that is refused is 503, and is not delegated', () => {
  const fixture = new Fixture(1);
  const slot = fixture.bench.open();
  fixture.refused.fill(1);
  match(fixture.bench.exchange(slot, get('/echo')), /^HTTP.1.1 503 .*Retry-After: 1/s);
  equal(fixture.bench.count('tasksRefused'), 1);
  fixture.delegator.assertAllFree();
});

test('a result before the connections are there is asserted', () => {
  const fixture = new Fixture(0);
  const { delegator, clock, refused } = fixture;
  const runner = new TaskRunner(delegator.holders, app.tasks, server, () => {}, noAsync);
  const lone = new AcceptThreadDelegation({
    delegator,
    bytes: Buffer.from('/echo'),
    counters: new Float64Array(COUNTERS),
    refused,
    clock,
    timeoutMs: TIMEOUT_MS,
    exchanges: 1,
    inlineRunner: runner,
    hasWorkers: false,
    tasks: app.tasks,
    handOffs: undefined,
    onUserCode: () => {},
  });
  throws(() => lone.delegate(0, 0, 0, 0, 5), /attached at start/);
});

test('beyond the queue a task runs in this thread, if that is the policy', () => {
  const fixture = new Fixture(1, true);
  const slots = Array.from({ length: HOLDERS + 1 }, () => fixture.bench.open());
  const last = slots.pop()!;
  const first = slots.pop()!;
  for (const slot of slots) equal(fixture.bench.exchange(slot, get('/echo')), '');
  equal(fixture.bench.count('tasksRunInline'), 0);
  // The last holder is a spare one: its task runs at once, and it is there for the next one.
  for (const slot of [first, last])
    match(fixture.bench.exchange(slot, get('/echo')), /^HTTP.1.1 200/);
  equal(fixture.bench.count('tasksRunInline'), 2);
  equal(fixture.bench.count('taskHoldersDry'), 0);
  fixture.work();
  fixture.delegation.runCompletions(256);
  fixture.delegator.assertAllFree();
});
