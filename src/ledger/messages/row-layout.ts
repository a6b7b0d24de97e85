/**
 * Where everything lies in a row of the store, and in a message in memory: both are these bytes.
 *
 *    0 version u8   1 status u8   2 verdict u8   3 part count u8   4 event count u8
 *    5 flags u8 (1 = body moved into the store)
 *    6 head length u16
 *    8 resolved epoch u32        12 final_at u48      18 log_offset u48
 *   24 concat reference u16 (0: none of several parts was sent)
 *   26 head: ACCEPT bytes [8, 68), then to, from, reference, campaign
 *   .. parts:  0 state u8  1 attempt u8  2 flags u8 (1 = maybe_dup, 2 = attempts are over)
 *              3 session u8  4 link u32  8 command_status u32
 *             12 first ambiguous u8  13 last ambiguous u8  14 receipt state u8  15 error length u8
 *             16 sending_at u48  22 answered_at u48  28 due_at u48  34 final_at u48
 *             40 receipt_at u48
 *             46 id count u8  47 error, then per id: link u32 | length u8 | bytes
 *   .. events: kind u8 | part u8 | attempt u8 | at u48 | link u32 | command_status u32
 *
 * Big-endian; times are whole wall ms, 0 = never. In memory the parts stand without errors and ids,
 * and the bytes that say how many there are of anything but parts are not kept.
 * Pure; any thread.
 */
import { Accept } from "../../records/accept.ts";

export const ROW_VERSION = 3;
/** Offsets from the row's start, for readers that make no MessageState of it. */
export const Row = {
  VERSION: 0,
  STATUS: 1,
  VERDICT: 2,
  PART_COUNT: 3,
  EVENT_COUNT: 4,
  FLAGS: 5,
  HEAD_LENGTH: 6,
  RESOLVED_EPOCH: 8,
  FINAL_AT: 12,
  LOG_OFFSET: 18,
  CONCAT_REFERENCE: 24,
  HEAD: 26,
} as const;
/** Offsets from the start of a part. */
export const RowPart = {
  STATE: 0,
  ATTEMPT: 1,
  FLAGS: 2,
  SESSION: 3,
  LINK_ID: 4,
  COMMAND_STATUS: 8,
  FIRST_AMBIGUOUS: 12,
  LAST_AMBIGUOUS: 13,
  RECEIPT_STATE: 14,
  ERROR_LENGTH: 15,
  SENDING_AT: 16,
  ANSWERED_AT: 22,
  DUE_AT: 28,
  FINAL_AT: 34,
  RECEIPT_AT: 40,
  ID_COUNT: 46,
  /** The error, then the ids: each ROW_ID_BYTES and as many bytes as the last of these says. */
  FIXED: 47,
} as const;
export const ROW_ID_BYTES = 5;
export const ROW_EVENT_BYTES = 17;
export const FLAG_MAYBE_DUP = 1;
export const FLAG_EXHAUSTED = 2;
export const FLAG_BODY_MOVED = 1;

/** Where the ACCEPT's fields start in the head. */
const HEAD_BASE = 8;
/** Offset within the head of a field at `acceptOffset` of the ACCEPT. */
export function headOffset(acceptOffset: number): number {
  return acceptOffset - HEAD_BASE;
}
/** Offset within the head of the texts. */
export const HEAD_TEXTS = Accept.PART_ENDS - HEAD_BASE;
/** Offset within the row of a field at `acceptOffset` of the ACCEPT. */
export function rowOffset(acceptOffset: number): number {
  return Row.HEAD + acceptOffset - HEAD_BASE;
}
/** Offset within the row of the texts. */
export const ROW_TEXTS = Row.HEAD + HEAD_TEXTS;

/** No row is longer. */
export const ROW_BYTES_MAX = 8192;

/** Status (MessageStatus) of a row without decoding it. */
export function rowStatus(row: Uint8Array): number {
  return row[Row.STATUS] as number;
}

/** Final time of a row, wall ms, 0 while open. */
export function rowFinalAt(row: Uint8Array): number {
  return readUint48(row, Row.FINAL_AT);
}

/** Part count of a row. */
export function rowPartCount(row: Uint8Array): number {
  return row[Row.PART_COUNT] as number;
}

/** Whether a row says that its body is in the store. */
export function rowHasMovedBody(row: Uint8Array): boolean {
  return ((row[Row.FLAGS] as number) & FLAG_BODY_MOVED) !== 0;
}

/** Log offset of the ACCEPT of a row. */
export function rowLogOffset(row: Uint8Array): number {
  return readUint48(row, Row.LOG_OFFSET);
}

export function readUint32Le(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset + 3] as number) << 24) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 1] as number) << 8) |
      (bytes[offset] as number)) >>>
    0
  );
}

const DOUBLE = new DataView(new ArrayBuffer(8));

export function readDoubleLe(bytes: Uint8Array, offset: number): number {
  for (let i = 0; i < 8; i++) DOUBLE.setUint8(i, bytes[offset + i] as number);
  return DOUBLE.getFloat64(0, true);
}

export function readUint16(from: Uint8Array, offset: number): number {
  return ((from[offset] as number) << 8) | (from[offset + 1] as number);
}

export function writeUint16(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 8;
  into[offset + 1] = value;
}

export function writeUint32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = value >>> 24;
  into[offset + 1] = value >>> 16;
  into[offset + 2] = value >>> 8;
  into[offset + 3] = value;
}

/** The store's key of (sequence, origin), big-endian so that keys sort by time. */
export function writeKeyBytes(
  into: Uint8Array,
  offset: number,
  sequence: number,
  origin: number,
): void {
  writeUint32(into, offset, Math.floor(sequence / 0x100000000));
  writeUint32(into, offset + 4, sequence >>> 0);
  writeUint32(into, offset + 8, origin);
}

/** A whole number below 2^48, big-endian, so that byte order is order. */
export function writeUint48(into: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / 0x100000000);
  into[offset] = high >>> 8;
  into[offset + 1] = high;
  writeUint32(into, offset + 2, value >>> 0);
}

/** The same of a view; the engine makes one access of each half. */
export function getUint48(from: DataView, offset: number): number {
  return from.getUint16(offset) * 0x100000000 + from.getUint32(offset + 2);
}

export function setUint48(into: DataView, offset: number, value: number): void {
  into.setUint16(offset, Math.floor(value / 0x100000000));
  into.setUint32(offset + 2, value);
}

export function readUint48(from: Uint8Array, offset: number): number {
  const high = ((from[offset] as number) << 8) | (from[offset + 1] as number);
  const low =
    (((from[offset + 2] as number) << 24) |
      ((from[offset + 3] as number) << 16) |
      ((from[offset + 4] as number) << 8) |
      (from[offset + 5] as number)) >>>
    0;
  return high * 0x100000000 + low;
}

/** A big-endian u32 of plain bytes. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  );
}
