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
import { SessionWord } from "../tables/link-table.ts";
import type { Connection } from "./session/connection.ts";
import type { TurnTime } from "./context.ts";
import { IntQueue } from "./queue/int-queue.ts";
import type { RecordStager } from "./record-stager.ts";
import type { SmppSession } from "./session/session.ts";

/** `take` staged a RECEIPT: the response follows its commit. */
export const ANSWER_LATER = -1;

/**
 * What is pending: a data_sm, not a deliver_sm; on the receiver of a pair, not the main connection.
 */
const PENDING_DATA_SM = 1;
const PENDING_ON_RECEIVER = 2;
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
  /** (session, PENDING_… bits, generation, sequence_number) each. */
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
  take(connection: Connection, bytes: Uint8Array, start: number, end: number): number {
    const isDataSm = readCommandId(bytes, start) === COMMAND_ID.data_sm;
    const sm = this.#sm;
    const defect = isDataSm ? decodeDataSm(bytes, start, end, sm) : decodeSm(bytes, start, end, sm);
    if (defect < 0) {
      connection.noteAnomaly("a request with a malformed body");
      // Everything before a broken TLV is sound: the receipt may well be readable.
      if (defect !== DEFECT_TLV_STREAM) return statusForDefect(defect);
    }
    if (!isReceipt(sm.esmClass) && !isIntermediateNotification(sm.esmClass)) {
      this.#metrics.add(Counter.inboundRefused, 1);
      return COMMAND_STATUS.ESME_RX_T_APPN;
    }
    const receipt = this.#receipt;
    if (parseReceiptOf(sm, receipt) < 0 || receipt.idEnd === receipt.idStart) {
      connection.noteAnomaly("a receipt that names no message");
      return COMMAND_STATUS.ESME_RX_P_APPN;
    }
    this.#stage(connection, readSequenceNumber(bytes, start), isDataSm);
    return ANSWER_LATER;
  }

  /** The oldest staged RECEIPT is committed: its response may go. */
  onCommitted(): void {
    const session = this.#sessions[this.#pending.shift()] as SmppSession;
    const bits = this.#pending.shift();
    const generation = this.#pending.shift();
    const sequenceNumber = this.#pending.shift() >>> 0;
    const connection = (bits & PENDING_ON_RECEIVER) === 0 ? session.main : session.receiver;
    const isDataSm = (bits & PENDING_DATA_SM) !== 0;
    const commandId = isDataSm ? COMMAND_ID.data_sm_resp : COMMAND_ID.deliver_sm_resp;
    connection?.receiptCommitted(generation, commandId, sequenceNumber);
  }

  #stage(connection: Connection, sequenceNumber: number, isDataSm: boolean): void {
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
      connection.session.linkId,
      this.#time.wall,
      stateOf(receipt, this.#sm.esmClass),
      receipt.idBytes,
      receipt.idStart,
      receipt.idEnd,
      error,
      errorStart,
      errorEnd,
    );
    this.#pending.push(connection.session.local);
    this.#pending.push(
      (isDataSm ? PENDING_DATA_SM : 0) | (connection.isReceiver ? PENDING_ON_RECEIVER : 0),
    );
    this.#pending.push(connection.generation);
    this.#pending.push(sequenceNumber);
    this.#metrics.add(Counter.receiptsReceived, 1);
    connection.session.tally.add(SessionWord.RECEIPTS);
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
