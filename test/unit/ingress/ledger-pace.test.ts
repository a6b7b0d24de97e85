/** An ingress thread rests the longer after its messages, the further the ledger is behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LedgerPace } from "../../../src/ingress/admission/ledger-pace.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";

const MIB = 1024 * 1024;

function paced() {
  const table = new LogTable(allocateLogTable(1));
  const pace = new LedgerPace(table);
  const lag = (mib: number): void => {
    table.store(LogWord.LEDGER_APPLIED, 100 * MIB);
    table.store(LogWord.COMMITTED, (100 + mib) * MIB);
  };
  return { pace, lag };
}

test("a ledger that keeps up costs no rest, however much is admitted", () => {
  const { pace, lag } = paced();
  for (const mib of [0, 1, 4]) {
    lag(mib);
    assert.equal(pace.yieldMs(100_000), 0);
  }
});

test("the rest of a message grows with the square of the lag, up to a bound", () => {
  const restAt = (mib: number): number => {
    const { pace, lag } = paced();
    lag(mib);
    return pace.yieldMs(400) / 400;
  };
  assert.ok(Math.abs(restAt(8) - 0.003) < 1e-9);
  assert.ok(Math.abs(restAt(16) - 0.015) < 1e-9);
  assert.ok(Math.abs(restAt(32) - 0.063) < 1e-9);
  assert.ok(Math.abs(restAt(64) - 0.255) < 1e-9);
  // As long as a turn may be.
  assert.ok(Math.abs(restAt(200) - 0.5) < 1e-9);
});

test("short rests add up, long ones take several turns, and none is left once it is close", () => {
  const { pace, lag } = paced();
  lag(8);
  let waited = 0;
  let rest = 0;
  for (; rest === 0; waited++) rest = pace.yieldMs(10);
  assert.equal(waited, 17);
  assert.ok(rest >= 0.5 && rest < 0.54);
  lag(200);
  assert.equal(pace.yieldMs(450), 200);
  assert.equal(pace.yieldMs(0), 200);
  assert.ok(pace.yieldMs(0) >= 50, "a millisecond each, and what was left");
  assert.equal(pace.yieldMs(0), 0);
  // Without end nothing is owed.
  assert.equal(pace.yieldMs(1_000_000), 200);
  for (let turn = 0; turn < 5; turn++) assert.equal(pace.yieldMs(0), 200);
  assert.equal(pace.yieldMs(0), 0);
  assert.equal(pace.yieldMs(1_000_000), 200);
  lag(1);
  assert.equal(pace.yieldMs(0), 0);
  lag(64);
  assert.equal(pace.yieldMs(0), 0);
});
