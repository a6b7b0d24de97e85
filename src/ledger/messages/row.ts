/**
 * A message from and to its row in the store (row-layout.ts): the copy of its ACCEPT without the
 * body, and what became of its parts.
 *
 *   message in memory   ······ │ head │ each part: fixed fields     errors, ids, events as objects
 *   row in the store    header │ head │ each part: fixed fields, error, ids │ events
 *
 * Both ways are mostly one copy of bytes. Row keys are (sequence, origin). The ledger's thread
 * only.
 */
import { Buffer } from "node:buffer";
import { Accept } from "../../records/accept.ts";
import { copyBytes } from "../../records/memory.ts";
import { type MessageEvent, MessageState, NO_VERDICT } from "./message-state.ts";
import { type PartRecord, PartState } from "./part-state.ts";
import {
  FLAG_BODY_MOVED,
  readDoubleLe,
  readUint16,
  readUint32,
  readUint32Le,
  readUint48,
  Row,
  ROW_EVENT_BYTES,
  ROW_ID_BYTES,
  ROW_VERSION,
  rowOffset,
  RowPart,
  writeUint16,
  writeUint32,
  writeUint48,
} from "./row-layout.ts";

const { HEAD } = Row;
const PART_FIXED = RowPart.FIXED;
/** Bytes too many that a copy may take with it. */
const SLACK_BYTES_MAX = 256;

/** Bytes of the row that `encodeRow` writes. */
export function rowBytes({ headLength, parts, events }: MessageState): number {
  let bytes = HEAD + headLength + PART_FIXED * parts.length;
  for (let i = 0; i < parts.length; i++) {
    const { receiptError, ids } = parts[i] as PartRecord;
    bytes += receiptError.length;
    if (ids === null) continue;
    for (let k = 0; k < ids.length; k++) {
      bytes += ROW_ID_BYTES + (ids[k] as { id: string }).id.length;
    }
  }
  return events === null ? bytes : bytes + ROW_EVENT_BYTES * events.length;
}

/**
 * Writes `message` into `into` from `start` on and returns the length of the row. What lies behind
 * the row may be overwritten.
 */
export function encodeRow(message: MessageState, into: Buffer, start = 0): number {
  const { row, headLength, parts, events } = message;
  // The first part follows the head here and there.
  copyHead(row, into, start, HEAD + headLength + PART_FIXED);
  into[start + Row.VERSION] = ROW_VERSION;
  into[start + Row.STATUS] = message.status;
  into[start + Row.VERDICT] = message.verdict;
  into[start + Row.PART_COUNT] = parts.length;
  into[start + Row.EVENT_COUNT] = events === null ? 0 : events.length;
  into[start + Row.FLAGS] = message.isBodyMoved ? FLAG_BODY_MOVED : 0;
  writeUint16(into, start + Row.HEAD_LENGTH, headLength);
  writeUint32(into, start + Row.RESOLVED_EPOCH, message.resolvedEpoch);
  writeUint48(into, start + Row.FINAL_AT, message.finalAt);
  writeUint48(into, start + Row.LOG_OFFSET, message.logOffset);
  writeUint16(into, start + Row.CONCAT_REFERENCE, message.concatReference);
  let at = start + HEAD + headLength;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as PartRecord;
    if (i > 0) copyBytes(row, part.at, into, at, PART_FIXED);
    at = encodeTexts(part, into, at);
  }
  if (events !== null) for (const event of events) at = encodeEvent(event, into, at);
  return at - start;
}

/**
 * Copies `row[0, length)`, and some of what lies behind it: of a whole array the copy needs no view
 * of a part of it, which costs more than the copy.
 */
function copyHead(row: Buffer, into: Buffer, start: number, length: number): void {
  if (row.length - length <= SLACK_BYTES_MAX && row.length <= into.length - start) {
    into.set(row, start);
  } else {
    copyBytes(row, 0, into, start, length);
  }
}

/** Writes error and ids behind the fixed fields of a part; returns where they end. */
function encodeTexts({ receiptError, ids }: PartRecord, into: Buffer, start: number): number {
  into[start + RowPart.ERROR_LENGTH] = receiptError.length;
  into[start + RowPart.ID_COUNT] = ids === null ? 0 : ids.length;
  let at = writeText(receiptError, into, start + PART_FIXED);
  if (ids === null) return at;
  for (let i = 0; i < ids.length; i++) {
    const { linkId, id } = ids[i] as { linkId: number; id: string };
    writeUint32(into, at, linkId);
    into[at + 4] = id.length;
    at = writeText(id, into, at + ROW_ID_BYTES);
  }
  return at;
}

/** One byte a character; a call out of JavaScript costs more than the loop for such lengths. */
function writeText(text: string, into: Buffer, start: number): number {
  for (let i = 0; i < text.length; i++) into[start + i] = text.charCodeAt(i);
  return start + text.length;
}

function encodeEvent(event: MessageEvent, into: Buffer, at: number): number {
  into[at] = event.kind;
  into[at + 1] = event.part;
  into[at + 2] = event.attempt;
  writeUint48(into, at + 3, event.at);
  writeUint32(into, at + 9, event.linkId);
  writeUint32(into, at + 13, event.commandStatus);
  return at + ROW_EVENT_BYTES;
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
  if (row[Row.VERSION] !== ROW_VERSION || row[Row.VERDICT] !== NO_VERDICT) return false;
  const headLength = readUint16(row, Row.HEAD_LENGTH);
  const partCount = row[Row.PART_COUNT] as number;
  for (let i = 0; i < partCount; i++) {
    // Parts that were never begun have neither ids nor errors: each is PART_FIXED long.
    const part = HEAD + headLength + PART_FIXED * i;
    if (row[part] !== PartState.WAITING || row[part + 1] !== 0) return false;
  }
  into.logOffset = readUint48(row, Row.LOG_OFFSET);
  into.poolId = readUint32Le(row, rowOffset(Accept.POOL_ID));
  into.appId = readUint32Le(row, rowOffset(Accept.APP_ID));
  into.priority = row[rowOffset(Accept.PRIORITY)] as number;
  into.expiresAt = readDoubleLe(row, rowOffset(Accept.EXPIRES_AT));
  return true;
}

/**
 * Makes `message` the message of a row and returns it; `row` is not kept. Throws on a version that
 * this program does not know.
 */
export function decodeRow(row: Uint8Array, message = new MessageState()): MessageState {
  const bytes = Buffer.isBuffer(row)
    ? row
    : Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  if (bytes[Row.VERSION] !== ROW_VERSION) {
    throw new Error(`ledger row of version ${bytes[Row.VERSION]}`);
  }
  const headLength = readUint16(bytes, Row.HEAD_LENGTH);
  const partCount = bytes[Row.PART_COUNT] as number;
  const sequence = readDoubleLe(bytes, rowOffset(Accept.SEQUENCE));
  const origin = readUint32Le(bytes, rowOffset(Accept.ORIGIN));
  message.begin(sequence, origin, readUint48(bytes, Row.LOG_OFFSET), headLength, partCount);
  copyBytes(bytes, HEAD, message.row, HEAD, headLength + PART_FIXED);
  let at = HEAD + headLength;
  for (let i = 0; i < partCount; i++) {
    const part = message.parts[i] as PartRecord;
    if (i > 0) copyBytes(bytes, at, message.row, part.at, PART_FIXED);
    part.storedDueAt = part.dueAt;
    at = decodeTexts(bytes, at, part);
  }
  readHeadFields(message, message.row, HEAD - Accept.SEQUENCE);
  message.status = bytes[Row.STATUS] as number;
  message.verdict = bytes[Row.VERDICT] as number;
  message.isBodyMoved = ((bytes[Row.FLAGS] as number) & FLAG_BODY_MOVED) !== 0;
  message.finalAt = readUint48(bytes, Row.FINAL_AT);
  message.resolvedEpoch = readUint32(bytes, Row.RESOLVED_EPOCH);
  message.concatReference = readUint16(bytes, Row.CONCAT_REFERENCE);
  const eventCount = bytes[Row.EVENT_COUNT] as number;
  if (eventCount > 0) message.events = [];
  for (let i = 0; i < eventCount; i++) {
    message.events?.push(decodeEvent(bytes, at));
    at += ROW_EVENT_BYTES;
  }
  return message;
}

/**
 * Fills the fields that the ledger works with from the ACCEPT that starts at `record` of `bytes`.
 */
export function readHeadFields(message: MessageState, bytes: Buffer, record: number): void {
  message.appId = readUint32Le(bytes, record + Accept.APP_ID);
  message.acceptedAt = readDoubleLe(bytes, record + Accept.ACCEPTED_AT);
  message.expiresAt = readDoubleLe(bytes, record + Accept.EXPIRES_AT);
  message.poolId = readUint32Le(bytes, record + Accept.POOL_ID);
  message.priority = bytes[record + Accept.PRIORITY] as number;
  message.messageClass = bytes[record + Accept.CLASS] as number;
  message.dlr = bytes[record + Accept.DLR] as number;
}

/** Reads error and ids behind the fixed fields of a part; returns where they end. */
function decodeTexts(bytes: Buffer, start: number, part: PartRecord): number {
  const errorLength = bytes[start + RowPart.ERROR_LENGTH] as number;
  const idCount = bytes[start + RowPart.ID_COUNT] as number;
  let at = start + PART_FIXED;
  if (errorLength > 0) part.receiptError = bytes.toString("latin1", at, at + errorLength);
  at += errorLength;
  if (idCount === 0) return at;
  part.ids = [];
  for (let i = 0; i < idCount; i++) {
    const end = at + ROW_ID_BYTES + (bytes[at + 4] as number);
    const id = bytes.toString("latin1", at + ROW_ID_BYTES, end);
    part.ids.push({ linkId: readUint32(bytes, at), id });
    at = end;
  }
  return at;
}

function decodeEvent(bytes: Buffer, at: number): MessageEvent {
  return {
    kind: bytes[at] as number,
    part: bytes[at + 1] as number,
    attempt: bytes[at + 2] as number,
    at: readUint48(bytes, at + 3),
    linkId: readUint32(bytes, at + 9),
    commandStatus: readUint32(bytes, at + 13),
  };
}
