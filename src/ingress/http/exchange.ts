/**
 * One HTTP call: its headers while it is read, its body, and where its answer goes.
 *
 *   begin ─► [grant] + [body whole] ─► ready ─► answered
 *              └── aborted: `response` is null, whoever still holds the call finds that out
 *
 * Its listeners are made once, so that a call costs no closures. A call may be used again only if
 * its body came whole: uWS goes on delivering the rest of a body that was answered early. One
 * thread only.
 */
import { Buffer } from "node:buffer";
import type { AppGrant } from "../auth/authentication.ts";
import { UNKNOWN_ADDRESS } from "./address-filter.ts";
import { EMPTY_VALUE, Framing, REPEATED_VALUE } from "./framing.ts";
import { BAD_KEY } from "../admission/idempotency.ts";
import type { PendingMessage, Ticket } from "../calls/pending-messages.ts";
import type { UwsRequest, UwsResponse } from "./uws.ts";

/** What a call is for: one instance per path, not per call. */
export interface CallKind {
  /** Longest body. */
  readonly bodyBytesMax: number;
  /** Takes the call on when its grant and its body are there; every path from here answers it. */
  start(exchange: Exchange, grant: AppGrant): void;
  /** Its message is durable. Called for those kinds that give the exchange as ticket. */
  onAccepted(exchange: Exchange, message: PendingMessage): void;
}

/** What an exchange tells the server that it belongs to. */
export interface ExchangeOwner {
  /** The body is longer than allowed. */
  onTooLarge(exchange: Exchange): void;
  /**
   * Whether so many more bytes may be kept for bodies that come in pieces; they are given back
   * later.
   */
  reserve(bytes: number): boolean;
  giveBack(bytes: number): void;
  /** They may not; the body cannot be taken in. */
  onNoRoom(exchange: Exchange): void;
  /** The address of the caller, as far as it matters to what `grant` may do. */
  addressFor(response: UwsResponse, grant: AppGrant): ArrayBuffer;
  /** Calls whose body has not come whole, or that are not answered; exchanges count themselves. */
  openCalls: number;
  /** The client went away before its message was admitted; nobody holds the exchange any more. */
  onAbandoned(exchange: Exchange): void;
}

const EMPTY = Buffer.alloc(0);

export class Exchange implements Ticket {
  /** Null once answered or aborted. */
  response: UwsResponse | null = null;
  grant: AppGrant | null = null;
  kind: CallKind;
  readonly framing = new Framing();
  /** Whether somebody will call back about it: verification or admission. */
  isHeld = false;
  isBodyWhole = false;

  authorization = "";
  appId = "";
  contentType = "";
  /** Whether Authorization or X-App-ID came more than once. */
  hasRepeated = false;
  /** Empty: none. */
  idempotencyKey = "";
  hasContentEncoding = false;
  /** Preferences (RFC 7240), of all such headers. */
  prefer = "";

  readonly #owner: ExchangeOwner;
  #isWatched = false;
  #body: Buffer = EMPTY;
  #length = 0;
  /** Bytes that the owner was asked for. */
  #reserved = 0;

  constructor(owner: ExchangeOwner, kind: CallKind) {
    this.#owner = owner;
    this.kind = kind;
  }

  /** Takes a call: reads its headers. */
  begin(response: UwsResponse, request: UwsRequest, kind: CallKind): void {
    this.response = response;
    this.kind = kind;
    this.grant = null;
    this.isHeld = false;
    this.isBodyWhole = false;
    this.framing.reset();
    this.authorization = "";
    this.appId = "";
    this.contentType = "";
    this.hasRepeated = false;
    this.idempotencyKey = "";
    this.hasContentEncoding = false;
    this.prefer = "";
    this.#body = EMPTY;
    this.#length = 0;
    request.forEach(this.#visitHeader);
  }

  /**
   * Registers for the client going away; before the route returns, unless the call was answered.
   */
  watch(): void {
    if (this.response === null) return;
    this.#isWatched = true;
    this.#owner.openCalls++;
    this.response.onAborted(this.#abort);
  }

  /** Starts taking the body in. */
  read(): void {
    this.response?.onData(this.#take);
  }

  /** The client's address, as its owner tells it; asked for anew at each use. */
  get from(): ArrayBuffer {
    const { response, grant } = this;
    if (response === null || grant === null) return UNKNOWN_ADDRESS;
    return this.#owner.addressFor(response, grant);
  }

  /**
   * The body; only when it is whole, and only until the call that told so returns, unless it is
   * kept.
   */
  get body(): Buffer {
    return this.#body;
  }

  /** Keeps the body until the call ends; false if there is no room for it. */
  keepBody(): boolean {
    // What came in pieces is in memory of its own.
    if (this.#length > 0) return true;
    const { length } = this.#body;
    if (!this.#owner.reserve(length)) return false;
    this.#reserved = length;
    const kept = Buffer.allocUnsafeSlow(length);
    kept.set(this.#body);
    this.#body = kept;
    return true;
  }

  /** Ends the exchange on this side: the response to write to, or null if the client is gone. */
  finish(): UwsResponse | null {
    const { response } = this;
    this.response = null;
    this.#drop();
    this.#unwatch();
    return response;
  }

  accepted(message: PendingMessage): void {
    this.kind.onAccepted(this, message);
  }

  /** Hands the call to its kind, if grant and body are there and it was not answered meanwhile. */
  startIfReady(): void {
    const { grant } = this;
    if (grant !== null && this.isBodyWhole && this.response !== null) this.kind.start(this, grant);
  }

  readonly #visitHeader = (name: string, value: string): void => {
    switch (name) {
      case "authorization":
        this.hasRepeated ||= this.authorization !== "";
        this.authorization = value || EMPTY_VALUE;
        break;
      case "x-app-id":
        this.hasRepeated ||= this.appId !== "";
        this.appId = value || EMPTY_VALUE;
        break;
      case "content-type":
        this.contentType = this.contentType === "" ? value || EMPTY_VALUE : REPEATED_VALUE;
        break;
      case "content-length":
        this.framing.takeLength(value);
        break;
      case "transfer-encoding":
        this.framing.takeCoding(value);
        break;
      case "content-encoding":
        this.hasContentEncoding ||= value !== "identity";
        break;
      case "idempotency-key":
        this.idempotencyKey = this.idempotencyKey === "" ? value || BAD_KEY : BAD_KEY;
        break;
      case "prefer":
        this.prefer = this.prefer === "" ? value : `${this.prefer},${value}`;
        break;
      default:
    }
  };

  readonly #abort = (): void => {
    this.response = null;
    this.#drop();
    this.#unwatch();
    if (!this.isHeld) this.#owner.onAbandoned(this);
  };

  readonly #take = (chunk: ArrayBuffer, isLast: boolean): void => {
    if (this.response === null || this.isBodyWhole) return;
    const whole = this.#length + chunk.byteLength;
    if (whole > this.kind.bodyBytesMax) {
      this.#owner.onTooLarge(this);
      return;
    }
    this.isBodyWhole = isLast;
    if (isLast && this.grant !== null && this.#length === 0) {
      this.#body = Buffer.from(chunk);
      this.startIfReady();
      // uWS takes the chunk back when this call returns.
      if (this.#reserved === 0) this.#body = EMPTY;
      return;
    }
    if (whole > this.#body.length && !this.#grow(whole)) {
      this.#owner.onNoRoom(this);
      return;
    }
    this.#body.set(new Uint8Array(chunk), this.#length);
    this.#length = whole;
    if (!isLast) return;
    this.#body = this.#body.subarray(0, whole);
    this.startIfReady();
  };

  /**
   * Room for the body so far, doubled so that many small pieces cost no more than a few large ones.
   */
  #grow(neededBytes: number): boolean {
    const grown = Math.min(this.kind.bodyBytesMax, Math.max(neededBytes, 2 * this.#body.length));
    if (!this.#owner.reserve(grown - this.#reserved)) return false;
    this.#reserved = grown;
    const body = Buffer.allocUnsafeSlow(grown);
    body.set(this.#body.subarray(0, this.#length));
    this.#body = body;
    return true;
  }

  #unwatch(): void {
    if (!this.#isWatched) return;
    this.#isWatched = false;
    this.#owner.openCalls--;
  }

  #drop(): void {
    this.#body = EMPTY;
    if (this.#reserved > 0) this.#owner.giveBack(this.#reserved);
    this.#reserved = 0;
  }
}
