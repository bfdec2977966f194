// What one client sends, and the check of every byte that the server sends it: each request has one
// response, in order, and nothing else is said.

import { readChunks } from './chunks.ts';
import { type Exchange, errorBody, NO_BODY } from './requests.ts';

/** What the simulation knows that explains a response other than the expected one. */
export interface Circumstances {
  fail(message: string): never;
  /** The server has begun to drain: responses announce the close. */
  isDraining(): boolean;
  /** Every task holder of the thread was taken at some time. */
  holdersWereDry(): boolean;
  /** A connection was not handed off because too many were away, or not taken in time. */
  handOffsWereRefused(): boolean;
  handOffsWereLate(): boolean;
  /** Bytes of the peer that the server has seen; and how many a connection takes along at most. */
  received(): number;
  readonly unreadMax: number;
  /** A worker died while it ran the task of this request. */
  taskDied(id: number): boolean;
  /** A task of the thread has overrun its deadline. */
  tasksWereLate(): boolean;
  /** The peer has ended its side in the middle of a request. */
  sawEnd(): boolean;
  /** A head or a body took too long. */
  isLate(): boolean;
  unixSeconds(): number;
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const TIMED_OUT = 'HTTP/1.1 408 ';
/** What a client has begun to ask for and never ends. */
const UNFINISHED: Exchange = {
  id: -1,
  text: '',
  status: 408,
  body: errorBody(408),
  isHead: false,
  isDelegated: false,
  isHandedOff: false,
  closes: true,
  isBad: true,
  ...NO_BODY,
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
  /** The status of the last response. */
  lastStatus = 0;
  /** How many requests were told to go on with their body. */
  continuesCount = 0;
  // The response with this index was told to go on.
  #continued = -1;
  // What is cut off because its connection ends may be so: the response had begun.
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

  /** The connection goes to another thread, whose clock may be late. */
  onMoved(): void {
    this.#date = 0;
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
    if (exchange.isLine) return this.#takeLine(text, exchange);
    if (this.#takeContinue(text, exchange, index)) return true;
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
    const isChunked = fields.get('Transfer-Encoding') === 'chunked';
    this.#checkLength(exchange, body, fields, status);
    const trailer = exchange.trailer === undefined ? '' : `${exchange.trailer}\r\n`;
    const content =
      isChunked && !exchange.isHead
        ? readChunks(text, end, trailer)
        : { body: text.slice(end, end + sent.length), next: end + sent.length };
    if (content === undefined) {
      return circumstances.fail(`request ${exchange.id}: chunks that are none`);
    }
    if (!sent.startsWith(content.body)) {
      return circumstances.fail(`request ${exchange.id} has the body of another`);
    }
    if (content.next < 0 || text.length < content.next) return false;
    if (content.body !== sent) {
      return circumstances.fail(`request ${exchange.id}: the body is too short`);
    }
    this.#checkFields(exchange, status, fields);
    this.lastStatus = status;
    this.#text = text.slice(content.next);
    this.#textOffset += content.next;
    this.responseEnds.push(this.#textOffset);
    return true;
  }

  #takeLine(text: string, { id, body }: Exchange): boolean {
    if (!(text.length < body.length ? body.startsWith(text) : text.startsWith(body))) {
      return this.#circumstances!.fail(`line ${id} was answered otherwise`);
    }
    if (text.length < body.length) return false;
    this.#text = text.slice(body.length);
    this.#textOffset += body.length;
    this.responseEnds.push(this.#textOffset);
    return true;
  }

  // RFC 9110 15.2.1: one, before the response, to who waits for it.
  #takeContinue(text: string, exchange: Exchange, index: number): boolean {
    if (!text.startsWith(CONTINUE)) return false;
    if (!exchange.expects || this.#continued === index) {
      this.#circumstances!.fail(`request ${exchange.id} is told to go on`);
    }
    this.#continued = index;
    this.continuesCount++;
    this.#text = text.slice(CONTINUE.length);
    this.#textOffset += CONTINUE.length;
    return true;
  }

  /** True exactly when the request with this index was told to go on. */
  wasContinued(index: number): boolean {
    return this.#continued === index;
  }

  #checkLength(exchange: Exchange, body: string, fields: Head['fields'], status: number): void {
    const length = fields.get('Content-Length');
    const coding = fields.get('Transfer-Encoding');
    if (status === 101 && length === undefined && coding === undefined) return;
    const mayStream = exchange.streams && status === exchange.status;
    const isOld = exchange.text.includes(' HTTP/1.0\r\n');
    if (length === String(body.length) && coding === undefined) return;
    if (length === undefined && mayStream) {
      if (coding === 'chunked' && !isOld) return;
      if (coding === undefined && isOld && fields.get('Connection') === 'close') return;
    }
    this.#circumstances!.fail(`request ${exchange.id}: length ${length}, coding ${coding}`);
  }

  // A request that never arrived in full is answered as well, when it took too long.
  #unfinished(text: string): Exchange | undefined {
    const isTimeout = text.startsWith(TIMED_OUT) || TIMED_OUT.startsWith(text);
    return isTimeout ? UNFINISHED : undefined;
  }

  #isExplained(exchange: Exchange, status: number): boolean {
    const circumstances = this.#circumstances!;
    if (status === 408) return circumstances.isLate();
    if (status === 400) return exchange.requestBody !== '' && circumstances.sawEnd();
    if (status === 503 && this.#isUnreadLarge) return true;
    if (status === 503 && exchange.upgrades) return circumstances.isDraining();
    if (status === 503 && exchange.isHandedOff) return circumstances.handOffsWereRefused();
    if (status === 504 && exchange.isHandedOff) return circumstances.handOffsWereLate();
    if (!exchange.isDelegated) return false;
    if (status === 504) return circumstances.tasksWereLate() || circumstances.taskDied(exchange.id);
    if (status === 503) return circumstances.holdersWereDry();
    return status === 500 && circumstances.taskDied(exchange.id);
  }

  // What it would take along does not fit, whatever it asks for.
  get #isUnreadLarge(): boolean {
    const { received, unreadMax } = this.#circumstances!;
    return received() - (this.requestEnds[this.responsesCount - 1] ?? 0) > unreadMax;
  }

  #checkFields(exchange: Exchange, status: number, fields: Map<string, string>): void {
    const circumstances = this.#circumstances!;
    const connection = fields.get('Connection');
    if (connection === 'close') {
      this.closed = true;
      const isLate = exchange.isHandedOff && status === 504;
      const isCut = status === 408 || status === 400 || (status === 503 && this.#isUnreadLarge);
      const mayClose = exchange.mayClose || isCut || isLate;
      if (!exchange.closes && !mayClose && !circumstances.isDraining()) {
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
    const isLarge = status === 503 && this.closed && this.#isUnreadLarge;
    if (fields.has('Retry-After') !== (status === 503) && !isLarge && !exchange.upgrades) {
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
