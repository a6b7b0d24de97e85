/** Calls that take messages back, through the whole ledger. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { CANCEL_MS_MAX } from "../../../src/ledger/flow/cancels.ts";
import { Verdict } from "../../../src/records/concluded.ts";
import type { MessageKey } from "../../../src/records/message-key.ts";
import { Harness } from "./harness.ts";
import { accept, answer, concluded, key, sending } from "./records.ts";

const APP = 7;

function ready(): Harness {
  const harness = new Harness();
  harness.work();
  harness.pass(500);
  return harness;
}

/** What the caller was told, in time. */
function cancel(harness: Harness, of: MessageKey, app = APP): string[] {
  const told: string[] = [];
  harness.ledger.cancel(of, app, (outcome) => told.push(outcome));
  harness.work();
  return told;
}

const statusOf = (harness: Harness, of: MessageKey): string | undefined =>
  harness.ledger.getMessage(of, APP)?.status;

test("a scheduled message is ended by the ledger, and stays so over a restart", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k, { delayS: 60, parts: 2 }));
  harness.flush();
  const told = cancel(harness, k);
  harness.pass(500);
  assert.deepEqual(told, ["canceled"]);
  assert.equal(statusOf(harness, k), "canceled");
  harness.pass(120_000);
  assert.equal(harness.submitted.length, 0);
  assert.deepEqual(cancel(harness, k), ["canceled"], "asked again");
  harness.flush();
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
  const next = harness.restart();
  next.work();
  next.pass(120_000);
  assert.equal(statusOf(next, k), "canceled");
  assert.equal(next.submitted.length, 0);
});

test("what the ledger has put to the workers is asked for there", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k, { delayS: 60 }));
  harness.flush();
  harness.pass(61_000);
  assert.equal(harness.submitted.length, 1);
  const first = cancel(harness, k);
  const second = cancel(harness, k);
  assert.equal(harness.cancellations.length, 1, "two calls, one question");
  harness.cancellations[0]?.done(false);
  assert.deepEqual([first, second], [["not_cancellable"], ["not_cancellable"]]);
  const third = cancel(harness, k);
  harness.cancellations[1]?.done(true);
  harness.pass(500);
  assert.deepEqual(third, ["canceled"]);
  assert.equal(statusOf(harness, k), "canceled");
});

test("the ingress thread that accepted a message decides, and the log has the last word", () => {
  const harness = ready();
  const [k, other] = [key(1, 1, 3), key(2, 1, 3)];
  harness.feed(accept(k), accept(other));
  const told = cancel(harness, k);
  const [order] = harness.cancelOrders;
  assert.equal(order?.producer, 3);
  assert.equal(order.order.sequence, k.sequence);
  assert.deepEqual(told, []);
  harness.feed(concluded(k, Verdict.CANCELED));
  assert.deepEqual(told, ["canceled"]);
  const late = cancel(harness, other);
  harness.feed(sending(other));
  harness.ledger.refuseCancel(other);
  assert.deepEqual(late, ["not_cancellable"]);
});

test("what is begun, final, unknown or another app's is not canceled", () => {
  const harness = ready();
  const [begun, ended, waiting] = [key(1), key(2), key(3)];
  harness.feed(accept(begun), sending(begun));
  harness.feed(accept(ended), sending(ended), answer(ended, { id: "x" }));
  harness.feed(accept(waiting));
  assert.deepEqual(cancel(harness, begun), ["not_cancellable"]);
  assert.deepEqual(cancel(harness, ended), ["not_cancellable"]);
  assert.deepEqual(cancel(harness, key(9)), ["unknown"]);
  assert.deepEqual(cancel(harness, waiting, APP + 1), ["unknown"]);
  assert.equal(harness.cancelOrders.length, 0);
});

test("a call that waits too long is told to ask again, and its order stands", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k));
  const told = cancel(harness, k);
  harness.pass(CANCEL_MS_MAX + 100);
  assert.deepEqual(told, ["overloaded"]);
  const again = cancel(harness, k);
  assert.equal(harness.cancelOrders.length, 1);
  harness.feed(concluded(k, Verdict.CANCELED));
  assert.deepEqual(again, ["canceled"]);
});
