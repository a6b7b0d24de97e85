/**
 * Reads a data_sm (spec 4.7.1) as far as a receipt needs it, into the view that deliver_sm uses.
 *
 *   service_type | ton npi source_addr | ton npi destination_addr |
 *   esm_class registered_delivery data_coding | TLVs
 *
 * Its text, if any, is the TLV message_payload, which `parseReceiptOf` finds where short_message is
 * empty. Pure.
 */
import {
  DEFECT_TLV_STREAM,
  DEFECT_TRUNCATED,
  DEFECT_UNTERMINATED,
  HEADER_LENGTH,
  resetSmView,
  type SmView,
  tlvStreamEnd,
} from "../codec/index.ts";

/** Decodes the PDU in bytes [start, end); returns 0 or a DEFECT_… as `decodeSm` does. */
export function decodeDataSm(bytes: Uint8Array, start: number, end: number, into: SmView): number {
  resetSmView(into, bytes);
  const serviceTypeEnd = stringEnd(bytes, start + HEADER_LENGTH, end);
  if (serviceTypeEnd < 0) return serviceTypeEnd;
  const sourceEnd = stringEnd(bytes, serviceTypeEnd + 3, end);
  if (sourceEnd < 0) return sourceEnd;
  const destinationEnd = stringEnd(bytes, sourceEnd + 3, end);
  if (destinationEnd < 0) return destinationEnd;
  const tlvStart = destinationEnd + 4;
  if (tlvStart > end) return DEFECT_TRUNCATED;
  into.esmClass = bytes[destinationEnd + 1] as number;
  into.registeredDelivery = bytes[destinationEnd + 2] as number;
  into.dataCoding = bytes[destinationEnd + 3] as number;
  into.shortMessageStart = tlvStart;
  into.shortMessageEnd = tlvStart;
  into.tlvStart = tlvStart;
  into.tlvEnd = tlvStreamEnd(bytes, tlvStart, end);
  return into.tlvEnd === end ? 0 : DEFECT_TLV_STREAM;
}

/** Offset of the NUL that ends the string at `at`. */
function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== 0) at++;
  return at < end ? at : DEFECT_UNTERMINATED;
}
