// The work of both sides: nothing, or bytes that are answered with a change; and what burns CPU.
// Also the file that piscina's workers load.

export const BYTES_SIZE = 4096;

/** `into`: Millrace copies the bytes into an array of the caller; piscina has no such thing. */
export type Work = 'nothing' | 'bytes' | 'into';

export function nothing(): void {}

export function invert(bytes: Uint8Array): Uint8Array {
  // One of them: the way of the bytes is measured.
  bytes[0] = ~bytes[0]!;
  return bytes;
}

export function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
