// The program: options in, a server, signals, exit code out. Control plane.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorText } from '../base/error-text.ts';
import { MODULE_EXTENSION, prepareModules } from '../base/modules.ts';
import { useCompileCache } from '../server/compile-cache.ts';
import { formatSize } from '../server/memory-plan.ts';
import type { Server } from '../server/server.ts';
import { EXIT_FAILURE, EXIT_USAGE, StartError } from '../server/start-error.ts';
import { daemonize, isDaemon, logAsDaemon, tellReady } from './daemonize.ts';
import type { CommandLine } from './options.ts';
import { helpText, parseCommandLine, UsageError } from './options.ts';

const DEMO = new URL(`../demo/app${MODULE_EXTENSION}`, import.meta.url).href;

// What SIGUSR2 is answered with; undefined while there is no server.
let reported: () => Server | undefined = () => undefined;

async function main(): Promise<void> {
  // First of all: until there is a handler, the signal ends the process (signal(7)).
  process.on('SIGUSR2', () => void printReport());
  const commandLine = parseCommandLine(process.argv.slice(2), process.env);
  if (commandLine.help) return print(helpText());
  if (commandLine.version) return print(version());
  const app = appUrl(commandLine);
  if (commandLine.watch && commandLine.daemonize) {
    throw new UsageError('--watch is for the foreground: it does not go with --daemonize');
  }
  if (commandLine.daemonize && !isDaemon()) return daemonize();
  useCompileCache();
  prepareModules();
  // The engine is loaded only when it is needed: usage errors and the help need no FFI.
  const { Server } = await import('../server/server.ts');
  if (commandLine.watch) return watch(commandLine, app);
  const server = await Server.start(commandLine.server, app, log, {
    onServing: (serving) =>
      handleSignals(
        () => serving.drain(),
        () => serving,
      ),
  });
  if (!server.isDraining) {
    tell(server);
    tellReady(readyLine(server));
  }
  await server.ended;
  printCounters(server);
}

async function watch(commandLine: CommandLine, app: string): Promise<void> {
  const { WatchedServer } = await import('../server/watched-server.ts');
  const watched = await WatchedServer.start(commandLine.server, app, log, tell);
  handleSignals(
    () => watched.drain(),
    () => watched.server,
  );
  await watched.ended;
  if (watched.server !== undefined) printCounters(watched.server);
}

function handleSignals(drain: () => void, server: () => Server | undefined): void {
  reported = server;
  let asked = false;
  const end = (): void => {
    if (asked) process.exit(EXIT_FAILURE);
    asked = true;
    drain();
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

// The server serves.
function tell(server: Server): void {
  for (const warning of server.warnings) log(warning);
  if (server.options.verbose) log(`memory plan: ${JSON.stringify(server.plan)}`);
  print(readyLine(server));
}

function printCounters(server: Server): void {
  if (!server.options.verbose) return;
  for (const [name, counters] of server.counters()) log(JSON.stringify({ name, counters }));
}

function readyLine(server: Server): string {
  const { acceptThreads, workerThreads, acceptCapacity } = server.options;
  return [
    `millrace is ready on ${server.url}`,
    ...Object.entries(server.ports).map(([name, port]) => `${name} on port ${port}`),
    `${server.choice.backend}: ${server.choice.reason}`,
    `${counted(acceptThreads, 'accept thread')}, ${acceptCapacity} connections each`,
    counted(workerThreads, 'worker thread'),
    `${formatSize(server.plan.totalSize)} of memory planned`,
  ].join(' | ');
}

function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

// One line of JSON for each thread, for people and programs alike.
async function printReport(): Promise<void> {
  const server = reported();
  if (server === undefined) return log('there is nothing to report yet: no server is ready');
  for (const thread of await server.report()) log(JSON.stringify(thread));
}

function appUrl({ app }: CommandLine): string {
  if (app === undefined) return DEMO;
  const path = resolve(app);
  if (!existsSync(path)) throw new UsageError(`there is no application "${app}"`);
  if (statSync(path).isDirectory()) {
    throw new UsageError(`"${app}" is a folder: an application is named by the file of its module`);
  }
  return pathToFileURL(path).href;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return `millrace ${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function log(line: string): void {
  if (isDaemon()) logAsDaemon(`millrace: ${line}\n`);
  else process.stderr.write(`millrace: ${line}\n`);
}

try {
  await main();
} catch (error) {
  if (error instanceof UsageError) {
    log(`${error.message} (see millrace --help)`);
    process.exitCode = EXIT_USAGE;
  } else if (error instanceof StartError) {
    log(error.message);
    process.exitCode = error.exitCode;
  } else {
    log(errorText(error));
    process.exitCode = EXIT_FAILURE;
  }
  // Threads that still run would keep the process alive.
  process.exit();
}
