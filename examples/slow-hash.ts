import { scryptSync } from 'node:crypto';

/** Takes some 50 ms of a CPU. */
export function slowHash(bytes: Uint8Array): string {
  return scryptSync(Buffer.from(bytes), 'millrace', 16, { N: 16_384 }).toString('hex');
}
