/** What wanted bodies keep of the log: nothing below the first of them but its own stretch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyHolds, HOLD_BYTES } from "../../../src/ledger/body-holds.ts";

test("the lowest wanted body keeps its stretch, and what is below may go", () => {
  const holds = new BodyHolds();
  assert.equal(holds.lowest(), Number.POSITIVE_INFINITY);
  holds.hold(9 * HOLD_BYTES + 24);
  holds.hold(5 * HOLD_BYTES - 8);
  holds.hold(5 * HOLD_BYTES - 8);
  assert.equal(holds.lowest(), 4 * HOLD_BYTES);
  holds.release(5 * HOLD_BYTES - 8);
  assert.equal(holds.lowest(), 4 * HOLD_BYTES);
  holds.release(5 * HOLD_BYTES - 8);
  assert.equal(holds.lowest(), 9 * HOLD_BYTES);
  holds.release(9 * HOLD_BYTES + 24);
  assert.equal(holds.lowest(), Number.POSITIVE_INFINITY);
});

test("traffic that never pauses lets a log of a few MiB go on behind it", () => {
  const holds = new BodyHolds();
  const inFlightBytes = 256 * 1024;
  const messageBytes = 512;
  for (let at = 0; at < 64 * 1024 * 1024; at += messageBytes) {
    holds.hold(at);
    if (at >= inFlightBytes) holds.release(at - inFlightBytes);
    assert.ok(at - holds.lowest() < 2 * 1024 * 1024);
  }
});
