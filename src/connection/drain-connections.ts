// The end of all connections, when the server drains. Control plane.

import { DRAINING } from './close-reason.ts';
import type { ConnectionTable } from './connection-table.ts';
import { DEFERRED, LINGERING, OPEN } from './connection-table.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { RecvSide } from './recv-side.ts';
import type { Waiting } from './waiting.ts';

/** Ends the connections that owe nothing to their peers. */
export function closeIdle(
  table: ConnectionTable,
  waiting: Waiting,
  recvSide: RecvSide,
  lifecycle: Lifecycle,
): void {
  for (let slot = 0; slot < table.pool.capacity; slot++) {
    if (table.state(slot) !== OPEN || table.has(slot, DEFERRED)) continue;
    if (waiting.isAwaited(slot) || recvSide.isWaiting(slot)) continue;
    lifecycle.linger(slot, DRAINING);
  }
}

/** Ends every connection, whatever it waits for. */
export function terminateAll(table: ConnectionTable, lifecycle: Lifecycle): void {
  for (let slot = 0; slot < table.pool.capacity; slot++) {
    const state = table.state(slot);
    if (state === OPEN || state === LINGERING) lifecycle.terminate(slot, DRAINING);
  }
}
