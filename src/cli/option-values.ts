// The values of options as they were said, by a flag, a variable or the config file: checked, and
// told by the name they were said with. Control plane.

import type { ServerOptions } from '../base/options.ts';
import { hostFault } from '../server/serve-options.ts';

/** Something is wrong with how the program was called: one line, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** What was said of an option, and how whoever said it calls it. */
export interface Value {
  readonly text: string;
  readonly from: string;
}

export type Read = (name: string) => Value;

export function integer(read: Read, name: string, min: number, max: number): number {
  const { text, from } = read(name);
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`${from} is a whole number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}

export function seconds(read: Read, name: string, max: number): number {
  const { text, from } = read(name);
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > max) {
    throw new UsageError(`${from} is a number of seconds above 0 and up to ${max}, not "${text}"`);
  }
  return Math.ceil(value * 1000);
}

export function flag(read: Read, name: string): boolean {
  const { text, from } = read(name);
  if (text !== 'true' && text !== 'false') {
    throw new UsageError(`${from} is true or false, not "${text}"`);
  }
  return text === 'true';
}

export function address({ text, from }: Value): string {
  const fault = hostFault(text);
  if (fault !== undefined) throw new UsageError(`${from} is ${fault}, not "${text}"`);
  return text;
}

export function taskQueueFull({ text, from }: Value): ServerOptions['taskQueueFull'] {
  if (text === 'refuse' || text === 'inline') return text;
  throw new UsageError(`${from} is refuse or inline, not "${text}"`);
}

export function backend({ text, from }: Value): ServerOptions['backend'] {
  if (text === 'auto' || text === 'io_uring' || text === 'epoll') return text;
  throw new UsageError(`${from} is auto, io_uring or epoll, not "${text}"`);
}
