// The command line as data: from one table come parsing, environment variables, the config file,
// the help and the checks. A flag wins over its environment variable, which wins over the config
// file. Control plane.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { ServerOptions } from '../base/options.ts';
import type { Read, Value } from './option-values.ts';
import {
  address,
  backend,
  flag,
  integer,
  seconds,
  taskQueueFull,
  UsageError,
} from './option-values.ts';

export { UsageError };

interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  /** What stands for the value in the help; none for a switch. */
  readonly value?: string;
  readonly help: string;
  readonly fallback: string;
  /** Shown instead of `fallback`. */
  readonly fallbackHelp?: string;
}

const CPUS = String(availableParallelism());

const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'port',
    short: 'p',
    value: 'PORT',
    help: 'listen port, 0 picks a free one',
    fallback: '9000',
  },
  {
    name: 'host',
    short: 'H',
    value: 'ADDRESS',
    help: 'listen address, IPv4 or IPv6',
    fallback: '127.0.0.1',
  },
  {
    name: 'accept-threads',
    short: 'A',
    value: 'N',
    help: 'accept threads',
    fallback: CPUS,
    fallbackHelp: `the CPUs available, ${CPUS}`,
  },
  {
    name: 'accept-capacity',
    short: 'C',
    value: 'N',
    help: 'most simultaneous connections of one accept thread',
    fallback: '100000',
  },
  {
    name: 'worker-threads',
    short: 'w',
    value: 'N',
    help: 'worker threads; 0 runs tasks in the accept thread',
    fallback: '',
    fallbackHelp: 'as many as accept threads',
  },
  {
    name: 'worker-concurrency',
    value: 'N',
    help: 'most async tasks that a worker runs at a time',
    fallback: '32',
  },
  {
    name: 'task-timeout',
    value: 'SECONDS',
    help: 'how long a task may take; a worker stuck in it is replaced',
    fallback: '30',
  },
  {
    name: 'task-size',
    value: 'BYTES',
    help: 'what the input or the result of a task may have',
    fallback: '2048',
  },
  {
    name: 'task-queue',
    value: 'N',
    help: 'most tasks of one accept thread that wait or run',
    fallback: '',
    fallbackHelp: 'as the capacity, up to 4096',
  },
  {
    name: 'task-queue-full',
    value: 'POLICY',
    help: 'refuse: 503; inline: the accept thread runs what is more',
    fallback: 'refuse',
  },
  {
    name: 'task-deaths',
    value: 'N',
    help: 'workers that a task may end in a minute, then 503; 0: any number',
    fallback: '5',
  },
  {
    name: 'worker-nice',
    value: 'N',
    help: 'lowers the priority of workers where CPUs are short, 0 to 19',
    fallback: '0',
  },
  {
    name: 'worker-heap',
    value: 'MIB',
    help: 'largest JavaScript heap of a worker; one that needs more is replaced',
    fallback: '',
    fallbackHelp: 'as Node decides',
  },
  {
    name: 'slow-duration',
    short: 'D',
    value: 'MS',
    help: "how long the demo's slow task takes, in milliseconds",
    fallback: '30',
  },
  {
    name: 'demo-faults',
    help: 'the demo serves /test/fail too, which ends or blocks workers',
    fallback: 'false',
  },
  {
    name: 'keep-alive-timeout',
    value: 'SECONDS',
    help: 'how long a connection may wait for its next request',
    fallback: '75',
  },
  {
    name: 'header-timeout',
    value: 'SECONDS',
    help: 'how long the head of a request may take',
    fallback: '20',
  },
  {
    name: 'body-timeout',
    value: 'SECONDS',
    help: 'how long a body may pause; as a whole, 1 s more for each KiB',
    fallback: '20',
  },
  {
    name: 'send-timeout',
    value: 'SECONDS',
    help: 'how long a peer may take for 16 KiB of a response',
    fallback: '20',
  },
  {
    name: 'handler-timeout',
    value: 'SECONDS',
    help: 'how long a handler may take until its response begins',
    fallback: '30',
  },
  {
    name: 'body-limit',
    value: 'BYTES',
    help: 'largest body that is read as a whole; streams have none',
    fallback: '1048576',
  },
  {
    name: 'requests-per-connection',
    value: 'N',
    help: 'requests of a connection before it is closed',
    fallback: '1000000',
  },
  {
    name: 'drain-timeout',
    value: 'SECONDS',
    help: 'how long a server that ends waits for what is in flight',
    fallback: '10',
  },
  { name: 'backend', value: 'NAME', help: 'auto, io_uring or epoll', fallback: 'auto' },
  {
    name: 'config',
    value: 'FILE',
    help: 'a JSON file with long option names as keys',
    fallback: '',
    fallbackHelp: 'none',
  },
  {
    name: 'daemonize',
    short: 'd',
    help: 'run in the background once the server is ready',
    fallback: 'false',
  },
  {
    name: 'watch',
    help: "restart the threads when the application's sources change",
    fallback: 'false',
  },
  {
    name: 'verbose',
    short: 'v',
    help: 'say more, and print the counters of every thread at the end',
    fallback: 'false',
  },
  { name: 'help', short: 'h', help: 'show this help', fallback: 'false' },
  { name: 'version', help: 'show the version', fallback: 'false' },
];

/** Bytes of a task, and of all tasks together. */
const TASK_SIZE_MAX = 16 * 1024 * 1024;
const TASKS_SIZE_MAX = 8 * 1024 * 1024 * 1024;
/** The most tasks of a server: what the queue can name, and one to spare for each thread. */
const TASKS_MAX = 15_360;

export interface CommandLine {
  readonly server: ServerOptions;
  /** The application's module, as it was named; undefined for the demo. */
  readonly app: string | undefined;
  readonly daemonize: boolean;
  /** Restart the threads when sources of the application change. */
  readonly watch: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

/** @throws UsageError */
export function parseCommandLine(args: readonly string[], env: NodeJS.ProcessEnv): CommandLine {
  const { values, positionals } = parseFlags(args);
  if (positionals.length > 1) throw new UsageError(`unexpected argument "${positionals[1]}"`);
  const configPath = values.config ?? env.MILLRACE_CONFIG;
  const config = configPath === undefined ? {} : readConfig(configPath);
  const read: Read = (name) => {
    const variable = environmentName(name);
    const said = [
      { text: values[name], from: `--${name}` },
      { text: env[variable], from: variable },
      { text: config[name], from: `config file ${configPath}: "${name}"` },
    ].find(({ text }) => text !== undefined);
    const { fallback } = OPTIONS.find((option) => option.name === name)!;
    return { from: `--${name}`, text: fallback, ...said } as Value;
  };
  const acceptThreads = integer(read, 'accept-threads', 1, 1024);
  const workerThreads =
    read('worker-threads').text === '' ? acceptThreads : integer(read, 'worker-threads', 0, 4096);
  const taskSize = integer(read, 'task-size', 64, TASK_SIZE_MAX);
  const taskQueueMax = Math.floor(TASKS_SIZE_MAX / acceptThreads / taskSize);
  const taskQueue =
    read('task-queue').text === ''
      ? 0
      : integer(
          read,
          'task-queue',
          1,
          Math.min(taskQueueMax, Math.floor(TASKS_MAX / acceptThreads)),
        );
  return {
    server: {
      port: integer(read, 'port', 0, 65_535),
      host: address(read('host')),
      acceptThreads,
      acceptCapacity: integer(read, 'accept-capacity', 1, 1_000_000),
      workerThreads,
      workerConcurrency: integer(read, 'worker-concurrency', 1, 65_536),
      taskTimeoutMs: seconds(read, 'task-timeout', 86_400),
      taskSize,
      taskQueue,
      taskQueueFull: taskQueueFull(read('task-queue-full')),
      taskDeaths: integer(read, 'task-deaths', 0, 1_000_000),
      workerNice: integer(read, 'worker-nice', 0, 19),
      workerHeap: read('worker-heap').text === '' ? 0 : integer(read, 'worker-heap', 16, 1_048_576),
      demoFaults: flag(read, 'demo-faults'),
      slowDuration: integer(read, 'slow-duration', 0, 86_400_000),
      requests: {
        keepAliveTimeoutMs: seconds(read, 'keep-alive-timeout', 86_400),
        headerTimeoutMs: seconds(read, 'header-timeout', 86_400),
        bodyTimeoutMs: seconds(read, 'body-timeout', 86_400),
        sendTimeoutMs: seconds(read, 'send-timeout', 86_400),
        handlerTimeoutMs: seconds(read, 'handler-timeout', 86_400),
        bodySizeMax: integer(read, 'body-limit', 0, 2 ** 31 - 1),
        requestsMax: integer(read, 'requests-per-connection', 1, 2 ** 31 - 1),
      },
      drainTimeoutMs: seconds(read, 'drain-timeout', 86_400),
      backend: backend(read('backend')),
      verbose: flag(read, 'verbose'),
    },
    app: positionals[0],
    daemonize: flag(read, 'daemonize'),
    watch: flag(read, 'watch'),
    help: flag(read, 'help'),
    version: flag(read, 'version'),
  };
}

/** The help, made from the table. */
export function helpText(): string {
  const lines = OPTIONS.map((option) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    const value = option.value === undefined ? '' : ` ${option.value}`;
    const fallback = option.fallbackHelp ?? option.fallback;
    const shown = option.value === undefined ? '' : ` [${fallback}]`;
    return `  ${short}${`--${option.name}${value}`.padEnd(30)} ${option.help}${shown}`;
  });
  return [
    'Usage: millrace [app] [options]',
    '',
    'Serves the application of the module "app", or the built-in demo: GET /test/fast answers in',
    'the accept thread, GET /test/slow is delegated to a worker thread.',
    '',
    'Options [default]:',
    ...lines,
    '',
    'A flag wins over its environment variable (--accept-threads: MILLRACE_ACCEPT_THREADS), which',
    'wins over the config file.',
    '',
    'Signals: SIGTERM and SIGINT answer what is in flight and end, a second one ends at once;',
    'SIGUSR2 prints the counters of every thread.',
    'Exit codes: 0 ok, 1 failure, 2 usage, 69 address unavailable, 77 no permission, 78 config.',
  ].join('\n');
}

function parseFlags(args: readonly string[]): {
  values: Record<string, string | undefined>;
  positionals: string[];
} {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {};
  for (const { name, short, value } of OPTIONS) {
    options[name] = { type: value === undefined ? 'boolean' : 'string' };
    if (short !== undefined) options[name].short = short;
  }
  try {
    const parsed = parseArgs({ args: joinNegative(args), options, allowPositionals: true });
    const values: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(parsed.values)) values[name] = String(value);
    return { values, positionals: parsed.positionals };
  } catch (error) {
    // Node's parser explains at length; its first sentence says what is wrong.
    throw new UsageError((error as Error).message.split(/\.\s/)[0]!);
  }
}

// A value that begins with a dash is ambiguous to Node's parser. A number is none of our flags, and
// its option says best what it may be.
function joinNegative(args: readonly string[]): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1);
    const option = OPTIONS.find(
      ({ name, short, value }) =>
        value !== undefined && (before === `--${name}` || before === `-${short}`),
    );
    if (option !== undefined && /^-\d/.test(arg)) joined.splice(-1, 1, `--${option.name}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

function readConfig(path: string): Record<string, string | undefined> {
  let config: unknown;
  try {
    config = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`config file ${path}: ${(error as Error).message}`);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new UsageError(`config file ${path}: not a JSON object`);
  }
  for (const [name, value] of Object.entries(config)) {
    if (!OPTIONS.some((option) => option.name === name)) {
      throw new UsageError(`config file ${path}: unknown option "${name}"`);
    }
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new UsageError(`config file ${path}: "${name}" is not a string, number or boolean`);
    }
  }
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value)]));
}

function environmentName(name: string): string {
  return `MILLRACE_${name.replaceAll('-', '_').toUpperCase()}`;
}
