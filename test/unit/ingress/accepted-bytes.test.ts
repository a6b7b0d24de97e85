import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { AcceptedBytes } from "../../../src/ingress/admission/accepted-bytes.ts";
import { AcceptedTexts } from "../../../src/ingress/admission/accepted-texts.ts";
import { BatchReply } from "../../../src/ingress/calls/batch-reply.ts";
import { PendingMessage, PendingMessages } from "../../../src/ingress/calls/pending-messages.ts";

const texts = new AcceptedTexts("gw-1");
const bytes = new AcceptedBytes(texts, "gw-1");

function messageOf(values: Partial<PendingMessage>): PendingMessage {
  return Object.assign(new PendingMessage(), { sequence: 1, origin: 2, parts: 1 }, values);
}

const label = fc.oneof(
  fc.constant(""),
  fc.stringMatching(/^[ -~]{1,255}$/),
  fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => !/\p{C}/u.test(text)),
);

test("bytes of an accepted message say what its text says", () => {
  const values = fc.record({
    sequence: fc.nat(2 ** 31 - 1).map((low) => low * 4_194_303),
    origin: fc.nat(2 ** 31 - 1),
    parts: fc.integer({ min: 1, max: 10 }),
    encoding: fc.integer({ min: 0, max: 3 }),
    isScheduled: fc.boolean(),
    reference: label,
  });
  let written = 0;
  fc.assert(
    fc.property(values, (value) => {
      const message = messageOf(value);
      const object = bytes.object(message);
      if (object === null) return;
      written++;
      assert.equal(Buffer.from(object).toString(), texts.body(texts.id(message), message));
    }),
    { numRuns: 1000 },
  );
  assert.ok(written > 100, `only ${written} were written`);
});

test("what JSON would escape, or is no ASCII, is left to text", () => {
  for (const reference of ['a"b', "a\\b", "é", "x".repeat(256), "\u007f"]) {
    assert.equal(bytes.object(messageOf({ reference })), null);
  }
  assert.equal(bytes.object(messageOf({ transliterated: "«" })), null);
  assert.notEqual(bytes.object(messageOf({ reference: "x".repeat(255) })), null);
});

test("a reply holds its results in order, whenever they came", () => {
  const reply = new BatchReply();
  const results = fc.array(fc.string({ unit: "grapheme", maxLength: 400 }), { minLength: 1 });
  const ranked = fc.tuple(results, fc.infiniteStream(fc.nat()));
  fc.assert(
    fc.property(ranked, ([values, ranks]) => {
      reply.reset();
      const order = values
        .map((value, item) => ({ value, item, rank: ranks.next().value as number }))
        .toSorted((a, b) => a.rank - b.rank);
      for (const { value, item } of order) {
        const json = JSON.stringify({ value });
        if (reply.isNext(item)) reply.add(Buffer.from(json));
        else reply.addText(item, json);
      }
      const body = JSON.parse(Buffer.from(reply.body(values.length)).toString()) as unknown;
      assert.deepEqual(body, {
        accepted: values.length,
        results: values.map((value) => ({ value })),
      });
    }),
    { numRuns: 200 },
  );
});

test("pending messages keep their order while their slots become more", () => {
  const steps = fc.array(fc.constantFrom("stage", "stage", "stage", "commit", "answer"), {
    minLength: 3000,
    maxLength: 6000,
  });
  fc.assert(
    fc.property(steps, (names) => {
      const pending = new PendingMessages(1024);
      const next = { stage: 0, commit: 0, answer: 0 };
      for (const name of names) {
        if (name === "stage") {
          assert.equal(pending.isFull(), next.stage - next.answer === 1024);
          if (!pending.isFull()) pending.stage().sequence = next.stage++;
        } else {
          const found = name === "commit" ? pending.commit() : pending.answer();
          const limit = name === "commit" ? next.stage : next.commit;
          assert.equal(found?.sequence ?? -1, next[name] < limit ? next[name]++ : -1);
        }
        assert.equal(pending.count, next.stage - next.answer);
      }
    }),
    { numRuns: 20 },
  );
});
