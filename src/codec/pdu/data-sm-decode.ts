/**
 * Decodes data_sm (spec 4.7.1) into the same reusable SmView as deliver_sm, so that receipts and
 * inbound messages that come by data_sm take the same way: its text is in the TLV message_payload.
 *
 *   service_type | ton npi source_addr | ton npi destination_addr | esm_class rd dc | tlvs
 *
 * Reads are bounded by the PDU's end. Pure; any thread may call it with a view of its own.
 */
import { HEADER_LENGTH } from "./frame.ts";
import { DEFECT_TLV_STREAM, DEFECT_TRUNCATED, DEFECT_UNTERMINATED } from "./sentinels.ts";
import { resetSmView, SM_FLAG_LONG_STRING, type SmView } from "./sm-view.ts";
import { tlvStreamEnd } from "./tlv.ts";

/** The longest address in data_sm, without its NUL. */
const ADDRESS_LENGTH_MAX = 64;

/**
 * Decodes the PDU in bytes [start, end), whose frame has been checked, into `into`; what data_sm
 * does not have reads as empty or 0. Returns 0 or a DEFECT_… as `decodeSm` does.
 */
export function decodeDataSm(bytes: Uint8Array, start: number, end: number, into: SmView): number {
  resetSmView(into, bytes);
  let at = start + HEADER_LENGTH;
  into.serviceTypeStart = at;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.serviceTypeEnd = at;
  if (at + 3 >= end) return DEFECT_TRUNCATED;
  into.sourceAddrTon = bytes[at + 1]!;
  into.sourceAddrNpi = bytes[at + 2]!;
  at += 3;
  into.sourceAddrStart = at;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.sourceAddrEnd = at;
  if (at + 3 >= end) return DEFECT_TRUNCATED;
  into.destAddrTon = bytes[at + 1]!;
  into.destAddrNpi = bytes[at + 2]!;
  at += 3;
  into.destinationAddrStart = at;
  while (at < end && bytes[at] !== 0) at++;
  if (at >= end) return DEFECT_UNTERMINATED;
  into.destinationAddrEnd = at;
  if (at + 3 >= end) return DEFECT_TRUNCATED;
  into.esmClass = bytes[at + 1]!;
  into.registeredDelivery = bytes[at + 2]!;
  into.dataCoding = bytes[at + 3]!;
  at += 4;
  if (
    into.serviceTypeEnd - into.serviceTypeStart > 5 ||
    into.sourceAddrEnd - into.sourceAddrStart > ADDRESS_LENGTH_MAX ||
    into.destinationAddrEnd - into.destinationAddrStart > ADDRESS_LENGTH_MAX
  ) {
    into.flags = SM_FLAG_LONG_STRING;
  }
  into.scheduleDeliveryTimeStart = into.scheduleDeliveryTimeEnd = at;
  into.validityPeriodStart = into.validityPeriodEnd = at;
  into.shortMessageStart = into.shortMessageEnd = into.tlvStart = at;
  into.tlvEnd = tlvStreamEnd(bytes, at, end);
  return into.tlvEnd === end ? 0 : DEFECT_TLV_STREAM;
}
