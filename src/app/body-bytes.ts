// The body of a response, or a piece of it, as bytes, and how many they are. What is thrown here
// tells of a mistake in the application. Control plane; for a size nothing is allocated.

export function bytesOf(piece: string | Uint8Array): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece);
  sizeOf(piece);
  return piece;
}

export function sizeOf(body: string | Uint8Array): number {
  if (typeof body === 'string') return Buffer.byteLength(body);
  if (!(body instanceof Uint8Array)) {
    throw new TypeError('the body of a response is a string or a Uint8Array');
  }
  return body.length;
}
