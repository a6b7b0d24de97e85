/**
 * The columns of a CDR row, version 1: one table for NDJSON, Parquet, docs/CDR.md and the verifier.
 *
 * A version may gain columns at its end; what a column means changes only with the version. Pure
 * data; any thread.
 */

export const CDR_SCHEMA_VERSION = 1;

/** How a column's values look: in NDJSON times are RFC 3339 in UTC, in Parquet milliseconds. */
export type ColumnType = "string" | "int" | "bool" | "time";

export interface CdrColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly doc: string;
}

const column = <N extends string>(name: N, type: ColumnType, doc: string) => ({ name, type, doc });

export const CDR_COLUMNS = [
  column("schema", "int", "Version of these columns: 1."),
  column("row", "int", "Number of the row in its series, from 0, without gaps."),
  column("record", "string", "`part`, `message`, `refusal` or `duplicate`."),
  column("message_id", "string", "The message; null for a refusal, which never became one."),
  column("part", "int", "The part, from 0; null for a whole message."),
  column("parts", "int", "Parts of the message: PDUs to the operator."),
  column("segments", "int", "Segments to be paid for: of the part, or of the whole message."),
  column("app", "int", "App that sent it."),
  column("status", "string", "Final status; `blocked` or `refused` for a refusal."),
  column("reason_group", "string", "ok, handset, user, operator, policy or gateway."),
  column("reason_code", "string", "Why it ended so; for a refusal the error or the policy's rule."),
  column("smpp_status", "int", "command_status that decided it, if one did."),
  column("carrier_code", "string", "Error of the operator's receipt."),
  column("http_status", "int", "Answer to the refused call."),
  column("maybe_dup", "bool", "Whether it may have reached the phone twice."),
  column("to", "string", "Number it was sent to, digits."),
  column("from", "string", "Sender."),
  column("reference", "string", "Of the client."),
  column("campaign", "string", "Of the client."),
  column("class", "string", "otp, transactional or promotional."),
  column("priority", "int", "0 to 3."),
  column("dlr", "string", "Receipts asked for: none, final or all."),
  column("encoding", "string", "gsm7, ucs2, latin1 or binary."),
  column("pool", "int", "Pool or link it was routed to."),
  column("link", "int", "Link of the last attempt."),
  column("session", "int", "Session of the last attempt."),
  column("attempts", "int", "Attempts at the part."),
  column("smsc_id", "string", "The operator's id of the part."),
  column("receipt", "string", "State that the receipt gave."),
  column("accepted_at", "time", "Accepted by the gateway."),
  column("sent_at", "time", "Last attempt begun."),
  column("answered_at", "time", "Answered by the operator."),
  column("receipt_at", "time", "Receipt came in."),
  column("final_at", "time", "Final status reached; for a refusal, refused."),
  column("recorded_at", "time", "When the row was numbered."),
  column("send_at", "time", "Time that its sender asked for; null: at once."),
  column("replay_of", "string", "The dead letter that this message sends anew; null: none."),
] as const satisfies readonly CdrColumn[];

export type CdrColumnName = (typeof CDR_COLUMNS)[number]["name"];
/** Values in the order of the columns; times are wall ms. */
export type CdrValue = string | number | boolean | null;

/** Index of each column. */
export const CdrField = Object.fromEntries(
  CDR_COLUMNS.map(({ name }, index) => [name, index]),
) as Record<CdrColumnName, number>;

export const CDR_RECORDS = ["part", "message", "refusal", "duplicate"] as const;
export type CdrRecordName = (typeof CDR_RECORDS)[number];
