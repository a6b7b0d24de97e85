/**
 * The calls that read the ledger, and the decisions about held messages.
 *
 *   GET  /v1/messages?…      a page of the app's messages
 *   GET  /v1/events?after=   events of the app
 *   GET  /v1/held            held messages of all apps   (scope ops)
 *   POST /v1/held:resolve    decisions about them        (scope ops)
 *
 * Parameters are checked like fields: an unknown or repeated one is refused. The ledger answers
 * over a bounded channel; if that is full the call gets 503. The thread of its HTTP server.
 */
import { Buffer } from "node:buffer";
import type { FieldError, ProblemSource } from "../../errors.ts";
import { type MessageKey, parseMessageId } from "../../records/message-key.ts";
import type { DeadReason } from "../../records/types.ts";
import { ScopeBit } from "../admission/admission.ts";
import type { AppGrant } from "../auth/authentication.ts";
import { readJson } from "../http/json-body.ts";
import {
  endAnswer,
  JSON_MEDIA_TYPE,
  statusLine,
  writeMethodRefusal,
  writeProblem,
} from "../http/reply.ts";
import { REFERENCE_BYTES_MAX } from "../admission/message-fields.ts";
import { parseTime, TIME_ALLOWED } from "../admission/time-text.ts";
import type { UwsRequest, UwsResponse, UwsRoutes } from "../http/uws.ts";

export const PAGE_DEFAULT = 50;
export const PAGE_MAX = 500;
/** Ids of one call of `held:resolve`. */
export const RESOLVE_MAX = 1000;
const SMALL_BODY_BYTES_MAX = 128 * 1024;
/** Status words that a list can be asked for. */
export const STATUS_WORDS: readonly string[] = [
  "scheduled",
  "accepted",
  "queued",
  "retrying",
  "submitted",
  "sent",
  "delivered",
  "undelivered",
  "expired",
  "rejected",
  "failed",
  "canceled",
  "ambiguous",
  "held",
  "unknown",
];

/** What a page of messages is asked for; null: any. */
export interface ListQuestion {
  readonly appId: number;
  readonly to: string | null;
  readonly reference: string | null;
  readonly status: string | null;
  /** Wall ms: accepted at or after, and before. */
  readonly since: number | null;
  readonly until: number | null;
  readonly limit: number;
  readonly after: string | null;
}

export type HeldDecision = "resend" | "fail";

/** What dead letters are asked for; null: any. */
export interface DeadLetterFilter {
  readonly app: number | null;
  /** MessageClass. */
  readonly messageClass: number | null;
  readonly reason: DeadReason | null;
  /** Wall ms: accepted at or after, and before. */
  readonly since: number | null;
  readonly until: number | null;
}

/** Dead letters replayed by one call. */
export const REPLAY_MAX = 1000;
/** What may become of each. */
export const REPLAY_OUTCOMES = [
  "replayed",
  "refused",
  "unknown",
  "text_gone",
  "being_replayed",
  "overloaded",
] as const;

/** Claimed dead letters are released if their replay is refused. */
export type DeadLetterQuestion =
  | {
      readonly kind: "dead_letters";
      readonly filter: DeadLetterFilter;
      readonly after: string | null;
      readonly limit: number;
    }
  | { readonly kind: "claim" | "release"; readonly keys: readonly MessageKey[] };

/** Questions to the ledger; the answer's shape goes with the kind. */
export type ReadQuestion =
  | { readonly kind: "list"; readonly list: ListQuestion }
  | {
      readonly kind: "events";
      readonly appId: number;
      readonly after: number;
      readonly limit: number;
    }
  | { readonly kind: "held"; readonly after: string | null; readonly limit: number }
  | {
      readonly kind: "resolve";
      readonly keys: readonly MessageKey[];
      readonly decision: HeldDecision;
    }
  | DeadLetterQuestion;

/** The ledger, as these calls reach it. */
export interface LedgerReads {
  /**
   * False: too much is being asked. Otherwise `done` is called once, with the answer, or with
   * "late" if that takes too long, and then `tooLate` with an answer that comes nevertheless.
   */
  ask(
    question: ReadQuestion,
    done: (answer: unknown) => void,
    tooLate?: (answer: unknown) => void,
  ): boolean;
}

/** Finds out who calls; answers the call itself if it may not go on. */
export type Authorise = (
  response: UwsResponse,
  request: UwsRequest,
  then: (grant: AppGrant, isOpen: () => boolean) => void,
) => void;

export interface ReadCallsOptions {
  readonly node: string;
  readonly authorise: Authorise;
  readonly reads: LedgerReads;
}

export interface Page {
  readonly data: readonly unknown[];
  readonly next: string | null;
}

export type Parameters = Map<string, string>;

export class ReadCalls {
  readonly #options: ReadCallsOptions;

  constructor(options: ReadCallsOptions) {
    this.#options = options;
  }

  /** Adds the routes but `/v1/messages`, whose other methods are not ours. */
  route(app: UwsRoutes): void {
    app
      .get("/v1/events", (response, request) => this.#events(response, request))
      .any("/v1/events", (response, request) => writeMethodRefusal(response, request, "GET"))
      .get("/v1/held", (response, request) => this.#held(response, request))
      .any("/v1/held", (response, request) => writeMethodRefusal(response, request, "GET"));
    for (const path of ["/v1/held:resolve", "/v1/held%3Aresolve", "/v1/held%3aresolve"]) {
      app
        .post(path, (response, request) => this.#resolve(response, request))
        .any(path, (response, request) => writeMethodRefusal(response, request, "POST"));
    }
  }

  /** `GET /v1/messages?…` */
  list(response: UwsResponse, request: UwsRequest): void {
    const query = request.getQuery();
    this.#options.authorise(response, request, (grant, isOpen) => {
      const errors: FieldError[] = [];
      const names = ["reference", "to", "status", "since", "until", "after", "limit"];
      const given = parametersOf(query, names, errors);
      const list: ListQuestion = {
        appId: grant.appId,
        to: numberOf(given, errors),
        reference: referenceOf(given, errors),
        status: statusOf(given, errors),
        since: timeOf(given, "since", errors),
        until: timeOf(given, "until", errors),
        limit: limitOf(given, errors),
        after: given.get("after") ?? null,
      };
      if (errors.length > 0) {
        refuse(response, errors);
        return;
      }
      this.#ask(response, isOpen, { kind: "list", list }, (page) =>
        writePage(response, "/v1/messages", given, page as Page | null),
      );
    });
  }

  #events(response: UwsResponse, request: UwsRequest): void {
    const query = request.getQuery();
    this.#options.authorise(response, request, (grant, isOpen) => {
      const errors: FieldError[] = [];
      const given = parametersOf(query, ["after", "limit"], errors);
      const limit = limitOf(given, errors);
      const after = given.get("after") ?? "0";
      if (!/^(?:0|[1-9][0-9]{0,14})$/.test(after)) errors.push(BAD_CURSOR);
      if (errors.length > 0) {
        refuse(response, errors);
        return;
      }
      const { appId } = grant;
      const question = { kind: "events", appId, after: Number(after), limit } as const;
      this.#ask(response, isOpen, question, (answer) => {
        const page = answer as { kind: string } & Page;
        if (page.kind === "expired") {
          const detail = "events behind this cursor are gone; read on without after";
          writeProblem(response, { code: "cursor-expired", detail });
        } else {
          const known = page.kind === "events" ? { data: page.data, next: page.next } : null;
          writePage(response, "/v1/events", given, known);
        }
      });
    });
  }

  #held(response: UwsResponse, request: UwsRequest): void {
    const query = request.getQuery();
    this.#options.authorise(response, request, (grant, isOpen) => {
      if (!isOps(response, grant)) return;
      const errors: FieldError[] = [];
      const given = parametersOf(query, ["after", "limit"], errors);
      const limit = limitOf(given, errors);
      if (errors.length > 0) {
        refuse(response, errors);
        return;
      }
      const question = { kind: "held", after: given.get("after") ?? null, limit } as const;
      this.#ask(response, isOpen, question, (page) =>
        writePage(response, "/v1/held", given, page as Page | null),
      );
    });
  }

  #resolve(response: UwsResponse, request: UwsRequest): void {
    const body = new SmallBody(response);
    this.#options.authorise(response, request, (grant, isOpen) => {
      if (!isOps(response, grant)) return;
      body.whenWhole(isOpen, (bytes) => {
        this.#decide(response, isOpen, Buffer.from(bytes));
      });
    });
  }

  #decide(response: UwsResponse, isOpen: () => boolean, bytes: Buffer): void {
    const errors: FieldError[] = [];
    const body = readJson(bytes, errors);
    const asked = errors.length === 0 ? decisionOf(body, errors) : null;
    if (asked === null) {
      refuse(response, errors);
      return;
    }
    const { node } = this.#options;
    const keys: MessageKey[] = [];
    const parsed = asked.ids.map((id) => {
      const known = parseMessageId(id);
      return known !== null && known.node === node ? known.key : null;
    });
    for (const key of parsed) if (key !== null) keys.push(key);
    const { decision } = asked;
    this.#ask(response, isOpen, { kind: "resolve", keys, decision }, (answer) => {
      const outcomes = (answer as readonly string[]).values();
      const results = asked.ids.map((id, i) => {
        const outcome = parsed[i] === null ? "unknown" : (outcomes.next().value ?? "unknown");
        return { id, outcome };
      });
      const resolved = results.filter(({ outcome }) => outcome === "resolved").length;
      writeJson(response, { resolved, results });
    });
  }

  #ask(
    response: UwsResponse,
    isOpen: () => boolean,
    question: ReadQuestion,
    then: (answer: unknown) => void,
  ): void {
    const isAsked = this.#options.reads.ask(question, (answer) => {
      if (!isOpen()) return;
      if (answer === "late") writeProblem(response, LATE);
      else then(answer);
    });
    if (!isAsked) writeProblem(response, LATE);
  }
}

export const LATE: ProblemSource = {
  code: "overloaded",
  detail: "the ledger is behind; ask again",
  retryAfterS: 1,
};
export const BAD_CURSOR: FieldError = {
  pointer: "/after",
  detail: "must be a cursor of this list",
};

/** Collects a body that is small or nobody's; what comes before it is asked for is kept. */
export class SmallBody {
  #bytes: Uint8Array = new Uint8Array(0);
  #isWhole = false;
  #isTooLarge = false;
  readonly #response: UwsResponse;
  #then: (() => void) | null = null;

  constructor(response: UwsResponse) {
    this.#response = response;
    response.onData((chunk, isLast) => {
      if (this.#isWhole || this.#isTooLarge) return;
      if (this.#bytes.length + chunk.byteLength > SMALL_BODY_BYTES_MAX) {
        this.#isTooLarge = true;
        this.#tell();
        return;
      }
      const joined = new Uint8Array(this.#bytes.length + chunk.byteLength);
      joined.set(this.#bytes);
      joined.set(new Uint8Array(chunk), this.#bytes.length);
      this.#bytes = joined;
      this.#isWhole = isLast;
      if (isLast) this.#tell();
    });
  }

  /** `then` is told the body once, unless the call is gone, or refused since it is too large. */
  whenWhole(isOpen: () => boolean, then: (bytes: Uint8Array) => void): void {
    this.#then = () => {
      if (!isOpen()) return;
      if (!this.#isTooLarge) {
        then(this.#bytes);
        return;
      }
      const detail = `the body has more than ${SMALL_BODY_BYTES_MAX} bytes`;
      writeProblem(this.#response, { code: "too-large", detail }, {}, true);
    };
    if (this.#isWhole || this.#isTooLarge) this.#tell();
  }

  #tell(): void {
    const then = this.#then;
    this.#then = null;
    then?.();
  }
}

export function isOps(response: UwsResponse, grant: AppGrant): boolean {
  if ((grant.scopes & ScopeBit.OPS) !== 0) return true;
  writeProblem(response, { code: "forbidden", detail: "the token lacks the scope ops" });
  return false;
}

export function parametersOf(
  query: string,
  names: readonly string[],
  errors: FieldError[],
): Parameters {
  const given: Parameters = new Map();
  for (const [name, value] of new URLSearchParams(query)) {
    const known = names.includes(name);
    if (known && !given.has(name)) given.set(name, value);
    else if (known) errors.push({ pointer: `/${name}`, detail: "is given twice" });
    else errors.push({ pointer: "", detail: `only ${names.join(", ")} can be asked for` });
  }
  return given;
}

export function limitOf(given: Parameters, errors: FieldError[]): number {
  const text = given.get("limit");
  if (text === undefined) return PAGE_DEFAULT;
  const limit = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= PAGE_MAX) return limit;
  errors.push({ pointer: "/limit", detail: `must be a whole number from 1 to ${PAGE_MAX}` });
  return PAGE_DEFAULT;
}

function numberOf(given: Parameters, errors: FieldError[]): string | null {
  const text = given.get("to");
  if (text === undefined) return null;
  // A plus that was not escaped reads as a space.
  const digits = text.replace(/^[+ ]/, "");
  if (!/^[0-9]{1,20}$/.test(digits)) {
    errors.push({ pointer: "/to", detail: "must be digits, with or without +" });
  }
  return digits;
}

function statusOf(given: Parameters, errors: FieldError[]): string | null {
  const text = given.get("status");
  if (text === undefined || STATUS_WORDS.includes(text)) return text ?? null;
  errors.push({ pointer: "/status", detail: `must be one of ${STATUS_WORDS.join(", ")}` });
  return null;
}

export function timeOf(given: Parameters, name: string, errors: FieldError[]): number | null {
  const text = given.get(name);
  if (text === undefined) return null;
  // A plus that was not escaped reads as a space.
  const at = parseTime(text.replace(/ (?=\d\d:\d\d$)/, "+"));
  if (Number.isFinite(at)) return at;
  errors.push({ pointer: `/${name}`, detail: TIME_ALLOWED });
  return null;
}

/** A reference as it could have been sent. */
function referenceOf(given: Parameters, errors: FieldError[]): string | null {
  const text = given.get("reference");
  if (text === undefined) return null;
  const bytes = Buffer.byteLength(text);
  if (bytes < 1 || bytes > REFERENCE_BYTES_MAX) {
    errors.push({ pointer: "/reference", detail: `must have 1 to ${REFERENCE_BYTES_MAX} bytes` });
  }
  return text;
}

function decisionOf(
  body: unknown,
  errors: FieldError[],
): { ids: readonly string[]; decision: HeldDecision } | null {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    errors.push({ pointer: "", detail: "must be a JSON object" });
    return null;
  }
  const { ids, decision, ...rest } = body as Record<string, unknown>;
  if (Object.keys(rest).length > 0) {
    errors.push({ pointer: "", detail: "has only the fields ids and decision" });
  }
  if (decision !== "resend" && decision !== "fail") {
    errors.push({ pointer: "/decision", detail: "must be resend or fail" });
  }
  const isList = Array.isArray(ids) && ids.length >= 1 && ids.length <= RESOLVE_MAX;
  if (!isList || !ids.every((id) => typeof id === "string")) {
    errors.push({ pointer: "/ids", detail: `must be 1 to ${RESOLVE_MAX} message ids` });
  }
  if (errors.length > 0) return null;
  return { ids: ids as string[], decision: decision as HeldDecision };
}

export function refuse(response: UwsResponse, errors: readonly FieldError[]): void {
  writeProblem(response, { code: "invalid", detail: "the call is not valid", errors });
}

export function writePage(
  response: UwsResponse,
  path: string,
  given: Parameters,
  page: Page | null,
): void {
  if (page === null) {
    refuse(response, [BAD_CURSOR]);
    return;
  }
  if (page.next === null) {
    writeJson(response, page);
    return;
  }
  const query = new URLSearchParams([...given]);
  query.set("after", page.next);
  writeJson(response, page, `<${path}?${query.toString()}>; rel="next"`);
}

export function writeJson(response: UwsResponse, value: unknown, link: string | null = null): void {
  response.cork(() => {
    response.writeStatus(statusLine(200));
    response.writeHeader("Content-Type", JSON_MEDIA_TYPE);
    if (link !== null) response.writeHeader("Link", link);
    endAnswer(response, JSON.stringify(value));
  });
}
