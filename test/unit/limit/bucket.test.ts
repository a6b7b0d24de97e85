import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  availableUnits,
  BURST_UNITS_MAX,
  giveBack,
  settle,
  tryAcquire,
  UNITS_PER_TOKEN,
} from "../../../src/limit/bucket.ts";

const BURST = 10 * UNITS_PER_TOKEN;

function bucket(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

test("a fresh bucket holds its burst and no more", () => {
  const words = bucket();
  const now = 123_456;
  assert.equal(availableUnits(words, 0, now, BURST), BURST);
  for (let i = 0; i < 10; i++) assert.equal(tryAcquire(words, 0, now, UNITS_PER_TOKEN, BURST), 0);
  assert.equal(availableUnits(words, 0, now, BURST), 0);
  assert.equal(tryAcquire(words, 0, now, UNITS_PER_TOKEN, BURST), -UNITS_PER_TOKEN);
});

test("a refusal takes nothing and says how much is missing", () => {
  const words = bucket();
  assert.equal(tryAcquire(words, 0, 50, BURST - 5, BURST), 0);
  assert.equal(tryAcquire(words, 0, 50, 20, BURST), -15);
  assert.equal(availableUnits(words, 0, 50, BURST), 5);
  assert.equal(tryAcquire(words, 0, 65, 20, BURST), 0);
});

test("settling keeps what is owed, and keeps a full bucket full for another turn", () => {
  const words = bucket();
  tryAcquire(words, 0, 1000, 100, BURST);
  settle(words, 0, 1040, BURST);
  assert.equal(availableUnits(words, 0, 1040, BURST), BURST - 60);
  settle(words, 0, 1200, BURST);
  assert.equal(availableUnits(words, 0, 1200, BURST), BURST);
  // A whole turn after its last use the word would look like a debt of 100.
  settle(words, 0, (1000 + 0x70000000) | 0, BURST);
  settle(words, 0, (1000 + 0xe0000000) | 0, BURST);
  assert.equal(availableUnits(words, 0, 1000, BURST), BURST);
});

test("what is given back can be taken again, but never more than the burst", () => {
  const words = bucket();
  tryAcquire(words, 0, 0, 100, BURST);
  giveBack(words, 0, 0, 40, BURST);
  assert.equal(availableUnits(words, 0, 0, BURST), BURST - 60);
  giveBack(words, 0, 0, 500, BURST);
  assert.equal(availableUnits(words, 0, 0, BURST), BURST);
});

test("a word left from long ago, on either side of the wrap, means a full bucket", () => {
  const words = bucket();
  tryAcquire(words, 0, 0x7ffffff0, BURST, BURST);
  assert.equal(availableUnits(words, 0, (0x7ffffff0 + BURST) | 0, BURST), BURST);
  assert.equal(availableUnits(words, 0, (0x7ffffff0 + 0x60000000) | 0, BURST), BURST);
  assert.equal(availableUnits(words, 0, 0x7ffffff0, BURST), 0, "debt over the wrap is still debt");
});

test("the largest burst works", () => {
  const words = bucket();
  assert.equal(tryAcquire(words, 0, 5, BURST_UNITS_MAX, BURST_UNITS_MAX), 0);
  assert.equal(tryAcquire(words, 0, 5, 1, BURST_UNITS_MAX), -1);
});

test("no window of time sees more than burst and refill", () => {
  const moves = fc.array(
    fc.record({
      elapsed: fc.integer({ min: 0, max: 3 * BURST }),
      cost: fc.integer({ min: 1, max: BURST }),
      back: fc.boolean(),
    }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(moves, fc.integer({ min: -2147483648, max: 2147483647 }), (all, start) => {
      const words = bucket();
      let now = start;
      const taken: { at: number; units: number }[] = [];
      let elapsed = 0;
      for (const move of all) {
        now = (now + move.elapsed) | 0;
        elapsed += move.elapsed;
        if (tryAcquire(words, 0, now, move.cost, BURST) !== 0) continue;
        if (move.back) giveBack(words, 0, now, move.cost, BURST);
        else taken.push({ at: elapsed, units: move.cost });
      }
      assertNeverAbove(taken);
    }),
  );
});

/** Asserts that the units taken in [a, b] are at most the burst plus b - a, for all a and b. */
function assertNeverAbove(taken: readonly { at: number; units: number }[]): void {
  for (let i = 0; i < taken.length; i++) {
    let sum = 0;
    const first = taken[i] as { at: number };
    for (const { at, units } of taken.slice(i)) {
      sum += units;
      assert.ok(sum <= BURST + (at - first.at), `${sum} units in ${at - first.at}`);
    }
  }
}
