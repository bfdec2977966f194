// The algorithms of `src/delegate` as a model: two accept threads delegate tasks, and take some
// back that no worker has begun; two workers run them, one of which may die at any of its steps,
// and the main thread repairs what it left. A step is one atomic operation on shared memory, with
// what its thread does alone before the next one.
//
//     task-queue.ts         push: PUSH_*, with the entry of a task that was taken back: REUSE_*;
//                           take: TAKE_*, pushAgain: REPAIR_AGAIN_*
//     task-holders.ts       the state words
//     completion-stack.ts   push: FINISH_*, REPAIR_PUSH_*; takeAll: COLLECT_*
//     dead-thread.ts        REPAIR_*
//
// Who would sleep is not modelled: a thread looks for work only when there is some. So a state in
// which nobody can go on is an end, and everything has to be delivered there.

import type { Model } from './explore.ts';

/** Mistakes that the check has to find. */
export type Mistake =
  | 'none'
  /** Orphans are looked for after the stack was taken. */
  | 'orphans-late'
  /** What a dead worker had done and not published is not looked for. */
  | 'orphans-lost'
  /** The entry of the queue alone gives the task to a worker. */
  | 'entry-owns'
  /** A cell is not checked for its lap. */
  | 'lap-ignored'
  /** What a dead worker took and did not begin is not queued again. */
  | 'taken-lost'
  /** A task that was taken back leaves its entry, and the next one of its holder has another. */
  | 'entry-left'
  /** It has that entry, and nobody looks whether a worker has just passed it. */
  | 'entry-passed';

export interface Scale {
  /** By accept thread: its holders. */
  readonly shares: readonly [number, number];
  /** By accept thread: how many tasks it delegates; a holder may serve several. */
  readonly tasks: readonly [number, number];
  /** How often a worker dies at most. */
  readonly deaths: number;
  /** How many tasks are taken back at most. */
  readonly takenBack: number;
}

const CELLS = 4;
const HOLDERS = 2;
const TASKS_MAX = 6;
const NONE = 255;
/** The worker that may die; they are alike. */
const MORTAL = 1;

const FREE = 0;
const BUILDING = 1;
const QUEUED = 2;
const RUNNING = 3;
const DONE = 4;
const ORPHANED = 5;

// Where what lies in a state.
const HEAD = 0;
const TAIL = 1;
// Of a cell: the position that was published in it last, plus CELLS; the holder.
const CELL = 2;
const HOLDER = CELL + 2 * CELLS;
const HOLDER_SIZE = 6;
const [STATE, OWNER, POSITION, LINK, TASK, STALE_ENTRY] = [0, 1, 2, 3, 4, 5];
const TOP = HOLDER + HOLDERS * HOLDER_SIZE;
const DEATHS = TOP + 2;
const ACCEPT = DEATHS + 2;
const ACCEPT_SIZE = 9;
const [PC, HELD, CLAIMED, CELL_SEEN, NEXT_TASK, LIST, SEEN, ORPHANS, CURSOR] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8,
];
const WORKER = ACCEPT + 2 * ACCEPT_SIZE;
const WORKER_SIZE = 4;
const [HEAD_SEEN, TOP_SEEN] = [2, 3];
const MAIN = WORKER + 2 * WORKER_SIZE;
const MAIN_SIZE = 5;
const [MAIN_TOP, BEREAVED] = [2, 4];
const DEATHS_LEFT = MAIN + MAIN_SIZE;
const BACK_LEFT = DEATHS_LEFT + 1;
const RAN = BACK_LEFT + 1;
const DELIVERED = RAN + TASKS_MAX;
const SIZE = DELIVERED + TASKS_MAX;

// What a thread does next.
const IDLE = 0;
const PUSH_CLAIM = 1;
const PUSH_QUEUED = 2;
const PUSH_LOOK = 3;
const PUSH_PUBLISH = 4;
const COLLECT_SCAN = 5;
const COLLECT_TAKE = 6;
const DELIVER = 7;
const FREE_DONE = 8;
const FREE_ORPHANED = 9;
const COLLECT_LATE = 10;
const REUSE_HEAD = 11;
const REUSE_CELL = 12;
const REUSE_QUEUED = 13;
const REUSE_PASSED = 14;
const REUSE_STATE = 15;

const TAKE_CELL = 1;
const TAKE_MOVE = 2;
const TAKE_OWN = 3;
const FINISH_DONE = 4;
const FINISH_TOP = 5;
const FINISH_LINK = 6;
const DEAD = 7;

const REPAIR_LOOK = 1;
const REPAIR_DONE = 2;
const REPAIR_TOP = 3;
const REPAIR_LINK = 4;
const REPAIR_ORPHAN = 5;
const REPAIR_PASSED = 6;
const REPAIR_AGAIN_CLAIM = 7;
const REPAIR_AGAIN_POSITION = 8;
const REPAIR_AGAIN_LOOK = 9;
const REPAIR_AGAIN_PUBLISH = 10;
const REPAIR_TELL = 11;

function must(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

export class TaskModel implements Model {
  readonly initial: Uint8Array = new Uint8Array(SIZE);
  readonly #mistake: Mistake;
  // By accept thread: its first holder, and the end of its share; its last task.
  readonly #first: readonly number[];
  readonly #end: readonly number[];
  readonly #tasksEnd: readonly number[];
  // The state that a step changes, and its threads' words.
  readonly #s: Uint8Array = new Uint8Array(SIZE);

  constructor(mistake: Mistake, { shares, tasks, deaths, takenBack }: Scale) {
    must(shares[0] + shares[1] === HOLDERS && tasks[0] + tasks[1] <= TASKS_MAX, 'it fits a state');
    this.#mistake = mistake;
    this.#first = [0, shares[0]];
    this.#end = [shares[0], HOLDERS];
    this.#tasksEnd = [tasks[0], tasks[0] + tasks[1]];
    const s = this.initial;
    for (let cell = 0; cell < CELLS; cell++) s[CELL + 2 * cell] = cell;
    for (let holder = 0; holder < HOLDERS; holder++) s[HOLDER + holder * HOLDER_SIZE + LINK] = NONE;
    s.fill(NONE, TOP, TOP + 2);
    for (const accept of [0, 1]) {
      s[ACCEPT + accept * ACCEPT_SIZE + LIST] = NONE;
      s[ACCEPT + accept * ACCEPT_SIZE + NEXT_TASK] = accept === 0 ? 0 : tasks[0];
    }
    s[DEATHS_LEFT] = deaths;
    s[BACK_LEFT] = takenBack;
  }

  next(state: Uint8Array, visit: (state: Uint8Array) => void): void {
    const s = this.#s;
    const step = (run: () => boolean): void => {
      s.set(state);
      if (run()) visit(s);
    };
    for (const accept of [0, 1]) {
      step(() => this.#delegate(accept));
      step(() => this.#accept(accept));
      for (let holder = this.#first[accept]!; holder < this.#end[accept]!; holder++) {
        step(() => this.#takeBack(accept, holder));
      }
    }
    for (const worker of [0, 1]) step(() => this.#worker(worker));
    step(() => this.#die());
    step(() => this.#main());
  }

  checkEnd(s: Uint8Array): void {
    for (let task = 0; task < this.#tasksEnd[1]!; task++) {
      must(s[DELIVERED + task] === 1, `task ${task} is lost`);
    }
    for (let holder = 0; holder < HOLDERS; holder++) {
      must(s[HOLDER + holder * HOLDER_SIZE + STATE] === FREE, `holder ${holder} is not free`);
    }
  }

  #holder(holder: number, word: number): number {
    return this.#s[HOLDER + holder * HOLDER_SIZE + word]!;
  }

  #setHolder(holder: number, word: number, value: number): void {
    this.#s[HOLDER + holder * HOLDER_SIZE + word] = value;
  }

  // The compare-and-exchange of a state word.
  #change(holder: number, from: number, owner: number, to: number, thread: number): boolean {
    if (this.#holder(holder, STATE) !== from || this.#holder(holder, OWNER) !== owner) return false;
    this.#setHolder(holder, STATE, to);
    this.#setHolder(holder, OWNER, thread);
    return true;
  }

  // The compare-and-exchange of a cell at `position`, whose content is known by its lap.
  #publish(position: number, holder: number): boolean {
    const cell = CELL + 2 * (position % CELLS);
    must(this.#s[TAIL]! - this.#s[HEAD]! <= CELLS, 'no more is queued than there are cells');
    if (this.#s[cell] !== position) return false;
    this.#s[cell] = position + CELLS;
    this.#s[cell + 1] = holder;
    return true;
  }

  #isReady(position: number): boolean {
    if (this.#mistake === 'lap-ignored') return position < this.#s[TAIL]!;
    return this.#s[CELL + 2 * (position % CELLS)] === position + CELLS;
  }

  // An accept thread that is idle begins to delegate its next task.
  #delegate(accept: number): boolean {
    const s = this.#s;
    const at = ACCEPT + accept * ACCEPT_SIZE;
    const end = this.#tasksEnd[accept]!;
    if (s[at + PC] !== IDLE || s[at + NEXT_TASK]! >= end) return false;
    for (let holder = this.#first[accept]!; holder < this.#end[accept]!; holder++) {
      if (!this.#change(holder, FREE, 0, BUILDING, accept)) continue;
      this.#setHolder(holder, TASK, s[at + NEXT_TASK]!++);
      s[at + HELD] = holder;
      const mayReuse = this.#holder(holder, STALE_ENTRY) === 1 && this.#mistake !== 'entry-left';
      this.#setHolder(holder, STALE_ENTRY, 0);
      s[at + PC] = mayReuse ? REUSE_HEAD : PUSH_CLAIM;
      return true;
    }
    return false;
  }

  // Between two pushes: nobody waits for the task any more, and no worker has begun it.
  #takeBack(accept: number, holder: number): boolean {
    const s = this.#s;
    if (s[ACCEPT + accept * ACCEPT_SIZE + PC] !== IDLE || s[BACK_LEFT] === 0) return false;
    if (!this.#change(holder, QUEUED, 0, FREE, 0)) return false;
    this.#setHolder(holder, STALE_ENTRY, 1);
    s[BACK_LEFT]!--;
    const task = this.#holder(holder, TASK);
    must(++s[DELIVERED + task]! === 1 && s[RAN + task] === 0, 'what is taken back has not begun');
    return true;
  }

  #accept(accept: number): boolean {
    const s = this.#s;
    const at = ACCEPT + accept * ACCEPT_SIZE;
    const held = s[at + HELD]!;
    switch (s[at + PC]) {
      case IDLE: {
        const deaths = s[DEATHS + accept]!;
        if (s[TOP + accept] === NONE && deaths === s[at + SEEN]) return false;
        const scans = deaths !== s[at + SEEN];
        s[at + SEEN] = deaths;
        s[at + ORPHANS] = 0;
        s[at + CURSOR] = this.#first[accept]!;
        s[at + PC] = scans ? COLLECT_SCAN : COLLECT_TAKE;
        if (scans && this.#mistake === 'orphans-late') {
          s[at + CURSOR] = COLLECT_LATE;
          s[at + PC] = COLLECT_TAKE;
        }
        return true;
      }
      case PUSH_CLAIM:
        s[at + CLAIMED] = s[TAIL]!++;
        s[at + PC] = PUSH_QUEUED;
        return true;
      case PUSH_QUEUED:
        this.#setHolder(held, POSITION, s[at + CLAIMED]!);
        must(this.#change(held, BUILDING, accept, QUEUED, 0), 'who builds owns');
        s[at + PC] = PUSH_PUBLISH;
        return true;
      case PUSH_LOOK:
        s[at + CLAIMED] = s[TAIL]!++;
        this.#setHolder(held, POSITION, s[at + CLAIMED]!);
        s[at + PC] = PUSH_PUBLISH;
        return true;
      case PUSH_PUBLISH:
        s[at + PC] = this.#publish(s[at + CLAIMED]!, held) ? IDLE : PUSH_LOOK;
        if (s[at + PC] === IDLE) this.#forget(at);
        return true;
      case REUSE_HEAD:
        s[at + PC] = s[HEAD]! > this.#holder(held, POSITION) ? PUSH_CLAIM : REUSE_CELL;
        return true;
      case REUSE_CELL: {
        const position = this.#holder(held, POSITION);
        const cell = CELL + 2 * (position % CELLS);
        const isEntry = s[cell] === position + CELLS && s[cell + 1] === held;
        s[at + PC] = isEntry ? REUSE_QUEUED : PUSH_CLAIM;
        return true;
      }
      case REUSE_QUEUED:
        must(this.#change(held, BUILDING, accept, QUEUED, 0), 'who builds owns');
        s[at + PC] = this.#mistake === 'entry-passed' ? IDLE : REUSE_PASSED;
        if (s[at + PC] === IDLE) this.#forget(at);
        return true;
      case REUSE_PASSED:
        s[at + PC] = s[HEAD]! > this.#holder(held, POSITION) ? REUSE_STATE : IDLE;
        if (s[at + PC] === IDLE) this.#forget(at);
        return true;
      case REUSE_STATE:
        s[at + PC] = this.#holder(held, STATE) === QUEUED ? PUSH_LOOK : IDLE;
        if (s[at + PC] === PUSH_LOOK) this.#setHolder(held, STALE_ENTRY, 1);
        else this.#forget(at);
        return true;
      case COLLECT_SCAN: {
        const holder = s[at + CURSOR]!++;
        if (this.#holder(holder, STATE) === ORPHANED) s[at + ORPHANS]! |= 1 << holder;
        if (s[at + CURSOR] === this.#end[accept]) s[at + PC] = COLLECT_TAKE;
        return true;
      }
      case COLLECT_TAKE: {
        const isLate = s[at + CURSOR] === COLLECT_LATE;
        this.#collect(accept, at);
        if (isLate) s[at + PC] = COLLECT_LATE;
        return true;
      }
      case COLLECT_LATE:
        for (let holder = this.#first[accept]!; holder < this.#end[accept]!; holder++) {
          if (this.#holder(holder, STATE) === ORPHANED) s[at + ORPHANS]! |= 1 << holder;
        }
        this.#addOrphans(accept, at, s[at + LIST]!);
        return true;
      case DELIVER: {
        const holder = s[at + LIST]!;
        const state = this.#holder(holder, STATE);
        must(state === DONE || state === ORPHANED, 'what is delivered is done');
        const task = this.#holder(holder, TASK);
        must(++s[DELIVERED + task]! === 1, `task ${task} is delivered twice`);
        must(s[RAN + task]! <= 1, `task ${task} ran twice`);
        s[at + PC] = FREE_DONE;
        return true;
      }
      case FREE_DONE:
      case FREE_ORPHANED: {
        const holder = s[at + LIST]!;
        const owner = this.#holder(holder, OWNER);
        const from = s[at + PC] === FREE_DONE ? DONE : ORPHANED;
        const link = this.#holder(holder, LINK);
        if (!this.#change(holder, from, owner, FREE, 0)) {
          must(from === DONE, 'an orphan stays one');
          s[at + PC] = FREE_ORPHANED;
          return true;
        }
        this.#setHolder(holder, LINK, NONE);
        s[at + LIST] = link;
        s[at + PC] = link === NONE ? IDLE : DELIVER;
        return true;
      }
      default:
        return false;
    }
  }

  // Takes the whole stack, and reverses it.
  #collect(accept: number, at: number): void {
    const s = this.#s;
    let holder = s[TOP + accept]!;
    s[TOP + accept] = NONE;
    let list = NONE;
    let taken = 0;
    while (holder !== NONE) {
      must((taken & (1 << holder)) === 0, 'a holder is in the stack once');
      taken |= 1 << holder;
      const older = this.#holder(holder, LINK);
      this.#setHolder(holder, LINK, list);
      list = holder;
      holder = older;
    }
    this.#addOrphans(accept, at, list);
  }

  // Puts the orphans that are not in what was taken before it.
  #addOrphans(accept: number, at: number, taken: number): void {
    const s = this.#s;
    let list = taken;
    for (let orphan = this.#first[accept]!; orphan < this.#end[accept]!; orphan++) {
      if ((s[at + ORPHANS]! & (1 << orphan)) === 0 || this.#isIn(taken, orphan)) continue;
      this.#setHolder(orphan, LINK, list);
      list = orphan;
    }
    s[at + ORPHANS] = 0;
    s[at + CURSOR] = 0;
    s[at + LIST] = list;
    s[at + PC] = list === NONE ? IDLE : DELIVER;
  }

  #isIn(list: number, holder: number): boolean {
    for (let at = list; at !== NONE; at = this.#holder(at, LINK)) if (at === holder) return true;
    return false;
  }

  #homeOf(holder: number): number {
    return holder < this.#end[0]! ? 0 : 1;
  }

  #forget(at: number): void {
    this.#s[at + HELD] = 0;
    this.#s[at + CLAIMED] = 0;
    this.#s[at + CELL_SEEN] = 0;
  }

  #worker(worker: number): boolean {
    const s = this.#s;
    const at = WORKER + worker * WORKER_SIZE;
    const thread = 2 + worker;
    const holder = s[at + HELD]!;
    switch (s[at + PC]) {
      case IDLE:
        if (!this.#isReady(s[HEAD]!)) return false;
        s[at + HEAD_SEEN] = s[HEAD]!;
        s[at + PC] = TAKE_CELL;
        return true;
      case TAKE_CELL:
        s[at + HELD] = s[CELL + 2 * (s[at + HEAD_SEEN]! % CELLS) + 1]!;
        if (this.#isReady(s[at + HEAD_SEEN]!)) s[at + PC] = TAKE_MOVE;
        else this.#rest(at);
        return true;
      case TAKE_MOVE:
        if (s[HEAD] === s[at + HEAD_SEEN]) {
          s[HEAD]!++;
          s[at + HEAD_SEEN] = 0;
          s[at + PC] = TAKE_OWN;
        } else this.#rest(at);
        return true;
      case TAKE_OWN:
        if (this.#mistake === 'entry-owns') {
          this.#setHolder(holder, STATE, RUNNING);
          this.#setHolder(holder, OWNER, thread);
        } else if (!this.#change(holder, QUEUED, 0, RUNNING, thread)) {
          this.#rest(at);
          return true;
        }
        must(++s[RAN + this.#holder(holder, TASK)]! === 1, 'a task runs once');
        s[at + PC] = FINISH_DONE;
        return true;
      case FINISH_DONE:
        must(this.#change(holder, RUNNING, thread, DONE, thread), 'who runs a task owns it');
        s[at + PC] = FINISH_TOP;
        return true;
      case FINISH_TOP:
        s[at + TOP_SEEN] = s[TOP + this.#homeOf(holder)]!;
        this.#setHolder(holder, LINK, s[at + TOP_SEEN]!);
        s[at + PC] = FINISH_LINK;
        return true;
      case FINISH_LINK:
        if (s[TOP + this.#homeOf(holder)] === s[at + TOP_SEEN]) {
          s[TOP + this.#homeOf(holder)] = holder;
          this.#rest(at);
        } else s[at + PC] = FINISH_TOP;
        return true;
      default:
        return false;
    }
  }

  #rest(at: number): void {
    this.#s.fill(0, at, at + WORKER_SIZE);
  }

  #die(): boolean {
    const s = this.#s;
    const at = WORKER + MORTAL * WORKER_SIZE;
    if (s[MAIN + PC] !== IDLE || s[DEATHS_LEFT] === 0) return false;
    s[DEATHS_LEFT]!--;
    this.#rest(at);
    s[at + PC] = DEAD;
    s[MAIN + PC] = REPAIR_LOOK;
    return true;
  }

  #main(): boolean {
    const s = this.#s;
    const holder = s[MAIN + HELD]!;
    const thread = 2 + MORTAL;
    switch (s[MAIN + PC]) {
      case REPAIR_LOOK: {
        const state = this.#holder(holder, STATE);
        const isMine = this.#holder(holder, OWNER) === thread;
        if (state === RUNNING && isMine) s[MAIN + PC] = REPAIR_DONE;
        else if (state === DONE && isMine && this.#mistake !== 'orphans-lost') {
          s[MAIN + PC] = REPAIR_ORPHAN;
        } else if (state === QUEUED && this.#mistake !== 'taken-lost') s[MAIN + PC] = REPAIR_PASSED;
        else this.#repairNext();
        return true;
      }
      case REPAIR_DONE:
        must(this.#change(holder, RUNNING, thread, DONE, thread), 'the dead own until the repair');
        s[MAIN + PC] = REPAIR_TOP;
        return true;
      case REPAIR_TOP:
        s[MAIN + MAIN_TOP] = s[TOP + this.#homeOf(holder)]!;
        this.#setHolder(holder, LINK, s[MAIN + MAIN_TOP]!);
        s[MAIN + PC] = REPAIR_LINK;
        return true;
      case REPAIR_LINK:
        if (s[TOP + this.#homeOf(holder)] === s[MAIN + MAIN_TOP]) {
          s[TOP + this.#homeOf(holder)] = holder;
          this.#repairNext();
        } else s[MAIN + PC] = REPAIR_TOP;
        return true;
      case REPAIR_ORPHAN:
        if (this.#change(holder, DONE, thread, ORPHANED, thread)) {
          s[MAIN + BEREAVED]! |= 1 << this.#homeOf(holder);
        }
        this.#repairNext();
        return true;
      case REPAIR_PASSED:
        if (s[HEAD]! > this.#holder(holder, POSITION)) s[MAIN + PC] = REPAIR_AGAIN_CLAIM;
        else this.#repairNext();
        return true;
      case REPAIR_AGAIN_CLAIM:
        s[MAIN + CLAIMED] = s[TAIL]!++;
        s[MAIN + PC] = REPAIR_AGAIN_POSITION;
        return true;
      case REPAIR_AGAIN_POSITION:
        this.#setHolder(holder, POSITION, s[MAIN + CLAIMED]!);
        this.#setHolder(holder, STALE_ENTRY, 1);
        s[MAIN + PC] = REPAIR_AGAIN_PUBLISH;
        return true;
      case REPAIR_AGAIN_LOOK:
        s[MAIN + CLAIMED] = s[TAIL]!++;
        s[MAIN + PC] = REPAIR_AGAIN_POSITION;
        return true;
      case REPAIR_AGAIN_PUBLISH:
        if (this.#publish(s[MAIN + CLAIMED]!, holder)) this.#repairNext();
        else s[MAIN + PC] = REPAIR_AGAIN_LOOK;
        return true;
      case REPAIR_TELL:
        for (const accept of [0, 1]) {
          if ((s[MAIN + BEREAVED]! & (1 << accept)) !== 0) s[DEATHS + accept]!++;
        }
        s.fill(0, MAIN, MAIN + MAIN_SIZE);
        // Its number is given to another worker at once.
        this.#rest(WORKER + MORTAL * WORKER_SIZE);
        return true;
      default:
        return false;
    }
  }

  #repairNext(): void {
    const s = this.#s;
    s[MAIN + MAIN_TOP] = 0;
    s[MAIN + 3] = 0;
    s[MAIN + HELD]!++;
    s[MAIN + PC] = s[MAIN + HELD] === HOLDERS ? REPAIR_TELL : REPAIR_LOOK;
  }
}
