/** Builds log records for tests of the ledger, as their writers lay them out. */
import { Buffer } from "node:buffer";
import {
  Accept,
  acceptLength,
  acceptReplayOffset,
  acceptTailOffset,
  TailKind,
} from "../../../src/records/accept.ts";
import { Attempt, ATTEMPT_BYTES } from "../../../src/records/attempt.ts";
import { Concluded, CONCLUDED_BYTES } from "../../../src/records/concluded.ts";
import { type MessageKey, originOf } from "../../../src/records/message-key.ts";
import { Receipt } from "../../../src/records/receipt.ts";
import { Refused } from "../../../src/records/refused.ts";
import { Started } from "../../../src/records/started.ts";
import { DlrMode, MessageClass, RecordType } from "../../../src/records/types.ts";

export const T0 = Date.UTC(2026, 10, 22);
/** Sequence 0 of the tests: T0 in the units of keys. */
const SEQUENCE_0 = (T0 - Date.UTC(2025, 0, 1)) * 4096;

export function key(number: number, epoch = 1, producer = 0): MessageKey {
  return { sequence: SEQUENCE_0 + number, origin: originOf(epoch, producer) };
}

function record(type: number, length: number): DataView {
  const view = new DataView(new ArrayBuffer(length));
  view.setUint32(0, length, true);
  view.setUint8(4, type);
  view.setUint8(5, 1);
  return view;
}

function bytesOf(view: DataView): Buffer {
  return Buffer.from(view.buffer);
}

export interface AcceptFields {
  readonly parts?: number;
  readonly appId?: number;
  readonly poolId?: number;
  readonly at?: number;
  readonly ttlMs?: number;
  readonly messageClass?: number;
  readonly priority?: number;
  readonly dlr?: number;
  readonly reference?: string;
  readonly delayS?: number;
  readonly to?: string;
  readonly replayOf?: MessageKey;
  /** The four words of an idempotency key. */
  readonly idempotency?: Int32Array;
}

export function accept(of: MessageKey, fields: AcceptFields = {}): Buffer {
  const parts = fields.parts ?? 1;
  const texts = [fields.to ?? "998901234567", "BRAND", fields.reference ?? "order-17", "spring"];
  const body = "x".repeat(10 * parts);
  const all = Buffer.from(texts.join("") + body);
  const { replayOf } = fields;
  const { idempotency } = fields;
  const tailKinds =
    (replayOf === undefined ? 0 : TailKind.REPLAY) |
    (idempotency === undefined ? 0 : TailKind.IDEMPOTENCY);
  const view = record(RecordType.ACCEPT, acceptLength(parts, all.length, tailKinds));
  view.setUint8(Accept.TAIL_KINDS, tailKinds);
  const at = fields.at ?? T0;
  view.setFloat64(Accept.SEQUENCE, of.sequence, true);
  view.setUint32(Accept.ORIGIN, of.origin, true);
  view.setUint32(Accept.APP_ID, fields.appId ?? 7, true);
  view.setFloat64(Accept.ACCEPTED_AT, at, true);
  view.setFloat64(Accept.EXPIRES_AT, at + (fields.ttlMs ?? 3_600_000), true);
  view.setUint32(Accept.POOL_ID, fields.poolId ?? 1000, true);
  view.setUint8(Accept.PRIORITY, fields.priority ?? 2);
  view.setUint8(Accept.CLASS, fields.messageClass ?? MessageClass.TRANSACTIONAL);
  view.setUint8(Accept.DLR, fields.dlr ?? DlrMode.FINAL);
  view.setUint8(Accept.PREFIX_LENGTH, 3);
  view.setUint32(Accept.SEND_DELAY_S, fields.delayS ?? 0, true);
  view.setUint8(Accept.PART_COUNT, parts);
  for (const [i, text] of texts.entries()) {
    view.setUint8(Accept.TO_LENGTH + i, Buffer.byteLength(text));
  }
  view.setUint16(Accept.BODY_LENGTH, body.length, true);
  for (let i = 0; i < parts; i++) view.setUint16(Accept.PART_ENDS + 2 * i, 10 * (i + 1), true);
  if (replayOf !== undefined) {
    view.setFloat64(acceptReplayOffset(view, 0), replayOf.sequence, true);
    view.setUint32(acceptReplayOffset(view, 0) + 8, replayOf.origin, true);
  }
  for (const [i, word] of (idempotency ?? []).entries()) {
    view.setInt32(acceptTailOffset(view, 0) + 4 * i, word, true);
  }
  const bytes = bytesOf(view);
  bytes.set(all, Accept.PART_ENDS + 2 * parts);
  return bytes;
}

export interface AttemptFields {
  readonly part?: number;
  readonly attempt?: number;
  readonly link?: number;
  readonly session?: number;
  /** Milliseconds after T0. */
  readonly at?: number;
  readonly flags?: number;
  readonly status?: number;
  readonly outcome?: number;
  readonly retryAfterMs?: number;
  readonly id?: string;
  readonly concatReference?: number;
}

function attempt(type: number, of: MessageKey, fields: AttemptFields): Buffer {
  const id = Buffer.from(fields.id ?? "", "latin1");
  const view = record(type, ATTEMPT_BYTES + id.length);
  view.setFloat64(Attempt.SEQUENCE, of.sequence, true);
  view.setUint32(Attempt.ORIGIN, of.origin, true);
  view.setUint32(Attempt.LINK_ID, fields.link ?? 100, true);
  view.setFloat64(Attempt.AT, T0 + (fields.at ?? 10), true);
  view.setUint8(Attempt.PART, fields.part ?? 0);
  view.setUint8(Attempt.ATTEMPT, fields.attempt ?? 1);
  view.setUint8(Attempt.FLAGS, fields.flags ?? 0);
  view.setUint8(Attempt.SESSION, fields.session ?? 1);
  view.setUint32(Attempt.COMMAND_STATUS, fields.status ?? 0, true);
  view.setUint8(Attempt.OUTCOME, fields.outcome ?? 0);
  view.setUint8(Attempt.SMSC_ID_LENGTH, id.length);
  view.setUint16(Attempt.CONCAT_REFERENCE, fields.concatReference ?? 0, true);
  view.setUint32(Attempt.RETRY_AFTER_MS, fields.retryAfterMs ?? 0, true);
  const bytes = bytesOf(view);
  bytes.set(id, Attempt.SMSC_ID);
  return bytes;
}

export function sending(of: MessageKey, fields: AttemptFields = {}): Buffer {
  return attempt(RecordType.SENDING, of, fields);
}

export function answer(of: MessageKey, fields: AttemptFields = {}): Buffer {
  return attempt(RecordType.ANSWER, of, { at: 20, ...fields });
}

export function ambiguous(of: MessageKey, fields: AttemptFields = {}): Buffer {
  return attempt(RecordType.AMBIGUOUS, of, { at: 30, ...fields });
}

export function concluded(of: MessageKey, verdict: number, at = 40): Buffer {
  const view = record(RecordType.CONCLUDED, CONCLUDED_BYTES);
  view.setFloat64(Concluded.SEQUENCE, of.sequence, true);
  view.setUint32(Concluded.ORIGIN, of.origin, true);
  view.setUint8(Concluded.VERDICT, verdict);
  view.setFloat64(Concluded.AT, T0 + at, true);
  return bytesOf(view);
}

export function receipt(id: string, state: number, at = 50, link = 100, error = "000"): Buffer {
  const texts = Buffer.from(id + error, "latin1");
  const view = record(RecordType.RECEIPT, Receipt.TEXTS + texts.length);
  view.setFloat64(Receipt.AT, T0 + at, true);
  view.setUint32(Receipt.LINK_ID, link, true);
  view.setUint8(Receipt.MESSAGE_STATE, state);
  view.setUint8(Receipt.SMSC_ID_LENGTH, id.length);
  view.setUint8(Receipt.ERROR_LENGTH, error.length);
  const bytes = bytesOf(view);
  bytes.set(texts, Receipt.TEXTS);
  return bytes;
}

export function started(epoch: number, at = 0): Buffer {
  const view = record(RecordType.STARTED, Started.NODE + 4);
  view.setFloat64(Started.AT, T0 + at, true);
  view.setUint32(Started.EPOCH, epoch, true);
  view.setUint8(Started.NODE_LENGTH, 4);
  const bytes = bytesOf(view);
  bytes.write("gw-1", Started.NODE);
  return bytes;
}

export function refused(httpStatus: number): Buffer {
  const view = record(RecordType.REFUSED, Refused.TEXTS);
  view.setFloat64(Refused.AT, T0, true);
  view.setUint16(Refused.HTTP_STATUS, httpStatus, true);
  return bytesOf(view);
}
