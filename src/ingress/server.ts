/**
 * The public HTTP listener: routes, the checks every call passes, and answers.
 *
 *   POST /v1/messages, :batch, :preview   headers ─► grant ─► address, scope ─► body ─► its kind
 *   POST /v1/messages:stream              the same, but lines of the body go on as they come
 *   GET, DELETE /v1/messages/{id}         grant ─► Ingress.lookup ─► 200
 *   GET  /v1/links, /v1/pools             grant ─► scope ops ─► 200
 *   GET  lists, events, held              read-calls.ts
 *   GET  /healthz  /readyz                no token
 *
 * A call that fails ends with one problem from the error table, or, if its framing is ambiguous,
 * with the connection. One per ingress thread, used by it only.
 */
import { byIndex, type PoolPlan } from "../config/derive.ts";
import type { GatewayConfig } from "../config/types.ts";
import type { Clock, Log } from "../environment.ts";
import type { ErrorCode, ProblemSource } from "../errors.ts";
import { type MessageKey, parseMessageId } from "../records/message-key.ts";
import { AcceptedBytes } from "./admission/accepted-bytes.ts";
import { AcceptedTexts } from "./admission/accepted-texts.ts";
import { AcceptedWriter } from "./admission/accepted-writer.ts";
import { AddressFilter, UNKNOWN_ADDRESS } from "./http/address-filter.ts";
import { ScopeBit } from "./admission/admission.ts";
import { AnswerWaits } from "./calls/answer-waits.ts";
import { BatchTurns } from "./calls/batch-turns.ts";
import { Authentication, type AppGrant, type GrantAnswer } from "./auth/authentication.ts";
import { BatchCall } from "./calls/batch-call.ts";
import { BUSY, CallEnds, UNAUTHENTICATED } from "./calls/call-ends.ts";
import { DeadLetterCalls } from "./calls/dead-letter-calls.ts";
import { type CallKind, Exchange, type ExchangeOwner } from "./http/exchange.ts";
import { EMPTY_VALUE, GuardedRoutes } from "./http/framing.ts";
import { keyProblem } from "./admission/idempotency.ts";
import type { Ingress, IngressFollower } from "./ingress.ts";
import { fetchText } from "./auth/key-fetch.ts";
import { NO_KEY_SET } from "./auth/key-source.ts";
import { Listener, type PortSharing } from "./http/listener.ts";
import { MessageCall, PreviewCall } from "./calls/message-call.ts";
import type { CancelAnswer, LookupAnswer } from "./calls/message-lookup.ts";
import { openapiJson } from "./openapi.ts";
import { type Authorise, type LedgerReads, ReadCalls } from "./calls/read-calls.ts";
import {
  peerName,
  JSON_MEDIA_TYPE,
  writeMethodRefusal,
  writeNoPath,
  writeProblem,
  writeReadiness,
  writeText,
} from "./http/reply.ts";
import { NDJSON_MEDIA_TYPE } from "./calls/stream-call.ts";
import { StreamCalls } from "./calls/stream-calls.ts";
import type { Uws, UwsRequest, UwsResponse, UwsRoutes, UwsTls } from "./http/uws.ts";

export interface HttpServerOptions {
  readonly uws: Uws;
  readonly config: GatewayConfig;
  readonly pools: PoolPlan;
  readonly clock: Clock;
  readonly ingress: Ingress;
  readonly log: Log;
  readonly reads: LedgerReads;
  /** The files of the certificates, looked at anew at each call; null: plain HTTP. */
  readonly tls: () => UwsTls | null;
  /** Whether every connection is the relay's, whose PROXY header names the client. */
  readonly isRelayed: boolean;
  /** What keeps the node from being ready, one phrase each; empty: ready. */
  readonly unreadiness: () => readonly string[];
  /** How links and pools are now. */
  readonly links: () => readonly object[];
  readonly poolStates: () => readonly object[];
}

/** Bodies that have come in part, over all calls. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
/** A colon in a path may come as it is or encoded (RFC 3986 §3.3 allows both). */
const COLONS = [":", "%3A", "%3a"] as const;

export class HttpServer implements ExchangeOwner, IngressFollower {
  openCalls = 0;
  readonly #options: HttpServerOptions;
  #listener: Listener;
  /** Listeners of earlier certificates, which may still have connections. */
  readonly #replaced: Listener[] = [];
  #port = 0;
  #isPaused = false;
  readonly #authentication: Authentication;
  /** By app index; null: from anywhere. */
  #filters: readonly (AddressFilter | null)[];
  /** Whether any pool is open to some addresses only. */
  #arePoolsFiltered: boolean;
  readonly #ends = new CallEnds();
  readonly #waits: AnswerWaits;
  readonly #batchTurns: BatchTurns;
  readonly #streams: StreamCalls;
  readonly #texts: AcceptedTexts;
  readonly #openapi = openapiJson();
  readonly #reads: ReadCalls;
  readonly #deadLetters: DeadLetterCalls;
  #bufferedBytes = 0;

  constructor(options: HttpServerOptions) {
    const { config, pools, ingress, clock } = options;
    this.#options = options;
    this.#authentication = new Authentication({
      jwt: config.auth.jwt,
      apps: pools.apps,
      clock,
      log: options.log,
      fetchText,
    });
    this.#filters = filtersOf(pools);
    this.#arePoolsFiltered = areFiltered(pools);
    const ends = this.#ends;
    const texts = new AcceptedTexts(config.node.name);
    this.#texts = texts;
    this.#waits = new AnswerWaits({ lookup: ingress.lookup, clock, ends, texts });
    this.#batchTurns = new BatchTurns(ingress, clock, ends);
    this.#streams = new StreamCalls({
      ingress,
      texts,
      authentication: this.#authentication,
      lineBytesMax: config.http.streamLineBytesMax,
      reserve: (bytes) => this.reserve(bytes),
      giveBack: (bytes) => this.giveBack(bytes),
      denial: (from, grant) => this.#denial(from, grant),
    });
    ingress.follow(this);
    const authorise: Authorise = (response, request, then) =>
      this.#withGrant(response, request, then);
    const reading = { node: config.node.name, reads: options.reads, authorise };
    this.#reads = new ReadCalls(reading);
    this.#deadLetters = new DeadLetterCalls({ ...reading, ingress });
    this.#listener = this.#makeListener();
  }

  /** A listener with every route, by the certificates as they are now. */
  #makeListener(): Listener {
    const { uws, tls, unreadiness, links, poolStates } = this.#options;
    const listener = new Listener(uws, tls());
    const routes = new GuardedRoutes(listener.app, this.#ends);
    this.#routeMessages(listener.app, routes);
    this.#reads.route(routes);
    this.#deadLetters.route(routes);
    routes
      .get("/v1/links", (response, request) => this.#list(response, request, links))
      .any("/v1/links", (response, request) => writeMethodRefusal(response, request, "GET"))
      .get("/v1/pools", (response, request) => this.#list(response, request, poolStates))
      .any("/v1/pools", (response, request) => writeMethodRefusal(response, request, "GET"))
      .get("/healthz", (response) => writeText(response, JSON_MEDIA_TYPE, '{"status":"ok"}'))
      .any("/healthz", (response, request) => writeMethodRefusal(response, request, "GET"))
      .get("/readyz", (response) => writeReadiness(response, unreadiness()))
      .any("/readyz", (response, request) => writeMethodRefusal(response, request, "GET"))
      .get("/openapi.json", (response) => writeText(response, JSON_MEDIA_TYPE, this.#openapi))
      .any("/openapi.json", (response, request) => writeMethodRefusal(response, request, "GET"))
      .any("/*", writeNoPath);
    return listener;
  }

  /** Calls that become an exchange see to their framing themselves, and need no guard. */
  #routeMessages(app: UwsRoutes, routes: UwsRoutes): void {
    const { config, ingress } = this.#options;
    const { bodyBytesMax, batchBytesMax } = config.http;
    const ends = this.#ends;
    const texts = this.#texts;
    const bytes = new AcceptedBytes(texts, config.node.name);
    const writer = new AcceptedWriter(texts, bytes, config.node.name);
    const message = new MessageCall(ingress, ends, writer, this.#waits, bodyBytesMax);
    const turns = this.#batchTurns;
    const batch = new BatchCall(ingress, ends, turns, texts, bytes, batchBytesMax);
    const preview = new PreviewCall(ingress, ends, bodyBytesMax);
    app.post("/v1/messages", (response, request) => this.#post(response, request, message));
    routes
      .get("/v1/messages", (response, request) => this.#reads.list(response, request))
      .any("/v1/messages", (response, request) =>
        writeMethodRefusal(response, request, "GET, POST"),
      )
      .get("/v1/messages/:id", (response, request) => this.#get(response, request))
      .del("/v1/messages/:id", (response, request) => this.#cancel(response, request))
      .any("/v1/messages/:id", (response, request) =>
        writeMethodRefusal(response, request, "GET, DELETE"),
      );
    for (const colon of COLONS) {
      const path = `/v1/messages${colon}`;
      app
        .post(`${path}batch`, (response, request) => this.#post(response, request, batch))
        .post(`${path}preview`, (response, request) => this.#post(response, request, preview))
        .post(`${path}stream`, (response, request) => this.#stream(response, request, message));
      for (const call of ["batch", "preview", "stream"]) {
        routes.any(`${path}${call}`, (response, request) =>
          writeMethodRefusal(response, request, "POST"),
        );
      }
    }
  }

  /**
   * Goes by other apps and keys from now on: no token is remembered, and one of an app that is gone
   * is refused.
   */
  reload(config: GatewayConfig, pools: PoolPlan): void {
    this.#authentication.reload({ jwt: config.auth.jwt, apps: pools.apps });
    this.#filters = filtersOf(pools);
    this.#arePoolsFiltered = areFiltered(pools);
  }

  /** Starts listening on `port`; returns the port. Throws if the address cannot be had. */
  listen(port: number = this.#options.config.http.port, sharing: PortSharing = "alone"): number {
    this.#port = this.#listener.listen(this.#options.config.http.host, port, sharing);
    return this.#port;
  }

  /** Starts listening for the relay. Throws if the path cannot be had. */
  listenUnix(path: string): void {
    this.#listener.listenUnix(path);
  }

  /** Takes no new connections until `resume`; open ones are served. */
  pause(): void {
    this.#isPaused = true;
    this.#listener.stopListening();
  }

  /** Listens again on the same port, which must be a shared one. Throws if it cannot be had. */
  resume(): void {
    if (this.#ends.isClosing) return;
    this.#isPaused = false;
    this.#listener.stopListening();
    this.#listener.listen(this.#options.config.http.host, this.#port, "further");
  }

  /**
   * Listens with the certificates as they are in their files now, or will on `resume`; needs a
   * shared port. Open connections go on. Throws, and changes nothing, if the files cannot be used.
   */
  reloadCertificates(): void {
    const next = this.#makeListener();
    const isListening = !this.#isPaused && !this.#ends.isClosing;
    if (isListening) next.listen(this.#options.config.http.host, this.#port, "further");
    this.#listener.stopListening();
    this.#replaced.push(this.#listener);
    this.#listener = next;
  }

  /** Takes no new connections; calls on open ones are refused, those admitted are answered. */
  stopListening(): void {
    this.#ends.isClosing = true;
    this.#listener.stopListening();
    this.#waits.endAll();
    this.#batchTurns.endAll();
    this.#streams.endAll();
  }

  /** Ends the open connections too, once nothing is pending (`Ingress.isDrained`). */
  close(): void {
    this.stopListening();
    this.#listener.close();
    for (const listener of this.#replaced) listener.close();
  }

  onTooLarge(exchange: Exchange): void {
    const detail = `the body has more than ${exchange.kind.bodyBytesMax} bytes`;
    this.#ends.refuse(exchange, { code: "too-large", detail }, {}, true);
  }

  reserve(bytes: number): boolean {
    if (this.#bufferedBytes + bytes > BUFFERED_BYTES_MAX) return false;
    this.#bufferedBytes += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bufferedBytes -= bytes;
  }

  onNoRoom(exchange: Exchange): void {
    this.#ends.refuse(exchange, NO_ROOM, {}, true);
  }

  /**
   * The address of a caller, where it decides anything: asking costs a native call and a buffer.
   * Else UNKNOWN_ADDRESS, which no filter lets through.
   */
  addressFor(response: UwsResponse, { appIndex }: AppGrant): ArrayBuffer {
    const isNeeded = this.#arePoolsFiltered || (this.#filters[appIndex] ?? null) !== null;
    return isNeeded ? this.#addressOf(response) : UNKNOWN_ADDRESS;
  }

  onAbandoned(exchange: Exchange): void {
    this.#ends.keep(exchange);
  }

  onTick(): void {
    this.#waits.onTick();
    this.#batchTurns.look();
    this.#streams.onTick(this.#options.clock.monotonicMs());
  }

  isQuiet(): boolean {
    return this.#waits.isEmpty && this.#batchTurns.isEmpty && this.#streams.isEmpty;
  }

  afterWork(): void {
    this.#batchTurns.look();
    this.#streams.flush();
  }

  #post(response: UwsResponse, request: UwsRequest, kind: CallKind): void {
    const exchange = this.#begin(response, request, kind);
    if (exchange === null) return;
    if (exchange.framing.contentLength > kind.bodyBytesMax) {
      this.onTooLarge(exchange);
      return;
    }
    const grant = this.#findGrant(exchange);
    if (grant === null) {
      this.#refuseToken(exchange);
      return;
    }
    exchange.watch();
    if (grant !== undefined) {
      if (!this.#admitCall(exchange, grant, isJson)) return;
      exchange.read();
      return;
    }
    exchange.read();
    this.#verify(exchange);
  }

  /** Reads the headers; null if they are so odd that the connection was closed. */
  #begin(response: UwsResponse, request: UwsRequest, kind: CallKind): Exchange | null {
    const exchange = this.#ends.take() ?? new Exchange(this, kind);
    exchange.begin(response, request, kind);
    if (!exchange.framing.isOdd) return exchange;
    exchange.finish();
    response.close();
    return null;
  }

  #findGrant(exchange: Exchange): AppGrant | null | undefined {
    if (exchange.hasRepeated) return null;
    return this.#authentication.find(exchange.authorization, exchange.appId);
  }

  /** A stream never becomes an exchange with a body: `call` only carries its headers over. */
  #stream(response: UwsResponse, request: UwsRequest, kind: CallKind): void {
    const call = this.#begin(response, request, kind);
    if (call === null) return;
    const from = this.#addressOf(response);
    const grant = this.#findGrant(call);
    if (grant === null) {
      this.#refuseToken(call);
      return;
    }
    if (this.#ends.isClosing) {
      const detail = "the gateway is stopping";
      this.#ends.refuse(call, { code: "overloaded", detail, retryAfterS: 1 });
      return;
    }
    if (grant !== undefined && !this.#admitCall(call, grant, isNdjson)) return;
    const nowMs = this.#options.clock.monotonicMs();
    const stream = this.#streams.start(call, from, nowMs, grant ?? null);
    if (stream === null) {
      this.#ends.refuse(call, grant === undefined ? BUSY : TOO_MANY_STREAMS, {}, true);
      return;
    }
    if (grant !== undefined) return;
    const refuse = (problem: ProblemSource): void => {
      const open = stream.takeResponse();
      if (open !== null) writeProblem(open, problem, {}, true);
    };
    const problemOf = (verified: GrantAnswer): ProblemSource | null => {
      if (verified === null) return UNAUTHENTICATED;
      if (verified === NO_KEY_SET) return BUSY;
      return this.#callProblem(call, from, verified, isNdjson);
    };
    const { authorization, appId } = call;
    const asked = this.#authentication.verify(authorization, appId, peerName(from), (verified) => {
      if (!stream.isOpen) return;
      const problem = problemOf(verified);
      if (problem !== null) refuse(problem);
      else if (!this.#streams.open(stream, verified as AppGrant)) refuse(TOO_MANY_STREAMS);
    });
    if (!asked) refuse(BUSY);
  }

  #verify(exchange: Exchange): void {
    exchange.isHeld = true;
    const { authorization, appId } = exchange;
    const address = peerName(this.#addressOf(exchange.response as UwsResponse));
    const asked = this.#authentication.verify(authorization, appId, address, (grant) => {
      exchange.isHeld = false;
      if (exchange.response === null) this.#ends.keep(exchange);
      else if (grant === null) this.#refuseToken(exchange);
      else if (grant === NO_KEY_SET) this.#ends.refuse(exchange, BUSY);
      else if (this.#admitCall(exchange, grant, isJson)) exchange.startIfReady();
    });
    if (asked) return;
    exchange.isHeld = false;
    this.#ends.refuse(exchange, BUSY);
  }

  /** Checks what needs no body; on false the call is answered. */
  #admitCall(exchange: Exchange, grant: AppGrant, isTyped: (type: string) => boolean): boolean {
    const from = this.addressFor(exchange.response as UwsResponse, grant);
    const problem = this.#callProblem(exchange, from, grant, isTyped);
    if (problem !== null) {
      this.#ends.refuse(exchange, problem);
      return false;
    }
    exchange.grant = grant;
    return true;
  }

  /** Why the headers of a call are refused, or null. */
  #callProblem(
    call: Exchange,
    from: ArrayBuffer,
    grant: AppGrant,
    isTyped: (type: string) => boolean,
  ): ProblemSource | null {
    const problem = (code: ErrorCode, detail: string): ProblemSource => ({ code, detail });
    const denial = this.#denial(from, grant);
    if (denial !== null) return problem("forbidden", denial);
    if ((grant.scopes & ScopeBit.SEND) === 0) {
      return problem("forbidden", "the token lacks the scope send");
    }
    if (!isTyped(call.contentType) || call.hasContentEncoding) {
      const type = isTyped === isJson ? JSON_MEDIA_TYPE : NDJSON_MEDIA_TYPE;
      return problem("media-type", `the body must be ${type}, as it is`);
    }
    return keyProblem(call.idempotencyKey, isTyped === isNdjson);
  }

  /** The client's address; the peer's word for it is taken from the relay only. */
  #addressOf(response: UwsResponse): ArrayBuffer {
    return this.#options.isRelayed
      ? response.getProxiedRemoteAddress()
      : response.getRemoteAddress();
  }

  #denial(from: ArrayBuffer, grant: AppGrant): string | null {
    const filter = this.#filters[grant.appIndex] ?? null;
    if (filter === null || filter.allows(from)) return null;
    return "the app may not call from this address";
  }

  #get(response: UwsResponse, request: UwsRequest): void {
    const id = request.getParameter(0) ?? "";
    this.#withGrant(response, request, (grant, isOpen) => {
      const key = this.#keyOf(response, id);
      if (key === null) return;
      this.#options.ingress.lookup.find(key, grant.appId, (answer) => {
        if (isOpen()) writeAnswer(response, answer);
      });
    });
  }

  #cancel(response: UwsResponse, request: UwsRequest): void {
    const id = request.getParameter(0) ?? "";
    this.#withGrant(response, request, (grant, isOpen) => {
      if ((grant.scopes & ScopeBit.SEND) === 0) {
        writeProblem(response, { code: "forbidden", detail: "the token lacks the scope send" });
        return;
      }
      const key = this.#keyOf(response, id);
      if (key === null) return;
      this.#options.ingress.lookup.cancel(key, grant.appId, (answer) => {
        if (isOpen()) writeCanceled(response, id, answer);
      });
    });
  }

  /** Answers with what `read` gives, to those with the scope ops. */
  #list(response: UwsResponse, request: UwsRequest, read: () => readonly object[]): void {
    this.#withGrant(response, request, (grant) => {
      if ((grant.scopes & ScopeBit.OPS) === 0) {
        writeProblem(response, { code: "forbidden", detail: "the token lacks the scope ops" });
      } else writeText(response, JSON_MEDIA_TYPE, JSON.stringify({ data: read(), next: null }));
    });
  }

  /** Calls `then` with the grant of a call without a body, unless it is refused or gone. */
  #withGrant(
    response: UwsResponse,
    request: UwsRequest,
    then: (grant: AppGrant, isOpen: () => boolean) => void,
  ): void {
    const { authorization, appId } = readCredentials(request);
    let open = true;
    response.onAborted(() => {
      open = false;
    });
    const go = (grant: AppGrant | null): void => {
      const denial = grant === null ? null : this.#denial(this.#addressOf(response), grant);
      if (grant === null) writeProblem(response, UNAUTHENTICATED);
      else if (denial !== null) writeProblem(response, { code: "forbidden", detail: denial });
      else then(grant, () => open);
    };
    const known = this.#authentication.find(authorization, appId);
    if (known !== undefined) {
      go(known);
      return;
    }
    const address = peerName(this.#addressOf(response));
    const asked = this.#authentication.verify(authorization, appId, address, (verified) => {
      if (!open) return;
      if (verified === NO_KEY_SET) writeProblem(response, BUSY);
      else go(verified);
    });
    if (!asked) writeProblem(response, BUSY);
  }

  /** The key of an id of this node; null: there is none, and the call is answered. */
  #keyOf(response: UwsResponse, id: string): MessageKey | null {
    const parsed = parseMessageId(id);
    if (parsed === null) {
      writeProblem(response, UNKNOWN_MESSAGE);
      return null;
    }
    const { node } = parsed;
    if (node === this.#options.config.node.name) return parsed.key;
    const detail = "the id was given by another node";
    writeProblem(response, { code: "wrong-node", detail, node });
    return null;
  }

  #refuseToken(exchange: Exchange): void {
    this.#ends.refuse(exchange, UNAUTHENTICATED);
  }
}

/** Authorization and X-App-ID; given more than once they count as none. */
function readCredentials(request: UwsRequest): { authorization: string; appId: string } {
  const seen = { authorization: "", appId: "" };
  let hasRepeated = false;
  request.forEach((name, value) => {
    const field = name === "authorization" ? "authorization" : name === "x-app-id" ? "appId" : null;
    if (field === null) return;
    hasRepeated ||= seen[field] !== "";
    seen[field] = value || EMPTY_VALUE;
  });
  return hasRepeated ? { authorization: "", appId: "" } : seen;
}

const UNKNOWN_MESSAGE: ProblemSource = { code: "not-found", detail: "there is no such message" };

const TOO_MANY_STREAMS: ProblemSource = {
  code: "overloaded",
  detail: "the app has as many streams as it may",
  retryAfterS: 1,
};

const NO_ROOM: ProblemSource = {
  code: "overloaded",
  detail: "too many bodies are being received",
  retryAfterS: 1,
};

function writeAnswer(response: UwsResponse, answer: LookupAnswer): void {
  if (answer === null) writeProblem(response, UNKNOWN_MESSAGE);
  else if (answer === "late") {
    const detail = "the ledger is behind";
    writeProblem(response, { code: "overloaded", detail, retryAfterS: 1 });
  } else writeText(response, JSON_MEDIA_TYPE, JSON.stringify(answer));
}

function writeCanceled(response: UwsResponse, id: string, answer: CancelAnswer): void {
  if (answer === "canceled") {
    writeText(response, JSON_MEDIA_TYPE, JSON.stringify({ id, status: "canceled" }));
  } else if (answer === "unknown") {
    writeProblem(response, UNKNOWN_MESSAGE);
  } else if (answer === "not_cancellable") {
    const detail = "the message was handed to an operator, or it is final";
    writeProblem(response, { code: "not-cancellable", detail });
  } else {
    const detail = "it is not known yet whether the message can be canceled; ask again";
    writeProblem(response, { code: "overloaded", detail, retryAfterS: 1 });
  }
}

function isJson(contentType: string): boolean {
  if (contentType === "application/json") return true;
  return /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(contentType);
}

function isNdjson(contentType: string): boolean {
  return /^application\/x-ndjson[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(contentType);
}

function filtersOf(pools: PoolPlan): (AddressFilter | null)[] {
  return byIndex(pools.apps, (app) => app.appIndex).map((app) => {
    const allowed = app?.ipAllow ?? null;
    return allowed === null ? null : new AddressFilter(allowed);
  });
}

function areFiltered({ pools }: PoolPlan): boolean {
  return pools.some(({ ipAllow }) => ipAllow !== null);
}
