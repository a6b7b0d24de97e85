import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  FIELD_TOO_LONG,
  findTlv,
  firstTlv,
  NO_ROOM,
  nextTlv,
  readTlvInteger,
  readTlvs,
  SAR_TLVS_LENGTH,
  TLV_TAG,
  tlvCStringEnd,
  tlvLengthAt,
  tlvStreamEnd,
  tlvTagAt,
  writeSarTlvs,
  writeTlvBytes,
  writeTlvInteger,
} from "../../../../src/codec/index.ts";
import { hex, latin1, toHex } from "../support/vectors.ts";

const stream = hex("0204000212340381000301013103810002013214000000001e000361620000170004800000ff");

describe("TLVs in place", () => {
  it("are walked in order, repeated tags included", () => {
    const seen: [number, number][] = [];
    for (
      let v = firstTlv(stream, 0, stream.length);
      v >= 0;
      v = nextTlv(stream, v, stream.length)
    ) {
      seen.push([tlvTagAt(stream, v), tlvLengthAt(stream, v)]);
    }
    assert.deepEqual(seen, [
      [0x0204, 2],
      [0x0381, 3],
      [0x0381, 2],
      [0x1400, 0],
      [0x001e, 3],
      [0x0017, 4],
    ]);
    assert.deepEqual(
      readTlvs(stream, 0, stream.length).map((tlv) => [tlv.tag, tlv.value.length]),
      seen,
    );
  });

  it("are found by tag, the next one of a tag from the end of the last", () => {
    const end = stream.length;
    const first = findTlv(stream, 0, end, TLV_TAG.callback_num);
    assert.equal(toHex(stream, first, first + tlvLengthAt(stream, first)), "010131");
    const second = findTlv(stream, first + tlvLengthAt(stream, first), end, TLV_TAG.callback_num);
    assert.equal(toHex(stream, second, second + tlvLengthAt(stream, second)), "0132");
    assert.equal(findTlv(stream, 0, end, TLV_TAG.message_state), -1);
    const ttl = findTlv(stream, 0, end, TLV_TAG.qos_time_to_live);
    assert.equal(readTlvInteger(stream, ttl), 0x800000ff);
    const id = findTlv(stream, 0, end, TLV_TAG.receipted_message_id);
    assert.equal(latin1(stream, id, tlvCStringEnd(stream, id)), "ab");
  });

  it("end where the stream is cut", () => {
    const ends = [6, 13, 19, 23, 30, 38];
    for (let cut = 0; cut <= stream.length; cut++) {
      const sound = ends.filter((end) => end <= cut).at(-1) ?? 0;
      assert.equal(tlvStreamEnd(stream, 0, cut), sound, `cut at ${cut}`);
      assert.equal(findTlv(stream, 0, cut, TLV_TAG.qos_time_to_live), cut === 38 ? 34 : -1);
    }
    assert.equal(firstTlv(stream, 0, 3), -1);
    assert.equal(firstTlv(stream, 0, 5), -1);
  });

  it("are written with their room checked", () => {
    const out = new Uint8Array(20);
    assert.equal(writeSarTlvs(out, 1, 0x1234, 3, 2), 1 + SAR_TLVS_LENGTH);
    assert.equal(toHex(out, 1, 17), "020c00021234020e000103020f000102");
    assert.equal(writeSarTlvs(out, 5, 1, 2, 1), NO_ROOM);
    assert.equal(writeTlvInteger(out, 0, TLV_TAG.qos_time_to_live, 0x80000001, 4), 8);
    assert.equal(toHex(out, 0, 8), "0017000480000001");
    assert.equal(writeTlvInteger(out, 13, TLV_TAG.qos_time_to_live, 1, 4), NO_ROOM);
    assert.equal(writeTlvBytes(out, 0, 0x1400, hex("aabbcc"), 1, 3), 6);
    assert.equal(toHex(out, 0, 6), "14000002bbcc");
    assert.equal(writeTlvBytes(out, 17, 0x1400, hex("aa"), 0, 1), NO_ROOM);
    assert.equal(writeTlvBytes(out, 0, 0x1400, new Uint8Array(65_536), 0, 65_536), FIELD_TOO_LONG);
  });
});
