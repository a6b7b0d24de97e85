/**
 * Attacks on tokens against the real HTTP server, with every kind of key configured: none may send
 * a message, and every answer is the same 401 (or 403), byte for byte.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { signTokenBy } from "../../../src/cli/token.ts";
import { Counter } from "../../../src/metrics/block.ts";
import { HttpRig } from "./http-rig.ts";
import { CONFIG, SECRET } from "./rig.ts";
import {
  EC,
  ED,
  eddsa,
  encode,
  es256,
  hmac,
  jwkOf,
  keySet,
  RSA,
  rsa,
  RSA_OTHER,
  RSA_SHORT,
  tokenOf,
} from "./signing-keys.ts";

const LEEWAY_S = 30;
const OTHER_SECRET = "the secret of app 2, 32 bytes or more";
/** Keys that headers of the attacks point to; nobody may ask for them. */
let visits = 0;
const bait = createServer((_, response) => {
  visits += 1;
  response.end(keySet(jwkOf(RSA_OTHER, { kid: "bait" })));
});
await new Promise<void>((resolve) => bait.listen(0, "127.0.0.1", resolve));
const BAIT = `http://127.0.0.1:${(bait.address() as AddressInfo).port}`;

const http = new HttpRig({
  config: CONFIG.replace(
    "jwt: { secret_file: secret, audience: smsgw }",
    "jwt: { secret_file: secret, jwks_file: keys.json, audience: smsgw, issuer: us }",
  ).replace("name: pinner,", "name: pinner, jwt: { secret_file: other, audience: smsgw },"),
  files: {
    "keys.json": keySet(
      jwkOf(RSA, { kid: "rsa", alg: "RS256" }),
      jwkOf(EC, { kid: "ec" }),
      jwkOf(ED, { kid: "ed" }),
    ),
    other: OTHER_SECRET,
  },
});
after(async () => {
  await http.close();
  bait.close();
});

const nowS = Math.floor(http.rig.clock.wallMs() / 1000);
const GOOD = { iss: "us", aud: "smsgw", app_id: 1, scope: "send", exp: nowS + 600, iat: nowS };
const HS = { alg: "HS256", typ: "JWT" };
const RS = { alg: "RS256", typ: "JWT", kid: "rsa" };
const ES = { alg: "ES256", typ: "JWT", kid: "ec" };
const EDDSA = { alg: "EdDSA", typ: "JWT", kid: "ed" };
const hs = (payload: unknown, header: unknown = HS): string =>
  tokenOf(header, payload, hmac(SECRET));
const good = hs(GOOD);
const [header, payload, signature] = good.split(".") as [string, string, string];
const rsaPem = RSA.publicKey.export({ type: "spki", format: "pem" });
const rsaDer = RSA.publicKey.export({ type: "spki", format: "der" });

function without(claim: string): string {
  const rest: Record<string, unknown> = { ...GOOD };
  delete rest[claim];
  return hs(rest);
}

/** ES256 with a given raw signature of 64 bytes. */
const esRaw = (bytes: Buffer): string => tokenOf(ES, GOOD, () => bytes.toString("base64url"));
/** The order of P-256: r = s = n, and other edges, must not pass as 0 does not. */
const ORDER = Buffer.from(
  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
  "hex",
);

const VECTORS: Readonly<Record<string, string>> = {
  "alg none": `${encode({ alg: "none" })}.${payload}.`,
  "alg none with a signature": `${encode({ alg: "none" })}.${payload}.${signature}`,
  "alg None": `${encode({ alg: "None" })}.${payload}.${signature}`,
  "alg NONE": `${encode({ alg: "NONE" })}.${payload}.${signature}`,
  "alg nOnE": `${encode({ alg: "nOnE" })}.${payload}.${signature}`,
  "alg empty": hs(GOOD, { ...HS, alg: "" }),
  "alg missing": hs(GOOD, { typ: "JWT" }),
  "alg null": hs(GOOD, { alg: null }),
  "alg lower case": hs(GOOD, { alg: "hs256" }),
  "alg list": hs(GOOD, { alg: ["HS256"] }),
  "alg HS384": tokenOf({ alg: "HS384" }, GOOD, hmac(SECRET, "sha384")),
  "alg HS512": tokenOf({ alg: "HS512" }, GOOD, hmac(SECRET, "sha512")),
  "alg RS512": tokenOf({ ...RS, alg: "RS512" }, GOOD, rsa(RSA, "sha512")),
  "alg PS256": tokenOf({ ...RS, alg: "PS256" }, GOOD, rsa()),
  "alg ES384": tokenOf({ ...ES, alg: "ES384" }, GOOD, es256()),
  "HS256 by the RSA public key, PEM": tokenOf(HS, GOOD, hmac(rsaPem)),
  "HS256 by the RSA public key, PEM, kid": tokenOf({ ...HS, kid: "rsa" }, GOOD, hmac(rsaPem)),
  "HS256 by the RSA public key, DER": tokenOf(HS, GOOD, hmac(rsaDer)),
  "HS256 by the RSA modulus": tokenOf(HS, GOOD, hmac(jwkOf(RSA)["n"] as string)),
  "HS256 by an empty secret": tokenOf(HS, GOOD, hmac("")),
  "HS256 by another secret": tokenOf(HS, GOOD, hmac(`${SECRET}x`)),
  "HS256 by another app's secret": tokenOf(HS, GOOD, hmac(OTHER_SECRET)),
  "RS256 signature as HS256": tokenOf(HS, GOOD, rsa()),
  "RS256 by another key": tokenOf(RS, GOOD, rsa(RSA_OTHER)),
  "RS256 by a short key": tokenOf(RS, GOOD, rsa(RSA_SHORT)),
  "RS256 with the kid of the EC key": tokenOf({ ...RS, kid: "ec" }, GOOD, rsa()),
  "ES256 with the kid of the RSA key": tokenOf({ ...ES, kid: "rsa" }, GOOD, es256()),
  "EdDSA with the kid of the RSA key": tokenOf({ ...EDDSA, kid: "rsa" }, GOOD, eddsa()),
  "ES256 signature in DER": tokenOf(ES, GOOD, rsa(EC)),
  "ES256 r = s = 0": esRaw(Buffer.alloc(64)),
  "ES256 r = s = n": esRaw(Buffer.concat([ORDER, ORDER])),
  "ES256 r = 1, s = n": esRaw(Buffer.concat([Buffer.alloc(31), Buffer.from([1]), ORDER])),
  "ES256 all ones": esRaw(Buffer.alloc(64, 0xff)),
  "ES256 short": esRaw(Buffer.alloc(32)),
  "EdDSA zeros": tokenOf(EDDSA, GOOD, () => Buffer.alloc(64).toString("base64url")),
  "EdDSA identity": tokenOf(EDDSA, GOOD, () => {
    return Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]).toString("base64url");
  }),
  "empty signature": `${header}.${payload}.`,
  "no signature": `${header}.${payload}`,
  "signature cut": `${header}.${payload}.${signature.slice(0, -4)}`,
  "signature longer": `${header}.${payload}.${signature}AAAA`,
  "signature of zeros": `${header}.${payload}.${"A".repeat(43)}`,
  "payload changed": `${header}.${encode({ ...GOOD, app_id: 2 })}.${signature}`,
  "header changed": `${encode({ ...HS, kid: "1" })}.${payload}.${signature}`,
  "exp missing": without("exp"),
  "exp over": hs({ ...GOOD, exp: nowS - LEEWAY_S - 1 }),
  "exp at the edge": hs({ ...GOOD, exp: nowS - LEEWAY_S }),
  "exp text": hs({ ...GOOD, exp: String(nowS + 60) }),
  "exp null": hs({ ...GOOD, exp: null }),
  "exp infinite": hs(`{"iss":"us","aud":"smsgw","app_id":1,"exp":1e999}`),
  "exp negative": hs({ ...GOOD, exp: -1 }),
  "nbf ahead": hs({ ...GOOD, nbf: nowS + LEEWAY_S + 60 }),
  "nbf text": hs({ ...GOOD, nbf: "soon" }),
  "iat ahead": hs({ ...GOOD, iat: nowS + LEEWAY_S + 60 }),
  "iat text": hs({ ...GOOD, iat: "now" }),
  "aud missing": without("aud"),
  "aud other": hs({ ...GOOD, aud: "other" }),
  "aud list without us": hs({ ...GOOD, aud: ["a", "b"] }),
  "aud object": hs({ ...GOOD, aud: { smsgw: true } }),
  "aud prefix": hs({ ...GOOD, aud: "smsgw2" }),
  "iss missing": without("iss"),
  "iss other": hs({ ...GOOD, iss: "them" }),
  "iss list": hs({ ...GOOD, iss: ["us"] }),
  "typ other": hs(GOOD, { ...HS, typ: "dpop+jwt" }),
  "typ number": hs(GOOD, { ...HS, typ: 1 }),
  "app_id missing": without("app_id"),
  "app_id text": hs({ ...GOOD, app_id: "1" }),
  "app_id fraction": hs({ ...GOOD, app_id: 1.5 }),
  "app_id of another app": hs({ ...GOOD, app_id: 2 }),
  "app_id unknown": hs({ ...GOOD, app_id: 99 }),
  "app_id list": hs({ ...GOOD, app_id: [1] }),
  "app_id twice": hs(`{"iss":"us","aud":"smsgw","exp":${nowS + 60},"app_id":2,"app_id":1}`),
  "app_id twice, escaped": hs(
    `{"iss":"us","aud":"smsgw","exp":${nowS + 60},"app\\u005fid":2,"app_id":1}`,
  ),
  "alg twice": hs(GOOD, '{"alg":"none","alg":"HS256"}'),
  "name twice inside": hs(
    `{"iss":"us","aud":"smsgw","exp":${nowS + 60},"app_id":1,"x":{"a":1,"a":2}}`,
  ),
  "kid with a path": tokenOf({ ...RS, kid: "../../../../dev/null" }, GOOD, rsa(RSA_OTHER)),
  "HS256 kid with a path": tokenOf({ ...HS, kid: "../../../../dev/null" }, GOOD, hmac("")),
  "kid with SQL": tokenOf({ ...RS, kid: "' UNION SELECT 'x" }, GOOD, rsa(RSA_OTHER)),
  "kid with a URL": tokenOf({ ...RS, kid: `${BAIT}/keys` }, GOOD, rsa(RSA_OTHER)),
  "kid unknown": tokenOf({ ...RS, kid: "nobody" }, GOOD, rsa()),
  "kid number": tokenOf({ ...RS, kid: 1 }, GOOD, rsa()),
  "kid empty": tokenOf({ ...RS, kid: "" }, GOOD, rsa()),
  "jwk in the header": tokenOf({ ...RS, jwk: jwkOf(RSA_OTHER) }, GOOD, rsa(RSA_OTHER)),
  "jwk, symmetric": tokenOf({ ...HS, jwk: { kty: "oct", k: encode("x") } }, GOOD, hmac("x")),
  "jku in the header": tokenOf({ ...RS, jku: BAIT }, GOOD, rsa(RSA_OTHER)),
  "jku and its kid": tokenOf({ ...RS, kid: "bait", jku: BAIT }, GOOD, rsa(RSA_OTHER)),
  "x5u in the header": tokenOf({ ...RS, x5u: `${BAIT}/cert.pem` }, GOOD, rsa(RSA_OTHER)),
  "x5c in the header": tokenOf({ ...RS, x5c: ["AAAA"] }, GOOD, rsa(RSA_OTHER)),
  "crit unknown": hs(GOOD, { ...HS, crit: ["x"], x: 1 }),
  "crit empty": hs(GOOD, { ...HS, crit: [] }),
  "crit text": hs(GOOD, { ...HS, crit: "exp" }),
  "b64 false": hs(GOOD, { ...HS, b64: false, crit: ["b64"] }),
  "b64 false, unencoded": `${encode({ ...HS, b64: false, crit: ["b64"] })}.x.${signature}`,
  "nested token": hs(good, { ...HS, cty: "JWT" }),
  "as JWE": `${encode({ alg: "dir", enc: "A256GCM" })}..AAAA.AAAA.AAAA`,
  "four parts": `${good}.x`,
  "payload list": hs([GOOD]),
  "payload text": hs("hello"),
  "payload not JSON": hs("{"),
  "payload deep": hs(`${"[".repeat(1000)}${"]".repeat(1000)}`),
  "header not JSON": `${encode("{")}.${payload}.${signature}`,
  "header not base64url": `+/+.${payload}.${signature}`,
  "header with NUL": `${encode('{"alg":"HS256\u0000"}')}.${payload}.${signature}`,
  padding: `${header}=.${payload}.${signature}`,
  "only dots": "..",
  spaces: `${header} .${payload}.${signature}`,
  "scope list": hs({ ...GOOD, scope: ["send"] }),
};

const MESSAGE = JSON.stringify({ to: "+998901234567", text: "x" });

async function post(token: string, appId: string | string[] = "1", scheme = "Bearer ") {
  const headers = { ...http.headers(), authorization: scheme + token, "x-app-id": appId };
  // Slowly enough not to be refused for being wrong too often.
  http.rig.clock.nowMs += 20;
  return await http.call({ headers, body: MESSAGE });
}

test("tokens of every kind of key are accepted", async () => {
  for (const token of [
    good,
    hs(GOOD, { alg: "HS256" }),
    hs({ ...GOOD, ":b": ['x":', { a: ":", b: {} }, "\\", '"'] }),
    hs({ ...GOOD, aud: ["a", "smsgw"] }, { ...HS, typ: "at+jwt" }),
    tokenOf(RS, GOOD, rsa()),
    tokenOf({ alg: "RS256" }, GOOD, rsa()),
    tokenOf(ES, GOOD, es256()),
    tokenOf(EDDSA, GOOD, eddsa()),
  ]) {
    assert.equal((await post(token)).status, 202);
  }
  for (const [pair, kid] of [
    [RSA, "rsa"],
    [EC, "ec"],
    [ED, undefined],
  ] as const) {
    const claims = { appId: 1, audience: "smsgw", issuer: "us", scopes: ["send"] };
    const token = signTokenBy(pair.privateKey, { ...claims, issuedAtS: nowS, ttlS: 60 }, kid);
    assert.equal((await post(token)).status, 202, "as smsgw token --key signs it");
  }
  const second = tokenOf(HS, { ...GOOD, app_id: 2 }, hmac(OTHER_SECRET));
  assert.equal((await post(second, "2")).status, 202);
});

test(`${Object.keys(VECTORS).length} attacks: none accepted, one answer`, async () => {
  const before = http.rig.metrics.read(Counter.messagesAccepted);
  const bodies = new Set<string>();
  for (const [name, token] of Object.entries(VECTORS)) {
    for (const attempt of [1, 2]) {
      const answer = await post(token);
      assert.equal(answer.status, 401, `${name}, attempt ${attempt}: ${answer.text}`);
      assert.equal(answer.headers["www-authenticate"], "Bearer", name);
      bodies.add(answer.text);
    }
  }
  assert.equal(bodies.size, 1, [...bodies].join("\n"));
  assert.equal(http.rig.metrics.read(Counter.messagesAccepted), before);
  assert.equal(visits, 0, "no header leads anywhere");
  assert.equal((await post(good)).status, 202, "the control is still accepted");
});

test("X-App-ID must be the token's app, as a plain decimal, once", async () => {
  const wrong = ["2", "0", "01", "+1", "1.0", "0x1", "1,1", "-1", "99", "1e0", "4294967297"];
  for (const appId of [...wrong, ["1", "1"], ["1", "2"]]) {
    const answer = await post(good, appId);
    assert.equal(answer.status, 401, `X-App-ID ${String(appId)}`);
  }
  const app2 = hs({ ...GOOD, app_id: 2 });
  assert.equal((await post(app2, "2")).status, 401, "app 2 has a key source of its own");
});

test("no credentials, another scheme, a huge token", async () => {
  for (const scheme of ["", "Basic ", "Bearer", "Bearer  ", "Token "]) {
    assert.equal((await post(good, "1", scheme)).status, 401, JSON.stringify(scheme));
  }
  const huge = await http.raw([
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-app-id: 1\r\nauthorization: Bearer ` +
      `${header}.${payload}.${"A".repeat(1 << 20)}\r\ncontent-length: 0\r\n\r\n`,
  ]);
  assert.ok(huge.text === "" || huge.text.startsWith("HTTP/1.1 4"), huge.text.slice(0, 200));
  assert.equal((await post(good)).status, 202);
});
