import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { FieldError } from "../../../src/errors.ts";
import { readJson } from "../../../src/ingress/http/json-body.ts";
import { MessageDraft, readMessage } from "../../../src/ingress/admission/message-fields.ts";
import { PlainBatch } from "../../../src/ingress/admission/plain-batch.ts";
import { PlainMessage } from "../../../src/ingress/admission/plain-message.ts";

interface Reading {
  readonly isGood: boolean;
  readonly draft: MessageDraft;
  readonly problems: readonly FieldError[];
}

function reading(body: unknown): Reading {
  const draft = new MessageDraft();
  const problems: FieldError[] = [];
  const isGood = readMessage(body, [], draft, problems);
  return { isGood, draft, problems };
}

function assertSame(plain: PlainMessage, text: string): void {
  const errors: FieldError[] = [];
  const parsed = readJson(Buffer.from(text), errors);
  assert.deepEqual(errors, [], text);
  const [found, wanted] = [reading(plain), reading(parsed)];
  assert.deepEqual(found.problems, wanted.problems, text);
  if (wanted.isGood) assert.deepEqual(found.draft, wanted.draft, text);
  assert.deepEqual(plain.toObject(), parsed, text);
}

function readPlain(text: string): PlainMessage | null {
  const plain = new PlainMessage();
  return plain.read(Buffer.from(text)) ? plain : null;
}

const GOOD = {
  to: "+998901234567",
  from: "MYBRAND",
  text: "Your code is 1234",
  reference: "order-17",
  campaign: "autumn",
  class: "otp",
  dlr: "none",
  encoding: "gsm7",
  priority: 3,
  route: 100,
  ttl_s: 60,
  max_parts: 2,
};

test("every field of a plain message is read as from JSON", () => {
  const text = JSON.stringify(GOOD);
  const plain = readPlain(text);
  assert.ok(plain !== null);
  assertSame(plain, text);
  assert.equal(reading(plain).isGood, true);
});

test("a message used again keeps nothing of the one before", () => {
  const plain = new PlainMessage();
  assert.ok(plain.read(Buffer.from(JSON.stringify(GOOD))));
  const text = '{"to":"998901234567","text":"x"}';
  assert.ok(plain.read(Buffer.from(text)));
  assertSame(plain, text);
});

/** Strings and numbers as they can be plain, right or wrong. */
const plainFields: Record<string, fc.Arbitrary<unknown>> = {
  to: fc.stringMatching(/^\+?[0-9]{6,16}$/),
  from: fc.stringMatching(/^[A-Za-z0-9 .+-]{1,12}$/),
  text: fc.stringMatching(/^[ !#-[\]-~]{1,200}$/),
  reference: fc.stringMatching(/^[a-z0-9-]{1,300}$/),
  campaign: fc.stringMatching(/^[a-z0-9-]{1,300}$/),
  class: fc.constantFrom("otp", "transactional", "promotional", "Otp"),
  dlr: fc.constantFrom("none", "final", "all", "some"),
  encoding: fc.constantFrom("auto", "gsm7", "ucs2", "latin1", "utf8"),
  priority: fc.nat(5),
  route: fc.nat(),
  ttl_s: fc.nat(200_000),
  max_parts: fc.nat(12),
};
const wildFields: Record<string, fc.Arbitrary<unknown>> = {
  ...plainFields,
  to: fc.string(),
  text: fc.string({ unit: "grapheme" }),
  campaign: fc.string(),
  priority: fc.double(),
  ttl_s: fc.constantFrom("60", -1, 1e9, 1e12),
  max_parts: fc.constant(null),
  transliterate: fc.boolean(),
  unknown: fc.string(),
};
const requiredKeys = ["to", "text"];
const message = fc.oneof(
  fc.record(plainFields, { requiredKeys }),
  fc.record(wildFields, { requiredKeys }),
  fc.record(wildFields, { requiredKeys: [] }),
);

const space = fc.constantFrom("", "", " ", "\n  ", "\t", "\r\n");

test("whatever is plain means the same in JSON; most messages are plain", () => {
  let plains = 0;
  fc.assert(
    fc.property(message, space, space, (value, before, indent) => {
      const text = before + JSON.stringify(value, null, indent.replace("\r\n", " "));
      const plain = readPlain(text);
      if (plain === null) return;
      plains++;
      assertSame(plain, text);
    }),
    { numRuns: 3000 },
  );
  assert.ok(plains > 100, `only ${plains} were plain`);
});

test("plain bytes that were damaged still mean the same in JSON, or are not plain", () => {
  const text = JSON.stringify(GOOD);
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"{}[]:,\\ 0-9.eE+')));
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.nat(2), byte, (at, cut, by) => {
      const bytes = Buffer.from(text);
      const damaged = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.of(by),
        bytes.subarray(at + cut),
      ]);
      const plain = new PlainMessage();
      if (plain.read(damaged)) assertSame(plain, damaged.toString("latin1"));
    }),
    { numRuns: 5000 },
  );
});

for (const [what, text] of [
  ["a name twice", '{"to":"998901234567","to":"998901234568","text":"x"}'],
  ["an escape", '{"to":"998901234567","text":"a\\nb"}'],
  ["another alphabet", '{"to":"998901234567","text":"салом"}'],
  ["an empty text", '{"to":"998901234567","text":""}'],
  ["an unknown name", '{"to":"998901234567","text":"x","prio":1}'],
  ["a name that JSON spells otherwise", '{"t\\u006f":"998901234567","text":"x"}'],
  ["a number with a leading zero", '{"to":"998901234567","text":"x","ttl_s":060}'],
  ["a fraction", '{"to":"998901234567","text":"x","ttl_s":60.0}'],
  ["a comma too many", '{"to":"998901234567","text":"x",}'],
  ["no comma", '{"to":"998901234567""text":"x"}'],
  ["something behind it", '{"to":"998901234567","text":"x"}{}'],
  ["no end", '{"to":"998901234567","text":"x"'],
  ["an object without members", "{}"],
  ["nothing", ""],
] as const) {
  test(`${what} is left to JSON`, () => {
    assert.equal(readPlain(text), null);
  });
}

test("a plain batch has the messages that JSON has, in order", () => {
  const messages = Array.from({ length: 40 }, (_, i) => ({ ...GOOD, reference: `order-${i}` }));
  const texts = [
    JSON.stringify({ messages }),
    `{"messages":[ ${messages.map((one) => JSON.stringify(one, null, 1)).join(" ,\n")} ]\n} `,
  ];
  const batch = new PlainBatch();
  for (const text of texts) {
    assert.ok(batch.read(Buffer.from(text), 1000));
    assert.equal(batch.count, messages.length);
    for (const one of messages) assertSame(batch.next(), JSON.stringify(one));
  }
});

test("a batch is not plain if any of its messages is not, or there are too many", () => {
  const good = JSON.stringify(GOOD);
  const batch = new PlainBatch();
  const isPlain = (text: string): boolean => batch.read(Buffer.from(text), 3);
  assert.equal(isPlain(`{"messages":[${good},${good},${good}]}`), true);
  assert.equal(isPlain(`{"messages":[${good},${good},${good},${good}]}`), false);
  assert.equal(isPlain(`{"messages":[${good},{"to":"1","text":"é"}]}`), false);
  assert.equal(isPlain(`{"messages":[]}`), false);
  assert.equal(isPlain(`{"messages":[${good},]}`), false);
  assert.equal(isPlain(`{"messages":[${good}],"x":1}`), false);
  assert.equal(isPlain(`{"messages":[${good}`), false);
  assert.equal(isPlain(`{"messages":[${good}]} x`), false);
});
