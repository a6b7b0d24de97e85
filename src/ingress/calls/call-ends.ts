/**
 * How calls end that are refused, and where exchanges go when nothing can come for them any more.
 *
 * One instance per listener, used by its thread only.
 */
import type { ErrorCode, FieldError, ProblemSource } from "../../errors.ts";
import type { AdmissionOutcome } from "../admission/admission.ts";
import { Admit } from "../admission/admission.ts";
import type { Exchange } from "../http/exchange.ts";
import { type RefusalHeaders, writeProblem } from "../http/reply.ts";
import { type ShedCode, ShedWriter } from "../http/shed-writer.ts";

/** Exchanges kept for further calls. */
const SPARE_MAX = 4096;

export const UNAUTHENTICATED: ProblemSource = {
  code: "unauthenticated",
  detail: "a bearer token that is valid for the app in X-App-ID is needed",
};

/** Too many tokens are being verified, or their keys cannot be had. */
export const BUSY: ProblemSource = {
  code: "overloaded",
  detail: "new tokens cannot be verified now",
  retryAfterS: 1,
};

export class CallEnds {
  /** Whether connections end with the answers and refusals of a gateway that stops. */
  isClosing = false;
  readonly #spare: Exchange[] = [];
  readonly #shedWriter = new ShedWriter();

  /** An exchange for a new call, or undefined if none is kept. */
  take(): Exchange | undefined {
    return this.#spare.pop();
  }

  /** Keeps an exchange for another call if nothing can come for this one any more. */
  keep(exchange: Exchange): void {
    if (exchange.isBodyWhole && this.#spare.length < SPARE_MAX) this.#spare.push(exchange);
  }

  /** Ends a call with a problem. With `close`, or if the gateway stops, the connection ends too. */
  refuse(
    exchange: Exchange,
    source: ProblemSource,
    headers: RefusalHeaders = {},
    close: boolean = false,
  ): void {
    const response = exchange.finish();
    if (response !== null) writeProblem(response, source, headers, close || this.isClosing);
    this.keep(exchange);
  }

  /** Ends a call whose body is at fault. */
  refuseInvalid(exchange: Exchange, errors: readonly FieldError[]): void {
    this.refuse(exchange, { code: "invalid", detail: INVALID_DETAIL, errors });
  }

  /** Ends a call whose only message was not admitted; `outcome` says why. */
  refuseAdmission(exchange: Exchange, code: number, outcome: AdmissionOutcome): void {
    const shedCode = SHED_CODES[code];
    if (shedCode === undefined) {
      this.refuse(exchange, admissionProblem(code, outcome));
      return;
    }
    const response = exchange.finish();
    if (response !== null) this.#shedWriter.write(response, shedCode, outcome, this.isClosing);
    this.keep(exchange);
  }
}

const INVALID_DETAIL = "the body is not a valid message";
const CODES: Readonly<Record<number, ErrorCode>> = {
  [Admit.INVALID]: "invalid",
  [Admit.FORBIDDEN]: "forbidden",
  [Admit.NO_ROUTE]: "no-route",
  [Admit.RATE_LIMITED]: "rate-limited",
  [Admit.OVERLOADED]: "overloaded",
  [Admit.KEY_RUNNING]: "idempotency-running",
  [Admit.KEY_CONFLICT]: "idempotency-conflict",
};

/** Refusals of which there may be very many. */
const SHED_CODES: Readonly<Record<number, ShedCode>> = {
  [Admit.RATE_LIMITED]: "rate-limited",
  [Admit.OVERLOADED]: "overloaded",
};

/** Whether the same call may succeed later. */
function isTemporary(code: number): boolean {
  return code === Admit.RATE_LIMITED || code === Admit.OVERLOADED || code === Admit.KEY_RUNNING;
}

/**
 * Why a message was not admitted. `path` is a JSON Pointer to the message within the body, if it is
 * not the whole of it.
 */
export function admissionProblem(
  code: number,
  outcome: AdmissionOutcome,
  path: string = "",
): ProblemSource {
  const { detail, problems, retryAfterS } = outcome;
  if (code === Admit.INVALID) {
    const errors = problems.map((error) => ({ ...error, pointer: path + error.pointer }));
    return { code: "invalid", detail: INVALID_DETAIL, errors };
  }
  const source = { code: CODES[code] as ErrorCode, detail };
  return isTemporary(code) ? { ...source, retryAfterS } : source;
}
