/**
 * JSON Schemas (2020-12) of what the HTTP API takes and gives, made from the tables and bounds that
 * the code itself goes by. Pure data.
 */
import { REPLAY_MAX, REPLAY_OUTCOMES, RESOLVE_MAX } from "./calls/read-calls.ts";
import { ERRORS, type ErrorCode, type ErrorRow, POLICY_STATES } from "../errors.ts";
import {
  BODY_ENCODING_NAMES,
  DLR_MODE_NAMES,
  MESSAGE_CLASS_NAMES,
  PARTS_MAX,
  PRIORITY_COUNT,
} from "../records/types.ts";
import { BATCH_MESSAGES_MAX } from "./calls/batch-call.ts";
import { KEY_PATTERN } from "./admission/idempotency.ts";
import { ENCODING_NAMES, REFERENCE_BYTES_MAX, TTL_S_MAX } from "./admission/message-fields.ts";

type Schema = Readonly<Record<string, unknown>>;

const text = (description: string, more: Schema = {}): Schema => ({
  type: "string",
  description,
  ...more,
});
const number = (description: string, minimum: number, maximum?: number): Schema => ({
  type: "integer",
  description,
  minimum,
  ...(maximum === undefined ? {} : { maximum }),
});
const time = (description: string): Schema => text(description, { format: "date-time" });
const words = (description: string, names: readonly string[]): Schema =>
  text(description, { enum: names });
const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema["type"], "null"] });
const list = (items: Schema): Schema => ({ type: "array", items });

/** A reference to one of SCHEMAS. */
export function schemaOf(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[]): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return {
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

const LABEL = { minLength: 1, maxLength: REFERENCE_BYTES_MAX };

/** The fields of a message; a test holds the names to those that are read. */
export const MESSAGE_PROPERTIES: Readonly<Record<string, Schema>> = {
  to: text("International number.", { pattern: "^\\+?[1-9][0-9]{6,14}$" }),
  from: text("A number, a short code, or 1 to 11 of letters, digits, space . _ & and -.", {
    minLength: 1,
    maxLength: 16,
  }),
  text: text("What is sent; this or binary.", { minLength: 1 }),
  binary: {
    ...object(
      {
        data: text("Octets.", { contentEncoding: "base64", minLength: 4 }),
        udh: text("User data header, hexadecimal.", { pattern: "^(?:[0-9A-Fa-f]{2}){2,140}$" }),
        data_coding: number("data_coding of the submit_sm.", 0, 255),
      },
      ["udh", "data_coding"],
    ),
    description: "One segment as it is, instead of text.",
  },
  reference: text("The client's own; comes back in every answer.", LABEL),
  campaign: text("The client's own, for counting.", LABEL),
  class: {
    ...words("Sets priority and validity.", MESSAGE_CLASS_NAMES),
    default: "transactional",
  },
  priority: number("At most that of the class, which is the default.", 0, PRIORITY_COUNT - 1),
  route: number("Id of a link or pool; needs the scope route:pin.", 1, 0x7fffffff),
  encoding: { ...words("Alphabet of the text.", ENCODING_NAMES), default: "auto" },
  transliterate: {
    type: "boolean",
    description: "Replace what the GSM alphabet lacks.",
    default: false,
  },
  max_parts: { ...number("Refuse what needs more.", 1, PARTS_MAX), default: PARTS_MAX },
  send_at: time("Not before this time, at most 30 days ahead; validity counts from it."),
  ttl_s: number("How long it is tried, in seconds; by class if left out.", 1, TTL_S_MAX),
  policy: text("One of the app's contact policies.", { minLength: 1 }),
  dlr: { ...words("Which receipts are asked for.", DLR_MODE_NAMES), default: "final" },
  idempotency_key: text("Like the header, in a batch or a stream.", { pattern: KEY_PATTERN }),
  webhook: text("Where events go; must be under the app's webhook_allow.", { format: "uri" }),
};

const ACCEPTED: Readonly<Record<string, Schema>> = {
  id: text("Sorts by time and names the node.", { maxLength: 64 }),
  status: words("", ["accepted", "scheduled"]),
  segments: number("Segments that are charged.", 1),
  encoding: words("Alphabet that was chosen.", BODY_ENCODING_NAMES),
  reference: text("As given."),
  transliterated: text("Characters that were replaced."),
};
const ACCEPTED_OPTIONAL = ["reference", "transliterated"];

const REPLAYED = {
  type: "boolean",
  description: "Whether it is the answer of an earlier call with the same key.",
};

const PROBLEM: Readonly<Record<string, Schema>> = {
  type: text("/problems/ and a suffix that stays the same over versions.", {
    format: "uri-reference",
  }),
  title: text("What the type means."),
  status: number("HTTP status.", 400, 599),
  detail: text("What is wrong this time."),
  errors: list(
    object({ pointer: text("RFC 6901, into the body."), detail: text("What is wrong there.") }, []),
  ),
  state: words("Contact rule that blocks.", POLICY_STATES),
  retry_at: time("When the rule lifts."),
  retry_after_s: number("Seconds until trying again makes sense.", 1),
  node: text("Node that has the message."),
  incident: text("Finds the error in the log."),
};

const PART = object(
  {
    part: number("Counted from 0.", 0),
    status: text("State of the part."),
    link: orNull(number("Link that sent it.", 1)),
    session: orNull(number("Session of the link.", 0)),
    attempt: number("How often it was sent.", 0),
    smsc_id: orNull(text("The operator's id.")),
    sent_at: orNull(time("")),
    answered_at: orNull(time("")),
    command_status: orNull(number("The operator's answer.", 0)),
    maybe_dup: { type: "boolean", description: "May have arrived twice." },
    receipt: {
      type: ["object", "null"],
      properties: { state: text(""), error: orNull(text("")), at: time("") },
      required: ["state", "error", "at"],
    },
  },
  ["maybe_dup"],
);

const problemSchema = object(
  PROBLEM,
  Object.keys(PROBLEM).filter((name) => !["type", "title", "status"].includes(name)),
);

/** Everything that has a name of its own. */
export const SCHEMAS: Readonly<Record<string, Schema>> = {
  Message: {
    ...object(
      MESSAGE_PROPERTIES,
      Object.keys(MESSAGE_PROPERTIES).filter((name) => name !== "to"),
    ),
    oneOf: [{ required: ["text"] }, { required: ["binary"] }],
  },
  Accepted: object(ACCEPTED, ACCEPTED_OPTIONAL),
  Batch: object(
    { messages: { ...list(schemaOf("Message")), minItems: 1, maxItems: BATCH_MESSAGES_MAX } },
    [],
  ),
  BatchAnswer: object(
    {
      accepted: number("How many were.", 0, BATCH_MESSAGES_MAX),
      results: list({
        oneOf: [
          object({ ...ACCEPTED, replayed: REPLAYED }, [...ACCEPTED_OPTIONAL, "replayed"]),
          object({ problem: schemaOf("Problem") }, []),
        ],
      }),
    },
    [],
  ),
  StreamAcknowledgement: object(
    {
      line: number("Counted from 1; missing in a last line that ends the stream.", 1),
      ...ACCEPTED,
      replayed: REPLAYED,
      problem: schemaOf("Problem"),
    },
    ["line", ...Object.keys(ACCEPTED), "replayed", "problem"],
  ),
  Preview: object(
    {
      verdict: words("", ["accepted", "refused"]),
      problem: schemaOf("Problem"),
      segments: orNull(number("null without a route.", 1)),
      encoding: { enum: [...BODY_ENCODING_NAMES, null] },
      characters: orNull(number("Code points of the text.", 1)),
      transliterated: text("Characters that would be replaced."),
      class: words("", MESSAGE_CLASS_NAMES),
      priority: number("", 0, PRIORITY_COUNT - 1),
      ttl_s: number("", 1, TTL_S_MAX),
      route: orNull(number("Link or pool.", 1)),
    },
    ["problem", "transliterated"],
  ),
  MessageState: {
    type: "object",
    description: "A message with its parts and timeline.",
    properties: {
      id: text(""),
      status: text("State of the message."),
      to: text(""),
      from: orNull(text("")),
      reference: orNull(text("")),
      campaign: orNull(text("")),
      replay_of: text("Dead letter that it sends anew."),
      class: words("", MESSAGE_CLASS_NAMES),
      priority: number("", 0, PRIORITY_COUNT - 1),
      dlr: words("", DLR_MODE_NAMES),
      segments: number("", 1),
      encoding: words("", BODY_ENCODING_NAMES),
      accepted_at: time(""),
      expires_at: time(""),
      final_at: orNull(time("")),
      maybe_dup: { type: "boolean" },
      reason: { type: ["object", "null"] },
      parts: list(PART),
      timeline: list({ type: "object" }),
    },
    required: ["id", "status", "to", "segments", "accepted_at", "parts", "timeline"],
  },
  List: object(
    { data: list({ type: "object" }), next: orNull(text("Cursor of the next page.")) },
    [],
  ),
  Resolve: object(
    {
      ids: { ...list(text("Id of a message.")), minItems: 1, maxItems: RESOLVE_MAX },
      decision: words("What is done with the held parts.", ["resend", "fail"]),
    },
    [],
  ),
  Canceled: object({ id: text("The message."), status: words("", ["canceled"]) }, []),
  Resolved: object(
    {
      resolved: number("How many were decided about.", 0),
      results: list(
        object(
          {
            id: text(""),
            outcome: words("", ["resolved", "not_held", "unknown", "overloaded"]),
          },
          [],
        ),
      ),
    },
    [],
  ),
  Replay: object(
    {
      ids: { ...list(text("Id of a dead letter.")), minItems: 1, maxItems: REPLAY_MAX },
      filter: {
        type: "object",
        description: "In place of ids: app, class, reason, since, until; all must fit.",
      },
      limit: number("With a filter: replayed at most.", 1, REPLAY_MAX),
      after: text("With a filter: cursor of the answer before."),
    },
    ["ids", "filter", "limit", "after"],
  ),
  Replayed: object(
    {
      replayed: number("How many were accepted as new messages.", 0),
      results: list(
        object(
          {
            id: text(""),
            outcome: words("", REPLAY_OUTCOMES),
            replay: text("Id of the new message."),
            problem: { type: "object" },
          },
          ["replay", "problem"],
        ),
      ),
      next: orNull(text("Cursor behind the last one looked at, if there are more.")),
    },
    [],
  ),
  Status: object({ status: text("") }, []),
  Problem: problemSchema,
};

/** One response for each row of the table of errors. */
export function problemResponses(): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    (Object.entries(ERRORS) as [ErrorCode, ErrorRow][]).map(([code, row]) => [
      code,
      {
        description: `${row.title}. ${row.meaning}`,
        ...headersOf(row.headers),
        content: { "application/problem+json": { schema: schemaOf("Problem") } },
      },
    ]),
  );
}

function headersOf(names: readonly string[]): Schema {
  if (names.length === 0) return {};
  return { headers: Object.fromEntries(names.map((name) => [name, { schema: text("") }])) };
}
