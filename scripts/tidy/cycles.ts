// No file of `src/` imports itself by a detour: a cycle has no order to read or to start it in.
// Control plane: a developer's tool.

import { type Import, importsOf } from './imports.ts';
import { type Finding, isEngine, type Source } from './source.ts';

type Graph = ReadonlyMap<string, readonly Import[]>;

/** Each cycle once, told as the shortest way round from its first file. */
export function cycles(files: readonly Source[]): Finding[] {
  const sources = files.filter(({ path }) => isEngine(path));
  const graph: Graph = new Map(sources.map((file) => [file.path, importsOf(file)]));
  const told = new Set<string>();
  const findings: Finding[] = [];
  for (const path of [...graph.keys()].sort()) {
    if (told.has(path)) continue;
    const way = wayRound(graph, path);
    if (way === null) continue;
    for (const step of way) told.add(step);
    const line = graph.get(path)!.find(({ target }) => target === way[1])!.line;
    findings.push({ path, line, message: `an import cycle: ${way.join(' -> ')}` });
  }
  return findings;
}

// Breadth first, so the answer is a shortest cycle: [path, ..., path], or null.
function wayRound(graph: Graph, path: string): string[] | null {
  const cameFrom = new Map<string, string>();
  const queue = [path];
  for (const at of queue) {
    for (const { target } of graph.get(at) ?? []) {
      if (target === path) return trace(cameFrom, path, at);
      if (target === null || !graph.has(target) || cameFrom.has(target)) continue;
      cameFrom.set(target, at);
      queue.push(target);
    }
  }
  return null;
}

function trace(cameFrom: ReadonlyMap<string, string>, path: string, last: string): string[] {
  const way = [path];
  for (let at: string | undefined = last; at !== undefined && at !== path; at = cameFrom.get(at))
    way.unshift(at);
  way.unshift(path);
  return way;
}
