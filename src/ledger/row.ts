/**
 * A message in the store: the copy of its ACCEPT without the body, and what became of its parts.
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
 * Big-endian; times are whole wall ms, 0 = never. Row keys are (sequence, origin). The ledger's
 * thread only.
 */
import { Buffer } from "node:buffer";
import { Accept } from "../records/accept.ts";
import { copyBytes } from "../records/memory.ts";
import { type MessageEvent, MessageState, NO_VERDICT } from "./message-state.ts";
import { type PartRecord, PartState } from "./part-state.ts";

export const ROW_VERSION = 3;
/** Offsets from the row's start, for readers that make no MessageState of it. */
export const Row = {
  VERSION: 0,
  STATUS: 1,
  VERDICT: 2,
  PART_COUNT: 3,
  EVENT_COUNT: 4,
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
  RECEIPT_STATE: 14,
  ERROR_LENGTH: 15,
  SENDING_AT: 16,
  ANSWERED_AT: 22,
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
const { VERSION, STATUS, VERDICT, PART_COUNT, EVENT_COUNT, HEAD_LENGTH, HEAD } = Row;
const { RESOLVED_EPOCH, FINAL_AT, LOG_OFFSET, CONCAT_REFERENCE } = Row;
const PART_FIXED = RowPart.FIXED;
const EVENT_BYTES = ROW_EVENT_BYTES;
const FLAGS = 5;
const FLAG_BODY_MOVED = 1;

/** Where the ACCEPT's fields start in the head. */
const HEAD_BASE = 8;
/** Offset within the head of a field at `acceptOffset` of the ACCEPT. */
export function headOffset(acceptOffset: number): number {
  return acceptOffset - HEAD_BASE;
}
/** Offset within the head of the texts. */
export const HEAD_TEXTS = Accept.PART_ENDS - HEAD_BASE;

/** No row is longer. */
export const ROW_BYTES_MAX = 8192;

/** Writes `message` into `into` and returns the length of the row. */
export function encodeRow(message: MessageState, into: Buffer): number {
  const { head, headLength, parts, events } = message;
  into[VERSION] = ROW_VERSION;
  into[STATUS] = message.status;
  into[VERDICT] = message.verdict;
  into[PART_COUNT] = parts.length;
  into[EVENT_COUNT] = events === null ? 0 : events.length;
  into[FLAGS] = message.isBodyMoved ? FLAG_BODY_MOVED : 0;
  writeUint16(into, HEAD_LENGTH, headLength);
  writeUint32(into, RESOLVED_EPOCH, message.resolvedEpoch);
  writeUint48(into, FINAL_AT, message.finalAt);
  writeUint48(into, LOG_OFFSET, message.logOffset);
  writeUint16(into, CONCAT_REFERENCE, message.concatReference);
  copyBytes(head, 0, into, HEAD, headLength);
  let at = HEAD + headLength;
  for (let i = 0; i < parts.length; i++) at = encodePart(parts[i] as PartRecord, into, at);
  if (events !== null) for (const event of events) at = encodeEvent(event, into, at);
  return at;
}

function encodePart(part: PartRecord, into: Buffer, start: number): number {
  into[start] = part.state;
  into[start + 1] = part.attempt;
  into[start + 2] = (part.maybeDup ? FLAG_MAYBE_DUP : 0) | (part.isExhausted ? FLAG_EXHAUSTED : 0);
  into[start + 3] = part.session;
  writeUint32(into, start + 4, part.linkId);
  writeUint32(into, start + 8, part.commandStatus);
  into[start + 12] = part.firstAmbiguous;
  into[start + 13] = part.lastAmbiguous;
  into[start + 14] = part.receiptState;
  into[start + 15] = part.receiptError.length;
  writeUint48(into, start + 16, part.sendingAt);
  writeUint48(into, start + 22, part.answeredAt);
  writeUint48(into, start + 28, part.dueAt);
  writeUint48(into, start + 34, part.finalAt);
  writeUint48(into, start + 40, part.receiptAt);
  const ids = part.ids;
  into[start + 46] = ids === null ? 0 : ids.length;
  into.write(part.receiptError, start + PART_FIXED, "latin1");
  let at = start + PART_FIXED + part.receiptError.length;
  if (ids === null) return at;
  for (let i = 0; i < ids.length; i++) {
    const { linkId, id } = ids[i] as { linkId: number; id: string };
    writeUint32(into, at, linkId);
    into[at + 4] = id.length;
    into.write(id, at + 5, "latin1");
    at += 5 + id.length;
  }
  return at;
}

function encodeEvent(event: MessageEvent, into: Buffer, at: number): number {
  into[at] = event.kind;
  into[at + 1] = event.part;
  into[at + 2] = event.attempt;
  writeUint48(into, at + 3, event.at);
  writeUint32(into, at + 9, event.linkId);
  writeUint32(into, at + 13, event.commandStatus);
  return at + EVENT_BYTES;
}

/** Status (MessageStatus) of a row without decoding it. */
export function rowStatus(row: Uint8Array): number {
  return row[STATUS] as number;
}

/** Final time of a row, wall ms, 0 while open. */
export function rowFinalAt(row: Uint8Array): number {
  return readUint48(row, FINAL_AT);
}

/** Part count of a row. */
export function rowPartCount(row: Uint8Array): number {
  return row[PART_COUNT] as number;
}

/** Whether a row says that its body is in the store. */
export function rowHasMovedBody(row: Uint8Array): boolean {
  return ((row[FLAGS] as number) & FLAG_BODY_MOVED) !== 0;
}

/** Log offset of the ACCEPT of a row. */
export function rowLogOffset(row: Uint8Array): number {
  return readUint48(row, LOG_OFFSET);
}

/** What handing a message over as a whole needs of it. */
export interface WaitingMessage {
  logOffset: number;
  poolId: number;
  appId: number;
  priority: number;
  expiresAt: number;
}

/**
 * Reads a message that no worker has begun straight from its row, without making a MessageState.
 * False, and `into` is of no use, if the row is of any other message.
 */
export function readWaiting(row: Uint8Array, into: WaitingMessage): boolean {
  if (row[VERSION] !== ROW_VERSION || row[VERDICT] !== NO_VERDICT) return false;
  const headLength = ((row[HEAD_LENGTH] as number) << 8) | (row[HEAD_LENGTH + 1] as number);
  const partCount = row[PART_COUNT] as number;
  for (let i = 0; i < partCount; i++) {
    // Parts that were never begun have neither ids nor errors: each is PART_FIXED long.
    const part = HEAD + headLength + PART_FIXED * i;
    if (row[part] !== PartState.WAITING || row[part + 1] !== 0) return false;
  }
  const field = HEAD - HEAD_BASE;
  into.logOffset = readUint48(row, LOG_OFFSET);
  into.poolId = readUint32Le(row, field + Accept.POOL_ID);
  into.appId = readUint32Le(row, field + Accept.APP_ID);
  into.priority = row[field + Accept.PRIORITY] as number;
  into.expiresAt = readDoubleLe(row, field + Accept.EXPIRES_AT);
  return true;
}

/**
 * Makes `message` the message of a row and returns it; `row` is not kept. Throws on a version that
 * this program does not know.
 */
export function decodeRow(row: Uint8Array, message = new MessageState()): MessageState {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  if (bytes[VERSION] !== ROW_VERSION) throw new Error(`ledger row of version ${bytes[VERSION]}`);
  const headLength = bytes.readUInt16BE(HEAD_LENGTH);
  const partCount = bytes[PART_COUNT] as number;
  const field = HEAD - HEAD_BASE;
  const sequence = readDoubleLe(bytes, field + Accept.SEQUENCE);
  const origin = bytes.readUInt32LE(field + Accept.ORIGIN);
  message.begin(sequence, origin, readUint48(bytes, LOG_OFFSET), headLength, partCount);
  copyBytes(bytes, HEAD, message.head, 0, headLength);
  let at = HEAD + headLength;
  for (let i = 0; i < partCount; i++) at = decodePart(bytes, at, message.parts[i] as PartRecord);
  readHeadFields(message, bytes, field);
  message.status = bytes[STATUS] as number;
  message.verdict = bytes[VERDICT] as number;
  message.isBodyMoved = ((bytes[FLAGS] as number) & FLAG_BODY_MOVED) !== 0;
  message.finalAt = readUint48(bytes, FINAL_AT);
  message.resolvedEpoch = bytes.readUInt32BE(RESOLVED_EPOCH);
  message.concatReference = bytes.readUInt16BE(CONCAT_REFERENCE);
  const eventCount = bytes[EVENT_COUNT] as number;
  if (eventCount > 0) message.events = [];
  for (let i = 0; i < eventCount; i++) {
    message.events?.push(decodeEvent(bytes, at));
    at += EVENT_BYTES;
  }
  return message;
}

/**
 * Fills the fields that the ledger works with from the ACCEPT that starts at `record` of `bytes`.
 */
export function readHeadFields(message: MessageState, bytes: Buffer, record: number): void {
  message.appId = bytes.readUInt32LE(record + Accept.APP_ID);
  message.acceptedAt = readDoubleLe(bytes, record + Accept.ACCEPTED_AT);
  message.expiresAt = readDoubleLe(bytes, record + Accept.EXPIRES_AT);
  message.poolId = bytes.readUInt32LE(record + Accept.POOL_ID);
  message.priority = bytes[record + Accept.PRIORITY] as number;
  message.messageClass = bytes[record + Accept.CLASS] as number;
  message.dlr = bytes[record + Accept.DLR] as number;
}

function decodePart(bytes: Buffer, start: number, part: PartRecord): number {
  part.state = bytes[start] as number;
  part.attempt = bytes[start + 1] as number;
  part.maybeDup = ((bytes[start + 2] as number) & FLAG_MAYBE_DUP) !== 0;
  part.isExhausted = ((bytes[start + 2] as number) & FLAG_EXHAUSTED) !== 0;
  part.session = bytes[start + 3] as number;
  part.linkId = bytes.readUInt32BE(start + 4);
  part.commandStatus = bytes.readUInt32BE(start + 8);
  part.firstAmbiguous = bytes[start + 12] as number;
  part.lastAmbiguous = bytes[start + 13] as number;
  part.receiptState = bytes[start + 14] as number;
  const errorLength = bytes[start + 15] as number;
  part.sendingAt = readUint48(bytes, start + 16);
  part.answeredAt = readUint48(bytes, start + 22);
  part.dueAt = readUint48(bytes, start + 28);
  part.storedDueAt = part.dueAt;
  part.finalAt = readUint48(bytes, start + 34);
  part.receiptAt = readUint48(bytes, start + 40);
  const idCount = bytes[start + 46] as number;
  let at = start + PART_FIXED;
  if (errorLength > 0) part.receiptError = bytes.toString("latin1", at, at + errorLength);
  at += errorLength;
  if (idCount > 0) part.ids = [];
  for (let i = 0; i < idCount; i++) {
    const length = bytes[at + 4] as number;
    part.ids?.push({
      linkId: bytes.readUInt32BE(at),
      id: bytes.toString("latin1", at + 5, at + 5 + length),
    });
    at += 5 + length;
  }
  return at;
}

function decodeEvent(bytes: Buffer, at: number): MessageEvent {
  return {
    kind: bytes[at] as number,
    part: bytes[at + 1] as number,
    attempt: bytes[at + 2] as number,
    at: readUint48(bytes, at + 3),
    linkId: bytes.readUInt32BE(at + 9),
    commandStatus: bytes.readUInt32BE(at + 13),
  };
}

function readUint32Le(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset + 3] as number) << 24) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 1] as number) << 8) |
      (bytes[offset] as number)) >>>
    0
  );
}

const DOUBLE = new DataView(new ArrayBuffer(8));

function readDoubleLe(bytes: Uint8Array, offset: number): number {
  for (let i = 0; i < 8; i++) DOUBLE.setUint8(i, bytes[offset + i] as number);
  return DOUBLE.getFloat64(0, true);
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
