// A connection of a protocol as a blocking handler sees it. Its calls return when the peer has
// taken or sent what they are about; meanwhile the thread serves what else it has adopted, and
// takes no task. Nothing is received that it has not asked for.
//
// Owner: one worker thread. Control plane: what it throws ends the handler, and its connection.

import type { PeerAddress } from '../kernel/sockets.ts';
import type { RunUntil } from './blocking-connection.ts';
import { ExchangeError } from './exchange-error.ts';
import type { RawGuest, RawHandler } from './protocol.ts';

/** A connection of a protocol, as a blocking handler reads and writes it. */
export interface BlockingRawConnection {
  /** The address of the peer. */
  readonly peer: PeerAddress | undefined;
  /** The next bytes, or undefined when the peer has ended its side. @throws ExchangeError */
  readSync(): Uint8Array | undefined;
  /** Sends bytes, a string as UTF-8; returns when they are on their way. @throws ExchangeError */
  writeSync(bytes: string | Uint8Array): void;
  /** Ends our side: the connection does not go back when the function returns. */
  endSync(): void;
}

export class BoundBlockingRawConnection implements BlockingRawConnection {
  /** What the connection is served by: it keeps what the blocking function asks for. */
  readonly functions: RawHandler;
  over = false;
  #guest!: RawGuest;
  #runUntil!: RunUntil;
  #piece: Uint8Array | undefined;
  #ended = false;
  #returned = false;
  #drained = false;

  /** The connection is here: `onOpen` is told, and `begin` follows when it has the thread. */
  constructor(onOpen: (guest: RawGuest, state: Uint8Array) => void) {
    this.functions = {
      onOpen: (guest, state) => {
        this.#guest = guest;
        guest.pause();
        onOpen(guest, state);
      },
      onData: (guest, bytes) => {
        this.#piece = new Uint8Array(bytes);
        guest.pause();
      },
      onDrain: () => {
        this.#drained = true;
      },
      onEnd: () => {
        this.#ended = true;
      },
      // It goes home when the function returns.
      onRecall: () => {},
      onClose: () => {
        this.over = true;
      },
    };
  }

  begin(runUntil: RunUntil): void {
    this.#runUntil = runUntil;
  }

  /** The function has returned, or thrown: there is no place for ticks of the loop any more. */
  finish(): void {
    this.#returned = true;
  }

  get peer(): PeerAddress | undefined {
    return this.#guest.peer;
  }

  readSync(): Uint8Array | undefined {
    this.#checkRuns();
    this.#piece = undefined;
    if (!this.#ended) {
      this.#guest.resume();
      this.#runUntil(() => this.#piece !== undefined || this.#ended || this.over);
    }
    this.#check();
    return this.#piece;
  }

  writeSync(bytes: string | Uint8Array): void {
    this.#check();
    // What was taken waits for the loop to send it.
    this.#drained = this.#guest.write(bytes);
    this.#runUntil(() => this.#drained || this.over);
    this.#check();
  }

  endSync(): void {
    this.#checkRuns();
    this.#guest.end();
  }

  #checkRuns(): void {
    if (this.#returned) throw new Error('the connection was used after its handler returned');
  }

  #check(): void {
    this.#checkRuns();
    if (this.over) throw new ExchangeError('the connection has ended', 0);
  }
}
