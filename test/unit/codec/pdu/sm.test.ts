import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  COMMAND_ID,
  DEFECT_SM_LENGTH,
  DEFECT_TLV_STREAM,
  decodeSm,
  encodeSm,
  FIELD_ILLEGAL,
  FIELD_TOO_LONG,
  findTlv,
  NO_ROOM,
  PAYLOAD_CONFLICT,
  readTlvInteger,
  resetSmView,
  SHORT_MESSAGE_TOO_LONG,
  SM_FLAG_LENGTH_255,
  SM_FLAG_LONG_STRING,
  SmView,
  TLV_TAG,
  tlvLengthAt,
  writeConcatUdh8,
} from "../../../../src/codec/index.ts";
import { hex, latin1, toHex, VECTORS } from "../support/vectors.ts";

function decoded(digits: string): SmView {
  const bytes = hex(digits);
  const view = new SmView();
  assert.equal(decodeSm(bytes, 0, bytes.length, view), 0);
  return view;
}

/** A record with source, destination and text, and a view over it. */
function record(text: string, tlvHex = ""): SmView {
  const tlvs = hex(tlvHex);
  const body = Buffer.from(`ACME447700900123${text}`, "latin1");
  const view = new SmView();
  resetSmView(view, new Uint8Array(Buffer.concat([body, tlvs])));
  view.sourceAddrTon = 5;
  view.sourceAddrEnd = 4;
  view.destAddrTon = 1;
  view.destAddrNpi = 1;
  view.destinationAddrStart = 4;
  view.destinationAddrEnd = 16;
  view.shortMessageStart = 16;
  view.shortMessageEnd = view.tlvStart = body.length;
  view.tlvEnd = body.length + tlvs.length;
  return view;
}

describe("decodeSm", () => {
  it("reads every field of a submit_sm", () => {
    const view = decoded(VECTORS.submit_sm_gsm7);
    const text = (start: number, end: number): string => latin1(view.bytes, start, end);
    assert.equal(text(view.serviceTypeStart, view.serviceTypeEnd), "");
    assert.equal(view.sourceAddrTon, 5);
    assert.equal(view.sourceAddrNpi, 0);
    assert.equal(text(view.sourceAddrStart, view.sourceAddrEnd), "ACME");
    assert.equal(view.destAddrTon, 1);
    assert.equal(view.destAddrNpi, 1);
    assert.equal(text(view.destinationAddrStart, view.destinationAddrEnd), "447700900123");
    assert.equal(view.esmClass, 0);
    assert.equal(text(view.validityPeriodStart, view.validityPeriodEnd), "000000000500000R");
    assert.equal(view.registeredDelivery, 1);
    assert.equal(view.dataCoding, 0);
    assert.equal(
      toHex(view.bytes, view.shortMessageStart, view.shortMessageEnd),
      "48656c6c6f201b651b28",
    );
    assert.equal(view.tlvStart, view.tlvEnd);
    assert.equal(view.flags, 0);
  });

  it("reads UDH, sar_* and message_payload", () => {
    const udh = decoded(VECTORS.submit_sm_udh_ucs2);
    assert.equal(udh.esmClass, 0x40);
    assert.equal(udh.dataCoding, 8);
    assert.equal(udh.shortMessageEnd - udh.shortMessageStart, 14);
    const sar = decoded(VECTORS.submit_sm_sar);
    const at = findTlv(sar.bytes, sar.tlvStart, sar.tlvEnd, TLV_TAG.sar_msg_ref_num);
    assert.equal(readTlvInteger(sar.bytes, at), 0x1234);
    const payload = decoded(VECTORS.submit_sm_payload);
    const value = findTlv(payload.bytes, payload.tlvStart, payload.tlvEnd, TLV_TAG.message_payload);
    assert.equal(tlvLengthAt(payload.bytes, value), 2);
    assert.equal(latin1(payload.bytes, value, value + 2), "hi");
  });

  it("works at any offset and stops at the end of the PDU, not of the buffer", () => {
    const pdu = hex(VECTORS.submit_sm_gsm7);
    const bytes = new Uint8Array(pdu.length + 200).fill(0x41);
    bytes.set(pdu, 77);
    const view = new SmView();
    assert.equal(decodeSm(bytes, 77, 77 + pdu.length, view), 0);
    assert.equal(view.shortMessageEnd, 77 + pdu.length);
    for (let end = 77 + 16; end < 77 + pdu.length; end++) {
      assert.ok(decodeSm(bytes, 77, end, view) < 0, `cut at ${end}`);
    }
  });

  it("names a short message and a TLV that reach beyond the end", () => {
    const bytes = hex(VECTORS.submit_sm_sar);
    const view = new SmView();
    assert.equal(decodeSm(bytes, 0, bytes.length - 18, view), DEFECT_SM_LENGTH);
    assert.equal(decodeSm(bytes, 0, bytes.length - 1, view), DEFECT_TLV_STREAM);
    assert.equal(view.tlvEnd, bytes.length - 5);
    assert.equal(latin1(bytes, view.shortMessageStart, view.shortMessageEnd), "part1");
  });

  it("takes long strings and sm_length 255, and flags them", () => {
    const text = "x".repeat(255);
    const body = Buffer.concat([
      Buffer.alloc(16),
      Buffer.from(`TOOLONG\0\x05\0${"S".repeat(40)}\0\x01\x01449\0\0\0\0\0\0\0\0\0\0`, "latin1"),
      Buffer.from([255]),
      Buffer.from(text),
    ]);
    const view = new SmView();
    assert.equal(decodeSm(body, 0, body.length, view), 0);
    assert.equal(view.flags, SM_FLAG_LONG_STRING | SM_FLAG_LENGTH_255);
    assert.equal(view.sourceAddrEnd - view.sourceAddrStart, 40);
    assert.equal(latin1(body, view.shortMessageStart, view.shortMessageEnd), text);
  });
});

describe("encodeSm", () => {
  it("writes every vector back byte for byte", () => {
    const out = new Uint8Array(512);
    const vectors = [
      ["submit_sm", VECTORS.submit_sm_gsm7, 2],
      ["submit_sm", VECTORS.submit_sm_udh_ucs2, 3],
      ["submit_sm", VECTORS.submit_sm_sar, 4],
      ["submit_sm", VECTORS.submit_sm_payload, 5],
      ["deliver_sm", VECTORS.deliver_sm_receipt, 7],
    ] as const;
    for (const [name, digits, sequence] of vectors) {
      const length = encodeSm(COMMAND_ID[name], out, 9, sequence, decoded(digits), null, 0);
      assert.equal(toHex(out, 9, 9 + length), digits);
    }
  });

  it("puts the user data header before the text and sets UDHI", () => {
    const udh = new Uint8Array(8);
    const out = new Uint8Array(512);
    const view = record("hello");
    const length = encodeSm(
      COMMAND_ID.submit_sm,
      out,
      0,
      1,
      view,
      udh,
      writeConcatUdh8(udh, 7, 2, 1),
    );
    const back = decoded(toHex(out, 0, length));
    assert.equal(back.esmClass, 0x40);
    assert.equal(
      toHex(out, back.shortMessageStart, back.shortMessageEnd),
      "05000307020168656c6c6f",
    );
  });

  it("refuses what the spec forbids", () => {
    const out = new Uint8Array(1024);
    const encode = (view: SmView, id: number = COMMAND_ID.submit_sm): number =>
      encodeSm(id, out, 0, 1, view, null, 0);
    const long = record("x".repeat(254));
    assert.ok(encode(long) > 0);
    assert.equal(encode(record("x".repeat(255))), SHORT_MESSAGE_TOO_LONG);
    assert.equal(
      encodeSm(COMMAND_ID.submit_sm, out, 0, 1, long, new Uint8Array(6), 6),
      SHORT_MESSAGE_TOO_LONG,
    );
    long.sourceAddrEnd = 21;
    assert.equal(encode(long), FIELD_TOO_LONG);
    const nul = record("x");
    nul.bytes[5] = 0;
    assert.equal(encode(nul), FIELD_ILLEGAL);
    const integer = record("x");
    integer.dataCoding = 256;
    assert.equal(encode(integer), FIELD_ILLEGAL);
    integer.dataCoding = -1;
    assert.equal(encode(integer), FIELD_ILLEGAL);
    const time = record("x".repeat(20));
    time.validityPeriodStart = 16;
    time.validityPeriodEnd = 31;
    assert.equal(encode(time), FIELD_ILLEGAL);
    time.validityPeriodEnd = 32;
    assert.ok(encode(time) > 0);
    assert.equal(encode(time, COMMAND_ID.deliver_sm), FIELD_ILLEGAL);
    assert.equal(encode(record("x", "042400026869")), PAYLOAD_CONFLICT);
    assert.ok(encode(record("", "042400026869")) > 0);
    const inverted = record("x");
    inverted.shortMessageEnd = 3;
    assert.equal(encode(inverted), FIELD_ILLEGAL);
  });

  it("needs exactly the room of the PDU and never writes beyond it", () => {
    const view = record("hello", "020a00020001");
    const length = encodeSm(COMMAND_ID.submit_sm, new Uint8Array(256), 0, 1, view, null, 0);
    for (let room = 0; room < length; room++) {
      const result = encodeSm(COMMAND_ID.submit_sm, new Uint8Array(room), 0, 1, view, null, 0);
      assert.equal(result, NO_ROOM);
    }
    const guarded = new Uint8Array(length + 10).fill(0xee);
    assert.equal(encodeSm(COMMAND_ID.submit_sm, guarded, 5, 1, view, null, 0), length);
    assert.equal(toHex(guarded, 0, 5), "eeeeeeeeee");
    assert.equal(toHex(guarded, length + 5), "eeeeeeeeee");
  });
});
