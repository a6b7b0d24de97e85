/**
 * The adaptive pace of a link under its contract: halved when the SMSC throttles, raised step by
 * step when it does not.
 *
 *   PACE_MILLI   1/1000 segment/s; 0: no pace, the contract alone counts
 *   PACE_BUCKET  µs (wraps) at which the next segment is due at this pace; up to 10 ms earlier is
 *                allowed, so that turns of some milliseconds keep up. Time, not tokens: a change of
 *                pace forgives nothing
 *   PACE_CUT_MS, PACE_RAISE_MS   of the last cut and raise: all workers together do it once
 *
 * Functions over the link table's words, compare-and-exchange throughout: any worker may call them.
 * `row` is the index of the link's first word. Source: additive increase, multiplicative decrease
 * (Chiu and Jain, 1989).
 */
import { LinkWord } from "../tables/link-table.ts";
import {
  PACE_CUT_INTERVAL_MS,
  PACE_HOLD_MS,
  PACE_MIN_MILLI,
  PACE_RAISE_INTERVAL_MS,
  PACE_RAISE_PER_S,
} from "./limits.ts";

const US_PER_MS = 1_000;
const EARLY_US_MAX = 10_000;
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
  nowMs: number,
  horizonMs: number,
): number {
  const milli = Atomics.load(words, row + LinkWord.PACE_MILLI);
  if (milli === 0) return Number.POSITIVE_INFINITY;
  const ahead = aheadUs(Atomics.load(words, row + LinkWord.PACE_BUCKET), nowMs);
  const free = EARLY_US_MAX + horizonMs * US_PER_MS - ahead;
  return free < 0 ? 0 : Math.floor(free / costUs(milli)) + 1;
}

/** Whether a segment may be written now, as far as the pace goes. */
export function isPaceOpen(words: Int32Array, row: number, nowMs: number): boolean {
  if (Atomics.load(words, row + LinkWord.PACE_MILLI) === 0) return true;
  return aheadUs(Atomics.load(words, row + LinkWord.PACE_BUCKET), nowMs) <= EARLY_US_MAX;
}

/** Takes one segment's time; false if another worker was faster. */
export function takePace(words: Int32Array, row: number, nowMs: number): boolean {
  for (;;) {
    const milli = Atomics.load(words, row + LinkWord.PACE_MILLI);
    if (milli === 0) return true;
    const seen = Atomics.load(words, row + LinkWord.PACE_BUCKET);
    const ahead = aheadUs(seen, nowMs);
    if (ahead > EARLY_US_MAX) return false;
    const due = (((nowMs * US_PER_MS) | 0) + ahead + costUs(milli)) | 0;
    const index = row + LinkWord.PACE_BUCKET;
    if (Atomics.compareExchange(words, index, seen, due) === seen) return true;
  }
}

/**
 * The SMSC throttled a segment written at `writtenAtMs`: halves the pace, starting from `fromPerS`
 * if there was none. Not more than once in 200 ms, nor for what was written before the last cut.
 * Returns whether it cut.
 */
export function cutPace(
  words: Int32Array,
  row: number,
  nowMs: number,
  writtenAtMs: number,
  fromPerS: number,
): boolean {
  const cut = Atomics.load(words, row + LinkWord.PACE_CUT_MS);
  const now = wrapMs(nowMs);
  if (cut !== 0) {
    if (isWithin(cut, now, PACE_CUT_INTERVAL_MS)) return false;
    if (isWithin(wrapMs(writtenAtMs), cut, ANSWER_AGE_MS_MAX)) return false;
  }
  if (Atomics.compareExchange(words, row + LinkWord.PACE_CUT_MS, cut, now) !== cut) return false;
  for (;;) {
    const milli = Atomics.load(words, row + LinkWord.PACE_MILLI);
    const from = milli === 0 ? Math.min(fromPerS * 1000, PACE_MILLI_MAX) : milli;
    const next = Math.max(PACE_MIN_MILLI, Math.floor(from / 2));
    const index = row + LinkWord.PACE_MILLI;
    if (Atomics.compareExchange(words, index, milli, next) === milli) return true;
  }
}

/**
 * Raises the pace by 5 % of `referencePerS` a second, unless it was cut within the last second;
 * ends it at the reference. To be called every few milliseconds; returns whether the pace ended.
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
  if (isWithin(Atomics.load(words, row + LinkWord.PACE_CUT_MS), now, PACE_HOLD_MS)) return false;
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

function costUs(paceMilli: number): number {
  return Math.max(1, Math.round(1e9 / paceMilli));
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
