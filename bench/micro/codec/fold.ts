/**
 * What every contender folds into a checksum: each mandatory field, strings by length and by the
 * sum of their octets. native/fold.h is the same in C. A view that was never read would prove
 * nothing.
 */
import { readSequenceNumber, type SmView } from "../../../src/codec/index.ts";

export function foldInt(hash: number, value: number): number {
  return (Math.imul(hash, 31) + value) | 0;
}

/** Four one-octet fields as one number. */
function word(a: number, b: number, c: number, d: number): number {
  return a | (b << 8) | (c << 16) | (d << 24);
}

/**
 * Sums the octets of a range four at a time in two lanes (native/fold.h sums the same way), so that
 * the fold, which every contender pays, hides as little of the decoding as possible.
 */
export function foldRange(hash: number, data: DataView, start: number, end: number): number {
  let lanes = 0;
  let i = start;
  for (const stop = end - 3; i < stop; i += 4) {
    const word = data.getInt32(i, true);
    lanes = (lanes + (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff)) | 0;
  }
  let sum = (lanes & 0xffff) + (lanes >>> 16);
  for (; i < end; i++) sum += data.getUint8(i);
  return foldInt(foldInt(hash, end - start), sum);
}

export function foldString(hash: number, text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i);
  return foldInt(foldInt(hash, text.length), sum);
}

/** Folds a decoded view of the PDU at `start`; `data` covers the same octets as `view.bytes`. */
export function foldSm(hash: number, data: DataView, start: number, view: SmView): number {
  let h = foldInt(hash, readSequenceNumber(view.bytes, start));
  h = foldInt(h, word(view.sourceAddrTon, view.sourceAddrNpi, view.destAddrTon, view.destAddrNpi));
  h = foldInt(h, word(view.esmClass, view.protocolId, view.priorityFlag, view.registeredDelivery));
  h = foldInt(h, word(view.replaceIfPresentFlag, view.dataCoding, view.smDefaultMsgId, 0));
  h = foldRange(h, data, view.serviceTypeStart, view.serviceTypeEnd);
  h = foldRange(h, data, view.sourceAddrStart, view.sourceAddrEnd);
  h = foldRange(h, data, view.destinationAddrStart, view.destinationAddrEnd);
  h = foldRange(h, data, view.scheduleDeliveryTimeStart, view.scheduleDeliveryTimeEnd);
  h = foldRange(h, data, view.validityPeriodStart, view.validityPeriodEnd);
  return foldRange(h, data, view.shortMessageStart, view.shortMessageEnd);
}

/** The same over a PDU of npm `smpp`, whose text is a string by then. */
export function foldNpm(hash: number, pdu: NpmPdu): number {
  let h = foldInt(hash, pdu.sequence_number);
  h = foldInt(
    h,
    word(pdu.source_addr_ton, pdu.source_addr_npi, pdu.dest_addr_ton, pdu.dest_addr_npi),
  );
  h = foldInt(h, word(pdu.esm_class, pdu.protocol_id, pdu.priority_flag, pdu.registered_delivery));
  h = foldInt(h, word(pdu.replace_if_present_flag, pdu.data_coding, pdu.sm_default_msg_id, 0));
  h = foldString(h, pdu.service_type);
  h = foldString(h, pdu.source_addr);
  h = foldString(h, pdu.destination_addr);
  h = foldString(h, pdu.schedule_delivery_time);
  h = foldString(h, pdu.validity_period);
  return foldString(h, pdu.short_message.message);
}

export interface NpmPdu {
  command_status: number;
  sequence_number: number;
  service_type: string;
  source_addr_ton: number;
  source_addr_npi: number;
  source_addr: string;
  dest_addr_ton: number;
  dest_addr_npi: number;
  destination_addr: string;
  esm_class: number;
  protocol_id: number;
  priority_flag: number;
  schedule_delivery_time: string;
  validity_period: string;
  registered_delivery: number;
  replace_if_present_flag: number;
  data_coding: number;
  sm_default_msg_id: number;
  short_message: { message: string };
  message_id?: string;
  toBuffer(): Buffer;
}
