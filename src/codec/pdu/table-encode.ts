/**
 * Encodes any PDU by the table of shapes. For the PDUs without a specialised function, for tools
 * and for tests; nothing is thrown.
 *
 * Strict: lengths, times, integer ranges and the lengths of known TLVs follow the specification.
 * Missing fields are written as 0 or empty. Pure; any thread may call it.
 */
import { COMMAND_ID, commandNameOf, isResponseId } from "./command-id.ts";
import { HEADER_LENGTH, writeHeader, writeUint32 } from "./frame.ts";
import type { DestAddress, FieldValue, Pdu, Tlv, UnsuccessSme } from "./pdu.ts";
import { type FieldShape, PDU_SHAPES } from "./pdu-shapes.ts";
import {
  DEFECT_COMMAND_ID,
  FIELD_ILLEGAL,
  FIELD_TOO_LONG,
  NO_ROOM,
  PAYLOAD_CONFLICT,
  SHORT_MESSAGE_TOO_LONG,
} from "./sentinels.ts";
import { SHORT_MESSAGE_LENGTH_MAX } from "./sm-encode.ts";
import { writeTlvBytes } from "./tlv.ts";
import { TLV_SHAPES, TLV_TAG, tlvNameOf } from "./tlv-tag.ts";

/** The most dest_addresses of one submit_multi (spec 5.2.24). */
export const DESTS_MAX = 254;

const NO_OCTETS = new Uint8Array(0);

/**
 * Each writer returns the offset after what it wrote, or a sentinel; a sentinel as `at` passes
 * through.
 */
function writeInteger(out: Uint8Array, at: number, value: number, octets: 1 | 4): number {
  if (at < 0) return at;
  if (!Number.isInteger(value) || value < 0) return FIELD_ILLEGAL;
  if (value > (octets === 1 ? 0xff : 0xffffffff)) return FIELD_ILLEGAL;
  if (at + octets > out.length) return NO_ROOM;
  if (octets === 1) out[at] = value;
  else writeUint32(out, at, value);
  return at + octets;
}

function writeCString(out: Uint8Array, at: number, value: Uint8Array, lengthMax: number): number {
  if (at < 0) return at;
  if (value.length >= lengthMax) return FIELD_TOO_LONG;
  if (value.includes(0)) return FIELD_ILLEGAL;
  if (at + value.length + 1 > out.length) return NO_ROOM;
  out.set(value, at);
  out[at + value.length] = 0;
  return at + value.length + 1;
}

function writeMessage(out: Uint8Array, at: number, value: Uint8Array): number {
  if (value.length > SHORT_MESSAGE_LENGTH_MAX) return SHORT_MESSAGE_TOO_LONG;
  if (at + 1 + value.length > out.length) return NO_ROOM;
  out[at] = value.length;
  out.set(value, at + 1);
  return at + 1 + value.length;
}

function writeDests(out: Uint8Array, at: number, dests: readonly DestAddress[]): number {
  if (dests.length > DESTS_MAX) return FIELD_TOO_LONG;
  let p = writeInteger(out, at, dests.length, 1);
  for (const dest of dests) {
    p = writeInteger(out, p, dest.destFlag, 1);
    if (dest.destFlag === 1) {
      p = writeInteger(out, p, dest.destAddrTon, 1);
      p = writeInteger(out, p, dest.destAddrNpi, 1);
      p = writeCString(out, p, dest.destinationAddr, 21);
    } else {
      p = writeCString(out, p, dest.dlName, 21);
    }
  }
  return p;
}

function writeFailures(out: Uint8Array, at: number, failures: readonly UnsuccessSme[]): number {
  let p = writeInteger(out, at, failures.length, 1);
  for (const failure of failures) {
    p = writeInteger(out, p, failure.destAddrTon, 1);
    p = writeInteger(out, p, failure.destAddrNpi, 1);
    p = writeCString(out, p, failure.destinationAddr, 21);
    p = writeInteger(out, p, failure.errorStatusCode, 4);
  }
  return p;
}

function isOctets(value: FieldValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array;
}

function writeField(
  out: Uint8Array,
  at: number,
  shape: FieldShape,
  value: FieldValue | undefined,
): number {
  if (shape.kind === "integer") {
    const number = value ?? 0;
    return typeof number === "number" ? writeInteger(out, at, number, shape.octets) : FIELD_ILLEGAL;
  }
  if (shape.kind === "dests" || shape.kind === "failures") {
    if (value !== undefined && !Array.isArray(value)) return FIELD_ILLEGAL;
    return shape.kind === "dests"
      ? writeDests(out, at, (value ?? []) as readonly DestAddress[])
      : writeFailures(out, at, (value ?? []) as readonly UnsuccessSme[]);
  }
  const octets = value ?? NO_OCTETS;
  if (!isOctets(octets)) return FIELD_ILLEGAL;
  if (shape.kind === "message") return writeMessage(out, at, octets);
  if (shape.kind === "cstring") return writeCString(out, at, octets, shape.lengthMax);
  if (octets.length !== 0 && octets.length !== 16) return FIELD_ILLEGAL;
  return writeCString(out, at, octets, 17);
}

function writeTlv(out: Uint8Array, at: number, tlv: Tlv): number {
  const name = tlvNameOf(tlv.tag);
  if (tlv.tag < 0 || tlv.tag > 0xffff) return FIELD_ILLEGAL;
  if (name !== undefined) {
    const shape = TLV_SHAPES[name];
    if (tlv.value.length > shape.lengthMax) return FIELD_TOO_LONG;
    if (tlv.value.length < shape.lengthMin) return FIELD_ILLEGAL;
  }
  return writeTlvBytes(out, at, tlv.tag, tlv.value, 0, tlv.value.length);
}

/** The relations between fields that the spec demands beyond each field's own range. */
function checkRelations(pdu: Pdu): number {
  const message = pdu.fields["short_message"];
  if (isOctets(message) && message.length > 0) {
    if (pdu.tlvs.some((tlv) => tlv.tag === TLV_TAG.message_payload)) return PAYLOAD_CONFLICT;
  }
  if (pdu.commandId === COMMAND_ID.deliver_sm) {
    const { schedule_delivery_time: schedule, validity_period: validity } = pdu.fields;
    if (
      (isOctets(schedule) && schedule.length > 0) ||
      (isOctets(validity) && validity.length > 0)
    ) {
      return FIELD_ILLEGAL;
    }
    if (pdu.fields["replace_if_present_flag"] || pdu.fields["sm_default_msg_id"]) {
      return FIELD_ILLEGAL;
    }
  }
  return 0;
}

/**
 * Encodes `pdu` into `out` at `at` and returns its length, or NO_ROOM, FIELD_TOO_LONG,
 * FIELD_ILLEGAL, SHORT_MESSAGE_TOO_LONG, PAYLOAD_CONFLICT, or DEFECT_COMMAND_ID for an id that v3.4
 * does not define.
 *
 * A response without any field is written as a header alone; so is a bind or submit_sm response
 * with a status other than 0 (spec 4.1.2, 4.4.2).
 */
export function encodePdu(out: Uint8Array, at: number, pdu: Pdu): number {
  const name = commandNameOf(pdu.commandId);
  if (name === undefined) return DEFECT_COMMAND_ID;
  if (at + HEADER_LENGTH > out.length) return NO_ROOM;
  const shape = PDU_SHAPES[name];
  const isBare =
    (isResponseId(pdu.commandId) &&
      Object.keys(pdu.fields).length === 0 &&
      pdu.tlvs.length === 0) ||
    (shape.bodyOnlyIfOk && pdu.commandStatus !== 0);
  let p = at + HEADER_LENGTH;
  if (!isBare) {
    const relation = checkRelations(pdu);
    if (relation < 0) return relation;
    for (const field of shape.fields) {
      p = writeField(out, p, field, pdu.fields[field.name]);
      if (p < 0) return p;
    }
    for (const tlv of pdu.tlvs) {
      p = writeTlv(out, p, tlv);
      if (p < 0) return p;
    }
  }
  writeHeader(out, at, p - at, pdu.commandId, pdu.commandStatus, pdu.sequenceNumber);
  return p - at;
}
