/**
 * The pace of a link: segments leave evenly, a little more slowly than the contract's tokens come
 * free, and much more slowly once the SMSC throttles.
 *
 *   PACE_DUE     1/16 µs (wraps) at which the next segment is due; what is overdue while some are
 *                prepared is made up, up to 10 ms, so that turns of some milliseconds keep up: as
 *                long a gap is in every second from then on. Time, not tokens: a change of pace
 *                forgives nothing
 *   PACE_MILLI   1/1000 segment/s that throttling left; 0: the contract's own pace
 *   PACE_CUT_MS, PACE_HOLD_MS, PACE_RAISE_MS   the last cut, when raises may begin again, the last
 *                raise: all workers together do it once
 *
 * The contract itself is held by its tokens (limit/contract.ts), each of which can only go out a
 * second after it did: a link that sends faster than that would send nothing for the rest of every
 * second from then on, and whoever comes then would wait. A little more slowly, gaps close again.
 *
 * Functions over the link table's
 * words, compare-and-exchange throughout: any worker may call them. `row` is the index of the
 * link's first word; a `paceMilli` of 0 is no pace at all. Source: additive increase,
 * multiplicative decrease (Chiu and Jain, 1989).
 */
import { LinkWord } from "../../tables/link-table.ts";
import {
  PACE_HOLD_MAX_MS,
  PACE_HOLD_MS,
  PACE_LATE_MS,
  PACE_MIN_MILLI,
  PACE_RAISE_INTERVAL_MS,
  PACE_RAISE_PER_S,
} from "./limits.ts";

const UNITS_PER_MS = 16_000;
const LATE_UNITS_MAX = PACE_LATE_MS * UNITS_PER_MS;
/** A due time further ahead is one of before the last wrap: the slowest pace is one a second. */
const AHEAD_UNITS_MAX = 1_100 * UNITS_PER_MS;
const PACE_MILLI_MAX = 0x7fffffff;
/** Between a cut and the answer to what was written before it lie no more than these. */
const ANSWER_AGE_MS_MAX = 600_000;

/**
 * Segments that may be written at this pace until `horizonMs` from now; Infinity without a pace.
 * `isIdle`: nothing was to be sent until now, so nothing is to be made up.
 */
export function paceAvailable(
  words: Int32Array,
  row: number,
  paceMilli: number,
  nowMs: number,
  horizonMs: number,
  isIdle: boolean,
): number {
  if (paceMilli === 0) return Number.POSITIVE_INFINITY;
  const until = untilDue(Atomics.load(words, row + LinkWord.PACE_DUE), nowMs);
  const free = horizonMs * UNITS_PER_MS - (isIdle && until < 0 ? 0 : until);
  return free < 0 ? 0 : Math.floor(free / costUnits(paceMilli)) + 1;
}

/** Whether a segment may be written now, as far as the pace goes. */
export function isPaceOpen(
  words: Int32Array,
  row: number,
  paceMilli: number,
  nowMs: number,
): boolean {
  if (paceMilli === 0) return true;
  return untilDue(Atomics.load(words, row + LinkWord.PACE_DUE), nowMs) <= 0;
}

/** Whether it is so long since a segment was due that nobody can be waiting for the next time. */
export function isPaceIdle(words: Int32Array, row: number, nowMs: number): boolean {
  return untilDue(Atomics.load(words, row + LinkWord.PACE_DUE), nowMs) <= -LATE_UNITS_MAX;
}

/** Nothing was to be sent until now: there is nothing to make up. */
export function restartPace(words: Int32Array, row: number, nowMs: number): void {
  const index = row + LinkWord.PACE_DUE;
  const seen = Atomics.load(words, index);
  if (untilDue(seen, nowMs) >= 0) return;
  Atomics.compareExchange(words, index, seen, unitsOf(nowMs));
}

/**
 * Keeps a due time of long ago from looking like one to come when it wraps, after 268 s. To be
 * called every few milliseconds, or at least once a minute.
 */
export function refreshPace(words: Int32Array, row: number, nowMs: number): void {
  const index = row + LinkWord.PACE_DUE;
  const seen = Atomics.load(words, index);
  if (untilDue(seen, nowMs) > -LATE_UNITS_MAX) return;
  Atomics.compareExchange(words, index, seen, (unitsOf(nowMs) - LATE_UNITS_MAX) | 0);
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
    const until = untilDue(seen, nowMs);
    if (until > 0) return false;
    const due = (unitsOf(nowMs) + until + costUnits(paceMilli)) | 0;
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
function costUnits(paceMilli: number): number {
  return Math.max(1, Math.floor((1e6 * UNITS_PER_MS) / paceMilli));
}

/** Units until the next segment is due; less than 0: it is overdue, by no more than is made up. */
function untilDue(due: number, nowMs: number): number {
  const until = (due - unitsOf(nowMs)) | 0;
  return until > AHEAD_UNITS_MAX || until < -LATE_UNITS_MAX ? -LATE_UNITS_MAX : until;
}

function unitsOf(ms: number): number {
  return (ms * UNITS_PER_MS) | 0;
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
