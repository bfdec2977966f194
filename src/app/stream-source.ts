// What a response may stream from: a Web or a Node stream, or anything to iterate over. Control
// plane: a stream allocates.

import { Readable } from 'node:stream';

/** Pieces of a body: strings are sent as UTF-8. */
export type StreamSource =
  | ReadableStream<Uint8Array | string>
  | AsyncIterable<Uint8Array | string>
  | (Iterable<Uint8Array | string> & object);

/** A source that is read piece by piece, and can be told that no more is wanted. */
export interface Pieces {
  next(): Promise<IteratorResult<Uint8Array | string>>;
  /** Nothing more is wanted. Whoever waits for a piece may wait for ever. */
  cancel(reason?: Error): void;
}

/** @throws TypeError for what cannot be streamed. */
export function piecesOf(source: StreamSource): Pieces {
  if (source instanceof ReadableStream) return fromWebStream(source);
  if (typeof source === 'string' || source instanceof Uint8Array) throw new TypeError(WANTED);
  if (Symbol.asyncIterator in source) {
    const iterator = source[Symbol.asyncIterator]();
    return {
      next: () => iterator.next(),
      cancel: (reason) => {
        if (source instanceof Readable) source.destroy(reason);
        else iterator.return?.().catch(() => {});
      },
    };
  }
  if (!(Symbol.iterator in source)) throw new TypeError(WANTED);
  const iterator = source[Symbol.iterator]();
  return {
    next: () => Promise.resolve(iterator.next()),
    cancel: () => void iterator.return?.(),
  };
}

/**
 * Waits for one piece after the other, until there is no sense in it. A race against a promise that
 * lives as long as the stream would leave a reaction on it for each piece, until the stream ends.
 */
export class PieceWait {
  #error: Error | undefined;
  // Of whoever waits now.
  #reject: ((error: Error) => void) | undefined;

  /** No piece is waited for any more. */
  fail(error: Error): void {
    this.#error = error;
    this.#reject?.(error);
    this.#reject = undefined;
  }

  /** As `piece`, unless `fail` comes first; its own failure is nobody's business then. */
  for<T>(piece: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      piece.then(resolve, reject);
      if (this.#error === undefined) this.#reject = reject;
      else reject(this.#error);
    });
  }
}

/** Writes piece by piece. A source that waits is not waited for when `wait` fails. */
export async function streamTo(
  response: { write(piece: Uint8Array | string): Promise<void> | undefined },
  pieces: Pieces,
  wait: PieceWait,
): Promise<void> {
  try {
    for (;;) {
      const piece = await wait.for(pieces.next());
      if (piece.done === true) return;
      await response.write(piece.value);
    }
  } catch (error) {
    pieces.cancel(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

const WANTED = 'a response streams from a ReadableStream, a Readable, or an iterable of pieces';

function fromWebStream(stream: ReadableStream<Uint8Array | string>): Pieces {
  const reader = stream.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? { done: true, value: undefined } : { done: false, value };
    },
    cancel: (reason) => {
      reader.cancel(reason).catch(() => {});
    },
  };
}
