// What the connections of a thread ask of whoever takes them to another one. Types only.
//
// An accept thread hands a connection to a worker, which adopts it: there it is a guest, and goes
// home to be closed, or to be served on.

/** The bytes that a connection takes along, in order. */
export interface UnreadBytes {
  /** How many were not read. */
  readonly size: number;
  /** How many at the beginning are not the peer's, but what the application says. */
  stateSize: number;
  /** Reads at most `sizeMax` bytes to `offset` of `target`. Answers how many. */
  read(target: Uint8Array, offset: number, sizeMax: number): number;
  write(bytes: Uint8Array, start: number, end: number): void;
}

export interface Departures {
  /** True exactly when connections are guests: their descriptors are of another thread. */
  readonly ofGuests: boolean;
  /** True exactly when a request of this route is for another thread; negative: of no route. */
  isElsewhere(slot: number, route: number): boolean;
  /** True exactly when a guest goes home after the response to a request of this route. */
  leavesAfter(route: number): boolean;
  /** Makes ready for a departure. False: there is no room, the request is refused. */
  prepare(slot: number, route: number): boolean;
  /** The same for a connection of a protocol, and a raw handler with this index of a task. */
  reserve(slot: number, index: number): boolean;
  /** Makes room for `size` unread bytes to be taken along, or answers undefined. */
  unread(slot: number, size: number): UnreadBytes | undefined;
  /** Nothing of the connection is in flight, and its unread bytes were written: it is gone. */
  depart(slot: number): void;
  /** The connection ends here before it could depart. */
  cancel(slot: number): void;
  /** A guest has ended: its descriptor, with nothing in flight, goes home to be closed. */
  end(slot: number, reason: number): void;
}
