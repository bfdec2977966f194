// The pieces of the stream of a `Response`, for as long as its client may be there. Control plane.

import { ExchangeError } from '../app/exchange-error.ts';
import { PieceWait } from '../app/stream-source.ts';

/**
 * A client that has ended its side reads on, or has gone, which only writing to it tells. So a
 * stream that says nothing for this long is not waited for any longer.
 */
export const SILENCE_MS_MAX = 2000;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * Answers what `reads` and those that follow them read. `signal` aborts when the client has ended
 * its side. @throws ExchangeError when the stream is silent for too long behind that.
 */
export async function* streamPieces(
  reader: Reader,
  reads: ReturnType<Reader['read']>[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const wait = new PieceWait();
  let waits = false;
  let timer: NodeJS.Timeout | undefined;
  const watch = (): void => {
    if (!waits || !signal.aborted) return;
    const error = new ExchangeError('the client has ended the connection', 0);
    timer = setTimeout(() => wait.fail(error), SILENCE_MS_MAX);
  };
  signal.addEventListener('abort', watch);
  try {
    for (;;) {
      waits = true;
      watch();
      const { done, value } = await wait.for(reads.shift() ?? reader.read());
      waits = false;
      clearTimeout(timer);
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', watch);
  }
}
