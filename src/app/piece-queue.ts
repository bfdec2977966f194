// Pieces of a body that were written and not taken yet, in their order.
//
// Owner: one thread. Control plane: what waits is memory of the application.

// What was taken is forgotten when it is this many pieces, and at least half of all.
const TAKEN_MAX = 1024;

export class PieceQueue {
  /** Bytes of the first piece that were taken. */
  taken = 0;
  /** Bytes of all pieces that were not taken yet. */
  size = 0;
  // Undefined before `#first`: these were taken.
  readonly #pieces: (Uint8Array | undefined)[] = [];
  #first = 0;

  /** The first piece, or undefined. */
  get first(): Uint8Array | undefined {
    return this.#pieces[this.#first];
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.size += piece.length;
  }

  /** `size` more bytes of the first piece were taken. */
  take(size: number): void {
    this.taken += size;
    this.size -= size;
    if (this.taken < this.#pieces[this.#first]!.length) return;
    this.taken = 0;
    this.#pieces[this.#first++] = undefined;
    if (this.#first === this.#pieces.length) this.clear();
    else if (this.#first >= TAKEN_MAX && this.#first >= this.#pieces.length >> 1) {
      this.#pieces.splice(0, this.#first);
      this.#first = 0;
    }
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#first = 0;
    this.taken = 0;
    this.size = 0;
  }

  /** Memory of `buffer` is going to be used again: what was not taken of it is copied. */
  detach(buffer: ArrayBufferLike): void {
    for (let index = this.#first; index < this.#pieces.length; index++) {
      const piece = this.#pieces[index]!;
      if (piece.buffer === buffer) this.#pieces[index] = new Uint8Array(piece);
    }
  }
}
