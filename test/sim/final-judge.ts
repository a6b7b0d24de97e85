/**
 * Judges a run at its end, from the senders' log, the operators' logs, the safe log and what the
 * gateway says of each message; never from the gateway's own counters.
 *
 *   nothing lost        every message with a 202, and every other one in the log, is final
 *   no false claims     delivered, sent, rejected … only where an operator's log shows it
 *   no silent doubles   what an operator may have is sent again once, under `maybe_dup`
 *   nothing garbled     what the operators received is what the senders wrote
 */
import { MESSAGE_STATE } from "../../src/codec/index.ts";
import type { CancelAnswer } from "../../src/ingress/calls/message-lookup.ts";
import { MessageClass } from "../../src/records/types.ts";
import { WORLD_START_WALL_MS } from "./clock.ts";
import type { AmbiguousRule, LogModel, MessageModel } from "./log-model.ts";
import { isFinalReceipt, resendsDecided } from "./log-model.ts";
import type { ReceiptLog, SimulatedSmsc, SubmitLog } from "./simulated-smsc.ts";
import type { PlannedMessage, Promised } from "./traffic.ts";
import { segmentName } from "./wire.ts";

/** What the gateway says of a message at the end. */
export interface FinalDocument {
  readonly to: string;
  readonly status: string;
  readonly isFinal: boolean;
  readonly maybeDup: boolean;
  readonly hasReason: boolean;
}

export interface FinalWitnesses {
  readonly promised: readonly Promised[];
  /** Last answer to whoever canceled, by destination. */
  readonly cancelAnswers: ReadonlyMap<string, CancelAnswer>;
  readonly planned: ReadonlyMap<string, PlannedMessage>;
  readonly smscs: readonly SimulatedSmsc[];
  readonly model: LogModel;
  readonly ambiguousRule: AmbiguousRule;
  readonly documentOf: (message: MessageModel) => FinalDocument | null;
  /** Simulated instant until which receipts of a message count for certain. */
  readonly receiptDeadlineMs: (message: MessageModel) => number;
}

export interface FinalVerdict {
  readonly violations: string[];
  /** Messages by final status. */
  readonly statuses: Map<string, number>;
  /** Segments that an operator accepted twice, all flagged. */
  flaggedDuplicates: number;
}

/** One part as the operators saw it. */
interface PartEvidence {
  readonly received: SubmitLog[];
  readonly receipts: ReceiptLog[];
}

export function judgeEnd(witnesses: FinalWitnesses): FinalVerdict {
  const verdict: FinalVerdict = { violations: [], statuses: new Map(), flaggedDuplicates: 0 };
  const violate = (what: string): void => {
    if (verdict.violations.length < 20) verdict.violations.push(what);
  };
  const evidence = gatherEvidence(witnesses.smscs);
  for (const smsc of witnesses.smscs) for (const protest of smsc.protests) violate(protest);
  for (const complaint of witnesses.model.complaints) violate(`log: ${complaint}`);
  for (const { id, message } of witnesses.promised) {
    if (!witnesses.model.byDestination.has(message.to)) {
      violate(`lost: ${message.to} has a 202 (${id}) and no ACCEPT in the log`);
    }
  }
  for (const message of witnesses.model.messages.values()) {
    const document = witnesses.documentOf(message);
    if (document === null) {
      violate(`lost: ${message.to} is in the log, and the ledger does not know it`);
      continue;
    }
    const { status } = document;
    if (document.to !== message.to) {
      violate(`${message.to} is shown as a message to "${document.to}"`);
    }
    verdict.statuses.set(status, (verdict.statuses.get(status) ?? 0) + 1);
    if (!document.isFinal) violate(`${message.to} never became final: ${status}`);
    const parts = message.parts.map(
      (_, part) => evidence.get(segmentName(message.to, part)) ?? { received: [], receipts: [] },
    );
    checkClaim(message, document, parts, violate);
    const said = witnesses.cancelAnswers.get(message.to);
    if ((said === "canceled") !== (status === "canceled") && said !== undefined) {
      // "overloaded" leaves it open.
      if (said !== "overloaded") violate(`${message.to} was told ${said}, and is ${status}`);
    }
    checkReceipts(witnesses, message, document, parts, violate);
    checkContent(message, parts, witnesses.planned.get(message.to), violate);
    for (let part = 0; part < parts.length; part++) {
      verdict.flaggedDuplicates += checkDuplicates(
        witnesses,
        message,
        part,
        document,
        parts[part] as PartEvidence,
        violate,
      );
    }
  }
  for (const name of evidence.keys()) {
    const to = name.split("/", 1)[0] as string;
    if (!witnesses.model.byDestination.has(to)) violate(`${name} was sent and never accepted`);
  }
  return verdict;
}

function gatherEvidence(smscs: readonly SimulatedSmsc[]): Map<string, PartEvidence> {
  const evidence = new Map<string, PartEvidence>();
  for (const smsc of smscs) {
    for (const submit of smsc.submits) {
      const name = segmentName(submit.segment.to, submit.segment.part);
      const known = evidence.get(name);
      if (known === undefined) evidence.set(name, { received: [submit], receipts: [] });
      else known.received.push(submit);
    }
    for (const receipt of smsc.receipts) {
      const { to, part } = receipt.submit.segment;
      if (receipt.sentAtMs >= 0) evidence.get(segmentName(to, part))?.receipts.push(receipt);
    }
  }
  for (const { received } of evidence.values()) received.sort((a, b) => a.atMs - b.atMs);
  return evidence;
}

/** Whether the operators' logs bear out what the gateway says. */
function checkClaim(
  message: MessageModel,
  document: FinalDocument,
  parts: readonly PartEvidence[],
  violate: (what: string) => void,
): void {
  const { status } = document;
  const isTaken = (part: PartEvidence): boolean => part.received.some((one) => one.status === 0);
  const has = (part: PartEvidence, state: number): boolean =>
    part.receipts.some((receipt) => receipt.state === state);
  const hasOther = (part: PartEvidence): boolean =>
    part.receipts.some(({ state }) => isFinalReceipt(state) && state !== MESSAGE_STATE.DELIVERED);
  const claim = (holds: boolean): void => {
    if (!holds) violate(`${message.to} is ${status}, and no operator's log shows it`);
  };
  switch (status) {
    case "delivered":
      claim(parts.every((part) => isTaken(part) && has(part, MESSAGE_STATE.DELIVERED)));
      return;
    case "sent":
      claim(parts.every(isTaken));
      return;
    case "undelivered":
      claim(parts.some(hasOther));
      return;
    case "rejected":
      claim(
        parts.some(
          (part) =>
            has(part, MESSAGE_STATE.REJECTED) || part.received.some((one) => one.status !== 0),
        ),
      );
      return;
    case "canceled":
      if (parts.some(({ received }) => received.length > 0)) {
        violate(`${message.to} is canceled, and an operator has it`);
      }
      return;
    case "expired":
    case "failed":
    case "unknown":
      if (!document.hasReason) violate(`${message.to} is ${status} without a reason`);
      return;
    default:
  }
}

/** A receipt that the gateway took in time, for an answer on record in time, has to count. */
function checkReceipts(
  { model, receiptDeadlineMs }: FinalWitnesses,
  message: MessageModel,
  document: FinalDocument,
  parts: readonly PartEvidence[],
  violate: (what: string) => void,
): void {
  if (document.status !== "unknown") return;
  const deadlineMs = receiptDeadlineMs(message);
  const isSettled = ({ receipts }: PartEvidence, part: number): boolean =>
    receipts.some(
      ({ submit, state, takenAtMs }) =>
        isFinalReceipt(state) &&
        takenAtMs >= 0 &&
        takenAtMs < deadlineMs &&
        model.sendings
          .get(segmentName(message.to, part))
          // An answer may be long on its way, as when the gateway is stopped meanwhile.
          ?.some(
            ({ smscId, answeredAt }) =>
              smscId === submit.answerId && answeredAt - WORLD_START_WALL_MS < deadlineMs,
          ) === true,
    );
  if (parts.every(isSettled)) violate(`${message.to} is unknown, and every receipt was taken`);
}

/** Whether what arrived is what was written: every part, and all of them together. */
function checkContent(
  message: MessageModel,
  parts: readonly PartEvidence[],
  planned: PlannedMessage | undefined,
  violate: (what: string) => void,
): void {
  if (planned === undefined) {
    violate(`${message.to} was never sent by anybody`);
    return;
  }
  let text = "";
  for (const { received } of parts) {
    const first = received[0];
    if (first === undefined) return;
    if (first.segment.total !== parts.length) {
      violate(`${message.to}: a segment says ${first.segment.total} parts of ${parts.length}`);
    }
    for (const one of received) {
      if (one.segment.text !== first.segment.text) violate(`${message.to}: two texts of one part`);
    }
    text += first.segment.text;
  }
  if (text !== planned.text) violate(`${message.to} arrived garbled`);
  const taken = parts.flatMap(({ received }) => received.filter(({ status }) => status === 0));
  const references = new Set(taken.map(({ segment }) => segment.reference));
  if (references.size > 1) violate(`${message.to}: parts under ${references.size} references`);
}

/**
 * Receptions of one part beyond the first: each must be explained. Returns the flagged duplicates.
 */
function checkDuplicates(
  witnesses: FinalWitnesses,
  message: MessageModel,
  part: number,
  document: FinalDocument,
  { received }: PartEvidence,
  violate: (what: string) => void,
): number {
  const name = segmentName(message.to, part);
  // After nothing but refusals a segment may be sent again as if for the first time.
  let unexplained = 0;
  let taken = 0;
  for (const one of received) {
    if (taken > 0) unexplained++;
    if (one.status === 0) taken++;
  }
  const sendings = witnesses.model.sendings.get(name) ?? [];
  // What was refused without our ever learning it counts as well.
  const refusals = sendings.filter((sending) => sending.refused).length;
  unexplained = Math.max(unexplained, received.length - 1 - refusals);
  if (unexplained === 0) return 0;
  const flagged = sendings.filter((sending) => sending.maybeDup).length;
  if (flagged < unexplained) {
    violate(`silent duplicate: ${name} received ${received.length} times, ${flagged} flagged`);
  }
  if (!document.maybeDup) violate(`${name} was sent again, and maybe_dup is not shown`);
  const decided = resendsDecided(message);
  if (taken > 2 + decided) violate(`${name} was accepted ${taken} times`);
  const mayResend = sendings.some(({ link }) => {
    const rule = witnesses.ambiguousRule(link);
    if (rule === "resend") return true;
    // A process that starts without the link knows no rule of it.
    const goesByClass = rule === "by_class" || witnesses.model.looseLinks.has(link);
    return goesByClass && message.messageClass !== MessageClass.PROMOTIONAL;
  });
  if (!mayResend && decided === 0) violate(`${name} was sent again against the policy`);
  return taken > 1 ? 1 : 0;
}
