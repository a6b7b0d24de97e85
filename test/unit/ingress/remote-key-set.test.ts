/** A key set behind a URL: rotation, outages, floods of unknown keys, hostile servers. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { parseKeySet } from "../../../src/config/key-set.ts";
import { fetchText } from "../../../src/ingress/auth/key-fetch.ts";
import type { KeyAnswer } from "../../../src/ingress/auth/key-source.ts";
import {
  FETCH_INTERVAL_MS_MIN,
  KEYS_FRESH_MS,
  KEYS_USED_MS_MAX,
  RemoteKeySet,
} from "../../../src/ingress/auth/remote-key-set.ts";
import { HttpRig } from "./http-rig.ts";
import { CONFIG, RigClock } from "./rig.ts";
import { EC, ED, es256, jwkOf, keySet, RSA, rsa, RSA_SHORT, tokenOf } from "./signing-keys.ts";

const FIRST = keySet(jwkOf(RSA, { kid: "a" }));
const BOTH = keySet(jwkOf(RSA, { kid: "a" }), jwkOf(EC, { kid: "b" }));

function setUp(first: string | Error = FIRST) {
  const clock = new RigClock();
  const state = { answer: first, fetches: 0, changes: 0 };
  const set = new RemoteKeySet({
    url: "https://keys.test/",
    clock,
    log: { write: () => undefined },
    fetchText: () => {
      state.fetches += 1;
      const { answer } = state;
      return typeof answer === "string" ? Promise.resolve(answer) : Promise.reject(answer);
    },
    onChange: () => {
      state.changes += 1;
    },
  });
  const find = async (kid: string, algorithm: "RS256" | "ES256" = "RS256"): Promise<KeyAnswer> =>
    await set.find(algorithm, kid);
  return { clock, state, find };
}

test("keys are fetched once and found by kid and algorithm", async () => {
  const { state, find } = setUp(BOTH);
  assert.equal(typeof (await find("a")), "object");
  assert.notEqual(await find("a"), null);
  assert.equal(await find("a", "ES256"), null, "bound to its algorithm");
  assert.notEqual(await find("b", "ES256"), null);
  assert.equal(state.fetches, 1);
});

test("a rotated key is found at once, unknown ones make one fetch in 30 s", async () => {
  const { clock, state, find } = setUp();
  assert.notEqual(await find("a"), null);
  for (let i = 0; i < 1000; i++) assert.equal(await find(`unknown-${i}`), null);
  assert.equal(state.fetches, 1);
  clock.nowMs += FETCH_INTERVAL_MS_MIN;
  state.answer = BOTH;
  const found = await Promise.all([find("b", "ES256"), find("b", "ES256"), find("x")]);
  assert.deepEqual(
    found.map((key) => key !== null),
    [true, true, false],
  );
  assert.equal(state.fetches, 2);
  assert.equal(state.changes, 2);
  clock.nowMs += 3_600_000;
  for (let i = 0; i < 1000; i++) await find(`unknown-${i}`);
  assert.equal(state.fetches, 3);
});

test("keys outlive an outage by hours, then nobody is let in, then all are again", async () => {
  const { clock, state, find } = setUp();
  assert.notEqual(await find("a"), null);
  state.answer = new Error("ECONNREFUSED");
  for (let ms = 0; ms < KEYS_USED_MS_MAX - 1; ms += KEYS_FRESH_MS) {
    assert.equal(typeof (await find("a")), "object", `${ms} ms`);
    clock.nowMs += KEYS_FRESH_MS;
  }
  assert.ok(state.fetches > 40 && state.fetches < 60, `${state.fetches}`);
  clock.nowMs += KEYS_FRESH_MS;
  assert.equal(await find("a"), "unavailable");
  state.answer = FIRST;
  assert.equal(await find("a"), "unavailable", "too early for another try");
  clock.nowMs += FETCH_INTERVAL_MS_MIN;
  assert.equal(typeof (await find("a")), "object");
  assert.equal(state.changes, 1, "the same keys came back");
});

test("without a first answer it cannot be told who is right", async () => {
  const { clock, state, find } = setUp(new Error("timeout"));
  assert.equal(await find("a"), "unavailable");
  assert.equal(await find("a"), "unavailable");
  assert.equal(state.fetches, 1);
  clock.nowMs += FETCH_INTERVAL_MS_MIN;
  state.answer = "<html>";
  assert.equal(await find("a"), "unavailable");
  clock.nowMs += FETCH_INTERVAL_MS_MIN;
  state.answer = FIRST;
  assert.equal(typeof (await find("a")), "object");
});

test("a set that is refused changes nothing", async () => {
  const { clock, state, find } = setUp();
  await find("a");
  for (const bad of ["", "{}", keySet(), keySet({ kty: "oct", k: "AAAA" }, jwkOf(EC))]) {
    clock.nowMs += KEYS_FRESH_MS;
    state.answer = bad;
    assert.equal(typeof (await find("a")), "object");
  }
  clock.nowMs += KEYS_FRESH_MS;
  state.answer = keySet(jwkOf(EC, { kid: "a" }));
  await find("a");
  assert.equal(await find("a"), null, "the key is gone");
  assert.equal(state.changes, 2);
});

test("key sets with what nobody publishes by intention are refused", () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ["", /not JSON/],
    ["null", /no list/],
    ['{"keys":{}}', /no list/],
    ['{"keys":[1]}', /keys\[0\] is not an object/],
    [keySet({ kty: "oct", k: "AAAA" }), /symmetric/],
    [keySet(jwkOf(RSA), { kty: "oct", k: "AAAA", use: "enc" }), /keys\[1\] is symmetric/],
    [keySet({ ...jwkOf(EC), d: "AAAA" }), /private/],
    [keySet({ ...jwkOf(RSA), k: "AAAA" }), /symmetric/],
    [keySet(jwkOf(RSA_SHORT)), /RSA of 1024 bits/],
    [keySet(jwkOf(RSA, { kid: "a" }), jwkOf(RSA, { kid: "a" })), /earlier one/],
    [keySet({ kty: "EC", crv: "P-256", x: "AA", y: "AA" }), /malformed/],
    [keySet(jwkOf(RSA, { alg: "RS512" })), /no key for/],
    [keySet(jwkOf(RSA, { alg: "HS256" })), /no key for/],
    [keySet({ ...jwkOf(RSA), use: "enc" }), /no key for/],
    [keySet(...Array.from({ length: 101 }, () => ({}))), /101 keys/],
  ];
  for (const [text, reason] of refusals) assert.match(parseKeySet(text).refusal ?? "", reason);
  const mixed = keySet(jwkOf(ED, { alg: "EdDSA", key_ops: ["verify"] }), {
    kty: "EC",
    crv: "P-521",
  });
  assert.deepEqual(
    parseKeySet(mixed).keys?.map(({ algorithm }) => algorithm),
    ["EdDSA"],
  );
});

async function serve(answer: Parameters<typeof createServer>[1]): Promise<[Server, string]> {
  const server = createServer(answer as never);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`];
}

test("what is fetched is bounded in size and time, without redirects", async () => {
  const [server, url] = await serve((request, response) => {
    if (request.url === "/good") response.end(FIRST);
    else if (request.url === "/huge") response.end("x".repeat(100_000));
    else if (request.url === "/endless") response.write("{");
    else if (request.url === "/away") response.writeHead(302, { location: "/good" }).end();
    else response.writeHead(500).end("x");
  });
  const fetchIt = (path: string, timeoutMs = 20_000): Promise<string> =>
    fetchText(`${url}${path}`, { timeoutMs, bytesMax: 10_000 });
  assert.equal(await fetchIt("good"), FIRST);
  await assert.rejects(fetchIt("huge"), /more than 10000 bytes/);
  await assert.rejects(fetchIt("endless", 300));
  await assert.rejects(fetchIt("away"));
  await assert.rejects(fetchIt("missing"), /answered 500/);
  server.closeAllConnections();
  server.close();
});

test("the server verifies by keys behind a URL, through rotation and loss of a key", async () => {
  let keys = FIRST;
  let fetches = 0;
  const [server, url] = await serve((_, response) => {
    fetches += 1;
    response.end(keys);
  });
  const http = new HttpRig({
    config: CONFIG.replace("secret_file: secret,", `jwks_url: "${url}",`),
  });
  const exp = Math.floor(http.rig.clock.wallMs() / 1000) + 36_000;
  const claims = { aud: "smsgw", app_id: 1, exp };
  const post = async (token: string): Promise<number> => {
    const headers = { ...http.headers(), authorization: `Bearer ${token}` };
    return (await http.call({ headers, body: '{"to":"+998901234567","text":"x"}' })).status;
  };
  const byA = tokenOf({ alg: "RS256", kid: "a" }, claims, rsa());
  const byB = tokenOf({ alg: "ES256", kid: "b" }, claims, es256());
  assert.equal(await post(byA), 202);
  assert.equal(await post(byB), 401);
  const flood = Array.from({ length: 50 }, (_, i) =>
    post(tokenOf({ alg: "RS256", kid: `u${i}` }, claims, rsa())),
  );
  assert.deepEqual([...new Set(await Promise.all(flood))], [401]);
  assert.equal(fetches, 1);
  keys = keySet(jwkOf(EC, { kid: "b" }));
  http.rig.clock.nowMs += FETCH_INTERVAL_MS_MIN;
  assert.equal(await post(byB), 202);
  assert.equal(await post(byA), 401, "its key is gone, and it is not remembered");
  assert.equal(fetches, 2);
  await http.close();
  server.closeAllConnections();
  server.close();
});
