/**
 * Decodes submit_sm and deliver_sm (one layout, spec 4.4.1 and 4.6.1) into a reusable SmView.
 *
 * Reads are bounded by the PDU's end, never by the buffer's: the NUL searches and the fixed fields
 * check `end` themselves. Long strings are taken and flagged; a broken TLV stream is reported after
 * everything before it was decoded. Pure; any thread may call it with a view of its own.
 */
import { HEADER_LENGTH } from "./frame.ts";
import {
  DEFECT_SM_LENGTH,
  DEFECT_TLV_STREAM,
  DEFECT_TRUNCATED,
  DEFECT_UNTERMINATED,
} from "./sentinels.ts";
import { SM_FLAG_LENGTH_255, SM_FLAG_LONG_STRING, type SmView } from "./sm-view.ts";
import { tlvStreamEnd } from "./tlv.ts";

/**
 * Decodes the PDU in bytes [start, end), whose frame has been checked, into `into`.
 *
 * Returns 0, or the negative DEFECT_… that stopped it. After DEFECT_TLV_STREAM every mandatory
 * field is valid and tlvEnd ends the last whole TLV, so a caller may choose to accept the message.
 */
export function decodeSm(bytes: Uint8Array, start: number, end: number, into: SmView): number {
  into.bytes = bytes;
  into.flags = 0;
  // Negative as soon as one string is longer than the spec allows.
  let long = 0;
  let from = start + HEADER_LENGTH;
  let at = from;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.serviceTypeStart = from;
  into.serviceTypeEnd = at;
  long |= 5 - (at - from);

  if (at + 3 >= end) return DEFECT_TRUNCATED;
  into.sourceAddrTon = bytes[at + 1]!;
  into.sourceAddrNpi = bytes[at + 2]!;
  at = from = at + 3;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.sourceAddrStart = from;
  into.sourceAddrEnd = at;
  long |= 20 - (at - from);

  if (at + 3 >= end) return DEFECT_TRUNCATED;
  into.destAddrTon = bytes[at + 1]!;
  into.destAddrNpi = bytes[at + 2]!;
  at = from = at + 3;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.destinationAddrStart = from;
  into.destinationAddrEnd = at;
  long |= 20 - (at - from);

  if (at + 4 >= end) return DEFECT_TRUNCATED;
  into.esmClass = bytes[at + 1]!;
  into.protocolId = bytes[at + 2]!;
  into.priorityFlag = bytes[at + 3]!;
  at = from = at + 4;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.scheduleDeliveryTimeStart = from;
  into.scheduleDeliveryTimeEnd = at;
  long |= 16 - (at - from);

  at = from = at + 1;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.validityPeriodStart = from;
  into.validityPeriodEnd = at;
  long |= 16 - (at - from);
  // The last of the five octets after the NUL is sm_length.
  if (at + 5 >= end) return DEFECT_TRUNCATED;
  into.registeredDelivery = bytes[at + 1]!;
  into.replaceIfPresentFlag = bytes[at + 2]!;
  into.dataCoding = bytes[at + 3]!;
  into.smDefaultMsgId = bytes[at + 4]!;
  const smLength = bytes[at + 5]!;
  at += 6;
  into.shortMessageStart = at;
  at += smLength;
  if (at > end) return DEFECT_SM_LENGTH;
  into.shortMessageEnd = into.tlvStart = at;

  if (long < 0) into.flags = SM_FLAG_LONG_STRING;
  if (smLength === 255) into.flags |= SM_FLAG_LENGTH_255;
  into.tlvEnd = end;
  if (at === end) return 0;
  into.tlvEnd = tlvStreamEnd(bytes, at, end);
  return into.tlvEnd === end ? 0 : DEFECT_TLV_STREAM;
}
