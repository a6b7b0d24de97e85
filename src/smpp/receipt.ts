/**
 * Delivery receipts of all sessions: read, staged as RECEIPT, and answered once that is committed
 * (order rule d).
 *
 *   deliver_sm or data_sm ──► RECEIPT staged ──► pending (session, connection, sequence_number)
 *                                                   └── committed ──► response with status 0
 *
 * Records are committed in the order of staging, so one FIFO serves all sessions. A receipt whose
 * connection is gone by then gets no response; the SMSC sends it again, and the ledger knows it
 * already. One thread.
 */
import {
  COMMAND_ID,
  COMMAND_STATUS,
  DEFECT_TLV_STREAM,
  decodeDataSm,
  decodeSm,
  isFinalState,
  isIntermediateNotification,
  isReceipt,
  MESSAGE_STATE,
  parseReceiptOf,
  readCommandId,
  readSequenceNumber,
  RECEIPT_FLAG_STAT_UNRECOGNISED,
  RECEIPT_SOURCE,
  ReceiptView,
  SmView,
  statusForDefect,
} from "../codec/index.ts";
import { Counter, type MetricBlock } from "../metrics/block.ts";
import type { TurnTime } from "./context.ts";
import { IntQueue } from "./int-queue.ts";
import type { RecordStager } from "./record-stager.ts";
import type { SmppSession } from "./session.ts";

/** `take` staged a RECEIPT: the response follows its commit. */
export const ANSWER_LATER = -1;

const DIGIT_0 = 0x30;
const ERROR_DIGITS = 5;

export class ReceiptIntake {
  readonly #stager: RecordStager;
  readonly #metrics: MetricBlock;
  readonly #time: TurnTime;
  readonly #sessions: readonly SmppSession[];
  readonly #sm = new SmView();
  readonly #receipt = new ReceiptView();
  readonly #digits = new Uint8Array(ERROR_DIGITS);
  /** (session, generation, command_id of the response, sequence_number) each. */
  readonly #pending = new IntQueue(64);

  constructor(
    stager: RecordStager,
    metrics: MetricBlock,
    time: TurnTime,
    sessions: readonly SmppSession[],
  ) {
    this.#stager = stager;
    this.#metrics = metrics;
    this.#time = time;
    this.#sessions = sessions;
  }

  /** Receipts staged and not committed. */
  get pendingCount(): number {
    return this.#pending.length / 4;
  }

  /**
   * Takes the deliver_sm or data_sm in bytes [start, end). Returns ANSWER_LATER, or the
   * command_status to answer with now: an error for what is malformed, and RX_T_APPN for inbound
   * messages, which the SMSC then keeps. There must be room in the staging ring.
   */
  take(session: SmppSession, bytes: Uint8Array, start: number, end: number): number {
    const isDataSm = readCommandId(bytes, start) === COMMAND_ID.data_sm;
    const sm = this.#sm;
    const defect = isDataSm ? decodeDataSm(bytes, start, end, sm) : decodeSm(bytes, start, end, sm);
    if (defect < 0) {
      session.noteAnomaly("a request with a malformed body");
      // Everything before a broken TLV is sound: the receipt may well be readable.
      if (defect !== DEFECT_TLV_STREAM) return statusForDefect(defect);
    }
    if (!isReceipt(sm.esmClass) && !isIntermediateNotification(sm.esmClass)) {
      this.#metrics.add(Counter.inboundRefused, 1);
      return COMMAND_STATUS.ESME_RX_T_APPN;
    }
    const receipt = this.#receipt;
    if (parseReceiptOf(sm, receipt) < 0 || receipt.idEnd === receipt.idStart) {
      session.noteAnomaly("a receipt that names no message");
      return COMMAND_STATUS.ESME_RX_P_APPN;
    }
    this.#stage(session, readSequenceNumber(bytes, start), isDataSm);
    return ANSWER_LATER;
  }

  /** The oldest staged RECEIPT is committed: its response may go. */
  onCommitted(): void {
    const session = this.#sessions[this.#pending.shift()] as SmppSession;
    const generation = this.#pending.shift();
    const commandId = this.#pending.shift() >>> 0;
    const sequenceNumber = this.#pending.shift() >>> 0;
    session.receiptCommitted(generation, commandId, sequenceNumber);
  }

  #stage(session: SmppSession, sequenceNumber: number, isDataSm: boolean): void {
    const receipt = this.#receipt;
    let error = receipt.textBytes;
    let errorStart = receipt.errStart;
    let errorEnd = receipt.errEnd;
    if (errorEnd === errorStart && receipt.networkErrorCode >= 0) {
      error = this.#digits;
      errorStart = writeDecimal(this.#digits, receipt.networkErrorCode);
      errorEnd = ERROR_DIGITS;
    }
    this.#stager.stageReceipt(
      session.linkId,
      this.#time.wall,
      stateOf(receipt, this.#sm.esmClass),
      receipt.idBytes,
      receipt.idStart,
      receipt.idEnd,
      error,
      errorStart,
      errorEnd,
    );
    this.#pending.push(session.local);
    this.#pending.push(session.generation);
    this.#pending.push(isDataSm ? COMMAND_ID.data_sm_resp : COMMAND_ID.deliver_sm_resp);
    this.#pending.push(sequenceNumber);
    this.#metrics.add(Counter.receiptsReceived, 1);
  }
}

/**
 * A receipt without a state, or with a word that nobody knows, ends nothing; nor does an
 * intermediate notification, whatever it says.
 */
function stateOf(receipt: ReceiptView, esmClass: number): number {
  const { messageState } = receipt;
  const isUnclear =
    messageState < 0 ||
    (receipt.stateSource === RECEIPT_SOURCE.text &&
      (receipt.flags & RECEIPT_FLAG_STAT_UNRECOGNISED) !== 0);
  if (isUnclear) return MESSAGE_STATE.ENROUTE;
  if (isIntermediateNotification(esmClass) && isFinalState(messageState)) {
    return MESSAGE_STATE.ENROUTE;
  }
  return messageState;
}

/** Writes `value` (at most 65535) right-aligned; returns where its digits start. */
function writeDecimal(out: Uint8Array, value: number): number {
  let at = out.length;
  let rest = value;
  do {
    out[--at] = DIGIT_0 + (rest % 10);
    rest = Math.floor(rest / 10);
  } while (rest > 0 && at > 0);
  return at;
}
