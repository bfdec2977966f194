// Bugs on purpose, put into a run from outside: each must be caught, or the checks are worth
// nothing.

import type { AcceptService } from '../../src/accept/accept-service.ts';
import type { IoOptions } from '../../src/io/io-options.ts';
import { RECV, SEND } from '../../src/io/token.ts';
import { SHUT_RDWR } from '../../src/kernel/sockets.ts';
import type { WorkerService } from '../../src/worker/worker-service.ts';
import type { Kernel } from './kernel.ts';
import { type IoChecks, SimIo } from './sim-io.ts';

export interface Canary {
  /** The `Io` of an accept thread. */
  makeIo(kernel: Kernel, options: IoOptions, checks: IoChecks): SimIo;
  /** Spoils the service of an accept thread. */
  spoil(service: AcceptService): void;
  /** Spoils what a worker does with its guests. */
  spoilGuests(service: WorkerService, kernel: Kernel): void;
  /** True: an eventfd is written. */
  wakes(kernel: Kernel): boolean;
  /** True: the main thread repairs what a dead worker left. */
  readonly repairs: boolean;
}

export const HEALTHY: Canary = {
  makeIo: (kernel, options, checks) => new SimIo(kernel, options, checks),
  spoil: () => {},
  spoilGuests: () => {},
  wakes: () => true,
  repairs: true,
};

class LeaksBuffers extends SimIo {
  override releaseBuffer(buffer: number): void {
    if (!this.kernel.random.chance(0.05)) super.releaseBuffer(buffer);
  }
}

class KeepsBuffers extends SimIo {
  override releaseBuffer(): void {}
}

class ResendsFromTheStart extends SimIo {
  readonly #sizes = new Map<number, number>();
  readonly #short = new Set<number>();

  override send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    const back = this.#short.delete(slot) ? 1 : 0;
    this.#sizes.set(slot, size);
    super.send(fd, offset - back, size, slot, generation);
  }

  override nextCompletion(): boolean {
    const found = super.nextCompletion();
    if (!found || this.operation !== SEND) return found;
    if (this.result > 0 && this.result < this.#sizes.get(this.slot)!) this.#short.add(this.slot);
    return true;
  }
}

class ClosesEarly extends SimIo {
  override shutdown(fd: number, how: number): void {
    super.shutdown(fd, how);
    if (how === SHUT_RDWR) this.kernel.close(fd);
  }
}

class ForgetsDeadRings extends SimIo {
  override shutdown(fd: number, how: number): void {
    const isHeld = this.kernel.ios.some((io) => io.isDead && io.holds(fd));
    if (!isHeld) super.shutdown(fd, how);
  }
}

class TouchesMemory extends SimIo {
  override send(fd: number, offset: number, size: number, slot: number, generation: number): void {
    super.send(fd, offset, size, slot, generation);
    if (this.kernel.random.chance(0.1)) this.memory.bytes[offset + size - 1]! ^= 1;
  }
}

class ForgetsReceives extends SimIo {
  override recv(fd: number, slot: number, generation: number, repeat: boolean): void {
    if (!this.kernel.random.chance(0.05)) super.recv(fd, slot, generation, repeat);
  }
}

class SpoilsBodies extends SimIo {
  override nextCompletion(): boolean {
    const found = super.nextCompletion();
    if (!found || this.operation !== RECV || this.result !== this.bufferSize) return found;
    const last = this.bufferOffset(this.buffer) + this.result - 1;
    // Only bodies have such bytes.
    if (this.memory.bytes[last]! >= 160) this.memory.bytes[last]! ^= 1;
    return true;
  }
}

// The result of a task that was given up is kept, and given to the next request that gets one.
function deliverLateResults({ connections }: AcceptService): void {
  const { tasks } = connections;
  const onLate = tasks.onLate.bind(tasks);
  const onDone = tasks.onDone.bind(tasks);
  const late = new Set<string>();
  let kept: readonly [status: number, bytes: Uint8Array, kind: number | undefined] | undefined;
  tasks.onLate = (exchange, generation) => {
    late.add(`${exchange} ${generation}`);
    onLate(exchange, generation);
  };
  tasks.onDone = (exchange, generation, status, bytes, offset, size, kind) => {
    if (late.delete(`${exchange} ${generation}`)) {
      kept = [status, bytes.slice(offset, offset + size), kind];
    } else if (kept === undefined) onDone(exchange, generation, status, bytes, offset, size, kind);
    else {
      const [itsStatus, itsBytes, itsKind] = kept;
      kept = undefined;
      onDone(exchange, generation, itsStatus, itsBytes, 0, itsBytes.length, itsKind);
    }
  };
}

function withIo(Class: typeof SimIo): Canary {
  return { ...HEALTHY, makeIo: (kernel, options, checks) => new Class(kernel, options, checks) };
}

/** By name, as `npm run simulate -- --canary NAME` takes it. */
export const CANARIES: Readonly<Record<string, Canary>> = {
  /** A receive buffer is not given back, now and then. */
  'leaks-buffers': withIo(LeaksBuffers),
  /** No receive buffer is ever given back: a turn that looks for one does not end. */
  'keeps-buffers': withIo(KeepsBuffers),
  /** After a short send the rest is sent from one byte too early. */
  'resends-wrong-bytes': withIo(ResendsFromTheStart),
  /** A connection that ends is closed while the kernel holds operations of it. */
  'closes-early': withIo(ClosesEarly),
  /** Memory changes while it is sent. */
  'touches-memory': withIo(TouchesMemory),
  /** A receive is never submitted, now and then. */
  'forgets-receives': withIo(ForgetsReceives),
  /** What completes is taken for the slot's present connection, whatever its generation. */
  'ignores-generation': {
    ...HEALTHY,
    spoil: ({ connections }) => {
      const { pool } = connections.table;
      pool.isCurrent = (slot) => pool.isUsed(slot);
    },
  },
  /** The last byte of a full receive buffer is another one, if it is of a body. */
  'spoils-bodies': withIo(SpoilsBodies),
  /** The result of a task that was given up goes to the next request that waits for one. */
  'delivers-late-results': { ...HEALTHY, spoil: deliverLateResults },
  /** A worker closes a connection that ends with it: so does who accepted it. */
  'closes-twice': {
    ...HEALTHY,
    spoilGuests: ({ guests }, kernel) => {
      const end = guests.end.bind(guests);
      guests.end = (slot, reason) => {
        kernel.close(guests.connections!.table.fd(slot));
        end(slot, reason);
      };
    },
  },
  /** A connection that goes home leaves behind what was not read. */
  'loses-unread-bytes': {
    ...HEALTHY,
    spoilGuests: ({ guests }) => {
      const unread = guests.unread.bind(guests);
      guests.unread = (slot, size) => {
        const bytes = unread(slot, size);
        return bytes && { size: 0, stateSize: 0, read: () => 0, write: () => {} };
      };
    },
  },
  /** A worker goes on with a connection that it has given back. */
  'keeps-guests': {
    ...HEALTHY,
    spoilGuests: ({ guests, loop }) => {
      const depart = guests.depart.bind(guests);
      guests.depart = (slot) => {
        const { table } = guests.connections!;
        const fd = table.fd(slot);
        const generation = table.generation(slot);
        depart(slot);
        loop.io.recv(fd, slot, generation, false);
      };
    },
  },
  /** A connection is closed while the ring of the worker that died with it may hold it. */
  'forgets-dead-rings': withIo(ForgetsDeadRings),
  /** The loop is not told that code of the app ran, which may go on in a microtask. */
  'forgets-app': {
    ...HEALTHY,
    spoil: ({ loop }) => {
      loop.userCodeRan = () => {};
    },
  },
  /** A thread is not woken, now and then. */
  'loses-wakeups': { ...HEALTHY, wakes: ({ random }) => !random.chance(0.2) },
  /** Nobody repairs what a dead worker left. */
  'skips-repair': { ...HEALTHY, repairs: false },
};
