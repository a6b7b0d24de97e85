/**
 * How fast rows become a file while nobody waits for it: twice as fast as they came, in pieces.
 *
 *   rows came   |------------------------------|
 *   packed                                      |#--#--#--#--#--|     # a piece, - a rest
 *
 * Half a second of packing at once, or its pieces close together, is half a second in which others
 * wait for their CPU, whatever the priorities: a scheduler lets who runs run for milliseconds. One
 * instance a cut, used by the thread that packs. Times in milliseconds.
 */

/** Long enough that waking costs little beside it, short beside what a scheduler lets run. */
const PIECE_MS = 0.5;
/** So packing is done in time for the next cut. */
const TIMES_AS_FAST = 2;
/** Also of one who is late: two thirds of a CPU at the least are for others. */
const REST_MS_MIN = 1;
/** So the rows of an hour, if few, are soon in their file. */
const REST_MS_MAX = 5;

export class PackPace {
  readonly #startedMs: number;
  readonly #recordedFrom: number;
  #pieceFromMs: number;

  /** `recordedFrom`: when the first row was recorded, wall clock; `nowMs` is monotonic. */
  constructor(nowMs: number, recordedFrom: number) {
    this.#startedMs = nowMs;
    this.#recordedFrom = recordedFrom;
    this.#pieceFromMs = nowMs;
  }

  /** How long to rest before the rows recorded at `recordedAt` (wall clock) are packed; 0: not. */
  restMs(nowMs: number, recordedAt: number): number {
    if (nowMs - this.#pieceFromMs < PIECE_MS) return 0;
    const dueMs = this.#startedMs + (recordedAt - this.#recordedFrom) / TIMES_AS_FAST;
    return Math.min(REST_MS_MAX, Math.max(REST_MS_MIN, dueMs - nowMs));
  }

  /** A rest is over. */
  resume(nowMs: number): void {
    this.#pieceFromMs = nowMs;
  }
}
