/** Observers of outcomes: told each end once, within the commit that holds it, over crashes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageState } from "../../../src/ledger/messages/message-state.ts";
import { MESSAGE_STATUS } from "../../../src/ledger/messages/message-state.ts";
import type { OutcomeObserver } from "../../../src/ledger/outcomes.ts";
import { PART_STATUS } from "../../../src/ledger/messages/part-state.ts";
import { type LedgerStore, LedgerTable } from "../../../src/ledger/store/store.ts";
import { FLAG_MAYBE_DUP } from "../../../src/records/attempt.ts";
import { Refused } from "../../../src/records/refused.ts";
import type { RecordMemory } from "../../../src/records/memory.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { Harness } from "./harness.ts";
import { accept, ambiguous, answer, key, receipt, refused, sending } from "./records.ts";

const DELIVERED = 2;

/** Writes a numbered row for everything it is told; goes on behind what the store has. */
class Rows implements OutcomeObserver {
  readonly #store: LedgerStore;
  #next = 0;

  constructor(store: LedgerStore) {
    this.#store = store;
    store.range(LedgerTable.CDR, new Uint8Array(0), () => {
      this.#next++;
      return true;
    });
  }

  onPartFinal(message: MessageState, part: number): void {
    this.#put(`part ${part} ${PART_STATUS[message.parts[part]?.state ?? 0]}`);
  }

  onStatus(message: MessageState, before: number): void {
    const from = before < 0 ? "new" : MESSAGE_STATUS[before as 0];
    const to = MESSAGE_STATUS[message.status as 0];
    this.#put(`${from} > ${to}${message.finalAt === 0 ? "" : " final"}`);
  }

  onDuplicate(_message: MessageState, part: number): void {
    this.#put(`duplicate ${part}`);
  }

  onRefused({ view }: RecordMemory, offset: number): void {
    this.#put(`refused ${view.getUint16(offset + Refused.HTTP_STATUS, true)}`);
  }

  onKeyed(): void {}

  beforeCommit(): void {}

  doWork(): boolean {
    return false;
  }

  #put(text: string): void {
    this.#store.put(LedgerTable.CDR, Uint8Array.of(this.#next++), Buffer.from(text));
  }
}

function rowsOf(store: LedgerStore): string[] {
  const rows: string[] = [];
  store.range(LedgerTable.CDR, new Uint8Array(0), (_key, value) => {
    rows.push(Buffer.from(value).toString());
    return true;
  });
  return rows;
}

function start(store = new MemoryStore()): Harness {
  const harness = new Harness({ store, observersOf: (opened) => [new Rows(opened)] });
  harness.work();
  harness.pass(500);
  return harness;
}

test("each end of a part and of its message is told once, parts first", () => {
  const harness = start();
  const k = key(1);
  harness.feed(accept(k, { parts: 2 }), sending(k), answer(k, { id: "a" }));
  harness.feed(sending(k, { part: 1 }), answer(k, { id: "b", part: 1 }));
  harness.feed(receipt("a", DELIVERED), receipt("b", DELIVERED), receipt("b", DELIVERED));
  harness.flush();
  assert.deepEqual(rowsOf(harness.store), [
    "new > accepted",
    "accepted > submitted",
    "submitted > sent",
    "part 0 delivered",
    "part 1 delivered",
    "sent > delivered final",
  ]);
});

test("what a crash took from the store is told again, what it left is not", () => {
  const store = new MemoryStore();
  const harness = start(store);
  harness.feed(accept(key(1)), sending(key(1)), answer(key(1), { id: "a" }));
  harness.feed(receipt("a", DELIVERED));
  harness.flush();
  const kept = rowsOf(harness.store);
  assert.equal(kept.length, 5);
  // Committed to the log, never to the store.
  store.auto = false;
  harness.feed(accept(key(2)), sending(key(2)), answer(key(2), { id: "b" }));
  harness.feed(receipt("b", DELIVERED));
  const next = harness.restart({ store: store.crash(true, true) });
  next.work();
  next.pass(500);
  next.flush();
  assert.deepEqual(rowsOf(next.store), [...kept, ...kept]);
});

test("a second sending of a part that has ended meanwhile is told", () => {
  const harness = start();
  const k = key(1);
  harness.feed(accept(k), sending(k), ambiguous(k));
  harness.feed(answer(k, { id: "a" }), receipt("a", DELIVERED));
  harness.feed(sending(k, { attempt: 2, flags: FLAG_MAYBE_DUP }));
  harness.feed(sending(k, { attempt: 2, flags: FLAG_MAYBE_DUP }));
  harness.flush();
  const rows = rowsOf(harness.store);
  assert.equal(rows.filter((row) => row === "duplicate 0").length, 1);
  assert.equal(rows.filter((row) => row.startsWith("part")).length, 1);
});

test("a refusal concerns no message and is told", () => {
  const harness = start();
  harness.feed(refused(403));
  harness.flush();
  assert.deepEqual(rowsOf(harness.store), ["refused 403"]);
  assert.equal(harness.ledger.status().books.accepted, 0);
});
