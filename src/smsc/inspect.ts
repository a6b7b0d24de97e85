/**
 * Looks at every submit_sm for what a careful operator would complain about, and counts it.
 *
 * Nothing here refuses a message: the counts are what a certification run reads. Reads in place,
 * allocates nothing. One thread.
 */
import {
  DATA_CODING,
  ESM_CLASS,
  findTlv,
  NPI,
  SM_FLAG_LENGTH_255,
  SM_FLAG_LONG_STRING,
  type SmView,
  TLV_TAG,
  tlvLengthAt,
  TON,
  UDH_IE,
} from "../codec/index.ts";
import { PROTOCOL_ERROR, type SmscCounters } from "./counters.ts";
import { PART_DUPLICATE, type PartsWatch } from "./parts.ts";

/** Octets of user data in one SMS (3GPP TS 23.040, 9.2.3.24). */
const USER_DATA_BYTES = 140;
/** Bit n is set if n is a defined NPI. */
const NPI_BITS = Object.values(NPI).reduce<number>((bits, npi) => bits | (1 << npi), 0);
const ALPHANUMERIC_LENGTH_MAX = 11;
const E164_LENGTH_MAX = 15;

/** What an inspection found out about concatenation, for `noteAcceptedPart`. */
export class PartFinding {
  /** 0 if the message is not a part. */
  total = 0;
  index = 0;
  reference = 0;
}

function inspectAddress(
  counters: SmscCounters,
  bytes: Uint8Array,
  start: number,
  end: number,
  ton: number,
  npi: number,
): void {
  if (ton > TON.abbreviated || npi > 18 || ((NPI_BITS >>> npi) & 1) === 0) {
    counters.countError(PROTOCOL_ERROR.bad_ton_npi);
  } else if (ton === TON.alphanumeric && npi !== NPI.unknown) {
    counters.countError(PROTOCOL_ERROR.bad_ton_npi);
  }
  const lengthMax = ton === TON.alphanumeric ? ALPHANUMERIC_LENGTH_MAX : E164_LENGTH_MAX;
  let isBad = end - start > lengthMax;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const isDigit = byte >= 0x30 && byte <= 0x39;
    if (ton === TON.alphanumeric ? byte < 0x20 || byte === 0x7f : ton !== 0 && !isDigit) {
      isBad = true;
    }
  }
  if (isBad) counters.countError(PROTOCOL_ERROR.bad_address);
}

/** Empty, or sixteen characters: fifteen digits and one of + - R (spec 7.1.1). */
function isTime(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  if (end - start !== 16) return false;
  for (let i = start; i < end - 1; i++) if (bytes[i]! < 0x30 || bytes[i]! > 0x39) return false;
  const last = bytes[end - 1]!;
  return last === 0x2b || last === 0x2d || last === 0x52;
}

function inspectFields(counters: SmscCounters, view: SmView): void {
  const { bytes } = view;
  inspectAddress(
    counters,
    bytes,
    view.sourceAddrStart,
    view.sourceAddrEnd,
    view.sourceAddrTon,
    view.sourceAddrNpi,
  );
  inspectAddress(
    counters,
    bytes,
    view.destinationAddrStart,
    view.destinationAddrEnd,
    view.destAddrTon,
    view.destAddrNpi,
  );
  if ((view.flags & (SM_FLAG_LONG_STRING | SM_FLAG_LENGTH_255)) !== 0) {
    counters.countError(PROTOCOL_ERROR.string_too_long);
  }
  // Modes and types that submit_sm has (spec 5.2.12); priority 0 to 3; reserved bits of
  // registered_delivery.
  const type = view.esmClass & ESM_CLASS.type_mask;
  if (
    (type !== 0 && type !== 0x08 && type !== 0x10) ||
    (view.esmClass & ESM_CLASS.mode_mask) === ESM_CLASS.mode_forward ||
    view.priorityFlag > 3 ||
    view.registeredDelivery > 0x1f ||
    view.replaceIfPresentFlag > 1 ||
    !isDataCoding(view.dataCoding)
  ) {
    counters.countError(PROTOCOL_ERROR.reserved_value);
  }
  if (
    !isTime(bytes, view.scheduleDeliveryTimeStart, view.scheduleDeliveryTimeEnd) ||
    !isTime(bytes, view.validityPeriodStart, view.validityPeriodEnd)
  ) {
    counters.countError(PROTOCOL_ERROR.bad_time);
  }
}

/**
 * Defined by SMPP (spec 5.2.19) or in a group of GSM 03.38; 0x10 to 0x1F are GSM classes that many
 * SMSCs take.
 */
function isDataCoding(dataCoding: number): boolean {
  if (dataCoding <= 0x0a || dataCoding === 0x0d || dataCoding === 0x0e) return true;
  return (dataCoding & 0xf0) === 0x10 || dataCoding >= 0xf0 || (dataCoding & 0xe0) === 0xc0;
}

/** Whether short_message holds one septet an octet. */
function isGsm7(dataCoding: number): boolean {
  return dataCoding <= DATA_CODING.ia5 || (dataCoding & 0xfc) === 0xf0 || dataCoding === 0x10;
}

/** Reads the user data header at [start, end); returns its end, or -1 if it is malformed. */
function readUdh(bytes: Uint8Array, start: number, end: number, into: PartFinding): number {
  if (start >= end) return -1;
  const udhEnd = start + 1 + bytes[start]!;
  if (udhEnd > end) return -1;
  for (let at = start + 1; at < udhEnd; ) {
    if (at + 2 > udhEnd) return -1;
    const element = bytes[at]!;
    const length = bytes[at + 1]!;
    const value = at + 2;
    at = value + length;
    if (at > udhEnd) return -1;
    const isConcat8 = element === UDH_IE.concat_8 && length === 3;
    const isConcat16 = element === UDH_IE.concat_16 && length === 4;
    if (element === UDH_IE.concat_8 || element === UDH_IE.concat_16) {
      if (!isConcat8 && !isConcat16) return -1;
      into.reference = isConcat8 ? bytes[value]! : (bytes[value]! << 8) | bytes[value + 1]!;
      into.total = bytes[at - 2]!;
      into.index = bytes[at - 1]!;
      if (into.index === 0 || into.index > into.total) {
        into.total = 0;
        return -1;
      }
    }
  }
  return udhEnd;
}

function inspectText(
  counters: SmscCounters,
  view: SmView,
  udhBytes: number,
  isPart: boolean,
): void {
  const { bytes, dataCoding } = view;
  const textBytes = view.shortMessageEnd - view.shortMessageStart - udhBytes;
  const room = USER_DATA_BYTES - udhBytes;
  const last = view.shortMessageEnd - 1;
  if (isGsm7(dataCoding)) {
    if (textBytes > Math.floor((room * 8) / 7)) counters.countError(PROTOCOL_ERROR.text_too_long);
    if (isPart && textBytes > 0 && bytes[last] === 0x1b) {
      counters.countError(PROTOCOL_ERROR.split_escape);
    }
    return;
  }
  if (textBytes > room) counters.countError(PROTOCOL_ERROR.text_too_long);
  if (dataCoding !== DATA_CODING.ucs2) return;
  if ((textBytes & 1) !== 0) counters.countError(PROTOCOL_ERROR.ucs2_odd_length);
  else if (isPart && textBytes > 0 && (bytes[last - 1]! & 0xfc) === 0xd8) {
    counters.countError(PROTOCOL_ERROR.split_surrogate);
  }
}

function readSar(view: SmView, into: PartFinding): boolean {
  const { bytes, tlvStart, tlvEnd } = view;
  const total = findTlv(bytes, tlvStart, tlvEnd, TLV_TAG.sar_total_segments);
  const index = findTlv(bytes, tlvStart, tlvEnd, TLV_TAG.sar_segment_seqnum);
  const reference = findTlv(bytes, tlvStart, tlvEnd, TLV_TAG.sar_msg_ref_num);
  if (total < 0 || index < 0 || reference < 0) return false;
  if (tlvLengthAt(bytes, total) < 1 || tlvLengthAt(bytes, index) < 1) return false;
  if (into.total > 0) return true;
  into.total = bytes[total]!;
  into.index = bytes[index]!;
  into.reference =
    tlvLengthAt(bytes, reference) < 2 ? 0 : (bytes[reference]! << 8) | bytes[reference + 1]!;
  if (into.index === 0 || into.index > into.total) into.total = 0;
  return true;
}

/** Counts every complaint about a decoded submit_sm; `finding` then says whether it is a part. */
export function inspectSubmit(counters: SmscCounters, view: SmView, finding: PartFinding): void {
  finding.total = 0;
  inspectFields(counters, view);
  const { bytes, shortMessageStart, shortMessageEnd } = view;
  let udhBytes = 0;
  if ((view.esmClass & ESM_CLASS.udhi) !== 0) {
    const udhEnd = readUdh(bytes, shortMessageStart, shortMessageEnd, finding);
    if (udhEnd < 0) counters.countError(PROTOCOL_ERROR.udh_malformed);
    else udhBytes = udhEnd - shortMessageStart;
  }
  if (view.tlvEnd > view.tlvStart) {
    if (readSar(view, finding) && udhBytes > 0) counters.countError(PROTOCOL_ERROR.udh_with_sar);
    if (
      shortMessageEnd > shortMessageStart &&
      findTlv(bytes, view.tlvStart, view.tlvEnd, TLV_TAG.message_payload) >= 0
    ) {
      counters.countError(PROTOCOL_ERROR.text_twice);
    }
  }
  inspectText(counters, view, udhBytes, finding.total > 1);
}

/** Notes an accepted part with the watch and counts it if it came before. */
export function noteAcceptedPart(
  counters: SmscCounters,
  parts: PartsWatch,
  view: SmView,
  finding: PartFinding,
  accountIndex: number,
  tick: number,
): void {
  if (finding.total < 2) return;
  const { bytes } = view;
  let hash = Math.imul(accountIndex + 1, 0x0100_0193) ^ ((finding.total << 16) | finding.reference);
  let hash2 = hash;
  for (let i = view.sourceAddrStart; i < view.sourceAddrEnd; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
    hash2 = Math.imul(hash2 + bytes[i]!, 0x85eb_ca6b);
  }
  hash ^= 0x5bd1_e995;
  for (let i = view.destinationAddrStart; i < view.destinationAddrEnd; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
    hash2 = Math.imul(hash2 + bytes[i]!, 0x85eb_ca6b);
  }
  hash ^= hash >>> 15;
  const result = parts.note(hash, hash2, finding.total, finding.index, tick);
  if (result === PART_DUPLICATE) counters.countError(PROTOCOL_ERROR.duplicate_part);
}
