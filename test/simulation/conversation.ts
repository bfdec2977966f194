// What one client sends, and the check of every byte that the server sends it: each request has one
// response, in order, and nothing else is said.

import { type Exchange, errorBody } from './requests.ts';

/** What the simulation knows that explains a response other than the expected one. */
export interface Circumstances {
  fail(message: string): never;
  /** The server has begun to drain: responses announce the close. */
  isDraining(): boolean;
  /** Every task holder of the thread was taken at some time. */
  holdersWereDry(): boolean;
  /** A worker died while it ran the task of this request. */
  taskDied(id: number): boolean;
  /** A head took too long. */
  isLate(): boolean;
  unixSeconds(): number;
}

const TIMED_OUT = 'HTTP/1.1 408 ';
/** What a client has begun to ask for and never ends. */
const UNFINISHED: Exchange = {
  id: -1,
  text: '',
  status: 408,
  body: errorBody(408),
  isHead: false,
  isDelegated: false,
  closes: true,
  isBad: true,
  fields: {},
};

interface Head {
  readonly status: number;
  readonly fields: Map<string, string>;
  /** Where the body begins. */
  readonly end: number;
}

export class Conversation {
  readonly exchanges: readonly Exchange[];
  /** All that the client would send. */
  readonly bytes: Buffer;
  /** Where each request ends in `bytes`. */
  readonly requestEnds: readonly number[];
  /** Where each response ended in what the server sent. */
  readonly responseEnds: number[] = [];
  /** A response has announced the close. */
  closed = false;
  #circumstances: Circumstances | undefined;
  #text = '';
  #textOffset = 0;
  #date = 0;

  constructor(exchanges: readonly Exchange[], tail: string) {
    this.exchanges = exchanges;
    const ends: number[] = [];
    let end = 0;
    for (const { text } of exchanges) {
      end += text.length;
      ends.push(end);
    }
    this.requestEnds = ends;
    this.bytes = Buffer.from(exchanges.map(({ text }) => text).join('') + tail, 'latin1');
  }

  /** A thread has accepted the connection. */
  attach(circumstances: Circumstances): void {
    this.#circumstances = circumstances;
  }

  /** How many requests lie in the first `size` bytes, up to the one that ends the connection. */
  requestsWithin(size: number): number {
    let count = 0;
    while (count < this.exchanges.length && this.requestEnds[count]! <= size) {
      if (this.exchanges[count++]!.closes) break;
    }
    return count;
  }

  /** True exactly when no request is cut by the end of the first `size` bytes. */
  isBetween(size: number): boolean {
    return size === 0 || this.requestEnds.includes(size);
  }

  get responsesCount(): number {
    return this.responseEnds.length;
  }

  /** True exactly when the last response is there to its end. */
  get isWhole(): boolean {
    return this.#text.length === 0;
  }

  onServerBytes(bytes: Uint8Array): void {
    this.#text += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    while (this.#takeResponse());
  }

  #takeResponse(): boolean {
    const text = this.#text;
    if (text === '') return false;
    const circumstances = this.#circumstances!;
    const index = this.responsesCount;
    const exchange = this.exchanges[index] ?? this.#unfinished(text);
    if (exchange === undefined || this.closed) {
      return circumstances.fail(
        `bytes that nobody asked for: ${JSON.stringify(text.slice(0, 80))}`,
      );
    }
    const head = this.#parse(text);
    if (head === undefined) return false;
    const { status, fields, end } = head;
    const body = status === exchange.status ? exchange.body : errorBody(status);
    const isExpected = status === exchange.status && status !== 408;
    if (!isExpected && !this.#isExplained(exchange, status)) {
      return circumstances.fail(`request ${exchange.id} was answered with ${status}`);
    }
    // Whether a request that was cut off is a HEAD was not looked at.
    const sent = exchange.isHead && status !== 408 ? '' : body;
    const length = fields.get('Content-Length');
    if (length !== String(Buffer.byteLength(body))) {
      return circumstances.fail(`request ${exchange.id}: Content-Length is ${length}`);
    }
    if (text.length < end + sent.length) return false;
    if (text.slice(end, end + sent.length) !== sent) {
      return circumstances.fail(`request ${exchange.id} has the body of another`);
    }
    this.#checkFields(exchange, status, fields);
    this.#text = text.slice(end + sent.length);
    this.#textOffset += end + sent.length;
    this.responseEnds.push(this.#textOffset);
    return true;
  }

  // A request that never arrived in full is answered as well, when it took too long.
  #unfinished(text: string): Exchange | undefined {
    const isTimeout = text.startsWith(TIMED_OUT) || TIMED_OUT.startsWith(text);
    return isTimeout ? UNFINISHED : undefined;
  }

  #isExplained(exchange: Exchange, status: number): boolean {
    const circumstances = this.#circumstances!;
    if (status === 408) return circumstances.isLate();
    if (!exchange.isDelegated) return false;
    if (status === 503) return circumstances.holdersWereDry();
    return status === 500 && circumstances.taskDied(exchange.id);
  }

  #checkFields(exchange: Exchange, status: number, fields: Map<string, string>): void {
    const circumstances = this.#circumstances!;
    const connection = fields.get('Connection');
    if (connection === 'close') {
      this.closed = true;
      if (!exchange.closes && status !== 408 && !circumstances.isDraining()) {
        circumstances.fail(`request ${exchange.id}: the close is announced for no reason`);
      }
    } else {
      if (exchange.closes || status === 408)
        circumstances.fail(`request ${exchange.id}: no close is announced`);
      if (connection !== exchange.fields.connection) {
        circumstances.fail(`request ${exchange.id}: Connection is ${connection}`);
      }
    }
    const allow = status === 405 ? exchange.fields.allow : undefined;
    if (fields.get('Allow') !== allow) {
      circumstances.fail(`request ${exchange.id}: Allow is ${fields.get('Allow')}`);
    }
    if (fields.has('Retry-After') !== (status === 503)) {
      circumstances.fail(`request ${exchange.id}: Retry-After belongs to 503`);
    }
    const date = Date.parse(fields.get('Date') ?? '') / 1000;
    if (!(date >= this.#date && date <= circumstances.unixSeconds())) {
      circumstances.fail(`request ${exchange.id}: Date is ${fields.get('Date')}`);
    }
    this.#date = date;
  }

  #parse(text: string): Head | undefined {
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) {
      if (text.length > 1000) this.#circumstances!.fail('a head has no end');
      return undefined;
    }
    const lines = text.slice(0, end).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) [A-Z][A-Za-z -]*$/.exec(lines[0]!)?.[1];
    if (status === undefined) {
      return this.#circumstances!.fail(`no status line: ${JSON.stringify(lines[0])}`);
    }
    const fields = new Map<string, string>();
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(': ');
      const name = line.slice(0, colon);
      if (colon < 1 || fields.has(name)) this.#circumstances!.fail(`a bad field: ${line}`);
      fields.set(name, line.slice(colon + 2));
    }
    return { status: Number(status), fields, end: end + 4 };
  }
}
