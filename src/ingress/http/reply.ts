/**
 * Writing answers: JSON for what was asked, problem+json (RFC 9457) for everything refused.
 *
 *   answer ─► the client takes it ─► over
 *       └──► it does not: what is left waits here, the response stays open, and at a further
 *            request uWS closes the connection: it keeps one answer a connection, never more
 *
 * Every answer is written in one send (cork). Used by a listener's thread only.
 */
import {
  ERRORS,
  type ErrorCode,
  PROBLEM_MEDIA_TYPE,
  problemJson,
  type ProblemSource,
} from "../../errors.ts";
import { rateLimit, rateLimitPolicy, type RateLimitState } from "./rate-headers.ts";
import type { UwsRequest, UwsResponse } from "./uws.ts";

export const JSON_MEDIA_TYPE = "application/json";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  410: "Gone",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** Headers of a refusal beside its media type. */
export interface RefusalHeaders {
  readonly allow?: string;
}

/** Status line of a status code. */
export function statusLine(status: number): string {
  return `${status} ${REASONS[status] ?? "Unknown"}`;
}

/** An address as text that tells addresses apart. */
export function peerName(address: ArrayBuffer): string {
  return Buffer.from(address).toString("latin1");
}

/**
 * Has the client's end ignored from now on: for an answer that outlives its call, and needed before
 * an answer within the route's own call: if the client resets the connection amid pipelined
 * requests, uWS counts the answer as not given, and ends the process unless somebody listens.
 */
export function ignoreAbort(response: UwsResponse): void {
  response.onAborted(IGNORED);
}

const IGNORED = (): void => undefined;

/**
 * Ends an answer whose headers are written with `body`, which is not empty and may be used again
 * afterwards. What the client does not take at once is written as it reads; a client that asks for
 * more meanwhile is let go. With `close` the connection ends after it, and the answer says so.
 */
export function endAnswer(
  response: UwsResponse,
  body: string | Uint8Array,
  close: boolean = false,
): void {
  if (close) {
    response.end(body, true);
    return;
  }
  const totalBytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  const [, isOver] = response.tryEnd(body, totalBytes);
  if (isOver) return;
  const bytes = typeof body === "string" ? Buffer.from(body) : Uint8Array.from(body);
  // The listener of the call may serve another one by then.
  ignoreAbort(response);
  response.onWritable((offset) => response.tryEnd(bytes.subarray(offset), totalBytes)[0]);
}

/**
 * `response` as the last one of its connection, which ends with it: for answers that `endAnswer`
 * ends.
 */
export function asLast(response: UwsResponse): UwsResponse {
  return new Proxy(response, {
    get: (_target, name: keyof UwsResponse) => {
      if (name !== "tryEnd") return response[name].bind(response);
      return (body: string | Uint8Array) => {
        response.end(body, true);
        return [true, true];
      };
    },
  });
}

/** Writes a refusal. With `close` the connection ends after it. */
export function writeProblem(
  response: UwsResponse,
  source: ProblemSource,
  headers: RefusalHeaders = {},
  close: boolean = false,
): void {
  const code: ErrorCode = source.code;
  ignoreAbort(response);
  response.cork(() => {
    response.writeStatus(statusLine(ERRORS[code].http));
    response.writeHeader("Content-Type", PROBLEM_MEDIA_TYPE);
    if (code === "unauthenticated") response.writeHeader("WWW-Authenticate", "Bearer");
    if (headers.allow !== undefined) response.writeHeader("Allow", headers.allow);
    if (source.retryAfterS !== undefined) {
      response.writeHeader("Retry-After", String(source.retryAfterS));
    }
    endAnswer(response, problemJson(source), close);
  });
}

/** Writes the headers of a bucket, if there is one. */
export function writeRateLimit(
  response: UwsResponse,
  limit: RateLimitState | null,
  retryAfterS: number,
): void {
  if (limit === null) return;
  response.writeHeader("RateLimit-Policy", rateLimitPolicy(limit));
  response.writeHeader("RateLimit", rateLimit(limit, retryAfterS));
}

/** Says that the answer is that of an earlier call with the same key. */
export function writeReplayed(response: UwsResponse): void {
  response.writeHeader("Idempotency-Replayed", "true");
}

/** Refuses a HEAD, whose answer has no body, and ends the connection. */
function writeHeadRefusal(
  response: UwsResponse,
  code: ErrorCode,
  headers: RefusalHeaders = {},
): void {
  ignoreAbort(response);
  response.cork(() => {
    response.writeStatus(statusLine(ERRORS[code].http));
    if (headers.allow !== undefined) response.writeHeader("Allow", headers.allow);
    response.endWithoutBody(0, true);
  });
}

/** Writes 200 and `body`, JSON or other. */
export function writeText(
  response: UwsResponse,
  mediaType: string,
  body: string | Uint8Array,
): void {
  ignoreAbort(response);
  response.cork(() => {
    response.writeStatus(statusLine(200));
    response.writeHeader("Content-Type", mediaType);
    endAnswer(response, body);
  });
}

/** Answers a readiness check: 200, or 503 with what is missing. */
export function writeReadiness(response: UwsResponse, missing: readonly string[]): void {
  if (missing.length === 0) writeText(response, JSON_MEDIA_TYPE, '{"status":"ready"}');
  else {
    const detail = `not ready: ${missing.join(", ")}`;
    writeProblem(response, { code: "overloaded", detail, retryAfterS: 1 });
  }
}

/** The answer of a path that takes `allow` only. */
export function writeMethodRefusal(
  response: UwsResponse,
  request: UwsRequest,
  allow: string,
): void {
  if (request.getMethod() === "head") writeHeadRefusal(response, "method", { allow });
  else writeProblem(response, { code: "method", detail: `this path takes ${allow}` }, { allow });
}

/** The answer of a path that does not exist. */
export function writeNoPath(response: UwsResponse, request: UwsRequest): void {
  if (request.getMethod() === "head") writeHeadRefusal(response, "not-found");
  else writeProblem(response, { code: "not-found", detail: "there is no such path" });
}
