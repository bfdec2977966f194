// Reads the responses that stand in a run of bytes, strictly: what a client could take for
// something else is an error.

export interface ParsedResponse {
  readonly status: number;
  /** Names in lower case; values of several lines are joined with ", ". */
  readonly fields: ReadonlyMap<string, string>;
  /** One character a byte (latin1). */
  readonly body: string;
  readonly trailers: ReadonlyMap<string, string>;
  /** Of all of it, in bytes. */
  readonly size: number;
}

interface Content {
  readonly body: string;
  readonly trailers: Map<string, string>;
  readonly end: number;
}

/**
 * The response at the start of `bytes`, to a request with `method`, or undefined when it is not
 * complete. `ended` when nothing follows. @throws Error when it is malformed.
 */
export function parseResponse(
  bytes: Buffer,
  method: string,
  ended: boolean,
): ParsedResponse | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [statusLine, ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) ([A-Z]|$)/.exec(statusLine!)?.[1]);
  if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(statusLine)}`);
  const fields = parseFields(lines);
  const content = contentOf(bytes, headEnd + 4, status, fields, method, ended);
  if (content === undefined) return undefined;
  return { status, fields, body: content.body, trailers: content.trailers, size: content.end };
}

// RFC 9112 section 6.3.
function contentOf(
  bytes: Buffer,
  start: number,
  status: number,
  fields: Map<string, string>,
  method: string,
  ended: boolean,
): Content | undefined {
  const none = { body: '', trailers: new Map<string, string>(), end: start };
  const coding = fields.get('transfer-encoding');
  const length = fields.get('content-length');
  if (coding !== undefined && length !== undefined) throw new Error('a length and a coding');
  if (status < 200 || status === 204) {
    if (coding !== undefined || length !== undefined) throw new Error(`${status} with content`);
    return none;
  }
  if (status === 304 || method === 'HEAD') return none;
  if (coding !== undefined) {
    if (coding !== 'chunked') throw new Error(`an unknown coding: ${coding}`);
    return chunked(bytes, start);
  }
  const isClosed = fields.get('connection') === 'close';
  if (length === undefined && !isClosed) throw new Error('nobody knows where the content ends');
  if (length === undefined && !ended) return undefined;
  if (length !== undefined && !/^\d+$/.test(length)) throw new Error(`a bad length: ${length}`);
  const end = length === undefined ? bytes.length : start + Number(length);
  if (bytes.length < end) return undefined;
  return { ...none, body: bytes.toString('latin1', start, end), end };
}

// RFC 9112 section 7.1.
function chunked(bytes: Buffer, start: number): Content | undefined {
  const pieces: string[] = [];
  let at = start;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]{1,8}$/.test(line)) throw new Error(`no size of a chunk: ${line.slice(0, 80)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return undefined;
    pieces.push(bytes.toString('latin1', at, at + size));
    at += size + 2;
    if (bytes.toString('latin1', at - 2, at) !== '\r\n') throw new Error('a chunk without its end');
  }
  const lines: string[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const line = bytes.toString('latin1', at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return { body: pieces.join(''), trailers: parseFields(lines), end: at };
    lines.push(line);
  }
}

function parseFields(lines: readonly string[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw new Error(`no field: ${JSON.stringify(line)}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}
