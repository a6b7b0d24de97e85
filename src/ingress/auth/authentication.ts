/**
 * Who is calling: a bearer token (JWT) and the app it speaks for.
 *
 *   Authorization, X-App-ID ──► cached? ──► AppGrant at once
 *                                  └─────► read ─► key of the app's source ─► verify (jose)
 *                                          then the waiting calls learn the result
 *
 * X-App-ID chooses the key source, and the token must name the same app. A token is verified anew
 * 60 s after it was last, its expiry is checked at every use, and a change of keys or apps forgets
 * all. Tokens are remembered by their hash; the last one of each app as it came, too, which spares
 * hashing. Every way to fail looks the same from outside. One instance per ingress thread.
 */
import { hash } from "node:crypto";
import type { JWTPayload } from "jose";
import type { AppConfig, JwtConfig, Scope } from "../../config/types.ts";
import type { Clock, Log } from "../../environment.ts";
import { ScopeBit } from "../admission/admission.ts";
import { type KeySet, KeySource, NO_KEY, NO_KEY_SET } from "./key-source.ts";
import { type FetchText, RemoteKeySet } from "./remote-key-set.ts";
import {
  AUTHORIZATION_LENGTH_MAX,
  isBearer,
  readToken,
  type UnverifiedToken,
  verifyToken,
} from "./token.ts";
import { VerificationLimit } from "./verification-limit.ts";

/** Who a verified token speaks for. */
export interface AppGrant {
  readonly appIndex: number;
  readonly appId: number;
  /** The app's id as it must stand in X-App-ID. */
  readonly appIdText: string;
  /** ScopeBit set: the token's scopes that the app has too. */
  readonly scopes: number;
}

/** Not valid for this app; or it cannot be told, because the keys cannot be had. */
export type GrantAnswer = AppGrant | null | typeof NO_KEY_SET;

/** Gets the result of a verification that took time. */
export type GrantListener = (answer: GrantAnswer) => void;

/** `find`: not cached; call `verify`. */
export const NOT_CACHED = undefined;

interface CachedGrant {
  readonly grant: AppGrant;
  /** Wall ms from which on it has to be verified anew, or is expired, leeway included. */
  readonly staleAtMs: number;
}

/** An app as authentication sees it. */
interface KnownApp {
  readonly index: number;
  readonly scopes: number;
  readonly source: KeySource;
  /** The header that was found last, and what it was found for; empty: none. */
  lastHeader: string;
  last: CachedGrant | null;
}

/** Verified tokens that are remembered. */
export const CACHED_TOKENS_MAX = 10_000;
/** Longest that a verification is trusted. */
export const CACHED_MS_MAX = 60_000;
/** Calls that wait for one token. */
const LISTENERS_MAX = 4096;
const SCOPE_BITS: Readonly<Record<Scope, number>> = {
  send: ScopeBit.SEND,
  ops: ScopeBit.OPS,
  "route:pin": ScopeBit.PIN,
};

export interface AuthenticationOptions {
  readonly jwt: JwtConfig;
  readonly apps: readonly { readonly appIndex: number; readonly config: AppConfig }[];
  readonly clock: Clock;
  readonly log: Log;
  /** For key sets behind a URL. */
  readonly fetchText: FetchText;
}

export class Authentication {
  readonly #clock: Clock;
  readonly #apps = new Map<string, KnownApp>();
  readonly #sets = new Map<string, KeySet>();
  readonly #cached = new Map<string, CachedGrant>();
  readonly #verifying = new Map<string, GrantListener[]>();
  readonly #limit: VerificationLimit;
  /** One up at each `forget`: what was verified before it is not remembered after it. */
  #generation = 0;

  readonly #setOf: (url: string) => KeySet;

  constructor(options: AuthenticationOptions) {
    const { clock, log, fetchText } = options;
    this.#setOf = (url) => {
      const known = this.#sets.get(url);
      if (known !== undefined) return known;
      const onChange = (): void => this.forget();
      const made = new RemoteKeySet({ url, fetchText, clock, log, onChange });
      this.#sets.set(url, made);
      return made;
    };
    this.#clock = clock;
    this.#limit = new VerificationLimit(clock);
    this.reload(options);
  }

  /**
   * Goes by these apps and keys from now on, and forgets every verified token. Key sets behind a
   * URL are kept.
   */
  reload({ jwt, apps }: Pick<AuthenticationOptions, "jwt" | "apps">): void {
    const common = new KeySource(jwt, this.#setOf);
    this.#apps.clear();
    for (const { appIndex, config } of apps) {
      const source = config.jwt === null ? common : new KeySource(config.jwt, this.#setOf);
      const scopes = scopeBits(config.scopes);
      this.#apps.set(String(config.id), {
        index: appIndex,
        scopes,
        source,
        lastHeader: "",
        last: null,
      });
    }
    this.forget();
  }

  /**
   * The grant of a header seen before; null if it is surely not valid for this X-App-ID; NOT_CACHED
   * if `verify` has to be asked.
   */
  find(authorization: string, appId: string): AppGrant | null | undefined {
    const app = this.#apps.get(appId);
    if (app === undefined || authorization.length > AUTHORIZATION_LENGTH_MAX) return null;
    if (app.last !== null && app.lastHeader === authorization && this.#isFresh(app.last)) {
      return app.last.grant;
    }
    const digest = digestOf(authorization);
    const cached = this.#cached.get(digest);
    // What is cached was read once; reading costs as much as the look-up.
    if (cached === undefined) return isBearer(authorization) ? NOT_CACHED : null;
    if (!this.#isFresh(cached)) {
      this.#cached.delete(digest);
      return NOT_CACHED;
    }
    if (cached.grant.appIdText !== appId) return null;
    app.lastHeader = authorization;
    app.last = cached;
    return cached.grant;
  }

  #isFresh({ staleAtMs }: CachedGrant): boolean {
    return this.#clock.wallMs() < staleAtMs;
  }

  /**
   * Verifies a header that `find` does not know, sent from `address` (any text that tells peers
   * apart); `listener` is called exactly once, maybe at once. False: too many are being verified,
   * and it will not be called.
   */
  verify(authorization: string, appId: string, address: string, listener: GrantListener): boolean {
    const app = this.#apps.get(appId);
    const token =
      app === undefined ? null : readToken(authorization, appId, app.source, this.#clock.wallMs());
    if (app === undefined || token === null) {
      listener(null);
      return true;
    }
    const digest = digestOf(authorization);
    const waiting = this.#verifying.get(digest);
    if (waiting !== undefined) {
      if (waiting.length >= LISTENERS_MAX) return false;
      waiting.push(listener);
      return true;
    }
    if (!this.#limit.enter(address)) return false;
    const listeners = [listener];
    this.#verifying.set(digest, listeners);
    void this.#verifyNew(digest, token, app, appId).then((answer) => {
      this.#limit.leave(address, answer !== null);
      this.#verifying.delete(digest);
      for (const told of listeners) told(answer);
    });
    return true;
  }

  /** Forgets every verified token: keys or apps have changed. */
  forget(): void {
    this.#generation += 1;
    this.#cached.clear();
    for (const app of this.#apps.values()) {
      app.lastHeader = "";
      app.last = null;
    }
  }

  /** Never rejects: whatever is wrong with the token makes null. */
  async #verifyNew(
    digest: string,
    token: UnverifiedToken,
    app: KnownApp,
    appId: string,
  ): Promise<GrantAnswer> {
    const generation = this.#generation;
    const { source } = app;
    const key = await source.find(token.algorithm, token.kid);
    if (key === NO_KEY || key === NO_KEY_SET) return key;
    const wallMs = this.#clock.wallMs();
    const payload = await verifyToken(token, key, source.jwt, wallMs);
    const scopes = payload === null ? null : scopesOf(payload, app.scopes);
    if (payload === null || scopes === null) return null;
    const grant = { appIndex: app.index, appId: Number(appId), appIdText: appId, scopes };
    const expiresAtMs = ((payload.exp as number) + source.jwt.leewayS) * 1000;
    const staleAtMs = Math.min(expiresAtMs, wallMs + CACHED_MS_MAX);
    if (generation === this.#generation) this.#remember(digest, { grant, staleAtMs });
    return grant;
  }

  #remember(digest: string, cached: CachedGrant): void {
    if (this.#cached.size >= CACHED_TOKENS_MAX) {
      const oldest = this.#cached.keys().next();
      if (oldest.done !== true) this.#cached.delete(oldest.value);
    }
    this.#cached.set(digest, cached);
  }
}

function digestOf(authorization: string): string {
  return hash("sha256", authorization, "base64");
}

/** The token's scopes cut to the app's; without a claim the app's; null if the claim is none. */
function scopesOf(payload: JWTPayload, appScopes: number): number | null {
  const claim = payload["scope"];
  if (claim === undefined) return appScopes;
  return typeof claim === "string" ? scopeBits(claim.split(" ")) & appScopes : null;
}

/**
 * Names separated by spaces in the claim `scope` (RFC 8693 §4.2). Names that are not ours mean
 * nothing here.
 */
function scopeBits(scopes: readonly string[]): number {
  let bits = 0;
  for (const scope of scopes) bits |= SCOPE_BITS[scope as Scope] ?? 0;
  return bits;
}
