// What was sent of a body in chunks (RFC 9112 section 7.1).

export interface Chunks {
  readonly body: string;
  /** Where it ends; -1 when its end has not come. */
  readonly next: number;
}

/** Reads chunks from `start` on, up to `trailer` and the end; undefined when they are malformed. */
export function readChunks(text: string, start: number, trailer: string): Chunks | undefined {
  let body = '';
  let at = start;
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return { body, next: -1 };
    const line = text.slice(at, end);
    if (!/^[0-9A-Fa-f]{1,8}$/.test(line)) return undefined;
    const size = Number.parseInt(line, 16);
    at = end + 2;
    if (size === 0) {
      const tail = `${trailer}\r\n`;
      const rest = text.slice(at, at + tail.length);
      if (!tail.startsWith(rest)) return undefined;
      return { body, next: rest === tail ? at + tail.length : -1 };
    }
    body += text.slice(at, at + size);
    at += size;
    const mark = text.slice(at, at + 2);
    if (!'\r\n'.startsWith(mark)) return undefined;
    if (mark !== '\r\n') return { body, next: -1 };
    at += 2;
  }
}
