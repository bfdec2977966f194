// The work of both sides: nothing, or bytes that are changed in place. Also the file that piscina's
// workers load.

export const BYTES_SIZE = 4096;

export function nothing(): void {}

export function invert(bytes: Uint8Array): Uint8Array {
  for (let index = 0; index < bytes.length; index++) bytes[index] = ~bytes[index]!;
  return bytes;
}

export function burn(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
