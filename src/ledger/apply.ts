/**
 * Applies the records of the log to the messages, one type a method; every one may come twice.
 *
 *   STARTED  ACCEPT │ SENDING  ANSWER  AMBIGUOUS  CONCLUDED │ RECEIPT
 *            makes  │ find the message by key, merge        │ finds it by the SMSC's id
 *
 * Records about messages that are not here (removed by retention) are counted and change nothing.
 * Nothing here looks at the clock: the state is a function of the log and of what the store held.
 * The ledger's thread only.
 */
import { Buffer } from "node:buffer";
import type { Log } from "../environment.ts";
import type { RecordVisitor } from "../journal/log-reading.ts";
import { Counter, type MetricBlock } from "../metrics/block.ts";
import {
  Accept,
  acceptCampaignOffset,
  acceptHasKey,
  acceptIsConsistent,
  acceptReplayOffset,
  REPLAY_BYTES,
} from "../records/accept.ts";
import {
  Attempt,
  FLAG_MAYBE_DUP,
  NOT_WRITTEN,
  Outcome,
  SMSC_ID_BYTES_MAX,
} from "../records/attempt.ts";
import { Concluded, Verdict } from "../records/concluded.ts";
import { copyMemory, type RecordMemory } from "../records/memory.ts";
import { epochOf, type MessageKey, producerOf } from "../records/message-key.ts";
import { Receipt } from "../records/receipt.ts";
import { Resolved } from "../records/resolved.ts";
import { Started } from "../records/started.ts";
import { DlrMode, RecordType } from "../records/types.ts";
import {
  EventKind,
  keepEvent,
  memoryBytes,
  type MessageState,
  NO_VERDICT,
  sendAtOf,
} from "./messages/message-state.ts";
import type { Messages } from "./messages/messages.ts";
import type { LedgerMeta } from "./store/meta.ts";
import type { OutcomeObserver } from "./outcomes.ts";
import {
  finish,
  hold,
  isFinal,
  mergeAccepted,
  mergeAmbiguous,
  mergePutOff,
  mergeRefused,
  mergeSending,
  type PartRecord,
  PartState,
  schedule,
} from "./messages/part-state.ts";
import {
  decideAmbiguous,
  expirePart,
  resolveHeld,
  type LedgerPolicy,
  RecoveryRow,
} from "./policy.ts";
import type { Receipts } from "./receipts/receipts.ts";
import type { RecoveryHits } from "./flow/recovery.ts";
import { replayOf } from "./flow/replay-of.ts";
import { Row, ROW_TEXTS } from "./messages/row-layout.ts";

const LOG_INTERVAL_MS = 1000;

export interface RecordApplierOptions {
  readonly messages: Messages;
  readonly receipts: Receipts;
  readonly outcomes: OutcomeObserver;
  readonly meta: LedgerMeta;
  readonly policy: LedgerPolicy;
  readonly hits: RecoveryHits;
  readonly metrics: MetricBlock;
  readonly log: Log;
  /** This run. */
  readonly epoch: number;
  /** Where the log begins that the store has not applied: before it, only fresh messages lack. */
  readonly replayUntil: number;
  /** Whether a start would find in the log what is being applied. */
  readonly isLogSynced: () => boolean;
  readonly producerCount: number;
  /** The word that names the record in hand. */
  readonly inHand: Float64Array;
  readonly inHandIndex: number;
  /** Log offsets of records that were in hand at two crashes. */
  readonly quarantined: ReadonlySet<number>;
  /** A message that this run has to conclude as quarantined. */
  readonly onQuarantined: (message: MessageState) => void;
  /**
   * Told of every attempt at a part and of every CONCLUDED: who puts messages to workers follows by
   * them.
   */
  readonly onAttempt: (message: MessageState, part: number, attempt: number) => void;
  readonly onConcluded: (message: MessageState) => void;
  /** A message was applied that sends this dead letter anew. */
  readonly onReplayed: (key: MessageKey) => void;
  /** A decision about a held message is in the log; `isChanged`: it found it held. */
  readonly onResolved: (sequence: number, origin: number, isChanged: boolean) => void;
}

export class RecordApplier implements RecordVisitor {
  /** Records about messages that are not here. */
  unknownCount = 0;
  /** Highest sequence of this run by producer. */
  readonly appliedSequences: Float64Array;
  readonly #options: RecordApplierOptions;
  /** Highest sequence by origin: a higher one is new, without asking the store. */
  readonly #lastSequences = new Map<number, { sequence: number }>();
  #bytes: Buffer = Buffer.alloc(0);
  #unknownLogged = 0;
  #nextLogAt = 0;

  constructor(options: RecordApplierOptions) {
    this.#options = options;
    this.appliedSequences = new Float64Array(options.producerCount);
  }

  onRecord(
    type: number,
    memory: RecordMemory,
    offset: number,
    lengthBytes: number,
    logOffset: number,
  ): void {
    const { inHand, inHandIndex, quarantined } = this.#options;
    inHand[inHandIndex] = logOffset;
    if (this.#bytes.buffer !== memory.bytes.buffer) {
      this.#bytes = Buffer.from(memory.bytes.buffer, 0, memory.bytes.buffer.byteLength);
    }
    if (quarantined.size > 0 && quarantined.has(logOffset) && type !== RecordType.ACCEPT) {
      this.#leaveOut(type, memory.view, offset, logOffset);
    } else {
      this.#apply(type, memory, offset, lengthBytes, logOffset);
    }
    // What goes wrong between two records is no fault of either.
    inHand[inHandIndex] = -1;
  }

  /**
   * Passes over a record that was in hand at two crashes. A part whose SENDING it is may be out: it
   * is held, until its answer, a receipt, somebody's decision or the end of its validity.
   */
  #leaveOut(type: number, view: DataView, offset: number, logOffset: number): void {
    const { hits, log, messages, replayUntil } = this.#options;
    hits.count(RecoveryRow.QUARANTINED);
    log.write("error", "apply record", {
      cause: "it was in hand at two crashes and is left out",
      log_offset: logOffset,
      record_type: type,
    });
    if (type !== RecordType.SENDING) return;
    const message = this.#messageOf(view, offset);
    if (message === null) return;
    // What has a row knows of it.
    if (logOffset < replayUntil && message.isInOpenIndex) return;
    const part = this.#partOf(message, view, offset);
    if (part === null || !this.#beginAttempt(message, part, view, offset)) return;
    if (!mergeAmbiguous(part, view.getUint8(offset + Attempt.ATTEMPT))) return;
    hold(part);
    messages.settle(message);
  }

  #apply(
    type: number,
    memory: RecordMemory,
    offset: number,
    lengthBytes: number,
    logOffset: number,
  ): void {
    if (logOffset < this.#options.replayUntil) {
      this.#replay(type, memory, offset, lengthBytes, logOffset);
      return;
    }
    switch (type) {
      case RecordType.ACCEPT:
        this.#applyAccept(memory, offset, lengthBytes, logOffset);
        break;
      case RecordType.SENDING:
        this.#applySending(memory.view, offset);
        break;
      case RecordType.ANSWER:
        this.#applyAnswer(memory, offset);
        break;
      case RecordType.AMBIGUOUS:
        this.#applyAmbiguous(memory.view, offset);
        break;
      case RecordType.CONCLUDED:
        this.#applyConcluded(memory.view, offset);
        break;
      case RecordType.RECEIPT:
        this.#applyReceipt(memory, offset);
        break;
      case RecordType.RESOLVED:
        this.#applyResolved(memory.view, offset);
        break;
      case RecordType.REFUSED:
        this.#options.outcomes.onRefused(memory, offset);
        break;
      case RecordType.STARTED:
        this.#applyStarted(memory.view, offset);
        break;
      default:
        throw new Error(`log has a record of unknown type ${type} at ${logOffset}`);
    }
    this.#options.messages.retire();
    this.#options.metrics.add(Counter.recordsApplied, 1);
  }

  #applyStarted(view: DataView, offset: number): void {
    const { meta, hits, receipts } = this.#options;
    const epoch = view.getUint32(offset + Started.EPOCH, true);
    if (epoch <= meta.startedEpoch) return;
    meta.noteStart({ epoch, at: Math.floor(view.getFloat64(offset + Started.AT, true)) });
    hits.count(RecoveryRow.PARKED, receipts.parked.count);
  }

  /**
   * Makes messages anew that were fresh when the last run ended (messages/fresh-messages.ts). All
   * that the store has of the record stays as it is.
   */
  #replay(
    type: number,
    memory: RecordMemory,
    offset: number,
    lengthBytes: number,
    logOffset: number,
  ): void {
    const { messages, quarantined } = this.#options;
    const { view } = memory;
    if (type === RecordType.ACCEPT) {
      if (!acceptIsConsistent(memory, offset, lengthBytes)) throw contradiction(logOffset);
      const sequence = view.getFloat64(offset + Accept.SEQUENCE, true);
      const origin = view.getUint32(offset + Accept.ORIGIN, true);
      if (messages.find(sequence, origin) !== null) return;
      const message = this.#newMessage(view, offset, logOffset, sequence, origin);
      messages.admitAgain(message);
      if (quarantined.has(logOffset)) this.#quarantine(message);
      messages.settle(message);
    } else if (type === RecordType.SENDING) {
      const sequence = view.getFloat64(offset + Attempt.SEQUENCE, true);
      const origin = view.getUint32(offset + Attempt.ORIGIN, true);
      const message = messages.find(sequence, origin);
      // What has a row knows of it.
      if (message === null || message.isInOpenIndex || message.finalAt !== 0) return;
      this.#applySending(view, offset);
    }
    messages.retire();
  }

  #applyAccept(memory: RecordMemory, offset: number, lengthBytes: number, logOffset: number): void {
    if (!acceptIsConsistent(memory, offset, lengthBytes)) throw contradiction(logOffset);
    const { view } = memory;
    const { messages, meta, quarantined, epoch, isLogSynced } = this.#options;
    const sequence = view.getFloat64(offset + Accept.SEQUENCE, true);
    const origin = view.getUint32(offset + Accept.ORIGIN, true);
    const last = this.#lastSequences.get(origin);
    if (last === undefined || sequence <= last.sequence) {
      if (messages.find(sequence, origin) !== null) return;
    }
    if (last === undefined) this.#lastSequences.set(origin, { sequence });
    else if (sequence > last.sequence) last.sequence = sequence;
    const message = this.#newMessage(view, offset, logOffset, sequence, origin);
    if (quarantined.size > 0 && quarantined.has(logOffset)) this.#quarantine(message);
    const replayed = replayOf(message);
    const isOfRun = epochOf(origin) === epoch && meta.startedEpoch === epoch;
    messages.admit(message, isOfRun && replayed === null && isLogSynced());
    if (acceptHasKey(view, offset)) this.#options.outcomes.onKeyed(memory, offset);
    if (replayed !== null) this.#options.onReplayed(replayed);
    const producer = producerOf(origin);
    if (epochOf(origin) === epoch && sequence > (this.appliedSequences[producer] ?? 0)) {
      this.appliedSequences[producer] = sequence;
    }
  }

  #newMessage(
    view: DataView,
    offset: number,
    logOffset: number,
    sequence: number,
    origin: number,
  ): MessageState {
    const partCount = view.getUint8(offset + Accept.PART_COUNT);
    const textsStart = offset + Accept.PART_ENDS + 2 * partCount;
    const textsEnd =
      offset + acceptCampaignOffset(view, offset) + view.getUint8(offset + Accept.CAMPAIGN_LENGTH);
    const replay = acceptReplayOffset(view, offset);
    const textsAt = Accept.PART_ENDS - Accept.SEQUENCE;
    const headLength = textsAt + textsEnd - textsStart + (replay < 0 ? 0 : REPLAY_BYTES);
    const message = this.#options.messages.take(memoryBytes(headLength, partCount));
    message.begin(sequence, origin, logOffset, headLength, partCount);
    const { view: row, at } = message;
    copyMemory(view, offset + Accept.SEQUENCE, row, at + Row.HEAD, textsAt);
    copyMemory(view, textsStart, row, at + ROW_TEXTS, textsEnd - textsStart);
    if (replay >= 0) {
      const end = at + Row.HEAD + headLength;
      copyMemory(view, offset + replay, row, end - REPLAY_BYTES, REPLAY_BYTES);
    }
    const sendAt = sendAtOf(message);
    if (sendAt !== null) schedule(message.parts, sendAt);
    message.resolvedEpoch = epochOf(origin);
    return message;
  }

  #quarantine(message: MessageState): void {
    const { hits, log, onQuarantined } = this.#options;
    hits.count(RecoveryRow.QUARANTINED);
    log.write("error", "apply record", {
      cause: "its ACCEPT was in hand at two crashes: the message is quarantined",
      log_offset: message.logOffset,
    });
    message.verdict = Verdict.QUARANTINED;
    for (const part of message.parts) {
      finish(part, PartState.FAILED, Math.floor(message.acceptedAt));
    }
    onQuarantined(message);
  }

  #applySending(view: DataView, offset: number): void {
    const message = this.#messageOf(view, offset);
    if (message === null) return;
    const part = this.#partOf(message, view, offset);
    if (part === null) return;
    this.#beginAttempt(message, part, view, offset);
    this.#noteAttempt(message, view, offset);
  }

  /** What SENDING says of a part and its message; returns whether anything is new. */
  #beginAttempt(message: MessageState, part: PartRecord, view: DataView, offset: number): boolean {
    const { messages, outcomes } = this.#options;
    const wasFinal = isFinal(part.state);
    const isNew = mergeSending(
      part,
      view.getUint8(offset + Attempt.ATTEMPT),
      Math.floor(view.getFloat64(offset + Attempt.AT, true)),
      view.getUint32(offset + Attempt.LINK_ID, true),
      view.getUint8(offset + Attempt.SESSION),
      (view.getUint8(offset + Attempt.FLAGS) & FLAG_MAYBE_DUP) !== 0,
    );
    if (!isNew) return false;
    const reference = view.getUint16(offset + Attempt.CONCAT_REFERENCE, true);
    if (reference !== 0) message.concatReference = reference;
    messages.settle(message);
    if (wasFinal) outcomes.onDuplicate(message, view.getUint8(offset + Attempt.PART));
    return true;
  }

  #applyAnswer(memory: RecordMemory, offset: number): void {
    const { view } = memory;
    const message = this.#messageOf(view, offset);
    if (message === null) return;
    const at = Math.floor(view.getFloat64(offset + Attempt.AT, true));
    this.#options.messages.settleByTime(message, at);
    const part = this.#partOf(message, view, offset);
    if (part === null) return;
    const outcome = view.getUint8(offset + Attempt.OUTCOME);
    if (outcome === Outcome.ACCEPTED) this.#applyAccepted(message, part, view, offset, at);
    else this.#applyRefused(message, part, outcome, view, offset, at);
    this.#noteAttempt(message, view, offset);
  }

  #applyAccepted(
    message: MessageState,
    part: PartRecord,
    view: DataView,
    offset: number,
    at: number,
  ): void {
    const { messages, receipts } = this.#options;
    const linkId = view.getUint32(offset + Attempt.LINK_ID, true);
    const account = this.#accountOf(linkId);
    const id = this.#textAt(
      view,
      offset + Attempt.SMSC_ID,
      Math.min(SMSC_ID_BYTES_MAX, view.getUint8(offset + Attempt.SMSC_ID_LENGTH)),
    );
    const isNew = mergeAccepted(
      part,
      view.getUint8(offset + Attempt.ATTEMPT),
      at,
      linkId,
      view.getUint8(offset + Attempt.SESSION),
      account,
      id,
      message.dlr === DlrMode.NONE,
    );
    if (!isNew) return;
    const index = view.getUint8(offset + Attempt.PART);
    if (!isFinal(part.state)) receipts.onAnswered(message, index, account, id, at);
    messages.settle(message);
  }

  #applyRefused(
    message: MessageState,
    part: PartRecord,
    outcome: number,
    view: DataView,
    offset: number,
    at: number,
  ): void {
    const attempt = view.getUint8(offset + Attempt.ATTEMPT);
    const linkId = view.getUint32(offset + Attempt.LINK_ID, true);
    const commandStatus = view.getUint32(offset + Attempt.COMMAND_STATUS, true);
    const delay = view.getUint32(offset + Attempt.RETRY_AFTER_MS, true);
    const dueAt = Math.min(at + delay, Math.max(at, Math.floor(message.expiresAt)));
    const session = view.getUint8(offset + Attempt.SESSION);
    const wasBegun = outcome !== Outcome.RETRY || commandStatus !== NOT_WRITTEN;
    const isNew = wasBegun
      ? mergeRefused(part, outcome, attempt, at, linkId, session, commandStatus, dueAt)
      : mergePutOff(part, attempt, at, dueAt);
    if (!isNew) return;
    if (outcome === Outcome.RETRY || outcome === Outcome.KEPT) {
      keepEvent(message, {
        kind: outcome === Outcome.RETRY ? EventKind.RETRY : EventKind.KEPT,
        part: view.getUint8(offset + Attempt.PART),
        attempt,
        at,
        linkId: wasBegun ? linkId : 0,
        commandStatus,
      });
    }
    if (message.verdict !== NO_VERDICT) concludePart(message, part, at);
    this.#options.messages.settle(message);
  }

  #applyAmbiguous(view: DataView, offset: number): void {
    const message = this.#messageOf(view, offset);
    if (message === null) return;
    const part = this.#partOf(message, view, offset);
    if (part === null) return;
    const attempt = view.getUint8(offset + Attempt.ATTEMPT);
    const at = Math.floor(view.getFloat64(offset + Attempt.AT, true));
    const linkId = view.getUint32(offset + Attempt.LINK_ID, true);
    const { policy, messages, hits } = this.#options;
    if (mergeAmbiguous(part, attempt)) {
      part.linkId = linkId;
      hits.count(decideAmbiguous(policy, message, part, at));
      const index = view.getUint8(offset + Attempt.PART);
      const event = { kind: EventKind.AMBIGUOUS, part: index, attempt, at, linkId };
      keepEvent(message, { ...event, commandStatus: 0 });
      if (message.verdict !== NO_VERDICT) concludePart(message, part, at);
    }
    messages.settle(message);
    this.#noteAttempt(message, view, offset);
  }

  #applyConcluded(view: DataView, offset: number): void {
    const message = this.#messageOf(view, offset);
    if (message === null) return;
    const at = Math.floor(view.getFloat64(offset + Concluded.AT, true));
    if (message.verdict === NO_VERDICT) message.verdict = view.getUint8(offset + Concluded.VERDICT);
    for (const part of message.parts) concludePart(message, part, at);
    this.#options.messages.settle(message);
    this.#options.onConcluded(message);
  }

  #applyResolved(view: DataView, offset: number): void {
    const sequence = view.getFloat64(offset + Resolved.SEQUENCE, true);
    const origin = view.getUint32(offset + Resolved.ORIGIN, true);
    const { messages, onResolved } = this.#options;
    const message = messages.find(sequence, origin);
    let isChanged = false;
    if (message === null) {
      this.unknownCount++;
    } else {
      const at = Math.floor(view.getFloat64(offset + Resolved.AT, true));
      messages.settleByTime(message, at);
      isChanged = resolveHeld(message, view.getUint8(offset + Resolved.DECISION), at);
      if (isChanged) messages.settle(message);
    }
    onResolved(sequence, origin, isChanged);
  }

  #applyReceipt(memory: RecordMemory, offset: number): void {
    const { view } = memory;
    const idLength = view.getUint8(offset + Receipt.SMSC_ID_LENGTH);
    const errorLength = view.getUint8(offset + Receipt.ERROR_LENGTH);
    const { receipts } = this.#options;
    receipts.onReceipt(
      this.#accountOf(view.getUint32(offset + Receipt.LINK_ID, true)),
      this.#textAt(view, offset + Receipt.TEXTS, idLength),
      view.getUint8(offset + Receipt.MESSAGE_STATE),
      this.#textAt(view, offset + Receipt.TEXTS + idLength, errorLength),
      Math.floor(view.getFloat64(offset + Receipt.AT, true)),
    );
    receipts.retryPinned();
  }

  #accountOf(linkId: number): number {
    return this.#options.policy.plan.accountByLink.get(linkId) ?? linkId;
  }

  #noteAttempt(message: MessageState, view: DataView, offset: number): void {
    const part = view.getUint8(offset + Attempt.PART);
    this.#options.onAttempt(message, part, view.getUint8(offset + Attempt.ATTEMPT));
  }

  #messageOf(view: DataView, offset: number): MessageState | null {
    const sequence = view.getFloat64(offset + Attempt.SEQUENCE, true);
    const origin = view.getUint32(offset + Attempt.ORIGIN, true);
    const message = this.#options.messages.find(sequence, origin);
    if (message === null) this.unknownCount++;
    return message;
  }

  #partOf(message: MessageState, view: DataView, offset: number): PartRecord | null {
    const part = message.parts[view.getUint8(offset + Attempt.PART)];
    if (part === undefined) this.unknownCount++;
    return part ?? null;
  }

  #textAt(view: DataView, offset: number, length: number): string {
    if (length === 0) return "";
    const start = view.byteOffset + offset;
    return this.#bytes.toString("latin1", start, start + length);
  }

  /** Logs, at most once a second, what could not be applied since. `now`: wall ms. */
  logUnknown(now: number): void {
    if (this.unknownCount === this.#unknownLogged || now < this.#nextLogAt) return;
    this.#nextLogAt = now + LOG_INTERVAL_MS;
    this.#options.log.write("warn", "apply record", {
      cause: "the message is not in the ledger; retention may have removed it",
      records: this.unknownCount - this.#unknownLogged,
    });
    this.#unknownLogged = this.unknownCount;
  }
}

function contradiction(logOffset: number): Error {
  return new Error(`ACCEPT at ${logOffset} contradicts itself`);
}

/** Ends a part of a concluded message if it is not in anybody's hands. */
function concludePart(message: MessageState, part: PartRecord, at: number): void {
  switch (part.state) {
    case PartState.WAITING:
    case PartState.SCHEDULED:
    case PartState.KEPT:
    case PartState.RETRYING:
    case PartState.AMBIGUOUS:
      if (message.verdict === Verdict.EXPIRED) expirePart(part, at);
      else if (message.verdict === Verdict.CANCELED) finish(part, PartState.CANCELED, at);
      else finish(part, PartState.FAILED, at);
      break;
    default:
  }
}
