import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SmoothWeightedRoundRobin } from "../../../src/routing/swrr.ts";

function picks(count: number, weights: readonly number[]): number[] {
  const swrr = new SmoothWeightedRoundRobin(weights.length);
  return Array.from({ length: count }, () => swrr.pick(weights));
}

test("the picks of 5, 1, 1 are interleaved as published", () => {
  assert.deepEqual(picks(7, [5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
});

test("over each round every candidate gets exactly its weight", () => {
  const weights = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 3 }), (some, rounds) => {
      const sum = some.reduce((total, weight) => total + weight, 0);
      const all = picks(sum * rounds, some);
      for (const [i, weight] of some.entries()) {
        assert.equal(all.filter((pick) => pick === i).length, weight * rounds);
      }
    }),
  );
});

test("at every moment each share is off its weight by less than the number of candidates", () => {
  const weights = [7, 3, 2, 1];
  const counts = [0, 0, 0, 0];
  for (const [n, pick] of picks(13 * 20, weights).entries()) {
    (counts[pick] as number)++;
    for (const [i, weight] of weights.entries()) {
      const due = ((n + 1) * weight) / 13;
      assert.ok(Math.abs((counts[i] as number) - due) < weights.length);
    }
  }
});

test("who is not available is never picked, and nobody is when none is", () => {
  assert.deepEqual(new Set(picks(50, [0, 2, 0, 1])), new Set([1, 3]));
  assert.deepEqual(picks(3, [0, 0]), [-1, -1, -1]);
  assert.deepEqual(picks(3, [-1, 0]), [-1, -1, -1]);
});

test("a dead candidate's share goes to the others at once, and comes back", () => {
  const swrr = new SmoothWeightedRoundRobin(2);
  const share = (weights: number[], n: number): number =>
    Array.from({ length: n }, () => swrr.pick(weights)).filter((pick) => pick === 0).length;
  assert.equal(share([3, 1], 400), 300);
  assert.equal(share([0, 1], 400), 0);
  const back = share([3, 1], 400);
  assert.ok(Math.abs(back - 300) <= 1, `${back}`);
});

test("whoever is charged for a run is picked the less, and shares stay as the weights say", () => {
  const weights = [5, 3, 1];
  const swrr = new SmoothWeightedRoundRobin(weights.length);
  const counts = [0, 0, 0];
  let total = 0;
  for (let i = 0; total < 9000; i++) {
    const pick = swrr.pick(weights);
    // Runs of all lengths, the long ones always when the same candidate's turn might come.
    const run = 1 + ((i * 7) % 8);
    swrr.charge(weights, pick, run - 1);
    counts[pick] = (counts[pick] as number) + run;
    total += run;
    for (const [candidate, weight] of weights.entries()) {
      const due = (total * weight) / 9;
      assert.ok(Math.abs((counts[candidate] as number) - due) < 8 * weights.length);
    }
  }
});
