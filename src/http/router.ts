// The route table: which route a path and a method lead to.
//
// Built at start, which throws on a table that contradicts itself, then immutable: each
// thread builds its own from the same list. `find` is data plane: one hash over the path, one
// probe, one comparison; only what has no exact path is looked for among those with parameters
// (`path-patterns.ts`). Paths are compared as the bytes that were sent: nothing is decoded or
// normalised, so "/a%2Fb", "/a/../b" and "/b/" are paths of their own.
//
//     FNV-1a(path) & mask -> slots: path + 1, 0 = free; the next slot when another path is there
//     routes[path * METHODS + method] = the route's index in the list

import { assert } from '../base/assert.ts';
import { ascii, isAll, PATH } from './characters.ts';
import {
  METHOD_GET,
  METHOD_HEAD,
  METHOD_NAMES,
  METHOD_OTHER,
  METHODS,
  methodFromName,
} from './method.ts';
import {
  isPattern,
  PathPatterns,
  parameterNames,
  patternFault,
  patternShape,
} from './path-patterns.ts';

/** What `find` answers when no route has the path. */
export const ROUTE_NOT_FOUND = -1;
/** What `find` answers when routes have the path, but none of them the method: see `allow`. */
export const ROUTE_METHOD_NOT_ALLOWED = -2;

/** The names of the parameters of a path without any. */
export const NO_PARAMETERS: readonly string[] = [];

export type Route = {
  /** A name of METHOD_NAMES. */
  readonly method: string;
  /** Segments that begin with ":" are parameters, a last one that is "*" is the wildcard. */
  readonly path: string;
};

const HASH_FACTOR = 0x0100_0193;

export class Router {
  readonly #mask: number;
  readonly #slots: Int32Array;
  readonly #hashes: Int32Array;
  // The bytes of all paths, one after the other, and where each begins; one more marks the end.
  readonly #bytes: Uint8Array;
  readonly #offsets: Int32Array;
  readonly #routes: Int16Array;
  readonly #pathSizeMax: number;
  readonly #patterns: PathPatterns | undefined;
  // Routes of the patterns, as those of the exact paths.
  readonly #patternRoutes: Int16Array;
  // By set of methods, as bits.
  readonly #allow = new Map<number, string>();
  /** By route: the names of its parameters. */
  readonly parameterNames: readonly (readonly string[])[];

  /** @throws Error when a route is malformed or appears twice. */
  constructor(routes: readonly Route[]) {
    assert(routes.length < 0x8000, 'a route index has 15 bits');
    for (const route of routes) check(route);
    const shapes = routes.map(({ method, path }) => ({ method, path: patternShape(path) }));
    const all = [...new Set(shapes.map(({ path }) => path))];
    const paths = all.filter((path) => !isPattern(path));
    const patterns = all.filter(isPattern);
    const size = capacityFor(paths.length);
    this.#mask = size - 1;
    this.#slots = new Int32Array(size);
    this.#hashes = new Int32Array(paths.length);
    this.#bytes = ascii(paths.join(''));
    this.#offsets = new Int32Array(paths.length + 1);
    this.#pathSizeMax = Math.max(0, ...paths.map((path) => path.length));
    paths.forEach((path, index) => {
      this.#insert(path, index);
    });
    this.#routes = routeTable(shapes, paths, routes);
    this.#patternRoutes = routeTable(shapes, patterns, routes);
    this.parameterNames = routes.map(({ path }) => parameterNames(path));
    this.#patterns =
      patterns.length === 0
        ? undefined
        : new PathPatterns(patterns, maskTable(this.#patternRoutes, patterns.length));
  }

  /** Where a parameter of the route that was found begins in its path; until the next `find`. */
  parameterStart(index: number): number {
    return this.#patterns!.starts[index]!;
  }

  parameterSize(index: number): number {
    return this.#patterns!.sizes[index]!;
  }

  /** The index of the route for a path and a method, or one of the two ROUTE_ answers. */
  find(bytes: Uint8Array, offset: number, size: number, method: number): number {
    assert(method >= METHOD_OTHER && method < METHODS, 'a method has a code');
    const path = this.#find(bytes, offset, size);
    const route = path < 0 ? ROUTE_NOT_FOUND : this.#routes[path * METHODS + method]!;
    if (route >= 0 || this.#patterns === undefined || size === 0) return route;
    const pattern = this.#patterns.find(bytes, offset, size, 1 << method);
    if (pattern >= 0) return this.#patternRoutes[pattern * METHODS + method]!;
    return this.#patterns.sawPath ? ROUTE_METHOD_NOT_ALLOWED : route;
  }

  /** The methods of a path, as the Allow of a 405 lists them (RFC 9110 15.5.6); '' for no path. */
  allow(bytes: Uint8Array, offset: number, size: number): string {
    let methods = 0;
    for (let method = 0; method < METHODS; method++) {
      if (this.find(bytes, offset, size, method) >= 0) methods |= 1 << method;
    }
    return this.#allow.get(methods) ?? this.#allowOf(methods);
  }

  // Once for each set of methods. Control plane.
  #allowOf(methods: number): string {
    const names = METHOD_NAMES.filter((_, method) => (methods & (1 << method)) !== 0);
    this.#allow.set(methods, names.join(', '));
    return names.join(', ');
  }

  #find(bytes: Uint8Array, offset: number, size: number): number {
    if (size === 0 || size > this.#pathSizeMax) return ROUTE_NOT_FOUND;
    const slots = this.#slots;
    const mask = this.#mask;
    const hash = hashOf(bytes, offset, size);
    // It ends: at least half of the slots are free.
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const path = slots[slot]! - 1;
      if (path < 0) return ROUTE_NOT_FOUND;
      if (this.#hashes[path] === hash && this.#isPath(path, bytes, offset, size)) return path;
    }
  }

  #isPath(path: number, bytes: Uint8Array, offset: number, size: number): boolean {
    const ours = this.#bytes;
    const first = this.#offsets[path]!;
    if (this.#offsets[path + 1]! - first !== size) return false;
    for (let i = 0; i < size; i++) {
      if (ours[first + i] !== bytes[offset + i]) return false;
    }
    return true;
  }

  // Control plane.
  #insert(path: string, index: number): void {
    const hash = hashOf(ascii(path), 0, path.length);
    let slot = hash & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = index + 1;
    this.#hashes[index] = hash;
    this.#offsets[index + 1] = this.#offsets[index]! + path.length;
  }
}

// The size and five bytes of the path: enough to tell most paths of an application apart, and a
// path that is found is compared in full anyway. A peer cannot fill the table, so it need not be
// keyed.
function hashOf(bytes: Uint8Array, offset: number, size: number): number {
  const last = offset + size - 1;
  let hash = size;
  hash = Math.imul(hash, HASH_FACTOR) ^ bytes[last]!;
  hash = Math.imul(hash, HASH_FACTOR) ^ bytes[last - (size >> 3)]!;
  hash = Math.imul(hash, HASH_FACTOR) ^ bytes[last - (size >> 2)]!;
  hash = Math.imul(hash, HASH_FACTOR) ^ bytes[offset + (size >> 1)]!;
  hash = Math.imul(hash, HASH_FACTOR) ^ bytes[offset + (size >> 2)]!;
  return hash ^ (hash >>> 15);
}

// A power of two, of which the paths take at most half. Control plane.
function capacityFor(paths: number): number {
  let capacity = 2;
  while (capacity < 2 * paths) capacity *= 2;
  return capacity;
}

// `shapes` are the routes, with the paths as they are in `paths`. Control plane.
function routeTable(
  shapes: readonly Route[],
  paths: readonly string[],
  routes: readonly Route[],
): Int16Array {
  const table = new Int16Array(paths.length * METHODS).fill(ROUTE_METHOD_NOT_ALLOWED);
  const indexOf = new Map(paths.map((path, index) => [path, index]));
  for (const [route, { method, path }] of shapes.entries()) {
    const index = indexOf.get(path);
    if (index === undefined) continue;
    const at = index * METHODS + methodFromName(method);
    const other = table[at]!;
    const name = `${method} ${routes[route]!.path}`;
    if (other >= 0 && routes[other]!.path === routes[route]!.path) {
      throw new Error(`duplicate route: ${name}`);
    }
    if (other >= 0) {
      throw new Error(`route "${name}" is the same as "${method} ${routes[other]!.path}"`);
    }
    table[at] = route;
  }
  answerHead(table);
  return table;
}

// By path: its methods as bits. Control plane.
function maskTable(table: Int16Array, paths: number): Int32Array {
  return Int32Array.from({ length: paths }, (_, path) => {
    let mask = 0;
    for (let method = 0; method < METHODS; method++) {
      if (table[path * METHODS + method]! >= 0) mask |= 1 << method;
    }
    return mask;
  });
}

// What answers GET answers HEAD, RFC 9110 9.1 and 9.3.2, unless HEAD has a route of its own.
// Control plane.
function answerHead(table: Int16Array): void {
  for (let at = 0; at < table.length; at += METHODS) {
    if (table[at + METHOD_HEAD]! < 0) table[at + METHOD_HEAD] = table[at + METHOD_GET]!;
  }
}

// Control plane.
function check(route: Route): void {
  const { method, path } = route;
  const name = `${method} ${path}`;
  if (methodFromName(method) === METHOD_OTHER)
    throw new Error(`route "${name}": the method is none of ${METHOD_NAMES.slice(1).join(', ')}`);
  if (!path.startsWith('/')) throw new Error(`route "${name}": the path has no leading slash`);
  if (!/^[\x21-\x7e]+$/.test(path) || !isAll(ascii(path), 0, path.length, PATH))
    throw new Error(`route "${name}": the path holds a character that no request path holds`);
  const fault = patternFault(path);
  if (fault !== undefined) throw new Error(`route "${name}": ${fault}`);
}
