/**
 * A JSON Web Key Set (RFC 7517) as keys that verify tokens, each bound to one algorithm.
 *
 *   RSA ≥ 2048 bits ─► RS256      EC P-256 ─► ES256      OKP Ed25519 ─► EdDSA
 *
 * Whole sets are refused for what nobody publishes by intention: symmetric keys, private keys,
 * short RSA keys. Keys for other uses, curves and algorithms are passed over. Pure.
 */
import { createPublicKey, type KeyObject } from "node:crypto";

export const KEY_SET_BYTES_MAX = 256 * 1024;
const KEYS_MAX = 100;
const RSA_BITS_MIN = 2048;

export type AsymmetricAlgorithm = "RS256" | "ES256" | "EdDSA";

export interface VerifyingKey {
  /** Empty: the key has no `kid`. */
  readonly kid: string;
  readonly algorithm: AsymmetricAlgorithm;
  readonly key: KeyObject;
}

/** The usable keys of a set, or why it cannot be used, as a phrase. */
export type KeySetResult =
  | { readonly keys: readonly VerifyingKey[]; readonly refusal: null }
  | { readonly keys: null; readonly refusal: string };

/** Parses a key set. */
export function parseKeySet(text: string): KeySetResult {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return refused("not JSON");
  }
  const list = (parsed as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list)) return refused('no list "keys"');
  if (list.length > KEYS_MAX) return refused(`${list.length} keys, more than ${KEYS_MAX}`);
  const keys: VerifyingKey[] = [];
  for (const [index, jwk] of (list as unknown[]).entries()) {
    if (!isMapping(jwk)) return refused(`keys[${index}] is not an object`);
    const found = keyOf(jwk);
    if (typeof found === "string") return refused(`keys[${index}] ${found}`);
    if (found === null) continue;
    const same = keys.some(({ kid, algorithm }) => {
      return kid === found.kid && algorithm === found.algorithm;
    });
    if (same) return refused(`keys[${index}] has the kid and algorithm of an earlier one`);
    keys.push(found);
  }
  if (keys.length === 0) return refused("no key for RS256, ES256 or EdDSA");
  return { keys, refusal: null };
}

type Jwk = Readonly<Record<string, unknown>>;

function refused(refusal: string): KeySetResult {
  return { keys: null, refusal };
}

function isMapping(value: unknown): value is Jwk {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The key; null: it is for something else; a text: the set is not to be trusted, and why. */
function keyOf(jwk: Jwk): VerifyingKey | string | null {
  if (jwk["kty"] === "oct" || jwk["k"] !== undefined) return "is symmetric";
  if (jwk["d"] !== undefined) return "is a private key";
  const algorithm = algorithmOf(jwk);
  if (algorithm === null || !isForVerifying(jwk)) return null;
  if (jwk["alg"] !== undefined && jwk["alg"] !== algorithm) return null;
  const { kid = "" } = jwk;
  if (typeof kid !== "string" || kid.length > 255) return "has a kid that is no short text";
  let key: KeyObject;
  try {
    key = createPublicKey({ key: publicPart(jwk), format: "jwk" });
  } catch {
    return "is malformed";
  }
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < RSA_BITS_MIN) return `is RSA of ${bits} bits, under 2048`;
  return { kid, algorithm, key };
}

/** The one algorithm that a key of this kind is used with here. */
function algorithmOf({ kty, crv }: Jwk): AsymmetricAlgorithm | null {
  if (kty === "RSA") return "RS256";
  if (kty === "EC" && crv === "P-256") return "ES256";
  return kty === "OKP" && crv === "Ed25519" ? "EdDSA" : null;
}

function isForVerifying(jwk: Jwk): boolean {
  if (jwk["use"] !== undefined && jwk["use"] !== "sig") return false;
  const operations: unknown = jwk["key_ops"];
  return operations === undefined || (Array.isArray(operations) && operations.includes("verify"));
}

/** Only what makes up the key: a set may say anything beside it. */
function publicPart(jwk: Jwk): Record<string, unknown> {
  const part: Record<string, unknown> = {};
  for (const name of ["kty", "crv", "x", "y", "n", "e"]) {
    if (jwk[name] !== undefined) part[name] = jwk[name];
  }
  return part;
}
