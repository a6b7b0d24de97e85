/**
 * Reads where a received message stands in a concatenation, by user data header or by sar_* TLVs,
 * and what else its header says.
 *
 * Headers are hostile input: every element is bounded by the header's length, and that by the text.
 * Pure; a ConcatInfo belongs to one thread, which reuses it.
 */
import { ESM_CLASS } from "../pdu/field-values.ts";
import type { SmView } from "../pdu/sm-view.ts";
import { findTlv, readTlvInteger, tlvLengthAt } from "../pdu/tlv.ts";
import { TLV_TAG } from "../pdu/tlv-tag.ts";
import { CONCAT_METHOD } from "./segment.ts";
import { UDH_IE } from "./udh.ts";

export class ConcatInfo {
  /** CONCAT_METHOD udh8, udh16 or sar; -1 for a message that stands alone. */
  method = -1;
  reference = 0;
  total = 1;
  /** Counts from 1. */
  sequence = 1;
  /** NATIONAL_LANGUAGE values of the header's shifts, 0 for none. */
  lockingShift = 0;
  singleShift = 0;
  /** 16-bit application ports of the header, -1 for none. */
  destinationPort = -1;
  sourcePort = -1;
  /**
   * The text without its header: a range of the view's bytes, in short_message or message_payload.
   */
  textStart = 0;
  textEnd = 0;
}

function takeElement(
  bytes: Uint8Array,
  id: number,
  at: number,
  length: number,
  into: ConcatInfo,
): void {
  if (id === UDH_IE.concat_8 && length === 3) {
    setPart(into, CONCAT_METHOD.udh8, bytes[at]!, bytes[at + 1]!, bytes[at + 2]!);
  } else if (id === UDH_IE.concat_16 && length === 4) {
    const reference = (bytes[at]! << 8) | bytes[at + 1]!;
    setPart(into, CONCAT_METHOD.udh16, reference, bytes[at + 2]!, bytes[at + 3]!);
  } else if (id === UDH_IE.port_16 && length === 4) {
    into.destinationPort = (bytes[at]! << 8) | bytes[at + 1]!;
    into.sourcePort = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  } else if (id === UDH_IE.national_single_shift && length === 1) {
    into.singleShift = bytes[at]!;
  } else if (id === UDH_IE.national_locking_shift && length === 1) {
    into.lockingShift = bytes[at]!;
  }
}

/** A part numbered 0, or beyond the total, is taken for a whole message (TS 23.040, 9.2.3.24.1). */
function setPart(
  into: ConcatInfo,
  method: number,
  reference: number,
  total: number,
  sequence: number,
): void {
  if (total < 1 || sequence < 1 || sequence > total) return;
  into.method = method;
  into.reference = reference;
  into.total = total;
  into.sequence = sequence;
}

function takeHeader(bytes: Uint8Array, into: ConcatInfo): void {
  const headerEnd = into.textStart + 1 + bytes[into.textStart]!;
  // A header longer than the text is no header: the octets are all text.
  if (headerEnd > into.textEnd) return;
  let at = into.textStart + 1;
  while (at + 2 <= headerEnd) {
    const length = bytes[at + 1]!;
    if (at + 2 + length > headerEnd) break;
    takeElement(bytes, bytes[at]!, at + 2, length, into);
    at += 2 + length;
  }
  into.textStart = headerEnd;
}

function takeSar(view: SmView, into: ConcatInfo): void {
  const { bytes, tlvStart, tlvEnd } = view;
  const reference = findTlv(bytes, tlvStart, tlvEnd, TLV_TAG.sar_msg_ref_num);
  const total = findTlv(bytes, tlvStart, tlvEnd, TLV_TAG.sar_total_segments);
  const sequence = findTlv(bytes, tlvStart, tlvEnd, TLV_TAG.sar_segment_seqnum);
  // Spec 5.3.2.22: all three, or none counts.
  if (reference < 0 || total < 0 || sequence < 0) return;
  setPart(
    into,
    CONCAT_METHOD.sar,
    readTlvInteger(bytes, reference) & 0xffff,
    readTlvInteger(bytes, total),
    readTlvInteger(bytes, sequence),
  );
}

/** Reads a decoded submit_sm or deliver_sm into `into`; never fails. */
export function readConcatInfo(view: SmView, into: ConcatInfo): void {
  into.method = -1;
  into.reference = 0;
  into.total = into.sequence = 1;
  into.lockingShift = into.singleShift = 0;
  into.destinationPort = into.sourcePort = -1;
  into.textStart = view.shortMessageStart;
  into.textEnd = view.shortMessageEnd;
  if (into.textEnd === into.textStart) {
    const payload = findTlv(view.bytes, view.tlvStart, view.tlvEnd, TLV_TAG.message_payload);
    if (payload >= 0) {
      into.textStart = payload;
      into.textEnd = payload + tlvLengthAt(view.bytes, payload);
    }
  }
  if ((view.esmClass & ESM_CLASS.udhi) !== 0 && into.textEnd > into.textStart) {
    takeHeader(view.bytes, into);
  }
  if (into.method < 0 && view.tlvEnd > view.tlvStart) takeSar(view, into);
}
