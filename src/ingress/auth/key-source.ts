/**
 * Where the keys come from that verify an app's tokens: the HS256 secret, a key set out of a file,
 * a key set behind a URL.
 *
 * A key is found by algorithm and `kid` together, so that a token cannot have a key used with
 * another algorithm than its own. One instance per source and thread.
 */
import { createSecretKey, type KeyObject } from "node:crypto";
import { type AsymmetricAlgorithm, parseKeySet, type VerifyingKey } from "../../config/key-set.ts";
import type { JwtConfig } from "../../config/types.ts";

export type Algorithm = AsymmetricAlgorithm | "HS256";

/** No such key now; the set behind the URL could not be had yet. */
export const NO_KEY = null;
export const NO_KEY_SET = "unavailable";

export type KeyAnswer = KeyObject | typeof NO_KEY | typeof NO_KEY_SET;

/** Keys that may change while the process runs. */
export interface KeySet {
  /** Called once, later or at once. */
  find(algorithm: AsymmetricAlgorithm, kid: string | null): Promise<KeyAnswer> | KeyAnswer;
}

/** A key set that never changes. */
export class FixedKeySet implements KeySet {
  readonly #keys: readonly VerifyingKey[];

  constructor(keys: readonly VerifyingKey[]) {
    this.#keys = keys;
  }

  find(algorithm: AsymmetricAlgorithm, kid: string | null): KeyAnswer {
    return pickKey(this.#keys, algorithm, kid);
  }
}

/** A token without `kid` may only mean the one key of its algorithm. */
export function pickKey(
  keys: readonly VerifyingKey[],
  algorithm: AsymmetricAlgorithm,
  kid: string | null,
): KeyObject | null {
  const fitting = keys.filter((key) => {
    return key.algorithm === algorithm && (kid === null || key.kid === kid);
  });
  return fitting.length === 1 ? (fitting[0] as VerifyingKey).key : NO_KEY;
}

export class KeySource {
  readonly jwt: JwtConfig;
  readonly #secret: KeyObject | null;
  readonly #set: KeySet | null;

  /** `setOf` makes the key set behind a URL. Throws if the file's set is refused. */
  constructor(jwt: JwtConfig, setOf: (url: string) => KeySet) {
    this.jwt = jwt;
    this.#secret = jwt.secret === null ? null : createSecretKey(Buffer.from(jwt.secret, "utf8"));
    if (jwt.jwksUrl !== null) this.#set = setOf(jwt.jwksUrl);
    else this.#set = jwt.jwks === null ? null : new FixedKeySet(keysOf(jwt.jwks));
  }

  /** Whether a token signed with `algorithm` can be verified at all. */
  takes(algorithm: unknown): algorithm is Algorithm {
    if (algorithm === "HS256") return this.#secret !== null;
    if (this.#set === null) return false;
    return algorithm === "RS256" || algorithm === "ES256" || algorithm === "EdDSA";
  }

  find(algorithm: Algorithm, kid: string | null): Promise<KeyAnswer> | KeyAnswer {
    if (algorithm === "HS256") return this.#secret;
    return this.#set === null ? NO_KEY : this.#set.find(algorithm, kid);
  }
}

function keysOf(text: string): readonly VerifyingKey[] {
  const { keys, refusal } = parseKeySet(text);
  if (keys === null) throw new Error(`jwks_file: ${refusal}`);
  return keys;
}
