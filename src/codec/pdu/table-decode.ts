/**
 * Decodes any PDU by the table of shapes. For the PDUs without a specialised function, for tools
 * and for tests; it allocates the object that it returns, and never throws.
 *
 * Lenient: C-octet strings longer than the spec's maximum are taken and flagged; a response may
 * lack its body whatever its status, and its last string may lack the NUL; TLVs are read on every
 * PDU. Every read is bounded by the PDU's end. Pure; any thread may call it.
 */
import { commandNameOf, isResponseId } from "./command-id.ts";
import { HEADER_LENGTH, readUint16, readUint32 } from "./frame.ts";
import {
  type DestAddress,
  type FieldValue,
  PDU_FLAG_LENGTH_255,
  PDU_FLAG_LONG_STRING,
  PDU_FLAG_UNTERMINATED,
  type Pdu,
  type Tlv,
  type UnsuccessSme,
} from "./pdu.ts";
import { type FieldShape, PDU_SHAPES, type PduShape } from "./pdu-shapes.ts";
import {
  DEFECT_COMMAND_ID,
  DEFECT_DEST_FLAG,
  DEFECT_SM_LENGTH,
  DEFECT_TLV_STREAM,
  DEFECT_TRUNCATED,
  DEFECT_UNTERMINATED,
} from "./sentinels.ts";
import { tlvStreamEnd } from "./tlv.ts";

/** Where reading stands; `at` becomes a negative sentinel when a field does not fit. */
interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
  flags: number;
}

function readInteger(cursor: Cursor, octets: 1 | 4): number {
  const at = cursor.at;
  if (at + octets > cursor.end) {
    cursor.at = DEFECT_TRUNCATED;
    return 0;
  }
  cursor.at = at + octets;
  return octets === 1 ? cursor.bytes[at]! : readUint32(cursor.bytes, at);
}

/** Reads to the NUL; `mayEnd` accepts the PDU's end in its place. */
function readCString(cursor: Cursor, lengthMax: number, mayEnd: boolean): Uint8Array {
  const start = cursor.at;
  let at = start;
  while (at < cursor.end && cursor.bytes[at] !== 0) at++;
  const value = cursor.bytes.subarray(start, at);
  if (at - start >= lengthMax) cursor.flags |= PDU_FLAG_LONG_STRING;
  if (at < cursor.end) {
    cursor.at = at + 1;
  } else if (mayEnd) {
    cursor.flags |= PDU_FLAG_UNTERMINATED;
    cursor.at = at;
  } else {
    cursor.at = DEFECT_UNTERMINATED;
  }
  return value;
}

function readMessage(cursor: Cursor): Uint8Array {
  const length = readInteger(cursor, 1);
  if (cursor.at < 0) return cursor.bytes.subarray(0, 0);
  const start = cursor.at;
  if (start + length > cursor.end) {
    cursor.at = DEFECT_SM_LENGTH;
    return cursor.bytes.subarray(start, start);
  }
  if (length === 255) cursor.flags |= PDU_FLAG_LENGTH_255;
  cursor.at = start + length;
  return cursor.bytes.subarray(start, start + length);
}

function readDests(cursor: Cursor): DestAddress[] {
  const count = readInteger(cursor, 1);
  const dests: DestAddress[] = [];
  for (let i = 0; i < count && cursor.at >= 0; i++) {
    const destFlag = readInteger(cursor, 1);
    if (cursor.at < 0) break;
    if (destFlag === 1) {
      const destAddrTon = readInteger(cursor, 1);
      const destAddrNpi = cursor.at < 0 ? 0 : readInteger(cursor, 1);
      if (cursor.at < 0) break;
      const destinationAddr = readCString(cursor, 21, false);
      dests.push({ destFlag, destAddrTon, destAddrNpi, destinationAddr });
    } else if (destFlag === 2) {
      dests.push({ destFlag, dlName: readCString(cursor, 21, false) });
    } else {
      cursor.at = DEFECT_DEST_FLAG;
    }
  }
  return dests;
}

function readFailures(cursor: Cursor): UnsuccessSme[] {
  const count = readInteger(cursor, 1);
  const failures: UnsuccessSme[] = [];
  for (let i = 0; i < count && cursor.at >= 0; i++) {
    const destAddrTon = readInteger(cursor, 1);
    if (cursor.at < 0) break;
    const destAddrNpi = readInteger(cursor, 1);
    if (cursor.at < 0) break;
    const destinationAddr = readCString(cursor, 21, false);
    if (cursor.at < 0) break;
    const errorStatusCode = readInteger(cursor, 4);
    failures.push({ destAddrTon, destAddrNpi, destinationAddr, errorStatusCode });
  }
  return failures;
}

function readField(cursor: Cursor, shape: FieldShape, mayEnd: boolean): FieldValue {
  switch (shape.kind) {
    case "integer":
      return readInteger(cursor, shape.octets);
    case "cstring":
      return readCString(cursor, shape.lengthMax, mayEnd);
    case "time":
      return readCString(cursor, 17, mayEnd);
    case "message":
      return readMessage(cursor);
    case "dests":
      return readDests(cursor);
    case "failures":
      return readFailures(cursor);
  }
}

function readBody(cursor: Cursor, shape: PduShape, isResponse: boolean, pdu: Pdu): number {
  const last = shape.fields.length - 1;
  for (let i = 0; i <= last; i++) {
    const field = shape.fields[i]!;
    const value = readField(cursor, field, isResponse && i === last);
    if (cursor.at < 0) return cursor.at;
    pdu.fields[field.name] = value;
  }
  return 0;
}

/**
 * Decodes the PDU in bytes [start, end), whose frame has been checked, into an object over those
 * bytes. Returns a negative DEFECT_… instead if it cannot; an unknown command id is
 * DEFECT_COMMAND_ID.
 */
export function decodePdu(bytes: Uint8Array, start: number, end: number): Pdu | number {
  if (end - start < HEADER_LENGTH || end > bytes.length) return DEFECT_TRUNCATED;
  const commandId = readUint32(bytes, start + 4);
  const name = commandNameOf(commandId);
  if (name === undefined) return DEFECT_COMMAND_ID;
  const pdu: Pdu = {
    commandId,
    commandStatus: readUint32(bytes, start + 8),
    sequenceNumber: readUint32(bytes, start + 12),
    fields: {},
    tlvs: [],
    flags: 0,
  };
  const cursor: Cursor = { bytes, at: start + HEADER_LENGTH, end, flags: 0 };
  const isResponse = isResponseId(commandId);
  if (cursor.at === end && isResponse) return pdu;
  const result = readBody(cursor, PDU_SHAPES[name], isResponse, pdu);
  if (result < 0) return result;
  pdu.flags = cursor.flags;
  if (tlvStreamEnd(bytes, cursor.at, end) !== end) return DEFECT_TLV_STREAM;
  pdu.tlvs = readTlvs(bytes, cursor.at, end);
  return pdu;
}

/**
 * All TLVs in [start, end), in order, over the same bytes; stops at the first that does not fit.
 */
export function readTlvs(bytes: Uint8Array, start: number, end: number): Tlv[] {
  const tlvs: Tlv[] = [];
  const stop = tlvStreamEnd(bytes, start, end);
  for (let at = start; at < stop; ) {
    const length = readUint16(bytes, at + 2);
    tlvs.push({ tag: readUint16(bytes, at), value: bytes.subarray(at + 4, at + 4 + length) });
    at += 4 + length;
  }
  return tlvs;
}
