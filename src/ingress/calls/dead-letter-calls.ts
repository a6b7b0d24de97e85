/**
 * The calls about dead letters, for tokens with the scope ops.
 *
 *   GET  /v1/deadletters?…      a page of those of all apps
 *   POST /v1/deadletters:replay by ids, or the next ones that fit a filter
 *
 *   ledger claims them ─► each is admitted as a new message ─► [commits] ─► one answer
 *                         refused: released again
 *
 * A dead letter that was claimed is replayed whether or not the client still waits for the answer.
 * The thread of its HTTP server.
 */
import { Buffer } from "node:buffer";
import { type FieldError, problemJson, type ProblemSource } from "../../errors.ts";
import { formatMessageId, type MessageKey, parseMessageId } from "../../records/message-key.ts";
import { DEAD_REASONS, MESSAGE_CLASS_NAMES } from "../../records/types.ts";
import { Admit } from "../admission/admission.ts";
import { admissionProblem } from "./call-ends.ts";
import type { Ingress } from "../ingress.ts";
import { readJson } from "../http/json-body.ts";
import type { PendingMessage, Ticket } from "./pending-messages.ts";
import {
  type Authorise,
  BAD_CURSOR,
  type DeadLetterFilter,
  isOps,
  LATE,
  type LedgerReads,
  limitOf,
  type Page,
  type Parameters,
  parametersOf,
  refuse,
  REPLAY_MAX,
  SmallBody,
  timeOf,
  writeJson,
  writePage,
} from "./read-calls.ts";
import { requestOf } from "../admission/replayed-message.ts";
import { writeMethodRefusal, writeProblem } from "../http/reply.ts";
import type { UwsRequest, UwsResponse, UwsRoutes } from "../http/uws.ts";

const REPLAY_DEFAULT = 100;
const PATH = "/v1/deadletters";
const FILTERS = ["app", "class", "reason", "since", "until"];

export interface DeadLetterCallsOptions {
  readonly node: string;
  readonly authorise: Authorise;
  readonly reads: LedgerReads;
  readonly ingress: Ingress;
}

/** What the ledger says to a claim. */
type Claim =
  | { readonly outcome: "claimed"; readonly app: number; readonly record: Uint8Array }
  | { readonly outcome: "unknown" | "text_gone" | "being_replayed" | "overloaded" };

/** What a body of `:replay` asks for. */
interface ReplayOrder {
  readonly ids: readonly string[] | null;
  readonly filter: DeadLetterFilter;
  readonly after: string | null;
  readonly limit: number;
}

export class DeadLetterCalls {
  readonly #options: DeadLetterCallsOptions;
  /** Claimed and not replayed, when the ledger could not be told. */
  readonly #unreleased: MessageKey[] = [];

  constructor(options: DeadLetterCallsOptions) {
    this.#options = options;
  }

  route(app: UwsRoutes): void {
    app
      .get(PATH, (response, request) => this.#list(response, request))
      .any(PATH, (response, request) => writeMethodRefusal(response, request, "GET"));
    for (const colon of [":", "%3A", "%3a"]) {
      const path = `${PATH}${colon}replay`;
      app
        .post(path, (response, request) => this.#order(response, request))
        .any(path, (response, request) => writeMethodRefusal(response, request, "POST"));
    }
  }

  #list(response: UwsResponse, request: UwsRequest): void {
    const query = request.getQuery();
    this.#options.authorise(response, request, (grant, isOpen) => {
      if (!isOps(response, grant)) return;
      const errors: FieldError[] = [];
      const given = parametersOf(query, [...FILTERS, "after", "limit"], errors);
      const filter = filterOf(given, "", errors);
      const limit = limitOf(given, errors);
      if (errors.length > 0) {
        refuse(response, errors);
        return;
      }
      const after = given.get("after") ?? null;
      const isAsked = this.#find(filter, after, limit, (page) => {
        if (!isOpen()) return;
        if (page === "late") writeProblem(response, LATE);
        else writePage(response, PATH, given, page);
      });
      if (!isAsked) writeProblem(response, LATE);
    });
  }

  #find(
    filter: DeadLetterFilter,
    after: string | null,
    limit: number,
    then: (page: Page | null | "late") => void,
  ): boolean {
    const question = { kind: "dead_letters", filter, after, limit } as const;
    return this.#options.reads.ask(question, (page) => then(page as Page | null | "late"));
  }

  #order(response: UwsResponse, request: UwsRequest): void {
    const body = new SmallBody(response);
    const from = response.getRemoteAddress().slice(0);
    this.#options.authorise(response, request, (grant, isOpen) => {
      if (!isOps(response, grant)) return;
      body.whenWhole(isOpen, (bytes) => {
        const errors: FieldError[] = [];
        const parsed = readJson(Buffer.from(bytes), errors);
        const order = errors.length > 0 ? null : orderOf(parsed, errors);
        if (order === null) refuse(response, errors);
        else this.#replay(response, isOpen, from, order);
      });
    });
  }

  #replay(
    response: UwsResponse,
    isOpen: () => boolean,
    from: ArrayBuffer,
    { ids, filter, after, limit }: ReplayOrder,
  ): void {
    if (ids !== null) {
      this.#claim(response, isOpen, from, ids, null);
      return;
    }
    const isAsked = this.#find(filter, after, limit, (page) => {
      if (!isOpen()) return;
      if (page === "late") writeProblem(response, LATE);
      else if (page === null) refuse(response, [BAD_CURSOR]);
      else {
        const found = (page.data as readonly { id: string }[]).map(({ id }) => id);
        this.#claim(response, isOpen, from, found, page.next);
      }
    });
    if (!isAsked) writeProblem(response, LATE);
  }

  #claim(
    response: UwsResponse,
    isOpen: () => boolean,
    from: ArrayBuffer,
    ids: readonly string[],
    next: string | null,
  ): void {
    const { node, reads, ingress } = this.#options;
    const keys = ids.map((id) => {
      const known = parseMessageId(id);
      return known !== null && known.node === node ? known.key : null;
    });
    const known = keys.filter((key) => key !== null);
    this.#release([]);
    const replay = (answer: unknown): void => {
      if (answer === "late") {
        if (isOpen()) writeProblem(response, LATE);
        return;
      }
      const claims = (answer as readonly Claim[]).values();
      const results = new Results(this.#options, ids, (replayed, all) => {
        if (isOpen()) writeJson(response, { replayed, results: all, next });
      });
      const refused: MessageKey[] = [];
      for (const [item, key] of keys.entries()) {
        const claim: Claim = (key === null ? null : claims.next().value) ?? { outcome: "unknown" };
        if (claim.outcome !== "claimed" || key === null) results.note(item, claim.outcome);
        else {
          const problem = admit(ingress, claim, key, results, from, item);
          if (problem === null) continue;
          refused.push(key);
          results.note(item, "refused", problem);
        }
      }
      this.#release(refused);
      results.noneFollows();
    };
    // Who was told 503 has had nothing replayed.
    const giveBack = (answer: unknown): void => {
      const claims = answer as readonly Claim[];
      this.#release(known.filter((_, i) => claims[i]?.outcome === "claimed"));
    };
    const isAsked = reads.ask({ kind: "claim", keys: known }, replay, giveBack);
    if (!isAsked) writeProblem(response, LATE);
  }

  /** What cannot be told now is told before the next claim. */
  #release(keys: readonly MessageKey[]): void {
    this.#unreleased.push(...keys);
    if (this.#unreleased.length === 0) return;
    const question = { kind: "release", keys: [...this.#unreleased] } as const;
    if (this.#options.reads.ask(question, () => undefined)) this.#unreleased.length = 0;
  }
}

/** Admits the replay of a claimed dead letter; returns why it was refused, or null. */
function admit(
  ingress: Ingress,
  { app, record }: Extract<Claim, { outcome: "claimed" }>,
  key: MessageKey,
  ticket: Ticket,
  from: ArrayBuffer,
  item: number,
): ProblemSource | null {
  const appIndex = ingress.appIndexOf(app);
  if (appIndex < 0) return { code: "forbidden", detail: "its app is not configured any more" };
  const code = ingress.replay(appIndex, requestOf(record), key, ticket, from, item);
  return code === Admit.STAGED ? null : admissionProblem(code, ingress.outcome);
}

interface Result {
  readonly id: string;
  readonly outcome: string;
  /** Id of the new message. */
  readonly replay?: string;
  readonly problem?: unknown;
}

/** The results of one call, until the last is known. */
class Results implements Ticket {
  readonly #options: DeadLetterCallsOptions;
  readonly #ids: readonly string[];
  readonly #results: Result[] = [];
  readonly #done: (replayed: number, results: readonly Result[]) => void;
  /** Dead letters without a result, and one more until all are admitted. */
  #missing: number;
  #replayed = 0;

  constructor(
    options: DeadLetterCallsOptions,
    ids: readonly string[],
    done: (replayed: number, results: readonly Result[]) => void,
  ) {
    this.#options = options;
    this.#ids = ids;
    this.#missing = ids.length + 1;
    this.#done = done;
  }

  accepted({ item, sequence }: PendingMessage): void {
    const { node, ingress } = this.#options;
    this.#replayed++;
    const replay = formatMessageId(node, sequence, ingress.origin);
    this.#results[item] = { id: this.#ids[item] ?? "", outcome: "replayed", replay };
    this.noneFollows();
  }

  note(item: number, outcome: string, problem: ProblemSource | null = null): void {
    const why = problem === null ? {} : { problem: JSON.parse(problemJson(problem)) as unknown };
    this.#results[item] = { id: this.#ids[item] ?? "", outcome, ...why };
    this.noneFollows();
  }

  noneFollows(): void {
    this.#missing--;
    if (this.#missing === 0) this.#done(this.#replayed, this.#results);
  }
}

/** `path` is the pointer to the filter. */
function filterOf(given: Parameters, path: string, errors: FieldError[]): DeadLetterFilter {
  const bad = (name: string, detail: string): null => {
    errors.push({ pointer: `${path}/${name}`, detail });
    return null;
  };
  const app = given.get("app");
  const classIndex = MESSAGE_CLASS_NAMES.findIndex((name) => name === given.get("class"));
  const reason = DEAD_REASONS.find((name) => name === given.get("reason")) ?? null;
  if (given.has("class") && classIndex < 0) {
    bad("class", `must be one of ${MESSAGE_CLASS_NAMES.join(", ")}`);
  }
  if (given.has("reason") && reason === null) {
    bad("reason", `must be one of ${DEAD_REASONS.join(", ")}`);
  }
  if (app !== undefined && !/^[1-9][0-9]{0,9}$/.test(app)) bad("app", "must be the id of an app");
  return {
    app: app === undefined ? null : Number(app),
    messageClass: classIndex < 0 ? null : classIndex,
    reason,
    since: timeOf(given, "since", errors),
    until: timeOf(given, "until", errors),
  };
}

function orderOf(body: unknown, errors: FieldError[]): ReplayOrder | null {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    errors.push({ pointer: "", detail: "must be a JSON object" });
    return null;
  }
  const { ids, filter, after, limit, ...rest } = body as Record<string, unknown>;
  if (Object.keys(rest).length > 0) {
    errors.push({ pointer: "", detail: "has only the fields ids, filter, after and limit" });
  }
  if ((ids === undefined) === (filter === undefined)) {
    errors.push({ pointer: "", detail: "must have ids or a filter, which may be {}" });
  }
  const isList = Array.isArray(ids) && ids.length >= 1 && ids.length <= REPLAY_MAX;
  if (ids !== undefined && (!isList || !ids.every((id) => typeof id === "string"))) {
    errors.push({ pointer: "/ids", detail: `must be 1 to ${REPLAY_MAX} message ids` });
  }
  if (ids !== undefined && (after !== undefined || limit !== undefined)) {
    errors.push({ pointer: "", detail: "after and limit go with a filter" });
  }
  if (after !== undefined && typeof after !== "string") errors.push(BAD_CURSOR);
  const most = limit ?? REPLAY_DEFAULT;
  if (!Number.isInteger(most) || (most as number) < 1 || (most as number) > REPLAY_MAX) {
    errors.push({ pointer: "/limit", detail: `must be a whole number from 1 to ${REPLAY_MAX}` });
  }
  const conditions = conditionsOf(filter, errors);
  if (errors.length > 0) return null;
  return {
    ids: ids === undefined ? null : [...new Set(ids as string[])],
    filter: conditions,
    after: (after as string | undefined) ?? null,
    limit: most as number,
  };
}

function conditionsOf(filter: unknown, errors: FieldError[]): DeadLetterFilter {
  const given: Parameters = new Map();
  const isObject = typeof filter === "object" && filter !== null && !Array.isArray(filter);
  if (filter !== undefined && !isObject) {
    errors.push({ pointer: "/filter", detail: "must be a JSON object" });
  } else {
    for (const [name, value] of Object.entries(filter ?? {})) {
      if (FILTERS.includes(name)) given.set(name, String(value));
      else errors.push({ pointer: "/filter", detail: `has only ${FILTERS.join(", ")}` });
    }
  }
  return filterOf(given, "/filter", errors);
}
