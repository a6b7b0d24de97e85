/**
 * An operator of one link that means no harm but follows its mood: late, reordered, doubled or
 * missing answers, refusals of every class, throttle storms, receipts before answers, doubled or
 * contradictory, ids in another base.
 *
 *   submit_sm ──► log ──► verdict ──► answer after its delay (or twice, or never)
 *                            └─────► receipts, on any session, again until they are answered
 *
 * Its log is the second witness of a run, beside the senders' log of 202s: nothing here asks the
 * gateway.
 */
import {
  COMMAND_ID,
  COMMAND_STATUS,
  encodeBindResp,
  encodeHeaderOnly,
  encodeSm,
  encodeSubmitSmResp,
  ESM_CLASS,
  MESSAGE_STATE,
  readCommandId,
  readCommandStatus,
  readSequenceNumber,
  resetSmView,
  SmView,
  TLV_TAG,
  writeTlvBytes,
  writeTlvInteger,
} from "../../src/codec/index.ts";
import { copyBytes } from "./byte-slab.ts";
import type { SeededRandom } from "./random.ts";
import { type Scheduler, WORLD } from "./scheduler.ts";
import type { Listener, ServerEnd, ServerHandler } from "./simulated-network.ts";
import { PduStream, type Segment, segmentOf } from "./wire.ts";

/** How the operator behaves for a while. */
export interface Mood {
  readonly name: string;
  readonly answerMs: readonly [number, number];
  /**
   * Chance that an answer goes out twice, is never sent, or comes long after the gateway gave up.
   */
  readonly doubleAnswers: number;
  readonly dropAnswers: number;
  readonly lateAnswers: number;
  /** Chance that an answer is of another kind, or for nothing; the right one may follow. */
  readonly wrongAnswers: number;
  readonly refusals: number;
  readonly throttles: number;
  /** Answers nothing at all, enquire_link included. */
  readonly mute: boolean;
  readonly greet: "accept" | "refuse" | "hang";
  /** command_status of binds; 0 accepts. */
  readonly bindStatus: number;
  /** After so long. */
  readonly bindMs: number;
}

export const GOOD_MOOD: Mood = {
  name: "good",
  answerMs: [0.5, 30],
  doubleAnswers: 0.005,
  dropAnswers: 0.002,
  lateAnswers: 0.002,
  wrongAnswers: 0,
  refusals: 0.02,
  throttles: 0.005,
  mute: false,
  greet: "accept",
  bindStatus: 0,
  bindMs: 0,
};

/** Statuses of refused submits, one of every class and some that nobody defined. */
const REFUSALS: readonly number[] = [
  COMMAND_STATUS.ESME_RSYSERR,
  COMMAND_STATUS.ESME_RX_T_APPN,
  COMMAND_STATUS.ESME_RSUBMITFAIL,
  COMMAND_STATUS.ESME_RUNKNOWNERR,
  COMMAND_STATUS.ESME_RINVDSTADR,
  COMMAND_STATUS.ESME_RINVSRCADR,
  COMMAND_STATUS.ESME_RX_P_APPN,
  COMMAND_STATUS.ESME_RINVBNDSTS,
  0x41a,
  0x1234,
];

/** What comes instead of a submit_sm_resp, with its sequence_number. */
const WRONG_ANSWERS: readonly number[] = [
  COMMAND_ID.submit_sm_resp,
  COMMAND_ID.enquire_link_resp,
  COMMAND_ID.query_sm_resp,
  COMMAND_ID.deliver_sm_resp,
];
/** No run comes to as many PDUs on a connection. */
const STRAY_SEQUENCE_BIT = 0x20000000;

/** How ids look in answers and in receipts. */
export type IdForm = "decimal" | "hex_then_decimal" | "decimal_then_hex" | "zeros" | "case";

export interface SubmitLog {
  readonly atMs: number;
  readonly link: number;
  readonly connection: number;
  readonly segment: Segment;
  /** What the operator decided: 0 accepted, otherwise the status it answers or would answer. */
  readonly status: number;
  /** Empty unless accepted. */
  readonly smscId: string;
  /** The same as answers carry it. */
  readonly answerId: string;
  /** When the answer was first written to a live connection, or -1. */
  answeredAtMs: number;
}

export interface ReceiptLog {
  readonly submit: SubmitLog;
  readonly state: number;
  readonly idText: string;
  sentAtMs: number;
  /** When the gateway first answered it with status 0, or -1. */
  takenAtMs: number;
}

interface Session {
  readonly end: ServerEnd;
  readonly stream: PduStream;
  bound: boolean;
  nextSequence: number;
  /** Receipts without an answer, by sequence_number. */
  readonly delivering: Map<number, ReceiptLog>;
}

const STATE_WORDS: Readonly<Record<number, string>> = {
  [MESSAGE_STATE.ENROUTE]: "ENROUTE",
  [MESSAGE_STATE.DELIVERED]: "DELIVRD",
  [MESSAGE_STATE.EXPIRED]: "EXPIRED",
  [MESSAGE_STATE.UNDELIVERABLE]: "UNDELIV",
  [MESSAGE_STATE.REJECTED]: "REJECTD",
  [MESSAGE_STATE.DELETED]: "DELETED",
};

/** The gateway's response timeout in the simulated configuration; late answers come after it. */
export const LATE_ANSWER_MS = 2600;

export class SimulatedSmsc implements Listener {
  mood: Mood = GOOD_MOOD;
  readonly submits: SubmitLog[] = [];
  readonly receipts: ReceiptLog[] = [];
  /** PDUs that did not decode or make no sense from an ESME. */
  readonly protests: string[] = [];
  /** Told of every answer to a submit_sm that is sent. */
  onAnswerSent: (connection: number, sequence: number) => void = () => undefined;
  readonly link: number;
  readonly #idForm: IdForm;
  readonly #scheduler: Scheduler;
  readonly #random: SeededRandom;
  readonly #nowMs: () => number;
  readonly #sessions = new Set<Session>();
  readonly #toDeliver: ReceiptLog[] = [];
  readonly #out = new Uint8Array(1024);
  readonly #view = new SmView();
  #ids: number;

  constructor(
    link: number,
    idForm: IdForm,
    scheduler: Scheduler,
    random: SeededRandom,
    nowMs: () => number,
  ) {
    this.link = link;
    this.#idForm = idForm;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#nowMs = nowMs;
    // Above 10^8, so that decimal and hexadecimal forms of two ids never look alike.
    this.#ids = 400_000_000 + link * 10_000_000;
  }

  greet(): "accept" | "refuse" | "hang" {
    return this.mood.greet;
  }

  accept(end: ServerEnd): ServerHandler {
    const session: Session = {
      end,
      stream: new PduStream(),
      bound: false,
      nextSequence: 1,
      delivering: new Map(),
    };
    this.#sessions.add(session);
    return {
      onData: (bytes) => {
        if (!session.stream.push(bytes, (pdu) => this.#receive(session, pdu))) {
          this.protests.push(`link ${this.link}: a PDU of impossible length`);
          end.close("rst");
        }
      },
      onClose: () => {
        session.bound = false;
        this.#sessions.delete(session);
        for (const receipt of session.delivering.values()) this.#queueReceipt(receipt, 200);
        session.delivering.clear();
      },
    };
  }

  /** Receipts that wait for a session or for their answer. */
  get receiptsPending(): number {
    let count = this.#toDeliver.length;
    for (const session of this.#sessions) count += session.delivering.size;
    return count;
  }

  /** The receipt that waits for an answer on this connection under this sequence_number. */
  receiptOf(connection: number, sequence: number): ReceiptLog | null {
    for (const session of this.#sessions) {
      if (session.end.id === connection) return session.delivering.get(sequence) ?? null;
    }
    return null;
  }

  #receive(session: Session, pdu: Uint8Array): void {
    if (this.mood.mute) {
      if (readCommandId(pdu, 0) === COMMAND_ID.submit_sm) this.#submit(session, pdu);
      return;
    }
    const sequence = readSequenceNumber(pdu, 0);
    switch (readCommandId(pdu, 0)) {
      case COMMAND_ID.bind_transceiver:
      case COMMAND_ID.bind_transmitter:
      case COMMAND_ID.bind_receiver:
        this.#bind(session, pdu);
        return;
      case COMMAND_ID.submit_sm:
        this.#submit(session, pdu);
        return;
      case COMMAND_ID.deliver_sm_resp:
        this.#receiptAnswered(session, sequence, readCommandStatus(pdu, 0));
        return;
      case COMMAND_ID.enquire_link:
        this.#sendHeader(session, COMMAND_ID.enquire_link_resp, 0, sequence);
        return;
      case COMMAND_ID.unbind:
        this.#sendHeader(session, COMMAND_ID.unbind_resp, 0, sequence);
        this.#scheduler.after(5, WORLD, () => session.end.close("fin"));
        return;
      case COMMAND_ID.enquire_link_resp:
      case COMMAND_ID.unbind_resp:
      case COMMAND_ID.generic_nack:
        return;
      default:
        this.protests.push(`link ${this.link}: command ${readCommandId(pdu, 0).toString(16)}`);
    }
  }

  #bind(session: Session, pdu: Uint8Array): void {
    const { bindStatus, bindMs } = this.mood;
    const id = (readCommandId(pdu, 0) | 0x80000000) >>> 0;
    const sequence = readSequenceNumber(pdu, 0);
    if (bindMs === 0) this.#answerBind(session, id, bindStatus, sequence);
    else {
      this.#scheduler.after(bindMs, WORLD, () => {
        if (this.#sessions.has(session)) this.#answerBind(session, id, bindStatus, sequence);
      });
    }
  }

  #answerBind(session: Session, id: number, status: number, sequence: number): void {
    const length = encodeBindResp(id, this.#out, 0, status, sequence, "SIM", 0x34);
    this.#send(session, length);
    session.bound = status === 0;
    if (session.bound) this.#scheduler.after(20, WORLD, () => this.#deliverNext());
    else this.#scheduler.after(10, WORLD, () => session.end.close("fin"));
  }

  #submit(session: Session, pdu: Uint8Array): void {
    const segment = segmentOf(pdu);
    if (segment === null) {
      this.protests.push(`link ${this.link}: a submit_sm that does not decode`);
      return;
    }
    if (!session.bound) this.protests.push(`link ${this.link}: submit_sm on an unbound session`);
    const status = this.#verdict();
    const smscId = status === 0 ? String(this.#ids++) : "";
    const log: SubmitLog = {
      atMs: this.#nowMs(),
      link: this.link,
      connection: session.end.id,
      segment,
      status,
      smscId,
      answerId: smscId === "" ? "" : this.#answerId(smscId),
      answeredAtMs: -1,
    };
    this.submits.push(log);
    this.#answerLater(session, log, readSequenceNumber(pdu, 0));
    if (status === 0 && segment.wantsReceipt) this.#planReceipts(log);
  }

  #verdict(): number {
    if (this.#random.chance(this.mood.throttles)) {
      return this.#random.chance(0.7)
        ? COMMAND_STATUS.ESME_RTHROTTLED
        : COMMAND_STATUS.ESME_RMSGQFUL;
    }
    return this.#random.chance(this.mood.refusals) ? this.#random.pick(REFUSALS) : 0;
  }

  #answerLater(session: Session, log: SubmitLog, sequence: number): void {
    const { mood } = this;
    if (mood.mute || this.#random.chance(mood.dropAnswers)) return;
    const late = this.#random.chance(mood.lateAnswers);
    const delay = late
      ? LATE_ANSWER_MS + this.#random.float(0, 3000)
      : this.#random.float(mood.answerMs[0], mood.answerMs[1]);
    if (this.#random.chance(mood.wrongAnswers)) {
      this.#scheduler.after(delay, WORLD, () => this.#answerWrongly(session, sequence));
      if (this.#random.chance(0.5)) return;
    }
    this.#scheduler.after(delay, WORLD, () => this.#answer(session, log, sequence));
    if (this.#random.chance(mood.doubleAnswers)) {
      this.#scheduler.after(delay + 10, WORLD, () => this.#answer(session, log, sequence));
    }
  }

  #answer(session: Session, log: SubmitLog, sequence: number): void {
    if (!this.#sessions.has(session)) return;
    const id = Buffer.from(log.answerId, "latin1");
    const length = encodeSubmitSmResp(this.#out, 0, log.status, sequence, id, 0, id.length);
    if (log.answeredAtMs < 0) log.answeredAtMs = this.#nowMs();
    this.onAnswerSent(session.end.id, sequence);
    this.#send(session, length);
  }

  #answerWrongly(session: Session, sequence: number): void {
    if (!this.#sessions.has(session)) return;
    const id = this.#random.pick(WRONG_ANSWERS);
    // A submit_sm_resp is a right answer but to what nobody sent.
    const isStray = id === COMMAND_ID.submit_sm_resp;
    this.#sendHeader(session, id, 0, isStray ? sequence ^ STRAY_SEQUENCE_BIT : sequence);
  }

  #answerId(smscId: string): string {
    if (this.#idForm === "hex_then_decimal") return Number(smscId).toString(16);
    if (this.#idForm === "case") return Number(smscId).toString(16).toUpperCase();
    if (this.#idForm === "zeros") return `00${smscId}`;
    return smscId;
  }

  #receiptId(log: SubmitLog): string {
    const hex = Number(log.smscId).toString(16);
    return this.#idForm === "decimal_then_hex" || this.#idForm === "case" ? hex : log.smscId;
  }

  #planReceipts(submit: SubmitLog): void {
    const { DELIVERED, UNDELIVERABLE, EXPIRED, REJECTED, ENROUTE } = MESSAGE_STATE;
    const final = [DELIVERED, UNDELIVERABLE, EXPIRED, REJECTED, -1][
      this.#random.weighted([85, 7, 2, 2, 4])
    ] as number;
    const early = this.#random.chance(0.04);
    const delay = early ? 0.01 : this.#random.float(5, this.#random.chance(0.1) ? 9000 : 900);
    if (this.#random.chance(0.05)) this.#planReceipt(submit, ENROUTE, delay * 0.5);
    if (final < 0) return;
    this.#planReceipt(submit, final, delay);
    if (this.#random.chance(0.05)) this.#planReceipt(submit, final, delay + 400);
    if (this.#random.chance(0.02)) {
      this.#planReceipt(submit, final === DELIVERED ? UNDELIVERABLE : DELIVERED, delay + 2000);
    }
  }

  #planReceipt(submit: SubmitLog, state: number, delayMs: number): void {
    const idText = this.#receiptId(submit);
    const receipt: ReceiptLog = { submit, state, idText, sentAtMs: -1, takenAtMs: -1 };
    this.receipts.push(receipt);
    this.#queueReceipt(receipt, delayMs);
  }

  #queueReceipt(receipt: ReceiptLog, delayMs: number): void {
    this.#scheduler.after(delayMs, WORLD, () => {
      this.#toDeliver.push(receipt);
      this.#deliverNext();
    });
  }

  #deliverNext(): void {
    const bound = [...this.#sessions].filter((session) => session.bound);
    if (bound.length === 0 || this.mood.mute) {
      if (this.mood.mute && this.#toDeliver.length > 0) {
        this.#scheduler.after(300, WORLD, () => this.#deliverNext());
      }
      return;
    }
    while (this.#toDeliver.length > 0) {
      const session = this.#random.pick(bound);
      this.#deliver(session, this.#toDeliver.shift() as ReceiptLog);
    }
  }

  #deliver(session: Session, receipt: ReceiptLog): void {
    const sequence = session.nextSequence++;
    const length = this.#encodeReceipt(receipt, sequence);
    session.delivering.set(sequence, receipt);
    receipt.sentAtMs = this.#nowMs();
    this.#send(session, length);
    this.#scheduler.after(8000, WORLD, () => {
      if (!session.delivering.delete(sequence)) return;
      this.#queueReceipt(receipt, 0);
    });
  }

  #receiptAnswered(session: Session, sequence: number, status: number): void {
    const receipt = session.delivering.get(sequence);
    if (receipt === undefined) return;
    session.delivering.delete(sequence);
    if (status !== 0) this.#queueReceipt(receipt, 500);
    else if (receipt.takenAtMs < 0) receipt.takenAtMs = this.#nowMs();
  }

  #encodeReceipt(receipt: ReceiptLog, sequence: number): number {
    const { submit, state, idText } = receipt;
    const word = STATE_WORDS[state] as string;
    const dates = "submit date:2601051000 done date:2601051001";
    const text = `id:${idText} sub:001 dlvrd:001 ${dates} stat:${word} err:000 text:x`;
    const bytes = new Uint8Array(400);
    const latin = Buffer.from(`${submit.segment.to}SIM${text}`, "latin1");
    bytes.set(latin);
    const toEnd = submit.segment.to.length;
    const view = this.#view;
    resetSmView(view, bytes);
    [view.sourceAddrTon, view.sourceAddrNpi] = [1, 1];
    [view.sourceAddrStart, view.sourceAddrEnd] = [0, toEnd];
    [view.destinationAddrStart, view.destinationAddrEnd] = [toEnd, toEnd + 3];
    view.esmClass = ESM_CLASS.type_delivery_receipt;
    [view.shortMessageStart, view.shortMessageEnd] = [toEnd + 3, latin.length];
    view.tlvStart = view.tlvEnd = latin.length;
    if (this.#random.chance(0.5)) {
      const id = Buffer.from(`${idText}\0`, "latin1");
      const tag = TLV_TAG.receipted_message_id;
      const at = writeTlvBytes(bytes, latin.length, tag, id, 0, id.length);
      view.tlvEnd = writeTlvInteger(bytes, at, TLV_TAG.message_state, state, 1);
    }
    return encodeSm(COMMAND_ID.deliver_sm, this.#out, 0, sequence, view, null, 0);
  }

  #sendHeader(session: Session, id: number, status: number, sequence: number): void {
    this.#send(session, encodeHeaderOnly(id, this.#out, 0, status, sequence));
  }

  #send(session: Session, length: number): void {
    if (length < 0) throw new Error(`the simulated SMSC could not encode: ${length}`);
    session.end.write(copyBytes(this.#out.subarray(0, length)));
  }
}
