/**
 * Judges how much of what left at the present pace the SMSC throttled, and says by how much to slow
 * down.
 *
 *   answers ──► short interval, 200 ms or 10 answers: more than half throttled ──► half the pace
 *           └─► long interval, 1 s and 20 answers: more than 5 % throttled ──► less by that share
 *
 * Up to 5 % is left alone: the pace recovers by as much a second, and slowing down for a few
 * refusals that have other causes would only cost throughput; each throttled segment is sent again
 * anyway. Answers to what was written before the last cut tell of the pace before it: they are not
 * noted. One thread per instance.
 */
import { PACE_CUT_INTERVAL_MS, PACE_JUDGE_MS, PACE_RAISE_PER_S } from "./limits.ts";

/** No cut. */
export const GO_ON = 1;
/** The factor of a storm. */
export const HALF = 0.5;

const SHORT_ANSWERS = 10;
const LONG_ANSWERS = 20;
/** A long interval ends at so many of its lengths, however few answers came. */
const LONG_LENGTHS_MAX = 10;
/** Fewer throttled answers are chance. */
const EVIDENCE = 3;

export class ThrottleWatch {
  #shortStartMs = 0;
  #shortAnswers = 0;
  #shortThrottled = 0;
  #longStartMs = 0;
  #longAnswers = 0;
  #longThrottled = 0;

  /** Begins both intervals anew with the next answer. */
  reset(): void {
    this.#shortAnswers = 0;
    this.#shortThrottled = 0;
    this.#longAnswers = 0;
    this.#longThrottled = 0;
  }

  /**
   * Notes an answer that came at `nowMs`. `isSlowest` says that a single one must be evidence
   * enough. Returns the factor by which to cut the pace, or GO_ON.
   */
  note(nowMs: number, throttled: boolean, isSlowest: boolean): number {
    if (this.#shortAnswers++ === 0) this.#shortStartMs = nowMs;
    if (this.#longAnswers++ === 0) this.#longStartMs = nowMs;
    if (throttled) {
      this.#shortThrottled++;
      this.#longThrottled++;
    }
    return this.#isStorm(nowMs, isSlowest ? 1 : EVIDENCE) ? HALF : this.#longFactor(nowMs);
  }

  #isStorm(nowMs: number, evidence: number): boolean {
    const isOver =
      this.#shortAnswers >= SHORT_ANSWERS || nowMs - this.#shortStartMs >= PACE_CUT_INTERVAL_MS;
    const isMost = this.#shortThrottled > this.#shortAnswers * HALF;
    if (isMost && this.#shortThrottled >= evidence && (isOver || evidence === 1)) return true;
    // What is mostly throttled goes on until there is evidence.
    if (isOver && !isMost) {
      this.#shortAnswers = 0;
      this.#shortThrottled = 0;
    }
    return false;
  }

  #longFactor(nowMs: number): number {
    const elapsedMs = nowMs - this.#longStartMs;
    if (elapsedMs < PACE_JUDGE_MS) return GO_ON;
    const isShort = this.#longAnswers < LONG_ANSWERS;
    if (isShort && elapsedMs < LONG_LENGTHS_MAX * PACE_JUDGE_MS) return GO_ON;
    const share = this.#longThrottled / this.#longAnswers;
    const isEvident = this.#longThrottled >= EVIDENCE && share > PACE_RAISE_PER_S;
    this.#longAnswers = 0;
    this.#longThrottled = 0;
    return isEvident ? 1 - share : GO_ON;
  }
}
