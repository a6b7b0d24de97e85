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
import { copyBytes, copyMemory, type RecordMemory } from "../../records/memory.ts";
import { memoryBytes, type MessageEvent, MessageState, NO_VERDICT } from "./message-state.ts";
import { type PartRecord, PartState } from "./part-state.ts";
import {
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
  writeUint32,
  writeUint48,
} from "./row-layout.ts";

const { HEAD } = Row;
const PART_FIXED = RowPart.FIXED;

/** Bytes of the row that `encodeRow` writes. */
export function rowBytes({ headLength, parts, events }: MessageState): number {
  let bytes = memoryBytes(headLength, parts.length);
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

/** Writes `message` into `into` from `start` on and returns the length of the row. */
export function encodeRow(message: MessageState, into: RecordMemory, start = 0): number {
  const { view, at: rowAt, headLength, parts, events } = message;
  const { bytes } = into;
  let at = start + HEAD + headLength;
  // The first part follows the head here and there.
  copyMemory(view, rowAt, into.view, start, HEAD + headLength + PART_FIXED);
  bytes[start + Row.EVENT_COUNT] = events === null ? 0 : events.length;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as PartRecord;
    if (i > 0) copyMemory(view, part.at, into.view, at, PART_FIXED);
    at = encodeTexts(part, bytes, at);
  }
  if (events !== null) for (const event of events) at = encodeEvent(event, bytes, at);
  return at - start;
}

/** Writes error and ids behind the fixed fields of a part; returns where they end. */
function encodeTexts({ receiptError, ids }: PartRecord, into: Uint8Array, start: number): number {
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
function writeText(text: string, into: Uint8Array, start: number): number {
  for (let i = 0; i < text.length; i++) into[start + i] = text.charCodeAt(i);
  return start + text.length;
}

function encodeEvent(event: MessageEvent, into: Uint8Array, at: number): number {
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
 * The message of a row; `row` is not kept. `take` gives a message with room for so many bytes.
 * Throws on a version that this program does not know.
 */
export function decodeRow(row: Uint8Array, take = ownMessage): MessageState {
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
  const message = take(memoryBytes(headLength, partCount));
  message.begin(sequence, origin, readUint48(bytes, Row.LOG_OFFSET), headLength, partCount);
  copyBytes(bytes, 0, message.bytes, message.at, HEAD + headLength + PART_FIXED);
  let at = HEAD + headLength;
  for (let i = 0; i < partCount; i++) {
    const part = message.parts[i] as PartRecord;
    if (i > 0) copyBytes(bytes, at, message.bytes, part.at, PART_FIXED);
    part.storedDueAt = part.dueAt;
    at = decodeTexts(bytes, at, part);
  }
  const eventCount = bytes[Row.EVENT_COUNT] as number;
  if (eventCount > 0) message.events = [];
  for (let i = 0; i < eventCount; i++) {
    message.events?.push(decodeEvent(bytes, at));
    at += ROW_EVENT_BYTES;
  }
  return message;
}

function ownMessage(bytes: number): MessageState {
  return new MessageState(bytes);
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
