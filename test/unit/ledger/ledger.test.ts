/** Every record type and every status word, through the whole ledger. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageDocument } from "../../../src/ledger/queries.ts";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { FLAG_MAYBE_DUP, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { Verdict } from "../../../src/records/concluded.ts";
import { PARTS_ALL } from "../../../src/records/hand-over.ts";
import { DlrMode, MessageClass, RecordType } from "../../../src/records/types.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { Harness } from "./harness.ts";
import {
  accept,
  ambiguous,
  answer,
  concluded,
  key,
  receipt,
  sending,
  started,
  T0,
} from "./records.ts";

const DELIVERED = 2;
const EXPIRED = 3;
const DELETED = 4;
const UNDELIVERABLE = 5;
const UNKNOWN = 7;
const REJECTED = 8;
const ENROUTE = 1;

function document(harness: Harness, number = 1, epoch = 1): MessageDocument {
  const found = harness.ledger.getMessage(key(number, epoch), 7);
  assert.ok(found !== null);
  return found;
}

function ready(options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const harness = new Harness(options);
  harness.work();
  harness.pass(500);
  assert.equal(harness.ledger.isReady(), true);
  return harness;
}

test("a message is accepted, submitted, sent and delivered", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k));
  assert.equal(document(harness).status, "accepted");
  harness.feed(sending(k, { session: 4 }));
  assert.equal(document(harness).status, "submitted");
  harness.feed(answer(k, { id: "ABC-1", session: 4 }));
  assert.equal(document(harness).status, "sent");
  harness.feed(receipt("ABC-1", ENROUTE, 45));
  assert.equal(document(harness).status, "sent");
  assert.equal(document(harness).parts[0]?.receipt?.state, "enroute");
  harness.feed(receipt("ABC-1", DELIVERED, 50));
  const found = document(harness);
  assert.equal(found.status, "delivered");
  assert.equal(found.reason?.group, "ok");
  assert.equal(found.to, "998901234567");
  assert.equal(found.from, "BRAND");
  assert.equal(found.reference, "order-17");
  assert.equal(found.campaign, "spring");
  assert.equal(found.segments, 1);
  assert.equal(found.final_at, new Date(T0 + 50).toISOString());
  assert.deepEqual(found.parts[0], {
    part: 0,
    status: "delivered",
    link: 100,
    session: 4,
    attempt: 1,
    smsc_id: "ABC-1",
    sent_at: new Date(T0 + 10).toISOString(),
    answered_at: new Date(T0 + 20).toISOString(),
    command_status: 0,
    receipt: { state: "delivered", error: "000", at: new Date(T0 + 50).toISOString() },
  });
  assert.deepEqual(
    found.timeline.slice(3).map((entry) => entry.event),
    ["accepted", "sending", "sent", "receipt_delivered", "delivered"],
  );
  const at = new Date(T0).toISOString();
  assert.deepEqual(found.timeline.slice(0, 3), [
    { at, event: "authenticated", app: 7 },
    { at, event: "admitted", limits: ["app", "node"] },
    { at, event: "routed", pool: 1000, by: "prefix", prefix: "998" },
  ]);
});

test("a message for later is scheduled, then handed over whole, also by the next run", () => {
  const harness = ready();
  const early = key(1);
  const late = key(2);
  harness.feed(accept(early, { delayS: 60, parts: 2 }), accept(late, { delayS: 120 }));
  assert.equal(document(harness, 1).status, "scheduled");
  assert.equal(document(harness, 1).send_at, new Date(T0 + 60_000).toISOString());
  harness.flush();
  harness.pass(T0 + 59_900 - harness.now);
  assert.equal(harness.submitted.length, 0);
  harness.pass(1000);
  assert.equal(document(harness, 1).status, "accepted");
  assert.deepEqual(
    harness.submitted.map(({ parts, attempt, flags }) => ({ parts, attempt, flags })),
    [{ parts: PARTS_ALL, attempt: 1, flags: 0 }],
  );
  harness.flush();
  const next = harness.restart();
  next.work();
  next.pass(1000);
  // What was waiting is put back at once, what is scheduled is not.
  assert.deepEqual(
    next.submitted.map(({ logOffset }) => logOffset),
    harness.submitted.map(({ logOffset }) => logOffset),
  );
  assert.equal(document(next, 2).status, "scheduled");
  next.pass(60_000);
  assert.equal(next.submitted.length, 2);
  next.feed(sending(late), answer(late, { id: "x" }));
  assert.equal(document(next, 2).status, "sent");
  next.flush();
  assert.ok(verifyBooks(next.store).ok);
});

test("after a crash amid the sending of a scheduled message only its rest is handed over", () => {
  const harness = ready();
  const begun = key(1);
  harness.feed(accept(begun, { delayS: 60, parts: 3, messageClass: MessageClass.PROMOTIONAL }));
  harness.flush();
  harness.pass(T0 + 61_000 - harness.now);
  harness.feed(sending(begun, { part: 0, at: 61_000 }));
  const next = harness.restart();
  next.work();
  next.pass(1000);
  assert.deepEqual(
    next.submitted.map(({ parts, attempt, flags }) => ({ parts, attempt, flags })),
    [{ parts: 0b110, attempt: 1, flags: 0 }],
  );
});

test("a message that its sender takes back is canceled", () => {
  const harness = ready();
  harness.feed(accept(key(1)), accept(key(2), { delayS: 60 }));
  harness.feed(concluded(key(1), Verdict.CANCELED), concluded(key(2), Verdict.CANCELED));
  for (const number of [1, 2]) {
    const found = document(harness, number);
    assert.equal(found.status, "canceled");
    assert.equal(found.reason?.code, "canceled");
  }
  harness.pass(120_000);
  assert.equal(harness.submitted.length, 0);
  harness.flush();
  assert.equal(harness.ledger.status().books.final["canceled"], 2);
  assert.ok(verifyBooks(harness.store).ok);
});

test("another app's message and an unknown one are not shown", () => {
  const harness = ready();
  harness.feed(accept(key(1)));
  assert.equal(harness.ledger.getMessage(key(1), 8), null);
  assert.equal(harness.ledger.getMessage(key(2), 7), null);
});

const FINAL_RECEIPTS: readonly (readonly [number, string, string])[] = [
  [DELIVERED, "delivered", "delivered"],
  [UNDELIVERABLE, "undelivered", "undeliverable"],
  [DELETED, "undelivered", "deleted"],
  [EXPIRED, "expired", "expired"],
  [REJECTED, "rejected", "rejected"],
  [UNKNOWN, "unknown", "no_receipt"],
];
for (const [state, status, code] of FINAL_RECEIPTS) {
  test(`a receipt with message_state ${state} ends a message as ${status} (${code})`, () => {
    const harness = ready();
    harness.feed(accept(key(1)), sending(key(1)), answer(key(1), { id: "1" }), receipt("1", state));
    assert.equal(document(harness).status, status);
    assert.equal(document(harness).reason?.code, code);
  });
}

test("the first final receipt wins over duplicates and contradictions", () => {
  const harness = ready();
  harness.feed(accept(key(1)), sending(key(1)), answer(key(1), { id: "1" }));
  harness.feed(receipt("1", DELIVERED, 50), receipt("1", DELIVERED, 51), receipt("1", EXPIRED, 52));
  harness.feed(answer(key(1), { id: "1" }), sending(key(1)), ambiguous(key(1)));
  assert.equal(document(harness).status, "delivered");
  assert.equal(document(harness).parts[0]?.receipt?.state, "delivered");
  harness.flush();
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("sent is final when no receipt was asked for", () => {
  const harness = ready();
  harness.feed(accept(key(1), { dlr: DlrMode.NONE }), sending(key(1)), answer(key(1), { id: "1" }));
  assert.equal(document(harness).status, "sent");
  assert.notEqual(document(harness).final_at, null);
  assert.equal(harness.ledger.status().books.final["sent"], 1);
});

test("a refusal for good rejects, with the operator's status", () => {
  const harness = ready();
  const refused = answer(key(1), { outcome: Outcome.REJECTED, status: 0x0b });
  harness.feed(accept(key(1)), sending(key(1)), refused);
  const found = document(harness);
  assert.equal(found.status, "rejected");
  assert.deepEqual(found.reason, {
    group: "user",
    code: "refused",
    smpp_status: 0x0b,
    carrier_code: null,
    retryable: false,
  });
});

test("a refusal for now waits and goes out again as the next attempt", () => {
  const harness = ready();
  const k = key(1);
  const later = answer(k, { outcome: Outcome.RETRY, status: 8, retryAfterMs: 5000 });
  const [offset] = harness.feed(accept(k), sending(k), later);
  assert.equal(document(harness).status, "retrying");
  assert.equal(document(harness).reason?.smpp_status, 8);
  harness.pass(4000);
  assert.equal(harness.submitted.length, 0);
  harness.pass(2000);
  assert.deepEqual(harness.submitted, [
    {
      logOffset: offset,
      poolIndex: 3,
      priority: 2,
      appIndex: 5,
      attempt: 2,
      parts: 1,
      flags: 0,
      linkId: 0,
      concatReference: 0,
      expiresAtMs: T0 + 3_600_000,
    },
  ]);
  harness.pass(3000);
  assert.equal(harness.submitted.length, 1);
  harness.feed(sending(k, { attempt: 2, at: 7000 }), answer(k, { attempt: 2, id: "9", at: 7100 }));
  assert.equal(document(harness).status, "sent");
  assert.equal(document(harness).parts[0]?.attempt, 2);
  assert.ok(document(harness).timeline.some((entry) => entry.event === "retry"));
  assert.equal(harness.ledger.status().hand_overs, 0);
});

test("throttled messages stay with the worker and show as queued", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k), sending(k), answer(k, { outcome: Outcome.KEPT, status: 0x58 }));
  assert.equal(document(harness).status, "queued");
  assert.equal(document(harness).queue_reason, "throttled");
  harness.pass(60_000, 5000);
  assert.equal(harness.submitted.length, 0);
  harness.feed(sending(k, { attempt: 2, at: 60_000 }));
  assert.equal(document(harness).status, "submitted");
  harness.feed(answer(k, { attempt: 2, outcome: Outcome.KEPT, status: NOT_WRITTEN, at: 60_010 }));
  assert.equal(document(harness).status, "accepted");
  assert.equal(document(harness).parts[0]?.command_status, null);
});

test("why a message waits comes from outside", () => {
  const harness = ready({ queueReasonOf: () => "link_down" });
  harness.feed(accept(key(1)));
  assert.equal(document(harness).status, "queued");
  assert.equal(document(harness).queue_reason, "link_down");
});

test("an ambiguous part is sent again once, flagged, and held the second time", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k), sending(k), ambiguous(k));
  assert.equal(document(harness).status, "ambiguous");
  assert.equal(document(harness).maybe_dup, undefined);
  harness.pass(500);
  assert.equal(harness.submitted.length, 1);
  assert.equal(harness.submitted[0]?.flags, FLAG_MAYBE_DUP);
  assert.equal(harness.submitted[0]?.attempt, 2);
  const second = { attempt: 2, flags: FLAG_MAYBE_DUP };
  harness.feed(sending(k, { ...second, at: 600 }));
  assert.equal(document(harness).maybe_dup, true);
  harness.feed(ambiguous(k, { ...second, at: 700 }));
  assert.equal(document(harness).status, "held");
  harness.pass(10_000, 1000);
  assert.equal(harness.submitted.length, 1);
  harness.pass(3_700_000, 10_000);
  assert.equal(document(harness).status, "unknown");
  assert.equal(document(harness).final_at, new Date(T0 + 3_600_000).toISOString());
});

test("a held part is settled by a late answer and its receipt", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k), sending(k, { link: 102 }), ambiguous(k, { link: 102 }));
  assert.equal(document(harness).status, "held");
  harness.feed(answer(k, { link: 102, id: "77", at: 5000 }));
  assert.equal(document(harness).status, "sent");
  harness.feed(receipt("77", DELIVERED, 6000, 102));
  assert.equal(document(harness).status, "delivered");
});

test("promotional traffic and links that say so fail instead of being sent again", () => {
  for (const fields of [
    { messageClass: MessageClass.PROMOTIONAL, link: 100 },
    { messageClass: MessageClass.OTP, link: 103 },
  ]) {
    const harness = ready();
    harness.feed(accept(key(1), fields), sending(key(1), fields), ambiguous(key(1), fields));
    assert.equal(document(harness).status, "failed");
    assert.equal(document(harness).reason?.code, "no_answer");
  }
});

test("a late answer stops a resend that has not been published", () => {
  const harness = ready();
  const k = key(1);
  const [offset] = harness.feed(accept(k), sending(k), ambiguous(k));
  harness.pass(500);
  assert.equal(harness.submitted.length, 1);
  assert.equal(harness.owner?.isWanted(offset as number), true);
  harness.feed(answer(k, { id: "5", at: 600 }));
  assert.equal(document(harness).status, "sent");
  assert.equal(harness.owner?.isWanted(offset as number), false);
  assert.equal(harness.ledger.status().hand_overs, 0);

  const other = ready();
  const [otherOffset] = other.feed(accept(k, { parts: 2 }), sending(k), sending(k, { part: 1 }));
  other.feed(ambiguous(k), ambiguous(k, { part: 1 }));
  other.pass(500);
  assert.equal(other.submitted[0]?.parts, 0b11);
  other.feed(answer(k, { id: "5", at: 600 }));
  assert.equal(other.owner?.isWanted(otherOffset as number), false);
  other.pass(500);
  assert.equal(other.submitted[1]?.parts, 0b10);
  assert.equal(other.submitted[1]?.linkId, 100);
  assert.equal(other.owner?.isWanted(otherOffset as number), true);
});

test("a message that the gateway gives up expires, or fails", () => {
  const harness = ready();
  harness.feed(accept(key(1)), concluded(key(1), Verdict.EXPIRED));
  assert.equal(document(harness).status, "expired");
  assert.equal(document(harness).reason?.code, "validity_over");
  harness.feed(accept(key(2)), concluded(key(2), Verdict.UNSENDABLE));
  assert.equal(document(harness, 2).status, "failed");
  assert.equal(document(harness, 2).reason?.code, "unsendable");
});

test("a part under way when its message is concluded ends by its answer", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k, { parts: 2 }), sending(k), concluded(k, Verdict.EXPIRED));
  assert.equal(document(harness).status, "submitted");
  assert.equal(document(harness).parts[1]?.status, "expired");
  harness.feed(answer(k, { outcome: Outcome.RETRY, status: 8, retryAfterMs: 1000, at: 60 }));
  assert.equal(document(harness).status, "expired");
  harness.pass(3000);
  assert.equal(harness.submitted.length, 0);
});

test("a retry whose validity ends is concluded by the ledger", () => {
  const harness = ready();
  const k = key(1);
  const later = answer(k, { outcome: Outcome.RETRY, status: 8, retryAfterMs: 60_000 });
  harness.feed(accept(k, { ttlMs: 10_000 }), sending(k), later);
  harness.pass(9000);
  assert.equal(document(harness).status, "retrying");
  harness.pass(2000);
  assert.equal(document(harness).status, "expired");
  assert.equal(harness.submitted.length, 0);
  assert.equal(harness.ledger.status().hand_overs, 0);
});

test("the submitter's expiry is concluded, for messages in the map and others", () => {
  const harness = ready();
  const k = key(1);
  const [due] = harness.feed(accept(k, { ttlMs: 5000 }), sending(k), ambiguous(k));
  const [whole] = harness.feed(accept(key(2), { ttlMs: 5000 }));
  harness.pass(500);
  const { owner } = harness;
  assert.equal(owner?.expire(due as number, T0 + 4999), T0 + 5000);
  assert.equal(owner?.expire(whole as number, T0 + 4999), T0 + 5000);
  assert.equal(owner?.expire(due as number, T0 + 5000), 0);
  assert.equal(owner?.expire(whole as number, T0 + 5000), 0);
  harness.work();
  assert.equal(document(harness, 1).status, "unknown");
  assert.equal(document(harness, 2).status, "expired");
});

test("parts fold: the worst end wins once all have ended", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k, { parts: 3 }));
  for (let part = 0; part < 3; part++) harness.feed(sending(k, { part }));
  harness.feed(answer(k, { part: 0, id: "10" }));
  assert.equal(document(harness).status, "submitted");
  harness.feed(answer(k, { part: 2, id: "12" }), answer(k, { part: 1, id: "11", session: 2 }));
  assert.equal(document(harness).status, "sent");
  harness.feed(receipt("12", DELIVERED, 50), receipt("10", UNDELIVERABLE, 60));
  assert.equal(document(harness).status, "sent");
  harness.feed(receipt("11", DELIVERED, 70));
  assert.equal(document(harness).status, "undelivered");
  assert.equal(document(harness).final_at, new Date(T0 + 70).toISOString());
});

test("a sent message without a receipt becomes unknown after validity and grace", () => {
  const harness = ready({ policy: { receiptGraceMs: 60_000 } });
  harness.feed(accept(key(1), { ttlMs: 10_000 }), sending(key(1)), answer(key(1), { id: "1" }));
  harness.pass(70_000, 1000);
  assert.equal(document(harness).status, "sent");
  harness.pass(20_000, 1000);
  assert.equal(document(harness).status, "unknown");
  assert.equal(document(harness).final_at, new Date(T0 + 70_000).toISOString());
  harness.feed(receipt("1", DELIVERED, 90_000));
  assert.equal(document(harness).status, "unknown");
});

test("a receipt after the deadline finds the message over even before the sweep", () => {
  const harness = ready({ policy: { receiptGraceMs: 1000 } });
  harness.feed(accept(key(1), { ttlMs: 1000 }), sending(key(1)), answer(key(1), { id: "1" }));
  harness.feed(receipt("1", DELIVERED, 2500));
  assert.equal(document(harness).status, "unknown");
});

test("records about messages that are not here are counted and logged once a second", () => {
  const harness = ready();
  harness.feed(sending(key(9)), answer(key(9), { id: "1" }), concluded(key(9), Verdict.EXPIRED));
  harness.pass(300);
  assert.equal(harness.ledger.status().unknown_records, 3);
  const lines = harness.lines.filter((line) => line.operation === "apply record");
  assert.equal(lines.length, 1);
});

test("an ACCEPT that comes twice counts once", () => {
  const harness = ready();
  harness.feed(accept(key(2)), accept(key(1)), accept(key(2)), accept(key(1)));
  assert.equal(harness.ledger.status().books.accepted, 2);
});

test("shared words follow: applied, sequences, open count, life bytes, flushed, releasable", () => {
  const harness = ready();
  const { table } = harness;
  const [offset] = harness.feed(accept(key(5)), accept(key(1, 1, 2), { parts: 2 }));
  assert.equal(table.load(LogWord.LEDGER_APPLIED), harness.log.end);
  assert.equal(table.appliedSequence(0), key(5).sequence);
  assert.equal(table.appliedSequence(2), key(1).sequence);
  assert.equal(table.load(LogWord.OPEN_COUNT), 2);
  assert.equal(table.load(LogWord.OPEN_LIFE_BYTES) % 3, 0);
  harness.flush();
  assert.equal(table.load(LogWord.LEDGER_FLUSHED), harness.log.end);
  assert.ok(table.load(LogWord.RELEASABLE) <= (offset as number));
  assert.equal(harness.inHand[0], -1);
});

test("many messages due at once change no more than a commit takes at a time", () => {
  const store = new MemoryStore(true);
  const harness = ready({ store, limits: { dirtyMax: 8 } });
  for (let i = 1; i <= 50; i++) harness.feed(accept(key(i), { delayS: 60 }));
  harness.flush();
  store.auto = false;
  harness.pass(T0 + 61_000 - harness.now);
  // One commit is under way, the next one is full: the rest waits in the store.
  assert.equal(harness.submitted.length, 16);
  store.flush();
  harness.work();
  assert.equal(harness.submitted.length, 24);
  store.auto = true;
  store.flush();
  harness.work();
  assert.equal(harness.submitted.length, 50);
  assert.equal(new Set(harness.submitted.map(({ logOffset }) => logOffset)).size, 50);
});

test("a body is released by a positive answer, and only when that is flushed", () => {
  const harness = ready({ limits: { flushIntervalMs: 1e9 } });
  const k = key(1);
  harness.feed(accept(k), sending(k));
  harness.flush();
  assert.equal(harness.table.load(LogWord.RELEASABLE), 0);
  harness.feed(answer(k, { id: "1" }));
  assert.equal(harness.table.load(LogWord.RELEASABLE), 0);
  harness.flush();
  assert.equal(harness.table.load(LogWord.RELEASABLE), harness.log.end);
  assert.equal(document(harness).status, "sent");
});

test("nothing of the log goes before a run's first flush: what the store shows may be lost", () => {
  const store = new MemoryStore(true);
  const harness = ready({ store });
  harness.feed(accept(key(1)), sending(key(1)), answer(key(1), { id: "1" }));
  harness.flush();
  assert.equal(harness.table.load(LogWord.RELEASABLE), harness.log.end);
  const { end } = harness.log;
  const left = store.crash(false, false);
  const next = harness.restart({ store: left });
  next.flush();
  assert.equal(next.table.load(LogWord.RELEASABLE), 0);
  left.flush();
  next.work();
  assert.ok(next.table.load(LogWord.RELEASABLE) >= end);
});

test("STARTED is staged once and carries the epoch", () => {
  const harness = ready({ epoch: 4 });
  const staged = harness.log.entries.filter((entry) => entry.type === RecordType.STARTED);
  assert.equal(staged.length, 1);
  assert.equal(staged[0]?.memory.view.getUint32(32, true), 4);
});

test("a commit that finds no room is tried again, and until then nothing new is read", () => {
  const store = new MemoryStore(false);
  const harness = new Harness({ store });
  harness.feed(started(1), accept(key(1)));
  harness.ledger.requestFlush();
  store.isFull = true;
  harness.pass(5000);
  assert.equal(harness.table.load(LogWord.STORE_FULL), 1);
  assert.ok(store.retries >= 8 && store.retries <= 10, `${store.retries} tries in five seconds`);
  assert.equal(harness.lines.filter(({ level }) => level === "error").length, 1);
  const read = harness.table.load(LogWord.LEDGER_APPLIED);
  harness.feed(accept(key(2)));
  assert.equal(harness.table.load(LogWord.LEDGER_APPLIED), read);

  store.isFull = false;
  store.flush();
  store.auto = true;
  harness.pass(1000);
  harness.flush();
  assert.equal(harness.table.load(LogWord.STORE_FULL), 0);
  assert.equal(harness.table.load(LogWord.LEDGER_FLUSHED), harness.log.end);
  assert.ok(verifyBooks(store).ok);
  assert.equal(harness.ledger.status().books.accepted, 2);
});

test("while the store's disk is full, time ends nothing that memory would have to keep", () => {
  const store = new MemoryStore(false);
  const harness = new Harness({ store, policy: { receiptGraceMs: 1000 } });
  const numbers = [1, 2, 3, 4];
  const records = numbers.flatMap((n) => {
    const k = key(n);
    return [accept(k, { ttlMs: 1000 }), sending(k), answer(k, { id: `id-${n}` })];
  });
  harness.feed(started(1), ...records);
  harness.ledger.requestFlush();
  harness.pass(10);
  store.flush();
  harness.feed(accept(key(9)));
  harness.ledger.requestFlush();
  harness.pass(10);
  store.isFull = true;
  harness.pass(60_000);
  assert.equal(harness.table.load(LogWord.STORE_FULL), 1);
  assert.equal(harness.ledger.status().dirty, 0);

  store.isFull = false;
  store.flush();
  store.auto = true;
  harness.pass(20_000);
  harness.flush();
  for (const number of numbers) assert.notEqual(document(harness, number).final_at, null);
  assert.ok(verifyBooks(store).ok);
});
