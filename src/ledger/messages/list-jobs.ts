/**
 * Pages of lists under way, between other work of the ledger.
 *
 *   the one that waits longest ─► one step ─► its page, or behind the others again
 *
 * While the log waits to be read, lists get a quarter of the thread: after a step it has three
 * times as long for everything else. A page that took its time is cut short: each page gets on by a
 * step at least, however many are asked for. The ledger's thread only.
 */
import type { Clock } from "../../environment.ts";
import type { MessageListPage, MessageListScan } from "./message-list.ts";

/** Lists looked for at once. */
export const LISTS_MAX = 64;
/** A page is cut short after so long, waits for its steps included. */
export const LIST_MS_MAX = 1000;
/** Time for other work after a step, in lengths of that step. */
const REST = 3;

interface ListJob {
  readonly scan: MessageListScan;
  readonly done: (page: MessageListPage) => void;
  /** Monotonic ms. */
  readonly until: number;
}

export class ListJobs {
  readonly #clock: Clock;
  readonly #jobs: ListJob[] = [];
  /** Monotonic ms before which others go first, if they have something to do. */
  #restsUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isFull(): boolean {
    return this.#jobs.length >= LISTS_MAX;
  }

  /** `done` is told the page, once. There must be room (`isFull`). */
  add(scan: MessageListScan, done: (page: MessageListPage) => void): void {
    this.#jobs.push({ scan, done, until: this.#clock.monotonicMs() + LIST_MS_MAX });
  }

  /**
   * One step of the list that waits longest, of those that may begin or have waited for too long;
   * returns 0 if there is none, or it is to rest.
   */
  doWork(othersWait: boolean): number {
    if (this.#jobs.length === 0) return 0;
    const startedAt = this.#clock.monotonicMs();
    if (othersWait && startedAt < this.#restsUntil) return 0;
    const at = this.#jobs.findIndex(({ scan, until }) => scan.isReady || startedAt >= until);
    const [job] = at < 0 ? [] : this.#jobs.splice(at, 1);
    if (job === undefined) return 0;
    const isThere = job.scan.step();
    const endedAt = this.#clock.monotonicMs();
    this.#restsUntil = endedAt + REST * (endedAt - startedAt);
    if (isThere) {
      job.done(job.scan.page);
    } else if (endedAt >= job.until) {
      job.scan.cut();
      job.done(job.scan.page);
    } else {
      this.#jobs.push(job);
    }
    return 1;
  }
}
