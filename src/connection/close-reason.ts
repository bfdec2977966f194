// Why a connection ended. The reason of a `ConnectionCtx` is the place of its counter.

import { Counter } from '../base/counters.ts';

/** The last response announced the close. */
export const SERVED = Counter.closedServed;
/** The peer ended its side, and nothing was owed to it. */
export const BY_PEER = Counter.closedByPeer;
/** The peer reset, or was lost by the network. */
export const BY_RESET = Counter.closedByReset;
/** The request was rejected, and what follows it cannot be interpreted. */
export const BAD_REQUEST = Counter.closedBadRequest;
/** Nothing arrived, or was taken, for the keep-alive timeout. */
export const IDLE = Counter.closedIdle;
/** A bounded pool was dry. */
export const NO_MEMORY = Counter.closedNoMemory;
/** The server is ending. */
export const DRAINING = Counter.closedDraining;
