/**
 * The receipts a session has sent and not seen answered, found by sequence_number.
 *
 *   jobs[sequence & mask], sequences[sequence & mask]      four times as many places as the window
 *   allows
 *
 * A place still taken by an old receipt closes the window like a full count. One session owns it.
 */
import { JOB_NONE } from "./job-pool.ts";

export class ReceiptWindow {
  /** Receipts unanswered. */
  count = 0;
  readonly #windowMax: number;
  readonly #mask: number;
  readonly #jobs: Int32Array;
  readonly #sequences: Int32Array;

  constructor(windowMax: number) {
    const places = 1 << (32 - Math.clz32(windowMax * 4 - 1));
    this.#windowMax = windowMax;
    this.#mask = places - 1;
    this.#jobs = new Int32Array(places).fill(JOB_NONE);
    this.#sequences = new Int32Array(places);
  }

  /** Whether the receipt with this sequence_number may be sent now. */
  hasRoom(sequenceNumber: number): boolean {
    return this.count < this.#windowMax && this.#jobs[sequenceNumber & this.#mask] === JOB_NONE;
  }

  put(sequenceNumber: number, job: number): void {
    const place = sequenceNumber & this.#mask;
    this.#jobs[place] = job;
    this.#sequences[place] = sequenceNumber;
    this.count++;
  }

  /** Removes and returns the job sent with this sequence_number, or JOB_NONE. */
  take(sequenceNumber: number): number {
    const place = sequenceNumber & this.#mask;
    const job = this.#jobs[place]!;
    if (job === JOB_NONE || this.#sequences[place] !== (sequenceNumber | 0)) return JOB_NONE;
    this.#jobs[place] = JOB_NONE;
    this.count--;
    return job;
  }

  /** Removes every job that `isGone` names, oldest place first, and hands it to `give`. */
  takeWhere(isGone: (job: number) => boolean, give: (job: number) => void): void {
    for (let place = 0; place <= this.#mask && this.count > 0; place++) {
      const job = this.#jobs[place]!;
      if (job === JOB_NONE || !isGone(job)) continue;
      this.#jobs[place] = JOB_NONE;
      this.count--;
      give(job);
    }
  }
}
