/**
 * Buckets of apps and node over a change of configuration: what was spent stays spent.
 *
 *   a changed rate or burst takes the bucket's other word, set here before any thread turns to it
 *
 * Threads that have not gone over yet spend from the old word for those milliseconds. Main thread.
 */
import type { PoolPlan } from "../../config/derive.ts";
import { type BucketRate, carryDebt, fillBucket } from "../../limit/bucket.ts";
import { bucketWord } from "../../tables/plan.ts";
import { nodeBurst } from "./message-rates.ts";

/** Sets the words that `after` uses and `before` does not. */
export function carryBuckets(
  words: Int32Array,
  before: PoolPlan,
  after: PoolPlan,
  nowMs: number,
): void {
  const known = new Map(before.apps.map((app) => [app.appIndex, app]));
  for (const { appIndex, bucketHalf, config } of after.apps) {
    const rate = rateOf(config.rateTps, config.burst);
    const was = known.get(appIndex);
    const to = bucketWord(appIndex, bucketHalf);
    if (rate === null || was?.bucketHalf === bucketHalf) continue;
    if (was === undefined) fillBucket(words, to, nowMs, rate);
    else {
      const from = bucketWord(appIndex, was.bucketHalf);
      carryDebt(words, from, to, nowMs, rateOf(was.config.rateTps, was.config.burst), rate);
    }
  }
  if (before.nodeBucketHalf === after.nodeBucketHalf) return;
  const rate = rateOf(after.nodeRateTps, nodeBurst(after.nodeRateTps));
  if (rate === null) return;
  const base = words.length - 2;
  const rateBefore = rateOf(before.nodeRateTps, nodeBurst(before.nodeRateTps));
  const [from, to] = [base + before.nodeBucketHalf, base + after.nodeBucketHalf];
  carryDebt(words, from, to, nowMs, rateBefore, rate);
}

/** Null: unlimited or closed. */
function rateOf(rateTps: number | null, burst: number): BucketRate | null {
  return rateTps === null || rateTps === 0 ? null : { refillPerS: rateTps, burst };
}
