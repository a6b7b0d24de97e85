/**
 * What the fuzzer runs a mutant through, and what must hold: every function of the receiving side.
 *
 * A target returns a digest of all it read. The harness runs it twice with different octets around
 * the mutant: a digest that changes has read beyond the PDU.
 */
import {
  ConcatInfo,
  decodeBind,
  decodeBindResp,
  decodeDataSm,
  decodePdu,
  decodeSm,
  DEFECT_TLV_STREAM,
  encodePdu,
  encodeSm,
  findTlv,
  firstTlv,
  messageIdEnd,
  nextTlv,
  parseReceiptOf,
  type Pdu,
  readConcatInfo,
  readFrame,
  readTlvInteger,
  ReceiptView,
  recogniseForeign,
  SmView,
  tlvCStringEnd,
  tlvLengthAt,
  tlvTagAt,
} from "../../../src/codec/index.ts";

/** Throws a Violation or returns a digest; `end` is the mutant's, the buffer goes on. */
export type Target = (bytes: Uint8Array, start: number, end: number) => number;

/** A promise of the codec that did not hold. */
export class Violation extends Error {
  override name = "Violation";
}

function expectRange(name: string, start: number, end: number, from: number, to: number): void {
  if (!(from <= to && from >= start && to <= end)) {
    throw new Violation(`${name} is [${from}, ${to}) in [${start}, ${end})`);
  }
}

function fold(hash: number, value: number): number {
  if (!Number.isInteger(value)) throw new Violation(`a field reads ${value}`);
  return (Math.imul(hash, 31) + value) | 0;
}

function foldRange(hash: number, bytes: Uint8Array, from: number, to: number): number {
  let h = hash;
  for (let i = from; i < to; i++) h = fold(h, bytes[i]!);
  return fold(h, to - from);
}

const view = new SmView();
const receipt = new ReceiptView();
const info = new ConcatInfo();
const out = new Uint8Array(80_000);

export type SmDecoder = typeof decodeSm;

/** decodeSm, then all that reads from its view; `decoder` may be a planted one. */
export function smTarget(decoder: SmDecoder): Target {
  return (bytes, start, end) => {
    const result = decoder(bytes, start, end, view);
    let h = fold(0, result);
    if (result !== 0 && result !== DEFECT_TLV_STREAM) return h;
    const ranges: [string, number, number][] = [
      ["service_type", view.serviceTypeStart, view.serviceTypeEnd],
      ["source_addr", view.sourceAddrStart, view.sourceAddrEnd],
      ["destination_addr", view.destinationAddrStart, view.destinationAddrEnd],
      ["schedule", view.scheduleDeliveryTimeStart, view.scheduleDeliveryTimeEnd],
      ["validity", view.validityPeriodStart, view.validityPeriodEnd],
      ["short_message", view.shortMessageStart, view.shortMessageEnd],
      ["tlvs", view.tlvStart, view.tlvEnd],
    ];
    for (const [name, from, to] of ranges) {
      expectRange(name, start, end, from, to);
      h = foldRange(h, bytes, from, to);
    }
    h = fold(h, view.esmClass);
    h = fold(h, view.dataCoding);
    h = fold(h, foldTlvs(bytes, view.tlvStart, view.tlvEnd));
    h = fold(h, parseReceiptOf(view, receipt));
    h = foldRange(h, receipt.idBytes, receipt.idStart, receipt.idEnd);
    h = foldRange(h, receipt.textBytes, receipt.statStart, receipt.statEnd);
    h = fold(h, receipt.messageState);
    readConcatInfo(view, info);
    expectRange("text", start, end, info.textStart, info.textEnd);
    h = fold(fold(h, info.method), info.sequence);
    h = fold(h, encodeSm(4, out, 0, 1, view, null, 0) < 0 ? 1 : 0);
    return h;
  };
}

function foldTlvs(bytes: Uint8Array, start: number, end: number): number {
  let h = 0;
  for (let v = firstTlv(bytes, start, end); v >= 0; v = nextTlv(bytes, v, end)) {
    expectRange("TLV", start, end, v, v + tlvLengthAt(bytes, v));
    expectRange("TLV string", start, end, v, tlvCStringEnd(bytes, v));
    h = fold(fold(h, tlvTagAt(bytes, v)), readTlvInteger(bytes, v) | 0);
    if (findTlv(bytes, start, end, tlvTagAt(bytes, v)) < 0) throw new Violation("TLV got lost");
  }
  return h;
}

function foldPdu(hash: number, pdu: Pdu): number {
  let h = fold(hash, pdu.flags);
  for (const value of Object.values(pdu.fields)) {
    if (typeof value === "number") h = fold(h, value | 0);
    else if (value instanceof Uint8Array) h = foldRange(h, value, 0, value.length);
    else h = fold(h, value.length);
  }
  for (const tlv of pdu.tlvs) h = foldRange(fold(h, tlv.tag), tlv.value, 0, tlv.value.length);
  return h;
}

/**
 * decodePdu; what it accepts is encoded, if strictness allows, and must decode to the same again.
 */
export const tableTarget: Target = (bytes, start, end) => {
  const pdu = decodePdu(bytes, start, end);
  if (typeof pdu === "number") return fold(0, pdu);
  const h = foldPdu(0, pdu);
  const length = encodePdu(out, 0, pdu);
  if (length < 0) return fold(h, length);
  const again = decodePdu(out, 0, length);
  const isBare = Object.keys(pdu.fields).length === 0 || pdu.commandStatus !== 0;
  if (typeof again === "number") throw new Violation(`encoded PDU gives ${again}`);
  if (!isBare && pdu.flags === 0 && foldPdu(0, again) !== h)
    throw new Violation("round trip differs");
  return h;
};

const bind = {
  systemId: "",
  password: "",
  systemType: "",
  interfaceVersion: 0,
  addrTon: 0,
  addrNpi: 0,
  addressRange: "",
};
const bindResp = { systemId: "", scInterfaceVersion: -1 };

/** Framing, responses and binds. */
export const sessionTarget: Target = (bytes, start, end) => {
  const length = readFrame(bytes, start, end);
  if (length > end - start) throw new Violation("the frame is longer than what has arrived");
  let h = fold(0, length);
  recogniseForeign(bytes, start, end);
  const idEnd = messageIdEnd(bytes, start, end);
  if (end - start >= 16) expectRange("message_id", start, end, start + 16, idEnd);
  if (end - start < 16) return h;
  h = fold(h, idEnd);
  h = fold(h, decodeBind(bytes, start, end, bind));
  h = fold(h, bind.systemId.length + bind.addressRange.length);
  h = fold(h, decodeBindResp(bytes, start, end, bindResp));
  return fold(h, bindResp.systemId.length);
};

/** Everything, with our own decoder. */
export const targets: readonly Target[] = [
  sessionTarget,
  smTarget(decodeSm),
  smTarget(decodeDataSm),
  tableTarget,
];
