/**
 * The pace of a link: segments leave evenly, a little faster than the contract's tokens, and more
 * slowly once the SMSC throttles.
 *
 *   PACE_DUE     µs (wraps) at which the next segment is due; up to 30 ms earlier is allowed, so
 *                that turns of some milliseconds keep up. Time, not tokens: a change of pace
 *                forgives nothing
 *   PACE_MILLI   1/1000 segment/s that throttling left; 0: the contract's own pace
 *   PACE_CUT_MS, PACE_HOLD_MS, PACE_RAISE_MS   the last cut, when raises may begin again, the last
 *                raise: all workers together do it once
 *
 * The contract itself is held by its tokens (limit/contract.ts). Functions over the link table's
 * words, compare-and-exchange throughout: any worker may call them. `row` is the index of the
 * link's first word; a `paceMilli` of 0 is no pace at all. Source: additive increase,
 * multiplicative decrease (Chiu and Jain, 1989).
 */
import { LinkWord } from "../tables/link-table.ts";
import {
  PACE_EARLY_MS,
  PACE_HOLD_MAX_MS,
  PACE_HOLD_MS,
  PACE_MIN_MILLI,
  PACE_RAISE_INTERVAL_MS,
  PACE_RAISE_PER_S,
} from "./limits.ts";

const US_PER_MS = 1_000;
const EARLY_US_MAX = PACE_EARLY_MS * US_PER_MS;
/** A due time further ahead is stale: the slowest pace is one segment a second. */
const AHEAD_US_MAX = 4_000_000;
const PACE_MILLI_MAX = 0x7fffffff;
/** Between a cut and the answer to what was written before it lie no more than these. */
const ANSWER_AGE_MS_MAX = 600_000;

/**
 * Segments that may be written at this pace until `horizonMs` from now; Infinity without a pace.
 */
export function paceAvailable(
  words: Int32Array,
  row: number,
  paceMilli: number,
  nowMs: number,
  horizonMs: number,
): number {
  if (paceMilli === 0) return Number.POSITIVE_INFINITY;
  const ahead = aheadUs(Atomics.load(words, row + LinkWord.PACE_DUE), nowMs);
  const free = EARLY_US_MAX + horizonMs * US_PER_MS - ahead;
  return free < 0 ? 0 : Math.floor(free / costUs(paceMilli)) + 1;
}

/** Whether a segment may be written now, as far as the pace goes. */
export function isPaceOpen(
  words: Int32Array,
  row: number,
  paceMilli: number,
  nowMs: number,
): boolean {
  if (paceMilli === 0) return true;
  return aheadUs(Atomics.load(words, row + LinkWord.PACE_DUE), nowMs) <= EARLY_US_MAX;
}

/** Takes one segment's time; false if another worker was faster. */
export function takePace(
  words: Int32Array,
  row: number,
  paceMilli: number,
  nowMs: number,
): boolean {
  if (paceMilli === 0) return true;
  const index = row + LinkWord.PACE_DUE;
  for (;;) {
    const seen = Atomics.load(words, index);
    const ahead = aheadUs(seen, nowMs);
    if (ahead > EARLY_US_MAX) return false;
    const due = (((nowMs * US_PER_MS) | 0) + ahead + costUs(paceMilli)) | 0;
    if (Atomics.compareExchange(words, index, seen, due) === seen) return true;
  }
}

/** Whether what was written at `writtenAtMs` went out at the present pace, not before its cut. */
export function isOfThisPace(
  words: Int32Array,
  row: number,
  nowMs: number,
  writtenAtMs: number,
): boolean {
  const cut = Atomics.load(words, row + LinkWord.PACE_CUT_MS);
  // A cut of long ago, on a clock that wraps, may look like one to come.
  if (cut === 0 || !isWithin(cut, wrapMs(nowMs), ANSWER_AGE_MS_MAX)) return true;
  return !isWithin(wrapMs(writtenAtMs), cut, ANSWER_AGE_MS_MAX);
}

/**
 * The SMSC throttled a share of what left at this pace: goes on at `factor` of it, starting from
 * `fromPerS` if there was no pace. `holdMs` from now it is not raised. Returns false if another
 * worker has cut it less than `sinceMs` ago.
 */
export function cutPace(
  words: Int32Array,
  row: number,
  nowMs: number,
  sinceMs: number,
  factor: number,
  fromPerS: number,
  holdMs: number,
): boolean {
  const now = wrapMs(nowMs);
  const cut = Atomics.load(words, row + LinkWord.PACE_CUT_MS);
  if (cut !== 0 && isWithin(cut, now, sinceMs)) return false;
  if (Atomics.compareExchange(words, row + LinkWord.PACE_CUT_MS, cut, now) !== cut) return false;
  Atomics.store(words, row + LinkWord.PACE_HOLD_MS, wrapMs(nowMs + holdMs));
  const index = row + LinkWord.PACE_MILLI;
  for (;;) {
    const milli = Atomics.load(words, index);
    const from = milli === 0 ? Math.min(fromPerS * 1000, PACE_MILLI_MAX) : milli;
    const next = Math.max(PACE_MIN_MILLI, Math.floor(from * factor));
    if (Atomics.compareExchange(words, index, milli, next) === milli) return true;
  }
}

/** For so long after everything was throttled the pace is not raised. */
export function holdAfterStormMs(responseTimeMs: number): number {
  return PACE_HOLD_MS + Math.min(responseTimeMs, PACE_HOLD_MAX_MS - PACE_HOLD_MS);
}

/**
 * Raises the pace by 5 % of `referencePerS` a second, unless it is held; ends it at the reference.
 * To be called every few milliseconds; returns whether the pace ended.
 */
export function raisePace(
  words: Int32Array,
  row: number,
  nowMs: number,
  referencePerS: number,
): boolean {
  const milli = Atomics.load(words, row + LinkWord.PACE_MILLI);
  if (milli === 0) return false;
  const now = wrapMs(nowMs);
  const hold = Atomics.load(words, row + LinkWord.PACE_HOLD_MS);
  if (hold !== 0 && isWithin(now, hold, PACE_HOLD_MAX_MS + 1)) return false;
  const raised = Atomics.load(words, row + LinkWord.PACE_RAISE_MS);
  if (raised !== 0 && isWithin(raised, now, PACE_RAISE_INTERVAL_MS)) return false;
  const index = row + LinkWord.PACE_RAISE_MS;
  if (Atomics.compareExchange(words, index, raised, now) !== raised) return false;
  const elapsedMs = isWithin(raised, now, 2 * PACE_RAISE_INTERVAL_MS)
    ? (now - raised) | 0
    : PACE_RAISE_INTERVAL_MS;
  const next = milli + Math.ceil(referencePerS * PACE_RAISE_PER_S * elapsedMs);
  const ends = next >= referencePerS * 1000;
  Atomics.compareExchange(words, row + LinkWord.PACE_MILLI, milli, ends ? 0 : next);
  return ends;
}

/** Rounded down: it is the tokens that hold the contract. */
function costUs(paceMilli: number): number {
  return Math.max(1, Math.floor(1e9 / paceMilli));
}

function aheadUs(due: number, nowMs: number): number {
  const ahead = (due - ((nowMs * US_PER_MS) | 0)) | 0;
  return ahead > 0 && ahead <= AHEAD_US_MAX ? ahead : 0;
}

/** Milliseconds as a shared word holds them; never 0, which means never. */
function wrapMs(ms: number): number {
  return ms | 0 || 1;
}

/** Whether `now` lies in [at, at + ms). */
function isWithin(at: number, now: number, ms: number): boolean {
  const since = (now - at) | 0;
  return since >= 0 && since < ms;
}
