/**
 * Segments of one session that may be written: their SENDING is committed, and each waits for its
 * token.
 *
 *   the highest priority first, every 16th time the lowest; within a priority apps take turns, each
 *   app's segments in the order they were prepared in
 *
 * As the scheduler picks by the same rule, what is prepared of a priority is also written. Bounded
 * by the window: a segment keeps its place there. Arrays grow by doubling and are used again. One
 * thread.
 */
import { PRIORITY_COUNT } from "../../records/types.ts";
import { AppTurns } from "./app-turns.ts";
import { STARVATION_PICKS } from "../pace/limits.ts";

const NONE = -1;
const SIZE_FIRST = 64;

export class ReadyQueue {
  length = 0;
  /** What `take` returned last. */
  takenEntry = 0;
  takenSegment = 0;
  #entry = new Int32Array(SIZE_FIRST);
  #segment = new Int32Array(SIZE_FIRST);
  #turn = new Float64Array(SIZE_FIRST);
  /** Of a place in use: the one behind it, else the next free one. */
  #next = Int32Array.from({ length: SIZE_FIRST }, (_, i) => i + 1);
  #previous = new Int32Array(SIZE_FIRST);
  #free = 0;
  readonly #heads = new Int32Array(PRIORITY_COUNT).fill(NONE);
  readonly #tails = new Int32Array(PRIORITY_COUNT).fill(NONE);
  readonly #turns = Array.from({ length: PRIORITY_COUNT }, () => new AppTurns());
  #picks = 0;

  add(entry: number, segment: number, priority: number, appIndex: number): void {
    if (this.#free === this.#entry.length) this.#grow();
    const at = this.#free;
    this.#free = this.#next[at] as number;
    const own = (this.#turns[priority] as AppTurns).next(appIndex);
    this.#entry[at] = entry;
    this.#segment[at] = segment;
    this.#turn[at] = own;
    let before = this.#tails[priority] as number;
    while (before !== NONE && (this.#turn[before] as number) > own) {
      before = this.#previous[before] as number;
    }
    const behind = (before === NONE ? this.#heads[priority] : this.#next[before]) as number;
    this.#previous[at] = before;
    this.#next[at] = behind;
    if (before === NONE) this.#heads[priority] = at;
    else this.#next[before] = at;
    if (behind === NONE) this.#tails[priority] = at;
    else this.#previous[behind] = at;
    this.length++;
  }

  /** Removes the next one in turn into `takenEntry` and `takenSegment`; there must be one. */
  take(): void {
    const priority = this.#nextPriority();
    const turns = this.#turns[priority] as AppTurns;
    const at = this.#heads[priority] as number;
    const behind = this.#next[at] as number;
    this.#heads[priority] = behind;
    turns.noteTaken(this.#turn[at] as number);
    if (behind === NONE) {
      this.#tails[priority] = NONE;
      turns.noteEmpty();
    } else {
      this.#previous[behind] = NONE;
    }
    this.#next[at] = this.#free;
    this.#free = at;
    this.length--;
    this.takenEntry = this.#entry[at] as number;
    this.takenSegment = this.#segment[at] as number;
  }

  #nextPriority(): number {
    this.#picks = (this.#picks + 1) % STARVATION_PICKS;
    for (let i = 0; i < PRIORITY_COUNT; i++) {
      const priority = this.#picks === 0 ? i : PRIORITY_COUNT - 1 - i;
      if (this.#heads[priority] !== NONE) return priority;
    }
    throw new Error("nothing is ready");
  }

  #grow(): void {
    const size = this.#entry.length;
    this.#entry = doubled(this.#entry);
    this.#segment = doubled(this.#segment);
    this.#next = doubled(this.#next);
    this.#previous = doubled(this.#previous);
    const turns = new Float64Array(2 * size);
    turns.set(this.#turn);
    this.#turn = turns;
    for (let at = size; at < 2 * size; at++) this.#next[at] = at + 1;
  }
}

function doubled(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(2 * column.length);
  longer.set(column);
  return longer;
}
