// The log of all threads, with a limit: the same message comes once a second at most, whichever
// threads say it, and the next one tells how many were left out. A fault that strikes each request
// must not bury all others, nor become the server's main work. Control plane.

const INTERVAL_MS = 1000;
/** So many different messages are remembered: beyond it the oldest is forgotten. */
const REMEMBERED_MAX = 1000;

interface Said {
  at: number;
  leftOut: number;
}

export class LogLimiter {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  readonly #said = new Map<string, Said>();

  constructor(write: (line: string) => void, now: () => number = () => performance.now()) {
    this.#write = write;
    this.#now = now;
  }

  log(thread: string, message: string): void {
    const said = this.#said.get(message);
    const now = this.#now();
    if (said !== undefined && now - said.at < INTERVAL_MS) {
      said.leftOut++;
      return;
    }
    const more = said === undefined || said.leftOut === 0 ? '' : ` (${said.leftOut} more before)`;
    this.#said.delete(message);
    this.#said.set(message, { at: now, leftOut: 0 });
    if (this.#said.size > REMEMBERED_MAX) this.#said.delete(this.#said.keys().next().value!);
    this.#write(`${thread}: ${message}${more}`);
  }
}
