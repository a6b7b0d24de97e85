/**
 * All streams of a listener: their number, their memory, their tokens and addresses while they
 * last, their ends.
 *
 * Used by the listener's thread only.
 */
import type { AcceptedTexts } from "../admission/accepted-texts.ts";
import { AppPlaces, NO_APP } from "../admission/app-places.ts";
import { ScopeBit } from "../admission/admission.ts";
import type { AppGrant, Authentication, GrantAnswer } from "../auth/authentication.ts";
import { UNAUTHENTICATED } from "./call-ends.ts";
import type { Exchange } from "../http/exchange.ts";
import type { Ingress } from "../ingress.ts";
import { NO_KEY_SET } from "../auth/key-source.ts";
import { PlainMessage } from "../admission/plain-message.ts";
import { StreamCall, type StreamOwner } from "./stream-call.ts";

/** Streams at once. */
export const STREAMS_MAX = 1024;
const LOOK_MS = 100;
/** Between two looks at the tokens of all streams. */
export const TOKEN_LOOK_MS = 5000;

export interface StreamCallsOptions {
  readonly ingress: Ingress;
  readonly texts: AcceptedTexts;
  readonly authentication: Authentication;
  readonly lineBytesMax: number;
  /** Memory for bodies that come in pieces, shared with other calls. */
  readonly reserve: (bytes: number) => boolean;
  readonly giveBack: (bytes: number) => void;
  /** Why the app may not call from this address, or null. */
  readonly denial: (from: ArrayBuffer, grant: AppGrant) => string | null;
}

export class StreamCalls implements StreamOwner {
  readonly ingress: Ingress;
  readonly texts: AcceptedTexts;
  readonly plain = new PlainMessage();
  readonly lineBytesMax: number;
  readonly #options: StreamCallsOptions;
  readonly #streams = new Set<StreamCall>();
  readonly #places = new AppPlaces(STREAMS_MAX);
  #toFlush: StreamCall[] = [];
  #nextLookMs = 0;
  #nextTokenLookMs = 0;

  constructor(options: StreamCallsOptions) {
    this.#options = options;
    this.ingress = options.ingress;
    this.texts = options.texts;
    this.lineBytesMax = options.lineBytesMax;
  }

  /**
   * Takes over a call from this address as a stream of its grant's app, or, with null, as one that
   * waits for its grant; null if there are as many as may be.
   */
  start(
    call: Exchange,
    from: ArrayBuffer,
    nowMs: number,
    grant: AppGrant | null,
  ): StreamCall | null {
    if (!this.#places.take(grant?.appId ?? NO_APP)) return null;
    const stream = new StreamCall(this, call, from, nowMs);
    this.#streams.add(stream);
    // The thread may be asleep for longer than a stream waits.
    this.ingress.wake();
    if (grant !== null) stream.open(grant);
    return stream;
  }

  /**
   * Begins a stream that waited, for the app of its grant; false, and nothing else, if that has as
   * many as it may.
   */
  open(stream: StreamCall, grant: AppGrant): boolean {
    if (!this.#places.move(NO_APP, grant.appId)) return false;
    stream.open(grant);
    return true;
  }

  reserve(bytes: number): boolean {
    return this.#options.reserve(bytes);
  }

  giveBack(bytes: number): void {
    this.#options.giveBack(bytes);
  }

  flushSoon(stream: StreamCall): void {
    this.#toFlush.push(stream);
    if (this.#toFlush.length === 1) this.ingress.wake();
  }

  /** Writes what streams have to say; never within a call of uWS, which would keep it to itself. */
  flush(): void {
    if (this.#toFlush.length === 0) return;
    const streams = this.#toFlush;
    this.#toFlush = [];
    for (const stream of streams) stream.flush();
  }

  onEnded(stream: StreamCall): void {
    this.#streams.delete(stream);
    this.#places.giveBack(stream.holder);
  }

  get isEmpty(): boolean {
    return this.#streams.size === 0;
  }

  /** To be called every few milliseconds. */
  onTick(nowMs: number): void {
    if (nowMs < this.#nextLookMs || this.#streams.size === 0) return;
    this.#nextLookMs = nowMs + LOOK_MS;
    for (const stream of this.#streams) stream.onTick(nowMs);
    if (nowMs < this.#nextTokenLookMs) return;
    this.#nextTokenLookMs = nowMs + TOKEN_LOOK_MS;
    for (const stream of this.#streams) this.#checkToken(stream);
  }

  /** Ends every stream: the gateway stops. What they have admitted is still acknowledged. */
  endAll(): void {
    const detail = "the gateway is stopping";
    for (const stream of this.#streams) {
      stream.end({ code: "overloaded", detail, retryAfterS: 1 });
    }
  }

  #checkToken(stream: StreamCall): void {
    const { authentication, denial } = this.#options;
    const { authorization, appId, peer, from } = stream;
    const renew = (grant: GrantAnswer): void => {
      // While keys cannot be had it stays as it is until the next look.
      if (grant === NO_KEY_SET) return;
      if (grant === null || (grant.scopes & ScopeBit.SEND) === 0) {
        stream.end(UNAUTHENTICATED);
        return;
      }
      const detail = denial(from, grant);
      if (detail === null) stream.open(grant);
      else stream.end({ code: "forbidden", detail });
    };
    const grant = authentication.find(authorization, appId);
    // The same while too many others are being verified.
    if (grant === undefined) authentication.verify(authorization, appId, peer, renew);
    else renew(grant);
  }
}
