import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bucketNow,
  contractBurst,
  contractRefill,
  tryAcquire,
  UNITS_PER_TOKEN,
} from "../../../src/limit/bucket.ts";
import { World } from "./world.ts";

/** The most events within any half-open window of `windowMs`. */
function densest(atMs: readonly number[], windowMs: number): number {
  let best = 0;
  for (let from = 0, to = 0; from < atMs.length; from++) {
    while (to < atMs.length && atMs[to]! < atMs[from]! + windowMs) to++;
    best = Math.max(best, to - from);
  }
  return best;
}

for (const rateTps of [1, 7, 100, 1000, 10_000]) {
  test(`${rateTps}/s: no half-open second sees more, and most of it is used`, () => {
    const seconds = rateTps >= 1000 ? 3 : 20;
    const world = new World({
      links: [{ rateTps, sessions: 2, windowMax: 5000 }],
      workers: 2,
      // Odd steps: ticks and tokens do not fall together.
      stepMs: 0.73,
    });
    world.smsc.onSubmit = () => "ok";
    world.bindAll();
    const published = [0, 0];
    const startMs = world.nowMs;
    while (world.nowMs < startMs + seconds * 1000) {
      for (const worker of [0, 1]) {
        while (((world.creditsOf(0, 1, worker) - published[worker]!) | 0) > 0) {
          world.submit({ worker });
          published[worker]!++;
        }
      }
      // A drought now and then, and a slow disk: what was saved must not burst out.
      const phase = Math.floor((world.nowMs - startMs) / 100) % 10;
      world.isJournalHeld = phase === 7;
      world.step();
    }
    const atMs = world.smsc.submits().map((pdu) => pdu.atMs);
    const most = densest(atMs, 1000);
    assert.ok(most <= rateTps, `${most} in one second`);
    assert.ok(atMs.length >= 0.8 * rateTps * seconds - 1, `${atMs.length} in ${seconds} s`);
  });
}

test("SENDING runs ahead of the socket by no more than the bucket frees in milliseconds", () => {
  const world = new World({ links: [{ rateTps: 1000, windowMax: 1000 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  for (let i = 0; i < 500; i++) world.submit();
  world.isJournalHeld = true;
  world.run(200);
  world.isJournalHeld = false;
  world.step();
  const sendings = world.attempts().filter(({ type }) => type === "SENDING").length;
  assert.ok(sendings <= 10 + 5, `${sendings} prepared`);
});

test("a closed link binds and sends nothing", () => {
  const world = new World({ links: [{ rateTps: 0 }] });
  world.bindAll();
  world.submit();
  world.run(1000);
  assert.equal(world.smsc.submits().length, 0);
  assert.equal(world.takeReturns().length, 1);
  assert.equal(world.credits.weight(0, 0), 0);
});

test("a bucket read with an older clock than the last writer's is empty, not full", () => {
  const words = new Int32Array(1);
  const refill = contractRefill(100);
  const burst = contractBurst(100) * UNITS_PER_TOKEN;
  const take = (ms: number): boolean =>
    tryAcquire(words, 0, bucketNow(ms, refill), UNITS_PER_TOKEN, burst) === 0;
  assert.ok(take(10_000));
  assert.ok(!take(9_999));
  assert.ok(!take(9_950));
  assert.ok(!take(10_005));
  assert.ok(take(10_011));
});

test("token by token at the earliest instant, the contract holds at every rate", () => {
  for (const rate of [1, 2, 3, 7, 50, 99, 100, 101, 333, 1000]) {
    const words = new Int32Array(1);
    const refill = contractRefill(rate);
    const burst = contractBurst(rate) * UNITS_PER_TOKEN;
    const atMs: number[] = [];
    for (let now = 1000.017; now < 6000; now += 0.05) {
      while (tryAcquire(words, 0, bucketNow(now, refill), UNITS_PER_TOKEN, burst) === 0) {
        atMs.push(now);
      }
    }
    assert.ok(densest(atMs, 1000) <= rate, `${densest(atMs, 1000)} at ${rate}/s`);
    assert.ok(atMs.length >= 5 * rate * 0.95 - 1, `${atMs.length} at ${rate}/s`);
  }
});
