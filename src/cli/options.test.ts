import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { completeOptions } from '../server/serve-options.ts';
import type { CommandLine } from './options.ts';
import { helpText, parseCommandLine, UsageError } from './options.ts';

const CPUS = availableParallelism();
const folder = mkdtempSync(join(tmpdir(), 'millrace-options-'));
after(() => rmSync(folder, { recursive: true }));

/** A config file with this text; answers its path. */
function configFile(text: string): string {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, text);
  return path;
}

function parse(args: string, env: Record<string, string> = {}): CommandLine {
  return parseCommandLine(args.split(' ').filter(Boolean), env);
}

function usageError(args: string, env: Record<string, string> = {}): string {
  let message = '';
  throws(
    () => parse(args, env),
    (error) => {
      ok(error instanceof UsageError);
      equal(error.name, 'UsageError');
      message = error.message;
      return true;
    },
  );
  return message;
}

const REQUESTS = {
  keepAliveTimeoutMs: 75_000,
  headerTimeoutMs: 20_000,
  bodyTimeoutMs: 20_000,
  sendTimeoutMs: 20_000,
  handlerTimeoutMs: 30_000,
  bodySizeMax: 1_048_576,
  requestsMax: 1_000_000,
};

test('what is not said has a default', () => {
  deepEqual(parse(''), {
    server: {
      port: 9000,
      host: '127.0.0.1',
      acceptThreads: CPUS,
      acceptCapacity: 100_000,
      workerThreads: CPUS,
      slowDuration: 30,
      drainTimeoutMs: 10_000,
      workerConcurrency: 32,
      taskTimeoutMs: 30_000,
      taskSize: 2048,
      taskQueue: 0,
      taskQueueFull: 'refuse',
      taskDeaths: 5,
      workerNice: 0,
      workerHeap: 0,
      demoFaults: false,
      requests: REQUESTS,
      backend: 'auto',
      verbose: false,
    },
    app: undefined,
    daemonize: false,
    watch: false,
    help: false,
    version: false,
  });
});

// The long flag with its value, what it sets, and the short flag if there is one.
const FLAGS: [flag: string, part: Partial<CommandLine['server']>, short?: string][] = [
  ['--port 0', { port: 0 }, '-p 0'],
  ['--port 65535', { port: 65_535 }, '-p65535'],
  ['--host 0.0.0.0', { host: '0.0.0.0' }, '-H 0.0.0.0'],
  ['--host ::1', { host: '::1' }, '-H ::1'],
  ['--accept-capacity 1', { acceptCapacity: 1 }, '-C 1'],
  ['--accept-capacity 1000000', { acceptCapacity: 1_000_000 }, '-C1000000'],
  ['--worker-threads 0', { workerThreads: 0 }, '-w 0'],
  ['--worker-threads 4096', { workerThreads: 4096 }, '-w 4096'],
  ['--slow-duration 0', { slowDuration: 0 }, '-D 0'],
  ['--slow-duration 86400000', { slowDuration: 86_400_000 }, '-D 86400000'],
  ['--keep-alive-timeout 86400', { requests: { ...REQUESTS, keepAliveTimeoutMs: 86_400_000 } }],
  ['--keep-alive-timeout 0.25', { requests: { ...REQUESTS, keepAliveTimeoutMs: 250 } }],
  ['--keep-alive-timeout 0.0001', { requests: { ...REQUESTS, keepAliveTimeoutMs: 1 } }],
  ['--header-timeout 1.5', { requests: { ...REQUESTS, headerTimeoutMs: 1500 } }],
  ['--body-timeout 2', { requests: { ...REQUESTS, bodyTimeoutMs: 2000 } }],
  ['--send-timeout 3', { requests: { ...REQUESTS, sendTimeoutMs: 3000 } }],
  ['--handler-timeout 3', { requests: { ...REQUESTS, handlerTimeoutMs: 3000 } }],
  ['--body-limit 0', { requests: { ...REQUESTS, bodySizeMax: 0 } }],
  ['--requests-per-connection 1', { requests: { ...REQUESTS, requestsMax: 1 } }],
  ['--task-timeout 0.5', { taskTimeoutMs: 500 }],
  ['--worker-concurrency 1', { workerConcurrency: 1 }],
  ['--drain-timeout 0.5', { drainTimeoutMs: 500 }],
  ['--backend io_uring', { backend: 'io_uring' }],
  ['--backend epoll', { backend: 'epoll' }],
  ['--verbose', { verbose: true }, '-v'],
];

for (const [flag, part, short] of FLAGS) {
  test(`${flag} sets its own option only, as its equals form and its short form do`, () => {
    const expected = { ...parse('').server, ...part };
    deepEqual(parse(flag).server, expected);
    if (flag.includes(' ')) deepEqual(parse(flag.replace(' ', '=')).server, expected);
    if (short !== undefined) deepEqual(parse(short).server, expected);
  });
}

test('there are as many worker threads as accept threads, unless their number is named', () => {
  const { acceptThreads, workerThreads } = parse('-A 7').server;
  deepEqual([acceptThreads, workerThreads], [7, 7]);
  equal(parse('-A 7 -w 0').server.workerThreads, 0);
  equal(parse('-A 1024').server.acceptThreads, 1024);
  equal(parse('-w 3', { MILLRACE_ACCEPT_THREADS: '5' }).server.acceptThreads, 5);
});

test('switches: help, version, daemonize; the application is the one argument', () => {
  for (const args of ['--help', '-h']) equal(parse(args).help, true);
  equal(parse('--version').version, true);
  for (const args of ['--daemonize', '-d']) equal(parse(args).daemonize, true);
  equal(parse('./app.ts -v').app, './app.ts');
  equal(parse('-v -- --app.ts').app, '--app.ts');
  deepEqual([parse('-dv').daemonize, parse('-dv').server.verbose], [true, true]);
});

test('the last of two equal flags wins', () => {
  equal(parse('-p 1 --port 2').server.port, 2);
});

test('a flag wins over the environment, which wins over the config file', () => {
  const config = configFile('{"port": 1, "host": "::1", "worker-threads": 3, "verbose": true}');
  const env = { MILLRACE_PORT: '2', MILLRACE_HOST: '0.0.0.0', MILLRACE_VERBOSE: 'false' };
  const all = parse(`--config ${config} --port 4`, env).server;
  deepEqual([all.port, all.host, all.workerThreads, all.verbose], [4, '0.0.0.0', 3, false]);
  equal(parse(`--config ${config}`, env).server.port, 2);
  equal(parse(`--config ${config}`).server.port, 1);
  equal(parse(`--config ${config}`).server.verbose, true);
  equal(parse(`--config ${config} -p 4`).server.host, '::1');
});

test('every option is also an environment variable, and a key of the config file', () => {
  const values: Record<string, [value: string, read: (line: CommandLine) => unknown]> = {
    port: ['81', (line) => line.server.port],
    host: ['::1', (line) => line.server.host],
    'accept-threads': ['82', (line) => line.server.acceptThreads],
    'accept-capacity': ['83', (line) => line.server.acceptCapacity],
    'worker-threads': ['84', (line) => line.server.workerThreads],
    'slow-duration': ['85', (line) => line.server.slowDuration],
    'keep-alive-timeout': ['0.086', (line) => line.server.requests.keepAliveTimeoutMs / 1000],
    'header-timeout': ['0.087', (line) => line.server.requests.headerTimeoutMs / 1000],
    'body-timeout': ['0.088', (line) => line.server.requests.bodyTimeoutMs / 1000],
    'handler-timeout': ['0.077', (line) => line.server.requests.handlerTimeoutMs / 1000],
    'send-timeout': ['0.089', (line) => line.server.requests.sendTimeoutMs / 1000],
    'body-limit': ['90', (line) => line.server.requests.bodySizeMax],
    'requests-per-connection': ['91', (line) => line.server.requests.requestsMax],
    'task-timeout': ['0.092', (line) => line.server.taskTimeoutMs / 1000],
    'worker-concurrency': ['93', (line) => line.server.workerConcurrency],
    'drain-timeout': ['0.094', (line) => line.server.drainTimeoutMs / 1000],
    backend: ['io_uring', (line) => line.server.backend],
    daemonize: ['true', (line) => line.daemonize],
    watch: ['true', (line) => line.watch],
    verbose: ['true', (line) => line.server.verbose],
    help: ['true', (line) => line.help],
    version: ['true', (line) => line.version],
  };
  for (const [name, [value, read]] of Object.entries(values)) {
    const variable = `MILLRACE_${name.replaceAll('-', '_').toUpperCase()}`;
    equal(String(read(parse('', { [variable]: value }))), value, variable);
    const config = configFile(JSON.stringify({ [name]: value }));
    equal(String(read(parse('', { MILLRACE_CONFIG: config }))), value, name);
  }
});

test('the config file that a flag names wins over that of the environment', () => {
  const [first, second] = [configFile('{"port": 1}'), configFile('{"port": 2}')];
  equal(parse(`--config ${first}`, { MILLRACE_CONFIG: second }).server.port, 1);
});

const MISTAKES: [args: string, message: RegExp][] = [
  ['--port 65536', /^--port is a whole number from 0 to 65535, not "65536"$/],
  ['--port=-1', /--port is a whole number .*"-1"/],
  ['--port=', /--port is a whole number .*""/],
  ['--port 80x', /--port .*"80x"/],
  ['--port 1e3', /--port .*"1e3"/],
  ['--port 80.0', /--port .*"80\.0"/],
  ['--accept-threads 0', /^--accept-threads is a whole number from 1 to 1024, not "0"$/],
  ['-A 1025', /--accept-threads .*"1025"/],
  ['-C 0', /^--accept-capacity is a whole number from 1 to 1000000, not "0"$/],
  ['-C 1000001', /--accept-capacity /],
  ['-w 4097', /^--worker-threads is a whole number from 0 to 4096, not "4097"$/],
  ['-D 86400001', /^--slow-duration is a whole number from 0 to 86400000, not "86400001"$/],
  [
    '--keep-alive-timeout 0',
    /^--keep-alive-timeout is a number of seconds above 0 and up to 86400/,
  ],
  ['--keep-alive-timeout 86400.1', /--keep-alive-timeout /],
  ['--keep-alive-timeout 5s', /--keep-alive-timeout .*"5s"/],
  ['--keep-alive-timeout .5', /--keep-alive-timeout .*"\.5"/],
  ['--host localhost', /^--host is an IPv4 or IPv6 address, not "localhost"$/],
  ['--host 127.0.0.256', /--host /],
  ['--host [::1]', /--host /],
  ['--backend kqueue', /^--backend is auto, io_uring or epoll, not "kqueue"$/],
  ['app.ts other.ts', /^unexpected argument "other\.ts"$/],
  ['--nonsense', /Unknown option '--nonsense'/],
  ['-x', /Unknown option '-x'/],
  ['--port', /argument missing/],
  ['--port -1', /^--port is a whole number from 0 to 65535, not "-1"$/],
  ['-A -1', /^--accept-threads is a whole number from 1 to 1024, not "-1"$/],
  ['--port -v', /'--port' argument is ambiguous/],
  ['-H fe80::1%lo', /^--host is an address without a zone, not "fe80::1%lo"$/],
  ['-H ::ffff:127.0.0.1', /^--host is the IPv4 address itself, .* not "::ffff:127\.0\.0\.1"$/],
  ['-H ::ffff:7f00:1', /^--host is the IPv4 address itself/],
  ['--help=yes', /does not take an argument/],
  ['--verbose=yes', /--verbose/],
];

for (const [args, message] of MISTAKES) {
  test(`a mistake is told: ${args}`, () => {
    const said = usageError(args);
    match(said, message);
    ok(!said.includes('\n'), 'in one line');
  });
}

test('a mistake in the environment is told with the name of its variable', () => {
  equal(
    usageError('', { MILLRACE_PORT: 'http' }),
    'MILLRACE_PORT is a whole number from 0 to 65535, not "http"',
  );
  match(
    usageError('', { MILLRACE_VERBOSE: 'yes' }),
    /^MILLRACE_VERBOSE is true or false, not "yes"/,
  );
  match(
    usageError('', { MILLRACE_DAEMONIZE: '1' }),
    /^MILLRACE_DAEMONIZE is true or false, not "1"/,
  );
});

const CONFIGS: [text: string, message: RegExp][] = [
  ['{', /JSON/],
  ['[]', /: not a JSON object$/],
  ['null', /: not a JSON object$/],
  ['"port"', /: not a JSON object$/],
  ['{"ports": 1}', /: unknown option "ports"$/],
  ['{"acceptThreads": 1}', /: unknown option "acceptThreads"$/],
  ['{"constructor": 1}', /: unknown option "constructor"$/],
  ['{"port": [1]}', /: "port" is not a string, number or boolean$/],
  ['{"port": null}', /: "port" is not a string, number or boolean$/],
  ['{"port": 1.5}', /: "port" is a whole number .*"1\.5"$/],
];

for (const [text, message] of CONFIGS) {
  test(`a mistake in the config file is told: ${text}`, () => {
    const path = configFile(text);
    const said = usageError(`--config ${path}`);
    match(said, message);
    ok(said.startsWith(`config file ${path}: `));
  });
}

test('a config file that is not there is told', () => {
  match(
    usageError('--config /nowhere/config.json'),
    /^config file \/nowhere\/config\.json: ENOENT/,
  );
});

test('the help lists every option with its short form and its default', () => {
  const help = helpText();
  const options: [name: string, short: string | undefined, shown: string | undefined][] = [
    ['port PORT', 'p', '9000'],
    ['host ADDRESS', 'H', '127.0.0.1'],
    ['accept-threads N', 'A', `the CPUs available, ${CPUS}`],
    ['accept-capacity N', 'C', '100000'],
    ['worker-threads N', 'w', 'as many as accept threads'],
    ['worker-concurrency N', undefined, '32'],
    ['task-timeout SECONDS', undefined, '30'],
    ['task-size BYTES', undefined, '2048'],
    ['task-queue N', undefined, 'as the capacity, up to 4096'],
    ['task-queue-full POLICY', undefined, 'refuse'],
    ['task-deaths N', undefined, '5'],
    ['worker-nice N', undefined, '0'],
    ['worker-heap MIB', undefined, 'as Node decides'],
    ['slow-duration MS', 'D', '30'],
    ['demo-faults', undefined, undefined],
    ['keep-alive-timeout SECONDS', undefined, '75'],
    ['header-timeout SECONDS', undefined, '20'],
    ['body-timeout SECONDS', undefined, '20'],
    ['send-timeout SECONDS', undefined, '20'],
    ['handler-timeout SECONDS', undefined, '30'],
    ['body-limit BYTES', undefined, '1048576'],
    ['requests-per-connection N', undefined, '1000000'],
    ['drain-timeout SECONDS', undefined, '10'],
    ['backend NAME', undefined, 'auto'],
    ['config FILE', undefined, 'none'],
    ['daemonize', 'd', undefined],
    ['watch', undefined, undefined],
    ['verbose', 'v', undefined],
    ['help', 'h', undefined],
    ['version', undefined, undefined],
  ];
  for (const [name, short, shown] of options) {
    const line = help.split('\n').find((each) => each.includes(`--${name} `));
    ok(line !== undefined, name);
    equal(line.startsWith(short === undefined ? '      --' : `  -${short}, --`), true, name);
    equal(line.endsWith(`[${shown}]`), shown !== undefined, name);
  }
  equal(help.split('\n').filter((line) => /^ {2}.*--/.test(line)).length, options.length);
});

test('a program that serves has the same defaults', () => {
  deepEqual(completeOptions({}), parseCommandLine([], {}).server);
});

test('the bounds of tasks depend on each other', () => {
  const { server } = parse('-A 4 --task-queue 3840 --task-size 4096 --task-queue-full inline');
  deepEqual([server.taskQueue, server.taskSize, server.taskQueueFull], [3840, 4096, 'inline']);
  match(usageError('-A 4 --task-queue 3841'), /--task-queue is a whole number from 1 to 3840/);
  match(usageError('-A 4 --task-queue 200 --task-size 16777216'), /from 1 to 128/);
  match(usageError('--task-size 63'), /--task-size is a whole number from 64 to 16777216/);
  match(usageError('--task-queue-full wait'), /--task-queue-full is refuse or inline, not "wait"/);
});

test('workers have a priority and a heap', () => {
  const { server } = parse('--worker-nice 19 --worker-heap 64 --demo-faults');
  deepEqual([server.workerNice, server.workerHeap, server.demoFaults], [19, 64, true]);
  match(usageError('--worker-nice -1'), /--worker-nice/);
  match(usageError('--worker-nice 20'), /from 0 to 19/);
  match(usageError('--worker-heap 8'), /from 16 to/);
});
