import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CONCAT_METHOD,
  chooseEncoding,
  dataCodingOf,
  decodeGsm7,
  decodeLatin1,
  decodeText,
  decodeUcs2,
  ENCODING,
  encodeAscii,
  encodedLengthMax,
  encodeGsm7,
  encodeLatin1,
  encodeText,
  encodeUcs2,
  encodingNameOf,
  GSM7_DEFAULT,
  gsm7Length,
  NO_ROOM,
  NOT_ENCODABLE,
  planByMethod,
  planSegments,
  SEGMENT_TOO_SMALL,
  segmentCapacity,
  TOO_MANY_SEGMENTS,
  writeConcatUdh16,
  writeConcatUdh8,
} from "../../../../src/codec/index.ts";
import { hex, toHex } from "../support/vectors.ts";

function encoded(encoding: number, text: string): Uint8Array {
  const out = new Uint8Array(encodedLengthMax(text));
  const length = encodeText(encoding, text, out, 0);
  assert.ok(length >= 0);
  return out.subarray(0, length);
}

function segments(
  encoding: number,
  text: string,
  method: number = CONCAT_METHOD.udh8,
): { bytes: Uint8Array; ends: number[] } {
  const bytes = encoded(encoding, text);
  const ends = new Uint16Array(255);
  const count = planByMethod(encoding, bytes, 0, bytes.length, method, 0, 255, ends);
  assert.ok(count > 0, `sentinel ${count}`);
  return { bytes, ends: [...ends.subarray(0, count)] };
}

describe("GSM 7-bit", () => {
  it("encodes the alphabet of TS 23.038 to its code points", () => {
    const all = GSM7_DEFAULT.base.filter((_, septet) => septet !== 0x1b).join("");
    assert.equal(all.length, 127);
    const expected = Array.from({ length: 128 }, (_, septet) => septet).filter((s) => s !== 0x1b);
    assert.deepEqual([...encoded(ENCODING.gsm7, all)], expected);
    assert.equal(
      toHex(encoded(ENCODING.gsm7, "@£$¥èéùìòÇ\nØø\rÅå")),
      "000102030405060708090a0b0c0d0e0f",
    );
    assert.equal(
      toHex(encoded(ENCODING.gsm7, "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà")),
      "101112131415161718191a1c1d1e1f24405b5c5d5e5f607b7c7d7e7f",
    );
    assert.equal(
      toHex(encoded(ENCODING.gsm7, "\f^{}\\[~]|€")),
      "1b0a1b141b281b291b2f1b3c1b3d1b3e1b401b65",
    );
  });

  it("returns to the same text", () => {
    const text = `${GSM7_DEFAULT.base.filter((_, s) => s !== 0x1b).join("")}\f^{}\\[~]|€`;
    const bytes = encoded(ENCODING.gsm7, text);
    assert.equal(decodeGsm7(bytes, 0, bytes.length), text);
    assert.equal(gsm7Length(text), bytes.length);
  });

  it("refuses what is missing: backquote, cedilla, Cyrillic, Latin look-alikes, emoji", () => {
    const out = new Uint8Array(64);
    for (const text of ["`", "ç", "ж", "Α", "“", "\u00a0", "😀", "\u{ffff}", "abc\u1234"]) {
      assert.equal(encodeGsm7(text, out, 0), NOT_ENCODABLE, text);
      assert.equal(gsm7Length(text), NOT_ENCODABLE, text);
    }
  });

  it("takes the fast way and the slow way to the same octets", () => {
    const slow = (text: string): string =>
      Array.from(text, (character) => toHex(encoded(ENCODING.gsm7, character))).join("");
    const out = new Uint8Array(9000);
    for (let code = 0; code < 0x100; code++) {
      const character = String.fromCharCode(code);
      for (const at of [0, 1, 2, 3, 29, 30, 31, 32]) {
        const filler = "The quick brown fox, 0123456789?!";
        const text = filler.slice(0, at) + character + filler.slice(at);
        const isThere = encodeGsm7(character, out, 0) > 0;
        const length = encodeGsm7(text, out, 5);
        assert.equal(length > 0, isThere, `${code} at ${at}`);
        assert.equal(gsm7Length(text), length);
        if (isThere) assert.equal(toHex(out, 5, 5 + length), slow(text), `${code} at ${at}`);
      }
    }
    for (const size of [23, 24, 25, 26, 27, 4095, 4096, 4097]) {
      const text = "x".repeat(size - 1);
      assert.equal(encodeGsm7(`${text}y`, out, 0), size);
      assert.equal(toHex(out, size - 2, size), "7879");
      assert.equal(encodeGsm7(`${text}@`, out, 0), size);
      assert.equal(toHex(out, size - 2, size), "7800");
      assert.equal(encodeGsm7(`${text}y`, out.subarray(0, size - 1), 0), NO_ROOM);
    }
  });

  it("decodes unknown escapes as TS 23.038 says", () => {
    assert.equal(decodeGsm7(hex("1b411b1b421b"), 0, 6), "A B ");
    assert.equal(decodeGsm7(hex("c8e5"), 0, 2), "He");
  });

  it("stops at the end of the room", () => {
    assert.equal(encodeGsm7("abc", new Uint8Array(2), 0), NO_ROOM);
    assert.equal(encodeGsm7("a€", new Uint8Array(2), 0), NO_ROOM);
    assert.equal(encodeGsm7("a€", new Uint8Array(3), 0), 3);
  });
});

describe("UCS-2 and Latin-1", () => {
  it("writes UTF-16BE and mends lone surrogates", () => {
    assert.equal(toHex(encoded(ENCODING.ucs2, "Прив")), "041f044004380432");
    assert.equal(toHex(encoded(ENCODING.ucs2, "😀")), "d83dde00");
    assert.equal(toHex(encoded(ENCODING.ucs2, "a\ud83db")), "0061fffd0062");
    assert.equal(toHex(encoded(ENCODING.ucs2, "\ude00")), "fffd");
    assert.equal(encodeUcs2("ab", new Uint8Array(3), 0), NO_ROOM);
    assert.equal(decodeUcs2(hex("d83dde000061d83d0062de00ff"), 0, 13), "😀a\ufffdb\ufffd");
  });

  it("keeps Latin-1 and ASCII to their ranges", () => {
    const out = new Uint8Array(8);
    assert.equal(encodeLatin1("aé", out, 0), 2);
    assert.equal(decodeLatin1(out, 0, 2), "aé");
    assert.equal(encodeLatin1("€", out, 0), NOT_ENCODABLE);
    assert.equal(encodeAscii("é", out, 0), NOT_ENCODABLE);
    assert.equal(encodeLatin1("123456789", out, 0), NO_ROOM);
  });

  it("chooses the smallest alphabet that holds the text", () => {
    assert.equal(chooseEncoding(""), ENCODING.gsm7);
    assert.equal(chooseEncoding("Hello {world} €"), ENCODING.gsm7);
    assert.equal(chooseEncoding("hello `"), ENCODING.ucs2);
    assert.equal(chooseEncoding("Привет"), ENCODING.ucs2);
    assert.deepEqual([0, 1, 2, 3].map(dataCodingOf), [0, 8, 3, 4]);
    assert.deepEqual([0, 1, 2, 3].map(encodingNameOf), ["gsm7", "ucs2", "latin1", "binary"]);
    assert.equal(encodeText(ENCODING.binary, "x", new Uint8Array(4), 0), NOT_ENCODABLE);
    assert.equal(decodeText(ENCODING.binary, hex("41ff"), 0, 2), "Aÿ");
  });
});

describe("segments", () => {
  it("uses the sizes of the standard", () => {
    const sizes = (udh: number): number[] =>
      [ENCODING.gsm7, ENCODING.ucs2, ENCODING.latin1].map((e) => segmentCapacity(e, udh));
    assert.deepEqual(sizes(0), [160, 140, 140]);
    assert.deepEqual(sizes(6), [153, 134, 134]);
    assert.deepEqual(sizes(7), [152, 132, 133]);
    assert.deepEqual(
      [4, 7, 9, 12].map((udh) => segmentCapacity(ENCODING.gsm7, udh)),
      [155, 152, 149, 146],
    );
    assert.equal(segmentCapacity(ENCODING.gsm7, 140), 0);
  });

  it("keeps 160 septets whole and cuts 161 into two", () => {
    assert.deepEqual(segments(ENCODING.gsm7, "a".repeat(160)).ends, [160]);
    assert.deepEqual(segments(ENCODING.gsm7, "a".repeat(161)).ends, [153, 161]);
    assert.deepEqual(segments(ENCODING.gsm7, "a".repeat(307)).ends, [153, 306, 307]);
    assert.deepEqual(
      segments(ENCODING.gsm7, "a".repeat(305), CONCAT_METHOD.udh16).ends,
      [152, 304, 305],
    );
    assert.deepEqual(segments(ENCODING.gsm7, "a".repeat(161), CONCAT_METHOD.sar).ends, [153, 161]);
    assert.deepEqual(segments(ENCODING.gsm7, "a".repeat(999), CONCAT_METHOD.payload).ends, [999]);
    assert.deepEqual(segments(ENCODING.ucs2, "ж".repeat(70)).ends, [140]);
    assert.deepEqual(segments(ENCODING.ucs2, "ж".repeat(71)).ends, [134, 142]);
    assert.deepEqual(segments(ENCODING.ucs2, "ж".repeat(71), CONCAT_METHOD.udh16).ends, [132, 142]);
    assert.deepEqual(segments(ENCODING.latin1, "é".repeat(141)).ends, [134, 141]);
    assert.deepEqual(segments(ENCODING.gsm7, "").ends, [0]);
  });

  it("never splits an escape", () => {
    assert.deepEqual(
      segments(ENCODING.gsm7, `${"a".repeat(152)}€${"b".repeat(20)}`).ends,
      [152, 174],
    );
    assert.deepEqual(
      segments(ENCODING.gsm7, `${"a".repeat(151)}€${"b".repeat(20)}`).ends,
      [153, 173],
    );
    const { bytes, ends } = segments(ENCODING.gsm7, "€".repeat(400));
    for (const end of ends) assert.notEqual(bytes[end - 1], 0x1b);
    assert.deepEqual(ends.slice(0, 2), [152, 304]);
  });

  it("never splits a surrogate pair", () => {
    assert.deepEqual(
      segments(ENCODING.ucs2, `${"ж".repeat(66)}😀${"ж".repeat(10)}`).ends,
      [132, 156],
    );
    assert.deepEqual(
      segments(ENCODING.ucs2, `${"ж".repeat(65)}😀${"ж".repeat(10)}`).ends,
      [134, 154],
    );
  });

  it("keeps symbols whole where that costs no segment", () => {
    const family = "👩‍👩‍👧‍👦";
    const cut = segments(ENCODING.ucs2, `${"ж".repeat(60)}${family}${"ж".repeat(10)}`);
    assert.deepEqual(cut.ends, [120, 162]);
    assert.deepEqual(
      segments(ENCODING.ucs2, `${"ж".repeat(65)}👍🏽${"ж".repeat(10)}`).ends,
      [130, 158],
    );
    assert.deepEqual(
      segments(ENCODING.ucs2, `${"ж".repeat(65)}🇺🇿${"ж".repeat(10)}`).ends,
      [130, 158],
    );
    assert.deepEqual(
      segments(ENCODING.ucs2, `${"ж".repeat(66)}e\u0301${"ж".repeat(10)}`).ends,
      [132, 156],
    );
    assert.deepEqual(
      segments(ENCODING.ucs2, `${"ж".repeat(65)}\u{1f1fa}${"ж".repeat(10)}`).ends,
      [134, 154],
    );
    // No room: 134 units fill two parts exactly, so the family is cut at a pair.
    const full = `${"ж".repeat(62)}${family}${"ж".repeat(134 - 62 - 11)}`;
    assert.deepEqual(segments(ENCODING.ucs2, full).ends, [134, 268]);
  });

  it("refuses more segments than allowed and sizes without room", () => {
    const bytes = new Uint8Array(2000).fill(0x61);
    const ends = new Uint16Array(255);
    const plan = (max: number, part: number, table = ends): number =>
      planSegments(ENCODING.gsm7, bytes, 0, bytes.length, 160, part, max, table);
    assert.equal(plan(13, 153), TOO_MANY_SEGMENTS);
    assert.equal(plan(14, 153), 14);
    assert.equal(plan(14, 153, new Uint16Array(13)), TOO_MANY_SEGMENTS);
    assert.equal(plan(0, 153), TOO_MANY_SEGMENTS);
    assert.equal(plan(255, 0), SEGMENT_TOO_SMALL);
    const escapes = encoded(ENCODING.gsm7, "€".repeat(100));
    assert.equal(
      planSegments(ENCODING.gsm7, escapes, 0, escapes.length, 160, 1, 255, ends),
      SEGMENT_TOO_SMALL,
    );
    const huge = new Uint8Array(65536);
    assert.equal(
      planByMethod(ENCODING.gsm7, huge, 0, 65536, CONCAT_METHOD.payload, 0, 255, ends),
      TOO_MANY_SEGMENTS,
    );
  });

  it("writes concatenation headers", () => {
    const out = new Uint8Array(8);
    assert.equal(writeConcatUdh8(out, 0x1a7, 3, 2), 6);
    assert.equal(toHex(out, 0, 6), "050003a70302");
    assert.equal(writeConcatUdh16(out, 0x1a7, 3, 2), 7);
    assert.equal(toHex(out, 0, 7), "06080401a70302");
  });
});
