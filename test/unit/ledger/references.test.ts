/** What the ledger does with the concatenation reference that a SENDING carries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FLAG_MAYBE_DUP, Outcome } from "../../../src/records/attempt.ts";
import { Harness } from "./harness.ts";
import { accept, answer, key, sending } from "./records.ts";

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
