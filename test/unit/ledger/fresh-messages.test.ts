/** Open messages that no commit has: what is written of them and when, and who reads them again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyBooks } from "../../../src/ledger/books.ts";
import type { MessageListPage } from "../../../src/ledger/messages/message-list.ts";
import { readPosition } from "../../../src/ledger/store/meta.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import type { MemoryStore } from "../../support/memory-store.ts";
import { Harness, MemoryLog } from "./harness.ts";
import { accept, ambiguous, answer, key, receipt, sending, T0 } from "./records.ts";

const APP = 7;

/** A ledger that has read its STARTED and flushed it. */
function running(options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const harness = new Harness(options);
  harness.flush();
  return harness;
}

function rowsOf({ store }: Harness): number {
  return (store as MemoryStore).dump(LedgerTable.ROWS).length;
}

/** Messages of the app by its index. */
function listed(harness: Harness): number {
  let found: MessageListPage | null = null;
  const any = { status: null, to: null, reference: null, since: null, until: null };
  harness.ledger.list({ appId: APP, ...any, limit: 1000, after: null }, (page) => {
    found = page;
  });
  harness.work();
  return (found as MessageListPage | null)?.data.length ?? -1;
}

test("commits leave out what is only accepted and sent, and the books do not count it", () => {
  const harness = running();
  const [first] = harness.feed(...[1, 2, 3, 4].map((number) => accept(key(number))));
  harness.feed(sending(key(1)), sending(key(2)), sending(key(3)));
  harness.feed(answer(key(3), { id: "three" }), receipt("three", 2));
  harness.pass(500);
  assert.equal(rowsOf(harness), 1, "the one that ended");
  assert.equal(harness.ledger.status().fresh, 3);
  assert.equal(harness.ledger.status().books.accepted, 4);
  assert.equal(listed(harness), 4);
  const report = verifyBooks(harness.store);
  assert.deepEqual(report.mismatches, []);
  assert.equal(report.books.accepted, 1);
  const { cursor, replayFrom } = readPosition(harness.store);
  assert.equal(cursor, harness.log.end);
  assert.ok(replayFrom <= (first as number));
  assert.ok(harness.table.load(LogWord.RELEASABLE) <= replayFrom, "the log stays");
  // Whatever else happens to one is written.
  harness.feed(ambiguous(key(2)));
  harness.pass(500);
  assert.equal(rowsOf(harness), 2);
  assert.equal(harness.ledger.status().fresh, 2);
});

test("what waits is written after two seconds, and the log may go", () => {
  const harness = running();
  harness.feed(accept(key(1)), accept(key(2)), sending(key(2)));
  harness.pass(1500);
  assert.equal(rowsOf(harness), 0);
  harness.pass(1500);
  assert.equal(rowsOf(harness), 2);
  assert.equal(readPosition(harness.store).replayFrom, harness.log.end);
  assert.equal(verifyBooks(harness.store).books.open, 2);
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("a machine's clock that is set back makes none of them older or younger", () => {
  let monotonicMs = 1000;
  const harness = running({ monotonicMs: () => monotonicMs });
  harness.feed(accept(key(1)));
  harness.now -= 3_600_000;
  harness.pass(500);
  assert.equal(rowsOf(harness), 0);
  monotonicMs += 2500;
  harness.pass(500);
  assert.equal(rowsOf(harness), 1);
});

test("they keep an eighth at most of what the log may take", () => {
  const probe = new MemoryLog();
  const start = probe.end;
  probe.append([accept(key(1))]);
  const bytes = probe.end - start;
  const harness = running({ policy: { logBytesMax: 8 * 20 * bytes } });
  for (let number = 0; number < 100; number++) {
    harness.feed(accept(key(number)));
    harness.pass(10, 10);
  }
  harness.pass(500);
  const { cursor, replayFrom } = readPosition(harness.store);
  assert.equal(cursor, harness.log.end);
  assert.ok(
    replayFrom > 0 && cursor - replayFrom <= 20 * probe.end,
    `${cursor - replayFrom} bytes`,
  );
  assert.ok(rowsOf(harness) >= 70 && rowsOf(harness) < 100, `${rowsOf(harness)} rows`);
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("all is durable only when none is left to the log", () => {
  const harness = running();
  assert.ok(harness.ledger.isAllDurable());
  harness.feed(accept(key(1)), sending(key(1)));
  harness.pass(500);
  assert.equal(harness.table.load(LogWord.LEDGER_FLUSHED), harness.log.end);
  assert.ok(!harness.ledger.isAllDurable());
  harness.flush();
  assert.ok(harness.ledger.isAllDurable());
  assert.equal(rowsOf(harness), 1);
});

test("without syncs of the log nothing is left to it", () => {
  const harness = running({ isUnsynced: true });
  harness.feed(accept(key(1)), accept(key(2)), sending(key(2)));
  harness.pass(500);
  assert.equal(rowsOf(harness), 2);
  assert.equal(readPosition(harness.store).replayFrom, harness.log.end);
});

test("after a crash they are made anew from the log, once, and go by the recovery table", () => {
  const harness = running();
  const numbers = Array.from({ length: 300 }, (_, i) => i);
  for (const number of numbers) {
    harness.feed(accept(key(number)));
    if (number % 2 === 1) harness.feed(sending(key(number)));
    if (number % 10 === 1) harness.feed(answer(key(number), { id: `i${number}` }));
    if (number % 20 === 1) harness.feed(receipt(`i${number}`, 2));
  }
  harness.pass(500);
  assert.equal(rowsOf(harness), 30);
  const before = numbers.map((number) => harness.ledger.getMessage(key(number), APP));
  // What follows in the log was not applied when it crashed.
  harness.log.append([sending(key(0)), answer(key(0), { id: "late" })]);
  const next = harness.restart();
  next.flush();
  assert.equal(next.ledger.status().books.accepted, 300);
  assert.equal(next.ledger.status().books.open, 285);
  assert.equal(rowsOf(next), 300);
  assert.deepEqual(verifyBooks(next.store).mismatches, []);
  assert.equal(listed(next), 300, "each one once");
  for (const number of numbers) {
    const message = next.ledger.getMessage(key(number), APP);
    if (number === 0) assert.equal(message?.status, "sent");
    else if (number % 10 === 1 || number % 2 === 0) {
      assert.equal(message?.status, before[number]?.status, `message ${number}`);
    } else assert.equal(message?.status, "ambiguous", `message ${number}`);
  }
  const { accepted, resend, answered } = next.ledger.hits.byName();
  assert.deepEqual([accepted >= 149, resend, answered], [true, 120, 16]);
});

test("a crash amid reading them again changes nothing", () => {
  const harness = running();
  for (let number = 0; number < 100; number++) {
    harness.feed(accept(key(number)), sending(key(number)));
  }
  harness.pass(500);
  const stored = readPosition(harness.store);
  let next = harness.restart({ limits: { pollBytes: 512, dirtyMax: 4, dirtyStop: 8 } });
  for (let i = 0; i < 5; i++) next.ledger.doWork();
  next.ledger.requestFlush();
  next.ledger.doWork();
  assert.ok(next.ledger.status().applied < stored.cursor, "still reading");
  assert.deepEqual(readPosition(next.store), stored, "nothing was written");
  next = next.restart();
  next.flush();
  assert.equal(next.ledger.status().books.open, 100);
  assert.equal(rowsOf(next), 100);
  assert.deepEqual(verifyBooks(next.store).mismatches, []);
});

test("retention removes no row whose ACCEPT is read again: it would come back", () => {
  const harness = running({ policy: { retentionMs: 0 } });
  harness.feed(accept(key(1)));
  harness.feed(accept(key(2)), sending(key(2)), answer(key(2), { id: "two" }), receipt("two", 2));
  harness.pass(1500);
  assert.equal(rowsOf(harness), 1, "the one that ended stays for a while");
  const next = harness.restart({ policy: { retentionMs: 1e9 } });
  next.flush();
  assert.equal(next.ledger.status().books.open, 1);
  assert.equal(next.ledger.getMessage(key(2), APP)?.status, "delivered");
  harness.pass(3000);
  assert.equal(harness.ledger.getMessage(key(2), APP), null);
  assert.equal(rowsOf(harness), 1, "and goes when the other one is written");
});

test("the index of an app keeps what has no row yet", () => {
  const harness = running();
  // The index is looked through every minute, at a different age of what has no row each time.
  let count = 0;
  for (; harness.now < T0 + 250_000; count++) {
    harness.feed(accept(key(count), { at: harness.now }));
    harness.pass(430);
  }
  const next = harness.restart();
  next.flush();
  assert.equal(listed(next), count);
});
