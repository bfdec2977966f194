// What a handler sees of its request. While the handler runs, the head is read where it was
// received; if the response has not ended when the handler returns, the head is copied, and stays
// readable until the response ends. Data plane is `bind`; the strings that a handler asks for are
// its own choice of allocation.

import { abandonable } from '../base/thenable.ts';
import { ascii } from '../http/characters.ts';
import { Fields } from '../http/fields.ts';
import { METHOD_NAMES, METHOD_OTHER } from '../http/method.ts';
import { NO_PARAMETERS } from '../http/router.ts';
import type { PeerAddress } from '../kernel/sockets.ts';
import { peerAddress } from '../kernel/sockets.ts';
import { ExchangeError } from './exchange-error.ts';
import type { BodySource } from './request-body.ts';
import { RequestBody } from './request-body.ts';
import type { InputArguments, ResultOf } from './task-types.ts';

/**
 * A request, for as long as its response has not ended. `Parameters` are the names of those of its
 * route's path.
 */
// biome-ignore lint/suspicious/noExplicitAny: a request to any application
export interface Request<Tasks = any /* any application */, Parameters extends string = string> {
  readonly method: string;
  /** The request target as it was sent, with its query (RFC 9112 section 3.2). */
  readonly target: string;
  /** The path of the target, without its query, not decoded. */
  readonly path: string;
  /** The query of the target, decoded; made when it is first asked for. */
  readonly query: URLSearchParams;
  /**
   * A parameter of the route's path, percent-decoded as UTF-8; of a wildcard, "*", all that is left
   * of the path. @throws ExchangeError, which is a 400, when it cannot be decoded.
   */
  param(name: Parameters): string;
  /** The address of the client, or undefined where there is no network. */
  readonly peer: PeerAddress | undefined;
  /**
   * The value of a field, or undefined. Values of several lines are joined with ", " (RFC 9110
   * section 5.3). One character a byte (latin1).
   */
  field(name: string): string | undefined;
  /** Every field line in its order, with the name as it was sent. One character a byte (latin1). */
  fieldLines(): [name: string, value: string][];
  /**
   * Aborts when the client has gone, or has ended its side of the connection, before the response
   * has ended. What is answered nevertheless reaches a client that only ended its side.
   */
  readonly signal: AbortSignal;
  /** The body as it arrives, in pieces: nothing is received while nobody waits for the next. */
  readonly body: AsyncIterableIterator<Uint8Array>;
  /** The body as a whole. @throws ExchangeError when it is larger than `--body-limit`. */
  bytes(): Promise<Uint8Array>;
  /** The body as a whole, as UTF-8. @throws ExchangeError, as `bytes`. */
  text(): Promise<string>;
  /** The body as JSON says it. @throws ExchangeError, as `bytes`, and as a 400 for no JSON. */
  json(): Promise<unknown>;
  /**
   * Delegates to a task of the application, and answers with its result: bytes are a copy, in an
   * array of their own or in `into`. The input is a `Uint8Array`, or a value that JSON can say; it
   * is read at once. When the client goes away meanwhile, the task is cancelled. @throws TaskError
   * when there is no result.
   */
  delegate<Name extends keyof Tasks & string, Into extends Uint8Array = Uint8Array<ArrayBuffer>>(
    task: Name,
    ...inputAndOptions: [...InputArguments<Tasks[Name]>, options?: CallOptions<Into>]
  ): Promise<ResultOf<Tasks[Name], NoInfer<Into>>>;
}

/** What a handler may say about a task that it awaits. */
export interface CallOptions<Into extends Uint8Array = Uint8Array> {
  /**
   * Where a result of bytes is copied to, from its beginning; the answer is this array, or the part
   * that was written. It may be the input. Not to be touched until the task has ended. @throws
   * TaskError, 'too-large', when the result does not fit.
   */
  readonly into?: Into | undefined;
}

/** A task that a handler awaits. */
export interface TaskCall {
  /** Nobody waits any more. Its caller has one call less. */
  cancel(): void;
}

/** Who awaits tasks. */
export interface TaskCaller {
  /** One of those that have no result yet. It knows the others. */
  firstCall: TaskCall | undefined;
}

/** Who receives the body of a request, and runs the tasks that its handler awaits. */
export interface RequestSource extends BodySource {
  /** The descriptor of the connection. */
  readonly fd: number;
  /** True exactly when the handler has ended the response. */
  readonly hasEnded: boolean;
  callTask(
    task: string,
    input: unknown,
    caller: TaskCaller,
    into: Uint8Array | undefined,
  ): Promise<unknown>;
}

/** What the router knows of the path that it found last: see `http/router.ts`. */
export interface PathParameters {
  parameterStart(index: number): number;
  parameterSize(index: number): number;
}

/** Where the parts of a head lie, relative to where it begins: see `http/request-parser.ts`. */
export interface RequestHead {
  readonly size: number;
  readonly method: number;
  readonly methodOffset: number;
  readonly methodSize: number;
  readonly targetOffset: number;
  readonly targetSize: number;
  readonly pathOffset: number;
  readonly pathSize: number;
  readonly fieldsOffset: number;
  readonly hasBody: boolean;
}

export class BoundRequest implements Request, TaskCaller {
  firstCall: TaskCall | undefined;
  readonly #source: RequestSource;
  readonly #memory: Buffer;
  readonly #parser: RequestHead;
  readonly #wholeSizeMax: number;
  #bytes: Buffer;
  #head: RequestHead;
  // Where the head begins, or -1 when there is no request.
  #start = -1;
  #names: readonly string[] = NO_PARAMETERS;
  #parameters: PathParameters;
  #query: URLSearchParams | undefined;
  #body: RequestBody | undefined;
  #error: Error | undefined;
  #aborter: AbortController | undefined;
  #peerEnded = false;

  /** `parser` has just parsed what is bound, in `memory`, and the router found `parameters`. */
  constructor(
    source: RequestSource,
    memory: Buffer,
    parser: RequestHead,
    parameters: PathParameters,
    wholeSizeMax: number,
  ) {
    this.#source = source;
    this.#parameters = parameters;
    this.#memory = memory;
    this.#parser = parser;
    this.#wholeSizeMax = wholeSizeMax;
    this.#bytes = memory;
    this.#head = parser;
  }

  get method(): string {
    this.#check();
    const { method, methodOffset, methodSize } = this.#head;
    return method === METHOD_OTHER ? this.#text(methodOffset, methodSize) : METHOD_NAMES[method]!;
  }

  get target(): string {
    return this.#text(this.#head.targetOffset, this.#head.targetSize);
  }

  get path(): string {
    return this.#text(this.#head.pathOffset, this.#head.pathSize);
  }

  get query(): URLSearchParams {
    this.#check();
    this.#query ??= new URLSearchParams(queryOf(this.target));
    return this.#query;
  }

  // Control plane: strings are the handler's choice.
  param(name: string): string {
    this.#check();
    const index = this.#names.indexOf(name);
    if (index < 0) throw new Error(`the route of the request has no parameter "${name}"`);
    const { pathOffset } = this.#head;
    const start = pathOffset + this.#parameters.parameterStart(index);
    return decode(this.#text(start, this.#parameters.parameterSize(index)));
  }

  get peer(): PeerAddress | undefined {
    this.#check();
    return peerAddress(this.#source.fd);
  }

  field(name: string): string | undefined {
    this.#check();
    const lower = ascii(name.toLowerCase());
    const end = this.#start + this.#head.size;
    let at = this.#start + this.#head.fieldsOffset;
    let value: string | undefined;
    while (FIELDS.find(this.#bytes, at, end, lower)) {
      const { valueOffset, valueSize, next } = FIELDS;
      const line = this.#bytes.toString('latin1', valueOffset, valueOffset + valueSize);
      value = value === undefined ? line : value.concat(', ', line);
      at = next;
    }
    return value;
  }

  fieldLines(): [name: string, value: string][] {
    this.#check();
    const end = this.#start + this.#head.size;
    const bytes = this.#bytes;
    const lines: [string, string][] = [];
    let at = this.#start + this.#head.fieldsOffset;
    while (FIELDS.nextField(bytes, at, end)) {
      const { nameOffset, nameSize, valueOffset, valueSize, next } = FIELDS;
      lines.push([
        bytes.toString('latin1', nameOffset, nameOffset + nameSize),
        bytes.toString('latin1', valueOffset, valueOffset + valueSize),
      ]);
      at = next;
    }
    return lines;
  }

  get signal(): AbortSignal {
    this.#check();
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#peerEnded) this.peerEnded();
    }
    return this.#aborter.signal;
  }

  get body(): RequestBody {
    this.#check();
    this.#body ??= new RequestBody(this.#source, !this.#head.hasBody);
    return this.#body;
  }

  bytes(): Promise<Uint8Array> {
    return this.body.whole(this.#wholeSizeMax);
  }

  text(): Promise<string> {
    return abandonable(this.bytes().then(utf8));
  }

  json(): Promise<unknown> {
    return abandonable(this.text().then(parse));
  }

  // Control plane: who awaits a task allocates.
  delegate(task: string, input?: unknown, options?: CallOptions): Promise<never> {
    this.#check();
    return this.#source.callTask(task, input, this, options?.into) as Promise<never>;
  }

  // What the connection calls.

  /** The body if the handler has asked for it. */
  get openBody(): RequestBody | undefined {
    return this.#body;
  }

  /** True exactly when there is a head to be read. */
  get isBound(): boolean {
    return this.#start >= 0;
  }

  /** `names` are those of the parameters of its route. */
  bind(start: number, names: readonly string[]): void {
    this.#start = start;
    this.#names = names;
    this.#query = undefined;
    this.#aborter = undefined;
    this.#peerEnded = false;
  }

  unbind(): void {
    this.#start = -1;
  }

  /** The exchange has ended before its handler: that is what the handler is told from now on. */
  fail(error: Error): void {
    this.#error = error;
    this.#body?.fail(error);
    this.#aborter?.abort(error);
    while (this.firstCall !== undefined) this.firstCall.cancel();
  }

  /** The client has ended its side: it may still read, but most have gone. */
  peerEnded(): void {
    this.#peerEnded = true;
    this.#aborter?.abort(new ExchangeError('the client has ended the connection', 0));
  }

  /** Copies the head, whose bytes are about to go. Answers its size. Control plane. */
  keep(): number {
    const { size } = this.#head;
    this.#bytes = Buffer.from(this.#memory.subarray(this.#start, this.#start + size));
    this.#head = snapshot(this.#parser);
    if (this.#names.length > 0) this.#parameters = placesOf(this.#parameters, this.#names.length);
    this.#start = 0;
    return size;
  }

  #text(offset: number, size: number): string {
    this.#check();
    return this.#bytes.toString('latin1', this.#start + offset, this.#start + offset + size);
  }

  // Control plane: what is thrown here tells of a mistake in the application.
  #check(): void {
    if (this.#start >= 0 && !this.#source.hasEnded) return;
    throw this.#error ?? new Error('the request was used after its response had ended');
  }
}

const FIELDS = new Fields();
const BAD_REQUEST = 400;

// Control plane.
function placesOf(parameters: PathParameters, count: number): PathParameters {
  const indexes = Array.from({ length: count }, (_, index) => index);
  const starts = indexes.map((index) => parameters.parameterStart(index));
  const sizes = indexes.map((index) => parameters.parameterSize(index));
  return {
    parameterStart: (index) => starts[index]!,
    parameterSize: (index) => sizes[index]!,
  };
}

function queryOf(target: string): string {
  const at = target.indexOf('?');
  return at < 0 ? '' : target.slice(at + 1);
}

// Control plane.
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ExchangeError('a parameter of the path is not percent-encoded UTF-8', BAD_REQUEST);
  }
}

// Control plane.
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ExchangeError('the body is not JSON', BAD_REQUEST);
  }
}

function snapshot(head: RequestHead): RequestHead {
  const { size, method, methodOffset, methodSize, targetOffset, targetSize } = head;
  const { pathOffset, pathSize, fieldsOffset, hasBody } = head;
  return {
    size,
    method,
    methodOffset,
    methodSize,
    targetOffset,
    targetSize,
    pathOffset,
    pathSize,
    fieldsOffset,
    hasBody,
  };
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}
