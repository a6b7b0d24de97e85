/**
 * The durable records of a worker, written straight into its staging ring, and counted.
 *
 *   staged      records staged since start; what rests on the n-th may go back once committed ≥ n
 *   committed   … of them committed; commits come in the order of staging
 *
 * `stage…` return false, and nothing is staged, when the ring has no room: callers look first
 * (`hasRoom`) or try again in a later turn. SENDING leaves a quarter of the ring free, so that
 * answers always find room. One thread.
 */
import type { JournalAppender } from "../journal/appender.ts";
import {
  AMBIGUOUS_TYPE,
  ANSWER_TYPE,
  Attempt,
  ATTEMPT_BYTES,
  NOT_WRITTEN,
  Outcome,
  SENDING_TYPE,
  SMSC_ID_BYTES_MAX,
} from "../records/attempt.ts";
import { Concluded, CONCLUDED_BYTES, CONCLUDED_TYPE } from "../records/concluded.ts";
import { copyBytes } from "../records/memory.ts";
import { Receipt, RECEIPT_ERROR_BYTES_MAX, RECEIPT_TYPE } from "../records/receipt.ts";
import { RING_FULL } from "../ring/layout.ts";
import type { MessageTable } from "./queue/message-table.ts";
import type { Window } from "./session/window.ts";

/** No record of a worker is longer; what one PDU or one window slot may need. */
export const RECORD_ROOM_BYTES = 128;

/** Who sends: the fields of attempt records that a session knows. */
export interface Sender {
  readonly linkId: number;
  readonly ordinal: number;
}

/** What is left of a long commit after each one that was shorter. */
const COMMIT_FADE = 0.9;

export const NO_BYTES = new Uint8Array(0);

export class RecordStager {
  staged = 0;
  committed = 0;
  readonly #appender: JournalAppender;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #sendingReserve: number;
  #published = 0;
  /** A record whose commit is timed, and since when; 0: none. */
  #timed = 0;
  #timedSinceMs = 0;
  #commitMs = 0;

  constructor(appender: JournalAppender) {
    this.#appender = appender;
    this.#view = appender.memory.view;
    this.#bytes = appender.memory.bytes;
    this.#sendingReserve = Math.floor(appender.memory.bytes.length / 4);
  }

  /** Whether one more record of any kind finds room. */
  hasRoom(): boolean {
    return this.#appender.hasRoom(RECORD_ROOM_BYTES);
  }

  /** Whether new work may be taken up: room for a SENDING and for many answers beside it. */
  hasRoomToSend(): boolean {
    return this.#appender.hasRoom(this.#sendingReserve);
  }

  /** How long a commit takes here: the longest of late, which fades. */
  get commitMs(): number {
    return this.#commitMs;
  }

  /** Looks whether the record that is timed is committed by now. */
  noteCommits(nowMs: number): void {
    if (this.#timed === 0 || this.committed < this.#timed) return;
    this.#commitMs = Math.max(nowMs - this.#timedSinceMs, this.#commitMs * COMMIT_FADE);
    this.#timed = 0;
  }

  /** Hands what was staged since the last call to the journal. */
  publish(nowMs: number): void {
    if (this.#published === this.staged) return;
    if (this.#timed === 0) {
      this.#timed = this.staged;
      this.#timedSinceMs = nowMs;
    }
    this.#published = this.staged;
    this.#appender.publish();
  }

  /** Part `part` of a message is about to be written. */
  stageSending(
    table: MessageTable,
    entry: number,
    part: number,
    sender: Sender,
    wallMs: number,
  ): boolean {
    const at = this.#claimAttempt(ATTEMPT_BYTES, SENDING_TYPE, sender, wallMs);
    if (at < 0) return false;
    this.#writeKey(at, table.sequence[entry] as number, table.origin[entry] as number);
    this.#writePart(at, part, table.attempt[entry] as number, table.flags[entry] as number);
    const concatReference = table.concatReference[entry] as number;
    this.#view.setUint16(at + Attempt.CONCAT_REFERENCE, concatReference, true);
    return true;
  }

  /** The SMSC's answer to what a window slot holds; its id is bytes [idStart, idEnd), cut to 64. */
  stageAnswer(
    window: Window,
    slot: number,
    sender: Sender,
    wallMs: number,
    commandStatus: number,
    outcome: number,
    retryAfterMs: number,
    bytes: Uint8Array,
    idStart: number,
    idEnd: number,
  ): boolean {
    const idLength = Math.min(idEnd - idStart, SMSC_ID_BYTES_MAX);
    const at = this.#claimAttempt(ATTEMPT_BYTES + idLength, ANSWER_TYPE, sender, wallMs);
    if (at < 0) return false;
    this.#writeSlot(at, window, slot);
    this.#writeOutcome(at, commandStatus, outcome, retryAfterMs);
    this.#view.setUint8(at + Attempt.SMSC_ID_LENGTH, idLength);
    copyBytes(bytes, idStart, this.#bytes, at + Attempt.SMSC_ID, idLength);
    return true;
  }

  /**
   * The attempt's bytes were never written to a socket: KEPT, REJECTED if they never can be, RETRY
   * if it was not even begun.
   */
  stageNotWritten(
    table: MessageTable,
    entry: number,
    part: number,
    attempt: number,
    sender: Sender,
    wallMs: number,
    outcome: number,
    retryAfterMs = 0,
  ): boolean {
    const at = this.#claimAttempt(ATTEMPT_BYTES, ANSWER_TYPE, sender, wallMs);
    if (at < 0) return false;
    this.#writeKey(at, table.sequence[entry] as number, table.origin[entry] as number);
    this.#writePart(at, part, attempt, table.flags[entry] as number);
    this.#writeOutcome(at, NOT_WRITTEN, outcome, retryAfterMs);
    return true;
  }

  /** No answer will come in time for what a window slot holds. */
  stageAmbiguous(
    window: Window,
    slot: number,
    sender: Sender,
    wallMs: number,
    cause: number,
  ): boolean {
    const at = this.#claimAttempt(ATTEMPT_BYTES, AMBIGUOUS_TYPE, sender, wallMs);
    if (at < 0) return false;
    this.#writeSlot(at, window, slot);
    this.#writeOutcome(at, 0, cause, 0);
    return true;
  }

  /** The gateway ends a message, or those of its parts that were never sent. */
  stageConcluded(table: MessageTable, entry: number, verdict: number, wallMs: number): boolean {
    const at = this.#claim(CONCLUDED_BYTES, CONCLUDED_TYPE);
    if (at < 0) return false;
    const view = this.#view;
    view.setFloat64(at + Concluded.SEQUENCE, table.sequence[entry] as number, true);
    view.setUint32(at + Concluded.ORIGIN, table.origin[entry] as number, true);
    view.setUint32(at + Concluded.VERDICT, verdict, true);
    view.setFloat64(at + Concluded.AT, wallMs, true);
    return true;
  }

  /**
   * A delivery receipt: its id bytes [idStart, idEnd), cut to 64, and its error text, cut to 16.
   */
  stageReceipt(
    linkId: number,
    wallMs: number,
    messageState: number,
    id: Uint8Array,
    idStart: number,
    idEnd: number,
    error: Uint8Array,
    errorStart: number,
    errorEnd: number,
  ): boolean {
    const idLength = Math.min(idEnd - idStart, SMSC_ID_BYTES_MAX);
    const errorLength = Math.min(errorEnd - errorStart, RECEIPT_ERROR_BYTES_MAX);
    const at = this.#claim(Receipt.TEXTS + idLength + errorLength, RECEIPT_TYPE);
    if (at < 0) return false;
    const view = this.#view;
    view.setFloat64(at + Receipt.AT, wallMs, true);
    view.setUint32(at + Receipt.LINK_ID, linkId, true);
    view.setUint8(at + Receipt.MESSAGE_STATE, messageState);
    view.setUint8(at + Receipt.SMSC_ID_LENGTH, idLength);
    view.setUint16(at + Receipt.ERROR_LENGTH, errorLength, true);
    copyBytes(id, idStart, this.#bytes, at + Receipt.TEXTS, idLength);
    copyBytes(error, errorStart, this.#bytes, at + Receipt.TEXTS + idLength, errorLength);
    return true;
  }

  #claim(lengthBytes: number, type: number): number {
    const at = this.#appender.claim(lengthBytes, type);
    if (at !== RING_FULL) this.staged++;
    return at;
  }

  #claimAttempt(lengthBytes: number, type: number, sender: Sender, wallMs: number): number {
    const at = this.#claim(lengthBytes, type);
    if (at < 0) return at;
    const view = this.#view;
    view.setUint32(at + Attempt.LINK_ID, sender.linkId, true);
    view.setFloat64(at + Attempt.AT, wallMs, true);
    view.setUint8(at + Attempt.SESSION, sender.ordinal);
    this.#writeOutcome(at, 0, Outcome.ACCEPTED, 0);
    return at;
  }

  #writeSlot(at: number, window: Window, slot: number): void {
    this.#writeKey(at, window.keySequence[slot] as number, window.origin[slot] as number);
    this.#writePart(
      at,
      window.part[slot] as number,
      window.attempt[slot] as number,
      window.flags[slot] as number,
    );
  }

  #writeKey(at: number, sequence: number, origin: number): void {
    this.#view.setFloat64(at + Attempt.SEQUENCE, sequence, true);
    this.#view.setUint32(at + Attempt.ORIGIN, origin, true);
  }

  #writePart(at: number, part: number, attempt: number, flags: number): void {
    this.#view.setUint8(at + Attempt.PART, part);
    this.#view.setUint8(at + Attempt.ATTEMPT, attempt);
    this.#view.setUint8(at + Attempt.FLAGS, flags);
  }

  /** Also clears the length of the id and the reserved bytes. */
  #writeOutcome(at: number, commandStatus: number, outcome: number, retryAfterMs: number): void {
    this.#view.setUint32(at + Attempt.COMMAND_STATUS, commandStatus, true);
    this.#view.setUint32(at + Attempt.OUTCOME, outcome, true);
    this.#view.setUint32(at + Attempt.RETRY_AFTER_MS, retryAfterMs, true);
  }
}
