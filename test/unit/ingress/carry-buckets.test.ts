/** A changed rate or burst: what was spent stays spent, in the bucket's other word. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { derivePools, type PoolPlan } from "../../../src/config/derive.ts";
import { carryBuckets } from "../../../src/ingress/admission/carry-buckets.ts";
import {
  availableUnits,
  bucketNow,
  fillBucket,
  tryAcquire,
  UNITS_PER_TOKEN,
} from "../../../src/limit/bucket.ts";
import { bucketWord } from "../../../src/tables/plan.ts";
import { parse } from "../config/fixtures.ts";

const NOW = 10_000;

function planOf(apps: string, before: PoolPlan | null): PoolPlan {
  const text = `apps: ${apps}
links: [{ id: 100, host: h, system_id: x }]
routes: [{ prefix: "", to: 100 }]
`;
  return derivePools(parse(text), before);
}

/** Tokens in an app's bucket as `plan` has it. */
function tokensOf(words: Int32Array, plan: PoolPlan, appIndex: number): number {
  const app = plan.apps.find((one) => one.appIndex === appIndex);
  assert.ok(app?.config.rateTps);
  const now = bucketNow(NOW, app.config.rateTps);
  const word = bucketWord(appIndex, app.bucketHalf);
  return availableUnits(words, word, now, app.config.burst * UNITS_PER_TOKEN) / UNITS_PER_TOKEN;
}

test("debt keeps its share of the burst, an unlimited app starts empty, a new one full", () => {
  const apps = "[{ id: 1, name: a, rate_tps: 100, burst: 200 }, { id: 2, name: b }]";
  const first = planOf(apps, null);
  const words = new Int32Array(2 * 4);
  fillBucket(words, bucketWord(0, 0), NOW, { refillPerS: 100, burst: 200 });
  const cost = 150 * UNITS_PER_TOKEN;
  const burst = 200 * UNITS_PER_TOKEN;
  assert.equal(tryAcquire(words, bucketWord(0, 0), bucketNow(NOW, 100), cost, burst), 0);
  const next = planOf(
    "[{ id: 1, name: a, rate_tps: 20, burst: 40 }, { id: 2, name: b, rate_tps: 7, burst: 10 }," +
      " { id: 3, name: c, rate_tps: 5, burst: 10 }]",
    first,
  );
  carryBuckets(words, first, next, NOW);
  assert.equal(tokensOf(words, next, 0), 10);
  assert.equal(tokensOf(words, next, 1), 0);
  assert.equal(tokensOf(words, next, 2), 10);
  assert.equal(tokensOf(words, first, 0), 50, "threads that have not gone over spend from theirs");
});

test("nothing that stays is touched", () => {
  const apps = "[{ id: 1, name: a, rate_tps: 100, burst: 200 }]";
  const first = planOf(apps, null);
  const words = new Int32Array(4).fill(77);
  carryBuckets(words, first, planOf(apps.replace("name: a", "name: z"), first), NOW);
  assert.deepEqual([...words], [77, 77, 77, 77]);
});
