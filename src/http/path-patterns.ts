// Paths with parameters: a tree of segments, in which a request's path is walked from the left. In
// each segment the exact text is tried first, then a parameter, then the wildcard, which takes the
// rest; what leads nowhere is taken back.
//
//     /users/:id        a parameter is one segment that is not empty
//     /users/:id/posts
//     /files/*          the wildcard is all that is left, which may be empty: "/files/" has it
//
// Built at start, then immutable. `find` is data plane. What the parameters are stands in `starts`
// and `sizes` until the next `find`: the bytes as they were sent, nothing is decoded.

import { ascii, SLASH } from './characters.ts';

/** The most parameters of a path, its wildcard included. */
export const PARAMETERS_MAX = 16;

const NAME = /^:[A-Za-z_][A-Za-z0-9_]*$/;

interface Node {
  readonly texts: Uint8Array[];
  readonly children: Node[];
  parameter: Node | undefined;
  /** The pattern that ends here; the one that ends with a wildcard here; or -1. */
  pattern: number;
  wildcard: number;
}

/** True exactly when a path has parameters or a wildcard. Control plane. */
export function isPattern(path: string): boolean {
  return /\/[:*]/.test(path);
}

/** The names of the parameters, in their order; "*" of the wildcard. Control plane. */
export function parameterNames(path: string): string[] {
  const segments = path.split('/').filter((segment) => /^[:*]/.test(segment));
  return segments.map((segment) => (segment === '*' ? '*' : segment.slice(1)));
}

/** What is wrong with a pattern, or undefined. Control plane. */
export function patternFault(path: string): string | undefined {
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith(':') && !NAME.test(segment)) {
      return `"${segment}" is no name of a parameter: a letter, then letters and digits`;
    }
    // Taken literally it would be a path that hardly anyone means, or asks for.
    if (segment.includes('*') && segment !== '*') {
      return `"${segment}": a wildcard is a segment of its own, "*", and has no name`;
    }
    if (segment === '*' && index !== segments.length - 1) return 'a wildcard is the last segment';
  }
  const names = parameterNames(path);
  if (new Set(names).size !== names.length) return 'two of its parameters have one name';
  if (names.length > PARAMETERS_MAX) return `it has more than ${PARAMETERS_MAX} parameters`;
  return undefined;
}

/** Patterns that differ in names only are the same one. Control plane. */
export function patternShape(path: string): string {
  return path.replace(/\/:[^/]*/g, '/:');
}

export class PathPatterns {
  /** Of the path that was found: where each parameter begins in it, and how long it is. */
  readonly starts = new Int32Array(PARAMETERS_MAX);
  readonly sizes = new Int32Array(PARAMETERS_MAX);
  /** True exactly when a pattern had the path, but was not accepted. */
  sawPath = false;
  readonly #root: Node = newNode();
  #bytes: Uint8Array = ascii('');
  #offset = 0;
  #end = 0;
  #mask = 0;
  // By pattern: whom it is for, as bits.
  readonly #masks: Int32Array;

  /** Each pattern is found for those who ask with a bit of its mask. Control plane. */
  constructor(patterns: readonly string[], masks: Int32Array) {
    this.#masks = masks;
    for (const [index, pattern] of patterns.entries()) this.#insert(pattern, index);
  }

  /** The best pattern for a path and a bit, or -1. */
  find(bytes: Uint8Array, offset: number, size: number, mask: number): number {
    this.sawPath = false;
    // "*" and the authority of CONNECT are no paths.
    if (bytes[offset] !== SLASH) return -1;
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = offset + size;
    this.#mask = mask;
    return this.#walk(this.#root, offset + 1, 0);
  }

  #walk(node: Node, at: number, depth: number): number {
    const bytes = this.#bytes;
    let segmentEnd = at;
    while (segmentEnd < this.#end && bytes[segmentEnd] !== SLASH) segmentEnd++;
    for (let index = 0; index < node.children.length; index++) {
      if (!isText(node.texts[index]!, bytes, at, segmentEnd)) continue;
      const found = this.#next(node.children[index]!, segmentEnd, depth);
      if (found >= 0) return found;
    }
    if (node.parameter !== undefined && segmentEnd > at) {
      const found = this.#next(node.parameter, segmentEnd, depth + 1);
      if (found >= 0) return this.#note(depth, at, segmentEnd, found);
    }
    if (node.wildcard < 0 || !this.#accepts(node.wildcard)) return -1;
    return this.#note(depth, at, this.#end, node.wildcard);
  }

  #next(node: Node, segmentEnd: number, depth: number): number {
    if (segmentEnd < this.#end) return this.#walk(node, segmentEnd + 1, depth);
    return node.pattern >= 0 && this.#accepts(node.pattern) ? node.pattern : -1;
  }

  #accepts(pattern: number): boolean {
    if ((this.#masks[pattern]! & this.#mask) !== 0) return true;
    this.sawPath = true;
    return false;
  }

  #note(depth: number, start: number, end: number, found: number): number {
    this.starts[depth] = start - this.#offset;
    this.sizes[depth] = end - start;
    return found;
  }

  // Control plane.
  #insert(pattern: string, index: number): void {
    let node = this.#root;
    for (const segment of pattern.split('/').slice(1)) {
      if (segment === '*') {
        node.wildcard = index;
        return;
      }
      node = segment.startsWith(':') ? parameterOf(node) : childOf(node, segment);
    }
    node.pattern = index;
  }
}

function isText(text: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let index = 0; index < text.length; index++) {
    if (text[index] !== bytes[start + index]) return false;
  }
  return true;
}

// Control plane.
function newNode(): Node {
  return { texts: [], children: [], parameter: undefined, pattern: -1, wildcard: -1 };
}

// Control plane.
function parameterOf(node: Node): Node {
  node.parameter ??= newNode();
  return node.parameter;
}

// Control plane.
function childOf(node: Node, segment: string): Node {
  const text = ascii(segment);
  const index = node.texts.findIndex((each) => isText(each, text, 0, text.length));
  if (index >= 0) return node.children[index]!;
  const child = newNode();
  node.texts.push(text);
  node.children.push(child);
  return child;
}
