import assert from "node:assert/strict";
import { test } from "node:test";
import { UNITS_PER_TOKEN } from "../../src/limit/bucket.ts";
import type { BucketTakerData } from "./bucket-taker.ts";
import { startThread } from "./threads.ts";

const RATE = 200_000;
const GRANTS = 150_000;

test("two threads never get more than burst and refill together", {
  timeout: 170_000,
}, async (context) => {
  const data: BucketTakerData = {
    words: new SharedArrayBuffer(4),
    refillPerS: RATE,
    burst: 20_000 * UNITS_PER_TOKEN,
    cost: UNITS_PER_TOKEN,
    grants: GRANTS,
  };
  const takers = [0, 1].map(() => startThread(context, "./bucket-taker.js", import.meta.url, data));
  const found = (await Promise.all(takers)) as {
    times: Int32Array;
    refused: number;
  }[];
  assert.ok(
    found.every(({ refused }) => refused > 0),
    "both met an empty bucket",
  );
  // Differences only: bucket times wrap.
  const first = found[0]?.times[0] as number;
  const times = found.flatMap((one) => [...one.times].map((time) => (time - first) | 0));
  times.sort((a, b) => a - b);
  assertWindows(times, data.burst, data.cost);
});

/** Asserts (j - i + 1) × cost ≤ burst + times[j] - times[i] for all i ≤ j. */
function assertWindows(times: readonly number[], burst: number, cost: number): void {
  // Rearranged: (j + 1) × cost - times[j] ≤ burst + min over i ≤ j of (i × cost - times[i]).
  let least = Number.POSITIVE_INFINITY;
  for (const [j, time] of times.entries()) {
    least = Math.min(least, j * cost - time);
    assert.ok((j + 1) * cost - time <= burst + least, `too many by grant ${j}`);
  }
}
