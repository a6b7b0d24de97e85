/**
 * Raw SMPP over net.Socket: submit_sm into one buffer, batched writes, a window that is kept full.
 * Each answer is found by its sequence_number among the unanswered submits, and its command_status
 * read; nothing is kept of it. What a sender costs that does nothing else; the reference of the
 * SMPP benches. Any thread.
 */
import { connect, type Socket } from "node:net";
import {
  COMMAND_ID,
  COMMAND_STATUS,
  encodeBind,
  encodeDeliverSmResp,
  encodeSm,
  HEADER_LENGTH,
  NEED_MORE,
  readCommandId,
  readCommandStatus,
  readFrame,
  readSequenceNumber,
  resetSmView,
  SmView,
  writeUint32,
} from "../../src/codec/index.ts";

export interface SenderPlan {
  readonly port: number;
  /** Unanswered submits. */
  readonly window: number;
  readonly textBytes: number;
  readonly hasReceipts: boolean;
  /** Each PDU is encoded from its fields; else only its sequence_number is written. */
  readonly encodesEach: boolean;
}

/** submit_sm written at once, at most a whole window. */
const BATCH = 250;

/** One socket that keeps its window full until told to stop. */
export class RawSender {
  answered = 0;
  receipts = 0;
  readonly #socket: Socket;
  readonly #batch: Uint8Array;
  readonly #view: SmView;
  readonly #encodesEach: boolean;
  readonly #pduLength: number;
  readonly #window: number;
  readonly #batchCount: number;
  /** By the low bits of the sequence_number: the submit that is unanswered, 0 for none. */
  readonly #unanswered: Int32Array;
  readonly #mask: number;
  #rest: Uint8Array = new Uint8Array(0);
  #sequence = 1;
  #outstanding = 0;
  #isStopped = false;
  #isFinished = false;
  #replies = Buffer.alloc(1 << 20);
  #repliesUsed = 0;

  constructor(plan: SenderPlan) {
    const pdu = submitPdu(plan);
    this.#view = submitView(plan);
    this.#encodesEach = plan.encodesEach;
    this.#pduLength = pdu.length;
    this.#window = plan.window;
    // Answers may overtake each other by less than a window.
    const slots = 2 ** Math.ceil(Math.log2(2 * plan.window));
    this.#unanswered = new Int32Array(slots);
    this.#mask = slots - 1;
    const batchCount = Math.min(BATCH, plan.window);
    this.#batchCount = batchCount;
    this.#batch = new Uint8Array(pdu.length * batchCount);
    for (let i = 0; i < batchCount; i++) this.#batch.set(pdu, i * pdu.length);
    this.#socket = connect({ port: plan.port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk) => this.#read(chunk));
    this.#socket.on("connect", () => this.#bind());
  }

  #bind(): void {
    const out = new Uint8Array(256);
    const bind = {
      systemId: "speed",
      password: "speed",
      systemType: "",
      interfaceVersion: 0x34,
      addrTon: 0,
      addrNpi: 0,
      addressRange: "",
    };
    const length = encodeBind(COMMAND_ID.bind_transceiver, out, 0, this.#sequence++, bind);
    this.#socket.write(out.subarray(0, length));
  }

  /** Sends no more; what is on its way is still answered. */
  finish(): void {
    this.#isFinished = true;
  }

  /** Closes the connection at once. */
  stop(): void {
    this.#isStopped = true;
    this.#socket.destroy();
  }

  #read(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    this.#repliesUsed = 0;
    while (at < bytes.length) {
      const length = readFrame(bytes, at, bytes.length);
      if (length === NEED_MORE) break;
      const commandId = readCommandId(bytes, at);
      if (commandId === COMMAND_ID.submit_sm_resp) {
        this.#takeAnswer(readSequenceNumber(bytes, at), readCommandStatus(bytes, at));
      } else if (commandId === COMMAND_ID.deliver_sm) {
        this.receipts++;
        this.#repliesUsed += encodeDeliverSmResp(
          this.#replies,
          this.#repliesUsed,
          0,
          readSequenceNumber(bytes, at),
        );
      }
      at += length;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    if (this.#isStopped) return;
    if (this.#repliesUsed > 0) {
      this.#socket.write(Buffer.from(this.#replies.subarray(0, this.#repliesUsed)));
    }
    if (!this.#isFinished) this.#fill();
  }

  /** Throws at an answer to nothing, and at a refusal: no bench goes on after either. */
  #takeAnswer(sequence: number, status: number): void {
    const slot = sequence & this.#mask;
    if (this.#unanswered[slot] !== sequence || status !== COMMAND_STATUS.ESME_ROK) {
      throw new Error(`an answer that fits no submit: sequence_number ${sequence}, ${status}`);
    }
    this.#unanswered[slot] = 0;
    this.answered++;
    this.#outstanding--;
  }

  #fill(): void {
    const count = this.#batchCount;
    while (this.#outstanding + count <= this.#window && !this.#socket.writableNeedDrain) {
      for (let i = 0; i < count; i++) this.#putPdu(i * this.#pduLength);
      this.#outstanding += count;
      this.#socket.write(Buffer.from(this.#batch));
    }
  }

  #putPdu(at: number): void {
    const sequence = this.#sequence++;
    this.#unanswered[sequence & this.#mask] = sequence;
    if (this.#encodesEach) {
      encodeSm(COMMAND_ID.submit_sm, this.#batch, at, sequence, this.#view, null, 0);
    } else writeUint32(this.#batch, at + HEADER_LENGTH - 4, sequence);
  }
}

/** The submit_sm that a plan sends, with sequence_number 1. */
export function submitPdu(plan: SenderPlan): Uint8Array {
  const out = new Uint8Array(512);
  const length = encodeSm(COMMAND_ID.submit_sm, out, 0, 1, submitView(plan), null, 0);
  return out.subarray(0, length);
}

function submitView(plan: SenderPlan): SmView {
  const fields = new TextEncoder().encode(`ACME447700900123${"x".repeat(plan.textBytes)}`);
  const view = new SmView();
  resetSmView(view, fields);
  view.sourceAddrTon = 5;
  view.sourceAddrEnd = view.destinationAddrStart = 4;
  view.destAddrTon = 1;
  view.destAddrNpi = 1;
  view.destinationAddrEnd = view.shortMessageStart = 16;
  view.shortMessageEnd = view.tlvStart = view.tlvEnd = fields.length;
  view.registeredDelivery = plan.hasReceipts ? 1 : 0;
  return view;
}
