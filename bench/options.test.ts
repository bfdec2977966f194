import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { secondsOf } from './measure.ts';
import { parseOptions } from './options.ts';

test('the defaults', () => {
  const { rounds, size, scenarios, servers } = parseOptions([]);
  deepEqual({ rounds, size, servers }, { rounds: 5, size: { seconds: 3 }, servers: undefined });
  deepEqual(
    scenarios.map(({ name }) => name),
    ['keep-alive', 'pipelined', 'connect'],
  );
});

test('lists and numbers', () => {
  const line = '--rounds 2 --requests 1000 --only connect,keep-alive --servers epoll,node-http';
  const { rounds, size, scenarios, servers } = parseOptions(line.split(' '));
  deepEqual({ rounds, size }, { rounds: 2, size: { requests: 1000 } });
  deepEqual(servers, ['epoll', 'node-http']);
  deepEqual(
    scenarios.map(({ name }) => name),
    ['keep-alive', 'connect'],
  );
});

test('more scenarios, by name or all', () => {
  const names = (...line: string[]) => parseOptions(line).scenarios.map(({ name }) => name);
  deepEqual(names('--only', 'upload,10k'), ['10k', 'upload']);
  const all = ['keep-alive', 'pipelined', 'connect', 'json', '10k', '1m', 'browser', 'upload'];
  deepEqual(names('--all'), all);
});

test('wrong usage is a sentence', () => {
  throws(() => parseOptions(['--rounds', '0']), /--rounds: "0" is not a whole number/);
  throws(() => parseOptions(['--seconds', '1.5']), /--seconds/);
  throws(() => parseOptions(['--seconds', '1', '--requests', '1']), /exclude/);
  throws(() => parseOptions(['--only', 'nothing']), /there is no "nothing", only keep-alive/);
  throws(() => parseOptions(['--all', '--only', '1m']), /--all and --only exclude each other/);
  throws(() => parseOptions(['--surprise']), /surprise/);
});

test('a number of requests becomes whole seconds, within bounds', () => {
  equal(secondsOf({ seconds: 3 }, 1), 3);
  equal(secondsOf({ requests: 250_000 }, 100_000), 3);
  equal(secondsOf({ requests: 1 }, 100_000), 1);
  equal(secondsOf({ requests: 1e9 }, 100_000), 60);
  equal(secondsOf({ requests: 10 }, 0), 10);
});
