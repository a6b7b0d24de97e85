/**
 * What the ledger tells about a message: the document behind `GET /v1/messages/{id}` (docs of the
 * API).
 *
 * Words are those of the API, times RFC 3339 in UTC. Pure: a document of a message; the ledger's
 * thread only.
 */
import { Accept, RoutedBy } from "../records/accept.ts";
import { NOT_WRITTEN } from "../records/attempt.ts";
import { Verdict } from "../records/concluded.ts";
import { formatMessageId } from "../records/message-key.ts";
import { bodyEncodingName, DLR_MODE_NAMES, MESSAGE_CLASS_NAMES } from "../records/types.ts";
import {
  decidingPart,
  EVENT_NAMES,
  MESSAGE_STATUS,
  type MessageState,
  MessageStatus,
  sendAtOf,
} from "./messages/message-state.ts";
import {
  isFinal,
  isPutOff,
  NO_RECEIPT,
  PART_STATUS,
  type PartRecord,
  PartState,
} from "./messages/part-state.ts";
import { EVENT_STATUS, EVENT_TYPES, type StoredEvent } from "./outbox.ts";
import { replayOf } from "./flow/replay-of.ts";
import { ROW_TEXTS } from "./messages/row-layout.ts";

/** Why a waiting message waits. */
export type QueueReason = "rate" | "window" | "link_down" | "throttled";

export type ReasonGroup = "ok" | "handset" | "user" | "operator" | "policy" | "gateway";

export interface MessageReason {
  readonly group: ReasonGroup;
  readonly code: string;
  readonly smpp_status: number | null;
  readonly carrier_code: string | null;
  readonly retryable: boolean;
}

export interface PartDocument {
  /** 0-based. */
  readonly part: number;
  readonly status: string;
  readonly link: number | null;
  readonly session: number | null;
  readonly attempt: number;
  readonly smsc_id: string | null;
  readonly sent_at: string | null;
  readonly answered_at: string | null;
  readonly command_status: number | null;
  readonly maybe_dup?: true;
  readonly receipt: { state: string; error: string | null; at: string } | null;
}

export interface TimelineEntry {
  readonly at: string;
  readonly event: string;
  readonly part?: number;
  readonly attempt?: number;
  readonly link?: number;
  readonly command_status?: number;
  /** Of `authenticated`: the app whose token it was. */
  readonly app?: number;
  /** Of `admitted`: the rates that it was charged to. */
  readonly limits?: readonly string[];
  /** Of `routed`: where to, and why there. */
  readonly pool?: number;
  readonly by?: "prefix" | "request";
  readonly prefix?: string;
}

/** A message in a list: all that is known of it as a whole. */
export type MessageSummary = Omit<MessageDocument, "parts" | "timeline">;

export interface MessageDocument {
  readonly id: string;
  readonly status: string;
  readonly queue_reason?: QueueReason;
  readonly maybe_dup?: true;
  readonly reason?: MessageReason;
  readonly to: string;
  readonly from: string | null;
  readonly reference: string | null;
  readonly campaign: string | null;
  /** Id of the dead letter that this message sends anew. */
  readonly replay_of?: string;
  readonly class: string;
  readonly priority: number;
  readonly dlr: string;
  readonly segments: number;
  readonly encoding: string;
  readonly accepted_at: string;
  readonly send_at?: string;
  readonly expires_at: string;
  readonly final_at: string | null;
  readonly parts: readonly PartDocument[];
  readonly timeline: readonly TimelineEntry[];
}

/** Words of the API, by message_state (spec 5.2.28). */
export const RECEIPT_STATES = [
  "scheduled",
  "enroute",
  "delivered",
  "expired",
  "deleted",
  "undeliverable",
  "accepted",
  "unknown",
  "rejected",
  "skipped",
] as const;
/** message_state DELETED (spec 5.2.28). */
const RECEIPT_DELETED = 4;
/**
 * command_status of a bad source or destination address (spec 5.1.3): the sender's to put right.
 */
const ADDRESS_STATUSES: readonly number[] = [0x0a, 0x0b];

/** Describes a message. `queueReason` is why it waits, if it waits and somebody knows. */
export function documentOf(
  node: string,
  message: MessageState,
  queueReason: QueueReason | null,
): MessageDocument {
  const summary = summaryOf(node, message, queueReason);
  const isPinned = message.acceptByte(Accept.ROUTED_BY) === RoutedBy.PIN;
  const prefix = isPinned ? null : summary.to.slice(0, message.acceptByte(Accept.PREFIX_LENGTH));
  return {
    ...summary,
    parts: message.parts.map(partOf),
    timeline: timelineOf(message, prefix),
  };
}

/** The same without parts and timeline. */
export function summaryOf(
  node: string,
  message: MessageState,
  queueReason: QueueReason | null,
): MessageSummary {
  const byte = (field: number): number => message.acceptByte(field);
  let at = message.at + ROW_TEXTS;
  const text = (field: number): string => {
    const start = at;
    at += byte(field);
    return message.bytes.toString("utf8", start, at);
  };
  const to = text(Accept.TO_LENGTH);
  const from = text(Accept.FROM_LENGTH);
  const reference = text(Accept.REFERENCE_LENGTH);
  const campaign = text(Accept.CAMPAIGN_LENGTH);
  const reason = reasonOf(message);
  const sendAt = sendAtOf(message);
  const replayed = replayOf(message);
  return {
    id: formatMessageId(node, message.sequence, message.origin),
    ...statusOf(message, queueReason),
    ...(message.parts.some((part) => part.maybeDup) ? { maybe_dup: true } : {}),
    ...(reason === null ? {} : { reason }),
    to,
    from: from === "" ? null : from,
    reference: reference === "" ? null : reference,
    campaign: campaign === "" ? null : campaign,
    ...(replayed === null
      ? {}
      : { replay_of: formatMessageId(node, replayed.sequence, replayed.origin) }),
    class: MESSAGE_CLASS_NAMES[message.messageClass as 0] ?? "transactional",
    priority: message.priority,
    dlr: DLR_MODE_NAMES[message.dlr as 0] ?? "final",
    segments: Math.max(byte(Accept.SEGMENTS), message.parts.length),
    encoding: bodyEncodingName(byte(Accept.ENCODING), byte(Accept.DATA_CODING)),
    accepted_at: time(message.acceptedAt),
    ...(sendAt === null ? {} : { send_at: time(sendAt) }),
    expires_at: time(message.expiresAt),
    final_at: message.finalAt === 0 ? null : time(message.finalAt),
  };
}

function statusOf(
  message: MessageState,
  queueReason: QueueReason | null,
): { status: string; queue_reason?: QueueReason } {
  const status = MESSAGE_STATUS[message.status as 0];
  if (message.status !== MessageStatus.ACCEPTED) return { status };
  const isThrottled = message.parts.some(
    (part) => part.state === PartState.KEPT && part.commandStatus !== NOT_WRITTEN,
  );
  if (isThrottled) return { status: "queued", queue_reason: "throttled" };
  return queueReason === null ? { status } : { status: "queued", queue_reason: queueReason };
}

function partOf(part: PartRecord, index: number): PartDocument {
  const isSent = part.attempt > 0;
  const hasAnswer = part.answeredAt !== 0 && part.commandStatus !== NOT_WRITTEN;
  return {
    part: index,
    status: PART_STATUS[part.state] as string,
    link: isSent ? part.linkId : null,
    session: isSent ? part.session : null,
    attempt: part.attempt,
    smsc_id: part.ids?.[0] === undefined ? null : printable(part.ids[0].id),
    sent_at: part.sendingAt === 0 ? null : time(part.sendingAt),
    answered_at: hasAnswer ? time(part.answeredAt) : null,
    command_status: hasAnswer ? part.commandStatus : null,
    ...(part.maybeDup ? { maybe_dup: true } : {}),
    receipt:
      part.receiptState === NO_RECEIPT
        ? null
        : {
            state: RECEIPT_STATES[part.receiptState] ?? "unknown",
            error: part.receiptError === "" ? null : printable(part.receiptError),
            at: time(part.receiptAt),
          },
  };
}

/** One event, as `GET /v1/events` and whoever is told of it sees it. */
export interface EventDocument {
  /** Opaque; events behind it are read with `after`. */
  readonly cursor: string;
  readonly type: string;
  readonly at: string;
  /** The message as it was told of: its status is the event's. */
  readonly data: MessageSummary | { readonly id: string; readonly status: string };
}

/** An event with what is known of its message; null: retention has removed it. */
export function eventDocumentOf(
  node: string,
  event: StoredEvent,
  summary: MessageSummary | null,
): EventDocument {
  const status = MESSAGE_STATUS[EVENT_STATUS[event.type] ?? 0] ?? "unknown";
  const isFinal = (EVENT_STATUS[event.type] ?? 0) !== MessageStatus.SENT;
  const id = formatMessageId(node, event.sequence, event.origin);
  // A message told of as sent may have ended meanwhile: that is another event's to tell.
  const data = isFinal ? summary : summary && { ...withoutEnd(summary), final_at: null };
  return {
    cursor: String(event.number),
    type: EVENT_TYPES[event.type] ?? "message.unknown",
    at: time(event.at),
    data: data === null ? { id, status } : { ...data, status },
  };
}

function withoutEnd(summary: MessageSummary): MessageSummary {
  const { reason: _reason, ...rest } = summary;
  return rest;
}

/** Why the message ended, or why it is not on its way; null while there is nothing to explain. */
export function reasonOf(message: MessageState): MessageReason | null {
  const part = decidingPart(message) ?? stuckPart(message);
  return part === null ? null : partReason(message, part);
}

/** Why this part ended, or is not on its way; null if there is nothing to explain. */
export function partReason(message: MessageState, part: PartRecord): MessageReason | null {
  const status = part.commandStatus === NOT_WRITTEN ? 0 : part.commandStatus;
  const carrier = part.receiptError === "" ? null : printable(part.receiptError);
  const reason = (
    group: ReasonGroup,
    code: string,
    retryable: boolean,
    smpp: number | null = null,
  ): MessageReason => ({ group, code, smpp_status: smpp, carrier_code: carrier, retryable });
  const hasReceipt = isFinal(part.state) && part.receiptAt !== 0;
  switch (part.state) {
    case PartState.RETRYING:
      if (isPutOff(part)) return reason("gateway", "no_reference", true);
      return reason("operator", "refused_for_now", true, status);
    case PartState.HELD:
    case PartState.AMBIGUOUS:
      return reason("operator", "no_answer", false);
    case PartState.SENT_FINAL:
      return reason("ok", "sent", false);
    case PartState.DELIVERED:
      return reason("ok", "delivered", false);
    case PartState.UNDELIVERED:
      return part.receiptState === RECEIPT_DELETED
        ? reason("operator", "deleted", false)
        : reason("handset", "undeliverable", false);
    case PartState.EXPIRED:
      return hasReceipt
        ? reason("handset", "expired", true)
        : reason("gateway", "validity_over", true, status === 0 ? null : status);
    case PartState.REJECTED:
      if (hasReceipt) return reason("operator", "rejected", false);
      if (part.isExhausted) return reason("operator", "attempts_over", true, status);
      if (part.commandStatus === NOT_WRITTEN) return reason("gateway", "unsendable", true);
      return reason(
        ADDRESS_STATUSES.includes(status) ? "user" : "operator",
        "refused",
        false,
        status,
      );
    case PartState.CANCELED:
      return reason("user", "canceled", false);
    case PartState.FAILED:
      return reason("gateway", failureOf(message), message.verdict === Verdict.UNSENDABLE);
    case PartState.UNKNOWN:
      return part.answeredAt !== 0 && part.ids !== null
        ? reason("operator", "no_receipt", false)
        : reason("operator", "no_answer", false);
    default:
      return null;
  }
}

function failureOf(message: MessageState): string {
  if (message.verdict === Verdict.QUARANTINED) return "quarantined";
  return message.verdict === Verdict.UNSENDABLE ? "unsendable" : "no_answer";
}

function stuckPart(message: MessageState): PartRecord | null {
  if (message.finalAt !== 0) return null;
  for (const part of message.parts) {
    const { state } = part;
    if (state === PartState.HELD || state === PartState.AMBIGUOUS) return part;
    if (state === PartState.RETRYING) return part;
  }
  return null;
}

/** `prefix`: of the route that was taken; null: the request named the pool or link. */
function timelineOf(message: MessageState, prefix: string | null): TimelineEntry[] {
  const entries: { when: number; entry: TimelineEntry }[] = [];
  const note = (when: number, event: string, detail: Partial<TimelineEntry> = {}): void => {
    if (when !== 0) entries.push({ when, entry: { at: time(when), event, ...detail } });
  };
  const { acceptedAt, appId: app, poolId: pool } = message;
  note(acceptedAt, "authenticated", { app });
  note(acceptedAt, "admitted", { limits: ["app", "node"] });
  const why = prefix === null ? ({ by: "request" } as const) : ({ by: "prefix", prefix } as const);
  note(acceptedAt, "routed", { pool, ...why });
  note(acceptedAt, "accepted");
  if (sendAtOf(message) !== null) note(acceptedAt, "scheduled");
  for (const [index, part] of message.parts.entries()) {
    const detail = { part: index, attempt: part.attempt, link: part.linkId };
    note(part.sendingAt, "sending", detail);
    const isAnswered = part.state === PartState.SENT || (isFinal(part.state) && part.ids !== null);
    if (isAnswered || part.state === PartState.SENT_FINAL) note(part.answeredAt, "sent", detail);
    if (part.receiptState !== NO_RECEIPT) {
      const state = RECEIPT_STATES[part.receiptState] ?? "unknown";
      note(part.receiptAt, `receipt_${state}`, { part: index });
    }
  }
  for (const event of message.events ?? []) {
    note(event.at, EVENT_NAMES[event.kind as 0] ?? "event", {
      part: event.part,
      // What was put off has no link, and its attempt was not made.
      ...(event.linkId === 0 ? {} : { attempt: event.attempt, link: event.linkId }),
      ...(event.commandStatus === 0 || event.commandStatus === NOT_WRITTEN
        ? {}
        : { command_status: event.commandStatus }),
    });
  }
  if (message.finalAt !== 0) note(message.finalAt, MESSAGE_STATUS[message.status as 0]);
  return entries.sort((a, b) => a.when - b.when).map(({ entry }) => entry);
}

const DAY_MS = 86_400_000;

/** Of the last time that was told, and its date. */
const lastTold = { day: Number.NaN, date: "" };

/** Numbers below 60 in two digits. */
const SIXTY = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, "0"));

/** The times of one message lie close together, and mostly on one day. */
function time(wallMs: number): string {
  const day = Math.floor(wallMs / DAY_MS);
  if (day !== lastTold.day) {
    lastTold.date = new Date(day * DAY_MS).toISOString().slice(0, -"00:00:00.000Z".length);
    lastTold.day = day;
  }
  const ms = Math.floor(wallMs) - day * DAY_MS;
  const hour = SIXTY[Math.floor(ms / 3_600_000)];
  const minute = SIXTY[Math.floor(ms / 60_000) % 60];
  const second = SIXTY[Math.floor(ms / 1000) % 60];
  return `${lastTold.date}${hour}:${minute}:${second}.${String(ms % 1000).padStart(3, "0")}Z`;
}

/** Bytes of an SMSC as text: what is not printable ASCII shows as a question mark. */
export function printable(bytes: string): string {
  return bytes.replace(/[^\x20-\x7e]/g, "?");
}
