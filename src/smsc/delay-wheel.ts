/**
 * Fires jobs at their millisecond: a ring of 65,536 lists, one a tick, linked through the jobs
 * themselves.
 *
 *   heads/tails[due & 65535] ──► job ──► job      a job due in a later turn of the ring stays there
 *   occupied: one bit a list, so that the next one is found without touching the lists
 *
 * Ticks are 32-bit and wrap: only differences are compared. Jobs of one tick fire in the order they
 * came. One thread.
 */
import { JOB_NONE, JOB_WORD, type JobPool } from "./job-pool.ts";

/** Is told of each job whose time has come; the job is on no list any more. */
export interface DueVisitor {
  onDue(job: number): void;
}

const SLOTS = 65_536;
const SLOT_MASK = SLOTS - 1;
const WORDS = SLOTS / 32;

export class DelayWheel {
  /** Jobs on the wheel. */
  count = 0;
  readonly #pool: JobPool;
  readonly #heads = new Int32Array(SLOTS).fill(JOB_NONE);
  readonly #tails = new Int32Array(SLOTS).fill(JOB_NONE);
  readonly #occupied = new Int32Array(WORDS);
  #tick: number;

  constructor(pool: JobPool, tick: number) {
    this.#pool = pool;
    this.#tick = tick;
  }

  /** The tick of the last `advance`. */
  get tick(): number {
    return this.#tick;
  }

  /**
   * Puts a job on the wheel; a tick that is not ahead of the last `advance` becomes the next one.
   */
  schedule(job: number, dueTick: number): void {
    const due = ((dueTick - this.#tick) | 0) > 0 ? dueTick : (this.#tick + 1) | 0;
    const slot = due & SLOT_MASK;
    this.#pool.set(job, JOB_WORD.DUE, due);
    this.#append(slot, job);
    this.count++;
  }

  #append(slot: number, job: number): void {
    this.#pool.set(job, JOB_WORD.NEXT, JOB_NONE);
    const tail = this.#tails[slot]!;
    if (tail === JOB_NONE) {
      this.#heads[slot] = job;
      this.#occupied[slot >>> 5]! |= 1 << (slot & 31);
    } else {
      this.#pool.set(tail, JOB_WORD.NEXT, job);
    }
    this.#tails[slot] = job;
  }

  /** Moves on to `tick` and tells `visitor` of every job due by then. */
  advance(tick: number, visitor: DueVisitor): void {
    const ahead = (tick - this.#tick) | 0;
    if (ahead <= 0) return;
    const steps = this.count === 0 ? 0 : Math.min(ahead, SLOTS);
    const first = (this.#tick + 1) | 0;
    // Whatever a visitor schedules is due after `tick`, so that it cannot land on a list just being
    // fired.
    this.#tick = tick;
    for (let step = 0; step < steps; step++) {
      const slot = (first + step) & SLOT_MASK;
      if (this.#heads[slot] !== JOB_NONE) this.#fire(slot, tick, visitor);
    }
  }

  #fire(slot: number, tick: number, visitor: DueVisitor): void {
    let job = this.#heads[slot]!;
    this.#heads[slot] = JOB_NONE;
    this.#tails[slot] = JOB_NONE;
    this.#occupied[slot >>> 5]! &= ~(1 << (slot & 31));
    while (job !== JOB_NONE) {
      const next = this.#pool.get(job, JOB_WORD.NEXT);
      if (((this.#pool.get(job, JOB_WORD.DUE) - tick) | 0) > 0) {
        this.#append(slot, job);
      } else {
        this.count--;
        visitor.onDue(job);
      }
      job = next;
    }
  }

  /**
   * Ticks until the next list that holds a job, never more than until the next job; -1 if there is
   * none.
   */
  ticksUntilNext(): number {
    if (this.count === 0) return -1;
    const first = (this.#tick + 1) & SLOT_MASK;
    for (let i = 0; i <= WORDS; i++) {
      const word = ((first >>> 5) + i) & (WORDS - 1);
      let bits = this.#occupied[word]!;
      if (i === 0) bits &= -1 << (first & 31);
      if (bits === 0) continue;
      const slot = (word << 5) + 31 - Math.clz32(bits & -bits);
      return ((slot - first) & SLOT_MASK) + 1;
    }
    return -1;
  }
}
