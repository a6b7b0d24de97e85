/** Key pairs and tokens for tests of authentication: any header, any claims, any algorithm. */
import {
  createHmac,
  createSign,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
} from "node:crypto";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const RSA: KeyPair = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const RSA_OTHER: KeyPair = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const RSA_SHORT: KeyPair = generateKeyPairSync("rsa", { modulusLength: 1024 });
export const EC: KeyPair = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const ED: KeyPair = generateKeyPairSync("ed25519");

/** The public key as a member of a key set. */
export function jwkOf(pair: KeyPair, more: object = {}): Record<string, unknown> {
  return { ...pair.publicKey.export({ format: "jwk" }), use: "sig", ...more };
}

export const keySet = (...keys: object[]): string => JSON.stringify({ keys });

export function encode(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return Buffer.from(text).toString("base64url");
}

/** Header and payload with a signature made by `signature` from the signed text. */
export function tokenOf(
  header: unknown,
  payload: unknown,
  signature: (signed: string) => string,
): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${signature(signed)}`;
}

export function hmac(secret: string | Buffer, hash = "sha256"): (signed: string) => string {
  return (signed) => createHmac(hash, secret).update(signed).digest("base64url");
}

export function rsa(pair: KeyPair = RSA, hash = "sha256"): (signed: string) => string {
  return (signed) => createSign(hash).update(signed).sign(pair.privateKey, "base64url");
}

export function es256(pair: KeyPair = EC): (signed: string) => string {
  return (signed) => {
    const key = { key: pair.privateKey, dsaEncoding: "ieee-p1363" } as const;
    return createSign("sha256").update(signed).sign(key, "base64url");
  };
}

export function eddsa(pair: KeyPair = ED): (signed: string) => string {
  return (signed) => signBytes(null, Buffer.from(signed), pair.privateKey).toString("base64url");
}
