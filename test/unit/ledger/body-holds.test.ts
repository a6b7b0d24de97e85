/** What wanted bodies keep of the log: nothing below the first of them but its own stretch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyHolds, STRETCH_BYTES_MAX } from "../../../src/ledger/body-holds.ts";

test("the lowest wanted body keeps its stretch, and what is below may go", () => {
  const holds = new BodyHolds();
  assert.equal(holds.lowest(), Number.POSITIVE_INFINITY);
  holds.hold(9 * STRETCH_BYTES_MAX + 24, 100);
  holds.hold(5 * STRETCH_BYTES_MAX - 8, 100);
  holds.hold(5 * STRETCH_BYTES_MAX - 8, 100);
  assert.equal(holds.lowest(), 4 * STRETCH_BYTES_MAX);
  holds.release(5 * STRETCH_BYTES_MAX - 8, 100);
  assert.equal(holds.lowest(), 4 * STRETCH_BYTES_MAX);
  holds.release(5 * STRETCH_BYTES_MAX - 8, 100);
  assert.equal(holds.lowest(), 9 * STRETCH_BYTES_MAX);
  holds.release(9 * STRETCH_BYTES_MAX + 24, 100);
  assert.equal(holds.lowest(), Number.POSITIVE_INFINITY);
});

test("traffic that never pauses lets a log of a few MiB go on behind it", () => {
  const holds = new BodyHolds();
  const inFlightBytes = 256 * 1024;
  const messageBytes = 512;
  for (let at = 0; at < 64 * 1024 * 1024; at += messageBytes) {
    holds.hold(at, messageBytes);
    if (at >= inFlightBytes) holds.release(at - inFlightBytes, messageBytes);
    assert.ok(at - holds.lowest() < 2 * 1024 * 1024);
  }
});
