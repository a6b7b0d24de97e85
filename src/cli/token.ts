/**
 * `smsgw token`: a token for trying things out, signed with the configuration's HS256 secret or a
 * private key.
 *
 * A development tool: in production tokens come from whoever keeps the keys. JWS compact form,
 * RFC 7515 §7.1; algorithms of RFC 7518 §3.2 to §3.4 and RFC 8037 §3.1.
 */
import { createHmac, createPrivateKey, type KeyObject, sign } from "node:crypto";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../config/parse.ts";
import type { AppConfig, Scope } from "../config/types.ts";
import { EXIT_CODES } from "../errors.ts";
import { printJson, UsageError } from "./output.ts";
import type { CliIo } from "./output.ts";

export const usage = `Usage: smsgw token --app <id> [options]

Prints a bearer token for an app, signed with auth.jwt's secret or a private key. For
development.

Options:
  --app <id>         the app; required
  -c, --config FILE  configuration (smsgw.yaml)
  --ttl DURATION     life of the token: 90s, 15m, 1h, 7d (1h)
  --scopes LIST      comma-separated, among the app's (all of them)
  --key FILE         private key, PEM: RSA (RS256), P-256 (ES256) or Ed25519 (EdDSA)
  --kid ID           which key of the key set verifies it (none)
  --json             print token, app, scopes and expires_at as JSON
`;

const TTL_S_MAX = 366 * 86_400;
const UNIT_S = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** What a token says. */
export interface TokenClaims {
  readonly appId: number;
  readonly audience: string;
  /** null: no `iss` claim. */
  readonly issuer: string | null;
  readonly scopes: readonly string[];
  /** Seconds since the Unix epoch. */
  readonly issuedAtS: number;
  readonly ttlS: number;
}

function base64UrlJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** A JWT (RFC 7519) signed with HS256; `scope` is space-separated as in RFC 8693 §4.2. */
export function signToken(claims: TokenClaims, secret: string): string {
  const signed = `${base64UrlJson({ alg: "HS256", typ: "JWT" })}.${payloadOf(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** The same signed with a private key, by the algorithm of its kind. Throws for other kinds. */
export function signTokenBy(key: KeyObject, claims: TokenClaims, kid: string | undefined): string {
  const { algorithm, hash } = algorithmOf(key);
  const header = { alg: algorithm, typ: "JWT", ...(kid === undefined ? {} : { kid }) };
  const signed = `${base64UrlJson(header)}.${payloadOf(claims)}`;
  const signature = sign(hash, Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
  return `${signed}.${signature.toString("base64url")}`;
}

function algorithmOf(key: KeyObject): { readonly algorithm: string; readonly hash: string | null } {
  if (key.asymmetricKeyType === "rsa") return { algorithm: "RS256", hash: "sha256" };
  if (key.asymmetricKeyType === "ed25519") return { algorithm: "EdDSA", hash: null };
  if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") {
    return { algorithm: "ES256", hash: "sha256" };
  }
  throw new UsageError(`--key: ${key.asymmetricKeyType} is not RSA, P-256 or Ed25519`);
}

function payloadOf(claims: TokenClaims): string {
  return base64UrlJson({
    app_id: claims.appId,
    aud: claims.audience,
    ...(claims.issuer === null ? {} : { iss: claims.issuer }),
    scope: claims.scopes.join(" "),
    iat: claims.issuedAtS,
    exp: claims.issuedAtS + claims.ttlS,
  });
}

function parseTtl(text: string): number {
  const match = /^(?<amount>\d{1,9})(?<unit>[smhd])$/u.exec(text);
  const unit = match?.groups?.["unit"] as keyof typeof UNIT_S | undefined;
  const ttlS = unit === undefined ? 0 : Number(match?.groups?.["amount"]) * UNIT_S[unit];
  if (ttlS >= 1 && ttlS <= TTL_S_MAX) return ttlS;
  throw new UsageError(
    `--ttl ${JSON.stringify(text)}: allowed are 1s to 366d, as 90s, 15m, 1h, 7d`,
  );
}

function findApp(apps: readonly AppConfig[], text: string): AppConfig {
  const app = apps.find((one) => String(one.id) === text);
  if (app !== undefined) return app;
  const ids = apps.slice(0, 20).map((one) => one.id);
  throw new UsageError(`--app ${JSON.stringify(text)}: the configuration has ${ids.join(", ")}`);
}

function pickScopes(app: AppConfig, text: string | undefined): readonly Scope[] {
  if (text === undefined) return app.scopes;
  return text.split(",").map((word) => {
    const scope = app.scopes.find((one) => one === word.trim());
    if (scope !== undefined) return scope;
    const has = app.scopes.join(", ") || "none";
    throw new UsageError(`--scopes ${JSON.stringify(word)}: app ${app.id} has ${has}`);
  });
}

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      app: { type: "string" },
      config: { type: "string", short: "c", default: "smsgw.yaml" },
      ttl: { type: "string", default: "1h" },
      scopes: { type: "string" },
      key: { type: "string" },
      kid: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  if (values.app === undefined) throw new UsageError("--app is required");
  const ttlS = parseTtl(values.ttl);
  const config = loadConfig(resolve(io.cwd, values.config), io.env, io.readFile);
  const app = findApp(config.apps, values.app);
  const scopes = pickScopes(app, values.scopes);
  const { secret, audience, issuer } = app.jwt ?? config.auth.jwt;
  const issuedAtS = Math.floor(io.wallMs() / 1000);
  const claims = { appId: app.id, audience, issuer, scopes, issuedAtS, ttlS };
  let token: string;
  if (values.key !== undefined) {
    const key = createPrivateKey(Buffer.from(io.readFile(resolve(io.cwd, values.key))));
    token = signTokenBy(key, claims, values.kid);
  } else if (secret === null) {
    throw new Error("auth.jwt has no secret: set secret_file, SMSGW_AUTH__JWT__SECRET, or --key");
  } else {
    token = signToken(claims, secret);
  }
  if (values.json) {
    const expiresAt = new Date((issuedAtS + ttlS) * 1000).toISOString();
    printJson(io, { token, app: app.id, scopes, expires_at: expiresAt });
  } else {
    io.stdout(`${token}\n`);
  }
  return EXIT_CODES.ok.code;
}
