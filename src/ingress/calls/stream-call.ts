/**
 * POST /v1/messages:stream: NDJSON in, one acknowledgement a line out, in order, while it goes on.
 *
 *   lines ─► admitted ─► [commit] ─► acknowledgements, written together after each round
 *     ▲                                │
 *     └── paused while LINES_MAX lines are unanswered or the client does not read
 *
 * A line that cannot be taken is answered with its problem, and the stream goes on. It ends when
 * the body does, or nothing moved for IDLE_MS_MAX; or its token expired or the gateway stops, and
 * then a last line says so. What was admitted stays accepted if the client goes away. Used by its
 * listener's thread only.
 */
import { type FieldError, problemJson, type ProblemSource } from "../../errors.ts";
import type { AcceptedTexts } from "../admission/accepted-texts.ts";
import { Admit } from "../admission/admission.ts";
import { NO_APP } from "../admission/app-places.ts";
import type { AppGrant } from "../auth/authentication.ts";
import { admissionProblem } from "./call-ends.ts";
import type { Exchange } from "../http/exchange.ts";
import type { Ingress } from "../ingress.ts";
import { readJson } from "../http/json-body.ts";
import { LINE_TOO_LONG, LineBuffer, NO_LINE } from "../http/line-buffer.ts";
import type { PendingMessage, Ticket } from "./pending-messages.ts";
import type { PlainMessage } from "../admission/plain-message.ts";
import { ignoreAbort, peerName, statusLine } from "../http/reply.ts";
import type { UwsResponse } from "../http/uws.ts";

export const NDJSON_MEDIA_TYPE = "application/x-ndjson";
/** Lines of one stream that have no acknowledgement yet. */
export const LINES_MAX = 1024;
/** A stream that moves nothing for so long is ended. */
export const IDLE_MS_MAX = 60_000;
/** uWS ends connections that send too little for 10 s; a stream may be slower. */
const KEEP_OPEN_MS = 4000;

/** What a stream needs of the listener that it belongs to. */
export interface StreamOwner {
  readonly ingress: Ingress;
  readonly texts: AcceptedTexts;
  /** Reads lines that are plain messages. */
  readonly plain: PlainMessage;
  readonly lineBytesMax: number;
  /** Whether so many more bytes may be kept; they are given back later. */
  reserve(bytes: number): boolean;
  giveBack(bytes: number): void;
  /** Calls `flush` of this stream soon, once, after what runs now. */
  flushSoon(stream: StreamCall): void;
  onEnded(stream: StreamCall): void;
}

export class StreamCall implements Ticket {
  readonly #owner: StreamOwner;
  readonly #lines: LineBuffer;
  #response: UwsResponse | null;
  #grant: AppGrant | null = null;
  /** Acknowledgements in order of lines, from line `#firstAck` on; null: not there yet. */
  #acks: (string | null)[] = [];
  #firstAck = 0;
  #isFlushing = false;
  #isPaused = false;
  /** Whether what was written waits for the client to read. */
  #isBlocked = false;
  #isEnding = false;
  #hasStarted = false;
  #hasMoved = false;
  #movedAtMs: number;
  #keptOpenAtMs: number;

  /** Its Authorization and X-App-ID headers, to be checked again while it lasts. */
  readonly authorization: string;
  readonly appId: string;
  /** Its client's address, and that as text. */
  readonly from: ArrayBuffer;
  readonly peer: string;

  /**
   * Takes over the response of a call whose route has not returned. Reads no line before `open`.
   */
  constructor(owner: StreamOwner, call: Exchange, from: ArrayBuffer, nowMs: number) {
    const response = call.finish() as UwsResponse;
    this.#owner = owner;
    this.authorization = call.authorization;
    this.appId = call.appId;
    this.from = from;
    this.peer = peerName(from);
    this.#lines = new LineBuffer(owner.lineBytesMax);
    this.#response = response;
    this.#movedAtMs = nowMs;
    this.#keptOpenAtMs = nowMs;
    response.onAborted(() => this.#leave());
    response.onData((chunk, isLast) => this.#take(chunk, isLast));
  }

  /** Starts reading for an app; later again with a grant of the same app that is newer. */
  open(grant: AppGrant): void {
    this.#grant = grant;
    this.#pump();
  }

  /**
   * Whether the client reads again shows only when more is written: one line is admitted, or read,
   * for that. A client that never does is not waited for longer than IDLE_MS_MAX.
   */
  #probe(nowMs: number): void {
    if (nowMs - this.#movedAtMs >= IDLE_MS_MAX) this.#response?.close();
    else if (this.#acks.length === 0) this.#pump(1);
  }

  /** Whether the response is not over. */
  get isOpen(): boolean {
    return this.#response !== null;
  }

  /** The app that its place is counted for. */
  get holder(): number {
    return this.#grant?.appId ?? NO_APP;
  }

  /** Hands the response back to who refuses the call; only before `open`. */
  takeResponse(): UwsResponse | null {
    const response = this.#response;
    this.#leave();
    return response;
  }

  accepted(message: PendingMessage): void {
    if (this.#response === null) return;
    const { texts } = this.#owner;
    this.#acknowledge(message.item, texts.result(message));
  }

  /** To be called every few milliseconds. */
  onTick(nowMs: number): void {
    const response = this.#response;
    if (response === null) return;
    if (!this.#hasMoved) this.#owner.giveBack(this.#lines.trim());
    if (this.#isBlocked) this.#probe(nowMs);
    else if (this.#hasMoved || this.#acks.length > 0) this.#movedAtMs = nowMs;
    this.#hasMoved = false;
    if (nowMs - this.#movedAtMs >= IDLE_MS_MAX) {
      this.end(null);
      return;
    }
    if (nowMs - this.#keptOpenAtMs < KEEP_OPEN_MS) return;
    this.#keptOpenAtMs = nowMs;
    // Both set uWS's own timeout anew, or off.
    response.pause();
    if (!this.#isPaused) response.resume();
  }

  /**
   * Ends the stream before the client does: no line is read any more, those admitted are
   * acknowledged, and if there is a reason, a last line without a number says it.
   */
  end(reason: ProblemSource | null): void {
    if (this.#response === null || this.#isEnding) return;
    this.#isEnding = true;
    this.#dropLines();
    if (reason !== null) this.#acks.push(`{"problem":${problemJson(reason)}}\n`);
    this.#flushSoon();
  }

  /** Writes what is acknowledged, in order, and ends the response after the last line. */
  flush(): void {
    this.#isFlushing = false;
    const response = this.#response;
    if (response === null) return;
    let count = 0;
    while (count < this.#acks.length && this.#acks[count] !== null) count++;
    const text = count === 0 ? "" : this.#acks.slice(0, count).join("");
    this.#acks.splice(0, count);
    this.#firstAck += count;
    // An empty body, too, is answered only for a token that was verified.
    const isWhole = this.#grant !== null && this.#lines.isDrained;
    const isLast = this.#acks.length === 0 && (this.#isEnding || isWhole);
    if (count === 0 && !isLast) {
      if (this.#isPaused) response.pause();
      return;
    }
    // The pause is the connection's: the next request on it would never be read.
    if (isLast && this.#isPaused) response.resume();
    response.cork(() => this.#write(response, text, isLast));
    if (isLast) this.#leave();
    else this.#pump();
  }

  #write(response: UwsResponse, text: string, isLast: boolean): void {
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      response.writeStatus(statusLine(200));
      response.writeHeader("Content-Type", NDJSON_MEDIA_TYPE);
    }
    if (!isLast) this.#isBlocked = !response.write(text);
    else if (text === "" || response.write(text)) response.end(undefined, this.#isEnding);
    else endWhenRead(response, this.#isEnding);
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    if (this.#response === null || this.#isEnding) return;
    const piece = new Uint8Array(chunk);
    const grown = this.#lines.capacityFor(piece.length) - this.#lines.capacityBytes;
    if (grown > 0 && !this.#owner.reserve(grown)) {
      const detail = "too many bodies are being received";
      this.end({ code: "overloaded", detail, retryAfterS: 1 });
      return;
    }
    this.#lines.add(piece);
    if (isLast) this.#lines.end();
    this.#hasMoved = true;
    this.#pump();
    // uWS tries what waits to be written once more after this call, and reads on if it still waits.
    if (this.#isPaused && this.#isBlocked) this.#flushSoon();
  }

  /**
   * Admits lines while it may, then lets uWS read more, or not. `probes`: lines that may be
   * admitted although the client does not read.
   */
  #pump(probes: number = 0): void {
    const response = this.#response;
    if (response === null || this.#isEnding) return;
    let probesLeft = probes;
    if (this.#grant !== null) {
      while (this.#mayAdmit() || probesLeft > 0) {
        const found = this.#lines.next();
        if (found === NO_LINE) break;
        probesLeft--;
        if (found === LINE_TOO_LONG) this.#refuseLong();
        else this.#admit(this.#grant);
      }
    }
    if (this.#lines.isDrained) this.#flushSoon();
    const isPaused = this.#grant === null || !(this.#mayAdmit() || probesLeft > 0);
    // Again although it was paused: uWS reads on when a write has to wait for the client.
    if (isPaused) response.pause();
    else if (this.#isPaused) response.resume();
    this.#isPaused = isPaused;
  }

  #mayAdmit(): boolean {
    return !this.#isBlocked && this.#acks.length < LINES_MAX;
  }

  #admit(grant: AppGrant): void {
    const { ingress } = this.#owner;
    const bytes = this.#lines.line();
    if (isBlank(bytes)) return;
    const line = this.#newAck();
    const errors: FieldError[] = [];
    const { plain } = this.#owner;
    const body = plain.read(bytes) ? plain : readJson(bytes, errors);
    if (errors.length > 0) {
      this.#refuse(line, { code: "invalid", detail: "the line is not a valid message", errors });
      return;
    }
    const { appIndex, scopes } = grant;
    const code = ingress.accept(appIndex, body, scopes, this, this.from, line);
    if (code !== Admit.STAGED) this.#refuse(line, admissionProblem(code, ingress.outcome));
  }

  #refuseLong(): void {
    const detail = `the line has more than ${this.#owner.lineBytesMax} bytes`;
    this.#refuse(this.#newAck(), { code: "too-large", detail });
  }

  #refuse(line: number, source: ProblemSource): void {
    this.#acknowledge(line, `"problem":${problemJson(source)}`);
  }

  /** Number of the line that comes next, counted from 0; it owes an acknowledgement. */
  #newAck(): number {
    this.#acks.push(null);
    return this.#firstAck + this.#acks.length - 1;
  }

  #acknowledge(line: number, members: string): void {
    this.#acks[line - this.#firstAck] = `{"line":${line + 1},${members}}\n`;
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#owner.flushSoon(this);
  }

  #dropLines(): void {
    this.#owner.giveBack(this.#lines.capacityBytes);
    this.#lines.drop();
  }

  /** The response is over: answered, or the client is gone. */
  #leave(): void {
    if (this.#response === null) return;
    this.#response = null;
    this.#dropLines();
    this.#acks = [];
    this.#owner.onEnded(this);
  }
}

/**
 * Ends a response when its client has read what was written: until then uWS closes the connection
 * at a further request, or after 10 s.
 */
function endWhenRead(response: UwsResponse, close: boolean): void {
  ignoreAbort(response);
  response.onWritable(() => {
    response.end(undefined, close);
    return true;
  });
}

/** Whether a line holds nothing but white space. */
function isBlank(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}
