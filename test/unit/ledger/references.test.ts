/** What the ledger does with the concatenation reference that a SENDING carries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FLAG_MAYBE_DUP, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { Verdict } from "../../../src/records/concluded.ts";
import { Harness } from "./harness.ts";
import { accept, answer, concluded, key, sending } from "./records.ts";

const k = key(1);
const sent = { concatReference: 77 };

for (const isFlushed of [true, false]) {
  const when = isFlushed ? "flushed" : "only in the log";

  test(`a resend after a crash has the same (${when})`, () => {
    const first = new Harness({ limits: { flushIntervalMs: isFlushed ? 0 : 1e12 } });
    first.work();
    first.feed(accept(k, { parts: 3 }), sending(k, sent), sending(k, { ...sent, part: 1 }));
    first.feed(answer(k, { part: 1, id: "A1" }));
    if (isFlushed) first.flush();
    const second = first.restart({ limits: {}, now: first.now + 1000 });
    second.work();
    second.pass(1000);
    // Part 0 may have arrived, part 2 was never begun.
    const handed = second.submitted.map(({ parts, flags, concatReference }) => [
      parts,
      flags,
      concatReference,
    ]);
    assert.deepEqual(handed[0], [1, FLAG_MAYBE_DUP, 77]);
    second.feed(sending(k, { ...sent, attempt: 2, flags: FLAG_MAYBE_DUP, at: second.now }));
    second.pass(1000);
    const rest = second.submitted.at(-1);
    assert.deepEqual([rest?.parts, rest?.flags, rest?.concatReference], [4, 0, 77]);
  });
}

test("a part that is refused for now follows the others with theirs", () => {
  const harness = new Harness();
  harness.work();
  harness.feed(accept(k, { parts: 2 }), sending(k, sent), sending(k, { ...sent, part: 1 }));
  harness.feed(answer(k, { id: "A1" }), answer(k, { part: 1, outcome: Outcome.RETRY, status: 8 }));
  harness.pass(5000);
  const [again] = harness.submitted;
  assert.deepEqual([again?.parts, again?.concatReference], [2, 77]);
});

test("a message that the operator refused whole is given another one", () => {
  const harness = new Harness();
  harness.work();
  harness.feed(accept(k, { parts: 2 }), sending(k, sent), sending(k, { ...sent, part: 1 }));
  const refused = { outcome: Outcome.RETRY, status: 8 };
  harness.feed(answer(k, refused), answer(k, { ...refused, part: 1 }));
  harness.pass(5000);
  const [again] = harness.submitted;
  assert.deepEqual([again?.parts, again?.concatReference], [3, 0]);
  // From then on the one that was drawn then counts, also when the log is read once more.
  const anew = { concatReference: 78, attempt: 2, at: 6000 };
  harness.feed(sending(k, anew), sending(k, sent), sending(k, { ...anew, part: 1 }));
  harness.feed(answer(k, { attempt: 2, at: 6010, id: "B0" }));
  harness.feed(answer(k, { ...refused, attempt: 2, at: 6010, part: 1 }));
  harness.pass(10_000);
  const last = harness.submitted.at(-1);
  assert.deepEqual([last?.parts, last?.concatReference], [2, 78]);
});

const putOff = { outcome: Outcome.RETRY, status: NOT_WRITTEN, retryAfterMs: 5000 };

/** A message of two parts that no reference was free for. */
function putOffHarness(): Harness {
  const harness = new Harness();
  harness.work();
  harness.feed(accept(k, { parts: 2 }), answer(k, putOff), answer(k, { ...putOff, part: 1 }));
  return harness;
}

test("what was put off is handed over again under the same number, however often", () => {
  const harness = putOffHarness();
  for (let round = 1; round <= 12; round++) {
    harness.pass(6000);
    assert.equal(harness.submitted.length, round);
    const again = harness.submitted.at(-1);
    assert.deepEqual([again?.parts, again?.attempt, again?.concatReference], [3, 1, 0]);
    const at = 10 + round * 6000;
    harness.feed(answer(k, { ...putOff, at }), answer(k, { ...putOff, at, part: 1 }));
  }
  harness.feed(concluded(k, Verdict.EXPIRED));
  const document = harness.ledger.getMessage(k, 7);
  assert.equal(document?.status, "expired");
  assert.equal(document?.reason?.code, "validity_over");
});

test("a refusal counts, a putting off after it does not, nor does it hide who refused", () => {
  const harness = new Harness();
  harness.work();
  const refused = { outcome: Outcome.RETRY, status: 8 };
  for (const part of [0, 1]) {
    harness.feed(accept(k, { parts: 2 }), sending(k, { ...sent, part, session: 3 }));
    harness.feed(answer(k, { ...refused, part, session: 3, at: 20 }));
  }
  harness.feed(answer(k, { ...putOff, attempt: 2, link: 101, at: 6000 }));
  harness.feed(answer(k, { ...putOff, attempt: 2, link: 101, at: 6000, part: 1 }));
  harness.pass(12_000);
  assert.equal(harness.submitted.at(-1)?.attempt, 2);
  const [part] = harness.ledger.getMessage(k, 7)?.parts ?? [];
  assert.deepEqual([part?.attempt, part?.link, part?.session], [1, 100, 3]);
});

test("the reason of a putting off is the gateway's, and names no link", () => {
  const document = putOffHarness().ledger.getMessage(k, 7);
  assert.equal(document?.status, "retrying");
  assert.deepEqual(document?.reason, {
    group: "gateway",
    code: "no_reference",
    smpp_status: null,
    carrier_code: null,
    retryable: true,
  });
  const [part] = document?.parts ?? [];
  assert.deepEqual([part?.attempt, part?.link, part?.session], [0, null, null]);
  const retrying = document?.timeline.filter(({ part: index }) => index !== undefined) ?? [];
  assert.equal(retrying.length, 2);
  assert.ok(retrying.every(({ link, attempt }) => link === undefined && attempt === undefined));
});

test("what was only put off can be taken back", () => {
  for (const isHanded of [false, true]) {
    const harness = putOffHarness();
    if (isHanded) harness.pass(6000);
    const told: string[] = [];
    harness.ledger.cancel(k, 7, (outcome) => told.push(outcome));
    harness.work();
    harness.cancellations[0]?.done(true);
    harness.pass(500);
    assert.equal(harness.cancellations.length, isHanded ? 1 : 0);
    assert.deepEqual(told, ["canceled"]);
    harness.pass(60_000);
    assert.equal(harness.submitted.length, isHanded ? 1 : 0);
  }
});
