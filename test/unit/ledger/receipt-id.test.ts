/** Transforms of SMSC ids. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  IdBase,
  IdTransform,
  inAnswersBase,
  inReceiptsBase,
  matchingTransform,
  normaliseId,
} from "../../../src/ledger/receipts/receipt-id.ts";

test("normal forms", () => {
  assert.equal(normaliseId("00AbC"), "abc");
  assert.equal(normaliseId("000"), "0");
  assert.equal(normaliseId(""), "");
  assert.equal(normaliseId("\xc4-X"), "\xc4-x");
});

test("bases convert both ways, beyond what a double holds", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n }), (value) => {
      const hex = value.toString(16);
      const decimal = value.toString(10);
      assert.equal(inAnswersBase(decimal, IdBase.DECIMAL_OF_HEX), hex);
      assert.equal(inAnswersBase(hex, IdBase.HEX_OF_DECIMAL), decimal);
      assert.equal(inReceiptsBase(hex, IdBase.DECIMAL_OF_HEX), decimal);
      assert.equal(inReceiptsBase(decimal, IdBase.HEX_OF_DECIMAL), hex);
      const padded = `00${hex.toUpperCase()}`;
      const transform = matchingTransform(padded, decimal, IdBase.DECIMAL_OF_HEX);
      assert.equal(transform, IdTransform.DECIMAL_OF_HEX);
    }),
  );
});

test("what is no number has no other base", () => {
  assert.equal(inAnswersBase("x1", IdBase.DECIMAL_OF_HEX), null);
  assert.equal(inAnswersBase("12g", IdBase.HEX_OF_DECIMAL), null);
  assert.equal(inAnswersBase("", IdBase.HEX_OF_DECIMAL), null);
  assert.equal(matchingTransform("abc", "abd", IdBase.SAME), -1);
});
