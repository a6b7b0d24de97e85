/**
 * From chunks of the ledger's store to CDR rows.
 *
 *   item of a message ─► a row of each part, then the row of the message
 *   item of a refusal, of a duplicate ─► one row
 *
 * Pure; any thread.
 */
import { Buffer } from "node:buffer";
import { CdrItem, chunkRecordedAt, chunkRowCount, eachItem } from "../ledger/cdr/cdr-format.ts";
import {
  decidingPart,
  MESSAGE_STATUS,
  type MessageState,
  readKeyOrigin,
  readKeySequence,
  sendAtOf,
} from "../ledger/messages/message-state.ts";
import { NO_RECEIPT, PART_STATUS, type PartRecord } from "../ledger/messages/part-state.ts";
import { partReason, printable, RECEIPT_STATES, reasonOf } from "../ledger/queries.ts";
import { replayOf } from "../ledger/flow/replay-of.ts";
import { readUint32, readUint48, ROW_TEXTS } from "../ledger/messages/row-layout.ts";
import { decodeRow } from "../ledger/messages/row.ts";
import { Accept } from "../records/accept.ts";
import { NOT_WRITTEN } from "../records/attempt.ts";
import { formatMessageId, MESSAGE_KEY_BYTES } from "../records/message-key.ts";
import { Refused } from "../records/refused.ts";
import { bodyEncodingName, DLR_MODE_NAMES, MESSAGE_CLASS_NAMES } from "../records/types.ts";
import { CDR_COLUMNS, CDR_SCHEMA_VERSION, CdrField as F, type CdrValue } from "./cdr-columns.ts";

/** Is given one row; the array is valid during the call only. */
export type CdrRowVisitor = (row: readonly CdrValue[]) => void;

/** Rows of the chunks of one node, in order. */
export class CdrDecoder {
  readonly #node: string;
  readonly #visit: CdrRowVisitor;
  readonly #row: CdrValue[] = CDR_COLUMNS.map(() => null);
  #number = 0;
  #recordedAt = 0;

  constructor(node: string, visit: CdrRowVisitor) {
    this.#node = node;
    this.#visit = visit;
  }

  /**
   * Visits the rows of a chunk whose first is number `first`; returns the number behind its last.
   * Throws if the chunk contradicts itself.
   */
  decode(chunk: Uint8Array, first: number): number {
    const recordedAt = chunkRecordedAt(chunk);
    let next = first;
    eachItem(chunk, (kind, rowCount, start, end) => {
      const before = next;
      next = this.decodeItem(kind, chunk.subarray(start, end), before, recordedAt);
      if (next !== before + rowCount) throw new Error("CDR item with a wrong row count");
    });
    if (next !== first + chunkRowCount(chunk)) throw new Error("CDR chunk with a wrong row count");
    return next;
  }

  /**
   * Visits the rows of one item, the first of which is number `first`; returns the number behind
   * its last. Throws if it is of no known kind or version.
   */
  decodeItem(kind: number, payload: Uint8Array, first: number, recordedAt: number): number {
    this.#number = first;
    this.#recordedAt = recordedAt;
    if (kind === CdrItem.MESSAGE) this.#decodeMessage(payload);
    else if (kind === CdrItem.REFUSAL) this.#decodeRefusal(payload);
    else if (kind === CdrItem.DUPLICATE) this.#decodeDuplicate(payload);
    else throw new Error(`CDR item of unknown kind ${kind}`);
    return this.#number;
  }

  #emit(record: string): void {
    const row = this.#row;
    row[F.schema] = CDR_SCHEMA_VERSION;
    row[F.row] = this.#number;
    row[F.record] = record;
    row[F.recorded_at] = this.#recordedAt;
    this.#number += 1;
    this.#visit(row);
  }

  #decodeMessage(payload: Uint8Array): void {
    const message = decodeRow(payload);
    this.#row.fill(null);
    this.#fillHead(message);
    const segments = this.#row[F.segments] as number;
    for (let i = 0; i < message.parts.length; i++) {
      this.#fillPart(message, i);
      this.#row[F.segments] = message.parts.length === 1 ? segments : 1;
      this.#emit("part");
    }
    this.#row[F.segments] = segments;
    this.#fillWhole(message);
    this.#emit("message");
  }

  /** What all rows of a message share. */
  #fillHead(message: MessageState): void {
    const row = this.#row;
    const { bytes } = message;
    const byte = (field: number): number => message.acceptByte(field);
    let at = message.at + ROW_TEXTS;
    const text = (field: number): string | null => {
      const start = at;
      at += byte(field);
      return at === start ? null : bytes.toString("utf8", start, at);
    };
    row[F.message_id] = formatMessageId(this.#node, message.sequence, message.origin);
    row[F.parts] = message.parts.length;
    // A part of its own may carry several segments' text (message_payload).
    row[F.segments] = Math.max(byte(Accept.SEGMENTS), message.parts.length);
    row[F.app] = message.appId;
    row[F.to] = text(Accept.TO_LENGTH);
    row[F.from] = text(Accept.FROM_LENGTH);
    row[F.reference] = text(Accept.REFERENCE_LENGTH);
    row[F.campaign] = text(Accept.CAMPAIGN_LENGTH);
    row[F.class] = MESSAGE_CLASS_NAMES[message.messageClass as 0] ?? null;
    row[F.priority] = message.priority;
    row[F.dlr] = DLR_MODE_NAMES[message.dlr as 0] ?? null;
    row[F.encoding] = bodyEncodingName(byte(Accept.ENCODING), byte(Accept.DATA_CODING));
    row[F.pool] = message.poolId;
    row[F.accepted_at] = Math.floor(message.acceptedAt);
    row[F.send_at] = sendAtOf(message);
    const replayed = replayOf(message);
    row[F.replay_of] =
      replayed === null ? null : formatMessageId(this.#node, replayed.sequence, replayed.origin);
  }

  #fillPart(message: MessageState, index: number): void {
    const row = this.#row;
    const part = message.parts[index] as PartRecord;
    row[F.part] = index;
    row[F.status] = PART_STATUS[part.state] ?? null;
    this.#fillReason(partReason(message, part));
    row[F.maybe_dup] = part.maybeDup;
    this.#fillAttempt(part);
    row[F.final_at] = orNull(part.finalAt);
  }

  #fillWhole(message: MessageState): void {
    const row = this.#row;
    row[F.part] = null;
    row[F.status] = MESSAGE_STATUS[message.status as 0] ?? null;
    this.#fillReason(reasonOf(message));
    row[F.maybe_dup] = message.parts.some((part) => part.maybeDup);
    this.#fillAttempt(decidingPart(message) ?? (message.parts[0] as PartRecord));
    // These are of a part: a message of several has several.
    if (message.parts.length > 1) {
      row[F.session] = null;
      row[F.attempts] = null;
      row[F.smsc_id] = null;
    }
    row[F.final_at] = orNull(message.finalAt);
  }

  #fillReason(reason: ReturnType<typeof partReason>): void {
    const row = this.#row;
    row[F.reason_group] = reason?.group ?? null;
    row[F.reason_code] = reason?.code ?? null;
    row[F.smpp_status] = reason?.smpp_status ?? null;
    row[F.carrier_code] = reason?.carrier_code ?? null;
  }

  #fillAttempt(part: PartRecord): void {
    const row = this.#row;
    const isSent = part.attempt > 0;
    const hasAnswer = part.answeredAt !== 0 && part.commandStatus !== NOT_WRITTEN;
    const id = part.ids?.[0]?.id;
    row[F.link] = isSent ? part.linkId : null;
    row[F.session] = isSent ? part.session : null;
    row[F.attempts] = part.attempt;
    row[F.smsc_id] = id === undefined ? null : printable(id);
    row[F.receipt] =
      part.receiptState === NO_RECEIPT ? null : (RECEIPT_STATES[part.receiptState] ?? "unknown");
    row[F.sent_at] = orNull(part.sendingAt);
    row[F.answered_at] = hasAnswer ? part.answeredAt : null;
    row[F.receipt_at] = orNull(part.receiptAt);
  }

  #decodeRefusal(payload: Uint8Array): void {
    const row = this.#row.fill(null);
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    let at: number = Refused.TEXTS;
    const text = (field: number): string | null => {
      const start = at;
      at += bytes[field] as number;
      return at === start ? null : bytes.toString("utf8", start, at);
    };
    const code = text(Refused.CODE_LENGTH);
    row[F.to] = text(Refused.TO_LENGTH);
    row[F.from] = text(Refused.FROM_LENGTH);
    row[F.reference] = text(Refused.REFERENCE_LENGTH);
    row[F.campaign] = text(Refused.CAMPAIGN_LENGTH);
    const state = text(Refused.STATE_LENGTH);
    row[F.app] = bytes.readUInt32LE(Refused.APP_ID);
    row[F.http_status] = bytes.readUInt16LE(Refused.HTTP_STATUS);
    row[F.pool] = orNull(bytes.readUInt32LE(Refused.POOL_ID));
    row[F.status] = state === null ? "refused" : "blocked";
    row[F.reason_group] = state === null ? "gateway" : "policy";
    row[F.reason_code] = state ?? code;
    row[F.final_at] = Math.floor(bytes.readDoubleLE(Refused.AT));
    this.#emit("refusal");
  }

  #decodeDuplicate(payload: Uint8Array): void {
    const row = this.#row.fill(null);
    const id = formatMessageId(this.#node, readKeySequence(payload, 0), readKeyOrigin(payload, 0));
    row[F.message_id] = id;
    row[F.part] = payload[MESSAGE_KEY_BYTES] as number;
    row[F.final_at] = readUint48(payload, MESSAGE_KEY_BYTES + 1);
    row[F.app] = readUint32(payload, MESSAGE_KEY_BYTES + 7);
    row[F.link] = orNull(readUint32(payload, MESSAGE_KEY_BYTES + 11));
    row[F.maybe_dup] = true;
    this.#emit("duplicate");
  }
}

function orNull(value: number): number | null {
  return value === 0 ? null : value;
}
