import assert from "node:assert/strict";
import { createHmac, createPrivateKey, createSign, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { ScopeBit } from "../../../src/ingress/admission/admission.ts";
import {
  type AppGrant,
  Authentication,
  CACHED_MS_MAX,
  type GrantAnswer,
} from "../../../src/ingress/auth/authentication.ts";
import {
  FAILURES_PER_S_MAX,
  VERIFYING_PER_PEER_MAX,
} from "../../../src/ingress/auth/verification-limit.ts";
import { configOf, CONFIG, RigClock, SECRET } from "./rig.ts";

const LEEWAY_S = 30;

function setUp(config: string = CONFIG) {
  const clock = new RigClock();
  const { auth, apps } = configOf(config);
  const authentication = new Authentication({
    jwt: auth.jwt,
    apps: apps.map((app, appIndex) => ({ appIndex, config: app })),
    clock,
    log: { write: () => undefined },
    fetchText: () => Promise.reject(new Error("no network here")),
  });
  const nowS = Math.floor(clock.wallMs() / 1000);
  return { clock, authentication, nowS };
}

const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A signed token; `header` and `payload` may be anything. */
function sign(payload: unknown, header: unknown = { alg: "HS256", typ: "JWT" }, key = SECRET) {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

/** The grant of a token, verified or cached. */
async function grantOf(
  authentication: Authentication,
  token: string,
  appId = "1",
  scheme = "Bearer ",
): Promise<AppGrant | null> {
  const found = authentication.find(scheme + token, appId);
  if (found !== undefined) return found;
  return await new Promise((resolve) => {
    const told = (answer: GrantAnswer): void => {
      assert.notEqual(answer, "unavailable");
      resolve(answer as AppGrant | null);
    };
    assert.equal(authentication.verify(scheme + token, appId, "peer", told), true);
  });
}

test("a good token is verified once, then found at once until it expires", async () => {
  const { authentication, clock, nowS } = setUp();
  const token = sign({ app_id: 1, aud: "smsgw", exp: nowS + 40, scope: "send ops other" });
  assert.equal(authentication.find(`Bearer ${token}`, "1"), undefined);
  const grant = await grantOf(authentication, token);
  assert.deepEqual(grant, { appIndex: 0, appId: 1, appIdText: "1", scopes: ScopeBit.SEND });
  assert.equal(authentication.find(`Bearer ${token}`, "1"), grant);
  assert.equal(authentication.find(`Bearer ${token}`, "2"), null);
  clock.nowMs += CACHED_MS_MAX;
  assert.equal(authentication.find(`Bearer ${token}`, "1"), undefined, "to be verified anew");
  assert.notEqual(await grantOf(authentication, token), null);
  clock.nowMs += 9999;
  assert.notEqual(authentication.find(`Bearer ${token}`, "1"), undefined);
  clock.nowMs += 1;
  assert.equal(authentication.find(`Bearer ${token}`, "1"), undefined, "expired in the cache");
  assert.equal(await grantOf(authentication, token), null);
});

test("scopes are cut to the app's; without a scope claim they are the app's", async () => {
  const { authentication, nowS } = setUp();
  const base = { aud: "smsgw", exp: nowS + 60 };
  const scopesOf = async (payload: object, app = "2") =>
    (await grantOf(authentication, sign({ ...base, ...payload }), app))?.scopes;
  assert.equal(await scopesOf({ app_id: 2 }), ScopeBit.SEND | ScopeBit.PIN);
  assert.equal(await scopesOf({ app_id: 2, scope: "send" }), ScopeBit.SEND);
  assert.equal(await scopesOf({ app_id: 2, scope: "ops" }), 0);
  assert.equal(await scopesOf({ app_id: 2, scope: "" }), 0);
  assert.equal(await scopesOf({ app_id: 2, scope: ["send"] }), undefined);
  assert.equal(await scopesOf({ app_id: 5, scope: "send ops" }, "5"), ScopeBit.OPS);
});

test("times have the leeway and no more", async () => {
  const { authentication, nowS } = setUp();
  const isValid = async (claims: object): Promise<boolean> => {
    const payload = { app_id: 1, aud: "smsgw", exp: nowS + 60, ...claims };
    return (await grantOf(authentication, sign(payload))) !== null;
  };
  assert.equal(await isValid({ exp: nowS - LEEWAY_S + 1 }), true);
  assert.equal(await isValid({ exp: nowS - LEEWAY_S }), false);
  assert.equal(await isValid({ nbf: nowS + LEEWAY_S }), true);
  assert.equal(await isValid({ nbf: nowS + LEEWAY_S + 1 }), false);
  assert.equal(await isValid({ iat: nowS + LEEWAY_S }), true);
  assert.equal(await isValid({ iat: nowS + LEEWAY_S + 6 }), false);
});

test("attacks on the token get nothing", async () => {
  const { authentication, nowS } = setUp();
  const good = { app_id: 1, aud: "smsgw", exp: nowS + 60, scope: "send" };
  const hs = { alg: "HS256", typ: "JWT" };
  const [header, payload, signature] = sign(good).split(".") as [string, string, string];
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const rs = (alg: string): string => {
    const signed = `${encode({ alg })}.${payload}`;
    const key = createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }));
    return `${signed}.${createSign("sha256").update(signed).sign(key, "base64url")}`;
  };
  const publicPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const without = (claim: string): string => {
    const rest: Record<string, unknown> = { ...good };
    delete rest[claim];
    return sign(rest);
  };
  const hmacOf = (alg: string, hash: string): string => {
    const signed = `${encode({ alg })}.${payload}`;
    return `${signed}.${createHmac(hash, SECRET).update(signed).digest("base64url")}`;
  };
  const duplicate = `{"app_id":2,"aud":"smsgw","exp":${nowS + 60},"app_id":3}`;
  const vectors: Record<string, string> = {
    "alg none": `${encode({ alg: "none" })}.${payload}.`,
    "alg None": `${encode({ alg: "None" })}.${payload}.${signature}`,
    "alg nOnE": `${encode({ alg: "nOnE" })}.${payload}.${signature}`,
    "alg missing": sign(good, { typ: "JWT" }),
    "alg lower case": sign(good, { alg: "hs256" }),
    "alg array": sign(good, { alg: ["HS256"] }),
    "alg HS384": hmacOf("HS384", "sha384"),
    "alg HS512": hmacOf("HS512", "sha512"),
    "alg RS256": rs("RS256"),
    "RS256 signature as HS256": rs("HS256"),
    "HMAC by a public key": sign(good, hs, publicPem),
    "HMAC by another secret": sign(good, hs, `${SECRET}x`),
    "HMAC by an empty secret": sign(good, hs, ""),
    "empty signature": `${header}.${payload}.`,
    "no signature": `${header}.${payload}`,
    "signature cut": `${header}.${payload}.${signature.slice(0, -4)}`,
    "signature of zeros": `${header}.${payload}.${"A".repeat(43)}`,
    "payload changed": `${header}.${encode({ ...good, app_id: 2 })}.${signature}`,
    "header changed": `${encode({ ...hs, kid: "1" })}.${payload}.${signature}`,
    "four parts": `${header}.${payload}.${signature}.x`,
    "five parts, as JWE": `${header}.${payload}.${signature}.x.y`,
    "exp missing": without("exp"),
    "exp text": sign({ ...good, exp: String(nowS + 60) }),
    "exp null": sign({ ...good, exp: null }),
    "exp negative": sign({ ...good, exp: -1 }),
    "aud missing": without("aud"),
    "aud other": sign({ ...good, aud: "other" }),
    "aud array without us": sign({ ...good, aud: ["a", "b"] }),
    "aud object": sign({ ...good, aud: { smsgw: true } }),
    "app_id missing": without("app_id"),
    "app_id text": sign({ ...good, app_id: "1" }),
    "app_id float": sign({ ...good, app_id: 1.5 }),
    "app_id other": sign({ ...good, app_id: 2 }),
    "app_id unknown": sign({ ...good, app_id: 99 }),
    "app_id array": sign({ ...good, app_id: [1] }),
    "duplicate app_id": sign(duplicate),
    "nbf text": sign({ ...good, nbf: "soon" }),
    "crit unknown": sign(good, { ...hs, crit: ["x"], x: 1 }),
    "crit empty": sign(good, { ...hs, crit: [] }),
    "crit text": sign(good, { ...hs, crit: "exp" }),
    "b64 false": sign(good, { ...hs, b64: false, crit: ["b64"] }),
    "nested token": sign(sign(good), { ...hs, cty: "JWT" }),
    "payload array": sign([good]),
    "payload text": sign("hello"),
    "payload not JSON": sign("{"),
    "header not JSON": `${encode("{")}.${payload}.${signature}`,
    "header not base64url": `+/+.${payload}.${signature}`,
    padding: `${header}=.${payload}.${signature}`,
    empty: "",
    "a megabyte": `${header}.${payload}.${"A".repeat(1 << 20)}`,
    "only dots": "..",
    spaces: `${header} .${payload}.${signature}`,
  };
  for (const [name, token] of Object.entries(vectors)) {
    assert.equal(await grantOf(authentication, token), null, name);
    assert.equal(await grantOf(authentication, token), null, `${name}, again`);
  }
  assert.notEqual(await grantOf(authentication, sign(good)), null, "the control is accepted");
});

test("header injections do not lead the key anywhere else", async () => {
  const { authentication, nowS } = setUp();
  const good = { app_id: 1, aud: "smsgw", exp: nowS + 60 };
  const other = "another secret of thirty-two bytes";
  for (const extra of [
    { kid: "../../../../dev/null" },
    { kid: "' UNION SELECT 'x" },
    { kid: "http://127.0.0.1/key" },
    { jwk: { kty: "oct", k: Buffer.from(other).toString("base64url") } },
    { jku: "http://127.0.0.1/jwks.json" },
    { x5u: "http://127.0.0.1/cert.pem" },
    { x5c: ["AAAA"] },
  ]) {
    const header = { alg: "HS256", ...extra };
    assert.equal(await grantOf(authentication, sign(good, header, other)), null);
    assert.equal(await grantOf(authentication, sign(good, header, "")), null);
  }
});

test("the scheme is bearer, the app id a plain decimal", async () => {
  const { authentication, nowS } = setUp();
  const token = sign({ app_id: 1, aud: ["x", "smsgw"], exp: nowS + 60 });
  assert.notEqual(await grantOf(authentication, token, "1", "bearer "), null);
  for (const scheme of ["", "Basic ", "Bearer", "Bearer  ", "Bearer\t"]) {
    assert.equal(await grantOf(authentication, token, "1", scheme), null);
  }
  for (const appId of ["", "01", "1 ", "+1", "1.0", "0x1", "1,1", "-1", "2", "11111111111"]) {
    assert.equal(await grantOf(authentication, token, appId), null, appId);
  }
});

test("an issuer is required where one is configured", async () => {
  const config = CONFIG.replace("audience: smsgw", "audience: smsgw, issuer: us");
  const { authentication, nowS } = setUp(config);
  const good = { app_id: 1, aud: "smsgw", exp: nowS + 60 };
  assert.equal(await grantOf(authentication, sign(good)), null);
  assert.equal(await grantOf(authentication, sign({ ...good, iss: "them" })), null);
  assert.notEqual(await grantOf(authentication, sign({ ...good, iss: "us" })), null);
});

test("without a secret nobody gets in", async () => {
  const config = CONFIG.replace("secret_file: secret, ", "");
  const { authentication, nowS } = setUp(config);
  const token = sign({ app_id: 1, aud: "smsgw", exp: nowS + 60 });
  assert.equal(await grantOf(authentication, token), null);
});

test("verifications at once are bounded by peer, calls with one token share one", async () => {
  const { authentication, nowS } = setUp();
  const token = (n: number): string =>
    `Bearer ${sign({ app_id: 1, aud: "smsgw", exp: nowS + 60, n })}`;
  const told: GrantAnswer[] = [];
  const waiting: Promise<void>[] = [];
  const ask = (header: string, peer = "a", appId = "1"): boolean => {
    let resolve: () => void = () => undefined;
    const done = new Promise<void>((called) => (resolve = called));
    const asked = authentication.verify(header, appId, peer, (grant) => {
      told.push(grant);
      resolve();
    });
    if (asked) waiting.push(done);
    return asked;
  };
  for (let i = 0; i < VERIFYING_PER_PEER_MAX; i++) assert.equal(ask(token(i)), true);
  assert.equal(ask(token(-1)), false);
  assert.equal(ask(token(-1), "b"), true, "another peer has its own share");
  assert.equal(ask(token(0)), true, "shares the one under way");
  assert.equal(ask(token(0), "a", "2"), true, "refused by reading");
  await Promise.all(waiting);
  assert.equal(told.length, VERIFYING_PER_PEER_MAX + 3);
  assert.equal(told.filter((grant) => grant === null).length, 1);
  assert.equal(ask(token(-2)), true);
  await waiting.at(-1);
});

test("a peer that is wrong too often waits a second; others and cached tokens do not", async () => {
  const { authentication, clock, nowS } = setUp();
  const good = sign({ app_id: 1, aud: "smsgw", exp: nowS + 600 });
  assert.notEqual(await grantOf(authentication, good), null);
  const ask = (header: string, peer: string): Promise<GrantAnswer | "refused"> => {
    return new Promise((resolve) => {
      const asked = authentication.verify(`Bearer ${header}`, "1", peer, resolve);
      if (!asked) resolve("refused");
    });
  };
  const bad = (n: number): string =>
    sign({ app_id: 1, aud: "smsgw", exp: nowS + 60, n }, undefined, "another secret");
  for (let i = 0; i < FAILURES_PER_S_MAX; i++) assert.equal(await ask(bad(i), "a"), null);
  assert.equal(await ask(bad(-1), "a"), "refused");
  assert.equal(await ask(bad(-1), "b"), null);
  assert.notEqual(authentication.find(`Bearer ${good}`, "1"), undefined);
  clock.nowMs += 1000;
  assert.equal(await ask(bad(-1), "a"), null);
});

test("what is forgotten while it is verified is not remembered", async () => {
  const { authentication, nowS } = setUp();
  const token = sign({ app_id: 1, aud: "smsgw", exp: nowS + 60 });
  const granted = grantOf(authentication, token);
  authentication.forget();
  assert.notEqual(await granted, null);
  assert.equal(authentication.find(`Bearer ${token}`, "1"), undefined);
  await grantOf(authentication, token);
  assert.notEqual(authentication.find(`Bearer ${token}`, "1"), undefined);
  authentication.forget();
  assert.equal(authentication.find(`Bearer ${token}`, "1"), undefined);
});
