/**
 * Watches every effect of the gateway at its instant and holds it against the order rules and the
 * limits.
 *
 *   202                 (a)   its ACCEPT is safe on the disk
 *   submit_sm written   (c)   a SENDING of this segment is safe that no earlier write has used
 *   deliver_sm_resp 0   (d)   as many RECEIPTs are safe as receipts were answered
 *   submit_sm written         no more unanswered than the window, and in no half-open second more
 *                             than the link's contract
 *
 * It knows the bytes on the wire, the bytes on the disk and the operators' logs, and nothing of the
 * gateway's memory.
 */
import {
  COMMAND_ID,
  decodeSm,
  readCommandId,
  readCommandStatus,
  readSequenceNumber,
  SmView,
} from "../../src/codec/index.ts";
import { Verdict } from "../../src/records/concluded.ts";
import type { LogModel } from "./log-model.ts";
import { receiptName } from "./log-model.ts";
import type { ReceiptLog } from "./simulated-smsc.ts";
import { PduStream, segmentName, segmentOf } from "./wire.ts";

/** What the judge must know of a link. */
export interface LinkLimits {
  readonly linkId: number;
  /** Segments in any half-open second, or null. */
  readonly rateTps: number | null;
  readonly windowMax: number;
  /** What is older no longer counts in the window: the gateway gave it up. */
  readonly responseTimeoutMs: number;
}

export interface LiveJudgeWitnesses {
  readonly model: LogModel;
  readonly nowMs: () => number;
  /** A connection's sequence_numbers begin anew. */
  readonly onWrap: () => void;
  readonly limitsOf: (port: number) => LinkLimits;
  /** The receipt that the operator sent on this connection under this sequence_number. */
  readonly receiptOf: (port: number, connection: number, sequence: number) => ReceiptLog | null;
}

interface ConnectionView {
  readonly port: number;
  readonly stream: PduStream;
  /** Unanswered submit_sm as the operator sees them: sequence_number to instant. */
  readonly outstanding: Map<number, number>;
  lastSequence: number;
}

const RATE_WINDOW_MS = 1000;

export class LiveJudge {
  readonly violations: string[] = [];
  submits = 0;
  receiptsAnswered = 0;
  /** Most segments that any link sent in a half-open second, as a share of its contract. */
  rateShareMax = 0;
  readonly #witnesses: LiveJudgeWitnesses;
  readonly #connections = new Map<number, ConnectionView>();
  readonly #writesOf = new Map<string, number>();
  readonly #writeTimes = new Map<number, number[]>();
  readonly #receiptsTaken = new Map<string, number>();
  readonly #view = new SmView();

  constructor(witnesses: LiveJudgeWitnesses) {
    this.#witnesses = witnesses;
  }

  violate(what: string): void {
    if (this.violations.length < 20) {
      this.violations.push(`${this.#witnesses.nowMs().toFixed(3)} ms: ${what}`);
    }
  }

  /** A sender got this id for its message. */
  onAccepted(key: string, to: string): void {
    const message = this.#witnesses.model.messages.get(key);
    if (message === undefined) this.violate(`rule (a): 202 for ${to} before its ACCEPT was safe`);
    else if (message.to !== to) this.violate(`202 for ${to} names the message for ${message.to}`);
  }

  /** A call that cancels is answered. */
  onCancelAnswer(key: string, to: string, answer: string): void {
    const verdict = this.#witnesses.model.messages.get(key)?.verdict;
    if (answer === "unknown") this.violate(`${to} has a 202 and cannot be found to be canceled`);
    if (answer === "canceled" && verdict !== Verdict.CANCELED) {
      this.violate(`${to} is told to be canceled before its CONCLUDED is safe`);
    }
  }

  /** The gateway hands `bytes` to the kernel. */
  onGatewayWrite(connection: number, port: number, bytes: Uint8Array): void {
    let view = this.#connections.get(connection);
    if (view === undefined) {
      view = { port, stream: new PduStream(), outstanding: new Map(), lastSequence: 0 };
      this.#connections.set(connection, view);
    }
    const known = view;
    const intact = known.stream.push(bytes, (pdu) => this.#onPdu(connection, known, pdu));
    if (!intact) this.violate(`connection #${connection}: a PDU of impossible length was written`);
  }

  /** The operator answered a submit_sm. */
  onAnswerSent(connection: number, sequence: number): void {
    this.#connections.get(connection)?.outstanding.delete(sequence);
  }

  #onPdu(connection: number, view: ConnectionView, pdu: Uint8Array): void {
    switch (readCommandId(pdu, 0)) {
      case COMMAND_ID.submit_sm:
        this.#onSubmit(connection, view, pdu);
        return;
      case COMMAND_ID.deliver_sm_resp:
        if (readCommandStatus(pdu, 0) === 0) this.#onReceiptAnswered(connection, view, pdu);
        return;
      default:
    }
  }

  #onSubmit(connection: number, view: ConnectionView, pdu: Uint8Array): void {
    this.submits++;
    const segment = segmentOf(pdu);
    if (segment === null) {
      this.violate(`a submit_sm does not decode: ${decodeSm(pdu, 0, pdu.length, this.#view)}`);
      return;
    }
    const name = segmentName(segment.to, segment.part);
    const written = (this.#writesOf.get(name) ?? 0) + 1;
    this.#writesOf.set(name, written);
    const limits = this.#witnesses.limitsOf(view.port);
    const sendings = this.#witnesses.model.sendings.get(name) ?? [];
    if (sendings.length < written) {
      this.violate(
        `rule (c): write ${written} of ${name} with ${sendings.length} SENDING safe on the disk`,
      );
    }
    if (sendings.at(-1)?.link !== limits.linkId) {
      this.violate(`${name} went to link ${limits.linkId}, its last SENDING names another`);
    }
    const nowMs = this.#witnesses.nowMs();
    for (const [sequence, atMs] of view.outstanding) {
      if (atMs > nowMs - limits.responseTimeoutMs) break;
      view.outstanding.delete(sequence);
    }
    const sequence = readSequenceNumber(pdu, 0);
    if (sequence < view.lastSequence) this.#witnesses.onWrap();
    view.lastSequence = sequence;
    view.outstanding.set(sequence, nowMs);
    if (view.outstanding.size > limits.windowMax) {
      const { size } = view.outstanding;
      this.violate(`connection #${connection}: ${size} unanswered, window ${limits.windowMax}`);
    }
    this.#chargeRate(limits);
  }

  #chargeRate(limits: LinkLimits): void {
    if (limits.rateTps === null) return;
    const nowMs = this.#witnesses.nowMs();
    let times = this.#writeTimes.get(limits.linkId);
    if (times === undefined) {
      times = [];
      this.#writeTimes.set(limits.linkId, times);
    }
    times.push(nowMs);
    while ((times[0] as number) <= nowMs - RATE_WINDOW_MS) times.shift();
    this.rateShareMax = Math.max(this.rateShareMax, times.length / limits.rateTps);
    if (times.length > limits.rateTps) {
      this.violate(
        `link ${limits.linkId}: ${times.length} segments in a second, contract ${limits.rateTps}`,
      );
    }
  }

  #onReceiptAnswered(connection: number, view: ConnectionView, pdu: Uint8Array): void {
    const sequence = readSequenceNumber(pdu, 0);
    const receipt = this.#witnesses.receiptOf(view.port, connection, sequence);
    if (receipt === null) return;
    this.receiptsAnswered++;
    const { linkId } = this.#witnesses.limitsOf(view.port);
    const name = receiptName(linkId, receipt.idText, receipt.state);
    const taken = (this.#receiptsTaken.get(name) ?? 0) + 1;
    this.#receiptsTaken.set(name, taken);
    const safe = this.#witnesses.model.receipts.get(name) ?? 0;
    if (safe < taken) {
      this.violate(`rule (d): receipt ${name} answered ${taken} times, ${safe} RECEIPT safe`);
    }
  }
}
