/**
 * The rates that admission charges: a message's segments from the app's bucket and from the node's,
 * or from neither.
 *
 * Which words a bucket has, and what they say, is that of src/limit/bucket.ts: shared by all
 * ingress threads. One instance per ingress thread.
 */
import type { DerivedApp, PoolPlan } from "../../config/derive.ts";
import {
  availableUnits,
  bucketNow,
  giveBack,
  settle,
  tryAcquire,
  UNITS_PER_TOKEN,
} from "../../limit/bucket.ts";
import { PARTS_MAX } from "../../records/types.ts";
import { bucketWord } from "../../tables/plan.ts";
import type { RateLimitState } from "../http/rate-headers.ts";

const RETRY_CLOSED_S = 60;

/** Where it is told what a charge came to. */
export interface RateOutcome {
  detail: string;
  retryAfterS: number;
  /** The bucket that was empty; after a charge the app's, or null if it has none. */
  limit: RateLimitState | null;
}

export class MessageRates {
  readonly #words: Int32Array;
  readonly #outcome: RateOutcome;
  #plan: PoolPlan;

  /** `words`: two per app, then the node's two (`bucketWord`). */
  constructor(words: Int32Array, plan: PoolPlan, outcome: RateOutcome) {
    this.#words = words;
    this.#plan = plan;
    this.#outcome = outcome;
  }

  /** Goes by the rates of another plan; the words of changed ones must be set (`carryBuckets`). */
  reload(plan: PoolPlan): void {
    this.#plan = plan;
  }

  /** Settles buckets that nobody uses; to be called every second or so. */
  settleAll(monotonicMs: number): void {
    for (const app of this.#plan.apps) {
      const { rateTps, burst } = app.config;
      this.#settle(bucketWord(app.appIndex, app.bucketHalf), rateTps, burst, monotonicMs);
    }
    const { nodeRateTps } = this.#plan;
    this.#settle(this.#nodeWord(), nodeRateTps, nodeBurst(nodeRateTps), monotonicMs);
  }

  /** Charges `segments` to both buckets, or to none; the outcome says which was empty. */
  acquire(app: DerivedApp, segments: number, monotonicMs: number): boolean {
    const outcome = this.#outcome;
    const { rateTps, burst } = app.config;
    const word = bucketWord(app.appIndex, app.bucketHalf);
    if (!this.#acquireOne("app", word, rateTps, burst, segments, monotonicMs)) {
      outcome.detail = "the app is over its rate";
      return false;
    }
    const ofApp = outcome.limit;
    const rate = this.#plan.nodeRateTps;
    if (!this.#acquireOne("node", this.#nodeWord(), rate, nodeBurst(rate), segments, monotonicMs)) {
      this.#giveBack(word, rateTps, burst, segments, monotonicMs);
      outcome.detail = "the gateway is over its rate";
      return false;
    }
    outcome.limit = ofApp;
    return true;
  }

  /** Gives back what `acquire` has charged. */
  giveBack(app: DerivedApp, segments: number, monotonicMs: number): void {
    const { rateTps, burst } = app.config;
    const word = bucketWord(app.appIndex, app.bucketHalf);
    this.#giveBack(word, rateTps, burst, segments, monotonicMs);
    const rate = this.#plan.nodeRateTps;
    this.#giveBack(this.#nodeWord(), rate, nodeBurst(rate), segments, monotonicMs);
  }

  #settle(word: number, rateTps: number | null, burst: number, monotonicMs: number): void {
    if (rateTps === null || rateTps === 0) return;
    const now = bucketNow(monotonicMs, rateTps);
    settle(this.#words, word, now, burst * UNITS_PER_TOKEN);
  }

  #acquireOne(
    scope: RateLimitState["scope"],
    word: number,
    rateTps: number | null,
    burst: number,
    segments: number,
    monotonicMs: number,
  ): boolean {
    if (rateTps === null) return true;
    const outcome = this.#outcome;
    if (rateTps === 0) {
      outcome.limit = { scope, rateTps, burst, left: 0 };
      outcome.retryAfterS = RETRY_CLOSED_S;
      return false;
    }
    const now = bucketNow(monotonicMs, rateTps);
    const words = this.#words;
    const burstUnits = burst * UNITS_PER_TOKEN;
    const missing = -tryAcquire(words, word, now, segments * UNITS_PER_TOKEN, burstUnits);
    const left = availableUnits(words, word, now, burstUnits) / UNITS_PER_TOKEN;
    outcome.limit = { scope, rateTps, burst, left };
    if (missing === 0) return true;
    outcome.retryAfterS = Math.max(1, Math.ceil(missing / UNITS_PER_TOKEN / rateTps));
    return false;
  }

  #giveBack(
    word: number,
    rateTps: number | null,
    burst: number,
    segments: number,
    monotonicMs: number,
  ): void {
    if (rateTps === null || rateTps === 0) return;
    const now = bucketNow(monotonicMs, rateTps);
    giveBack(this.#words, word, now, segments * UNITS_PER_TOKEN, burst * UNITS_PER_TOKEN);
  }

  /** The node's words are the last two. */
  #nodeWord(): number {
    return this.#words.length - 2 + this.#plan.nodeBucketHalf;
  }
}

/** The node's bucket holds what it may accept in a second, and the longest message at least. */
export function nodeBurst(rateTps: number | null): number {
  return Math.max(rateTps ?? 0, PARTS_MAX);
}
