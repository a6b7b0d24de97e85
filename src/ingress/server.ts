/**
 * The public HTTP listener: routes, the checks every call passes, and answers.
 *
 *   POST /v1/messages       headers ─► grant ─► address, scope ─► body ─► Ingress.accept
 *                           ─► [commit] ─► 202
 *   GET  /v1/messages/{id}  grant ─► Ingress.lookup ─► 200
 *   GET  /healthz  /readyz  no token
 *
 * A call that fails ends with one problem from the error table, or, if its framing is ambiguous,
 * with the connection. One per ingress thread, used by it only.
 */
import { byIndex, type PoolPlan } from "../config/derive.ts";
import type { GatewayConfig } from "../config/types.ts";
import type { Clock, Log } from "../environment.ts";
import type { ErrorCode, FieldError, ProblemSource } from "../errors.ts";
import { parseMessageId } from "../records/message-key.ts";
import { AddressFilter } from "./address-filter.ts";
import { Admit, ScopeBit } from "./admission.ts";
import { Authentication, type AppGrant } from "./authentication.ts";
import { Exchange, type ExchangeOwner } from "./exchange.ts";
import type { Ingress } from "./ingress.ts";
import { parseJson } from "./json-body.ts";
import { fetchText } from "./key-fetch.ts";
import { NO_KEY_SET } from "./key-source.ts";
import { Listener, type PortSharing } from "./listener.ts";
import type { LookupAnswer } from "./message-lookup.ts";
import type { PendingMessage } from "./pending-messages.ts";
import {
  AcceptedWriter,
  JSON_MEDIA_TYPE,
  type RefusalHeaders,
  writeMethodRefusal,
  writeNoPath,
  writeProblem,
  writeReadiness,
  writeText,
} from "./reply.ts";
import type { Uws, UwsRequest, UwsResponse, UwsTls } from "./uws.ts";

export interface HttpServerOptions {
  readonly uws: Uws;
  readonly config: GatewayConfig;
  readonly pools: PoolPlan;
  readonly clock: Clock;
  readonly ingress: Ingress;
  readonly log: Log;
  /** The files of the certificates, looked at anew at each call; null: plain HTTP. */
  readonly tls: () => UwsTls | null;
  /** What keeps the node from being ready, one phrase each; empty: ready. */
  readonly unreadiness: () => readonly string[];
}

/** Exchanges kept for further calls. */
const SPARE_MAX = 4096;
/** Bodies that have come in part, over all calls. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
const UNAUTHENTICATED: ProblemSource = {
  code: "unauthenticated",
  detail: "a bearer token that is valid for the app in X-App-ID is needed",
};

export class HttpServer implements ExchangeOwner {
  readonly #options: HttpServerOptions;
  #listener: Listener;
  /** Listeners of earlier certificates, which may still have connections. */
  readonly #replaced: Listener[] = [];
  #port = 0;
  readonly #authentication: Authentication;
  /** By app index; null: from anywhere. */
  #filters: readonly (AddressFilter | null)[];
  readonly #writer: AcceptedWriter;
  readonly #spare: Exchange[] = [];
  #bufferedBytes = 0;
  #closing = false;

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
    this.#writer = new AcceptedWriter(config.node.name, ingress.origin);
    this.#listener = this.#makeListener();
  }

  /** A listener with every route, by the certificates as they are now. */
  #makeListener(): Listener {
    const { uws, tls, unreadiness } = this.#options;
    const listener = new Listener(uws, tls());
    listener.app
      .post("/v1/messages", (response, request) => this.#post(response, request))
      .any("/v1/messages", (response, request) => writeMethodRefusal(response, request, "POST"))
      .get("/v1/messages/:id", (response, request) => this.#get(response, request))
      .any("/v1/messages/:id", (response, request) => writeMethodRefusal(response, request, "GET"))
      .get("/healthz", (response) => writeText(response, JSON_MEDIA_TYPE, '{"status":"ok"}'))
      .any("/healthz", (response, request) => writeMethodRefusal(response, request, "GET"))
      .get("/readyz", (response) => writeReadiness(response, unreadiness()))
      .any("/readyz", (response, request) => writeMethodRefusal(response, request, "GET"))
      .any("/*", writeNoPath);
    return listener;
  }

  /**
   * Goes by other apps and keys from now on: no token is remembered, and one of an app that is gone
   * is refused.
   */
  reload(config: GatewayConfig, pools: PoolPlan): void {
    this.#authentication.reload({ jwt: config.auth.jwt, apps: pools.apps });
    this.#filters = filtersOf(pools);
  }

  /** Starts listening on `port`; returns the port. Throws if the address cannot be had. */
  listen(port: number = this.#options.config.http.port, sharing: PortSharing = "alone"): number {
    this.#port = this.#listener.listen(this.#options.config.http.host, port, sharing);
    return this.#port;
  }

  /**
   * Listens with the certificates as they are in their files now; needs a shared port. Open
   * connections go on. Throws, and changes nothing, if the files cannot be used.
   */
  reloadCertificates(): void {
    const next = this.#makeListener();
    next.listen(this.#options.config.http.host, this.#port, "further");
    this.#listener.stopListening();
    this.#replaced.push(this.#listener);
    this.#listener = next;
  }

  /**
   * Takes no new connections; calls on open ones are refused, and those admitted are still
   * answered.
   */
  stopListening(): void {
    this.#closing = true;
    this.#listener.stopListening();
  }

  /** Ends the open connections too, once nothing is pending (`Ingress.isDrained`). */
  close(): void {
    this.stopListening();
    this.#listener.close();
    for (const listener of this.#replaced) listener.close();
  }

  onReady(exchange: Exchange): void {
    const { ingress } = this.#options;
    const { grant } = exchange;
    if (grant === null) return;
    if (ingress.isShedding()) {
      this.#refuseAdmission(exchange, Admit.OVERLOADED);
      return;
    }
    const body = parseJson(exchange.body);
    if (body === undefined) {
      this.#refuseInvalid(exchange, [{ pointer: "", detail: "must be JSON in UTF-8" }]);
      return;
    }
    const code = ingress.accept(grant.appIndex, body, grant.scopes, exchange, exchange.from);
    if (code === Admit.STAGED) exchange.isHeld = true;
    else this.#refuseAdmission(exchange, code);
  }

  onTooLarge(exchange: Exchange): void {
    const limit = this.#options.config.http.bodyBytesMax;
    this.#refuse(exchange, "too-large", `the body has more than ${limit} bytes`, {}, true);
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
    const response = exchange.finish();
    const detail = "too many bodies are being received";
    if (response !== null) {
      writeProblem(response, { code: "overloaded", detail, retryAfterS: 1 }, {}, true);
    }
  }

  onAccepted(exchange: Exchange, message: PendingMessage): void {
    exchange.isHeld = false;
    const response = exchange.finish();
    if (response !== null) this.#writer.write(response, message);
    this.#keep(exchange);
  }

  onAbandoned(exchange: Exchange): void {
    this.#keep(exchange);
  }

  #post(response: UwsResponse, request: UwsRequest): void {
    const exchange = this.#spare.pop() ?? this.#newExchange();
    exchange.begin(response, request);
    if (isFramingOdd(exchange)) {
      exchange.finish();
      response.close();
      return;
    }
    const { bodyBytesMax } = this.#options.config.http;
    if (Number(exchange.contentLength) > bodyBytesMax) {
      this.onTooLarge(exchange);
      return;
    }
    const grant = exchange.hasRepeated
      ? null
      : this.#authentication.find(exchange.authorization, exchange.appId);
    if (grant === null) {
      this.#refuseToken(exchange);
      return;
    }
    exchange.watch();
    if (grant !== undefined) {
      if (!this.#admitCall(exchange, grant)) return;
      exchange.read();
      return;
    }
    exchange.read();
    this.#verify(exchange);
  }

  #verify(exchange: Exchange): void {
    exchange.isHeld = true;
    const { authorization, appId } = exchange;
    const address = peerName(exchange.response as UwsResponse);
    const asked = this.#authentication.verify(authorization, appId, address, (grant) => {
      exchange.isHeld = false;
      if (exchange.response === null) this.#keep(exchange);
      else if (grant === null) this.#refuseToken(exchange);
      else if (grant === NO_KEY_SET) this.#refuseBusy(exchange);
      else if (this.#admitCall(exchange, grant) && exchange.isBodyWhole) this.onReady(exchange);
    });
    if (asked) return;
    exchange.isHeld = false;
    this.#refuseBusy(exchange);
  }

  /** Checks what needs no body; on false the call is answered. */
  #admitCall(exchange: Exchange, grant: AppGrant): boolean {
    exchange.from = (exchange.response as UwsResponse).getRemoteAddress();
    const denial = this.#denial(exchange.from, grant);
    if (denial !== null) {
      this.#refuse(exchange, "forbidden", denial);
      return false;
    }
    if ((grant.scopes & ScopeBit.SEND) === 0) {
      this.#refuse(exchange, "forbidden", "the token lacks the scope send");
      return false;
    }
    if (!isJson(exchange.contentType) || exchange.hasContentEncoding) {
      this.#refuse(exchange, "media-type", "the body must be application/json, as it is");
      return false;
    }
    if (exchange.hasIdempotencyKey) {
      this.#refuse(exchange, "invalid", "Idempotency-Key is not available yet");
      return false;
    }
    exchange.grant = grant;
    return true;
  }

  #denial(from: ArrayBuffer, grant: AppGrant): string | null {
    const filter = this.#filters[grant.appIndex] ?? null;
    if (filter === null || filter.allows(from)) return null;
    return "the app may not call from this address";
  }

  #get(response: UwsResponse, request: UwsRequest): void {
    const id = request.getParameter(0) ?? "";
    const { authorization, appId } = readCredentials(request);
    let open = true;
    response.onAborted(() => {
      open = false;
    });
    const grant = this.#authentication.find(authorization, appId);
    if (grant !== undefined) {
      this.#find(response, grant, id, () => open);
      return;
    }
    const address = peerName(response);
    const asked = this.#authentication.verify(authorization, appId, address, (verified) => {
      if (!open) return;
      if (verified === NO_KEY_SET) writeProblem(response, busy());
      else this.#find(response, verified, id, () => open);
    });
    if (!asked) writeProblem(response, busy());
  }

  #find(response: UwsResponse, grant: AppGrant | null, id: string, isOpen: () => boolean): void {
    if (grant === null) {
      writeProblem(response, UNAUTHENTICATED);
      return;
    }
    const denial = this.#denial(response.getRemoteAddress(), grant);
    if (denial !== null) {
      writeProblem(response, { code: "forbidden", detail: denial });
      return;
    }
    const parsed = parseMessageId(id);
    if (parsed === null) {
      writeProblem(response, UNKNOWN_MESSAGE);
      return;
    }
    const { node } = parsed;
    if (node !== this.#options.config.node.name) {
      const detail = "the id was given by another node";
      writeProblem(response, { code: "wrong-node", detail, node });
      return;
    }
    this.#options.ingress.lookup.find(parsed.key, grant.appId, (answer) => {
      if (isOpen()) writeAnswer(response, answer);
    });
  }

  #refuseToken(exchange: Exchange): void {
    const response = exchange.finish();
    if (response !== null) writeProblem(response, UNAUTHENTICATED, {}, this.#closing);
    this.#keep(exchange);
  }

  #refuseBusy(exchange: Exchange): void {
    const response = exchange.finish();
    if (response !== null) writeProblem(response, busy());
    this.#keep(exchange);
  }

  #refuseInvalid(exchange: Exchange, errors: readonly FieldError[]): void {
    const response = exchange.finish();
    const detail = "the body is not a valid message";
    if (response !== null) writeProblem(response, { code: "invalid", detail, errors });
    this.#keep(exchange);
  }

  #refuseAdmission(exchange: Exchange, code: number): void {
    const { detail, problems, retryAfterS, rateTps } = this.#options.ingress.outcome;
    if (code === Admit.INVALID) {
      this.#refuseInvalid(exchange, problems);
      return;
    }
    const response = exchange.finish();
    if (response !== null) {
      const close = this.#closing;
      if (code === Admit.FORBIDDEN) writeProblem(response, { code: "forbidden", detail });
      else if (code === Admit.NO_ROUTE) writeProblem(response, { code: "no-route", detail });
      else if (code === Admit.RATE_LIMITED) {
        writeProblem(response, { code: "rate-limited", detail, retryAfterS }, { rateTps });
      } else {
        writeProblem(response, { code: "overloaded", detail, retryAfterS }, {}, close);
      }
    }
    this.#keep(exchange);
  }

  #refuse(
    exchange: Exchange,
    code: ErrorCode,
    detail: string,
    headers: RefusalHeaders = {},
    close: boolean = false,
  ): void {
    const response = exchange.finish();
    const errors = code === "invalid" ? [{ pointer: "", detail }] : undefined;
    if (response !== null) writeProblem(response, { code, detail, errors }, headers, close);
    this.#keep(exchange);
  }

  #newExchange(): Exchange {
    return new Exchange(this, this.#options.config.http.bodyBytesMax);
  }

  /** Keeps an exchange for another call if nothing can come for this one any more. */
  #keep(exchange: Exchange): void {
    if (exchange.isBodyWhole && this.#spare.length < SPARE_MAX) this.#spare.push(exchange);
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
    seen[field] = value;
  });
  return hasRepeated ? { authorization: "", appId: "" } : seen;
}

const UNKNOWN_MESSAGE: ProblemSource = { code: "not-found", detail: "there is no such message" };

/** The peer's address as text that tells peers apart. */
function peerName(response: UwsResponse): string {
  return Buffer.from(response.getRemoteAddress()).toString("latin1");
}

function busy(): ProblemSource {
  return { code: "overloaded", detail: "new tokens cannot be verified now", retryAfterS: 1 };
}

function writeAnswer(response: UwsResponse, answer: LookupAnswer): void {
  if (answer === null) writeProblem(response, UNKNOWN_MESSAGE);
  else if (answer === "late") {
    const detail = "the ledger is behind";
    writeProblem(response, { code: "overloaded", detail, retryAfterS: 1 });
  } else writeText(response, JSON_MEDIA_TYPE, JSON.stringify(answer));
}

/**
 * Whether two readers could disagree about where this request ends; the older uWS build lets it
 * pass.
 */
function isFramingOdd(exchange: Exchange): boolean {
  const { contentLength, transferEncoding } = exchange;
  if (transferEncoding !== "") {
    return contentLength !== "" || transferEncoding.toLowerCase() !== "chunked";
  }
  return contentLength !== "" && !/^[0-9]{1,15}$/.test(contentLength);
}

function isJson(contentType: string): boolean {
  if (contentType === "application/json") return true;
  return /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i.test(contentType);
}

function filtersOf(pools: PoolPlan): (AddressFilter | null)[] {
  return byIndex(pools.apps, (app) => app.appIndex).map((app) => {
    const allowed = app?.config.ipAllow ?? null;
    return allowed === null ? null : new AddressFilter(allowed);
  });
}
