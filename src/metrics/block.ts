/**
 * Counters and histograms of one thread in shared memory.
 *
 *   Float64 per counter, in the order of the table; then per histogram BUCKETS Float64 counts and
 *   one sum
 *
 * Only its thread writes a block; any thread reads, and may see a value some nanoseconds old.
 * Histogram buckets are log-linear: 4 per power of two of microseconds, 1 µs to about 1 h.
 */
import { COUNTERS, HISTOGRAMS, type CounterName, type HistogramName } from "./table.ts";

const COUNTER_NAMES = Object.keys(COUNTERS) as CounterName[];
const HISTOGRAM_NAMES = Object.keys(HISTOGRAMS) as HistogramName[];
const SUB_BUCKETS = 4;
export const BUCKETS = 33 * SUB_BUCKETS;
const HISTOGRAM_CELLS = BUCKETS + 1;
const CELLS = COUNTER_NAMES.length + HISTOGRAM_NAMES.length * HISTOGRAM_CELLS;

/** Index of each counter, for `add`. */
export const Counter = Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, i])) as Record<
  CounterName,
  number
>;
/** Index of each histogram, for `record`. */
export const Histogram = Object.fromEntries(
  HISTOGRAM_NAMES.map((name, i) => [name, COUNTER_NAMES.length + i * HISTOGRAM_CELLS]),
) as Record<HistogramName, number>;

/** Shorter ones are counted by integers: two of logarithm and power cost more than all the rest. */
const LONG_MS = 2 ** 29 / 1000;

/** Bucket of a duration in quarters of a microsecond, below 2³¹: its power, then two more bits. */
function bucketOfQuarters(quarters: number): number {
  if (quarters < SUB_BUCKETS) return 0;
  const power = 29 - Math.clz32(quarters);
  return power * SUB_BUCKETS + ((quarters >>> power) & (SUB_BUCKETS - 1));
}

/** The last power holds whatever is longer. */
function bucketOfLong(ms: number): number {
  const us = ms * 1000;
  const power = Math.min(32, Math.floor(Math.log2(us)));
  return power * SUB_BUCKETS + Math.min(3, Math.floor((us / 2 ** power - 1) * SUB_BUCKETS));
}

export function allocateMetrics(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * CELLS * 8);
}

/** Upper bound, in ms, of what bucket `index` counts. */
export function bucketBoundMs(index: number): number {
  const power = Math.floor(index / SUB_BUCKETS);
  return (2 ** power * (1 + ((index % SUB_BUCKETS) + 1) / SUB_BUCKETS)) / 1000;
}

export class MetricBlock {
  readonly #cells: Float64Array;

  constructor(buffer: SharedArrayBuffer, thread: number) {
    this.#cells = new Float64Array(buffer, thread * CELLS * 8, CELLS);
  }

  add(counter: number, amount: number): void {
    this.#cells[counter] = (this.#cells[counter] as number) + amount;
  }

  /** Counts one duration of `ms`. */
  record(histogram: number, ms: number): void {
    const bucket = ms < LONG_MS ? bucketOfQuarters((ms * 4000) | 0) : bucketOfLong(ms);
    this.#cells[histogram + bucket] = (this.#cells[histogram + bucket] as number) + 1;
    this.#cells[histogram + BUCKETS] = (this.#cells[histogram + BUCKETS] as number) + ms;
  }

  /** Value of a counter, count of a bucket, or (at BUCKETS) a histogram's sum in ms. */
  read(cell: number): number {
    return this.#cells[cell] as number;
  }
}
