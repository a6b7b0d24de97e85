/**
 * Token bucket as one shared 32-bit word: when its debt will be paid, in 1/64 of this bucket's
 * token.
 *
 *   debt = word - now, valid in (0, burst]; beyond it, up to 16 bursts more, the reader's `now` is
 *   older than the writer's: the bucket is empty. Anything else is stale and means a full bucket
 *   (clocks wrap at 2^32)
 *
 * Any thread may call it; compare-and-exchange makes it lock-free. `now` is `bucketNow` of the
 * clock all threads share, read some time before the call. A change of rate rescales the debt,
 * never forgives it.
 */

/** Units of one token. */
export const UNITS_PER_TOKEN = 64;
/** Largest burst in units: half the range would make debt and staleness indistinguishable. */
export const BURST_UNITS_MAX = 0x1fffffff;
/** A reader's `now` may lie so many bursts behind the writer's. */
const SKEW_BURSTS = 16;
const AHEAD_UNITS_MAX = 0x3fffffff;

/** Time as a bucket with `refillPerS` tokens/s counts it; wraps. */
export function bucketNow(monotonicMs: number, refillPerS: number): number {
  return ((monotonicMs * refillPerS * UNITS_PER_TOKEN) / 1000) | 0;
}

/** Debt at `now` of a bucket whose word is `seen`. */
function debtOf(seen: number, now: number, burst: number): number {
  const ahead = (seen - now) | 0;
  if (ahead <= 0 || ahead > aheadMax(burst)) return 0;
  return ahead < burst ? ahead : burst;
}

function aheadMax(burst: number): number {
  return Math.min(AHEAD_UNITS_MAX, burst * (1 + SKEW_BURSTS));
}

/**
 * Takes `cost` units. Returns 0 if they were there, otherwise the negative number of units still
 * missing; then nothing was taken.
 */
export function tryAcquire(
  words: Int32Array,
  slot: number,
  now: number,
  cost: number,
  burst: number,
): number {
  for (;;) {
    const seen = Atomics.load(words, slot);
    const debt = debtOf(seen, now, burst);
    if (debt + cost > burst) return burst - debt - cost;
    if (Atomics.compareExchange(words, slot, seen, (now + debt + cost) | 0) === seen) return 0;
  }
}

/**
 * Brings the word of a full bucket up to `now`. To be called for every bucket well within half a
 * turn of its clock: the word of one that nobody used for a whole turn would look like debt.
 */
export function settle(words: Int32Array, slot: number, now: number, burst: number): void {
  const seen = Atomics.load(words, slot);
  if (seen === now || debtOf(seen, now, burst) > 0) return;
  Atomics.compareExchange(words, slot, seen, now);
}

/** Units that `tryAcquire` would find now. */
export function availableUnits(
  words: Int32Array,
  slot: number,
  now: number,
  burst: number,
): number {
  return burst - debtOf(Atomics.load(words, slot), now, burst);
}

/** Gives `cost` units back, at most down to a full bucket. */
export function giveBack(
  words: Int32Array,
  slot: number,
  now: number,
  cost: number,
  burst: number,
): void {
  for (;;) {
    const seen = Atomics.load(words, slot);
    const ahead = (seen - now) | 0;
    if (ahead <= 0 || ahead > aheadMax(burst)) return;
    const debt = Math.max(0, ahead - cost);
    if (Atomics.compareExchange(words, slot, seen, (now + debt) | 0) === seen) return;
  }
}

/** Refill and size of a bucket, in tokens; without it nothing passes, or everything does. */
export interface BucketRate {
  readonly refillPerS: number;
  readonly burst: number;
}

/**
 * Sets the word of a bucket that goes from `before` to `after`, while nobody uses it: debt stays
 * the same share of the burst, so that over the change no window sees more than the greater of the
 * two rates allows. From no rate, whose use nobody counted, the bucket starts empty. `from` and
 * `to` may be the same word.
 */
export function carryDebt(
  words: Int32Array,
  from: number,
  to: number,
  nowMs: number,
  before: BucketRate | null,
  after: BucketRate,
): void {
  const burst = after.burst * UNITS_PER_TOKEN;
  let debt = burst;
  if (before !== null) {
    const burstBefore = before.burst * UNITS_PER_TOKEN;
    const seen = Atomics.load(words, from);
    const debtBefore = debtOf(seen, bucketNow(nowMs, before.refillPerS), burstBefore);
    debt = Math.ceil((debtBefore / burstBefore) * burst);
  }
  Atomics.store(words, to, (bucketNow(nowMs, after.refillPerS) + debt) | 0);
}

/** Sets the word of a bucket that was never used: full. */
export function fillBucket(words: Int32Array, slot: number, nowMs: number, rate: BucketRate): void {
  Atomics.store(words, slot, bucketNow(nowMs, rate.refillPerS));
}
