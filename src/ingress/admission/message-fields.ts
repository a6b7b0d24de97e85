/**
 * The fields of one message as a client writes them, checked one by one (docs: api, POST
 * /v1/messages).
 *
 *   JSON object ──► MessageDraft, and a list of what is wrong: RFC 6901 pointer and sentence each
 *
 * Every field has one row in FIELDS; an unknown field is refused, since a typo must not send money.
 * Problems never repeat what the client wrote. Pure; one draft per thread is used again and again.
 */
import {
  areDigits,
  ENCODING,
  ENCODING_AUTO,
  NPI,
  npiOfSource,
  TON,
  tonOfSource,
} from "../../codec/index.ts";
import type { FieldError } from "../../errors.ts";
import {
  DLR_MODE_NAMES,
  DlrMode,
  MESSAGE_CLASS_NAMES,
  MessageClass,
  PARTS_MAX,
  PRIORITY_COUNT,
} from "../../records/types.ts";
import { isKey, KEY_FIELD, KEY_LENGTH_MAX } from "./idempotency.ts";
import { pointerStep } from "../http/json-body.ts";
import { NOT_GIVEN, PlainMessage } from "./plain-message.ts";
import { parseTime, TIME_ALLOWED } from "./time-text.ts";
import { scanText, TEXT_CLEAN, TEXT_CONTROL, utf8Length } from "../http/text-bytes.ts";

/** Longest validity that may be asked for; SMSCs rarely keep a message longer. */
export const TTL_S_MAX = 172_800;
/** How far ahead a message may be sent off: 30 days. */
export const SEND_AHEAD_S_MAX = 2_592_000;
/** What lies no further back counts as now. */
const SEND_BEHIND_MS_MAX = 60_000;
export const REFERENCE_BYTES_MAX = 255;
/** Octets of a binary message, its user data header included. */
export const BINARY_BYTES_MAX = 140;
/** No message lists more problems than this. */
export const PROBLEMS_MAX = 50;

/** Priority and validity of each class, by MessageClass. */
export const CLASS_PRIORITY = [3, 2, 1] as const;
export const CLASS_TTL_S = [300, 86_400, 86_400] as const;

const FROM_ALLOWED =
  "must be an international number, a national one with its leading 0, a short code of 3 to 6 " +
  "digits, or 1 to 11 of letters, digits, space and . _ & - with a letter and no space at an end";
const ENCODINGS: ReadonlyMap<string, number> = new Map([
  ["auto", ENCODING_AUTO],
  ["gsm7", ENCODING.gsm7],
  ["ucs2", ENCODING.ucs2],
  ["latin1", ENCODING.latin1],
]);

/** Words of `encoding`. */
export const ENCODING_NAMES: readonly string[] = [...ENCODINGS.keys()];

/** Body of a message that is not text. */
export interface BinaryBody {
  readonly data: Uint8Array;
  readonly udh: Uint8Array;
  readonly dataCoding: number;
}

/** A checked message; only meaningful if no problem was found. */
export class MessageDraft {
  /**
   * Digits of the destination start at `toStart` of `to`; the same for `from`, which may be empty.
   */
  to = "";
  toStart = 0;
  from = "";
  fromStart = 0;
  sourceTon = 0;
  sourceNpi = 0;
  text: string | null = null;
  binary: BinaryBody | null = null;
  /** Empty: none. */
  reference = "";
  campaign = "";
  messageClass: number = MessageClass.TRANSACTIONAL;
  priority = 0;
  /** Id of a link or pool, or 0. */
  route = 0;
  encoding = ENCODING_AUTO;
  transliterate = false;
  partsMax = PARTS_MAX;
  /** Not before (wall ms); 0: at once. */
  sendAtMs = 0;
  ttlS = 0;
  dlr: number = DlrMode.FINAL;
  policy = "";
  /** Empty: none. */
  idempotencyKey = "";

  reset(): void {
    this.to = "";
    this.toStart = 0;
    this.from = "";
    this.fromStart = 0;
    this.sourceTon = TON.unknown;
    this.sourceNpi = NPI.unknown;
    this.text = null;
    this.binary = null;
    this.reference = "";
    this.campaign = "";
    this.messageClass = MessageClass.TRANSACTIONAL;
    this.priority = -1;
    this.route = 0;
    this.encoding = ENCODING_AUTO;
    this.transliterate = false;
    this.partsMax = PARTS_MAX;
    this.sendAtMs = 0;
    this.ttlS = 0;
    this.dlr = DlrMode.FINAL;
    this.policy = "";
    this.idempotencyKey = "";
  }
}

type FieldCheck = (draft: MessageDraft, value: unknown) => string | null;

const FIELDS: ReadonlyMap<string, FieldCheck> = new Map<string, FieldCheck>([
  ["to", checkTo],
  ["from", checkFrom],
  ["text", checkText],
  ["reference", (draft, value) => checkLabel(value, (text) => (draft.reference = text))],
  ["campaign", (draft, value) => checkLabel(value, (text) => (draft.campaign = text))],
  ["class", checkClass],
  ["priority", checkPriority],
  ["route", checkRoute],
  ["encoding", checkEncoding],
  ["transliterate", checkTransliterate],
  ["max_parts", checkMaxParts],
  ["send_at", checkSendAt],
  ["ttl_s", checkTtl],
  ["policy", checkPolicy],
  ["dlr", checkDlr],
  [KEY_FIELD, checkKey],
  ["webhook", () => "is not under the webhook_allow of this app"],
]);

/** Names of all fields that a message may have. */
export const MESSAGE_FIELD_NAMES: readonly string[] = [...FIELDS.keys(), "binary"];

/**
 * Checks one message, a PlainMessage or parsed JSON, and fills `draft`; appends what is wrong to
 * `problems`. `policies` are those the app may choose from. Returns whether nothing was wrong.
 */
export function readMessage(
  body: unknown,
  policies: readonly string[],
  draft: MessageDraft,
  problems: FieldError[],
): boolean {
  draft.reset();
  if (body instanceof PlainMessage) {
    return takePlain(body, draft) || readMessage(body.toObject(), policies, draft, problems);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    problems.push({ pointer: "", detail: "must be a JSON object" });
    return false;
  }
  const fields = body as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(fields)) {
    const check = FIELDS.get(name);
    let detail: string | null = null;
    if (check !== undefined) detail = check(draft, fields[name]);
    else if (name === "binary") readBinary(fields[name], draft, problems);
    else detail = "is not a known field";
    if (detail !== null) refuse(problems, pointerStep(name), detail);
  }
  concludeDraft(fields, policies, draft, problems);
  return problems.length === 0;
}

/** Fills `draft` if every value is right, by the same checks; if not, JSON tells what is wrong. */
function takePlain(plain: PlainMessage, draft: MessageDraft): boolean {
  const { to, from, text, reference, campaign, messageClass, dlr, encoding } = plain;
  const { priority, route, ttlS, partsMax } = plain;
  if (text === "" || checkTo(draft, to) !== null) return false;
  draft.text = text;
  if (from !== "" && !takeSender(draft, from)) return false;
  if (reference.length > REFERENCE_BYTES_MAX || campaign.length > REFERENCE_BYTES_MAX) return false;
  draft.reference = reference;
  draft.campaign = campaign;
  if (messageClass !== NOT_GIVEN) draft.messageClass = messageClass;
  if (dlr !== NOT_GIVEN) draft.dlr = dlr;
  if (encoding !== "" && checkEncoding(draft, encoding) !== null) return false;
  if (priority !== NOT_GIVEN && checkPriority(draft, priority) !== null) return false;
  if (route !== NOT_GIVEN && checkRoute(draft, route) !== null) return false;
  if (ttlS !== NOT_GIVEN && checkTtl(draft, ttlS) !== null) return false;
  if (partsMax !== NOT_GIVEN && checkMaxParts(draft, partsMax) !== null) return false;
  return takeDefaults(draft);
}

/** Priority and validity by class, where they were not given; false if the priority is too high. */
function takeDefaults(draft: MessageDraft): boolean {
  const priorityMax = CLASS_PRIORITY[draft.messageClass] as number;
  if (draft.priority < 0) draft.priority = priorityMax;
  if (draft.ttlS === 0) draft.ttlS = CLASS_TTL_S[draft.messageClass] as number;
  return draft.priority <= priorityMax;
}

/** What depends on more than one field. */
function concludeDraft(
  fields: Readonly<Record<string, unknown>>,
  policies: readonly string[],
  draft: MessageDraft,
  problems: FieldError[],
): void {
  if (fields["to"] === undefined) refuse(problems, "/to", "is required");
  if (fields["text"] === undefined && fields["binary"] === undefined) {
    refuse(problems, "/text", "is required, or binary in its place");
  }
  if (fields["binary"] !== undefined) {
    if (fields["text"] !== undefined) refuse(problems, "/binary", "cannot stand beside text");
    if (fields["encoding"] !== undefined) {
      refuse(problems, "/encoding", "is for text; binary has its data_coding");
    }
  }
  if (!takeDefaults(draft)) {
    const priorityMax = CLASS_PRIORITY[draft.messageClass];
    refuse(problems, "/priority", `is at most ${priorityMax} for this class`);
  }
  if (draft.policy !== "" && !policies.includes(draft.policy)) {
    refuse(problems, "/policy", "is not a policy of this app");
  }
}

/** Notes a problem; beyond PROBLEMS_MAX it is dropped. */
export function refuse(problems: FieldError[], pointer: string, detail: string): void {
  if (problems.length < PROBLEMS_MAX) problems.push({ pointer, detail });
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

/** E.164: 7 to 15 digits, not starting with 0, with or without a plus. */
function checkTo(draft: MessageDraft, value: unknown): string | null {
  if (typeof value !== "string") return "must be a string";
  const start = value.charCodeAt(0) === 0x2b ? 1 : 0;
  if (!areDigits(value, start, 7, 15, false)) {
    return "must be an international number: 7 to 15 digits, the first not 0, + optional";
  }
  draft.to = value;
  draft.toStart = start;
  return null;
}

/** A source address; its look tells its type. */
function checkFrom(draft: MessageDraft, value: unknown): string | null {
  if (typeof value !== "string") return "must be a string";
  return takeSender(draft, value) ? null : FROM_ALLOWED;
}

/** Makes `address` the draft's sender; false if it is no source address. */
export function takeSender(draft: MessageDraft, address: string): boolean {
  const ton = tonOfSource(address);
  if (ton < 0) return false;
  draft.from = address;
  draft.fromStart = address.charCodeAt(0) === 0x2b ? 1 : 0;
  draft.sourceTon = ton;
  draft.sourceNpi = npiOfSource(ton);
  return true;
}

function checkText(draft: MessageDraft, value: unknown): string | null {
  if (typeof value !== "string") return "must be a string";
  if (value.length === 0) return "must not be empty";
  const found = scanText(value, true);
  if (found !== TEXT_CLEAN) return describeText(found);
  draft.text = value;
  return null;
}

function describeText(found: number): string {
  return found === TEXT_CONTROL
    ? "must not have control characters"
    : "must not have half a surrogate pair";
}

/** A reference or campaign: opaque text of the client's, 1 to 255 bytes of UTF-8. */
function checkLabel(value: unknown, take: (text: string) => void): string | null {
  if (typeof value !== "string") return "must be a string";
  const found = scanText(value, false);
  if (found !== TEXT_CLEAN) return describeText(found);
  if (value.length === 0 || utf8Length(value) > REFERENCE_BYTES_MAX) {
    return `must have 1 to ${REFERENCE_BYTES_MAX} bytes`;
  }
  take(value);
  return null;
}

function checkClass(draft: MessageDraft, value: unknown): string | null {
  const index = (MESSAGE_CLASS_NAMES as readonly unknown[]).indexOf(value);
  if (index < 0) return `must be one of ${MESSAGE_CLASS_NAMES.join(", ")}`;
  draft.messageClass = index;
  return null;
}

function checkPriority(draft: MessageDraft, value: unknown): string | null {
  if (!isInteger(value, 0, PRIORITY_COUNT - 1)) return "must be an integer from 0 to 3";
  draft.priority = value;
  return null;
}

function checkRoute(draft: MessageDraft, value: unknown): string | null {
  if (!isInteger(value, 1, 0x7fffffff)) return "must be the id of a link or a pool";
  draft.route = value;
  return null;
}

function checkEncoding(draft: MessageDraft, value: unknown): string | null {
  const encoding = typeof value === "string" ? ENCODINGS.get(value) : undefined;
  if (encoding === undefined) return `must be one of ${[...ENCODINGS.keys()].join(", ")}`;
  draft.encoding = encoding;
  return null;
}

function checkTransliterate(draft: MessageDraft, value: unknown): string | null {
  if (typeof value !== "boolean") return "must be true or false";
  draft.transliterate = value;
  return null;
}

function checkMaxParts(draft: MessageDraft, value: unknown): string | null {
  if (!isInteger(value, 1, PARTS_MAX)) return `must be an integer from 1 to ${PARTS_MAX}`;
  draft.partsMax = value;
  return null;
}

function checkSendAt(draft: MessageDraft, value: unknown): string | null {
  const at = typeof value === "string" ? parseTime(value) : Number.NaN;
  if (!Number.isFinite(at)) return TIME_ALLOWED;
  draft.sendAtMs = Math.max(1, at);
  return null;
}

/**
 * Whole seconds from `wallMs` until a draft may be sent, rounded up; 0: at once. A time that has
 * just gone by is none, so that a client's clock may be a little behind.
 */
export function sendDelayS(draft: Readonly<MessageDraft>, wallMs: number): number {
  if (draft.sendAtMs === 0) return 0;
  return Math.max(0, Math.ceil((draft.sendAtMs - Math.floor(wallMs)) / 1000));
}

/** Notes a problem if `send_at` is neither now nor soon enough. */
export function checkSendTime(
  draft: Readonly<MessageDraft>,
  wallMs: number,
  problems: FieldError[],
): boolean {
  if (draft.sendAtMs === 0) return true;
  if (draft.sendAtMs < wallMs - SEND_BEHIND_MS_MAX) {
    refuse(problems, "/send_at", "is over");
  } else if (sendDelayS(draft, wallMs) > SEND_AHEAD_S_MAX) {
    refuse(problems, "/send_at", `is more than ${SEND_AHEAD_S_MAX / 86_400} days ahead`);
  } else return true;
  return false;
}

function checkTtl(draft: MessageDraft, value: unknown): string | null {
  if (!isInteger(value, 1, TTL_S_MAX)) return `must be an integer from 1 to ${TTL_S_MAX}`;
  draft.ttlS = value;
  return null;
}

function checkPolicy(draft: MessageDraft, value: unknown): string | null {
  if (typeof value !== "string" || value === "") return "must be the name of a policy";
  draft.policy = value;
  return null;
}

function checkDlr(draft: MessageDraft, value: unknown): string | null {
  const index = (DLR_MODE_NAMES as readonly unknown[]).indexOf(value);
  if (index < 0) return `must be one of ${DLR_MODE_NAMES.join(", ")}`;
  draft.dlr = index;
  return null;
}

function checkKey(draft: MessageDraft, value: unknown): string | null {
  if (typeof value !== "string" || !isKey(value)) {
    return `must be 1 to ${KEY_LENGTH_MAX} printable ASCII characters`;
  }
  draft.idempotencyKey = value;
  return null;
}

/** `{data: base64, udh: hex, data_coding}`: one segment, as it is. */
function readBinary(value: unknown, draft: MessageDraft, problems: FieldError[]): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(problems, "/binary", "must be an object with data, and optionally udh, data_coding");
    return;
  }
  const { data, udh, data_coding: dataCoding, ...unknown } = value as Record<string, unknown>;
  const found = problems.length;
  for (const name of Object.keys(unknown)) {
    refuse(problems, `/binary${pointerStep(name)}`, "is not a known field");
  }
  const bytes = decodeBase64(data);
  if (bytes === null) refuse(problems, "/binary/data", "must be base64 of at least one octet");
  const header = udh === undefined ? new Uint8Array() : decodeHeader(udh);
  if (header === null) {
    refuse(problems, "/binary/udh", "must be hex of a user data header: its length, then so much");
  }
  if (dataCoding !== undefined && !isInteger(dataCoding, 0, 255)) {
    refuse(problems, "/binary/data_coding", "must be an integer from 0 to 255");
  }
  if (problems.length > found || bytes === null || header === null) return;
  if (bytes.length + header.length > BINARY_BYTES_MAX) {
    const limit = `has more than ${BINARY_BYTES_MAX} octets with its header`;
    refuse(problems, "/binary/data", limit);
    return;
  }
  draft.binary = { data: bytes, udh: header, dataCoding: (dataCoding as number | undefined) ?? 4 };
}

/** Canonical base64 with padding (RFC 4648 §4), not empty; null for anything else. */
function decodeBase64(value: unknown): Uint8Array | null {
  if (typeof value !== "string" || value.length === 0) return null;
  const bytes = Buffer.from(value, "base64");
  return bytes.toString("base64") === value ? bytes : null;
}

/**
 * Hex of a user data header whose first octet counts the rest (TS 23.040, 9.2.3.24); null for
 * anything else.
 */
function decodeHeader(value: unknown): Uint8Array | null {
  if (typeof value !== "string" || !/^(?:[0-9A-Fa-f]{2}){2,140}$/.test(value)) return null;
  const bytes = Buffer.from(value, "hex");
  return bytes[0] === bytes.length - 1 ? bytes : null;
}
