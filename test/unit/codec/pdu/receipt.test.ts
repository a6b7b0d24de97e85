import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  decodeSm,
  isFinalState,
  isIntermediateNotification,
  isReceipt,
  MESSAGE_STATE,
  packedFillBits,
  packSeptets,
  parseReceipt,
  parseReceiptOf,
  RECEIPT_FLAG_ID_CONFLICT,
  RECEIPT_FLAG_STAT_UNRECOGNISED,
  RECEIPT_FLAG_STATE_CONFLICT,
  RECEIPT_SOURCE,
  RECEIPT_UNREADABLE,
  ReceiptView,
  resetSmView,
  SmView,
} from "../../../../src/codec/index.ts";
import { hex, latin1, VECTORS } from "../support/vectors.ts";

function parse(text: string, tlvHex = ""): ReceiptView & { result: number } {
  const bytes = Buffer.concat([Buffer.from(text, "latin1"), hex(tlvHex)]);
  const view = new ReceiptView();
  const result = parseReceipt(bytes, 0, text.length, text.length, bytes.length, false, view);
  return Object.assign(view, { result });
}

const idOf = (view: ReceiptView): string => latin1(view.idBytes, view.idStart, view.idEnd);
const textOf = (view: ReceiptView, start: number, end: number): string =>
  latin1(view.textBytes, start, end);

describe("receipts", () => {
  it("reads the layout of appendix B", () => {
    const view = parse(
      "id:0123456789 sub:001 dlvrd:001 submit date:2611212221 " +
        "done date:2611212222 stat:DELIVRD err:000 Text:hello id:9",
    );
    assert.equal(view.result, 0);
    assert.equal(idOf(view), "0123456789");
    assert.equal(view.idSource, RECEIPT_SOURCE.text);
    assert.equal(view.messageState, MESSAGE_STATE.DELIVERED);
    assert.equal(view.stateSource, RECEIPT_SOURCE.text);
    assert.equal(textOf(view, view.subStart, view.subEnd), "001");
    assert.equal(textOf(view, view.dlvrdStart, view.dlvrdEnd), "001");
    assert.equal(textOf(view, view.submitDateStart, view.submitDateEnd), "2611212221");
    assert.equal(textOf(view, view.doneDateStart, view.doneDateEnd), "2611212222");
    assert.equal(textOf(view, view.errStart, view.errEnd), "000");
    assert.equal(textOf(view, view.textStart, view.textEnd), "hello id:9");
    assert.equal(view.flags, 0);
  });

  it("accepts any case, order, spacing and missing keys", () => {
    const variants: [string, string, number][] = [
      ["ID:a-1_B STAT:undeliv", "a-1_B", MESSAGE_STATE.UNDELIVERABLE],
      ["stat:EXPIRED id:77", "77", MESSAGE_STATE.EXPIRED],
      ["id: 42 stat: REJECTD err: 01f", "42", MESSAGE_STATE.REJECTED],
      ["id:42\r\nstat:DELETED\n", "42", MESSAGE_STATE.DELETED],
      ["id:42,stat:ACCEPTD", "42,stat:ACCEPTD", -1],
      ["id:42, stat:ACCEPTD", "42", MESSAGE_STATE.ACCEPTED],
      ["  id:42   sub:1 stat:ENROUTE", "42", MESSAGE_STATE.ENROUTE],
      ["id:42 submit date:20261121222100 done date:261121222100 stat:BUFFRED", "42", 1],
      ["id:42 err: text:stat:DELIVRD", "42", -1],
      ["valid:1 grid:2 id:42 substat:9 stat:UNKNOWN", "42", MESSAGE_STATE.UNKNOWN],
      ["id:42 stat:DELIVERED", "42", MESSAGE_STATE.DELIVERED],
    ];
    for (const [text, id, state] of variants) {
      const view = parse(text);
      assert.equal(view.result, 0, text);
      assert.equal(idOf(view), id, text);
      assert.equal(view.messageState, state, text);
    }
  });

  it("keeps the first of repeated keys and reports an unknown word as UNKNOWN", () => {
    const view = parse("id:1 stat:WEIRD id:2 stat:DELIVRD");
    assert.equal(idOf(view), "1");
    assert.equal(view.messageState, MESSAGE_STATE.UNKNOWN);
    assert.equal(view.flags, RECEIPT_FLAG_STAT_UNRECOGNISED);
    assert.equal(textOf(view, view.statStart, view.statEnd), "WEIRD");
  });

  it("trusts TLVs over the text and says where they differ", () => {
    const bytes = hex(VECTORS.deliver_sm_receipt);
    const sm = new SmView();
    assert.equal(decodeSm(bytes, 0, bytes.length, sm), 0);
    assert.equal(isReceipt(sm.esmClass), true);
    const view = new ReceiptView();
    assert.equal(parseReceiptOf(sm, view), 0);
    assert.equal(idOf(view), "210ea19d");
    assert.equal(view.idSource, RECEIPT_SOURCE.tlv);
    assert.equal(textOf(view, view.textIdStart, view.textIdEnd), "554607005");
    assert.equal(view.messageState, MESSAGE_STATE.DELIVERED);
    assert.equal(view.stateSource, RECEIPT_SOURCE.tlv);
    assert.equal(view.networkErrorType, 3);
    assert.equal(view.networkErrorCode, 0);
    assert.equal(view.flags, RECEIPT_FLAG_ID_CONFLICT);
    const conflict = parse("id:1 stat:DELIVRD", "0427000105");
    assert.equal(conflict.messageState, MESSAGE_STATE.UNDELIVERABLE);
    assert.equal(conflict.flags, RECEIPT_FLAG_STATE_CONFLICT);
  });

  it("reads TLVs alone, and an id whose NUL is missing", () => {
    const view = parse("", "001e000261620427000102");
    assert.equal(idOf(view), "ab");
    assert.equal(view.messageState, MESSAGE_STATE.DELIVERED);
    assert.equal(parse("hello world").result, RECEIPT_UNREADABLE);
    assert.equal(parse("").result, RECEIPT_UNREADABLE);
    assert.equal(parse("", "0427000163").result, RECEIPT_UNREADABLE);
  });

  it("reads UCS-2 texts, message_payload and texts after a user data header", () => {
    const view = new ReceiptView();
    const sm = new SmView();
    const ucs2 = Buffer.from("id:Q9 stat:DELIVRD", "utf16le").swap16();
    resetSmView(sm, ucs2);
    sm.dataCoding = 8;
    sm.shortMessageEnd = ucs2.length;
    assert.equal(parseReceiptOf(sm, view), 0);
    assert.equal(idOf(view), "Q9");
    assert.equal(view.messageState, MESSAGE_STATE.DELIVERED);

    const ascii = Buffer.from("id:Q8 stat:EXPIRED");
    resetSmView(sm, ascii);
    sm.dataCoding = 8;
    sm.shortMessageEnd = ascii.length;
    assert.equal(parseReceiptOf(sm, view), 0);
    assert.equal(idOf(view), "Q8");

    const payload = Buffer.concat([hex("04240011"), Buffer.from("id:7 stat:DELETED")]);
    resetSmView(sm, payload);
    sm.tlvEnd = payload.length;
    assert.equal(parseReceiptOf(sm, view), 0);
    assert.equal(idOf(view), "7");

    const udh = Buffer.concat([hex("050003010201"), Buffer.from("id:6 stat:DELIVRD")]);
    resetSmView(sm, udh);
    sm.esmClass = 0x44;
    sm.shortMessageEnd = udh.length;
    assert.equal(parseReceiptOf(sm, view), 0);
    assert.equal(idOf(view), "6");
  });

  it("reads packed texts where nothing else can be read, behind a header too", () => {
    const septets = Buffer.from("id:a1b2c3 sub:001 stat:UNDELIV err:027 text:hi");
    for (const header of ["", "050003010201", "06080400010201"].map((text) => hex(text))) {
      const packed = new Uint8Array(200);
      packed.set(header);
      const fillBits = packedFillBits(header.length);
      const at = header.length;
      const octets = packSeptets(septets, 0, septets.length, fillBits, packed, at);
      const sm = new SmView();
      resetSmView(sm, packed);
      sm.esmClass = header.length === 0 ? 0x04 : 0x44;
      sm.shortMessageEnd = at + octets;
      const view = new ReceiptView();
      assert.equal(parseReceiptOf(sm, view), 0);
      assert.equal(idOf(view), "a1b2c3");
      assert.equal(view.messageState, MESSAGE_STATE.UNDELIVERABLE);
      assert.equal(textOf(view, view.errStart, view.errEnd), "027");
      sm.dataCoding = 4;
      assert.equal(parseReceiptOf(sm, view), RECEIPT_UNREADABLE, "octets are not septets");
    }
    const sm = new SmView();
    const long = new Uint8Array(4000).fill(0x41);
    resetSmView(sm, long);
    sm.shortMessageEnd = long.length;
    assert.equal(parseReceiptOf(sm, new ReceiptView()), RECEIPT_UNREADABLE);
  });

  it("tells receipts and final states apart", () => {
    assert.deepEqual([0, 0x04, 0x44, 0x07, 0x08, 0x20].map(isReceipt), [
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
    assert.equal(isIntermediateNotification(0x20), true);
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map(isFinalState), [
      false,
      false,
      true,
      true,
      true,
      true,
      false,
      true,
      true,
    ]);
  });
});
