import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import {
  chooseNationalShift,
  decodeGsm7,
  ENCODING,
  encodeGsm7,
  GSM7_DEFAULT,
  NATIONAL_LANGUAGE,
  NOT_ENCODABLE,
  nationalAlphabet,
  segmentCapacity,
  writeNationalShift,
} from "../../../../src/codec/index.ts";
import { toHex } from "../support/vectors.ts";

interface OtherTable {
  chars: string;
  extCharsDec?: string;
  extChars?: string;
  escCharsDec?: string;
  escChars?: string;
}

const other = createRequire(import.meta.url)("smpp") as { gsmCoder: Record<string, OtherTable> };

describe("national language tables", () => {
  it("agree with an independent implementation", () => {
    const pairs = [
      ["GSM", 0, 0],
      ["GSM_TR", NATIONAL_LANGUAGE.turkish, NATIONAL_LANGUAGE.turkish],
      ["GSM_ES", 0, NATIONAL_LANGUAGE.spanish],
      ["GSM_PT", NATIONAL_LANGUAGE.portuguese, NATIONAL_LANGUAGE.portuguese],
    ] as const;
    for (const [name, locking, single] of pairs) {
      const alphabet = nationalAlphabet(locking, single)!;
      const table = other.gsmCoder[name]!;
      assert.equal(alphabet.base.join(""), table.chars, name);
      const escapes = table.escCharsDec ?? table.escChars!;
      const extensions = table.extCharsDec ?? table.extChars!;
      let compared = 0;
      for (let i = 0; i < escapes.length; i++) {
        // Its lists double the backslash in places and hold one stray blank; those entries say
        // nothing.
        if (extensions[i] === " " || extensions[i] === "\\") continue;
        const septet = table.chars.indexOf(escapes[i]!);
        assert.equal(alphabet.extension.get(septet), extensions[i], `${name} ${septet}`);
        compared++;
      }
      assert.ok(compared >= 9, name);
    }
  });

  it("return to the same text in every combination", () => {
    for (const locking of [0, 1, 3]) {
      for (const single of [0, 1, 2, 3]) {
        const alphabet = nationalAlphabet(locking, single)!;
        const base = alphabet.base.filter((_, septet) => septet !== 0x1b);
        const text = [...base, ...alphabet.extension.values()].join("");
        const out = new Uint8Array(400);
        const length = encodeGsm7(text, out, 0, alphabet);
        assert.ok(length > 0);
        assert.equal(decodeGsm7(out, 0, length, alphabet), text, `${locking} ${single}`);
      }
    }
    assert.equal(nationalAlphabet(2, 0), undefined);
    assert.equal(nationalAlphabet(4, 4), undefined);
    assert.equal(nationalAlphabet(0, 0), GSM7_DEFAULT);
  });

  it("choose the cheapest shift", () => {
    const turkish = chooseNationalShift("ş", NATIONAL_LANGUAGE.turkish)!;
    assert.deepEqual([turkish.locking, turkish.single, turkish.septets], [1, 0, 1]);
    const plain = chooseNationalShift("hello", NATIONAL_LANGUAGE.turkish)!;
    assert.deepEqual([plain.locking, plain.single, plain.udhLength], [0, 0, 0]);
    const spanish = chooseNationalShift("información", NATIONAL_LANGUAGE.spanish)!;
    assert.deepEqual([spanish.locking, spanish.single, spanish.septets], [0, 2, 12]);
    const both = chooseNationalShift("ãΦ", NATIONAL_LANGUAGE.portuguese)!;
    assert.deepEqual([both.locking, both.single], [0, 3]);
    assert.equal(chooseNationalShift("Привет", NATIONAL_LANGUAGE.turkish), undefined);
    assert.equal(chooseNationalShift("ж", 4), undefined);
  });

  it("write their information elements, which cost the sizes of the standard", () => {
    const out = new Uint8Array(8);
    assert.equal(writeNationalShift(out, 1, 1, 1), 7);
    assert.equal(toHex(out, 1, 7), "240101250101");
    assert.equal(segmentCapacity(ENCODING.gsm7, 4), 155);
    assert.equal(segmentCapacity(ENCODING.gsm7, 7), 152);
    assert.equal(encodeGsm7("ş", out, 0), NOT_ENCODABLE);
  });
});
