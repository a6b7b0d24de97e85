/**
 * What the safe part of the log says, folded by a reading of docs/JOURNAL.md that shares no code
 * with the ledger.
 *
 *   message ── ACCEPT, CONCLUDED
 *     part  ── SENDINGs, the last one's end: none, ANSWER, AMBIGUOUS
 *
 * At each STARTED it tells which row of the recovery table every open part meets; the sums over all
 * seeds show that no row goes untested. It also counts, for the order rules, what is safe: ACCEPTs,
 * SENDINGs and RECEIPTs.
 */
import { Accept, acceptToOffset } from "../../src/records/accept.ts";
import {
  AmbiguousCause,
  Attempt,
  FLAG_MAYBE_DUP,
  NOT_WRITTEN,
  Outcome,
} from "../../src/records/attempt.ts";
import { Concluded, Verdict } from "../../src/records/concluded.ts";
import { Receipt } from "../../src/records/receipt.ts";
import { Decision, Resolved } from "../../src/records/resolved.ts";
import { Started } from "../../src/records/started.ts";
import { DlrMode, MessageClass, RecordType } from "../../src/records/types.ts";
import { latin1TextAt } from "./byte-slab.ts";
import type { ObservedRecordVisitor } from "./log-observer.ts";
import { segmentName } from "./wire.ts";

/** So much may the wall clock go back from one process to the next. */
const CLOCK_STEP_MS_MAX = 6000;

const LEADING_ZEROS = /^0+/;
const DECIMAL = /^\d+$/;
const HEXADECIMAL = /^[0-9a-f]+$/;

/** Rows of the recovery table in docs/JOURNAL.md. */
export const RECOVERY_ROWS = [
  "accepted",
  "refused",
  "kept",
  "resend",
  "fail",
  "hold",
  "answered",
  "expired",
  "parked",
  "quarantined",
] as const;
export type RecoveryRow = (typeof RECOVERY_ROWS)[number];

/** One SENDING and how it ended. */
export interface AttemptModel {
  readonly attempt: number;
  readonly link: number;
  readonly maybeDup: boolean;
  readonly epoch: number;
  /** -1: no answer; otherwise an Outcome. */
  outcome: number;
  ambiguous: boolean;
  /** An answer says that the SMSC did not take it. */
  refused: boolean;
  smscId: string;
  /** Of the answer that gave the id, by the worker's clock (wall ms); 0: none. */
  answeredAt: number;
}

export interface PartModel {
  readonly attempts: AttemptModel[];
  receiptFinal: boolean;
}

export interface MessageModel {
  readonly key: string;
  readonly to: string;
  readonly appId: number;
  readonly messageClass: number;
  readonly dlr: number;
  readonly expiresAtMs: number;
  /** When it may be sent first: its acceptance, or the time that was asked for (wall ms). */
  readonly sendAtMs: number;
  readonly parts: PartModel[];
  readonly logOffset: number;
  /** -1 unless CONCLUDED. */
  verdict: number;
  /** What somebody decided about it while it was held (`Decision`). */
  readonly decisions: number[];
}

/** How a link's configuration answers ambiguity. */
export type AmbiguousRule = (linkId: number) => "resend" | "hold" | "fail" | "by_class";

export function keyText(sequence: number, origin: number): string {
  return `${sequence}/${origin}`;
}

export class LogModel implements ObservedRecordVisitor {
  readonly messages = new Map<string, MessageModel>();
  readonly byDestination = new Map<string, MessageModel>();
  /** SENDINGs that are safe, by segment. */
  readonly sendings = new Map<string, AttemptModel[]>();
  /** RECEIPTs that are safe, by link and id as received, then state. */
  readonly receipts = new Map<string, number>();
  readonly rows = new Map<RecoveryRow, number>();
  readonly complaints: string[] = [];
  /** Links that may have left a pool: what was bound to them goes elsewhere. */
  readonly looseLinks = new Set<number>();
  epoch = 0;
  starts = 0;
  /** Told of every ACCEPT, before anything else may happen. */
  onAccept: (message: MessageModel) => void = () => undefined;
  readonly #ambiguousRule: AmbiguousRule;
  readonly #answeredIds = new Set<string>();
  /** Final receipts by each form of their id. */
  readonly #receiptForms = new Set<string>();
  /** Receipts, final or not, whose answer was not seen, by id as received: all forms of the id. */
  readonly #unanswered = new Map<string, string[]>();
  readonly #partOfId = new Map<string, PartModel>();

  constructor(ambiguousRule: AmbiguousRule) {
    this.#ambiguousRule = ambiguousRule;
  }

  onRecord(type: number, view: DataView, at: number, length: number, logOffset: number): void {
    switch (type) {
      case RecordType.STARTED:
        this.#started(view, at);
        return;
      case RecordType.ACCEPT:
        this.#accept(view, at, logOffset);
        return;
      case RecordType.SENDING:
        this.#sending(view, at);
        return;
      case RecordType.ANSWER:
        this.#answer(view, at);
        return;
      case RecordType.AMBIGUOUS:
        this.#ambiguous(view, at);
        return;
      case RecordType.CONCLUDED:
        this.#concluded(view, at);
        return;
      case RecordType.RECEIPT:
        this.#receipt(view, at);
        return;
      case RecordType.RESOLVED:
        this.#message(view, at)?.decisions.push(view.getUint8(at + Resolved.DECISION));
        return;
      default:
        this.complaints.push(`record of type ${type}, length ${length} in the log`);
    }
  }

  #message(view: DataView, at: number): MessageModel | undefined {
    // Sequence and origin lie at the same place in every record about a message.
    const key = keyText(
      view.getFloat64(at + Accept.SEQUENCE, true),
      view.getUint32(at + Accept.ORIGIN, true),
    );
    return this.messages.get(key);
  }

  #accept(view: DataView, at: number, logOffset: number): void {
    const to = latin1TextAt(
      view,
      at + acceptToOffset(view, at),
      view.getUint8(at + Accept.TO_LENGTH),
    );
    const message: MessageModel = {
      key: keyText(
        view.getFloat64(at + Accept.SEQUENCE, true),
        view.getUint32(at + Accept.ORIGIN, true),
      ),
      to,
      appId: view.getUint32(at + Accept.APP_ID, true),
      messageClass: view.getUint8(at + Accept.CLASS),
      dlr: view.getUint8(at + Accept.DLR),
      expiresAtMs: view.getFloat64(at + Accept.EXPIRES_AT, true),
      sendAtMs:
        Math.floor(view.getFloat64(at + Accept.ACCEPTED_AT, true)) +
        1000 * view.getUint32(at + Accept.SEND_DELAY_S, true),
      parts: Array.from({ length: view.getUint8(at + Accept.PART_COUNT) }, () => ({
        attempts: [],
        receiptFinal: false,
      })),
      logOffset,
      verdict: -1,
      decisions: [],
    };
    if (this.messages.has(message.key)) this.complaints.push(`key ${message.key} given out twice`);
    if (this.byDestination.has(to)) this.complaints.push(`${to} was accepted twice`);
    this.messages.set(message.key, message);
    this.byDestination.set(to, message);
    this.onAccept(message);
  }

  #sending(view: DataView, at: number): void {
    const message = this.#message(view, at);
    const part = view.getUint8(at + Attempt.PART);
    if (message === undefined) {
      this.complaints.push("a SENDING of a message that was never accepted");
      return;
    }
    const attempt: AttemptModel = {
      attempt: view.getUint8(at + Attempt.ATTEMPT),
      link: view.getUint32(at + Attempt.LINK_ID, true),
      maybeDup: (view.getUint8(at + Attempt.FLAGS) & FLAG_MAYBE_DUP) !== 0,
      epoch: this.epoch,
      outcome: -1,
      ambiguous: false,
      refused: false,
      smscId: "",
      answeredAt: 0,
    };
    if (view.getFloat64(at + Attempt.AT, true) < message.sendAtMs - CLOCK_STEP_MS_MAX) {
      this.complaints.push(`part ${part} of ${message.to} was sent before its time`);
    }
    if (message.verdict === Verdict.CANCELED) {
      this.complaints.push(`part ${part} of ${message.to} was sent after it was canceled`);
    }
    this.#checkOrder(message, part, attempt.link);
    const unanswered = message.parts[part]?.attempts.filter(isUnanswered).length ?? 0;
    if (unanswered > 1 + resendsDecided(message)) {
      this.complaints.push(`part ${part} of ${message.to} is sent after a second ambiguity`);
    }
    message.parts[part]?.attempts.push(attempt);
    const name = segmentName(message.to, part);
    const list = this.sendings.get(name);
    if (list === undefined) this.sendings.set(name, [attempt]);
    else list.push(attempt);
  }

  /** Parts go out in their order, and to the link that has others of them already. */
  #checkOrder({ to, parts }: MessageModel, part: number, link: number): void {
    for (let other = 0; other < parts.length; other++) {
      const last = parts[other]?.attempts.at(-1);
      if (other === part) continue;
      if (other < part && last === undefined) {
        this.complaints.push(`part ${part} of ${to} was sent before part ${other}`);
      }
      // What was bound to a link that leaves goes elsewhere, beside what is under way there.
      if (last === undefined || this.looseLinks.has(last.link)) continue;
      if (this.looseLinks.has(link)) continue;
      // What is ambiguous may go elsewhere, and takes the others along.
      const isUnderWay = last.outcome < 0 && !last.ambiguous && last.epoch === this.epoch;
      if ((isUnderWay || last.outcome === Outcome.ACCEPTED) && last.link !== link) {
        this.complaints.push(`part ${part} of ${to} went to link ${link}, others to ${last.link}`);
      }
    }
  }

  #part(view: DataView, at: number): PartModel | undefined {
    return this.#message(view, at)?.parts[view.getUint8(at + Attempt.PART)];
  }

  #answer(view: DataView, at: number): void {
    const part = this.#part(view, at);
    const attempt = attemptOf(part, view, at);
    if (part === undefined || attempt === undefined) {
      this.complaints.push("an ANSWER to a SENDING that is not in the log");
      return;
    }
    attempt.outcome = view.getUint8(at + Attempt.OUTCOME);
    const status = view.getUint32(at + Attempt.COMMAND_STATUS, true);
    attempt.refused ||= attempt.outcome !== Outcome.ACCEPTED && status !== NOT_WRITTEN;
    if (attempt.outcome !== Outcome.ACCEPTED) return;
    attempt.answeredAt = view.getFloat64(at + Attempt.AT, true);
    attempt.smscId = latin1TextAt(
      view,
      at + Attempt.SMSC_ID,
      view.getUint8(at + Attempt.SMSC_ID_LENGTH),
    );
    for (const form of idForms(attempt.link, attempt.smscId)) {
      this.#answeredIds.add(form);
      this.#partOfId.set(form, part);
      if (this.#receiptForms.has(form)) part.receiptFinal = true;
    }
  }

  #ambiguous(view: DataView, at: number): void {
    const attempt = attemptOf(this.#part(view, at), view, at);
    const cause = view.getUint8(at + Attempt.OUTCOME);
    if (attempt === undefined || cause > AmbiguousCause.RESPONSE_TIMEOUT) {
      this.complaints.push("an AMBIGUOUS without its SENDING");
      return;
    }
    attempt.ambiguous = true;
  }

  #concluded(view: DataView, at: number): void {
    const message = this.#message(view, at);
    if (message === undefined) return;
    if (message.verdict < 0) message.verdict = view.getUint8(at + Concluded.VERDICT);
    if (message.verdict === Verdict.CANCELED && message.parts.some(isBegun)) {
      this.complaints.push(`${message.to} was canceled after it was sent`);
    }
    if (message.verdict === Verdict.QUARANTINED) this.#count("quarantined");
  }

  #receipt(view: DataView, at: number): void {
    const link = view.getUint32(at + Receipt.LINK_ID, true);
    const state = view.getUint8(at + Receipt.MESSAGE_STATE);
    const id = latin1TextAt(view, at + Receipt.TEXTS, view.getUint8(at + Receipt.SMSC_ID_LENGTH));
    const name = receiptName(link, id, state);
    this.receipts.set(name, (this.receipts.get(name) ?? 0) + 1);
    const forms = idForms(link, id);
    if (!forms.some((form) => this.#answeredIds.has(form))) this.#unanswered.set(name, forms);
    if (!isFinalReceipt(state)) return;
    for (const form of forms) {
      this.#receiptForms.add(form);
      const part = this.#partOfId.get(form);
      if (part !== undefined) part.receiptFinal = true;
    }
  }

  /** SENDINGs of this epoch of which the log does not say how they ended. */
  unended(): number {
    let count = 0;
    for (const { parts } of this.messages.values()) {
      for (const { attempts } of parts) {
        const last = attempts.at(-1);
        if (last === undefined || last.epoch !== this.epoch) continue;
        if (last.outcome < 0 && !last.ambiguous) count++;
      }
    }
    return count;
  }

  #started(view: DataView, at: number): void {
    this.epoch = view.getUint32(at + Started.EPOCH, true);
    this.starts++;
    const atMs = view.getFloat64(at + Started.AT, true);
    for (const message of this.messages.values()) {
      if (message.verdict >= 0) continue;
      for (const part of message.parts) {
        const row = this.#rowOf(message, part);
        if (row === null) continue;
        const over = atMs >= message.expiresAtMs && row !== "answered";
        this.#count(over ? "expired" : row);
      }
    }
    for (const [name, forms] of this.#unanswered) {
      if (forms.some((form) => this.#answeredIds.has(form))) this.#unanswered.delete(name);
      else this.#count("parked");
    }
  }

  #rowOf(message: MessageModel, part: PartModel): RecoveryRow | null {
    const last = part.attempts.at(-1);
    if (last === undefined) return "accepted";
    if (last.outcome === Outcome.ACCEPTED) {
      return message.dlr === DlrMode.NONE || part.receiptFinal ? null : "answered";
    }
    if (last.outcome === Outcome.REJECTED || last.outcome === Outcome.EXHAUSTED) return null;
    if (last.outcome === Outcome.RETRY) return "refused";
    if (last.outcome === Outcome.KEPT) return "kept";
    // An ambiguity that was on record before was resolved in that run.
    if (last.ambiguous) return null;
    const earlier = part.attempts.some((one) => one !== last && isUnanswered(one));
    const rule = this.#ambiguousRule(last.link);
    if (rule === "hold") return "hold";
    if (rule === "fail") return "fail";
    if (rule === "by_class" && message.messageClass === MessageClass.PROMOTIONAL) return "fail";
    return earlier ? "hold" : "resend";
  }

  #count(row: RecoveryRow): void {
    this.rows.set(row, (this.rows.get(row) ?? 0) + 1);
  }
}

/** How often somebody had it sent again. */
export function resendsDecided({ decisions }: MessageModel): number {
  return decisions.filter((decision) => decision === Decision.RESEND).length;
}

function attemptOf(
  part: PartModel | undefined,
  view: DataView,
  at: number,
): AttemptModel | undefined {
  const attempt = view.getUint8(at + Attempt.ATTEMPT);
  return part?.attempts.findLast((one) => one.attempt === attempt);
}

function isBegun({ attempts }: PartModel): boolean {
  return attempts.length > 0;
}

function isUnanswered(attempt: AttemptModel): boolean {
  return attempt.outcome < 0;
}

export function isFinalReceipt(state: number): boolean {
  return state === 2 || state === 3 || state === 4 || state === 5 || state === 8;
}

export function receiptName(link: number, id: string, state: number): string {
  return `${link}:${id}:${state}`;
}

/**
 * Forms under which an id may be meant: as text, as decimal, as hexadecimal; zeros and case aside.
 */
function idForms(link: number, id: string): string[] {
  const plain = id.toLowerCase().replace(LEADING_ZEROS, "");
  const forms = [`${link}=${plain}`];
  if (DECIMAL.test(plain)) forms.push(`${link}#${Number(plain).toString(16)}`);
  if (HEXADECIMAL.test(plain)) forms.push(`${link}#${plain}`);
  return forms;
}
