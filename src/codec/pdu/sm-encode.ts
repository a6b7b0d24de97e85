/**
 * Encodes submit_sm and deliver_sm straight into an output buffer, from an SmView over a record.
 *
 * Encoding is strict: what this refuses, a lenient decoder may still have accepted. Short ranges
 * are copied byte by byte, because `set(subarray())` would allocate. Pure; any thread may call it.
 */
import { COMMAND_ID } from "./command-id.ts";
import { ESM_CLASS } from "./field-values.ts";
import { HEADER_LENGTH, writeHeader } from "./frame.ts";
import {
  FIELD_ILLEGAL,
  FIELD_TOO_LONG,
  NO_ROOM,
  PAYLOAD_CONFLICT,
  SHORT_MESSAGE_TOO_LONG,
} from "./sentinels.ts";
import type { SmView } from "./sm-view.ts";
import { findTlv } from "./tlv.ts";
import { TLV_TAG } from "./tlv-tag.ts";

/** short_message's largest length in SMPP v3.4 (spec 5.2.21). */
export const SHORT_MESSAGE_LENGTH_MAX = 254;

/** Fixed octets of the body: five NULs, eleven one-octet integers and sm_length. */
const FIXED_BODY_LENGTH = 17;
/** From this length on, one native copy beats a loop although it allocates a view. */
const NATIVE_COPY_LENGTH_MIN = 512;

/**
 * Copies bytes [start, end) to out at `at`; returns the offset after it. The caller checked the
 * room. Four octets a turn: the loop's own work costs as much as a copy.
 */
export function copyRange(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (end - start >= NATIVE_COPY_LENGTH_MIN) {
    out.set(bytes.subarray(start, end), at);
    return at + end - start;
  }
  let from = start;
  for (const stop = end - 3; from < stop; from += 4, at += 4) {
    out[at] = bytes[from]!;
    out[at + 1] = bytes[from + 1]!;
    out[at + 2] = bytes[from + 2]!;
    out[at + 3] = bytes[from + 3]!;
  }
  for (; from < end; from++, at++) out[at] = bytes[from]!;
  return at;
}

/**
 * Copies a range and the NUL after it; returns the offset after the NUL, or 0 if the range holds a
 * NUL.
 */
function copyCString(
  out: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  for (; start < end; start++, at++) {
    const byte = bytes[start]!;
    if (byte === 0) return 0;
    out[at] = byte;
  }
  out[at] = 0;
  return at + 1;
}

/** Checks what the spec allows and returns the length of the whole PDU, or a sentinel. */
function measureSm(commandId: number, view: SmView, udhLength: number): number {
  const serviceType = view.serviceTypeEnd - view.serviceTypeStart;
  const source = view.sourceAddrEnd - view.sourceAddrStart;
  const destination = view.destinationAddrEnd - view.destinationAddrStart;
  const schedule = view.scheduleDeliveryTimeEnd - view.scheduleDeliveryTimeStart;
  const validity = view.validityPeriodEnd - view.validityPeriodStart;
  const shortMessage = view.shortMessageEnd - view.shortMessageStart;
  const tlvs = view.tlvEnd - view.tlvStart;
  if (serviceType > 5 || source > 20 || destination > 20) return FIELD_TOO_LONG;
  // Each time is empty or exactly 16 characters, so `length & 15` must vanish and 16 is the end.
  if (schedule > 16 || validity > 16 || ((schedule | validity) & 15) !== 0) return FIELD_ILLEGAL;
  if ((serviceType | source | destination | schedule | validity | shortMessage | tlvs) < 0) {
    return FIELD_ILLEGAL;
  }
  const integers =
    view.sourceAddrTon |
    view.sourceAddrNpi |
    view.destAddrTon |
    view.destAddrNpi |
    view.esmClass |
    view.protocolId |
    view.priorityFlag |
    view.registeredDelivery |
    view.replaceIfPresentFlag |
    view.dataCoding |
    view.smDefaultMsgId;
  if (integers >>> 0 > 255) return FIELD_ILLEGAL;
  if (shortMessage + udhLength > SHORT_MESSAGE_LENGTH_MAX) return SHORT_MESSAGE_TOO_LONG;
  if (commandId === COMMAND_ID.deliver_sm) {
    // Spec 4.6.1: these fields are unused in deliver_sm and must be NULL.
    if ((schedule | validity | view.replaceIfPresentFlag | view.smDefaultMsgId) !== 0) {
      return FIELD_ILLEGAL;
    }
  }
  if (tlvs > 0 && shortMessage + udhLength > 0) {
    if (findTlv(view.bytes, view.tlvStart, view.tlvEnd, TLV_TAG.message_payload) >= 0) {
      return PAYLOAD_CONFLICT;
    }
  }
  return (
    HEADER_LENGTH +
    FIXED_BODY_LENGTH +
    serviceType +
    source +
    destination +
    schedule +
    validity +
    udhLength +
    shortMessage +
    tlvs
  );
}

/**
 * Encodes a whole submit_sm or deliver_sm into `out` at `at` and returns its length in octets.
 *
 * Strings, text and TLVs are the view's ranges of `view.bytes`. If `udhLength` > 0, that many
 * octets of `udh` go before the text, and esm_class gets the UDHI bit. Negative results: NO_ROOM,
 * FIELD_TOO_LONG, FIELD_ILLEGAL, SHORT_MESSAGE_TOO_LONG, PAYLOAD_CONFLICT; `out` may then hold part
 * of a PDU.
 */
export function encodeSm(
  commandId: number,
  out: Uint8Array,
  at: number,
  sequenceNumber: number,
  view: SmView,
  udh: Uint8Array | null,
  udhLength: number,
): number {
  const headLength = udh === null ? 0 : udhLength;
  const length = measureSm(commandId, view, headLength);
  if (length < 0) return length;
  if (at + length > out.length) return NO_ROOM;
  const bytes = view.bytes;
  writeHeader(out, at, length, commandId, 0, sequenceNumber);

  let p = copyCString(out, at + HEADER_LENGTH, bytes, view.serviceTypeStart, view.serviceTypeEnd);
  if (p === 0) return FIELD_ILLEGAL;
  out[p] = view.sourceAddrTon;
  out[p + 1] = view.sourceAddrNpi;
  p = copyCString(out, p + 2, bytes, view.sourceAddrStart, view.sourceAddrEnd);
  if (p === 0) return FIELD_ILLEGAL;
  out[p] = view.destAddrTon;
  out[p + 1] = view.destAddrNpi;
  p = copyCString(out, p + 2, bytes, view.destinationAddrStart, view.destinationAddrEnd);
  if (p === 0) return FIELD_ILLEGAL;
  out[p] = headLength > 0 ? view.esmClass | ESM_CLASS.udhi : view.esmClass;
  out[p + 1] = view.protocolId;
  out[p + 2] = view.priorityFlag;
  p = copyCString(out, p + 3, bytes, view.scheduleDeliveryTimeStart, view.scheduleDeliveryTimeEnd);
  if (p === 0) return FIELD_ILLEGAL;
  p = copyCString(out, p, bytes, view.validityPeriodStart, view.validityPeriodEnd);
  if (p === 0) return FIELD_ILLEGAL;
  out[p] = view.registeredDelivery;
  out[p + 1] = view.replaceIfPresentFlag;
  out[p + 2] = view.dataCoding;
  out[p + 3] = view.smDefaultMsgId;
  out[p + 4] = headLength + view.shortMessageEnd - view.shortMessageStart;
  p += 5;
  if (udh !== null) {
    for (let i = 0; i < headLength; i++) out[p + i] = udh[i]!;
    p += headLength;
  }
  p = copyRange(out, p, bytes, view.shortMessageStart, view.shortMessageEnd);
  copyRange(out, p, bytes, view.tlvStart, view.tlvEnd);
  return length;
}
