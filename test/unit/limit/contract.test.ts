import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  allocateContract,
  claimToken,
  freeRested,
  layToRest,
  NO_TOKEN,
  putBack,
  REST_MS,
  restAll,
} from "../../../src/limit/contract.ts";
import { densest } from "../../support/rate-window.ts";

function contract(count: number): Int32Array {
  return new Int32Array(allocateContract(count));
}

test("every token is there once, and again a second after its rest began", () => {
  const words = contract(3);
  const tokens = [1, 2, 3].map(() => claimToken(words, 3, 5000));
  assert.deepEqual(
    [...tokens].sort((a, b) => a - b),
    [1, 2, 3],
  );
  assert.equal(claimToken(words, 3, 5000), NO_TOKEN, "all in hand");
  assert.equal(claimToken(words, 3, 500_000), NO_TOKEN, "however long");
  for (const token of tokens) layToRest(words, token, 5100);
  assert.equal(claimToken(words, 3, 6100.9), NO_TOKEN);
  assert.equal(claimToken(words, 3, 5100 + REST_MS), tokens[0]);
});

test("a token put back is free at once", () => {
  const words = contract(1);
  const token = claimToken(words, 1, 10);
  putBack(words, token);
  assert.equal(claimToken(words, 1, 10), token);
});

test("a clock read long ago finds tokens resting, never free", () => {
  const words = contract(1);
  layToRest(words, claimToken(words, 1, 300_000), 300_000);
  assert.equal(claimToken(words, 1, 200_000), NO_TOKEN);
  assert.equal(claimToken(words, 1, 300_000 + REST_MS), 1);
});

test("a process that knows nothing of the one before it starts with a rest", () => {
  const words = contract(5);
  restAll(words, 5, 3001);
  assert.equal(claimToken(words, 5, 3000.9), NO_TOKEN);
  assert.ok(claimToken(words, 5, 3001) > 0);
});

test("tokens nobody used for days are free if they were looked after", () => {
  const wrapMs = 2 ** 32 / 16;
  const words = contract(2);
  layToRest(words, claimToken(words, 2, 1000), 1000);
  layToRest(words, claimToken(words, 2, 1000), 1000);
  freeRested(words, 2, 1500);
  assert.equal(claimToken(words, 2, 1500), NO_TOKEN, "what rests still rests");
  freeRested(words, 2, 10_000);
  assert.ok(claimToken(words, 2, wrapMs + 1000) > 0);
});

test("a resting time that falls on a reserved word is still a rest", () => {
  for (const unitsAt of [2 ** 32, 2 ** 31]) {
    const words = contract(1);
    const atMs = unitsAt / 16 - REST_MS;
    layToRest(words, claimToken(words, 1, atMs), atMs);
    assert.equal(claimToken(words, 1, atMs + REST_MS - 1), NO_TOKEN);
    assert.equal(claimToken(words, 1, atMs + REST_MS + 1), 1);
  }
});

test("whatever stalls between claim, write and rest, no second sees more than the contract", () => {
  // Each write: when it is tried, how long until the bytes leave, how long until that is noted.
  const writes = fc.array(
    fc.record({
      afterMs: fc.double({ min: 0, max: 120, noNaN: true }),
      stallMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1500, noNaN: true })),
      noteMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1500, noNaN: true })),
    }),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(writes, fc.integer({ min: 1, max: 7 }), (all, count) => {
      const words = contract(count);
      const left: number[] = [];
      let open: { token: number; atMs: number }[] = [];
      let nowMs = 2 ** 32 / 16 - 3000;
      for (const { afterMs, stallMs, noteMs } of all) {
        nowMs += afterMs;
        for (const { token, atMs } of open) if (atMs <= nowMs) layToRest(words, token, atMs);
        open = open.filter(({ atMs }) => atMs > nowMs);
        const token = claimToken(words, count, nowMs);
        if (token === NO_TOKEN) continue;
        left.push(nowMs + stallMs);
        open.push({ token, atMs: nowMs + stallMs + noteMs });
      }
      left.sort((a, b) => a - b);
      assert.ok(densest(left, 1000) <= count, `${densest(left, 1000)} of ${count}`);
    }),
  );
});
