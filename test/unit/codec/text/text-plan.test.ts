/** Texts as an SMSC wants them, read back as the SMSC and the handset would. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CONCAT_METHOD,
  decodeGsm7,
  decodeText,
  ENCODING,
  ENCODING_AUTO,
  NATIONAL_LANGUAGE,
  NOT_ENCODABLE,
  planText,
  referenceBits,
  TextPlan,
  type TextProfile,
  TOO_MANY_SEGMENTS,
  widened,
} from "../../../../src/codec/index.ts";
import { readBack } from "../support/read-plan.ts";

const { udh8, udh16, sar, sar16, payload } = CONCAT_METHOD;
const plan = new TextPlan(1600);

function profile(defaultEncoding: number, ...languages: number[]): TextProfile {
  return { defaultEncoding, languages };
}
const GSM7 = profile(ENCODING.gsm7);
const PACKED = profile(ENCODING.gsm7_packed);

describe("planText", () => {
  it("fills one SMS to the last septet in every spelling", () => {
    for (const [encoding, character, fits] of [
      [ENCODING.gsm7, "a", 160],
      [ENCODING.gsm7_packed, "a", 160],
      [ENCODING.latin1, "é", 160],
      [ENCODING.ascii, "a", 160],
      [ENCODING.ascii, "[", 80],
      [ENCODING.gsm7, "ж", 70],
    ] as const) {
      const text = character.repeat(fits);
      assert.equal(planText(plan, text, ENCODING_AUTO, profile(encoding), udh8, 255), 1);
      assert.equal(readBack(plan, profile(encoding), udh8), text);
      assert.equal(planText(plan, text + character, ENCODING_AUTO, GSM7, udh8, 255), 2);
    }
    planText(plan, "a".repeat(160), ENCODING_AUTO, PACKED, udh8, 255);
    assert.equal(plan.length, 140);
  });

  it("cuts by the header that each method needs", () => {
    const text = "x".repeat(153 * 3);
    for (const [method, parts, segments] of [
      [udh8, 3, 3],
      [udh16, 4, 4],
      [sar, 3, 3],
      [sar16, 4, 4],
      [payload, 1, 3],
    ] as const) {
      for (const wanted of [GSM7, PACKED, profile(ENCODING.latin1)]) {
        assert.equal(planText(plan, text, ENCODING_AUTO, wanted, method, 255), parts);
        assert.equal(plan.segmentCount, segments);
        assert.equal(readBack(plan, wanted, method), text);
      }
    }
    assert.equal(planText(plan, text, ENCODING_AUTO, GSM7, payload, 2), TOO_MANY_SEGMENTS);
  });

  it("packs behind the fill bits of a header with national tables too", () => {
    const wanted = profile(ENCODING.gsm7_packed, NATIONAL_LANGUAGE.turkish);
    const text = "ışıklı Şişli ".repeat(20);
    for (const method of [udh8, udh16]) {
      const parts = planText(plan, text, ENCODING_AUTO, wanted, method, 255);
      assert.ok(parts > 1 && plan.udhLength > 0);
      assert.equal(plan.encoding, ENCODING.gsm7_packed);
      assert.equal(readBack(plan, wanted, method), text);
      let from = 0;
      for (let part = 0; part < parts; part++) {
        const header = plan.udhLength - 1 + (method === udh16 ? 7 : 6);
        assert.ok(header + plan.ends[part]! - from <= 140);
        from = plan.ends[part]!;
      }
    }
  });

  it("prefers UCS-2 where national tables save nothing, and tables where they do", () => {
    const wanted = profile(ENCODING.gsm7, NATIONAL_LANGUAGE.spanish, NATIONAL_LANGUAGE.portuguese);
    assert.equal(planText(plan, "ação", ENCODING_AUTO, wanted, udh8, 10), 1);
    assert.equal(plan.encoding, ENCODING.ucs2);
    assert.equal(planText(plan, "ação ".repeat(20), ENCODING_AUTO, wanted, udh8, 10), 1);
    assert.equal(plan.encoding, ENCODING.gsm7);
    assert.equal(planText(plan, "ж", ENCODING.gsm7, wanted, udh8, 10), NOT_ENCODABLE);
    assert.equal(planText(plan, "plain", ENCODING_AUTO, wanted, udh8, 10), 1);
    assert.equal(plan.udhLength, 0);
  });

  it("reads back to the text with any alphabet, whatever was planned before", () => {
    planText(plan, "x".repeat(500), ENCODING.ucs2, GSM7, udh16, 255);
    planText(plan, "short", ENCODING.latin1, GSM7, udh8, 255);
    assert.deepEqual([plan.partCount, plan.dataCoding, plan.length], [1, 3, 5]);
    assert.equal(decodeText(ENCODING.latin1, plan.bytes, 0, 5), "short");
    planText(plan, "short", ENCODING_AUTO, GSM7, udh8, 255);
    assert.equal(decodeGsm7(plan.bytes, 0, plan.length), "short");
  });
});

describe("methods", () => {
  it("have references of 8 or 16 bits, and wider ones to turn to", () => {
    assert.deepEqual([udh8, udh16, sar, sar16, payload].map(referenceBits), [8, 16, 8, 16, 0]);
    assert.deepEqual([udh8, udh16, sar, sar16, payload].map(widened), [
      udh16,
      udh16,
      sar16,
      sar16,
      payload,
    ]);
  });
});
