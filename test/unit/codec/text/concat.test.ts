import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CONCAT_METHOD,
  ConcatInfo,
  type ReassembledMessage,
  Reassembler,
  readConcatInfo,
  resetSmView,
  SmView,
} from "../../../../src/codec/index.ts";
import { createRandom } from "../support/random-pdu.ts";
import { hex, latin1 } from "../support/vectors.ts";

const ADDRESSES = "ACME447700900123";

/** A view with fixed addresses, the given octets as short message, and TLVs. */
function part(message: Uint8Array, esmClass = 0, tlvHex = "", source = "ACME"): SmView {
  const view = new SmView();
  const head = Buffer.from(source + ADDRESSES.slice(4));
  const bytes = Buffer.concat([head, message, hex(tlvHex)]);
  resetSmView(view, bytes);
  view.sourceAddrEnd = view.destinationAddrStart = source.length;
  view.destinationAddrEnd = view.shortMessageStart = head.length;
  view.shortMessageEnd = view.tlvStart = head.length + message.length;
  view.tlvEnd = bytes.length;
  view.esmClass = esmClass;
  return view;
}

function infoOf(view: SmView): ConcatInfo {
  const info = new ConcatInfo();
  readConcatInfo(view, info);
  return info;
}

const textOf = (view: SmView, info: ConcatInfo): string =>
  latin1(view.bytes, info.textStart, info.textEnd);

describe("readConcatInfo", () => {
  it("reads 8-bit, 16-bit and sar_* concatenation", () => {
    const udh8 = part(hex("050003a7020161"), 0x40);
    assert.deepEqual(pickPart(infoOf(udh8)), [CONCAT_METHOD.udh8, 0xa7, 2, 1]);
    assert.equal(textOf(udh8, infoOf(udh8)), "a");
    const udh16 = part(hex("0608041234030262"), 0x40);
    assert.deepEqual(pickPart(infoOf(udh16)), [CONCAT_METHOD.udh16, 0x1234, 3, 2]);
    const sar = part(hex("63"), 0, "020c00021234020e000102020f000101");
    assert.deepEqual(pickPart(infoOf(sar)), [CONCAT_METHOD.sar, 0x1234, 2, 1]);
    const incomplete = part(hex("63"), 0, "020c00021234020e000102");
    assert.deepEqual(pickPart(infoOf(incomplete)), [-1, 0, 1, 1]);
  });

  it("reads ports and shifts beside it, in any order", () => {
    const info = infoOf(part(hex("1105040b8424012401012501010003010201616161"), 0x40));
    assert.equal(info.destinationPort, 0x0b84);
    assert.equal(info.sourcePort, 0x2401);
    assert.deepEqual([info.singleShift, info.lockingShift], [1, 1]);
    assert.deepEqual(pickPart(info), [CONCAT_METHOD.udh8, 1, 2, 1]);
  });

  it("takes broken headers for text and impossible parts for whole messages", () => {
    const long = part(hex("4000031122"), 0x40);
    assert.equal(textOf(long, infoOf(long)).length, 5);
    for (const digits of ["050003a7000161", "050003a7020061", "050003a7020361"]) {
      const info = infoOf(part(hex(digits), 0x40));
      assert.equal(info.method, -1, digits);
      assert.equal(info.textEnd - info.textStart, 1);
    }
    const cut = infoOf(part(hex("0400ff010261"), 0x40));
    assert.equal(cut.method, -1);
    assert.equal(infoOf(part(new Uint8Array(0), 0x40)).method, -1);
  });

  it("finds the text in message_payload", () => {
    const view = part(new Uint8Array(0), 0x40, "04240008050003a702016869");
    const info = infoOf(view);
    assert.equal(textOf(view, info), "hi");
    assert.equal(info.method, CONCAT_METHOD.udh8);
  });
});

function pickPart(info: ConcatInfo): number[] {
  return [info.method, info.reference, info.total, info.sequence];
}

describe("Reassembler", () => {
  const bounds = { messagesMax: 4, bytesMax: 1000, timeoutMs: 1000 };
  const udh = (reference: number, total: number, sequence: number, text: string): SmView =>
    part(
      Buffer.concat([Buffer.from([5, 0, 3, reference, total, sequence]), Buffer.from(text)]),
      0x40,
    );
  const add = (
    reassembler: Reassembler,
    view: SmView,
    nowMs = 0,
    givenUp: ReassembledMessage[] = [],
  ): string | null => {
    const whole = reassembler.add(view, infoOf(view), nowMs, givenUp);
    return whole === null ? null : latin1(whole.text, 0, whole.text.length);
  };

  it("joins parts in every order, indifferent to duplicates", () => {
    for (const order of [
      [1, 2, 3],
      [1, 3, 2],
      [2, 1, 3],
      [2, 3, 1],
      [3, 1, 2],
      [3, 2, 1],
    ]) {
      const reassembler = new Reassembler(bounds);
      const texts = ["", "one ", "two ", "three"];
      assert.equal(add(reassembler, udh(9, 3, order[0]!, texts[order[0]!]!)), null);
      assert.equal(add(reassembler, udh(9, 3, order[0]!, texts[order[0]!]!)), null);
      assert.equal(add(reassembler, udh(9, 3, order[1]!, texts[order[1]!]!)), null);
      assert.equal(add(reassembler, udh(9, 3, order[2]!, texts[order[2]!]!)), "one two three");
      assert.deepEqual([reassembler.pendingCount, reassembler.pendingBytes], [0, 0]);
    }
  });

  it("keeps references, methods, totals and senders apart", () => {
    const reassembler = new Reassembler(bounds);
    assert.equal(add(reassembler, udh(1, 2, 1, "a")), null);
    assert.equal(add(reassembler, udh(2, 2, 2, "b")), null);
    const sar = part(Buffer.from("c"), 0, "020c00020001020e000102020f000102");
    assert.equal(add(reassembler, sar), null);
    const elsewhere = part(hex("05000301020264"), 0x40, "", "OTHER");
    assert.equal(add(reassembler, elsewhere), null);
    assert.equal(add(reassembler, udh(1, 2, 2, "z")), "az");
    const rest = part(Buffer.from("y"), 0, "020c00020001020e000102020f000101");
    assert.equal(add(reassembler, rest), "yc");
  });

  it("gives up what is too old, and the oldest when full", () => {
    const reassembler = new Reassembler(bounds);
    const givenUp: ReassembledMessage[] = [];
    add(reassembler, udh(1, 2, 1, "old"), 0, givenUp);
    add(reassembler, udh(2, 2, 1, "young"), 600, givenUp);
    reassembler.expire(999, givenUp);
    assert.equal(givenUp.length, 0);
    reassembler.expire(1000, givenUp);
    assert.deepEqual(
      givenUp.map((m) => latin1(m.text, 0, m.text.length)),
      ["old"],
    );
    assert.deepEqual([givenUp[0]!.partCount, givenUp[0]!.total], [1, 2]);
    // A part of the same key after the timeout begins a new message.
    assert.equal(add(reassembler, udh(2, 2, 2, "late"), 1700, givenUp), null);
    assert.equal(givenUp.length, 2);
    for (let reference = 10; reference < 20; reference++) {
      add(reassembler, udh(reference, 2, 1, "x"), 1800, givenUp);
      assert.ok(reassembler.pendingCount <= bounds.messagesMax);
    }
    add(reassembler, udh(30, 9, 1, "y".repeat(600)), 1900, givenUp);
    add(reassembler, udh(31, 9, 1, "y".repeat(600)), 1900, givenUp);
    assert.ok(reassembler.pendingBytes <= bounds.bytesMax);
  });

  it("survives random parts without exceeding its bounds", () => {
    const random = createRandom(21);
    const reassembler = new Reassembler(bounds);
    for (let i = 0; i < 20_000; i++) {
      const view = udh(random(6), 1 + random(5), 1 + random(5), "t".repeat(random(140)));
      const info = infoOf(view);
      if (info.method >= 0) reassembler.add(view, info, i, []);
      assert.ok(reassembler.pendingCount <= bounds.messagesMax);
      assert.ok(reassembler.pendingBytes <= bounds.bytesMax);
    }
  });
});
