/**
 * Writes the refusals of an overload, 503 and 429: there are more of them than of anything else
 * then, and whoever is refused must learn it at once.
 *
 *   head   503 Service Unavailable ⏎ Content-Type … ⏎ Retry-After: 1 [⏎ RateLimit…]
 *   body   {"type":"/problems/overloaded" …}
 *
 * Text and body of a reason are made once, and written by one native call each. One instance per
 * listener, used by its thread only.
 */
import { ERRORS, PROBLEM_MEDIA_TYPE, problemJson } from "../../errors.ts";
import { rateLimitLines, type RateLimitState } from "./rate-headers.ts";
import { endAnswer, ignoreAbort, statusLine } from "./reply.ts";
import type { UwsResponse } from "./uws.ts";

/** Reasons are a handful of constants; should they ever not be, the oldest ones are made anew. */
const REASONS_MAX = 64;

/** What is refused for now, and may be asked again. */
export type ShedCode = "overloaded" | "rate-limited";

/** Why, as admission's outcome says it. */
export interface ShedReason {
  readonly detail: string;
  /** Whole seconds, ≥ 1. */
  readonly retryAfterS: number;
  /** The bucket that was empty. */
  readonly limit: RateLimitState | null;
}

interface ShedText {
  readonly code: ShedCode;
  readonly retryAfterS: number;
  readonly head: string;
  readonly body: Uint8Array;
}

export class ShedWriter {
  /** By detail: the text as it was needed last. */
  readonly #texts = new Map<string, ShedText>();

  /**
   * Answers a call. The bucket is told with `rate-limited` only; with `close` the connection ends.
   */
  write(response: UwsResponse, code: ShedCode, reason: ShedReason, close: boolean): void {
    const { head, body } = this.#textOf(code, reason);
    const limit = code === "rate-limited" ? reason.limit : null;
    ignoreAbort(response);
    response.cork(() => {
      // uWS writes the status as it is: headers behind it cost one call together, not one each.
      response.writeStatus(
        limit === null ? head : head + rateLimitLines(limit, reason.retryAfterS),
      );
      endAnswer(response, body, close);
    });
  }

  #textOf(code: ShedCode, { detail, retryAfterS }: ShedReason): ShedText {
    const known = this.#texts.get(detail);
    if (known !== undefined && known.code === code && known.retryAfterS === retryAfterS) {
      return known;
    }
    const status = statusLine(ERRORS[code].http);
    const text: ShedText = {
      code,
      retryAfterS,
      head: `${status}\r\nContent-Type: ${PROBLEM_MEDIA_TYPE}\r\nRetry-After: ${retryAfterS}`,
      body: Buffer.from(problemJson({ code, detail, retryAfterS })),
    };
    if (this.#texts.size >= REASONS_MAX) this.#texts.clear();
    this.#texts.set(detail, text);
    return text;
  }
}
