/** Which bucket of a histogram a duration counts in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allocateMetrics,
  bucketBoundMs,
  BUCKETS,
  Histogram,
  MetricBlock,
} from "../../../src/metrics/block.ts";

const HISTOGRAM = Histogram.acceptLatency;

function bucketOf(ms: number): number {
  const block = new MetricBlock(allocateMetrics(1), 0);
  block.record(HISTOGRAM, ms);
  assert.equal(block.read(HISTOGRAM + BUCKETS), ms);
  const filled = Array.from({ length: BUCKETS }, (_, i) => i).filter(
    (i) => block.read(HISTOGRAM + i) === 1,
  );
  assert.equal(filled.length, 1);
  return filled[0] as number;
}

test("a duration counts between the bounds of its bucket, from 1 µs to over an hour", () => {
  for (let ms = 0.001; ms < 5_000_000; ms *= 1.0173) {
    const bucket = bucketOf(ms);
    assert.ok(ms <= bucketBoundMs(bucket) * (1 + 1e-9), `${ms} ms in ${bucket}`);
    if (bucket > 0)
      assert.ok(ms >= bucketBoundMs(bucket - 1) * (1 - 1e-9), `${ms} ms in ${bucket}`);
  }
});

test("what is shorter counts in the first bucket, what is longer in the last", () => {
  for (const ms of [-1, 0, 0.0004, 0.001]) assert.equal(bucketOf(ms), 0);
  assert.equal(bucketOf(1e9), BUCKETS - 1);
});
