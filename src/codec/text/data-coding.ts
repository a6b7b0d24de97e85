/**
 * data_coding in full: SMPP's own table (spec 5.2.19) and the GSM data coding schemes that appear
 * in the same octet (3GPP TS 23.038, clause 4).
 *
 *   00-0F  SMPP's table                          C0-CF  message waiting, discard, GSM 7-bit
 *   10-3F  GSM general: compression, class,      D0-DF  message waiting, store, GSM 7-bit
 *          alphabet (by usage, not by SMPP)      E0-EF  message waiting, store, UCS-2
 *   40-7F  the same, deleted after reading       F0-FF  message class, GSM 7-bit or 8-bit
 *
 * What 0 means is the SMSC's choice, so it is a property of the link. Pure; any thread may call it.
 */
import { DATA_CODING } from "../pdu/field-values.ts";
import { ENCODING } from "./encoding.ts";

/** Which ENCODING a data_coding announces; `defaultEncoding` is what the link means by 0. */
export function encodingOfDataCoding(dataCoding: number, defaultEncoding: number): number {
  if (dataCoding < 0x10) return encodingOfTable(dataCoding, defaultEncoding);
  if (dataCoding < 0x80) return encodingOfGeneralGroup(dataCoding);
  if (dataCoding < 0xc0) return ENCODING.unknown;
  if (dataCoding < 0xe0) return ENCODING.gsm7;
  if (dataCoding < 0xf0) return ENCODING.ucs2;
  return (dataCoding & 0x04) === 0 ? ENCODING.gsm7 : ENCODING.binary;
}

function encodingOfTable(dataCoding: number, defaultEncoding: number): number {
  switch (dataCoding) {
    case DATA_CODING.smsc_default:
      return defaultEncoding;
    case DATA_CODING.ia5:
      return ENCODING.ascii;
    case DATA_CODING.latin1:
      return ENCODING.latin1;
    case DATA_CODING.binary_alias:
    case DATA_CODING.binary:
      return ENCODING.binary;
    case DATA_CODING.ucs2:
      return ENCODING.ucs2;
    default:
      return ENCODING.unknown;
  }
}

/**
 * Bits 3-2 of the general group: 0 GSM 7-bit, 1 8-bit, 2 UCS-2. Compressed text is octets to us.
 */
function encodingOfGeneralGroup(dataCoding: number): number {
  if (isCompressed(dataCoding)) return ENCODING.binary;
  const alphabet = (dataCoding >>> 2) & 0x03;
  if (alphabet === 0) return ENCODING.gsm7;
  if (alphabet === 1) return ENCODING.binary;
  return alphabet === 2 ? ENCODING.ucs2 : ENCODING.unknown;
}

/** True if the text is compressed (TS 23.042): general groups, bit 5. */
export function isCompressed(dataCoding: number): boolean {
  return dataCoding >= 0x10 && dataCoding < 0x80 && (dataCoding & 0x20) !== 0;
}

/** The message class 0 (flash), 1 (handset), 2 (SIM) or 3 (terminal), or -1 for none. */
export function messageClassOf(dataCoding: number): number {
  if (dataCoding >= 0xf0) return dataCoding & 0x03;
  const isGeneral = dataCoding >= 0x10 && dataCoding < 0x80;
  return isGeneral && (dataCoding & 0x10) !== 0 ? dataCoding & 0x03 : -1;
}

/** True for class 0: shown at once, not stored. */
export function isFlash(dataCoding: number): boolean {
  return messageClassOf(dataCoding) === 0;
}

/** The kinds of message waiting (TS 23.038, clause 4, groups 1100 to 1110). */
export const WAITING_KIND = { voicemail: 0, fax: 1, email: 2, other: 3 } as const;

/** The kind that waits (WAITING_KIND), or -1 if this is no indication. */
export function waitingKindOf(dataCoding: number): number {
  return dataCoding >= 0xc0 && dataCoding < 0xf0 ? dataCoding & 0x03 : -1;
}

/** True if an indication switches the sign on; false if off, or if there is none. */
export function isWaitingActive(dataCoding: number): boolean {
  return dataCoding >= 0xc0 && dataCoding < 0xf0 && (dataCoding & 0x08) !== 0;
}

/** The data_coding of a message waiting indication with its text stored. */
export function waitingDataCoding(encoding: number, kind: number, isActive: boolean): number {
  const group = encoding === ENCODING.ucs2 ? 0xe0 : 0xd0;
  return group | (isActive ? 0x08 : 0) | (kind & 0x03);
}

/**
 * The data_coding that asks for a message class with an ENCODING value. UCS-2 has no such code in
 * SMPP's table: 18 to 1B are GSM's general group, which many SMSCs take; the TLV dest_addr_subunit
 * = 1 is the spec's own way to ask for flash.
 */
export function classDataCoding(encoding: number, messageClass: number): number {
  if (encoding === ENCODING.ucs2) return 0x18 | (messageClass & 0x03);
  const isOctets = encoding === ENCODING.binary || encoding === ENCODING.latin1;
  return 0xf0 | (isOctets ? 0x04 : 0) | (messageClass & 0x03);
}
