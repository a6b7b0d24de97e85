/** SMSC ids against the language's own number formatting. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  ID_FORMATS,
  ID_LENGTH_MAX,
  idWritingOf,
  writeDecimal,
  writeMessageId,
} from "../../../src/smsc/message-id.ts";

const bytes = new Uint8Array(64);

function written(writing: number, value: number): string {
  return new TextDecoder().decode(bytes.subarray(0, writeMessageId(bytes, 0, writing, value)));
}

const anyId = fc.oneof(
  fc.nat(),
  fc.integer({ min: 0, max: 2 ** 53 - 1 }),
  fc.constantFrom(0, 9, 10, 99_999_999, 100_000_000, 0xffff_ffff, 0x1_0000_0000, 2 ** 53 - 1),
);

test("decimal and hex are the language's own", () => {
  fc.assert(
    fc.property(anyId, (id) => {
      const mixed = idWritingOf("hex-resp-decimal-receipt");
      assert.equal(written(idWritingOf("decimal").answer, id), String(id));
      assert.equal(written(mixed.answer, id), id.toString(16));
      assert.equal(written(mixed.receipt, id), String(id));
    }),
  );
});

test("a zero-padded id loses its zeros in the receipt", () => {
  const { answer, receipt } = idWritingOf("zero-padded");
  assert.equal(written(answer, 913_121_205), "000913121205");
  assert.equal(written(receipt, 913_121_205), "913121205");
  assert.equal(written(answer, 0), "000000000000");
});

test("uuids are well formed, and differ where numbers differ", () => {
  const { answer, receipt } = idWritingOf("uuid");
  const seen = new Set<string>();
  for (let id = 1_000_000_000; id < 1_000_020_000; id++) seen.add(written(answer, id));
  for (let id = 2 ** 40; id < 2 ** 40 + 20_000; id++) seen.add(written(receipt, id));
  assert.equal(seen.size, 40_000);
  for (const uuid of seen) {
    assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

test("no id is longer than promised", () => {
  for (const format of ID_FORMATS) {
    const { answer, receipt } = idWritingOf(format);
    assert.ok(written(answer, 2 ** 53 - 1).length <= ID_LENGTH_MAX);
    assert.ok(written(receipt, 2 ** 53 - 1).length <= ID_LENGTH_MAX);
  }
});

test("leading zeros fill up to the digits asked for", () => {
  const at = writeDecimal(bytes, 0, 7, 3);
  assert.equal(new TextDecoder().decode(bytes.subarray(0, at)), "007");
});
