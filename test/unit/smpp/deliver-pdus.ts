/** deliver_sm and data_sm as an SMSC would send them, byte by byte, for tests. */
import { COMMAND_ID } from "../../../src/codec/index.ts";

export function tlv(tag: number, value: string): Uint8Array {
  const out = Buffer.alloc(4 + value.length);
  out.writeUInt16BE(tag, 0);
  out.writeUInt16BE(value.length, 2);
  out.write(value, 4, "latin1");
  return out;
}

function pdu(commandId: number, sequenceNumber: number, body: Uint8Array): Uint8Array {
  const out = Buffer.alloc(16 + body.length);
  out.writeUInt32BE(out.length, 0);
  out.writeUInt32BE(commandId, 4);
  out.writeUInt32BE(sequenceNumber, 12);
  out.set(body, 16);
  return out;
}

const ADDRESSES = Buffer.from("\0\x01\x01447700900123\0\x05\0ACME\0", "latin1");

export function deliverSm(
  sequenceNumber: number,
  esmClass: number,
  text: string,
  ...tlvs: Uint8Array[]
): Uint8Array {
  const fixed = Uint8Array.from([esmClass, 0, 0, 0, 0, 0, 0, 0, 0, text.length]);
  const body = Buffer.concat([ADDRESSES, fixed, Buffer.from(text, "latin1"), ...tlvs]);
  return pdu(COMMAND_ID.deliver_sm, sequenceNumber, body);
}

export function dataSm(
  sequenceNumber: number,
  esmClass: number,
  ...tlvs: Uint8Array[]
): Uint8Array {
  const body = Buffer.concat([ADDRESSES, Uint8Array.from([esmClass, 0, 0]), ...tlvs]);
  return pdu(COMMAND_ID.data_sm, sequenceNumber, body);
}
