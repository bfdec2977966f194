// Visits every state that a model can reach, whichever of its threads goes on when. A state is a
// few bytes; a step changes a copy of it.

export interface Model {
  readonly initial: Uint8Array;
  /** Hands each state that may come next to `visit`; the array is the model's own. */
  next(state: Uint8Array, visit: (state: Uint8Array) => void): void;
  /** Throws an error that says what is wrong with a state in which nobody can go on. */
  checkEnd(state: Uint8Array): void;
}

export interface Exploration {
  readonly states: number;
  /** States in which nobody can go on. */
  readonly ends: number;
}

/** @throws what `next` or `checkEnd` throws. */
export function explore(model: Model): Exploration {
  const seen = new Set<string>();
  const waiting: Uint8Array[] = [];
  let ends = 0;
  let steps = 0;
  const visit = (state: Uint8Array): void => {
    steps++;
    const key = Buffer.from(state.buffer, state.byteOffset, state.length).toString('latin1');
    if (seen.has(key)) return;
    seen.add(key);
    waiting.push(state.slice());
  };
  visit(model.initial);
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    const before = steps;
    model.next(state, visit);
    if (steps > before) continue;
    model.checkEnd(state);
    ends++;
  }
  return { states: seen.size, ends };
}
