// What the lines of a head have said so far, as bits of one number: see `request-parser.ts`.

export const REQUEST_LINE = 1;
export const VERSION_11 = 2;
export const HOST = 4;
export const CONTENT_LENGTH = 8;
export const TRANSFER_ENCODING = 16;
export const ENDED = 32;
// The bits of `connectionOptions`, `expectations` and, last, `transferCodings`, in their places.
export const OPTIONS_SHIFT = 8;
export const EXPECT_SHIFT = 11;
export const CODINGS_SHIFT = 13;
