/**
 * What the simulator has seen and done, and what the connected ESMEs did wrong.
 *
 * Plain numbers that only ever grow; `SmscStats` is the snapshot that people and tests read. One
 * thread writes.
 */
import { COMMAND_STATUS, type ForeignProtocol } from "../codec/index.ts";

/** Mistakes of an ESME, by name and index. */
export const PROTOCOL_ERRORS = [
  /** The sequence_number was used before, among the last 4,096. */
  "sequence_reused",
  /** The sequence_number is below the one before it and the number space has not wrapped. */
  "sequence_not_monotonic",
  "sequence_out_of_range",
  /** A request that its session state does not allow (spec 2.2). */
  "wrong_state",
  "already_bound",
  "bad_length",
  "malformed_pdu",
  "unknown_command",
  /**
   * A response to nothing that waits for one; a late answer to a receipt sent again counts here
   * too.
   */
  "unexpected_response",
  /** A deliver_sm that got no answer in time. */
  "unanswered_deliver_sm",
  /** Our enquire_link got no answer in time. */
  "unanswered_enquire_link",
  /** A bound connection that was closed without unbind. */
  "missing_unbind",
  "status_in_request",
  "pdu_after_unbind",
  "foreign_protocol",
  /** More unanswered submits than the contract's window. */
  "window_exceeded",
  /** More submits within a second than the contract's rate. */
  "rate_exceeded",
  /** Reserved TON or NPI, or a pair that does not belong together. */
  "bad_ton_npi",
  /** An address whose characters or length do not fit its TON. */
  "bad_address",
  "string_too_long",
  "reserved_value",
  "bad_time",
  "udh_malformed",
  /** A user data header and sar_ TLVs in one message (spec 5.3.2.22). */
  "udh_with_sar",
  "text_twice",
  "text_too_long",
  "ucs2_odd_length",
  "split_surrogate",
  "split_escape",
  /** A part that came before, or a reference used again within a minute. */
  "duplicate_part",
  /** A concatenated message of which a part never came. */
  "incomplete_message",
] as const;

export type ProtocolErrorName = (typeof PROTOCOL_ERRORS)[number];

/** Name → index into `SmscCounters.protocolErrors`. */
export const PROTOCOL_ERROR = Object.fromEntries(
  PROTOCOL_ERRORS.map((name, index) => [name, index]),
) as Readonly<Record<ProtocolErrorName, number>>;

/** What each mistake is, for people. */
export const PROTOCOL_ERROR_MEANINGS: Readonly<Record<ProtocolErrorName, string>> = {
  sequence_reused: "a sequence_number was used again within 4,096 requests",
  sequence_not_monotonic: "a sequence_number is below the one before it, without a wrap",
  sequence_out_of_range: "a sequence_number is 0 or above 0x7FFFFFFF",
  wrong_state: "a request that the session's state or its kind of bind does not allow",
  already_bound: "a second bind on one connection",
  bad_length: "a command_length that no PDU can have: the stream was out of step",
  malformed_pdu: "fields that do not fit into the PDU",
  unknown_command: "a command_id that SMPP 3.4 does not have, or not from an ESME",
  unexpected_response: "a response to nothing that waited for one, or of another kind",
  unanswered_deliver_sm: "a receipt got no deliver_sm_resp in time",
  unanswered_enquire_link: "an enquire_link got no answer in time",
  missing_unbind: "a bound connection was closed without unbind",
  status_in_request: "a request with a command_status other than 0",
  pdu_after_unbind: "a request after unbind",
  foreign_protocol: "the connection does not speak SMPP",
  window_exceeded: "more submits without an answer than the window allows",
  rate_exceeded: "more submits within a second than the rate allows",
  bad_ton_npi: "a reserved TON or NPI, or a pair that does not belong together",
  bad_address: "an address whose characters or length do not fit its TON",
  string_too_long: "a string longer than its field",
  reserved_value: "a reserved value in esm_class, priority, data_coding or a flag",
  bad_time: "a time that is not YYMMDDhhmmsstnnp",
  udh_malformed: "a user data header whose lengths or part numbers do not add up",
  udh_with_sar: "a user data header and sar_ TLVs in one message",
  text_twice: "text in short_message and in message_payload",
  text_too_long: "more text than one SMS holds",
  ucs2_odd_length: "UCS-2 text of an odd number of octets",
  split_surrogate: "a part that ends within a surrogate pair",
  split_escape: "a part that ends within an escape sequence of GSM 7-bit",
  duplicate_part: "a part that came before, or a reference used again within a minute",
  incomplete_message: "a concatenated message of which a part never came",
};

/** Statuses up to this one are counted singly, others together under it. */
const STATUS_MAX = 0x500;

export class SmscCounters {
  sessionsOpened = 0;
  sessionsClosed = 0;
  binds = 0;
  bindsRefused = 0;
  pdusIn = 0;
  bytesIn = 0;
  bytesOut = 0;
  submits = 0;
  accepted = 0;
  refused = 0;
  answersSent = 0;
  /** Accepted and, as told, never answered. */
  answersWithheld = 0;
  /** Their session was gone when the answer was due. */
  answersLost = 0;
  throttled = 0;
  receiptsScheduled = 0;
  receiptsSent = 0;
  receiptsAnswered = 0;
  receiptsRefused = 0;
  receiptsResent = 0;
  receiptsDuplicated = 0;
  receiptsContradicted = 0;
  receiptsStray = 0;
  receiptsAbandoned = 0;
  receiptsBeforeAnswer = 0;
  enquireLinks = 0;
  unbinds = 0;
  nacksSent = 0;
  nacksReceived = 0;
  disconnectsForced = 0;
  bindsUnanswered = 0;
  malformedSent = 0;
  unbindsSent = 0;
  silenced = 0;
  deafened = 0;
  /** Where the PDU now looked at came from: session and sequence_number. */
  session = 0;
  sequence = 0;
  readonly statuses = new Float64Array(STATUS_MAX + 1);
  readonly states = new Float64Array(16);
  readonly protocolErrors = new Float64Array(PROTOCOL_ERRORS.length);
  /** By error: where it was seen first. */
  readonly firstSessions = new Float64Array(PROTOCOL_ERRORS.length);
  readonly firstSequences = new Float64Array(PROTOCOL_ERRORS.length);
  /** Connections that spoke something else, by what it was. */
  readonly foreignProtocols: Partial<Record<ForeignProtocol, number>> = {};

  countStatus(status: number): void {
    const index = status < STATUS_MAX ? status : STATUS_MAX;
    this.statuses[index] = this.statuses[index]! + 1;
  }

  countForeign(protocol: ForeignProtocol): void {
    this.foreignProtocols[protocol] = (this.foreignProtocols[protocol] ?? 0) + 1;
    this.countError(PROTOCOL_ERROR.foreign_protocol);
  }

  countError(index: number): void {
    if (this.protocolErrors[index] === 0) {
      this.firstSessions[index] = this.session;
      this.firstSequences[index] = this.sequence;
    }
    this.protocolErrors[index] = this.protocolErrors[index]! + 1;
  }
}

/** A snapshot for people, tests and benches. */
export interface SmscStats {
  readonly seed: number;
  /** Milliseconds since the start. */
  readonly uptimeMs: number;
  readonly sessions: number;
  readonly sessionsOpened: number;
  readonly binds: number;
  readonly bindsRefused: number;
  readonly pdusIn: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly submits: number;
  readonly accepted: number;
  readonly refused: number;
  readonly throttled: number;
  readonly answersSent: number;
  readonly answersWithheld: number;
  readonly answersLost: number;
  /** Delayed answers and receipts that are not final yet. */
  readonly waiting: number;
  readonly receiptsScheduled: number;
  readonly receiptsSent: number;
  readonly receiptsAnswered: number;
  readonly receiptsRefused: number;
  readonly receiptsResent: number;
  readonly receiptsDuplicated: number;
  readonly receiptsContradicted: number;
  readonly receiptsStray: number;
  readonly receiptsAbandoned: number;
  readonly receiptsBeforeAnswer: number;
  readonly enquireLinks: number;
  readonly unbinds: number;
  readonly nacksSent: number;
  readonly nacksReceived: number;
  readonly disconnectsForced: number;
  readonly bindsUnanswered: number;
  readonly malformedSent: number;
  readonly unbindsSent: number;
  readonly silenced: number;
  readonly deafened: number;
  /** command_status of submits as "0x00000058" → count. */
  readonly statuses: Readonly<Record<string, number>>;
  /** MESSAGE_STATE of scheduled receipts → count. */
  readonly states: Readonly<Record<string, number>>;
  /** Only those that happened. */
  readonly protocolErrors: Readonly<Partial<Record<ProtocolErrorName, number>>>;
  readonly protocolErrorCount: number;
  /** Which protocols the connections of `foreign_protocol` spoke. */
  readonly foreignProtocols: Readonly<Partial<Record<ForeignProtocol, number>>>;
  /** What each of them means, and where it was seen first. */
  readonly findings: readonly Finding[];
}

/** One kind of mistake that was seen. */
export interface Finding {
  readonly error: ProtocolErrorName;
  readonly count: number;
  readonly meaning: string;
  /** Session, counted from 1, and sequence_number of the first; 0 where none belongs to it. */
  readonly session: number;
  readonly sequence_number: number;
}

function nonZero(values: Float64Array, name: (index: number) => string): Record<string, number> {
  const found: Record<string, number> = {};
  values.forEach((value, index) => {
    if (value !== 0) found[name(index)] = value;
  });
  return found;
}

/**
 * Takes a snapshot. `incompleteMessages` are those still open now, beside those given up before.
 */
export function snapshotCounters(
  counters: SmscCounters,
  seed: number,
  uptimeMs: number,
  sessions: number,
  waiting: number,
  incompleteMessages: number,
): SmscStats {
  const errors = Float64Array.from(counters.protocolErrors);
  errors[PROTOCOL_ERROR.incomplete_message]! += incompleteMessages;
  const {
    statuses,
    states,
    protocolErrors: _errors,
    firstSessions,
    firstSequences,
    foreignProtocols,
    session: _session,
    sequence: _sequence,
    ...numbers
  } = counters;
  return {
    seed,
    uptimeMs,
    sessions,
    waiting,
    ...numbers,
    statuses: nonZero(statuses, (code) =>
      code === STATUS_MAX ? "other" : `0x${code.toString(16).padStart(8, "0")}`,
    ),
    states: nonZero(states, (state) => STATE_NAMES[state] ?? String(state)),
    protocolErrors: nonZero(errors, (index) => PROTOCOL_ERRORS[index]!),
    protocolErrorCount: errors.reduce((sum, value) => sum + value, 0),
    foreignProtocols: { ...foreignProtocols },
    findings: PROTOCOL_ERRORS.flatMap((error, index) => {
      const count = errors[index]!;
      if (count === 0) return [];
      return {
        error,
        count,
        meaning: meaningOf(error, foreignProtocols),
        session: firstSessions[index]!,
        sequence_number: firstSequences[index]!,
      };
    }),
  };
}

/** What a mistake is, with the protocols that were seen in place of SMPP. */
function meaningOf(error: ProtocolErrorName, foreign: SmscStats["foreignProtocols"]): string {
  const meaning = PROTOCOL_ERROR_MEANINGS[error];
  if (error !== "foreign_protocol") return meaning;
  return `${meaning} but ${Object.keys(foreign).join(", ")}`;
}

const STATE_NAMES: readonly string[] = [
  "scheduled",
  "enroute",
  "delivered",
  "expired",
  "deleted",
  "undeliverable",
  "accepted",
  "unknown",
  "rejected",
];

/** Whether a status asks the ESME to slow down. */
export function isThrottle(status: number): boolean {
  return status === COMMAND_STATUS.ESME_RTHROTTLED || status === COMMAND_STATUS.ESME_RMSGQFUL;
}
