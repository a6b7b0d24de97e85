/** Messages for later, at a start beside a backlog of earlier runs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { PARTS_ALL } from "../../../src/records/hand-over.ts";
import { Harness } from "./harness.ts";
import { accept, key, sending, T0 } from "./records.ts";

test("what is due at a start does not wait until all that earlier runs left is handed over", () => {
  const harness = new Harness();
  harness.work();
  const count = 180;
  for (let i = 0; i < count; i++) harness.feed(accept(key(i)));
  const due = [key(count + 1), key(count + 2), key(count + 3)] as const;
  harness.feed(...due.map((one) => accept(one, { delayS: 60, parts: 2 })));
  const dueAt = harness.log.entries.slice(-3).map(({ offset }) => offset);
  harness.flush();
  const next = harness.restart({ now: T0 + 61_000, limits: { walkStep: 1 } });
  // Workers take a message now and then.
  next.room = 0;
  for (let i = 0; i < 20; i++) {
    next.room = 2;
    next.pass(100, 100);
  }
  assert.ok(next.ledger.isRecovering());
  const place = next.submitted.findIndex(({ logOffset }) => logOffset === dueAt[0]);
  assert.ok(place >= 0 && place < 20, `in place ${place}`);
  const [entry] = next.submitted.filter(({ logOffset }) => logOffset === dueAt[0]);
  assert.deepEqual([entry?.parts, entry?.attempt, entry?.flags], [PARTS_ALL, 1, 0]);
  // One goes out, one is taken back where it waits, one waits on.
  next.feed(sending(due[0], { part: 0, at: 70_000 }), sending(due[0], { part: 1, at: 70_000 }));
  const told: string[] = [];
  next.room = Number.POSITIVE_INFINITY;
  next.pass(5000, 100);
  assert.ok(!next.ledger.isRecovering());
  next.ledger.cancel(due[1], 7, (outcome) => told.push(outcome));
  assert.equal(next.cancellations.length, 1, "its worker is asked: it was handed over");
  next.cancellations[0]?.done(true);
  next.pass(2000, 100);
  assert.deepEqual(told, ["canceled"]);
  next.flush();
  next.pass(120_000, 5000);
  const offsets = next.submitted.map(({ logOffset }) => logOffset);
  assert.equal(new Set(offsets).size, offsets.length, "nothing is handed over twice");
  assert.equal(offsets.length, count + 3);
  assert.equal(next.ledger.status().hand_overs, 1, "the one that waits on");
  assert.equal(next.owner?.isWanted(dueAt[2] as number), true, "still to be sent");
  next.feed(sending(due[2], { part: 0, at: 80_000 }), sending(due[2], { part: 1, at: 80_000 }));
  assert.equal(next.ledger.status().hand_overs, 0);
  next.flush();
  assert.ok(verifyBooks(next.store).ok);
});

test("the ledger is quiet until shortly before what is scheduled", () => {
  const harness = new Harness();
  harness.pass(5000);
  assert.equal(harness.ledger.isQuiet(500), true);
  harness.feed(accept(key(1), { delayS: 60 }));
  harness.pass(5000);
  assert.equal(harness.ledger.isQuiet(500), true);
  while (harness.ledger.isQuiet(500)) harness.pass(100, 100);
  assert.equal(harness.submitted.length, 0);
  harness.pass(700, 100);
  assert.equal(harness.submitted.length, 1);
});
