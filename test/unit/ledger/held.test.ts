/** Held messages are listed, and a decision about one is durable before it is answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyBooks } from "../../../src/ledger/books.ts";
import type { Resolution } from "../../../src/ledger/flow/held.ts";
import { FLAG_MAYBE_DUP } from "../../../src/records/attempt.ts";
import { Decision } from "../../../src/records/resolved.ts";
import { Harness } from "./harness.ts";
import { accept, ambiguous, answer, key, receipt, sending } from "./records.ts";

const HOLDING_LINK = 102;

function hold(harness: Harness, number: number): void {
  const k = key(number);
  harness.feed(accept(k), sending(k, { link: HOLDING_LINK }), ambiguous(k, { link: HOLDING_LINK }));
}

function decide(harness: Harness, number: number, decision: number): Resolution[] {
  const answers: Resolution[] = [];
  harness.ledger.resolveHeld(key(number), decision, (resolution) => answers.push(resolution));
  return answers;
}

function ready(): Harness {
  const harness = new Harness();
  harness.work();
  harness.pass(500);
  return harness;
}

test("held messages of every app are listed until they are decided about", () => {
  const harness = ready();
  for (let i = 1; i <= 25; i++) hold(harness, i);
  harness.flush();
  const first = harness.ledger.held(null, 10);
  assert.equal(first?.data.length, 10);
  assert.equal(first?.data[0]?.status, "held");
  assert.equal(first?.data[0]?.app, 7);
  const second = harness.ledger.held(first?.next ?? "", 10);
  const third = harness.ledger.held(second?.next ?? "", 10);
  assert.equal(third?.data.length, 5);
  assert.equal(third?.next, null);
  assert.equal(harness.ledger.held("nonsense", 10), null);
  // A late receipt settles one, validity ends another.
  harness.feed(answer(key(3), { id: "late", link: HOLDING_LINK }));
  harness.feed(receipt("late", 2, 45, HOLDING_LINK));
  harness.flush();
  assert.equal(harness.ledger.held(null, 100)?.data.length, 24);
  harness.pass(3_700_000, 20_000);
  harness.pass(3000);
  assert.deepEqual(harness.ledger.held(null, 100), { data: [], next: null });
});

test("resend sends the held parts once more, flagged, and fail gives them up", () => {
  const harness = ready();
  hold(harness, 1);
  hold(harness, 2);
  const resent = decide(harness, 1, Decision.RESEND);
  const failed = decide(harness, 2, Decision.FAIL);
  // Nothing is answered before the decision came back through the log.
  assert.deepEqual([...resent, ...failed], []);
  const again = decide(harness, 1, Decision.FAIL);
  harness.work();
  assert.deepEqual([resent, failed, again], [["resolved"], ["resolved"], ["not_held"]]);
  assert.equal(harness.ledger.getMessage(key(2), 7)?.status, "failed");
  assert.equal(harness.ledger.getMessage(key(1), 7)?.status, "ambiguous");
  harness.pass(1000);
  assert.deepEqual(
    harness.submitted.map(({ attempt, flags }) => ({ attempt, flags })),
    [{ attempt: 2, flags: FLAG_MAYBE_DUP }],
  );
  const later = { attempt: 2, flags: FLAG_MAYBE_DUP, link: HOLDING_LINK, at: 2000 };
  harness.feed(sending(key(1), later), answer(key(1), { ...later, id: "b", at: 2010 }));
  harness.feed(receipt("b", 2, 2020, HOLDING_LINK));
  const found = harness.ledger.getMessage(key(1), 7);
  assert.equal(found?.status, "delivered");
  assert.equal(found?.maybe_dup, true);
  assert.ok(found?.timeline.some(({ event }) => event === "resend_decided"));
  assert.deepEqual(decide(harness, 1, Decision.FAIL), ["not_held"]);
  assert.deepEqual(decide(harness, 77, Decision.FAIL), ["unknown"]);
  harness.flush();
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("an ambiguity after a decided resend is held again", () => {
  const harness = ready();
  hold(harness, 1);
  decide(harness, 1, Decision.RESEND);
  harness.pass(1000);
  const second = { attempt: 2, flags: FLAG_MAYBE_DUP, link: HOLDING_LINK, at: 2000 };
  harness.feed(sending(key(1), second), ambiguous(key(1), { ...second, at: 3000 }));
  assert.equal(harness.ledger.getMessage(key(1), 7)?.status, "held");
  const decided = decide(harness, 1, Decision.RESEND);
  harness.pass(1000);
  assert.deepEqual(decided, ["resolved"]);
  assert.equal(harness.submitted.length, 2);
});

test("a decision outlives a crash right after its answer", () => {
  const harness = ready();
  hold(harness, 1);
  harness.flush();
  const decided = decide(harness, 1, Decision.FAIL);
  harness.work();
  assert.deepEqual(decided, ["resolved"]);
  const next = harness.restart();
  next.work();
  next.pass(1000);
  assert.equal(next.ledger.getMessage(key(1), 7)?.status, "failed");
  assert.deepEqual(next.ledger.held(null, 10)?.data, []);
});
