import { ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from './explore.ts';
import { type Mistake, type Scale, TaskModel } from './task-model.ts';

const TWO: Scale = { shares: [1, 1], tasks: [2, 1], deaths: 1, takenBack: 0 };
/** Both holders belong to one accept thread, so that one may be an orphan beside the other. */
const ONE: Scale = { shares: [2, 0], tasks: [2, 0], deaths: 2, takenBack: 0 };
/** Tasks are taken back: more of them than the queue has cells, and beside a death. */
const MANY_BACK: Scale = { shares: [1, 1], tasks: [6, 0], deaths: 0, takenBack: 6 };
const BACK: Scale = { shares: [1, 1], tasks: [2, 1], deaths: 1, takenBack: 1 };

test('however accept threads, workers and a death interleave, tasks come back once', (t) => {
  for (const scale of [TWO, ONE, MANY_BACK, BACK]) {
    const { states, ends } = explore(new TaskModel('none', scale));
    t.diagnostic(`${states} states, ${ends} ends`);
    ok(states > 10_000 && ends > 1);
  }
});

const MISTAKES: readonly [Mistake, RegExp, Scale][] = [
  ['orphans-late', /twice|once|done|owns/, ONE],
  ['orphans-lost', /is lost/, ONE],
  ['entry-owns', /once|owns|done/, TWO],
  ['lap-ignored', /once|owns|lost|done/, TWO],
  ['taken-lost', /is lost/, TWO],
  ['entry-left', /than there are cells/, MANY_BACK],
  ['entry-passed', /is lost/, BACK],
];

for (const [mistake, message, scale] of MISTAKES) {
  test(`the check finds the mistake "${mistake}"`, () => {
    throws(() => explore(new TaskModel(mistake, scale)), message);
  });
}
