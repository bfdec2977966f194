// What a parser says of a request head. Offsets are relative to where the head begins.

import { METHOD_OTHER } from './method.ts';

export class ParsedHead {
  /** Bytes of the head, empty lines included. Like all below: set when `parse` said COMPLETE. */
  size = 0;
  /** A code of `method.ts`. Set once the request line was read, METHOD_OTHER before. */
  method = METHOD_OTHER;
  methodOffset = 0;
  methodSize = 0;
  targetOffset = 0;
  targetSize = 0;
  /** The path without its query; "/" for an absolute-form without a path. */
  pathOffset = 0;
  pathSize = 0;
  /** 10 or 11. */
  version = 0;
  /** True exactly when the connection may carry another request after this one. */
  keepAlive = false;
  /**
   * True exactly when the connection may speak another protocol after this request: it has the
   * option "upgrade" and goes on. In HTTP/1.0 there is no such request, RFC 9110 7.8.
   */
  upgrades = false;
  /** Where the field lines begin: `fields.ts` looks them up, up to `size`. */
  fieldsOffset = 0;
  /** The Content-Length in bytes, at most 2^53 - 1; 0 when there is none. */
  contentLength = 0;
  /** True exactly when the body is chunked. */
  chunked = false;
  /** True exactly when a body follows the head: `body-decoder.ts`. */
  hasBody = false;
  /** True exactly when the client may wait for a 100 before it sends its body, RFC 9110 10.1.1. */
  expectsContinue = false;
  /** How many heads were complete, modulo 2^32; one that repeats the last does not count. */
  heads = 0;
}
