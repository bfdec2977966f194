import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { prng } from '../../test/support/prng.ts';
import {
  BODY_COMPLETE,
  BODY_DATA,
  BODY_INCOMPLETE,
  BODY_STATE_WORDS,
  BodyDecoder,
  CHUNK_DIGITS_MAX,
  EXTENSION_SIZE_MAX,
  EXTENSIONS_SIZE_MAX,
  TRAILER_COUNT_MAX,
  TRAILERS_SIZE_MAX,
} from './body-decoder.ts';

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

type Outcome = { result: number; body: string; received: number; consumed: number };

/** Decodes `text` cut at `cuts`; its bytes move and another body is begun between the pieces. */
function decode(text: string, cuts: readonly number[] = [], length = -1): Outcome {
  const decoder = new BodyDecoder();
  const words = new Int32Array(BODY_STATE_WORDS + 2);
  const bytes = latin1(text);
  let body = '';
  let consumed = 0;
  let result = BODY_INCOMPLETE;
  decoder.begin(length < 0, Math.max(length, 0));
  decoder.save(words, 2);
  for (const [index, cut] of [...cuts, text.length].entries()) {
    const shift = (index * 5) % 32;
    const memory = new Uint8Array(text.length + 32);
    memory.set(bytes.subarray(0, cut), shift);
    decoder.begin(true, 0);
    decoder.restore(words, 2);
    let at = consumed + shift;
    do {
      result = decoder.decode(memory, at, cut + shift);
      at = decoder.next;
      if (result !== BODY_DATA) continue;
      equal(decoder.dataOffset + decoder.dataSize, at);
      body += text.slice(decoder.dataOffset - shift, at - shift);
    } while (result === BODY_DATA);
    consumed = at - shift;
    if (result !== BODY_INCOMPLETE) break;
    equal(consumed, cut, 'all bytes were consumed');
    decoder.save(words, 2);
  }
  return { result, body, received: decoder.received, consumed };
}

const chunked = (text: string): number => decode(text).result;
const accepts = (texts: readonly string[]): void => rejects(BODY_COMPLETE, texts);
function rejects(status: number, texts: readonly string[]): void {
  for (const text of texts) equal(chunked(text), status, JSON.stringify(text).slice(0, 200));
}
const withExtension = (extension: string): string => `1${extension}\r\na\r\n0\r\n\r\n`;
const withTrailers = (lines: string): string => `0\r\n${lines}\r\n`;

test('a body with a length ends after its bytes: RFC 9112 6.3', () => {
  deepEqual(decode('hello, next', [], 5), {
    result: BODY_COMPLETE,
    body: 'hello',
    received: 5,
    consumed: 5,
  });
  equal(decode('hell', [], 5).result, BODY_INCOMPLETE);
  equal(decode('next', [], 0).consumed, 0);
  equal(decode('', [], 0).result, BODY_COMPLETE);
});

test('a chunked body is the data of its chunks: RFC 9112 7.1', () => {
  const text = '5\r\nhello\r\nA;x=y\r\n, world\r\n!\r\n000\r\nX: y\r\n\r\n';
  deepEqual(decode(`${text}GET /`), {
    result: BODY_COMPLETE,
    body: 'hello, world\r\n!',
    received: 15,
    consumed: text.length,
  });
  equal(decode('0\r\n\r\n').body, '');
});

test('a size is hexadecimal digits of either case: RFC 9112 7.1', () => {
  const data = 'd'.repeat(0xab);
  for (const size of ['ab', 'AB', 'aB', '00ab', '00000000000000aB'])
    equal(decode(`${size}\r\n${data}\r\n0\r\n\r\n`).body, data, size);
  for (let digit = 1; digit < 16; digit++)
    equal(decode(`${digit.toString(16)}\r\n${data.slice(0, digit)}\r\n0\r\n\r\n`).received, digit);
  rejects(400, ['\r\n', ';a\r\n', 'g\r\n', '+1\r\n', '-1\r\n', '0x1\r\n', '1_0\r\n', '1.0\r\n']);
  rejects(400, ['"1"\r\n', '\xb9\r\n', '1,\r\n', '1:\r\n', '1\0\r\n', ':\r\n', '@\r\n', '`\r\n']);
});

test('the digits of a size are bounded, leading zeros too: RFC 9112 7.1', () => {
  equal(chunked(`${'0'.repeat(CHUNK_DIGITS_MAX)}\r\n\r\n`), BODY_COMPLETE);
  equal(chunked('0'.repeat(CHUNK_DIGITS_MAX)), BODY_INCOMPLETE);
  equal(chunked('0'.repeat(CHUNK_DIGITS_MAX + 1)), 400);
});

test('a size is at most 2^53 - 1, and so is their sum: RFC 9112 7.1', () => {
  equal(chunked('1fffffffffffff\r\n'), BODY_INCOMPLETE);
  rejects(413, ['20000000000000', 'ffffffffffffffff', '10000000000000000']);
  equal(chunked('1\r\na\r\n1ffffffffffffe\r\n'), BODY_INCOMPLETE);
  equal(chunked('1\r\na\r\n1fffffffffffff\r\n'), 413);
});

test('white space around a size is refused: RFC 9112 7.1', () => {
  rejects(400, [' 0\r\n', '\t0\r\n', '0 \r\n', '0\t\r\n', '0 0\r\n', '0 a\r\n', '\n0\r\n']);
});

test('lines end with CRLF, and data with one: RFC 9112 7.1, 2.2', () => {
  rejects(400, ['0\n\n', '0\r\r\n', '0\rx', '0\r\n\n', '0\r\n\rx', '1\na', '1\r\r\na']);
  rejects(400, [
    '1\r\na\n0\r\n',
    '1\r\nab',
    '1\r\na0\r\n',
    '1\r\na\rx',
    '1\r\na\r\r',
    '1\r\n\r\n0',
  ]);
  rejects(400, ['1\r\na\r\n\r\n', '3\r\nfoo\r\n\r\n']);
});

test('an extension is names with values, and white space in its places: RFC 9112 7.1.1', () => {
  accepts(
    [';a', ';a=b', ';a;b=c;d', ';a="b c"', ';a=""', ';a="\\""', ';a="\\\\";b', ' ; a = b ; c '].map(
      (extension) => withExtension(extension.trimEnd()),
    ),
  );
  accepts(
    [';a="\x80\t\\\t"', ';a="b" ;c', ';a\t=\t"b"\t;\tc', ";!#$%&'*+-.^_`|~=a"].map(withExtension),
  );
  for (const extension of [
    ';',
    ';;',
    ';a;',
    ';=b',
    ';a=',
    ';a=b c',
    ';a b',
    ';a=b=c',
    ';a="b',
    ';a="b\\"',
    ';a="b"c',
    ';a="b"=c',
    ';a ',
    ';a=b ',
    ';a="b" ',
    ' ',
    ' a',
    ';a="\x7f"',
    ';a="\\\x01"',
    ';a=(b)',
    ';\xe9',
    ';a\0',
  ])
    equal(chunked(withExtension(extension)), 400, extension);
});

test('no bare CR or LF stands in an extension: RFC 9112 7.1.1, 2.2', () => {
  for (const extension of [';a\rb', ';a=\rb', ';a="\rb"', ';\ra', ' \r;a', '\r;a', ';a="\\\rb"'])
    equal(chunked(withExtension(extension)), 400, extension);
  for (const extension of [';a\nb', ';a=\nb', ';a="\nb"', ';\na', ' \n;a', '\n;a'])
    equal(chunked(withExtension(extension)), 400, extension);
});

test('extensions are bounded, of a chunk and of a body: RFC 9112 7.1.1', () => {
  const extension = (size: number): string => `;${'a'.repeat(size - 1)}`;
  equal(chunked(withExtension(extension(EXTENSION_SIZE_MAX))), BODY_COMPLETE);
  equal(chunked(withExtension(extension(EXTENSION_SIZE_MAX + 1))), 413);
  const chunk = `1${extension(EXTENSION_SIZE_MAX)}\r\na\r\n`;
  const count = EXTENSIONS_SIZE_MAX / EXTENSION_SIZE_MAX;
  equal(chunked(`${chunk.repeat(count)}0\r\n\r\n`), BODY_COMPLETE);
  equal(chunked(`${chunk.repeat(count)}0;a\r\n\r\n`), 413);
});

test('a trailer section is field lines, and an empty line: RFC 9112 7.1.2, 5', () => {
  accepts(
    ['', 'X: y\r\n', 'X:\r\n', 'X:y\r\nA: \xe9\t\r\n', 'hosts: a\r\nhos: t\r\n'].map(withTrailers),
  );
  for (const lines of ['X\r\n', 'X : y\r\n', ': y\r\n', ' X: y\r\n', 'X: y\r\n z\r\n', 'X: y\n'])
    equal(chunked(withTrailers(lines)), 400, lines);
  for (const lines of ['X: y\rz\r\n', 'X: \0\r\n', 'X: y\r\r\n', 'X(: y\r\n', '\xe9: y\r\n'])
    equal(chunked(withTrailers(lines)), 400, lines);
  equal(chunked('0\r\n'), BODY_INCOMPLETE);
  equal(chunked('0\r\nX: y\r\n'), BODY_INCOMPLETE);
});

test('a trailer section says nothing about framing or the host: RFC 9110 6.5.1', () => {
  for (const name of ['Content-Length', 'content-length', 'TRANSFER-ENCODING', 'Host', 'hOST']) {
    equal(chunked(withTrailers(`${name}: 1\r\n`)), 400, name);
    equal(chunked(withTrailers(`X: y\r\n${name}:1\r\n`)), 400, name);
    accepts([withTrailers(`${name}s: 1\r\n`), withTrailers(`${name.slice(0, -1)}: 1\r\n`)]);
    accepts([withTrailers(`X${name}: 1\r\n`), withTrailers(`${name.slice(1)}: ${name}:\r\n`)]);
  }
});

test('a trailer section is bounded: RFC 9110 5.4, RFC 6585 5', () => {
  const line = (size: number): string => `X: ${'y'.repeat(size - 5)}\r\n`;
  equal(chunked(withTrailers(line(TRAILERS_SIZE_MAX - 2))), BODY_COMPLETE);
  equal(chunked(withTrailers(line(TRAILERS_SIZE_MAX - 1))), 431);
  equal(chunked(withTrailers('X: y\r\n'.repeat(TRAILER_COUNT_MAX))), BODY_COMPLETE);
  equal(chunked(withTrailers('X: y\r\n'.repeat(TRAILER_COUNT_MAX + 1))), 431);
});

const SAMPLES = [
  '0\r\n\r\nGET / HTTP/1.1\r\n',
  '5\r\nhello\r\n6;a="b;\\"c"\r\n world\r\n000\r\nX: y\r\nY:z\r\n\r\nnext',
  '1 ; a = b;c\r\nx\r\n0\r\nHost: a\r\n\r\n',
  'a\r\n0123456789\r\n0\r\nContent-Lengths: 1\r\n\r\n',
  '3\r\nabcX',
  '1f\r\n',
  `1;${'a'.repeat(20)}\r\rx`,
  `${'0'.repeat(20)}\r\n`,
  '10000000000000000\r\n',
  '0\r\ncontent-length : 1\r\n',
  `0\r\n${'X: y\r\n'.repeat(70)}\r\n`,
];

test('a body cut at any point, and moved, has the outcome of the whole', () => {
  for (const text of SAMPLES) {
    const whole = decode(text);
    for (let cut = 0; cut <= text.length; cut++)
      deepEqual(decode(text, [cut]), whole, `${JSON.stringify(text)} cut at ${cut}`);
    const everywhere = Array.from(text, (_, index) => index);
    deepEqual(decode(text, everywhere), whole, JSON.stringify(text));
  }
  for (let cut = 0; cut <= 8; cut++)
    deepEqual(decode('12345678', [cut], 6), decode('12345678', [], 6));
});

test('any bytes, cut anywhere, have the outcome of the whole', () => {
  const random = prng(1);
  const parts = [
    '0',
    '1',
    '3\r\nabc\r\n',
    'a',
    ';',
    '=',
    '"',
    '\\',
    ' ',
    '\r\n',
    '\r',
    '\n',
    'X:',
    '\r\n',
  ];
  for (let round = 0; round < 3000; round++) {
    let text = '';
    for (let count = random(16); count >= 0; count--) text += parts[random(parts.length)]!;
    const cuts = [random(text.length + 1), random(text.length + 1), random(text.length + 1)];
    deepEqual(
      decode(
        text,
        cuts.sort((a, b) => a - b),
      ),
      decode(text),
      JSON.stringify(text),
    );
  }
});

test('lengths and counts beyond 32 bits are kept: RFC 9112 6.2', () => {
  const decoder = new BodyDecoder();
  const words = new Int32Array(BODY_STATE_WORDS);
  const bytes = new Uint8Array(2 ** 20);
  const length = Number.MAX_SAFE_INTEGER;
  decoder.begin(false, length);
  equal(decoder.decode(bytes, 0, bytes.length), BODY_DATA);
  decoder.save(words, 0);
  // As if almost all of it had come: 5 bytes are left.
  words.set([5, 0, length - 5, (length - 5) / 2 ** 32], 1);
  decoder.restore(words, 0);
  equal(decoder.received, length - 5);
  equal(decoder.decode(bytes, 0, 9), BODY_DATA);
  equal(decoder.received, length);
  equal(decoder.decode(bytes, decoder.next, 9), BODY_COMPLETE);
  equal(decoder.next, 5);
  decoder.begin(false, 2 ** 33 + 7);
  decoder.save(words, 0);
  deepEqual([...words.subarray(1, 3)], [7, 2]);
});

test('misuse is asserted: no begin, a body that was rejected, no space, no such length', () => {
  const decoder = new BodyDecoder();
  const bytes = latin1('x');
  throws(() => decoder.decode(bytes, 0, 1), /begin\(\) comes before/);
  decoder.begin(true, 0);
  throws(() => decoder.decode(bytes, 1, 0), /begin before they end/);
  throws(() => decoder.decode(bytes, 0, 2), /within the buffer/);
  throws(() => decoder.save(new Int32Array(BODY_STATE_WORDS), 1), /state fits/);
  equal(decoder.decode(bytes, 0, 1), 400);
  equal(decoder.next, 0);
  throws(() => decoder.decode(bytes, 0, 1), /begin\(\) comes before/);
  throws(() => decoder.save(new Int32Array(BODY_STATE_WORDS), 0), /only a body that goes on/);
  throws(() => decoder.restore(new Int32Array(BODY_STATE_WORDS), 0), /only a body that goes on/);
  throws(() => decoder.begin(true, 1), /has no length/);
  throws(() => decoder.begin(false, -1), /not negative/);
  throws(() => decoder.begin(false, 2 ** 53), /can be counted/);
});
