/**
 * Writes 202s of single messages: no string is made, and no function or view per answer.
 *
 *   head   202 Accepted ⏎ Location: /v1/messages/gw-1-[digits] ⏎ Content-Type … [⏎ further headers]
 *   body   {"id":"gw-1-[digits]" …}
 *
 * Both stand in memory of their own, in which little is written anew. One instance per ingress
 * thread.
 */
import { writeIdDigits } from "../../records/message-key.ts";
import type { PendingMessage } from "../calls/pending-messages.ts";
import { rateLimitLines } from "../http/rate-headers.ts";
import { endAnswer } from "../http/reply.ts";
import { writeAscii } from "../http/text-bytes.ts";
import type { UwsResponse } from "../http/uws.ts";
import { type AcceptedBytes, IdFrame } from "./accepted-bytes.ts";
import type { AcceptedTexts } from "./accepted-texts.ts";

/** Further headers: a policy and what is left of it. */
const HEADERS_LENGTH_MAX = 512;

export class AcceptedWriter {
  readonly #texts: AcceptedTexts;
  readonly #bytes: AcceptedBytes;
  readonly #head: IdFrame;
  #response: UwsResponse | null = null;
  #message: PendingMessage | null = null;
  #isLast = false;

  /** `texts`, `bytes` and this writer tell ids of `node`. */
  constructor(texts: AcceptedTexts, bytes: AcceptedBytes, node: string) {
    this.#texts = texts;
    this.#bytes = bytes;
    // uWS writes the status as it is: headers behind it cost one call together, not one each.
    const start = `202 Accepted\r\nLocation: /v1/messages/${node}-`;
    this.#head = new IdFrame(start, "\r\nContent-Type: application/json", HEADERS_LENGTH_MAX);
  }

  /** With `close` the connection ends after it. */
  write(response: UwsResponse, message: PendingMessage, close: boolean): void {
    this.#response = response;
    this.#message = message;
    this.#isLast = close;
    response.cork(this.#writeNow);
    this.#response = null;
    this.#message = null;
  }

  readonly #writeNow = (): void => {
    const response = this.#response as UwsResponse;
    const message = this.#message as PendingMessage;
    response.writeStatus(this.#headOf(message));
    const body = this.#bytes.object(message) ?? this.#texts.body(this.#texts.id(message), message);
    endAnswer(response, body, this.#isLast);
  };

  #headOf({ sequence, origin, limit, isReplay }: PendingMessage): Uint8Array {
    const { bytes, digitsAt, end } = this.#head;
    writeIdDigits(sequence, origin, bytes, digitsAt);
    let at = end;
    if (limit !== null) at = writeAscii(rateLimitLines(limit, 0), 0, bytes, at);
    if (isReplay) at = writeAscii("\r\nIdempotency-Replayed: true", 0, bytes, at);
    return this.#head.upTo(at);
  }
}
