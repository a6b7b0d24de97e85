/**
 * The one table of errors: what a code means over HTTP, over gRPC and in logs.
 *
 * docs/ERRORS.md is generated from it and a test compares the two. Nothing here is for the hot
 * path: there, refusals are negative integers, and the edge that answers the client turns them into
 * one of these codes.
 * Any thread may import it; it imports nothing of ours.
 */

/** Where the cause lies: credentials, request, contact rule, load, state of a resource, or us. */
export type ErrorCategory = "auth" | "request" | "policy" | "capacity" | "state" | "fault";

/** Names of google.rpc.Code as gRPC spells them; null where the case cannot occur over gRPC. */
export type GrpcStatus =
  | "UNAUTHENTICATED"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "UNAVAILABLE"
  | "FAILED_PRECONDITION"
  | "INVALID_ARGUMENT"
  | "ABORTED"
  | "ALREADY_EXISTS"
  | "NOT_FOUND"
  | "OUT_OF_RANGE"
  | "INTERNAL";

/** One row of the table. */
export interface ErrorRow {
  readonly http: number;
  readonly grpc: GrpcStatus | null;
  /** google.rpc detail message that travels with the gRPC status. */
  readonly grpcDetail: "ErrorInfo" | "RetryInfo" | "BadRequest" | null;
  /** Last path step of the problem's `type`. */
  readonly suffix: string;
  readonly title: string;
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
  readonly category: ErrorCategory;
  /** HTTP headers that the answer always carries. */
  readonly headers: readonly string[];
  /** Members of the problem beyond type, title, status and detail. */
  readonly members: readonly string[];
  readonly meaning: string;
}

/** code → row. The order is that of the documentation. */
export const ERRORS = {
  unauthenticated: {
    http: 401,
    grpc: "UNAUTHENTICATED",
    grpcDetail: null,
    suffix: "unauthenticated",
    title: "No valid token",
    retryable: false,
    category: "auth",
    headers: ["WWW-Authenticate"],
    members: [],
    meaning: "The call has no bearer token, or one that is expired, malformed or not signed by us.",
  },
  forbidden: {
    http: 403,
    grpc: "PERMISSION_DENIED",
    grpcDetail: null,
    suffix: "forbidden",
    title: "Not allowed",
    retryable: false,
    category: "auth",
    headers: [],
    members: [],
    meaning: "The app, the address, the token's scope or the link does not allow this call.",
  },
  "policy-blocked": {
    http: 403,
    grpc: "PERMISSION_DENIED",
    grpcDetail: "ErrorInfo",
    suffix: "policy-blocked",
    title: "Blocked by the contact policy",
    retryable: false,
    category: "policy",
    headers: [],
    members: ["state", "retry_at"],
    meaning:
      "A contact rule forbids this message; `state` names it, `retry_at` says when it lifts.",
  },
  "rate-limited": {
    http: 429,
    grpc: "RESOURCE_EXHAUSTED",
    grpcDetail: "RetryInfo",
    suffix: "rate-limited",
    title: "Rate exceeded",
    retryable: true,
    category: "capacity",
    headers: ["Retry-After", "RateLimit", "RateLimit-Policy"],
    members: ["retry_after_s"],
    meaning: "The app or the node is over its rate; call again after Retry-After seconds.",
  },
  overloaded: {
    http: 503,
    grpc: "UNAVAILABLE",
    grpcDetail: "RetryInfo",
    suffix: "overloaded",
    title: "Overloaded or draining",
    retryable: true,
    category: "capacity",
    headers: ["Retry-After"],
    members: ["retry_after_s"],
    meaning:
      "A ring, the backlog or the disk is full, or the gateway drains; nothing was accepted.",
  },
  "no-route": {
    http: 422,
    grpc: "FAILED_PRECONDITION",
    grpcDetail: null,
    suffix: "no-route",
    title: "No route for the number",
    retryable: false,
    category: "request",
    headers: [],
    members: [],
    meaning:
      "No prefix of the routing table matches the destination, or the pinned route is unknown.",
  },
  invalid: {
    http: 400,
    grpc: "INVALID_ARGUMENT",
    grpcDetail: "BadRequest",
    suffix: "invalid",
    title: "Invalid request",
    retryable: false,
    category: "request",
    headers: [],
    members: ["errors"],
    meaning: "The body or a parameter is wrong; `errors` lists each place by JSON Pointer.",
  },
  "too-large": {
    http: 413,
    grpc: "RESOURCE_EXHAUSTED",
    grpcDetail: null,
    suffix: "too-large",
    title: "Body too large",
    retryable: false,
    category: "request",
    headers: [],
    members: [],
    meaning: "The body, the batch or a line of a stream exceeds its configured size.",
  },
  "idempotency-running": {
    http: 409,
    grpc: "ABORTED",
    grpcDetail: null,
    suffix: "idempotency-conflict",
    title: "A call with this key is still running",
    retryable: true,
    category: "state",
    headers: [],
    members: [],
    meaning:
      "The first call with this Idempotency-Key has no answer yet; repeat the same call later.",
  },
  "idempotency-conflict": {
    http: 422,
    grpc: "ALREADY_EXISTS",
    grpcDetail: null,
    suffix: "idempotency-conflict",
    title: "This key was used with another body",
    retryable: false,
    category: "state",
    headers: [],
    members: [],
    meaning: "The Idempotency-Key belongs to a call with a different body; use a new key.",
  },
  "not-cancellable": {
    http: 409,
    grpc: "FAILED_PRECONDITION",
    grpcDetail: null,
    suffix: "not-cancellable",
    title: "Too late to cancel",
    retryable: false,
    category: "state",
    headers: [],
    members: [],
    meaning: "The message was handed to an operator, or it is already final.",
  },
  "not-found": {
    http: 404,
    grpc: "NOT_FOUND",
    grpcDetail: null,
    suffix: "not-found",
    title: "No such message or path",
    retryable: false,
    category: "request",
    headers: [],
    members: [],
    meaning: "The path does not exist, or the message does not, or it belongs to another app.",
  },
  "wrong-node": {
    http: 421,
    grpc: "FAILED_PRECONDITION",
    grpcDetail: null,
    suffix: "wrong-node",
    title: "Another node has this message",
    retryable: false,
    category: "state",
    headers: [],
    members: ["node"],
    meaning: "The id was given by the node named in `node`, and this one does not know it.",
  },
  "cursor-expired": {
    http: 410,
    grpc: "OUT_OF_RANGE",
    grpcDetail: null,
    suffix: "cursor-expired",
    title: "Cursor expired",
    retryable: false,
    category: "state",
    headers: [],
    members: [],
    meaning: "What the cursor points at is no longer kept; start again without it.",
  },
  method: {
    http: 405,
    grpc: null,
    grpcDetail: null,
    suffix: "method",
    title: "Method not allowed",
    retryable: false,
    category: "request",
    headers: ["Allow"],
    members: [],
    meaning: "The path exists and does not take this method; Allow lists those it takes.",
  },
  "media-type": {
    http: 415,
    grpc: null,
    grpcDetail: null,
    suffix: "media-type",
    title: "Unsupported media type",
    retryable: false,
    category: "request",
    headers: [],
    members: [],
    meaning: "The Content-Type is not the one that this path takes.",
  },
  internal: {
    http: 500,
    grpc: "INTERNAL",
    grpcDetail: null,
    suffix: "internal",
    title: "Internal error",
    retryable: true,
    category: "fault",
    headers: [],
    members: ["incident"],
    meaning:
      "Our fault; `incident` finds it in the log. Whether the call took effect is not known.",
  },
} as const satisfies Record<string, ErrorRow>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERRORS;

/** Values of `state` in a policy-blocked problem. */
export const POLICY_STATES = [
  "blacklist",
  "duplicate",
  "daily_cp",
  "weekly_cp",
  "opted_out",
  "quiet_hours",
] as const;
export type PolicyState = (typeof POLICY_STATES)[number];

/** One wrong place in a request: an RFC 6901 pointer into the body, and what is wrong there. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** What an error may carry beyond its code and detail. */
export interface ErrorExtras {
  readonly cause?: unknown;
  readonly errors?: readonly FieldError[] | undefined;
  /** Whole seconds, ≥ 1, for Retry-After, RetryInfo and `retry_after_s`. */
  readonly retryAfterS?: number | undefined;
  readonly state?: PolicyState | undefined;
  /** RFC 3339, UTC: when the policy's block lifts. */
  readonly retryAt?: string | undefined;
  /** Node that has the message. */
  readonly node?: string | undefined;
  /** Key of the log line about an internal error. */
  readonly incident?: string | undefined;
}

/** A refusal or failure on the cold path; its code says by the table what the outside sees. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly retryable: boolean;
  /** A sentence for the caller; never message text, never a full number. */
  readonly detail: string;
  readonly errors: readonly FieldError[] | undefined;
  readonly retryAfterS: number | undefined;
  readonly state: PolicyState | undefined;
  readonly retryAt: string | undefined;
  readonly node: string | undefined;
  readonly incident: string | undefined;

  constructor(code: ErrorCode, detail: string, extras: ErrorExtras = {}) {
    super(`${code}: ${detail}`, extras.cause === undefined ? undefined : { cause: extras.cause });
    const row: ErrorRow = ERRORS[code];
    this.code = code;
    this.category = row.category;
    this.retryable = row.retryable;
    this.detail = detail;
    this.errors = extras.errors;
    this.retryAfterS = extras.retryAfterS;
    this.state = extras.state;
    this.retryAt = extras.retryAt;
    this.node = extras.node;
    this.incident = extras.incident;
  }
}

/** What a problem is made of: a GatewayError, or a plain object where nothing is thrown. */
export interface ProblemSource extends Omit<ErrorExtras, "cause"> {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** Body of `application/problem+json` (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  errors?: readonly FieldError[];
  state?: PolicyState;
  retry_at?: string;
  node?: string;
  incident?: string;
  /** As Retry-After says; inside batches and streams, where there is no header for one message. */
  retry_after_s?: number;
}

/** The media type of a problem. */
export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** Reference, relative to the server, that identifies the kind of problem; stable over versions. */
export function problemType(code: ErrorCode): string {
  return `/problems/${ERRORS[code].suffix}`;
}

/**
 * Problem (RFC 9457) of an error, as an object, for bodies that embed it.
 * An internal error says its incident and nothing else: its detail and cause stay in the log.
 */
export function problemOf(source: ProblemSource): Problem {
  const row: ErrorRow = ERRORS[source.code];
  const problem: Problem = { type: problemType(source.code), title: row.title, status: row.http };
  if (source.code === "internal") {
    if (source.incident !== undefined) problem.incident = source.incident;
    return problem;
  }
  problem.detail = source.detail;
  if (source.errors !== undefined) problem.errors = source.errors;
  if (source.state !== undefined) problem.state = source.state;
  if (source.retryAt !== undefined) problem.retry_at = source.retryAt;
  if (source.node !== undefined) problem.node = source.node;
  if (source.retryAfterS !== undefined) problem.retry_after_s = source.retryAfterS;
  return problem;
}

/** The same as JSON text: the whole body of a refused call. */
export function problemJson(source: ProblemSource): string {
  return JSON.stringify(problemOf(source));
}

/** One row of the table of exit codes. */
export interface ExitRow {
  readonly code: number;
  readonly meaning: string;
  /** Whether whoever started the program should start it again. */
  readonly restart: boolean;
}

/** How the program ends. 73, 75 and 78 are those of sysexits.h. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: "Ended as asked; a drained gateway ends so.", restart: false },
  failure: { code: 1, meaning: "The command failed; the reason is on stderr.", restart: true },
  usage: { code: 2, meaning: "Unknown command, option or argument.", restart: false },
  dataDir: { code: 73, meaning: "data_dir is in use or damaged.", restart: false },
  invariant: {
    code: 75,
    meaning: "A thread stalled or an invariant broke; start again.",
    restart: true,
  },
  config: { code: 78, meaning: "The configuration was refused.", restart: false },
} as const satisfies Record<string, ExitRow>;

export type ExitName = keyof typeof EXIT_CODES;
