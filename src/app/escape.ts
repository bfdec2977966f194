// Which functions of an application cannot keep the request and the response that they are given:
// their text is read once, at start. What such a function was given may be given to the next one,
// and costs no allocation; everybody else is given objects of their own. Whatever is not understood
// here counts as kept. Control plane.

import type {
  AnyNode,
  ArrowFunctionExpression,
  Expression,
  FunctionExpression,
  Pattern,
} from 'acorn';
import { parseExpressionAt } from 'acorn';

/** What a function is given: a request, a response, or what may be kept by anybody. */
export type Given = 'request' | 'response' | 'other';

// biome-ignore lint/suspicious/noExplicitAny: any function
type Callable = (...given: any /* any arguments */) => unknown;
/** Judges whether a function may keep what it is given: `mayKeep`, or whoever says so of all. */
export type MayKeep = (code: Callable | undefined, given: readonly Given[]) => boolean;

type FunctionNode = ArrowFunctionExpression | FunctionExpression;
type Names = ReadonlyMap<string, Given>;

// Members that give away nothing by which their object could be reached. Methods are only called.
const GETTERS: Readonly<Record<Given, readonly string[]>> = {
  request: ['method', 'target', 'path', 'query', 'peer'],
  response: ['status', 'begun'],
  other: [],
};
const METHODS: Readonly<Record<Given, readonly string[]>> = {
  request: ['param', 'field', 'fieldLines'],
  response: ['end', 'json', 'redirect'],
  other: [],
};
/** Ways to what a function was given that do not name it. */
const HIDDEN_WAYS: readonly string[] = ['arguments', 'eval'];

/**
 * True unless it is certain that `code` cannot reach what it was given once it has returned. What
 * is undefined is not called.
 */
export function mayKeep(code: Callable | undefined, given: readonly Given[]): boolean {
  if (code === undefined) return false;
  if (showsArguments(code)) return true;
  const node = parse(Function.prototype.toString.call(code));
  if (node === undefined || node.async || node.generator) return true;
  const names = new Map<string, Given>();
  for (const [index, pattern] of node.params.entries()) {
    if (!takesNames(pattern, given[index] ?? 'other', names)) return true;
  }
  return node.params.some((each) => escapesPattern(each, names)) || escapes(node.body, names);
}

// True exactly for a function that is not in strict mode: those that it calls can see what it was
// given, as its property `arguments`. Any other one throws when it is asked for it.
function showsArguments(code: Callable): boolean {
  try {
    return Reflect.get(code, 'arguments') === null;
  } catch {
    return false;
  }
}

function parse(text: string): FunctionNode | undefined {
  const node = parseExpression(`(${text})`);
  if (node?.type === 'ArrowFunctionExpression' || node?.type === 'FunctionExpression') return node;
  const method = parseExpression(`({${text}})`);
  const property = method?.type === 'ObjectExpression' ? method.properties[0] : undefined;
  const value = property?.type === 'Property' ? property.value : undefined;
  return value?.type === 'FunctionExpression' ? value : undefined;
}

function parseExpression(text: string): Expression | undefined {
  try {
    return parseExpressionAt(text, 0, { ecmaVersion: 'latest', sourceType: 'module' });
  } catch {
    return undefined;
  }
}

// Notes the name of a parameter, unless only some members of it have names. False: not understood.
function takesNames(pattern: Pattern, given: Given, names: Map<string, Given>): boolean {
  if (pattern.type === 'Identifier') names.set(pattern.name, given);
  else if (given !== 'other') return isOfGetters(pattern, GETTERS[given]);
  return true;
}

function isOfGetters(pattern: Pattern, getters: readonly string[]): boolean {
  if (pattern.type !== 'ObjectPattern') return false;
  return pattern.properties.every((each) => {
    if (each.type !== 'Property' || each.computed || each.value.type !== 'Identifier') return false;
    return each.key.type === 'Identifier' && getters.includes(each.key.name);
  });
}

function escapesPattern(pattern: Pattern, names: Names): boolean {
  return pattern.type !== 'Identifier' && mentions(pattern, names);
}

// True unless each name of a request or a response stands before a member that gives nothing away,
// and in no function within.
function escapes(node: AnyNode, names: Names): boolean {
  if (node.type === 'CallExpression' && isMember(node.callee, names, METHODS)) {
    return node.arguments.some((each) => escapes(each, names));
  }
  if (isMember(node, names, GETTERS)) return false;
  if (isFunction(node) || node.type === 'Identifier') return mentions(node, names);
  return children(node).some((child) => escapes(child, names));
}

function mentions(node: AnyNode, names: Names): boolean {
  if (node.type !== 'Identifier') return children(node).some((child) => mentions(child, names));
  return (names.get(node.name) ?? 'other') !== 'other' || HIDDEN_WAYS.includes(node.name);
}

function isFunction({ type }: AnyNode): boolean {
  return type.includes('Function') || type.includes('Class');
}

function isMember(node: AnyNode, names: Names, members: typeof GETTERS): boolean {
  if (node.type !== 'MemberExpression' || node.computed || node.optional) return false;
  if (node.object.type !== 'Identifier' || node.property.type !== 'Identifier') return false;
  return members[names.get(node.object.name) ?? 'other'].includes(node.property.name);
}

// What is within a node, but for the names of members.
function children(node: AnyNode): AnyNode[] {
  const isNamed = 'computed' in node && !node.computed;
  const parts = Object.entries(node).filter(
    ([key]) => !isNamed || (key !== 'property' && key !== 'key'),
  );
  return parts.flatMap(([, part]) => part).filter(isNode);
}

function isNode(part: unknown): part is AnyNode {
  return typeof (part as Partial<AnyNode> | null)?.type === 'string';
}
