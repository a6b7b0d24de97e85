/** A run is a function of its seed: the same number gives the same effects at the same instants. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeed } from "../../sim/run-seed.ts";
import { SEED_MINIMA } from "../../sim/seed-figures.ts";

test("a seed replays exactly, its last effects included", () => {
  // From one place: a death by an error tells its stack.
  const [once, again] = [11, 11].map((seed) => runSeed(seed));
  assert.deepEqual(again, once);
  assert.ok(once !== undefined && once.trace.length > 100);
});

// What a seed draws changes with the program: the bounds hold for any seed.
test("every run has its share of messages, faults and deaths", () => {
  for (const seed of [4, 6]) {
    const { messages, faults, deaths, segments, simulatedMs } = runSeed(seed);
    assert.ok(messages >= SEED_MINIMA.messages);
    assert.ok(faults >= SEED_MINIMA.faults);
    assert.ok(deaths.length >= SEED_MINIMA.deaths);
    assert.ok(segments > messages);
    assert.ok(simulatedMs > 20_000);
  }
});
