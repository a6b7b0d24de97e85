import assert from "node:assert/strict";
import { test } from "node:test";
import { admissionFits, LIFE_BYTES_PER_PART, lifeCharge } from "../../../src/journal/space.ts";
import { ATTEMPT_BYTES, SMSC_ID_BYTES_MAX } from "../../../src/records/attempt.ts";
import { Receipt, RECEIPT_ERROR_BYTES_MAX } from "../../../src/records/receipt.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";

const MAX = 100_000;

function table(words: Partial<Record<keyof typeof LogWord, number>>): LogTable {
  const made = new LogTable(allocateLogTable(1));
  for (const [word, value] of Object.entries(words)) {
    made.store(LogWord[word as keyof typeof LogWord], value);
  }
  return made;
}

test("a part's life holds its longest SENDING, ANSWER and RECEIPT, each alone in a block", () => {
  const alone = 64 + 8;
  const longest =
    ATTEMPT_BYTES +
    (ATTEMPT_BYTES + SMSC_ID_BYTES_MAX) +
    (Receipt.TEXTS + SMSC_ID_BYTES_MAX + RECEIPT_ERROR_BYTES_MAX);
  assert.equal(LIFE_BYTES_PER_PART, longest + 3 * alone);
  assert.equal(lifeCharge(101, 3), 104 + alone + 3 * LIFE_BYTES_PER_PART);
});

test("admission counts what is on disk, what open messages need, and the message", () => {
  const words = {
    OLDEST: 1000,
    COMMITTED: 41_000,
    LEDGER_APPLIED: 41_000,
    OPEN_LIFE_BYTES: 50_000,
  };
  assert.equal(admissionFits(table(words), MAX, 10_000, 0), true);
  assert.equal(admissionFits(table(words), MAX, 10_001, 0), false);
});

test("log that the ledger has not counted, and what is staged, may all be messages", () => {
  const counted = { COMMITTED: 40_000, LEDGER_APPLIED: 40_000 };
  assert.equal(admissionFits(table(counted), MAX, 1000, 0), true);
  assert.equal(admissionFits(table({ ...counted, LEDGER_APPLIED: 25_000 }), MAX, 1000, 0), false);
  assert.equal(admissionFits(table(counted), MAX, 1000, 9000), false);
});

test("nothing is admitted while no segment can be made", () => {
  assert.equal(admissionFits(table({ SHORT_OF_SPACE: 1 }), MAX, 100, 0), false);
  assert.equal(admissionFits(table({ SHORT_OF_SPACE: 0 }), MAX, 100, 0), true);
});
