// The options of a server that a program starts, completed with the defaults of the command line.
// Control plane.

import { isIP, SocketAddress } from 'node:net';
import { availableParallelism } from 'node:os';
import type { RequestOptions, ServerOptions } from '../base/options.ts';

/** What `serve` takes; what is left out is as on the command line. */
export interface ServeOptions extends Partial<Omit<ServerOptions, 'requests'>> {
  /** Timeouts and limits of requests. */
  readonly requests?: Partial<RequestOptions>;
  /** Takes the lines of the log, which otherwise go to stderr. */
  readonly log?: (line: string) => void;
}

const REQUESTS: RequestOptions = {
  keepAliveTimeoutMs: 75_000,
  headerTimeoutMs: 20_000,
  bodyTimeoutMs: 20_000,
  sendTimeoutMs: 20_000,
  handlerTimeoutMs: 30_000,
  bodySizeMax: 1_048_576,
  requestsMax: 1_000_000,
};

/** Whole numbers, and the least and the most that each may be. */
const RANGES: readonly (readonly [name: keyof ServerOptions, min: number, max: number])[] = [
  ['port', 0, 65_535],
  ['acceptThreads', 1, 1024],
  ['acceptCapacity', 1, 1_000_000],
  ['workerThreads', 0, 4096],
  ['workerConcurrency', 1, 65_536],
  ['taskTimeoutMs', 1, 86_400_000],
  ['drainTimeoutMs', 1, 86_400_000],
  ['slowDuration', 0, 86_400_000],
  ['taskSize', 64, 16_777_216],
  ['taskQueue', 0, 16_384],
  ['taskDeaths', 0, 1_000_000],
  ['workerNice', 0, 19],
  ['workerHeap', 0, 1_048_576],
];
const REQUEST_MAX = 2 ** 31 - 1;

/** What a host has to be that cannot be listened on as it is written; undefined for others. */
export function hostFault(host: string): string | undefined {
  if (isIP(host) === 0) return 'an IPv4 or IPv6 address';
  if (host.includes('%')) return 'an address without a zone';
  if (isIP(host) === 4) return undefined;
  const { address } = new SocketAddress({ address: host, family: 'ipv6' });
  // RFC 4291 section 2.5.5.2. A listener of IPv6 leaves IPv4 alone.
  const isMapped = address.startsWith('::ffff:') && address.includes('.');
  return isMapped ? 'the IPv4 address itself, where one is meant' : undefined;
}

/** @throws RangeError for a value that no server can have, and for a name that no option has. */
export function completeOptions({ log: _log, requests, ...given }: ServeOptions): ServerOptions {
  const acceptThreads = given.acceptThreads ?? availableParallelism();
  const defaults: ServerOptions = {
    port: 9000,
    host: '127.0.0.1',
    acceptCapacity: 100_000,
    workerThreads: acceptThreads,
    workerConcurrency: 32,
    taskTimeoutMs: 30_000,
    taskSize: 2048,
    taskQueue: 0,
    taskQueueFull: 'refuse',
    taskDeaths: 5,
    workerNice: 0,
    workerHeap: 0,
    demoFaults: false,
    slowDuration: 30,
    drainTimeoutMs: 10_000,
    backend: 'auto',
    verbose: false,
    acceptThreads,
    requests: REQUESTS,
  };
  refuseUnknown('', given, defaults);
  refuseUnknown('requests.', requests ?? {}, REQUESTS);
  const options: ServerOptions = {
    ...defaults,
    ...given,
    acceptThreads,
    requests: { ...REQUESTS, ...requests },
  };
  for (const [name, min, max] of RANGES) check(name, options[name], min, max);
  for (const [name, value] of Object.entries(options.requests)) {
    check(`requests.${name}`, value, name === 'bodySizeMax' ? 0 : 1, REQUEST_MAX);
  }
  const fault = hostFault(options.host);
  if (fault !== undefined) throw new RangeError(`host is ${fault}, not ${options.host}`);
  return options;
}

function refuseUnknown(prefix: string, given: object, known: object): void {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  const names = unknown.map((name) => prefix + name).join(', ');
  throw new RangeError(`there is no option ${names}`);
}

function check(name: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw new RangeError(`${name} is a whole number from ${min} to ${max}, not ${String(value)}`);
}
