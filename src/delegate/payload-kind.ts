// How the bytes of a task holder's payload are meant.

/** An input: the target of a request. An output: none, the task has returned nothing. */
export const TEXT = 0;
export const BYTES = 1;
export const JSON_TEXT = 2;
/** An input: no bytes, but a connection, see `hand-off-records.ts`. */
export const CONNECTION = 3;
/** An output: that of a response of the task's own. */
export const ENDED = 4;
