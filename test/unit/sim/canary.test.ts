/**
 * Proof that the simulation can fail: each bug put in from outside is found, by a violation that
 * names it, and the gateway without it holds the same seeds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CANARIES } from "../../sim/canaries.ts";
import { runSeed } from "../../sim/run-seed.ts";

const SEEDS_MAX = 25;

for (const { name, sings, options } of CANARIES) {
  test(`a canary is found: ${name}`, () => {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const { violations } = runSeed(seed, options);
      if (violations.some((violation) => sings.test(violation))) return;
    }
    assert.fail(`${SEEDS_MAX} seeds did not find it`);
  });
}

test("the same seeds hold without a canary", () => {
  for (let seed = 1; seed <= 3; seed++) assert.deepEqual(runSeed(seed).violations, []);
});
