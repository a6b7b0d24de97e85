/**
 * Whether two readers of a request could see its end at different places (RFC 9112 §6.3): then
 * what one takes for its body the other takes for a further request, of another client.
 *
 *   one Content-Length of digits, or one Transfer-Encoding: chunked, or neither     fine
 *   anything else                                                                   odd: close
 *
 * The older uWS build lets odd ones pass, hence this. One instance per reader of headers.
 */
import { asLast } from "./reply.ts";
import type { UwsRequest, UwsRoute, UwsRoutes } from "./uws.ts";

/**
 * In place of a header that came without a value, and of one that came more than once: neither is a
 * value that is valid anywhere.
 */
export const EMPTY_VALUE = "empty";
export const REPEATED_VALUE = "repeated";

/** No Content-Length; one that is no number of up to 15 digits, or more than one. */
const NO_LENGTH = -1;
const ODD_LENGTH = -2;
const LENGTH_DIGITS_MAX = 15;
const DIGIT_0 = 0x30;

export class Framing {
  /** Bytes that the body has by its Content-Length; negative: there is none, or it is odd. */
  contentLength = NO_LENGTH;
  #coding = "";

  reset(): void {
    this.contentLength = NO_LENGTH;
    this.#coding = "";
  }

  takeLength(value: string): void {
    this.contentLength = this.contentLength === NO_LENGTH ? lengthOf(value) : ODD_LENGTH;
  }

  takeCoding(value: string): void {
    this.#coding = this.#coding === "" ? value || EMPTY_VALUE : REPEATED_VALUE;
  }

  /** Whether the headers taken since `reset` are ambiguous. */
  get isOdd(): boolean {
    const { contentLength } = this;
    if (this.#coding !== "") {
      return contentLength !== NO_LENGTH || this.#coding.toLowerCase() !== "chunked";
    }
    return contentLength === ODD_LENGTH;
  }
}

function lengthOf(value: string): number {
  const { length } = value;
  if (length === 0 || length > LENGTH_DIGITS_MAX) return ODD_LENGTH;
  let bytes = 0;
  for (let i = 0; i < length; i++) {
    const digit = value.charCodeAt(i) - DIGIT_0;
    if (digit < 0 || digit > 9) return ODD_LENGTH;
    bytes = 10 * bytes + digit;
  }
  return bytes;
}

/**
 * Routes of `app` that close the connection of a request with odd framing, unanswered, and in a
 * gateway that stops each connection with its next answer.
 */
export class GuardedRoutes implements UwsRoutes {
  readonly #app: UwsRoutes;
  readonly #gateway: { readonly isClosing: boolean };
  readonly #framing = new Framing();

  constructor(app: UwsRoutes, gateway: { readonly isClosing: boolean }) {
    this.#app = app;
    this.#gateway = gateway;
  }

  get(pattern: string, route: UwsRoute): this {
    this.#app.get(pattern, this.#guard(route));
    return this;
  }

  post(pattern: string, route: UwsRoute): this {
    this.#app.post(pattern, this.#guard(route));
    return this;
  }

  del(pattern: string, route: UwsRoute): this {
    this.#app.del(pattern, this.#guard(route));
    return this;
  }

  any(pattern: string, route: UwsRoute): this {
    this.#app.any(pattern, this.#guard(route));
    return this;
  }

  #guard(route: UwsRoute): UwsRoute {
    return (response, request) => {
      if (this.#isOdd(request)) response.close();
      else route(this.#gateway.isClosing ? asLast(response) : response, request);
    };
  }

  #isOdd(request: UwsRequest): boolean {
    const framing = this.#framing;
    framing.reset();
    request.forEach(this.#visitHeader);
    return framing.isOdd;
  }

  readonly #visitHeader = (name: string, value: string): void => {
    if (name === "content-length") this.#framing.takeLength(value);
    else if (name === "transfer-encoding") this.#framing.takeCoding(value);
  };
}
