// Streams made of the corpus: some requests one behind the other, changed a few times.

import type { Prng } from '../support/prng.ts';
import { CORPUS, DICTIONARY, VALID } from './corpus.ts';

type Mutation = (text: string, random: Prng) => string;

const SPAN_MAX = 24;

/** A stream of Latin-1 characters: most of it valid, and every third one not changed. */
export function makeStream(random: Prng): string {
  let stream = '';
  for (let count = random(4); count >= 0; count--)
    stream += pick(random(4) === 0 ? CORPUS : VALID, random);
  if (random(3) === 0) return stream;
  for (let count = random(3); count >= 0; count--) stream = pick(MUTATIONS, random)(stream, random);
  return stream;
}

/** Ascending offsets where a stream of this size is cut; some of them are the same. */
export function makeCuts(size: number, random: Prng): number[] {
  if (random(8) === 0) return Array.from({ length: size }, (_, index) => index);
  return Array.from({ length: 1 + random(6) }, () => random(size + 1)).sort((a, b) => a - b);
}

const pick = <T>(of: readonly T[], random: Prng): T => of[random(of.length)]!;

/** `text` with the characters from `at` replaced. */
const splice = (text: string, at: number, removed: number, inserted: string): string =>
  text.slice(0, at) + inserted + text.slice(at + removed);

const insertWord: Mutation = (text, random) =>
  splice(text, random(text.length + 1), 0, pick(DICTIONARY, random));

const replaceByWord: Mutation = (text, random) => {
  const word = pick(DICTIONARY, random);
  return splice(text, random(text.length + 1), word.length, word);
};

const replaceByte: Mutation = (text, random) =>
  splice(text, random(text.length + 1), 1, String.fromCharCode(random(256)));

const flipBit: Mutation = (text, random) => {
  const at = random(text.length);
  return splice(text, at, 1, String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << random(8))));
};

const remove: Mutation = (text, random) =>
  splice(text, random(text.length + 1), 1 + random(SPAN_MAX), '');

const repeat: Mutation = (text, random) => {
  const at = random(text.length + 1);
  const span = text.slice(at, at + 1 + random(SPAN_MAX));
  return splice(text, at, 0, span.repeat(1 + random(3)));
};

const move: Mutation = (text, random) => {
  const at = random(text.length + 1);
  const span = text.slice(at, at + 1 + random(SPAN_MAX));
  const rest = splice(text, at, span.length, '');
  return splice(rest, random(rest.length + 1), 0, span);
};

const changeCase: Mutation = (text, random) => {
  const at = random(text.length + 1);
  const span = text.slice(at, at + 1 + random(SPAN_MAX));
  // Only of ASCII: others have cases outside Latin-1.
  const other = span.replace(/[a-z]/gi, (letter) =>
    String.fromCharCode(letter.charCodeAt(0) ^ 0x20),
  );
  return splice(text, at, span.length, other);
};

const repeatLine: Mutation = (text, random) => {
  const lines = text.split('\r\n');
  const at = random(lines.length);
  lines.splice(random(lines.length), random(2), lines[at]!);
  return lines.join('\r\n');
};

const cutShort: Mutation = (text, random) => text.slice(0, random(text.length + 1));

const insertRequest: Mutation = (text, random) =>
  splice(text, random(text.length + 1), 0, pick(CORPUS, random));

const MUTATIONS: readonly Mutation[] = [
  insertWord,
  insertWord,
  replaceByWord,
  replaceByte,
  flipBit,
  remove,
  repeat,
  move,
  changeCase,
  repeatLine,
  cutShort,
  insertRequest,
];
