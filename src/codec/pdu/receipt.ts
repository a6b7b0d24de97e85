/**
 * Reads delivery receipts: by TLV where the SMSC sends them, by text where it does not.
 *
 *   id:IIIIIIIIII sub:SSS dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD
 *   err:E text:…
 *
 * The text (spec appendix B) is vendor specific: keys in any case and order, any of them missing,
 * spaces and line breaks anywhere. The search stops at `text:`, whose content is the sender's own.
 * One pass, no expression engine, so no input is slow. One view belongs to one thread, which reuses
 * it.
 */
import { packedFillBits, unpackSeptets } from "../text/gsm7-packed.ts";
import { DATA_CODING, ESM_CLASS, MESSAGE_STATE } from "./field-values.ts";
import { RECEIPT_UNREADABLE } from "./sentinels.ts";
import type { SmView } from "./sm-view.ts";
import { findTlv, readTlvInteger, tlvCStringEnd, tlvLengthAt } from "./tlv.ts";
import { TLV_TAG } from "./tlv-tag.ts";

/** Where a receipt's id or state was found. */
export const RECEIPT_SOURCE = { none: 0, tlv: 1, text: 2 } as const;

/** The text's `stat` is a word that this codec does not know; the state then reads UNKNOWN. */
export const RECEIPT_FLAG_STAT_UNRECOGNISED = 1;
/** TLV and text name different states; the TLV was taken. */
export const RECEIPT_FLAG_STATE_CONFLICT = 2;
/** TLV and text name different ids; the TLV was taken, the text's is in textIdStart/End. */
export const RECEIPT_FLAG_ID_CONFLICT = 4;

const NO_BYTES = new Uint8Array(0);
/**
 * Receipt texts in UCS-2 or packed are turned into an octet a character here; no SMSC's receipt
 * comes near its length.
 */
const NARROW_LENGTH_MAX = 1024;
/** Packed octets that it has room for. */
const PACKED_LENGTH_MAX = (NARROW_LENGTH_MAX / 8) * 7;

export class ReceiptView {
  /** RECEIPT_FLAG_… bits. */
  flags = 0;
  /** The id to match by: idBytes [idStart, idEnd); empty if there is none. */
  idBytes: Uint8Array = NO_BYTES;
  idStart = 0;
  idEnd = 0;
  idSource: number = RECEIPT_SOURCE.none;
  /** MESSAGE_STATE value, or -1 if the receipt names none. */
  messageState = -1;
  stateSource: number = RECEIPT_SOURCE.none;
  /** network_error_code (TLV 0x0423): its type and code, or -1. */
  networkErrorType = -1;
  networkErrorCode = -1;
  /** What the ranges below point into; empty where a key is missing. */
  textBytes: Uint8Array = NO_BYTES;
  textIdStart = 0;
  textIdEnd = 0;
  subStart = 0;
  subEnd = 0;
  dlvrdStart = 0;
  dlvrdEnd = 0;
  submitDateStart = 0;
  submitDateEnd = 0;
  doneDateStart = 0;
  doneDateEnd = 0;
  statStart = 0;
  statEnd = 0;
  errStart = 0;
  errEnd = 0;
  /** The start of the original message, as far as the SMSC repeats it. */
  textStart = 0;
  textEnd = 0;
  /** Owned by the view, for texts in UCS-2 or packed. */
  readonly narrow = new Uint8Array(NARROW_LENGTH_MAX);
}

function word(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const KEYS: readonly Uint8Array[] = [
  "id",
  "sub",
  "dlvrd",
  "submit date",
  "done date",
  "stat",
  "err",
  "text",
].map(word);
const KEY_ID = 0;
const KEY_TEXT = 7;

/** Words of `stat`, in the spec's seven letters, as field reports spell them, and in full. */
const STAT_WORDS: readonly (readonly [Uint8Array, number])[] = (
  [
    ["DELIVRD", MESSAGE_STATE.DELIVERED],
    ["DELIVERED", MESSAGE_STATE.DELIVERED],
    ["UNDELIV", MESSAGE_STATE.UNDELIVERABLE],
    ["UNDELIVERABLE", MESSAGE_STATE.UNDELIVERABLE],
    ["UNDELIVERED", MESSAGE_STATE.UNDELIVERABLE],
    ["FAILED", MESSAGE_STATE.UNDELIVERABLE],
    ["EXPIRED", MESSAGE_STATE.EXPIRED],
    ["DELETED", MESSAGE_STATE.DELETED],
    ["ACCEPTD", MESSAGE_STATE.ACCEPTED],
    ["ACCEPTED", MESSAGE_STATE.ACCEPTED],
    ["ACKED", MESSAGE_STATE.ACCEPTED],
    ["REJECTD", MESSAGE_STATE.REJECTED],
    ["REJECTED", MESSAGE_STATE.REJECTED],
    ["UNKNOWN", MESSAGE_STATE.UNKNOWN],
    ["ENROUTE", MESSAGE_STATE.ENROUTE],
    ["BUFFRED", MESSAGE_STATE.ENROUTE],
    ["BUFFERD", MESSAGE_STATE.ENROUTE],
    ["BUFFERED", MESSAGE_STATE.ENROUTE],
    ["SCHEDLD", MESSAGE_STATE.SCHEDULED],
    ["SKIPPED", MESSAGE_STATE.SKIPPED],
  ] as const
).map(([text, state]) => [word(text), state]);

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0;
}

function isWordByte(byte: number): boolean {
  const folded = byte | 0x20;
  return (folded >= 0x61 && folded <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f;
}

/** True if the bytes at `at` are `expected`, ASCII letter case aside. */
function matchesWord(bytes: Uint8Array, at: number, end: number, expected: Uint8Array): boolean {
  if (at + expected.length > end) return false;
  for (let i = 0; i < expected.length; i++) {
    const difference = bytes[at + i]! ^ expected[i]!;
    if (difference !== 0 && (difference !== 0x20 || (expected[i]! | 0x20) < 0x61)) return false;
  }
  return true;
}

/** If a key and its colon stand at `at`: key index | offset after the colon << 3; else -1. */
function matchKey(bytes: Uint8Array, at: number, end: number): number {
  for (let key = 0; key < KEYS.length; key++) {
    const expected = KEYS[key]!;
    if (!matchesWord(bytes, at, end, expected)) continue;
    let p = at + expected.length;
    while (p < end && bytes[p] === 0x20 && p - at < 32) p++;
    if (p < end && bytes[p] === 0x3a) return key | ((p + 1) << 3);
  }
  return -1;
}

/**
 * Keeps the first value of each key: an id inside a later key's junk must not replace the real one.
 */
function setRange(into: ReceiptView, key: number, start: number, end: number): void {
  if (key === 0 && into.textIdEnd === 0) {
    into.textIdStart = start;
    into.textIdEnd = end;
  } else if (key === 1 && into.subEnd === 0) {
    into.subStart = start;
    into.subEnd = end;
  } else if (key === 2 && into.dlvrdEnd === 0) {
    into.dlvrdStart = start;
    into.dlvrdEnd = end;
  } else if (key === 3 && into.submitDateEnd === 0) {
    into.submitDateStart = start;
    into.submitDateEnd = end;
  } else if (key === 4 && into.doneDateEnd === 0) {
    into.doneDateStart = start;
    into.doneDateEnd = end;
  } else if (key === 5 && into.statEnd === 0) {
    into.statStart = start;
    into.statEnd = end;
  } else if (key === 6 && into.errEnd === 0) {
    into.errStart = start;
    into.errEnd = end;
  }
}

/** Fills the text ranges of `into` from bytes [start, end). */
function parseText(bytes: Uint8Array, start: number, end: number, into: ReceiptView): void {
  into.textBytes = bytes;
  let at = start;
  while (at < end) {
    if (!isWordByte(bytes[at]!)) {
      at++;
      continue;
    }
    const match = matchKey(bytes, at, end);
    if (match < 0) {
      while (at < end && isWordByte(bytes[at]!)) at++;
      continue;
    }
    const key = match & 7;
    const afterColon = match >>> 3;
    if (key === KEY_TEXT) {
      into.textStart = afterColon;
      into.textEnd = end;
      return;
    }
    let from = afterColon;
    while (from < end && isSpace(bytes[from]!)) from++;
    // "err: text:…" has an empty value: what follows the spaces is already the next key.
    if (from > afterColon && matchKey(bytes, from, end) >= 0) {
      at = from;
      continue;
    }
    at = from;
    while (at < end && !isSpace(bytes[at]!)) at++;
    if (at > from) setRange(into, key, from, trimValue(bytes, from, at, key));
  }
}

/** Drops separators that some vendors put after a value: a comma, a semicolon, quotes. */
function trimValue(bytes: Uint8Array, from: number, to: number, key: number): number {
  while (to > from + 1) {
    const last = bytes[to - 1]!;
    const isSeparator = last === 0x2c || last === 0x3b || (last === 0x2e && key !== KEY_ID);
    if (!isSeparator) break;
    to--;
  }
  return to;
}

/**
 * The MESSAGE_STATE that a `stat` word means, or -1 for an unknown word; letter case does not
 * matter.
 */
export function stateOfStat(bytes: Uint8Array, start: number, end: number): number {
  for (let i = 0; i < STAT_WORDS.length; i++) {
    const [expected, state] = STAT_WORDS[i]!;
    if (expected.length === end - start && matchesWord(bytes, start, end, expected)) return state;
  }
  return -1;
}

function resetReceipt(into: ReceiptView): void {
  into.flags = 0;
  into.idBytes = NO_BYTES;
  into.idStart = into.idEnd = 0;
  into.idSource = into.stateSource = RECEIPT_SOURCE.none;
  into.messageState = into.networkErrorType = into.networkErrorCode = -1;
  resetText(into);
}

function resetText(into: ReceiptView): void {
  into.textBytes = NO_BYTES;
  into.textIdStart = into.textIdEnd = 0;
  into.subStart = into.subEnd = into.dlvrdStart = into.dlvrdEnd = 0;
  into.submitDateStart = into.submitDateEnd = into.doneDateStart = into.doneDateEnd = 0;
  into.statStart = into.statEnd = into.errStart = into.errEnd = 0;
  into.textStart = into.textEnd = 0;
}

function sameBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = 0; i < aEnd - aStart; i++) if (a[aStart + i] !== b[bStart + i]) return false;
  return true;
}

function takeTlvs(bytes: Uint8Array, start: number, end: number, into: ReceiptView): void {
  const id = findTlv(bytes, start, end, TLV_TAG.receipted_message_id);
  if (id >= 0) {
    const idEnd = tlvCStringEnd(bytes, id);
    if (idEnd > id) {
      into.idBytes = bytes;
      into.idStart = id;
      into.idEnd = idEnd;
      into.idSource = RECEIPT_SOURCE.tlv;
    }
  }
  const state = findTlv(bytes, start, end, TLV_TAG.message_state);
  if (state >= 0 && tlvLengthAt(bytes, state) > 0) {
    const value = readTlvInteger(bytes, state);
    if (value <= MESSAGE_STATE.SKIPPED) {
      into.messageState = value;
      into.stateSource = RECEIPT_SOURCE.tlv;
    }
  }
  const error = findTlv(bytes, start, end, TLV_TAG.network_error_code);
  if (error >= 0 && tlvLengthAt(bytes, error) >= 3) {
    into.networkErrorType = bytes[error]!;
    into.networkErrorCode = (bytes[error + 1]! << 8) | bytes[error + 2]!;
  }
}

function mergeText(into: ReceiptView): void {
  const text = into.textBytes;
  if (into.textIdEnd > into.textIdStart) {
    if (into.idSource === RECEIPT_SOURCE.none) {
      into.idBytes = text;
      into.idStart = into.textIdStart;
      into.idEnd = into.textIdEnd;
      into.idSource = RECEIPT_SOURCE.text;
    } else if (
      !sameBytes(into.idBytes, into.idStart, into.idEnd, text, into.textIdStart, into.textIdEnd)
    ) {
      into.flags |= RECEIPT_FLAG_ID_CONFLICT;
    }
  }
  if (into.statEnd === into.statStart) return;
  const state = stateOfStat(text, into.statStart, into.statEnd);
  if (state < 0) into.flags |= RECEIPT_FLAG_STAT_UNRECOGNISED;
  if (into.stateSource === RECEIPT_SOURCE.none) {
    into.messageState = state < 0 ? MESSAGE_STATE.UNKNOWN : state;
    into.stateSource = RECEIPT_SOURCE.text;
  } else if (state >= 0 && state !== into.messageState) {
    into.flags |= RECEIPT_FLAG_STATE_CONFLICT;
  }
}

/**
 * Reads a receipt from its text in bytes [textStart, textEnd) and its TLVs in [tlvStart, tlvEnd);
 * either range may be empty. `isUcs2` says that the text is UTF-16BE. Fills `into` and returns 0,
 * or RECEIPT_UNREADABLE if neither an id nor a state was found.
 */
export function parseReceipt(
  bytes: Uint8Array,
  textStart: number,
  textEnd: number,
  tlvStart: number,
  tlvEnd: number,
  isUcs2: boolean,
  into: ReceiptView,
): number {
  resetReceipt(into);
  takeTlvs(bytes, tlvStart, tlvEnd, into);
  if (textEnd > textStart) {
    if (isUcs2) {
      const units = Math.min((textEnd - textStart) >> 1, NARROW_LENGTH_MAX);
      for (let i = 0; i < units; i++) {
        const high = bytes[textStart + 2 * i]!;
        into.narrow[i] = high === 0 ? bytes[textStart + 2 * i + 1]! : 0x3f;
      }
      parseText(into.narrow, 0, units, into);
    } else {
      parseText(bytes, textStart, textEnd, into);
    }
    mergeText(into);
  }
  return resultOf(into);
}

function resultOf(into: ReceiptView): number {
  return into.idSource === RECEIPT_SOURCE.none && into.stateSource === RECEIPT_SOURCE.none
    ? RECEIPT_UNREADABLE
    : 0;
}

/** Whether no key was found in the text. */
function hasNoKey(into: ReceiptView): boolean {
  const { textIdEnd, subEnd, dlvrdEnd, submitDateEnd, doneDateEnd, statEnd, errEnd } = into;
  const ends = textIdEnd | subEnd | dlvrdEnd | submitDateEnd | doneDateEnd | statEnd | errEnd;
  return (ends | into.textEnd) === 0;
}

/**
 * Reads bytes [start, end) as packed septets behind `fillBits` zero bits; returns as
 * `parseReceipt`.
 */
function parsePacked(
  bytes: Uint8Array,
  start: number,
  end: number,
  fillBits: number,
  into: ReceiptView,
): number {
  const packedEnd = Math.min(end, start + PACKED_LENGTH_MAX);
  const septets = unpackSeptets(bytes, start, packedEnd, fillBits, into.narrow, 0);
  resetText(into);
  parseText(into.narrow, 0, septets, into);
  mergeText(into);
  return resultOf(into);
}

/**
 * Reads the receipt that a decoded deliver_sm carries: the text from short_message or, if that is
 * empty, from message_payload, without a user data header; in UCS-2 where data_coding and the
 * octets say so, and in packed septets where it reads as nothing else.
 */
export function parseReceiptOf(view: SmView, into: ReceiptView): number {
  const bytes = view.bytes;
  let start = view.shortMessageStart;
  let end = view.shortMessageEnd;
  if (end === start) {
    const payload = findTlv(bytes, view.tlvStart, view.tlvEnd, TLV_TAG.message_payload);
    if (payload >= 0) {
      start = payload;
      end = payload + tlvLengthAt(bytes, payload);
    }
  }
  const headerStart = start;
  if ((view.esmClass & ESM_CLASS.udhi) !== 0 && end > start) {
    start = Math.min(end, start + 1 + bytes[start]!);
  }
  // Some SMSCs leave data_coding 8 on receipts whose text is ASCII: the first octet tells.
  const isUcs2 = view.dataCoding === DATA_CODING.ucs2 && end > start && bytes[start] === 0;
  const found = parseReceipt(bytes, start, end, view.tlvStart, view.tlvEnd, isUcs2, into);
  const mayBePacked = view.dataCoding === DATA_CODING.smsc_default && end > start;
  if (!mayBePacked || !hasNoKey(into)) return found;
  return parsePacked(bytes, start, end, packedFillBits(start - headerStart), into);
}
