#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
// The program's entry, in plain JavaScript, so that a Node that is too old can run it and say so.

import { existsSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 26 || (major === 26 && minor < 9)) {
  console.error(`millrace: Node.js 26.9 or later is needed, this is ${process.versions.node}`);
  process.exit(1);
}
// The repository runs from its sources; the package has none, and is compiled.
const source = new URL('../src/cli/main.ts', import.meta.url);
await import(existsSync(source) ? source : new URL('../dist/cli/main.js', import.meta.url));
