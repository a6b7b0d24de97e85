/** Dead letters: which messages are, what is kept of them, and that each is replayed once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeadLetterFilter, DeadLetterPage } from "../../../src/ledger/flow/dead-letters.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import { NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { Verdict } from "../../../src/records/concluded.ts";
import { Harness } from "./harness.ts";
import { accept, ambiguous, answer, concluded, key, sending } from "./records.ts";

const ALL: DeadLetterFilter = {
  app: null,
  messageClass: null,
  reason: null,
  since: null,
  until: null,
};
const EXHAUSTED = { outcome: Outcome.EXHAUSTED, status: 8 };

function ready(options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const harness = new Harness(options);
  harness.work();
  harness.pass(500);
  return harness;
}

function exhaust(harness: Harness, number: number): void {
  const k = key(number);
  harness.feed(accept(k), sending(k), answer(k, EXHAUSTED));
}

function list(harness: Harness, filter: Partial<DeadLetterFilter> = {}): DeadLetterPage {
  const page = harness.ledger.deadLetters({ ...ALL, ...filter }, null, 100);
  assert.ok(page !== null);
  return page;
}

function countEntries(harness: Harness): number {
  let count = 0;
  harness.store.range(LedgerTable.DEAD_LETTERS, new Uint8Array(0), () => ++count > 0);
  return count;
}

test("what ended here is one, what an operator ended is none", () => {
  const harness = ready();
  exhaust(harness, 1);
  const [k2, k3, k4, k5] = [key(2), key(3), key(4), key(5)];
  harness.feed(accept(k2), concluded(k2, Verdict.EXPIRED));
  harness.feed(accept(k3), concluded(k3, Verdict.UNSENDABLE));
  harness.feed(
    accept(k4),
    sending(k4),
    answer(k4, { outcome: Outcome.REJECTED, status: NOT_WRITTEN }),
  );
  harness.feed(accept(k5), sending(k5), answer(k5, { outcome: Outcome.REJECTED, status: 0x0b }));
  const k6 = key(6);
  harness.feed(accept(k6), concluded(k6, Verdict.CANCELED));
  harness.flush();
  assert.deepEqual(
    list(harness).data.map(({ dead, text, app }) => [dead, text, app]),
    [
      ["attempts_over", "kept", 7],
      ["validity_over", "kept", 7],
      ["unsendable", "kept", 7],
      ["unsendable", "kept", 7],
    ],
  );
  assert.equal(list(harness).data[0]?.reason?.code, "attempts_over");
  assert.equal(list(harness, { reason: "unsendable" }).data.length, 2);
  assert.equal(list(harness, { app: 8 }).data.length, 0);
  const first = harness.ledger.deadLetters(ALL, null, 3);
  const rest = harness.ledger.deadLetters(ALL, first?.next ?? "", 3);
  assert.deepEqual([first?.data.length, rest?.data.length, rest?.next], [3, 1, null]);
});

test("a message with a part under way is none yet, and has its text when it is", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(accept(k, { parts: 2 }), sending(k), answer(k, EXHAUSTED));
  harness.feed(sending(k, { part: 1 }), ambiguous(k, { part: 1 }));
  harness.flush();
  assert.equal(list(harness).data.length, 0);
  assert.deepEqual(harness.ledger.claimDeadLetters([k]), [{ outcome: "unknown" }]);
  harness.feed(answer(k, { part: 1, ...EXHAUSTED }));
  harness.flush();
  assert.equal(list(harness).data[0]?.text, "kept");
});

test("it is claimed by one, also after a restart, and goes with its message", () => {
  const harness = ready({ policy: { retentionMs: 60_000 } });
  exhaust(harness, 1);
  harness.flush();
  const claim = harness.ledger.claimDeadLetters([key(1)])[0];
  assert.ok(claim?.outcome === "claimed" && claim.app === 7 && claim.record.length > 72);
  const outcome = (): string | undefined => harness.ledger.claimDeadLetters([key(1)])[0]?.outcome;
  assert.equal(outcome(), "being_replayed");
  harness.ledger.releaseDeadLetters([key(1)]);
  assert.equal(outcome(), "claimed");
  assert.equal(harness.ledger.claimDeadLetters([key(9)])[0]?.outcome, "unknown");
  const next = harness.restart();
  next.work();
  next.pass(500);
  assert.equal(list(next).data.length, 1);
  next.pass(120_000, 500);
  assert.equal(next.ledger.getMessage(key(1), 7), null);
  assert.equal(countEntries(next), 0);
});

test("a replay takes it out in its own commit, and nobody gets it meanwhile", () => {
  const harness = ready();
  exhaust(harness, 1);
  harness.flush();
  harness.feed(accept(key(2), { replayOf: key(1) }));
  const outcome = (): string | undefined => harness.ledger.claimDeadLetters([key(1)])[0]?.outcome;
  assert.notEqual(outcome(), "claimed");
  harness.flush();
  assert.notEqual(outcome(), "claimed");
  harness.flush();
  assert.equal(countEntries(harness), 0);
  const replay = harness.ledger.getMessage(key(2), 7);
  assert.equal(replay?.replay_of, harness.ledger.getMessage(key(1), 7)?.id);
  // A crash before either was flushed comes to the same.
  const late = ready();
  exhaust(late, 1);
  late.feed(accept(key(2), { replayOf: key(1) }));
  late.flush();
  late.flush();
  assert.equal(countEntries(late), 0);
});

test("texts go with the log where they are not to be kept", () => {
  const harness = ready({ policy: { keepsDeadTexts: false } });
  exhaust(harness, 1);
  harness.flush();
  assert.equal(list(harness).data[0]?.text, "gone");
  assert.equal(harness.ledger.claimDeadLetters([key(1)])[0]?.outcome, "text_gone");
});
