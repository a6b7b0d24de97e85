/**
 * A session's receipts: sent, answered, refused, sent again.
 *
 *   account's queue ──send──► window ──answer──► done, or what is to follow it
 *                                 └──refused for now, late, session gone──► back to the account
 *
 * It also owns the numbers of our own requests. One session owns it.
 */
import {
  COMMAND_STATUS,
  MESSAGE_STATE,
  nextSequenceNumber,
  statusClassOf,
} from "../codec/index.ts";
import type { Account } from "./account.ts";
import { PROTOCOL_ERROR } from "./counters.ts";
import {
  JOB_FLAG_CONTRADICT,
  JOB_FLAG_DUPLICATE,
  JOB_FLAG_STRAY,
  JOB_NONE,
  JOB_WORD,
} from "./job-pool.ts";
import { ANSWER_LENGTH_MAX, type Outbox } from "./outbox.ts";
import { RECEIPT_LENGTH_MAX } from "./receipt-writer.ts";
import { ReceiptWindow } from "./receipt-window.ts";
import type { SmscShared } from "./shared.ts";

/** A receipt is given up after so many attempts. */
const RECEIPT_ATTEMPTS_MAX = 10;
/** Until a receipt that was answered with a transient status is sent again. */
const RECEIPT_RETRY_MS = 1000;
/** Until what follows an answered receipt. */
const FOLLOWS_AFTER_MS = 5;
/** A stray receipt's id is the message's and this: no message will come to have it. */
const STRAY_ID_BEYOND = 2 ** 51;

const PROVOCATIONS_MAX = 4096;

export class ReceiptFlow {
  /** Where receipts come from and go back to; set by a bind. */
  account: Account | null = null;
  readonly #shared: SmscShared;
  readonly #outbox: Outbox;
  readonly #serial: number;
  readonly #window: ReceiptWindow;
  #nextSequence = 1;
  /** Numbers of malformed PDUs: the peer may answer them, or not. */
  readonly #provocations = new Set<number>();

  /** `serial` names the session in the witness. */
  constructor(shared: SmscShared, outbox: Outbox, serial: number) {
    this.#shared = shared;
    this.#outbox = outbox;
    this.#serial = serial;
    this.#window = new ReceiptWindow(shared.options.receiptWindow);
  }

  /** The number of our next request. */
  takeSequence(): number {
    const sequence = this.#nextSequence;
    this.#nextSequence = nextSequenceNumber(sequence);
    return sequence;
  }

  /** The number of a PDU that the peer may answer as it likes. */
  takeProvocation(): number {
    const sequence = this.takeSequence();
    if (this.#provocations.size >= PROVOCATIONS_MAX) this.#provocations.clear();
    this.#provocations.add(sequence);
    return sequence;
  }

  /** Whether a response belongs to such a PDU; it may come once. */
  isProvoked(sequence: number): boolean {
    return this.#provocations.delete(sequence);
  }

  hasRoom(): boolean {
    return (
      this.#window.hasRoom(this.#nextSequence) &&
      // An answer must still fit behind it.
      this.#outbox.hasRoom(RECEIPT_LENGTH_MAX + ANSWER_LENGTH_MAX)
    );
  }

  /** Encodes a receipt into the outbox; only after `hasRoom`. */
  send(job: number): void {
    const shared = this.#shared;
    const { pool, counters, witness, idWriting } = shared;
    const out = this.#outbox;
    const sequence = this.takeSequence();
    out.used += shared.receiptWriter.write(
      out.bytes,
      out.used,
      sequence,
      pool,
      job,
      idWriting.receipt,
      Math.floor(shared.wallMs / 60_000),
    );
    const attempt = pool.get(job, JOB_WORD.ATTEMPTS) + 1;
    pool.set(job, JOB_WORD.ATTEMPTS, attempt);
    pool.set(job, JOB_WORD.DUE, shared.tick);
    this.#window.put(sequence, job);
    counters.receiptsSent++;
    if (witness === null) return;
    const idLength = shared.writeId(idWriting.receipt, pool.idOf(job));
    const state = pool.get(job, JOB_WORD.STATE);
    const { wallMs, idBytes } = shared;
    witness.writeReceipt(wallMs, this.#serial, sequence, idBytes, idLength, state, attempt);
  }

  /** A deliver_sm_resp, or a generic_nack that names one of our numbers. */
  onAnswer(status: number, sequence: number): void {
    const shared = this.#shared;
    const { pool, counters, witness } = shared;
    const job = this.#window.take(sequence);
    if (job === JOB_NONE) {
      counters.countError(PROTOCOL_ERROR.unexpected_response);
      return;
    }
    if (witness !== null) {
      const idLength = shared.writeId(shared.idWriting.receipt, pool.idOf(job));
      const { wallMs, idBytes } = shared;
      witness.writeReceiptAnswer(wallMs, this.#serial, sequence, idBytes, idLength, status);
    }
    this.account?.onRoom();
    if (status === COMMAND_STATUS.ESME_ROK) this.#conclude(job);
    else this.#refuse(job, status);
  }

  #conclude(job: number): void {
    const { pool, counters, wheel, tick } = this.#shared;
    counters.receiptsAnswered++;
    const flags = pool.get(job, JOB_WORD.FLAGS);
    if (flags === 0) {
      pool.release(job);
      return;
    }
    this.#turnIntoFollower(job, flags);
    pool.set(job, JOB_WORD.ATTEMPTS, 0);
    wheel.schedule(job, (tick + FOLLOWS_AFTER_MS) | 0);
  }

  /** The same again first, then another state, then an id that nothing has. */
  #turnIntoFollower(job: number, flags: number): void {
    const { pool, counters } = this.#shared;
    if ((flags & JOB_FLAG_DUPLICATE) !== 0) {
      counters.receiptsDuplicated++;
      pool.set(job, JOB_WORD.FLAGS, flags & ~JOB_FLAG_DUPLICATE);
    } else if ((flags & JOB_FLAG_CONTRADICT) !== 0) {
      counters.receiptsContradicted++;
      const { DELIVERED, UNDELIVERABLE } = MESSAGE_STATE;
      const isDelivered = pool.get(job, JOB_WORD.STATE) === DELIVERED;
      pool.set(job, JOB_WORD.STATE, isDelivered ? UNDELIVERABLE : DELIVERED);
      pool.set(job, JOB_WORD.FLAGS, flags & ~JOB_FLAG_CONTRADICT);
    } else {
      counters.receiptsStray++;
      pool.setId(job, pool.idOf(job) + STRAY_ID_BEYOND);
      pool.set(job, JOB_WORD.FLAGS, flags & ~JOB_FLAG_STRAY);
    }
  }

  #refuse(job: number, status: number): void {
    const { pool, counters, wheel, tick } = this.#shared;
    counters.receiptsRefused++;
    const kind = statusClassOf(status);
    const mayRetry = kind === "T" || kind === "B";
    if (mayRetry && pool.get(job, JOB_WORD.ATTEMPTS) < RECEIPT_ATTEMPTS_MAX) {
      counters.receiptsResent++;
      wheel.schedule(job, (tick + RECEIPT_RETRY_MS) | 0);
      return;
    }
    counters.receiptsAbandoned++;
    pool.release(job);
  }

  /** A receipt that got no answer here goes back to its account. */
  #resend(job: number): void {
    const { pool, counters } = this.#shared;
    if (this.account === null || pool.get(job, JOB_WORD.ATTEMPTS) >= RECEIPT_ATTEMPTS_MAX) {
      counters.receiptsAbandoned++;
      pool.release(job);
      return;
    }
    counters.receiptsResent++;
    this.account.enqueue(job);
  }

  /** Gives back every receipt whose answer is overdue. */
  resendLate(): void {
    if (this.#window.count === 0) return;
    const { tick, pool, options, counters } = this.#shared;
    const isLate = (job: number): boolean =>
      ((tick - pool.get(job, JOB_WORD.DUE)) | 0) >= options.receiptTimeoutMs;
    this.#window.takeWhere(isLate, (job) => {
      counters.countError(PROTOCOL_ERROR.unanswered_deliver_sm);
      this.#resend(job);
    });
  }

  /** The session is over: gives back every receipt that is unanswered. */
  resendAll(): void {
    this.#window.takeWhere(
      () => true,
      (job) => this.#resend(job),
    );
  }
}
