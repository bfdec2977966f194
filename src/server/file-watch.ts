// Tells when sources of a project change: files below a folder that a program is written in.
// Dependencies and hidden folders are left out. Control plane.

import type { FSWatcher } from 'node:fs';
import { existsSync, readdirSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';

const SOURCE = /\.(?:[cm]?[jt]s|[jt]sx|json)$/;
const LEFT_OUT = /^(?:node_modules$|\.)/;
/** Editors write a file in several steps, and tools several files. */
const SETTLE_MS = 50;

/** The folder whose sources belong to `file`: that of its package, or its own without one. */
export function projectFolder(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return dirname(file);
  }
}

export class FileWatch {
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string, onChange: () => void) {
    this.#onChange = onChange;
    this.#add(folder);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #add(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, (_event, name) => this.#onEvent(folder, name));
      watcher.on('error', () => this.#remove(folder));
      this.#watchers.set(folder, watcher);
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory() && !LEFT_OUT.test(entry.name)) this.#add(join(folder, entry.name));
      }
    } catch {
      // It has gone meanwhile.
      this.#remove(folder);
    }
  }

  #remove(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #onEvent(folder: string, name: string | null): void {
    if (name === null || LEFT_OUT.test(name)) return;
    const path = join(folder, name);
    if (!existsSync(path)) this.#remove(path);
    else if (isFolder(path)) this.#add(path);
    if (!isSource(name)) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onChange, SETTLE_MS);
  }
}

/** A file of this name is a part of a program. */
export function isSource(name: string): boolean {
  return SOURCE.test(name) && !LEFT_OUT.test(name);
}

function isFolder(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch {
    return false;
  }
}
