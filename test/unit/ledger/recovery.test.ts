/**
 * The recovery table of docs/JOURNAL.md, row by row: a run crashes, the next one resolves what it
 * left.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RECOVERY_ROWS, type RecoveryRowName } from "../../../src/ledger/flow/recovery.ts";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { Accept } from "../../../src/records/accept.ts";
import { FLAG_MAYBE_DUP, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { PARTS_ALL } from "../../../src/records/hand-over.ts";
import { MessageClass } from "../../../src/records/types.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { Harness, POLICY } from "./harness.ts";
import { type AcceptFields, accept, ambiguous, answer, key, receipt, sending } from "./records.ts";

const DELIVERED = 2;

/**
 * Feeds `records` to a first run, crashes it (flushed or not), and lets the second run come to
 * rest.
 */
function crash(
  records: readonly Uint8Array[],
  isFlushed: boolean,
  passMs = 1000,
  options: Partial<ConstructorParameters<typeof Harness>[0]> = {},
): Harness {
  const first = new Harness({ limits: { flushIntervalMs: isFlushed ? 0 : 1e12 } });
  first.work();
  first.feed(...records);
  if (isFlushed) first.flush();
  first.now += passMs;
  const second = first.restart({ limits: {}, ...options });
  second.work();
  second.pass(1000);
  assert.equal(second.ledger.isRecovering(), false);
  return second;
}

function statusOf(harness: Harness, number = 1): string | undefined {
  return harness.ledger.getMessage(key(number), 7)?.status;
}

function partStatus(harness: Harness, part: number): string | undefined {
  return harness.ledger.getMessage(key(1), 7)?.parts[part]?.status;
}

function hit(harness: Harness, row: RecoveryRowName): void {
  assert.ok(harness.ledger.hits.byName()[row] > 0, `no hit of ${row}`);
}

const k = key(1);
const accepted = (fields: AcceptFields = {}): Uint8Array => accept(k, fields);

for (const isFlushed of [true, false]) {
  const when = isFlushed ? "flushed" : "only in the log";

  test(`accepted (${when}): queued again as a whole`, () => {
    const harness = crash([accepted()], isFlushed);
    assert.equal(harness.submitted.length, 1);
    assert.equal(harness.submitted[0]?.parts, PARTS_ALL);
    assert.equal(harness.submitted[0]?.attempt, 1);
    assert.equal(harness.submitted[0]?.flags, 0);
    assert.equal(statusOf(harness), "accepted");
    hit(harness, "accepted");
  });

  test(`refused (${when}): sent again when its delay ends`, () => {
    const refused = answer(k, { outcome: Outcome.RETRY, retryAfterMs: 60_000, status: 8 });
    const harness = crash([accepted(), sending(k), refused], isFlushed);
    assert.equal(harness.submitted.length, 0);
    hit(harness, "refused");
    harness.pass(60_000, 1000);
    assert.equal(harness.submitted.length, 1);
    assert.equal(harness.submitted[0]?.attempt, 2);
  });

  test(`kept (${when}): queued again on the same link`, () => {
    const kept = answer(k, { outcome: Outcome.KEPT, link: 104, status: 0x58 });
    const harness = crash([accepted(), sending(k, { link: 104 }), kept], isFlushed);
    assert.equal(harness.submitted.length, 1);
    assert.equal(harness.submitted[0]?.linkId, 104);
    assert.equal(harness.submitted[0]?.flags, 0);
    hit(harness, "kept");
  });

  test(`resend (${when}): queued again once, flagged`, () => {
    const harness = crash([accepted(), sending(k)], isFlushed);
    assert.equal(harness.submitted.length, 1);
    assert.equal(harness.submitted[0]?.flags, FLAG_MAYBE_DUP);
    assert.equal(harness.submitted[0]?.linkId, 0);
    assert.equal(harness.submitted[0]?.attempt, 2);
    hit(harness, "resend");
    assert.equal(statusOf(harness), "ambiguous");
    // The crash comes again before it was sent: still once. After it was sent: held.
    const third = harness.restart({ now: harness.now + 1000 });
    third.work();
    third.pass(1000);
    assert.equal(third.submitted.length, 1);
    third.feed(sending(k, { attempt: 2, flags: FLAG_MAYBE_DUP, at: third.now }));
    const fourth = third.restart({ now: third.now + 1000 });
    fourth.work();
    fourth.pass(1000);
    assert.equal(fourth.submitted.length, 0);
    assert.equal(statusOf(fourth), "held");
    hit(fourth, "hold");
  });

  test(`fail (${when}): promotional traffic fails`, () => {
    const fields = { messageClass: MessageClass.PROMOTIONAL };
    const harness = crash([accepted(fields), sending(k)], isFlushed);
    assert.equal(harness.submitted.length, 0);
    assert.equal(statusOf(harness), "failed");
    hit(harness, "fail");
  });

  test(`hold (${when}): a link that holds`, () => {
    const harness = crash([accepted(), sending(k, { link: 102 })], isFlushed);
    assert.equal(statusOf(harness), "held");
    hit(harness, "hold");
  });

  test(`answered (${when}): waits for its receipt`, () => {
    const harness = crash([accepted(), sending(k), answer(k, { id: "0AB" })], isFlushed);
    assert.equal(harness.submitted.length, 0);
    assert.equal(statusOf(harness), "sent");
    hit(harness, "answered");
    harness.feed(receipt("0AB", DELIVERED, 5000));
    assert.equal(statusOf(harness), "delivered");
  });

  test(`expired (${when}): expired, or unknown if it may have been written`, () => {
    const fields = { ttlMs: 5000 };
    const other = key(2);
    const records = [accepted(fields), accept(other, fields), sending(other)];
    const harness = crash(records, isFlushed, 6000);
    assert.equal(statusOf(harness, 1), "expired");
    assert.equal(statusOf(harness, 2), "unknown");
    assert.equal(harness.submitted.length, 0);
    hit(harness, "expired");
  });

  test(`parked (${when}): a receipt waits over the restart for its answer`, () => {
    const records = [accepted(), sending(k), receipt("5F", DELIVERED, 15)];
    const harness = crash(records, isFlushed);
    assert.equal(harness.ledger.status().parked, 1);
    if (isFlushed) hit(harness, "parked");
    harness.feed(answer(k, { id: "5F", at: 1500 }));
    assert.equal(statusOf(harness), "delivered");
    assert.equal(harness.ledger.status().parked, 0);
  });
}

test("quarantined: an ACCEPT in hand at two crashes is not applied as open, and concluded", () => {
  const first = new Harness({ limits: { flushIntervalMs: 1e12 } });
  first.work();
  const [offset] = first.feed(accepted());
  const second = first.restart({ quarantined: new Set([offset as number]) });
  second.work();
  second.pass(1000);
  assert.equal(statusOf(second), "failed");
  assert.equal(second.ledger.getMessage(k, 7)?.reason?.code, "quarantined");
  assert.equal(second.submitted.length, 0);
  hit(second, "quarantined");
  // The log tells it from now on: a run that knows nothing of the quarantine comes to the same.
  const third = first.restart({ epoch: 3 });
  third.work();
  third.pass(1000);
  assert.equal(statusOf(third), "failed");
});

test("quarantined: an ACCEPT that the store has already is concluded, not handed over", () => {
  const first = new Harness();
  first.work();
  const [offset] = first.feed(accepted());
  first.flush();
  const second = first.restart({ quarantined: new Set([offset as number]) });
  second.work();
  second.pass(1000);
  assert.equal(second.submitted.length, 0);
  assert.equal(statusOf(second), "failed");
});

test("a message whose text was in a stretch that was given up fails at once", () => {
  const first = new Harness();
  first.work();
  const [offset] = first.feed(accepted());
  first.flush();
  for (const isText of [true, false]) {
    if (!isText) first.log.lose(offset as number);
    const next = first.restart({ isSkipped: (logOffset) => logOffset === offset });
    next.work();
    next.pass(1000);
    assert.equal(next.submitted.length, isText ? 1 : 0);
    assert.equal(statusOf(next), isText ? "accepted" : "failed");
    if (!isText) assert.equal(next.ledger.getMessage(k, 7)?.reason?.code, "unsendable");
  }
});

test("quarantined: a part whose SENDING was in hand at two crashes is held", () => {
  for (const isStored of [false, true]) {
    const first = new Harness({ limits: { flushIntervalMs: 1e12 } });
    first.work();
    first.feed(accepted({ parts: 2 }));
    if (isStored) first.flush();
    const [offset] = first.feed(sending(k, { part: 1, link: 101 }));
    const second = first.restart({ limits: {}, quarantined: new Set([offset as number]) });
    second.work();
    second.pass(1000);
    hit(second, "quarantined");
    assert.ok(second.lines.some((line) => line.level === "error"));
    // The other part is sent, and that one only.
    assert.deepEqual(
      second.submitted.map(({ parts, flags }) => [parts, flags]),
      [[0b01, 0]],
    );
    assert.equal(partStatus(second, 1), "held");
    second.feed(answer(k, { part: 1, link: 101, id: "late" }));
    assert.equal(partStatus(second, 1), "sent");
  }
});

test("quarantined: a SENDING under the number of the one before is told from it", () => {
  const first = new Harness({ limits: { flushIntervalMs: 1e12 } });
  first.work();
  const kept = { link: 101, outcome: Outcome.KEPT, status: 0x58, at: 2000 };
  const offsets = first.feed(
    accepted(),
    sending(k, { link: 101, at: 1500 }),
    answer(k, kept),
    sending(k, { link: 101, at: 2500 }),
  );
  const second = first.restart({ quarantined: new Set([offsets[3] as number]) });
  second.work();
  second.pass(3000);
  assert.equal(second.submitted.length, 0);
  assert.equal(statusOf(second), "held");
});

test("quarantined: a SENDING behind the end of its part leaves it ended", () => {
  const first = new Harness({ limits: { flushIntervalMs: 1e12 } });
  first.work();
  const offsets = first.feed(
    accepted(),
    sending(k, { link: 101, at: 1500 }),
    ambiguous(k, { link: 101, at: 1600 }),
    answer(k, { link: 101, at: 1700, outcome: Outcome.REJECTED, status: 11 }),
    sending(k, { link: 101, attempt: 2, at: 1800, flags: FLAG_MAYBE_DUP }),
  );
  const second = first.restart({ limits: {}, quarantined: new Set([offsets[4] as number]) });
  second.work();
  second.pass(1000);
  hit(second, "quarantined");
  assert.equal(statusOf(second), "rejected");
  assert.equal(second.ledger.getMessage(k, 7)?.maybe_dup, true);
  assert.equal(second.submitted.length, 0);
});

test("quarantined: any other record is left out with an alarm", () => {
  const first = new Harness({ limits: { flushIntervalMs: 1e12 } });
  first.work();
  const offsets = first.feed(accepted(), sending(k), answer(k, { id: "1" }));
  const quarantined = new Set([offsets[2] as number]);
  const second = first.restart({ limits: {}, quarantined });
  second.work();
  second.pass(1000);
  assert.equal(second.ledger.hits.byName().quarantined, 1);
  assert.ok(second.lines.some((line) => line.level === "error"));
  // No answer is known of what was sent.
  assert.deepEqual(
    second.submitted.map(({ flags }) => flags),
    [FLAG_MAYBE_DUP],
  );
});

test("parts of one message go their own ways, on the link that the others took", () => {
  const fields = { parts: 4 };
  const records = [
    accepted(fields),
    sending(k, { part: 0, link: 101 }),
    answer(k, { part: 0, link: 101, id: "1" }),
    sending(k, { part: 1, link: 101 }),
    sending(k, { part: 2, link: 101 }),
    answer(k, { part: 2, link: 101, outcome: Outcome.RETRY, status: 8, retryAfterMs: 100 }),
  ];
  const harness = crash(records, true);
  // Part 1 may arrive twice and goes apart from parts 2 and 3; one hand-over of a message at a
  // time.
  assert.equal(harness.submitted.length, 1);
  const first = harness.submitted[0];
  assert.equal(first?.linkId, 101);
  const isDuplicate = first?.flags === FLAG_MAYBE_DUP;
  assert.equal(first?.parts, isDuplicate ? 0b0010 : 0b1100);
  for (let part = 1; part < 4; part++) {
    if (((first?.parts ?? 0) & (1 << part)) === 0) continue;
    harness.feed(sending(k, { part, attempt: 2, link: 101, at: 3000 }));
  }
  harness.pass(1000);
  assert.equal(harness.submitted.length, 2);
  assert.equal(harness.submitted[1]?.parts, isDuplicate ? 0b1100 : 0b0010);
  assert.equal(harness.submitted[1]?.flags, isDuplicate ? 0 : FLAG_MAYBE_DUP);
});

test("parts that one link kept follow those that went out over another one later", () => {
  const kept = { link: 104, outcome: Outcome.KEPT, status: 0xffffffff };
  const records = [
    accepted({ parts: 3 }),
    ...[0, 1, 2].map((part) => sending(k, { part, link: 104 })),
    ...[0, 1, 2].map((part) => answer(k, { part, ...kept })),
    sending(k, { part: 0, attempt: 2, link: 101 }),
    answer(k, { part: 0, attempt: 2, link: 101, id: "1" }),
  ];
  const harness = crash(records, true);
  assert.equal(harness.submitted.length, 1);
  assert.equal(harness.submitted[0]?.parts, 0b110);
  assert.equal(harness.submitted[0]?.linkId, 101);
});

test("a part that was not written after all goes over any link, and binds no other part", () => {
  const kept = { link: 104, outcome: Outcome.KEPT, status: NOT_WRITTEN };
  const notWritten = [
    accepted({ parts: 2 }),
    ...[0, 1].map((part) => sending(k, { part, link: 104 })),
    ...[0, 1].map((part) => answer(k, { part, ...kept })),
  ];
  const anywhere = crash(notWritten, true);
  assert.equal(anywhere.submitted[0]?.parts, 0b11);
  assert.equal(anywhere.submitted[0]?.linkId, 0);
  // The worker has bound part 1 to the link that part 0 went to; that one is resent meanwhile.
  const harness = new Harness();
  harness.work();
  harness.feed(...notWritten, sending(k, { part: 0, attempt: 2, link: 101 }));
  harness.feed(ambiguous(k, { part: 0, attempt: 2, link: 101 }));
  harness.pass(3000);
  assert.equal(harness.submitted.length, 1);
  assert.equal(harness.submitted[0]?.parts, 0b01);
  assert.equal(harness.submitted[0]?.linkId, 101);
});

test("messages of this run are left to their producers", () => {
  const harness = new Harness({ epoch: 2 });
  harness.work();
  harness.feed(accept(key(1, 2)), accept(key(2, 2)), sending(key(2, 2)));
  harness.pass(3000);
  assert.equal(harness.submitted.length, 0);
  assert.equal(harness.ledger.getMessage(key(2, 2), 7)?.status, "submitted");
});

test("what the ledger handed over in this run is not resolved by this run's own start", () => {
  const harness = crash([accepted()], true);
  harness.feed(sending(k, { at: 3000 }));
  harness.flush();
  // Out of memory and back from the store.
  harness.feed(...Array.from({ length: 300 }, (_, i) => accept(key(1000 + i, 2))));
  assert.equal(statusOf(harness), "submitted");
  harness.pass(2000);
  assert.equal(harness.submitted.length, 1);
});

test("a message whose pool is gone waits for it, and one whose app is gone goes on", () => {
  const records = [
    accept(key(1), { poolId: 4711 }),
    accept(key(2), { appId: 99 }),
    accept(key(3), { poolId: 4712, ttlMs: 60_000 }),
  ];
  const harness = crash(records, true);
  assert.equal(harness.submitted.length, 1);
  assert.equal(harness.submitted[0]?.appIndex, 0);
  assert.equal(harness.ledger.getMessage(key(2), 99)?.status, "accepted");
  assert.ok(harness.lines.some((line) => line.operation === "hand message over"));
  const waiting = harness.ledger.getMessage(key(1), 7);
  assert.equal(waiting?.status, "queued");
  assert.equal(waiting?.queue_reason, "link_down");
  const plan = {
    ...POLICY.plan,
    poolIndexById: new Map([...POLICY.plan.poolIndexById, [4711, 9]]),
  };
  harness.ledger.reload(plan);
  harness.pass(1000);
  assert.equal(harness.submitted.length, 2, "and nothing else again");
  assert.equal(harness.submitted[1]?.poolIndex, 9);
  harness.ledger.reload(plan);
  harness.pass(200_000);
  assert.equal(harness.submitted.length, 2);
  assert.equal(statusOf(harness, 3), "expired");
  assert.equal(statusOf(harness, 1), "accepted");
});

test("a full submitter is waited for, and nothing is handed over twice", () => {
  const first = new Harness();
  first.work();
  first.feed(...Array.from({ length: 500 }, (_, i) => accept(key(1 + i))));
  first.feed(...Array.from({ length: 100 }, (_, i) => sending(key(1 + i))));
  first.flush();
  const second = first.restart({ limits: { walkStep: 64, dueStep: 16 } });
  second.room = 0;
  second.work();
  second.pass(1000);
  assert.equal(second.submitted.length, 0);
  for (let i = 0; i < 60; i++) {
    second.room = 10;
    second.pass(250);
  }
  const offsets = second.submitted.map((entry) => entry.logOffset);
  assert.equal(offsets.length, 500);
  assert.equal(new Set(offsets).size, 500);
  assert.deepEqual(verifyBooks(second.store).mismatches, []);
});

test("messages whose time has come while the backlog is walked are handed over once", () => {
  const first = new Harness();
  first.work();
  first.room = 0;
  first.feed(...Array.from({ length: 600 }, (_, i) => accept(key(1 + i), { delayS: i % 3 })));
  first.flush();
  first.pass(5000);
  const second = first.restart({ limits: { walkStep: 16, dueStep: 64 } });
  for (let i = 0; i < 60; i++) {
    second.room = 50;
    second.pass(250);
  }
  const offsets = second.submitted.map((entry) => entry.logOffset);
  assert.equal(offsets.length, 600);
  assert.equal(new Set(offsets).size, 600);
  assert.deepEqual(verifyBooks(second.store).mismatches, []);
});

test("100,000 waiting messages are handed over in bounded steps", () => {
  const first = new Harness({ limits: { dirtyMax: 1e9, dirtyStop: 1e9, flushIntervalMs: 1e12 } });
  first.work();
  first.log.append(Array.from({ length: 100_000 }, (_, i) => accept(key(1 + i))));
  first.work();
  first.flush();
  const second = first.restart({ limits: { cacheMax: 1024 } });
  second.work();
  second.pass(500);
  assert.equal(second.submitted.length, 100_000);
  assert.ok(second.ledger.status().cached <= 4096 + 1024);
});

test("every row of the table has a name", () => {
  assert.equal(new Set(RECOVERY_ROWS).size, 10);
});

test("an ambiguity of the run before counts as the first one", () => {
  const harness = crash([accepted(), sending(k), ambiguous(k)], true);
  assert.equal(harness.submitted[0]?.attempt, 2);
  const again = { attempt: 2, flags: FLAG_MAYBE_DUP, at: 4000 };
  harness.feed(sending(k, again), ambiguous(k, again));
  assert.equal(statusOf(harness), "held");
});

test("a late refusal of an ambiguous attempt waits its delay before it is sent again", () => {
  const harness = new Harness();
  harness.work();
  const [offset] = harness.feed(accepted(), sending(k), ambiguous(k));
  harness.pass(1000);
  assert.equal(harness.submitted.length, 1);
  const refused = { outcome: Outcome.RETRY, status: 8, retryAfterMs: 30_000, at: 900 };
  harness.feed(answer(k, refused));
  assert.equal(harness.owner?.isWanted(offset as number), false);
  harness.pass(20_000, 1000);
  assert.equal(harness.submitted.length, 1);
  harness.pass(15_000, 1000);
  assert.equal(harness.submitted.length, 2);
  assert.equal(harness.submitted[1]?.flags, 0);
});

test("a second start before the store was flushed sees both starts", () => {
  const first = new Harness({ limits: { flushIntervalMs: 1e12 } });
  first.work();
  first.feed(accepted(), sending(k));
  const second = first.restart();
  second.work();
  const third = second.restart({ limits: {}, store: first.store });
  third.work();
  third.pass(1000);
  assert.equal(third.submitted.length, 1);
  assert.equal(third.submitted[0]?.attempt, 2);
  assert.deepEqual(verifyBooks(third.store).mismatches, []);
});

test("a record that throws is in hand; an unreadable log is no fault of its neighbours", () => {
  const damaged = accepted();
  damaged[Accept.PART_COUNT] = 200;
  const harness = new Harness();
  harness.work();
  const [good, bad] = harness.log.append([accepted(), damaged]);
  harness.table.store(LogWord.COMMITTED, harness.log.end);
  assert.throws(() => harness.work(), /contradicts itself/);
  assert.deepEqual([harness.inHand[0], good === bad], [bad, false]);

  const other = new Harness();
  other.work();
  other.log.append([accepted(), accepted()]);
  other.table.store(LogWord.COMMITTED, other.log.end);
  Object.defineProperty(other.log.entries.at(-1), "memory", {
    get: () => {
      throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
    },
  });
  assert.throws(() => other.work(), /EIO/);
  assert.equal(other.inHand[0], -1);
});
