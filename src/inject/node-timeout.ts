// Node's own timer, taken with the first import of Millrace, because tests replace timers.
// Control plane.

export const nodeTimeout: typeof setTimeout = setTimeout;
