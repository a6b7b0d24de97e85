/**
 * Writing answers: 202 for an accepted message, problem+json (RFC 9457) for everything refused.
 *
 * Every answer is written in one send (cork). Main thread only.
 */
import {
  ERRORS,
  type ErrorCode,
  PROBLEM_MEDIA_TYPE,
  problemJson,
  type ProblemSource,
} from "../errors.ts";
import { formatMessageId } from "../records/message-key.ts";
import { BODY_ENCODING_NAMES } from "../records/types.ts";
import type { PendingMessage } from "./pending-messages.ts";
import type { UwsRequest, UwsResponse } from "./uws.ts";

export const JSON_MEDIA_TYPE = "application/json";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
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
  /** Segments per second of the bucket that was empty. */
  readonly rateTps?: number;
}

/** Status line of a status code. */
export function statusLine(status: number): string {
  return `${status} ${REASONS[status] ?? "Unknown"}`;
}

/** Writes a refusal. With `close` the connection ends after it. */
export function writeProblem(
  response: UwsResponse,
  source: ProblemSource,
  headers: RefusalHeaders = {},
  close: boolean = false,
): void {
  const code: ErrorCode = source.code;
  response.cork(() => {
    response.writeStatus(statusLine(ERRORS[code].http));
    response.writeHeader("Content-Type", PROBLEM_MEDIA_TYPE);
    if (code === "unauthenticated") response.writeHeader("WWW-Authenticate", "Bearer");
    if (headers.allow !== undefined) response.writeHeader("Allow", headers.allow);
    if (source.retryAfterS !== undefined) {
      response.writeHeader("Retry-After", String(source.retryAfterS));
    }
    if (headers.rateTps !== undefined) {
      response.writeHeader("RateLimit-Policy", `"segments";q=${headers.rateTps};w=1`);
      response.writeHeader("RateLimit", `"segments";r=0;t=${source.retryAfterS ?? 1}`);
    }
    response.end(problemJson(source), close);
  });
}

/** Refuses a HEAD, whose answer has no body, and ends the connection. */
function writeHeadRefusal(
  response: UwsResponse,
  code: ErrorCode,
  headers: RefusalHeaders = {},
): void {
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
  response.cork(() => {
    response.writeStatus(statusLine(200));
    response.writeHeader("Content-Type", mediaType);
    response.end(body);
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

/** Writes 202s of one node and producer; allocates no function per answer. */
export class AcceptedWriter {
  readonly #node: string;
  readonly #origin: number;
  #response: UwsResponse | null = null;
  #location = "";
  #body = "";

  constructor(node: string, origin: number) {
    this.#node = node;
    this.#origin = origin;
  }

  write(response: UwsResponse, message: PendingMessage): void {
    const id = formatMessageId(this.#node, message.sequence, this.#origin);
    const encoding = BODY_ENCODING_NAMES[message.encoding as 0 | 1 | 2 | 3];
    const { reference, transliterated } = message;
    let tail = reference === "" ? "" : `,"reference":${quote(reference)}`;
    if (transliterated !== "") tail += `,"transliterated":${quote(transliterated)}`;
    this.#location = `/v1/messages/${id}`;
    this.#body =
      `{"id":"${id}","status":"accepted","segments":${message.parts},` +
      `"encoding":"${encoding}"${tail}}`;
    this.#response = response;
    response.cork(this.#writeNow);
    this.#response = null;
  }

  readonly #writeNow = (): void => {
    const response = this.#response as UwsResponse;
    response.writeStatus("202 Accepted");
    response.writeHeader("Location", this.#location);
    response.writeHeader("Content-Type", JSON_MEDIA_TYPE);
    response.end(this.#body);
  };
}

/** A text as a JSON string. It has no control characters and no half surrogate pairs. */
function quote(text: string): string {
  return text.includes('"') || text.includes("\\") ? JSON.stringify(text) : `"${text}"`;
}
