/**
 * One bearer token: read without trust, then verified with the key that its source has for it.
 *
 *   read    three parts, strict JSON, an algorithm of the source, the app's id, not expired
 *   verify  signature, then exp, nbf, aud, iss with leeway (jose), then iat
 *
 * What fails by reading costs no signature. JWS RFC 7515, JWT RFC 7519. Any thread.
 */
import type { KeyObject } from "node:crypto";
import { type JWTPayload, jwtVerify, type JWTVerifyOptions } from "jose";
import type { JwtConfig } from "../../config/types.ts";
import type { Algorithm, KeySource } from "./key-source.ts";

/** What a token says before it is verified. */
export interface UnverifiedToken {
  readonly text: string;
  readonly algorithm: Algorithm;
  readonly kid: string | null;
}

/** Longer headers are refused unread. */
export const AUTHORIZATION_LENGTH_MAX = 4096;
const BEARER = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i;
/** Media types of a JWT (RFC 7519 §5.1) and of an access token (RFC 9068 §2.1). */
const TYPES: readonly unknown[] = [undefined, "jwt", "at+jwt", "application/at+jwt"];

/** Whether a header looks like a bearer token at all. */
export function isBearer(authorization: string): boolean {
  return authorization.length <= AUTHORIZATION_LENGTH_MAX && BEARER.test(authorization);
}

/** Reads a header for `appId`; null if it cannot become valid, whatever its signature is. */
export function readToken(
  authorization: string,
  appId: string,
  source: KeySource,
  wallMs: number,
): UnverifiedToken | null {
  const text = isBearer(authorization) ? BEARER.exec(authorization)?.[1] : undefined;
  if (text === undefined) return null;
  const [first, second] = text.split(".") as [string, string];
  const header = readPart(first);
  const payload = readPart(second);
  if (header === null || payload === null) return null;
  const { alg, kid = null, typ } = header;
  if (!source.takes(alg)) return null;
  if (kid !== null && typeof kid !== "string") return null;
  if (!TYPES.includes(typeof typ === "string" ? typ.toLowerCase() : typ)) return null;
  const { app_id: claimed, exp } = payload;
  if (typeof claimed !== "number" || String(claimed) !== appId) return null;
  if (typeof exp !== "number" || !Number.isFinite(exp)) return null;
  if ((exp + source.jwt.leewayS) * 1000 <= wallMs) return null;
  return { text, algorithm: alg, kid };
}

/** The claims of a token whose signature fits `key`; null if anything is wrong with it. */
export async function verifyToken(
  token: UnverifiedToken,
  key: KeyObject,
  jwt: JwtConfig,
  wallMs: number,
): Promise<JWTPayload | null> {
  const options: JWTVerifyOptions = {
    algorithms: [token.algorithm],
    audience: jwt.audience,
    requiredClaims: ["exp", "app_id"],
    clockTolerance: jwt.leewayS,
    currentDate: new Date(wallMs),
  };
  if (jwt.issuer !== null) options.issuer = jwt.issuer;
  try {
    const { payload } = await jwtVerify(token.text, key, options);
    const { iat } = payload;
    return iat !== undefined && iat * 1000 > wallMs + jwt.leewayS * 1000 ? null : payload;
  } catch {
    return null;
  }
}

/**
 * A part of a token as JSON object without a name that is there twice (RFC 7519 §4 lets us refuse
 * them, and two readers would take different ones); null if it is none.
 */
function readPart(part: string): Readonly<Record<string, unknown>> | null {
  const text = Buffer.from(part, "base64url").toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return countNames(value) === countWrittenNames(text) ? (value as Record<string, unknown>) : null;
}

/** Member names in a JSON text: its strings with a colon behind them. */
function countWrittenNames(text: string): number {
  let count = 0;
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) {
    if (colon !== undefined) count += 1;
  }
  return count;
}

function countNames(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const children: unknown[] = Object.values(value);
  let count = Array.isArray(value) ? 0 : children.length;
  for (const child of children) count += countNames(child);
  return count;
}
