/**
 * Takes one submit_sm: judges it, writes it into the witness, and arranges its answer and its
 * receipt.
 *
 *   decode → inspect → judge → witness → [receipt before the answer]
 *     → answer now or on the wheel → receipt on the wheel
 *
 * One thread.
 */
import {
  COMMAND_STATUS,
  DATA_CODING,
  decodeSm,
  ESM_CLASS,
  MESSAGE_STATE,
  REGISTERED_DELIVERY,
  type SmView,
  statusForDefect,
} from "../codec/index.ts";
import type { Account } from "./account.ts";
import { isThrottle, PROTOCOL_ERROR } from "./counters.ts";
import { inspectSubmit, noteAcceptedPart } from "./inspect.ts";
import {
  JOB_BYTE,
  JOB_FIELD_BYTES,
  JOB_FLAG_CONTRADICT,
  JOB_FLAG_DUPLICATE,
  JOB_FLAG_STRAY,
  JOB_KIND,
  JOB_WORD,
} from "./job-pool.ts";
import { DRAW_RANGE } from "./random.ts";
import type { SmscShared } from "./shared.ts";
import type { DrawSource } from "./verdict.ts";

/** The session that brought a submit. */
export interface Submitter extends DrawSource {
  readonly index: number;
  /** Counts the sessions of this simulator from 1. */
  readonly serial: number;
  /** Submits whose answer is on the wheel. */
  unansweredCount: number;
  /** Writes a submit_sm_resp; the id stands in `shared.idBytes`. There is room for it. */
  answerSubmit(sequence: number, status: number, idLength: number): void;
  /** Breaks the connection at once. */
  cut(): void;
}

/** Jobs kept back so that one submit, which takes two at most, never finds none. */
const JOBS_RESERVED = 2;

export class Intake {
  readonly #shared: SmscShared;

  constructor(shared: SmscShared) {
    this.#shared = shared;
  }

  /** Takes the submit_sm in bytes [start, end), which came on `session` of `account`. */
  take(
    session: Submitter,
    account: Account,
    bytes: Uint8Array,
    start: number,
    end: number,
    sequence: number,
  ): void {
    const shared = this.#shared;
    const { counters, options, view, witness } = shared;
    counters.submits++;
    shared.noteSubmit();
    const defect = decodeSm(bytes, start, end, view);
    if (defect < 0) {
      counters.countError(PROTOCOL_ERROR.malformed_pdu);
      this.#count(statusForDefect(defect));
      session.answerSubmit(sequence, statusForDefect(defect), 0);
      return;
    }
    inspectSubmit(counters, view, shared.finding);
    const { disconnectEvery } = options;
    const isCut = disconnectEvery !== null && counters.submits % disconnectEvery === 0;
    const status = this.#statusOf(session, account);
    const isAnswered = shared.judge.verdict.isAnswered && !isCut;
    const isAccepted = status === COMMAND_STATUS.ESME_ROK;
    this.#count(status);
    let idLength = 0;
    if (isAccepted) {
      shared.idLast++;
      idLength = shared.writeId(shared.idWriting.answer, shared.idLast);
      noteAcceptedPart(counters, shared.parts, view, shared.finding, account.index, shared.tick);
    }
    witness?.writeSubmit(
      shared.wallMs,
      session.serial,
      sequence,
      view,
      shared.idBytes,
      idLength,
      status,
      isAnswered,
    );
    this.#arrange(session, account, sequence, status, idLength, isAnswered);
    if (isCut) session.cut();
  }

  #statusOf(session: Submitter, account: Account): number {
    const { options, judge, view, pool, counters, nowMs } = this.#shared;
    judge.decide(view, session);
    if (options.window !== null && session.unansweredCount >= options.window) {
      counters.countError(PROTOCOL_ERROR.window_exceeded);
      judge.verdict.isAnswered = true;
      return COMMAND_STATUS.ESME_RMSGQFUL;
    }
    const storm = this.#shared.stormStatus();
    if (storm !== 0) {
      judge.verdict.isAnswered = true;
      return storm;
    }
    if (!account.takesSubmit(nowMs)) {
      counters.countError(PROTOCOL_ERROR.rate_exceeded);
      judge.verdict.isAnswered = true;
      return COMMAND_STATUS.ESME_RTHROTTLED;
    }
    if (pool.usedCount + JOBS_RESERVED > pool.jobsMax) {
      judge.verdict.isAnswered = true;
      return COMMAND_STATUS.ESME_RMSGQFUL;
    }
    return judge.verdict.status;
  }

  #count(status: number): void {
    const { counters } = this.#shared;
    counters.countStatus(status);
    if (status === COMMAND_STATUS.ESME_ROK) counters.accepted++;
    else counters.refused++;
    if (isThrottle(status)) counters.throttled++;
  }

  #arrange(
    session: Submitter,
    account: Account,
    sequence: number,
    status: number,
    idLength: number,
    isAnswered: boolean,
  ): void {
    const shared = this.#shared;
    const { counters, options } = shared;
    // Every submit draws alike, whatever becomes of it, so that timing cannot shift later draws.
    const drawnMs = shared.drawDelayMs(options.latencyMs, session);
    const latencyMs = drawnMs + (drawShare(options.lateAnswers, session) ? options.lateMs : 0);
    const delayMs = shared.drawDelayMs(options.receiptDelayMs, session);
    const isEarly = drawShare(options.receiptBeforeAnswer, session);
    const followers = this.#drawFollowers(session);
    const hasReceipt = status === COMMAND_STATUS.ESME_ROK && this.#wantsReceipt();
    if (hasReceipt && isEarly) {
      counters.receiptsBeforeAnswer++;
      account.enqueue(this.#receiptJob(account, followers));
      account.deliverQueued();
      // The witness may have written the receipt's id, whose format can differ, over the answer's.
      shared.writeId(shared.idWriting.answer, shared.idLast);
    }
    if (!isAnswered) counters.answersWithheld++;
    else if (latencyMs > 0) this.#answerLater(session, sequence, status, latencyMs);
    else session.answerSubmit(sequence, status, idLength);
    if (hasReceipt && !isEarly) {
      const job = this.#receiptJob(account, followers);
      shared.wheel.schedule(job, (shared.tick + latencyMs + delayMs) | 0);
    }
  }

  /** What follows the receipt of this submit, as flags of its job. */
  #drawFollowers(session: Submitter): number {
    const { duplicateReceipts, contradictReceipts, strayReceipts } = this.#shared.options;
    let flags = 0;
    if (drawShare(duplicateReceipts, session)) flags |= JOB_FLAG_DUPLICATE;
    if (drawShare(contradictReceipts, session)) flags |= JOB_FLAG_CONTRADICT;
    if (drawShare(strayReceipts, session)) flags |= JOB_FLAG_STRAY;
    return flags;
  }

  #answerLater(session: Submitter, sequence: number, status: number, latencyMs: number): void {
    const { pool, wheel, idLast, tick } = this.#shared;
    const job = pool.claim();
    pool.set(job, JOB_WORD.KIND, JOB_KIND.answer);
    pool.set(job, JOB_WORD.SESSION, session.index);
    pool.set(job, JOB_WORD.SERIAL, session.serial);
    pool.set(job, JOB_WORD.SEQUENCE, sequence);
    pool.set(job, JOB_WORD.STATUS, status);
    pool.setId(job, idLast);
    session.unansweredCount++;
    wheel.schedule(job, (tick + latencyMs) | 0);
  }

  /**
   * Whether registered_delivery asks for a receipt of this outcome (spec 5.2.17; 3 is from SMPP
   * 5.0).
   */
  #wantsReceipt(): boolean {
    const { options, view, judge } = this.#shared;
    const { state } = judge.verdict;
    if (options.receipts === "none" || state < 0) return false;
    const wish = view.registeredDelivery & 0x03;
    if (wish === REGISTERED_DELIVERY.failure) return state !== MESSAGE_STATE.DELIVERED;
    if (wish === REGISTERED_DELIVERY.success) return state === MESSAGE_STATE.DELIVERED;
    return wish !== REGISTERED_DELIVERY.none;
  }

  #receiptJob(account: Account, followers: number): number {
    const { pool, view, judge, counters, idLast, wallMs } = this.#shared;
    const job = pool.claim();
    const { state } = judge.verdict;
    pool.set(job, JOB_WORD.KIND, JOB_KIND.receipt);
    pool.set(job, JOB_WORD.ACCOUNT, account.index);
    pool.set(job, JOB_WORD.STATE, state);
    pool.set(job, JOB_WORD.FLAGS, followers);
    pool.set(job, JOB_WORD.ATTEMPTS, 0);
    pool.set(job, JOB_WORD.SUBMIT_MINUTE, Math.floor(wallMs / 60_000));
    pool.setId(job, idLast);
    const tonNpi =
      view.sourceAddrTon |
      (view.sourceAddrNpi << 8) |
      (view.destAddrTon << 16) |
      (view.destAddrNpi << 24);
    pool.set(job, JOB_WORD.TON_NPI, tonNpi);
    const into = pool.bytesOf(job);
    const base = pool.byteOffsetOf(job);
    const source = keepField(
      into,
      base + JOB_BYTE.SOURCE,
      view.bytes,
      view.sourceAddrStart,
      view.sourceAddrEnd,
    );
    const destination = keepField(
      into,
      base + JOB_BYTE.DESTINATION,
      view.bytes,
      view.destinationAddrStart,
      view.destinationAddrEnd,
    );
    const text = keepField(
      into,
      base + JOB_BYTE.TEXT,
      view.bytes,
      view.shortMessageStart,
      isPlainText(view) ? view.shortMessageEnd : view.shortMessageStart,
    );
    pool.set(job, JOB_WORD.LENGTHS, source | (destination << 8) | (text << 16));
    counters.receiptsScheduled++;
    counters.states[state] = counters.states[state]! + 1;
    return job;
  }
}

function drawShare(share: number, draws: DrawSource): boolean {
  return share > 0 && draws.draw() < share * DRAW_RANGE;
}

/** Copies at most JOB_FIELD_BYTES octets and returns how many. */
function keepField(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start < JOB_FIELD_BYTES ? end - start : JOB_FIELD_BYTES;
  for (let i = 0; i < length; i++) into[at + i] = bytes[start + i]!;
  return length;
}

/** Whether the text's first octets can be repeated in a receipt as they are. */
function isPlainText(view: SmView): boolean {
  return view.dataCoding <= DATA_CODING.ia5 && (view.esmClass & ESM_CLASS.udhi) === 0;
}
