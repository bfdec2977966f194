// What the benchmark runs on: the CPUs it may use, the tools it finds, the line that names it all.
// Control plane, like everything in bench/.

import { accessSync, constants, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { delimiter, join } from 'node:path';

export type Tool = {
  readonly name: string;
  readonly purpose: string;
  readonly debianPackage: string;
  /** Where it lies if that is a folder which the PATH of a user often lacks. */
  readonly folder?: string;
};

export const CC: Tool = {
  name: 'cc',
  purpose: 'compiles the C responder (server "epoll"), which is left out',
  debianPackage: 'gcc',
};
export const WRK: Tool = {
  name: 'wrk',
  purpose: 'makes the load; nothing can be measured without it',
  debianPackage: 'wrk',
};
export const TASKSET: Tool = {
  name: 'taskset',
  purpose: 'pins server and load to a CPU each; without it the results are not comparable',
  debianPackage: 'util-linux',
};

export const NGINX_TOOL: Tool = {
  name: 'nginx',
  purpose: 'is the server "nginx", which is left out',
  debianPackage: 'nginx-light',
  folder: '/usr/sbin',
};

/** The one line for a tool that is not there. */
export function missingLine(tool: Tool): string {
  const { name, purpose, debianPackage } = tool;
  return `bench: ${name} is missing: it ${purpose} (Debian package: ${debianPackage})`;
}

export function hasTool(tool: Tool): boolean {
  return toolPath(tool) !== undefined;
}

/** Undefined when it is not there. */
export function toolPath({ name, folder }: Tool): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((entry) => entry !== '');
  if (folder !== undefined) folders.push(folder);
  return folders.map((entry) => join(entry, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The kernel's list format (cpuset(7)): `0-3,8` is 0, 1, 2, 3, 8. */
export function parseCpuList(text: string): number[] {
  const list: number[] = [];
  for (const range of text.trim().split(',')) {
    if (range === '') continue;
    const [first, last = first] = range.split('-').map(Number);
    for (let cpu = first!; cpu <= last!; cpu++) list.push(cpu);
  }
  return list;
}

/** The CPUs this process may run on: maybe fewer than the machine has (proc_pid_status(5)). */
export function allowedCpus(): number[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status);
  return list === null ? [0] : parseCpuList(list[1]!);
}

export function machineLine(allowedCount: number): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  const count = allowedCount === 1 ? '1 CPU' : `${allowedCount} CPUs`;
  return `Linux ${release()} ${process.arch}, ${model}, ${count}, Node ${process.version}`;
}
