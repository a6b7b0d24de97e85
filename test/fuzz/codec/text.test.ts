/**
 * Texts of random Unicode: encoded, cut, joined and decoded again; no broken character, no wrong
 * size. FUZZ_TEXTS and FUZZ_SEED override.
 */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import {
  CONCAT_METHOD,
  chooseEncoding,
  concatHeaderLength,
  decodeText,
  ENCODING,
  encodeText,
  gsm7Length,
  packSeptets,
  planByMethod,
  segmentCapacity,
  ENCODING_AUTO,
  NATIONAL_LANGUAGE,
  planText,
  TextPlan,
  unpackSeptets,
} from "../../../src/codec/index.ts";
import { readBack } from "../../unit/codec/support/read-plan.ts";
import { createRandom, pick, type Random } from "../../unit/codec/support/random-pdu.ts";

const count = Number(process.env["FUZZ_TEXTS"] ?? 50_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 7);

const smpp = createRequire(import.meta.url)("smpp") as {
  gsmCoder: { GSM: { charRegex: RegExp } };
};

const PIECES = [
  "a",
  "Z",
  " ",
  "@",
  "€",
  "{",
  "]",
  "^",
  "~",
  "\n",
  "é",
  "Ω",
  "ñ",
  "ç",
  "`",
  "ж",
  "你",
  "ı",
  "ÿ",
  "😀",
  "👩‍👩‍👧‍👦",
  "🇺🇿",
  "e\u0301",
  "👍🏽",
  "\u200d",
  "\ufe0f",
  "\u{10ffff}",
  "\ud7ff",
  "\ue000",
  "\ufffd",
] as const;

function randomText(random: Random): string {
  const pieces = random(3) === 0 ? PIECES.slice(0, 13) : PIECES;
  let text = "";
  const length = random(random(8) === 0 ? 1500 : 200);
  while (text.length < length) {
    text +=
      random(4) === 0
        ? pick(random, pieces)
        : pick(random, ["abc ", "x", "7", ...pieces.slice(0, 9)]);
  }
  return text;
}

const bytes = new Uint8Array(8192);
const joined = new Uint8Array(8192);
const packed = new Uint8Array(256);
const plan = new TextPlan(4096);
const DEFAULT_ENCODINGS = [ENCODING.gsm7, ENCODING.gsm7_packed, ENCODING.latin1, ENCODING.ascii];
const METHODS = Object.values(CONCAT_METHOD);
const ends = new Uint16Array(255);

function checkSegments(text: string, encoding: number, length: number, method: number): void {
  const parts = planByMethod(encoding, bytes, 0, length, method, 0, 255, ends);
  assert.ok(parts >= 1);
  const capacity =
    parts === 1
      ? segmentCapacity(encoding, 0)
      : segmentCapacity(encoding, concatHeaderLength(method));
  let from = 0;
  let at = 0;
  for (let i = 0; i < parts; i++) {
    const end = ends[i]!;
    assert.ok(end > from || length === 0, "a segment is empty");
    if (method !== CONCAT_METHOD.payload)
      assert.ok(end - from <= capacity, "a segment is too long");
    // Each segment decodes on its own: neither an escape nor a pair is broken.
    at += encodeText(encoding, decodeText(encoding, bytes, from, end), joined, at);
    from = end;
  }
  assert.equal(from, length);
  assert.equal(decodeText(encoding, joined, 0, at), text, "the parts do not make the text");
  if (parts > 1) {
    const least = Math.ceil(length / capacity);
    assert.ok(parts <= least + Math.ceil(parts / 60) + 1, `${parts} parts where ${least} might do`);
  }
}

/** Plans the text for a random SMSC and reads it back as that SMSC and the handset would. */
function checkPlan(text: string, random: Random): void {
  const method = pick(random, METHODS);
  const defaultEncoding = pick(random, DEFAULT_ENCODINGS);
  const isGsm = defaultEncoding === ENCODING.gsm7 || defaultEncoding === ENCODING.gsm7_packed;
  const hasHeader = method === CONCAT_METHOD.udh8 || method === CONCAT_METHOD.udh16;
  const { turkish, portuguese } = NATIONAL_LANGUAGE;
  const profile = { defaultEncoding, languages: isGsm && hasHeader ? [turkish, portuguese] : [] };
  const parts = planText(plan, text, ENCODING_AUTO, profile, method, 255);
  assert.ok(parts >= 1);
  const read = readBack(plan, profile, method);
  if (read === text) return;
  // A packed part that ends in CR on an octet cannot be told from its padding (TS 23.038, 6.1.2.3).
  assert.equal(plan.encoding, ENCODING.gsm7_packed);
  assert.equal(read.replaceAll("\r", ""), text.replaceAll("\r", ""));
}

describe(`texts: ${count} random ones, seed ${seed}`, () => {
  it("survive encoding, cutting and joining", () => {
    const random = createRandom(seed);
    for (let i = 0; i < count; i++) {
      const text = randomText(random);
      const encoding = chooseEncoding(text);
      const isGsm7 = smpp.gsmCoder.GSM.charRegex.test(text);
      assert.equal(encoding, isGsm7 ? ENCODING.gsm7 : ENCODING.ucs2, `text ${i}`);
      const length = encodeText(encoding, text, bytes, 0);
      assert.equal(length, isGsm7 ? gsm7Length(text) : text.length * 2, `text ${i}`);
      assert.equal(decodeText(encoding, bytes, 0, length), text, `text ${i}`);
      checkSegments(text, encoding, length, i % 4);
      checkPlan(text, random);
      if (isGsm7 && length <= 160) {
        const octets = packSeptets(bytes, 0, length, 0, packed, 0);
        const back = unpackSeptets(packed, 0, octets, 0, joined, 0);
        // A text whose last septet is a CR in the place of padding loses it; no other may.
        if (!(length % 8 === 0 && bytes[length - 1] === 0x0d)) assert.equal(back, length);
        assert.equal(Buffer.compare(joined.subarray(0, back), bytes.subarray(0, back)), 0);
      }
    }
  });
});
