/**
 * The planted bugs stay up to date: at least twelve, each says what finds it, and each still
 * applies to the sources. That the simulation finds them is the command's to show (`sim:bugs`).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plantedBugs, whyNotApplicable } from "../../sim/find-bugs.ts";

test("every planted bug applies to the sources as they are", () => {
  const bugs = plantedBugs();
  assert.ok(bugs.length >= 12, `${bugs.length} bugs`);
  const stale = bugs.flatMap((bug) => whyNotApplicable(bug) ?? []);
  assert.deepEqual(stale, []);
});
