// Why a connection ended. The reason of a `ConnectionCtx` is the place of its counter.

import { Counter } from '../base/counters.ts';

/** The last response announced the close. */
export const SERVED = Counter.closedServed;
/** The peer ended its side, and nothing was owed to it, or nothing more came of what was. */
export const BY_PEER = Counter.closedByPeer;
/** The peer reset, or was lost by the network. */
export const BY_RESET = Counter.closedByReset;
/** The request was rejected, and what follows it cannot be interpreted. */
export const BAD_REQUEST = Counter.closedBadRequest;
/** No request began within the keep-alive timeout. */
export const IDLE = Counter.closedIdle;
/** A bounded pool was dry. */
export const NO_MEMORY = Counter.closedNoMemory;
/** The server is ending. */
export const DRAINING = Counter.closedDraining;
/** A head did not arrive within its time. */
export const HEADER_TIMEOUT = Counter.closedHeaderTimeout;
/** A body did not arrive within its time, or came too slowly. */
export const BODY_TIMEOUT = Counter.closedBodyTimeout;
/** The peer did not take its responses within their time. */
export const SEND_TIMEOUT = Counter.closedSendTimeout;
/** The thread that had the connection died. */
export const THREAD_DIED = Counter.closedThreadDied;
/** A handler did not begin its response within its time. */
export const HANDLER_TIMEOUT = Counter.closedHandlerTimeout;
/** A handler failed when its response had begun. */
export const HANDLER_FAILED = Counter.closedHandlerFailed;
