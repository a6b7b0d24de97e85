/**
 * Writes 202s of single messages: no string is made, and no function or view per answer.
 *
 *   head   202 Accepted ⏎ Location: /v1/messages/gw-1-[digits] ⏎ Content-Type … [⏎ further headers]
 *   body   {"id":"gw-1-[digits]"[tail]}
 *
 * Both stand in memory of their own, in which only what is in brackets is written anew. One
 * instance per ingress thread.
 */
import { ID_HEX_DIGITS, writeIdDigits } from "../../records/message-key.ts";
import type { AcceptedTexts } from "./accepted-texts.ts";
import type { PendingMessage } from "../calls/pending-messages.ts";
import { rateLimit, rateLimitPolicy } from "../http/rate-headers.ts";
import { endAnswer } from "../http/reply.ts";
import { writeAscii, writeUtf8 } from "../http/text-bytes.ts";
import type { UwsResponse } from "../http/uws.ts";

/** Longest tail, in units of UTF-16: a reference and a few characters that were replaced. */
const TAIL_UNITS_MAX = 1024;
const UTF8_PER_UNIT_MAX = 3;
/** Further headers: a policy and what is left of it. */
const HEADERS_LENGTH_MAX = 512;

/** Bytes whose start never changes, up to the digits of an id. */
class IdText {
  readonly bytes: Uint8Array;
  readonly digitsAt: number;
  /** By their length: a view costs more to make than to keep. */
  readonly #views: Uint8Array[] = [];

  constructor(start: string, end: string, roomBytes: number) {
    this.digitsAt = start.length;
    this.bytes = new Uint8Array(start.length + ID_HEX_DIGITS + end.length + roomBytes);
    writeAscii(start, 0, this.bytes, 0);
    writeAscii(end, 0, this.bytes, this.digitsAt + ID_HEX_DIGITS);
  }

  /** The first `length` bytes; valid until they are written anew. */
  upTo(length: number): Uint8Array {
    return (this.#views[length] ??= this.bytes.subarray(0, length));
  }
}

export class AcceptedWriter {
  readonly #texts: AcceptedTexts;
  readonly #head: IdText;
  readonly #headLength: number;
  readonly #body: IdText;
  #response: UwsResponse | null = null;
  #message: PendingMessage | null = null;
  #isLast = false;

  /** `texts` and this writer tell ids of `node`. */
  constructor(texts: AcceptedTexts, node: string) {
    this.#texts = texts;
    // uWS writes the status as it is: headers behind it cost one call together, not one each.
    const start = `202 Accepted\r\nLocation: /v1/messages/${node}-`;
    const end = "\r\nContent-Type: application/json";
    this.#head = new IdText(start, end, HEADERS_LENGTH_MAX);
    this.#headLength = start.length + ID_HEX_DIGITS + end.length;
    this.#body = new IdText(`{"id":"${node}-`, "", TAIL_UNITS_MAX * UTF8_PER_UNIT_MAX + 1);
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
    const { sequence, origin } = message;
    response.writeStatus(this.#headOf(message));
    const tail = this.#texts.tail(message);
    if (tail.length > TAIL_UNITS_MAX) {
      endAnswer(response, this.#texts.body(this.#texts.id(message), message), this.#isLast);
      return;
    }
    const { bytes, digitsAt } = this.#body;
    writeIdDigits(sequence, origin, bytes, digitsAt);
    const at = writeUtf8(tail, bytes, digitsAt + ID_HEX_DIGITS);
    bytes[at] = 0x7d;
    endAnswer(response, this.#body.upTo(at + 1), this.#isLast);
  };

  #headOf({ sequence, origin, limit, isReplay }: PendingMessage): Uint8Array {
    const { bytes, digitsAt } = this.#head;
    writeIdDigits(sequence, origin, bytes, digitsAt);
    let at = this.#headLength;
    if (limit !== null) {
      at = writeAscii(`\r\nRateLimit-Policy: ${rateLimitPolicy(limit)}`, 0, bytes, at);
      at = writeAscii(`\r\nRateLimit: ${rateLimit(limit, 0)}`, 0, bytes, at);
    }
    if (isReplay) at = writeAscii("\r\nIdempotency-Replayed: true", 0, bytes, at);
    return this.#head.upTo(at);
  }
}
