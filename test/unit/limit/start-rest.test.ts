import assert from "node:assert/strict";
import { test } from "node:test";
import { REST_MS } from "../../../src/limit/contract.ts";
import { restAfterStartMs } from "../../../src/limit/start-rest.ts";

const NOW = { boot: "b", monotonicMs: 500_000, wallMs: 1_800_000_000_000 };

/** An instant before NOW: by how much on either clock. */
function ago(monotonicMs: number, wallMs = monotonicMs, boot: string | null = "b") {
  return { boot, monotonicMs: NOW.monotonicMs - monotonicMs, wallMs: NOW.wallMs - wallMs };
}

test("the first run of all sends at once, one after a death rests for a second", () => {
  assert.equal(restAfterStartMs("never", NOW), 0);
  assert.equal(restAfterStartMs("unknown", NOW), REST_MS);
});

test("after a drain the tokens rest until a second after it", () => {
  assert.equal(restAfterStartMs(ago(0), NOW), REST_MS);
  assert.equal(restAfterStartMs(ago(400), NOW), REST_MS - 400);
  assert.equal(restAfterStartMs(ago(REST_MS), NOW), 0);
  assert.equal(restAfterStartMs(ago(86_400_000), NOW), 0);
});

test("a wall clock that was set shortens no rest", () => {
  assert.equal(restAfterStartMs(ago(100, 3_600_000), NOW), REST_MS - 100, "set forward");
  assert.equal(restAfterStartMs(ago(5000, -3_600_000), NOW), REST_MS, "set back");
  assert.equal(restAfterStartMs(ago(5000, 200), NOW), REST_MS - 200, "set back a little");
});

test("clocks that cannot be compared mean a whole rest", () => {
  assert.equal(restAfterStartMs(ago(9000, 9000, "another"), NOW), REST_MS);
  assert.equal(restAfterStartMs(ago(9000, 9000, null), { ...NOW, boot: null }), REST_MS);
  assert.equal(restAfterStartMs(ago(-1, 9000), NOW), REST_MS, "a monotonic clock from elsewhere");
  assert.equal(restAfterStartMs(ago(Number.NaN, 9000), NOW), REST_MS);
});
