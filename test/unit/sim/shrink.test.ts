/**
 * A failing seed is made small: little is left of it, and what is left still fails.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CANARIES } from "../../sim/canaries.ts";
import { runSeed } from "../../sim/run-seed.ts";
import { formatRest, leaveOut, parseRest, shrinkSeed, violationKind } from "../../sim/shrink.ts";

test("what is not needed is left out, what is needed stays", () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  const needed = [3, 41, 97];
  const left = leaveOut(items, (rest) => needed.every((index) => rest.includes(index)));
  assert.deepEqual(left, needed);
});

test("the runs of a shrinking are bounded", () => {
  let runs = 0;
  leaveOut(
    Array.from({ length: 1000 }, (_, index) => index),
    (rest) => {
      runs++;
      return rest.length === 1000;
    },
    20,
  );
  assert.equal(runs, 20);
});

test("violations are of one kind whatever their numbers", () => {
  assert.equal(violationKind("998901 was delivered, and is held"), "# was *, and is *");
});

test("a rest is read back as it was written", () => {
  const text = "deaths:0;faults:;messages:12,13";
  assert.equal(formatRest(parseRest(text)), text);
  assert.throws(() => parseRest("deaths:0;faults:1"), /messages/);
  assert.throws(() => parseRest("deaths:x;faults:;messages:"), /deaths:x/);
});

test("a seed that a planted bug fails is shrunk to a few parts that still fail", () => {
  const canary = CANARIES.find(({ name }) => name === "202 before the commit");
  assert.ok(canary);
  const options = { ...canary.options, messages: 120 };
  const seed = [1, 2, 3, 4, 5].find((candidate) => runSeed(candidate, options).violations[0]);
  assert.ok(seed !== undefined);
  const rest = shrinkSeed(seed, options, () => undefined);
  assert.ok(rest !== null);
  assert.ok(rest.messages.size <= 3, `${rest.messages.size} messages left`);
  assert.ok(rest.faults.size <= 1, `${rest.faults.size} faults left`);
  assert.notDeepEqual(runSeed(seed, { ...options, only: rest }).violations, []);
  assert.equal(
    shrinkSeed(seed, { messages: 120 }, () => undefined),
    null,
  );
});
