// A simulated client: it connects, sends its requests in pieces, reads or does not, and ends its
// connection in one of many ways, polite and otherwise. The scheduler decides when it acts.

import { Conversation } from './conversation.ts';
import type { Kernel } from './kernel.ts';
import type { Random } from './random.ts';
import type { Exchange, Offer } from './requests.ts';
import { badExchange, lineExchange, upgradeExchange, validExchange } from './requests.ts';
import { type ListeningSocket, Socket } from './socket.ts';

/** When a client ends its side. */
type Ending = 'when all is sent' | 'when all is answered' | 'never';

/** Handshakes that were under way complete within this time after SYNs are dropped. */
const HANDSHAKE_MS = 90;

export interface ClientOptions {
  readonly kernel: Kernel;
  readonly listeners: readonly ListeningSocket[];
  readonly offer: Offer;
}

export class Client {
  readonly id: number;
  readonly conversation: Conversation;
  socket: Socket | undefined;
  /** It will do nothing any more, or its connection never came to be. */
  isDone = false;
  sent = 0;
  read = 0;
  hasReset = false;
  hasEnded = false;
  /** It sent bytes behind the request that ends the connection. */
  readonly sendsBehindEnd: boolean;
  readonly #kernel: Kernel;
  readonly #random: Random;
  readonly #listener: ListeningSocket;
  readonly #chunkMax: number;
  readonly #window: number;
  readonly #reading: 'all' | 'little' | 'nothing';
  readonly #ending: Ending;
  readonly #endsByClose: boolean;
  readonly #isStubborn: boolean;
  // It waits for "100 Continue" before it sends a body.
  readonly #isPatient: boolean;
  // It sends no further than this, and stays silent.
  readonly #sendMax: number;
  #connecting = false;

  constructor(id: number, options: ClientOptions) {
    const { kernel } = options;
    const { random } = kernel;
    this.id = id;
    this.#kernel = kernel;
    this.#random = random;
    this.#listener = random.pick(options.listeners);
    const { exchanges, tail } = makeScript(random, id, options.offer);
    this.conversation = new Conversation(exchanges, tail);
    this.#chunkMax = random.pick([1, 7, 50, 400, 20_000, 20_000]);
    this.#window = random.pick([1, 1, 2, 1000]);
    this.#reading = random.pick(['all', 'all', 'all', 'all', 'little', 'nothing']);
    this.#ending = random.pick<Ending>([
      'when all is sent',
      'when all is answered',
      'when all is answered',
      'never',
    ]);
    this.#endsByClose = random.chance(0.3);
    this.#isStubborn = random.chance(0.15);
    this.#isPatient = random.chance(0.7);
    const total = this.conversation.bytes.length;
    this.#sendMax = random.chance(0.1) ? random.below(total + 1) : total;
    this.sendsBehindEnd = exchanges.some(
      ({ closes, mayClose }, index) =>
        (closes || mayClose) && this.conversation.requestEnds[index]! < total,
    );
  }

  /** Does one of the things that it can do now; false when there is none. */
  act(): boolean {
    if (this.isDone) return false;
    const { socket } = this;
    if (socket === undefined) return this.#connect();
    if (socket.closed && (socket.peerSawEnd || this.#reading === 'nothing')) return this.#finish();
    if (this.#random.chance(this.#kernel.faults.peerResets)) return this.#reset(socket);
    const first = this.#random.below(3);
    for (let index = 0; index < 3; index++) {
      if (this.#try((first + index) % 3, socket)) return true;
    }
    return false;
  }

  #try(action: number, socket: Socket): boolean {
    if (action === 0) return this.#send(socket);
    return action === 1 ? this.#read(socket) : this.#end(socket);
  }

  #connect(): boolean {
    const listener = this.#listener;
    if (!this.#connecting) {
      if (listener.refusedAtMs !== undefined || listener.closed) return this.#finish();
      this.#connecting = true;
      return true;
    }
    const refusedMs = listener.refusedAtMs ?? Number.POSITIVE_INFINITY;
    const late = this.#kernel.nowMs > refusedMs + HANDSHAKE_MS;
    if (late || listener.closed) return this.#finish();
    const sizes = [16, 300, 4096];
    this.socket = new Socket(
      { toServer: this.#random.pick(sizes), toPeer: this.#random.pick([30, 300, 4096, 30_000]) },
      this.#random,
      this.#kernel.faults,
    );
    this.socket.onSent = (bytes) => this.conversation.onServerBytes(bytes);
    listener.backlog.push(this.socket);
    return true;
  }

  #send(socket: Socket): boolean {
    if (this.hasEnded || this.hasReset || socket.resetByServer) return false;
    const limit = this.#sendLimit();
    if (this.sent >= limit || (socket.toServer.space === 0 && !socket.closed)) return false;
    const chunk = Math.min(limit - this.sent, this.#random.between(1, this.#chunkMax));
    this.sent += socket.peerSend(this.conversation.bytes.subarray(this.sent, this.sent + chunk));
    return true;
  }

  // No more requests than the window are sent ahead of the responses that were read.
  #sendLimit(): number {
    const { requestEnds, bytes } = this.conversation;
    const ahead = this.#answered() + this.#window;
    const limit = ahead > requestEnds.length ? bytes.length : requestEnds[ahead - 1]!;
    return Math.min(limit, this.#sendMax, this.#patience());
  }

  // No body is sent that the server was not seen to wait for.
  #patience(): number {
    const { exchanges, requestEnds, responseEnds } = this.conversation;
    if (!this.#isPatient) return Infinity;
    const index = exchanges.findIndex(({ text, headSize, expects }, at) => {
      const headEnd = requestEnds[at]! - text.length + headSize;
      const isWaiting = responseEnds.length <= at && !this.conversation.wasContinued(at);
      return expects && this.sent <= headEnd && isWaiting;
    });
    if (index < 0) return Infinity;
    const { text, headSize } = exchanges[index]!;
    return requestEnds[index]! - text.length + headSize;
  }

  // How many responses were read to their end.
  #answered(): number {
    const { responseEnds } = this.conversation;
    let count = 0;
    while (count < responseEnds.length && responseEnds[count]! <= this.read) count++;
    return count;
  }

  #read(socket: Socket): boolean {
    if (this.#reading === 'nothing' || socket.toPeer.size === 0) return false;
    const size = this.#reading === 'all' ? socket.toPeer.size : this.#random.between(1, 40);
    this.read += socket.peerRead(size).length;
    return true;
  }

  #end(socket: Socket): boolean {
    if (this.hasEnded || this.hasReset) return false;
    if (!this.#wantsToEnd(socket)) return false;
    this.hasEnded = true;
    if (this.#endsByClose) socket.peerClose();
    else socket.peerEnd();
    return true;
  }

  #wantsToEnd(socket: Socket): boolean {
    if (socket.peerSawEnd) return !this.#isStubborn;
    const allSent = this.sent === this.conversation.bytes.length;
    if (this.#ending === 'when all is sent') return allSent;
    const allAnswered = this.#answered() === this.conversation.exchanges.length;
    return this.#ending === 'when all is answered' && allSent && allAnswered;
  }

  #reset(socket: Socket): boolean {
    if (this.hasReset) return false;
    this.hasReset = true;
    socket.peerReset();
    return true;
  }

  #finish(): true {
    this.isDone = true;
    return true;
  }
}

// Ids are a hundred for each client.
function makeScript(
  random: Random,
  client: number,
  offer: Offer,
): { exchanges: Exchange[]; tail: string } {
  const isLong = random.chance(offer.likes === 'tasks' ? 0.5 : 0.1);
  const count = isLong ? random.below(40) : random.below(6);
  const exchanges: Exchange[] = [];
  for (let index = 0; index < count; index++) {
    exchanges.push(validExchange(random, client * 100 + index, offer));
  }
  const upgrades = random.chance(0.15);
  if (upgrades) {
    exchanges.push(upgradeExchange(random, client * 100 + count));
    for (let lines = random.below(10); lines > 0; lines--) {
      exchanges.push(lineExchange(random, client * 100 + exchanges.length));
    }
  } else if (random.chance(0.2)) exchanges.push(badExchange(random, client * 100 + count));
  const unfinished = upgrades ? 'a line without an end' : 'GET /never-finished HTTP/1.1\r\nHo';
  const tail = random.chance(0.15) ? unfinished : '';
  return { exchanges, tail };
}
