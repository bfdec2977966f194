// The limits of a request head: `docs/limits.md`. Constants.

export type RequestLimits = {
  /** Bytes of the request line, its CRLF included. Beyond: 414. */
  readonly requestLineSizeMax: number;
  /** Bytes of the head from its first to its empty line, both included. Beyond: 431. */
  readonly headSizeMax: number;
  /** Field lines of the head. Beyond: 431. */
  readonly fieldCountMax: number;
};

/** RFC 9112 3 asks for request lines of at least 8000 bytes to be read. */
export const REQUEST_LIMITS: RequestLimits = {
  requestLineSizeMax: 8192,
  headSizeMax: 16_384,
  fieldCountMax: 100,
};
