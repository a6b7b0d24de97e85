/** The little languages of the simulator's options, and their bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseOutcomes,
  parseRange,
  parseRefusals,
  parseShare,
  resolveSmscOptions,
  type SmscOptions,
} from "../../../src/smsc/options.ts";

test("ranges are one number or two", () => {
  assert.deepEqual(parseRange("latency-ms", "20"), [20, 20]);
  assert.deepEqual(parseRange("latency-ms", "5:50"), [5, 50]);
  for (const bad of ["", "x", "1:2:3", "5:", ":5", "-1", "1e3", " 1"]) {
    assert.throws(() => parseRange("latency-ms", bad), RangeError, bad);
  }
});

test("shares are percentages with or without the sign", () => {
  assert.equal(parseShare("drop-answers", "3"), 0.03);
  assert.equal(parseShare("drop-answers", "0.5%"), 0.005);
  assert.throws(() => parseShare("drop-answers", "half"), RangeError);
});

test("mixes name states and statuses", () => {
  assert.deepEqual(parseOutcomes("delivered=90,undelivered=5, expired=3,none=2"), [
    { state: 2, weight: 90 },
    { state: 5, weight: 5 },
    { state: 3, weight: 3 },
    { state: -1, weight: 2 },
  ]);
  assert.deepEqual(parseRefusals("0x58=5%,ESME_RINVDSTADR=1,20=0.5%"), [
    { status: 0x58, share: 0.05 },
    { status: 0x0b, share: 0.01 },
    { status: 0x14, share: 0.005 },
  ]);
  for (const bad of ["", "delivered", "lost=5", "delivered=x", "=5"]) {
    assert.throws(() => parseOutcomes(bad), RangeError, bad);
  }
  for (const bad of ["", "0x58", "ESME_NONE=5%", "0xg=1%", "1.5=1%"]) {
    assert.throws(() => parseRefusals(bad), RangeError, bad);
  }
});

test("what is missing gets defaults, what is out of bounds is refused by name", () => {
  const options = resolveSmscOptions({ port: 0 });
  assert.equal(options.receipts, "final");
  assert.ok(Object.isFrozen(options));
  const bad: readonly [Partial<SmscOptions>, RegExp][] = [
    [{ port: 65_536 }, /port/],
    [{ port: 1.5 }, /port/],
    [{ latencyMs: [5, 4] }, /latencyMs/],
    [{ receiptDelayMs: [0, 2 ** 31] }, /receiptDelayMs/],
    [{ dropAnswers: 1.01 }, /dropAnswers/],
    [{ duplicateReceipts: Number.NaN }, /duplicateReceipts/],
    [{ tps: 0 }, /tps/],
    [{ window: -1 }, /window/],
    [{ waitingMax: 0 }, /waitingMax/],
    [{ seed: -1 }, /seed/],
    [{ outcomes: [] }, /outcomes/],
    [{ outcomes: [{ state: 9, weight: 1 }] }, /outcomes/],
    [{ refusals: [{ status: 0, share: 0.1 }] }, /refusals/],
    [
      {
        refusals: [
          { status: 8, share: 0.6 },
          { status: 11, share: 0.5 },
        ],
      },
      /refusals/,
    ],
    [{ smscSystemId: "sixteen-letters!" }, /smscSystemId/],
    [{ idFormat: "roman" as "hex" }, /idFormat/],
  ];
  for (const [given, naming] of bad) {
    assert.throws(() => resolveSmscOptions(given), naming, JSON.stringify(given));
  }
});
