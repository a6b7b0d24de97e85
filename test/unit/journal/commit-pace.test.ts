/** When the journal thread rests between two commits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommitPace } from "../../../src/journal/commit-pace.ts";

const LARGE = 4096;

test("the first commit, and any after a small one, is due at once", () => {
  const pace = new CommitPace(1);
  assert.equal(pace.restMs(0), 0);
  pace.committed(100, LARGE - 8);
  assert.equal(pace.restMs(100.2), 0);
});

test("after a large one the next begins an interval after it began", () => {
  const pace = new CommitPace(1);
  pace.committed(100, LARGE);
  assert.equal(pace.restMs(100.25), 0.75);
  assert.equal(pace.restMs(101), 0);
  assert.equal(pace.restMs(150), 0);
  pace.committed(150, 200);
  assert.equal(pace.restMs(150), 0);
});

test("an interval of 0 is no pace", () => {
  const pace = new CommitPace(0);
  pace.committed(100, 1_000_000);
  assert.equal(pace.restMs(100), 0);
});
