/**
 * Who is calling: a bearer token (JWT, HS256) and the app it speaks for.
 *
 *   Authorization, X-App-ID ──► cached? ──► AppGrant at once
 *                                  └─────► verify (jose), then the waiting calls learn the result
 *
 * A token is verified anew 60 s after it was last, and its expiry is checked at every use. Every
 * way to fail looks the same from outside. One instance per ingress thread; nothing is allocated
 * for a cached token.
 */
import { createSecretKey } from "node:crypto";
import { type JWTPayload, jwtVerify, type JWTVerifyOptions } from "jose";
import type { AppConfig, JwtConfig, Scope } from "../config/types.ts";
import type { Clock } from "../environment.ts";
import { ScopeBit } from "./admission.ts";

/** Who a verified token speaks for. */
export interface AppGrant {
  readonly appIndex: number;
  readonly appId: number;
  /** The app's id as it must stand in X-App-ID. */
  readonly appIdText: string;
  /** ScopeBit set: the token's scopes that the app has too. */
  readonly scopes: number;
}

/**
 * Gets the result of a verification that took time: null if the token is not valid for this app.
 */
export type GrantListener = (grant: AppGrant | null) => void;

/** `find`: not cached; call `verify`. */
export const NOT_CACHED = undefined;

interface CachedGrant {
  readonly grant: AppGrant;
  readonly verifiedAtMs: number;
  /** Wall ms after which the token is expired, leeway included. */
  readonly expiresAtMs: number;
}

/** Verified tokens that are remembered. */
export const CACHED_TOKENS_MAX = 10_000;
/** Longest that a verification is trusted. */
export const CACHED_MS_MAX = 60_000;
/** Different tokens that are being verified at once; beyond it `verify` refuses. */
export const VERIFYING_MAX = 256;
/** Calls that wait for one token. */
const LISTENERS_MAX = 4096;
/** Longer headers are refused unread. */
const HEADER_LENGTH_MAX = 4096;
const BEARER = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i;
const SCOPE_BITS: Readonly<Record<Scope, number>> = {
  send: ScopeBit.SEND,
  ops: ScopeBit.OPS,
  "route:pin": ScopeBit.PIN,
};

export interface AuthenticationOptions {
  readonly jwt: JwtConfig;
  /** By app index. */
  readonly apps: readonly AppConfig[];
  readonly clock: Clock;
}

export class Authentication {
  readonly #key: ReturnType<typeof createSecretKey> | null;
  readonly #jwt: JwtConfig;
  readonly #clock: Clock;
  readonly #grants = new Map<number, { readonly index: number; readonly scopes: number }>();
  readonly #cached = new Map<string, CachedGrant>();
  readonly #verifying = new Map<string, GrantListener[]>();

  constructor(options: AuthenticationOptions) {
    const { secret } = options.jwt;
    this.#key = secret === null ? null : createSecretKey(Buffer.from(secret, "utf8"));
    this.#jwt = options.jwt;
    this.#clock = options.clock;
    for (const [index, app] of options.apps.entries()) {
      this.#grants.set(app.id, { index, scopes: scopeBits(app.scopes) });
    }
  }

  /**
   * The grant of a header seen before; null if it is surely not valid for this X-App-ID; NOT_CACHED
   * if `verify` has to be asked.
   */
  find(authorization: string, appId: string): AppGrant | null | undefined {
    const cached = this.#cached.get(authorization);
    if (cached !== undefined) {
      const wallMs = this.#clock.wallMs();
      if (wallMs < cached.expiresAtMs && wallMs - cached.verifiedAtMs < CACHED_MS_MAX) {
        return cached.grant.appIdText === appId ? cached.grant : null;
      }
      this.#cached.delete(authorization);
    }
    if (this.#key === null || authorization.length > HEADER_LENGTH_MAX) return null;
    return BEARER.test(authorization) && /^[1-9][0-9]{0,9}$/.test(appId) ? NOT_CACHED : null;
  }

  /**
   * Verifies a header that `find` does not know; `listener` is called later, exactly once. False:
   * too many are being verified, and it will not be called.
   */
  verify(authorization: string, appId: string, listener: GrantListener): boolean {
    const tell: GrantListener = (grant) => {
      listener(grant !== null && grant.appIdText === appId ? grant : null);
    };
    const waiting = this.#verifying.get(authorization);
    if (waiting !== undefined) {
      if (waiting.length >= LISTENERS_MAX) return false;
      waiting.push(tell);
      return true;
    }
    if (this.#verifying.size >= VERIFYING_MAX) return false;
    const listeners = [tell];
    this.#verifying.set(authorization, listeners);
    void this.#verifyToken(authorization).then((grant) => {
      this.#verifying.delete(authorization);
      for (const told of listeners) told(grant);
    });
    return true;
  }

  /** Never rejects: whatever is wrong with the token makes null. */
  async #verifyToken(authorization: string): Promise<AppGrant | null> {
    const token = BEARER.exec(authorization)?.[1];
    if (this.#key === null || token === undefined) return null;
    const wallMs = this.#clock.wallMs();
    const options: JWTVerifyOptions = {
      algorithms: ["HS256"],
      audience: this.#jwt.audience,
      requiredClaims: ["exp", "app_id"],
      clockTolerance: this.#jwt.leewayS,
      currentDate: new Date(wallMs),
    };
    if (this.#jwt.issuer !== null) options.issuer = this.#jwt.issuer;
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, this.#key, options));
    } catch {
      return null;
    }
    const grant = this.#grantOf(payload, wallMs);
    if (grant !== null) this.#remember(authorization, grant, wallMs, payload.exp as number);
    return grant;
  }

  #grantOf(payload: JWTPayload, wallMs: number): AppGrant | null {
    const appId = payload["app_id"];
    const app = typeof appId === "number" ? this.#grants.get(appId) : undefined;
    if (app === undefined) return null;
    const { iat } = payload;
    if (iat !== undefined && iat * 1000 > wallMs + this.#jwt.leewayS * 1000) return null;
    const scopes = payload["scope"] === undefined ? app.scopes : tokenScopes(payload["scope"]);
    if (scopes === null) return null;
    return {
      appIndex: app.index,
      appId: appId as number,
      appIdText: String(appId),
      scopes: scopes & app.scopes,
    };
  }

  #remember(authorization: string, grant: AppGrant, wallMs: number, expS: number): void {
    if (this.#cached.size >= CACHED_TOKENS_MAX) {
      const oldest = this.#cached.keys().next();
      if (oldest.done !== true) this.#cached.delete(oldest.value);
    }
    const expiresAtMs = (expS + this.#jwt.leewayS) * 1000;
    this.#cached.set(authorization, { grant, verifiedAtMs: wallMs, expiresAtMs });
  }
}

function scopeBits(scopes: readonly string[]): number {
  let bits = 0;
  for (const scope of scopes) bits |= SCOPE_BITS[scope as Scope] ?? 0;
  return bits;
}

/**
 * The `scope` claim: names separated by spaces (RFC 8693 §4.2). Names that are not ours mean
 * nothing here.
 */
function tokenScopes(claim: unknown): number | null {
  return typeof claim === "string" ? scopeBits(claim.split(" ")) : null;
}
