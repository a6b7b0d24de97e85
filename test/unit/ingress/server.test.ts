import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ScopeBit } from "../../../src/ingress/admission/admission.ts";
import { loadUws } from "../../../src/ingress/http/uws.ts";
import { HttpServer } from "../../../src/ingress/server.ts";
import { formatMessageId, originOf, parseMessageId } from "../../../src/records/message-key.ts";
import { CollectingTicket, CONFIG, EPOCH } from "./rig.ts";
import { type HttpAnswer, HttpRig } from "./http-rig.ts";
import { RawConnection } from "../../support/raw-connection.ts";

const TO = "+998901234567";
const http = new HttpRig({ waitingMax: 100_000 });
after(async () => await http.close());

function assertProblem(answer: HttpAnswer, status: number, suffix: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  assert.equal(answer.json["type"], `/problems/${suffix}`);
  assert.equal(answer.json["status"], status);
  assert.equal(typeof answer.json["title"], "string");
}

test("a message is answered with 202, its id, and where to find it", async () => {
  const answer = await http.post({ to: TO, text: "ж".repeat(80), reference: 'a"b✓' });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers["content-type"], "application/json");
  const id = answer.json["id"] as string;
  assert.deepEqual(answer.json, {
    id,
    status: "accepted",
    segments: 2,
    encoding: "ucs2",
    reference: 'a"b✓',
  });
  assert.equal(answer.headers["location"], `/v1/messages/${id}`);
  assert.equal(parseMessageId(id)?.node, "gw-1");
  assert.ok(id.length <= 64);
  const plain = await http.post({ to: TO, text: "x" });
  assert.deepEqual(Object.keys(plain.json), ["id", "status", "segments", "encoding"]);
});

test("a 202 tells its reference and what was replaced, short after long", async () => {
  const quotes = '"'.repeat(255);
  const text = "ąćęłńóśźż".repeat(60);
  const long = await http.post({ to: TO, text, transliterate: true, reference: quotes });
  const short = await http.post({ to: TO, text: "ł", transliterate: true, reference: "s" });
  const last = await http.post({ to: TO, text: "x" });
  assert.deepEqual([long.status, long.json["reference"]], [202, quotes]);
  assert.deepEqual([short.json["transliterated"], short.json["reference"]], ["ł", "s"]);
  assert.deepEqual(Object.keys(last.json), ["id", "status", "segments", "encoding"]);
  for (const { headers, json } of [short, long, last]) {
    assert.equal(headers["location"], `/v1/messages/${json["id"] as string}`);
  }
});

test("many calls over few connections each get their own answer", async () => {
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, i) => http.post({ to: TO, text: "x", reference: `r${i}` })),
  );
  assert.ok(answers.every((answer) => answer.status === 202));
  assert.deepEqual(
    answers.map((answer) => answer.json["reference"]),
    answers.map((_, i) => `r${i}`),
  );
  assert.equal(new Set(answers.map((answer) => answer.json["id"])).size, 500);
});

test("a body may come in pieces, or chunked", async () => {
  const body = JSON.stringify({ to: TO, text: "in pieces", reference: "p" });
  const head = Object.entries(http.headers()).map(([name, value]) => `${name}: ${value}\r\n`);
  const start = `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${head.join("")}`;
  const socket = http.open();
  const got = new Promise<string>((resolve) =>
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString())),
  );
  socket.write(`${start}content-length: ${body.length}\r\n\r\n`);
  for (const character of body) {
    socket.write(character);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.match(await got, /^HTTP\/1\.1 202 .*"reference":"p"/s);
  const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
  const chunked = await http.raw([
    `${start}transfer-encoding: chunked\r\n\r\n${chunk(body.slice(0, 9))}`,
    `${chunk(body.slice(9))}0\r\n\r\n`,
  ]);
  assert.match(chunked.text, /^HTTP\/1\.1 202 /);
});

test("every refusal of a token looks the same", async () => {
  const good = http.headers();
  const other = http.headers(2);
  const bodies = new Set<string>();
  for (const headers of [
    {},
    { ...good, authorization: "" },
    { ...good, authorization: "Bearer x.y.z" },
    { ...good, authorization: `${good["authorization"]}x` },
    { ...good, authorization: `Basic ${good["authorization"]?.slice(7)}` },
    { ...good, "x-app-id": "" },
    { ...good, "x-app-id": "2" },
    { ...good, "x-app-id": "01" },
    { ...good, "x-app-id": ["1", "1"] },
    { ...good, "x-app-id": ["1", "2"] },
    { ...good, authorization: [good["authorization"] as string, other["authorization"] as string] },
  ]) {
    const answer = await http.call({ headers, body: JSON.stringify({ to: TO, text: "x" }) });
    assertProblem(answer, 401, "unauthenticated");
    assert.equal(answer.headers["www-authenticate"], "Bearer");
    bodies.add(answer.text);
    if (Array.isArray(headers["authorization" as keyof typeof headers])) continue;
    const get = await http.call({ method: "GET", path: "/v1/messages/x", headers });
    if (!Array.isArray(headers["x-app-id" as keyof typeof headers])) {
      assertProblem(get, 401, "unauthenticated");
      bodies.add(get.text);
    }
  }
  assert.equal(bodies.size, 1);
});

test("address, scope and pin are forbidden, one by one", async () => {
  const message = { to: TO, text: "x" };
  assertProblem(await http.post(message, http.headers(3)), 403, "forbidden");
  assertProblem(await http.post(message, http.headers(1, ["ops"])), 403, "forbidden");
  assertProblem(await http.post(message, http.headers(5, ["send"])), 403, "forbidden");
  const pinned = { ...message, route: 1000 };
  assertProblem(await http.post(pinned), 403, "forbidden");
  assertProblem(await http.post(pinned, http.headers(2, ["send"])), 403, "forbidden");
  const allowed = await http.post(pinned, http.headers(2, ["send", "route:pin"]));
  assert.equal(allowed.status, 202);
});

test("bad fields are listed by pointer", async () => {
  const answer = await http.post({ to: "x", txt: 1, ttl_s: -1 });
  assertProblem(answer, 400, "invalid");
  const errors = answer.json["errors"] as { pointer: string; detail: string }[];
  assert.deepEqual(
    errors.map((error) => error.pointer),
    ["/to", "/txt", "/ttl_s", "/text"],
  );
});

test("bodies that are no JSON, and hostile ones, are refused", async () => {
  const deep = "[".repeat(2000) + "]".repeat(2000);
  for (const body of [
    "",
    "{",
    '{"to":"+998901234567","text":"x"}x',
    '{"to":"+998901234567","text":"x",}',
    "null",
    "[]",
    '"x"',
    "\u0000",
    "\ufeff{}",
    deep,
    `{"to":"${TO}","text":"x","ttl_s":1e999}`,
    `{"to":"${TO}","text":"x","ttl_s":${"9".repeat(2000)}}`,
    `{"__proto__":{"to":"${TO}","text":"x"}}`,
    `{"to":"${TO}","text":"\\ud800"}`,
    `{"to":"${TO}","text":"\\u0000"}`,
    Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
    Buffer.concat([Buffer.from(`{"to":"${TO}","text":"`), Buffer.from([0xc3, 0x28, 0x22, 0x7d])]),
    Buffer.concat([
      Buffer.from(`{"to":"${TO}","text":"`),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from('"}'),
    ]),
  ]) {
    const answer = await http.call({ body });
    assertProblem(answer, 400, "invalid");
    assert.ok(Array.isArray(answer.json["errors"]));
  }
  const twice = await http.call({ body: `{"to":"1","text":"x","to":"${TO}"}` });
  assertProblem(twice, 400, "invalid");
  assert.deepEqual(twice.json["errors"], [{ pointer: "/to", detail: "is given twice" }]);
  const replaced = { to: TO, text: "\ufffd is a character" };
  assert.equal((await http.post(replaced)).status, 202);
});

test("media types other than JSON are refused", async () => {
  const body = JSON.stringify({ to: TO, text: "x" });
  for (const type of ["text/plain", "", "application/jsonx", "application/json; charset=latin1"]) {
    const headers = { ...http.headers(), "content-type": type };
    assertProblem(await http.call({ headers, body }), 415, "media-type");
  }
  const zipped = { ...http.headers(), "content-encoding": "gzip" };
  assertProblem(await http.call({ headers: zipped, body }), 415, "media-type");
  for (const type of [
    "application/json; charset=utf-8",
    "Application/JSON",
    'application/json;charset="UTF-8"',
  ]) {
    const headers = { ...http.headers(), "content-type": type };
    assert.equal((await http.call({ headers, body })).status, 202, type);
  }
});

test("an answer is JSON whatever was replaced, and a text of nothing is refused", async () => {
  const answer = await http.post({ to: TO, text: "tab\t “q” \\", transliterate: true });
  assert.equal(answer.status, 202);
  assert.deepEqual(
    [answer.json["transliterated"], answer.json["encoding"]],
    ["\t“”", "gsm7"],
    answer.text,
  );
  const empty = await http.post({ to: TO, text: "\u200b\u00ad", transliterate: true });
  assertProblem(empty, 400, "invalid");
  assert.deepEqual(empty.json["errors"], [
    { pointer: "/text", detail: "is empty once it is transliterated" },
  ]);
});

test("a header given twice is refused, though one of the two be empty or harmless", async () => {
  const body = JSON.stringify({ to: TO, text: "x" });
  const { authorization, "x-app-id": appId, "content-type": type } = http.headers();
  const lines = [`Authorization: ${authorization}`, `X-App-ID: ${appId}`, `Content-Type: ${type}`];
  const statusOf = async (...more: readonly string[]): Promise<string> => {
    const length = `Content-Length: ${body.length}`;
    const head = ["POST /v1/messages HTTP/1.1", "Host: x", length, ...more].join("\r\n");
    return (await http.raw([`${head}\r\n\r\n${body}`])).text.slice(9, 12);
  };
  assert.equal(await statusOf(...lines), "202");
  for (const line of ["Authorization:", "X-App-ID:", "X-App-ID: 2"]) {
    assert.equal(await statusOf(line, ...lines), "401", line);
    assert.equal(await statusOf(...lines, line), "401", line);
  }
  assert.equal(await statusOf(...lines, "Content-Type: application/json"), "415");
  assert.equal(await statusOf("Content-Type:", ...lines), "415");
  const encodings = ["Content-Encoding: gzip", "Content-Encoding: identity"];
  assert.equal(await statusOf(...lines, ...encodings), "415");
  assert.equal(await statusOf(...lines, ...encodings.reverse()), "415");
  const get = ["GET /v1/messages/x HTTP/1.1", "Host: x", "X-App-ID:", ...lines].join("\r\n");
  assert.equal((await http.raw([`${get}\r\n\r\n`])).text.slice(9, 12), "401");
});

test("a body beyond the bound is refused, announced or not", async () => {
  const limit = http.rig.config.http.bodyBytesMax;
  const sized = (bytes: number): string => {
    const empty = JSON.stringify({ to: TO, text: "x", reference: "" });
    return JSON.stringify({ to: TO, text: "x", reference: "y".repeat(bytes - empty.length) });
  };
  const at = await http.call({ body: sized(limit) });
  assertProblem(at, 400, "invalid");
  assertProblem(await http.call({ body: sized(limit + 1) }), 413, "too-large");
  const head = Object.entries(http.headers()).map(([name, value]) => `${name}: ${value}\r\n`);
  const announced = await http.raw([
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${head.join("")}content-length: 99999\r\n\r\n`,
  ]);
  assert.match(announced.text, /^HTTP\/1\.1 413 /);
  const piece = `400\r\n${"z".repeat(1024)}\r\n`;
  const unannounced = await http.raw([
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${head.join("")}transfer-encoding: chunked\r\n\r\n`,
    ...Array.from({ length: 8 }, () => piece),
  ]);
  assert.match(unannounced.text, /^HTTP\/1\.1 413 /);
});

test("unknown paths are 404, wrong methods 405 with those that are right", async () => {
  for (const path of [
    "/",
    "/v1",
    "/v1/messages/",
    "/v1/messages/a/b",
    "/v2/messages",
    "/metrics",
  ]) {
    assertProblem(await http.call({ method: "GET", path }), 404, "not-found");
  }
  for (const [method, path, allow] of [
    ["PUT", "/v1/messages", "GET, POST"],
    ["PUT", "/v1/messages/x", "GET, DELETE"],
    ["POST", "/v1/messages/x", "GET, DELETE"],
    ["POST", "/healthz", "GET"],
    ["PUT", "/readyz", "GET"],
  ] as const) {
    const answer = await http.call({ method, path });
    assertProblem(answer, 405, "method");
    assert.equal(answer.headers["allow"], allow);
  }
});

test("HEAD is answered without a body", async () => {
  for (const [path, status] of [
    ["/v1/messages", 405],
    ["/healthz", 405],
    ["/nowhere", 404],
  ] as const) {
    const { text, closed } = await http.raw([`HEAD ${path} HTTP/1.1\r\nhost: x\r\n\r\n`]);
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.match(text, /\r\n\r\n$/, "nothing behind the head");
    assert.equal(closed, true);
  }
});

test("bodies that come in pieces are bounded over all calls", async () => {
  const config = CONFIG.replace(
    "body_bytes_max: 4096",
    "body_bytes_max: 16777216, batch_bytes_max: 16777216",
  );
  const own = new HttpRig({ config });
  const head = Object.entries(own.headers()).map(([name, value]) => `${name}: ${value}\r\n`);
  const start = `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${head.join("")}`;
  const half = Buffer.alloc(13 << 20, 0x20);
  const sockets = Array.from({ length: 5 }, () => own.open());
  const answers: string[] = [];
  const refused: object[] = [];
  for (const socket of sockets) {
    socket.on("data", (chunk: Buffer) => answers.push(chunk.toString()));
    socket.on("error", () => undefined);
    // What is still on its way when the server closes may cost the client the answer's bytes.
    socket.on("close", () => refused.push(socket));
    socket.write(`${start}content-length: 16000000\r\n\r\n`);
    socket.write(half);
  }
  while (refused.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(refused.length < sockets.length, "only what goes beyond the bound");
  for (const answer of answers) {
    assert.match(answer, /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n/s);
  }
  for (const socket of sockets) socket.destroy();
  const body = JSON.stringify({ to: TO, text: "x", reference: "after" });
  const spaced = Buffer.concat([Buffer.from(body), Buffer.alloc(12 << 20, 0x20)]);
  // The room is given back when the server has seen that they are gone.
  let status = 503;
  for (let i = 0; i < 100 && status !== 202; i++) {
    ({ status } = await own.call({ body: spaced }).catch(() => ({ status: 0 })));
  }
  assert.equal(status, 202, "the room was given back");
  await own.close();
});

test("no route is 422, an empty bucket 429 with when to come back", async () => {
  assertProblem(await http.post({ to: "12025550100", text: "x" }), 422, "no-route");
  const headers = http.headers(4, ["send"]);
  const limited = await http.post({ to: TO, text: "x" }, headers);
  assertProblem(limited, 429, "rate-limited");
  assert.match(limited.headers["retry-after"] as string, /^[1-9][0-9]*$/);
  assert.equal(limited.headers["ratelimit-policy"], '"segments";q=0;w=1');
  assert.match(limited.headers["ratelimit"] as string, /^"segments";r=0;t=[1-9]/);
});

test("GET shows what the ledger says, right after the 202", async () => {
  const accepted = await http.post({ to: TO, text: "x" });
  const id = accepted.json["id"] as string;
  const sequence = parseMessageId(id)?.key.sequence as number;
  http.rig.documents.set(sequence, { id, status: "queued" });
  const asked = http.get(`/v1/messages/${id}`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  http.rig.logTable.storeAppliedSequence(0, sequence);
  const answer = await asked;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "application/json");
  assert.deepEqual(answer.json, { id, status: "queued" });
});

test("GET: unknown, another node's, and a ledger that is late", async () => {
  const origin = originOf(EPOCH, 0);
  const never = formatMessageId("gw-1", 5, origin);
  for (const id of ["x", "gw-1-zz", never, `${never}g`, "%00", "..%2f"]) {
    const answer = await http.get(`/v1/messages/${id}`);
    assertProblem(answer, 404, "not-found");
  }
  const other = await http.get(`/v1/messages/${formatMessageId("gw-2", 5, origin)}`);
  assertProblem(other, 421, "wrong-node");
  assert.equal(other.json["node"], "gw-2");
  const future = formatMessageId("gw-1", Number.MAX_SAFE_INTEGER, origin);
  assertProblem(await http.get(`/v1/messages/${future}`), 404, "not-found");
  const accepted = await http.post({ to: TO, text: "x" });
  const asked = http.get(accepted.headers["location"] as string);
  await new Promise((resolve) => setTimeout(resolve, 10));
  http.rig.clock.nowMs += 1000;
  const late = await asked;
  assertProblem(late, 503, "overloaded");
  assert.equal(late.headers["retry-after"], "1");
});

test("health needs no token, readiness says what is missing", async () => {
  const health = await http.call({ method: "GET", path: "/healthz", headers: {} });
  assert.deepEqual([health.status, health.json], [200, { status: "ok" }]);
  const ready = await http.call({ method: "GET", path: "/readyz", headers: {} });
  assert.deepEqual([ready.status, ready.json], [200, { status: "ready" }]);
  http.missing = ["recovery is running"];
  const missing = await http.call({ method: "GET", path: "/readyz", headers: {} });
  http.missing = [];
  assertProblem(missing, 503, "overloaded");
  assert.match(missing.text, /recovery is running/);
});

test("a message stays accepted when its caller goes away before the answer", async () => {
  const own = new HttpRig();
  own.isJournalStopped = true;
  const head = Object.entries(own.headers()).map(([name, value]) => `${name}: ${value}\r\n`);
  const body = JSON.stringify({ to: TO, text: "gone" });
  const socket = own.open();
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${head.join("")}` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  while (own.rig.ingress.pendingCount === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  own.isJournalStopped = false;
  while (own.rig.ingress.pendingCount > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(own.rig.ingress.dispatcher.waitingCount, 1);
  assert.equal((await own.post({ to: TO, text: "x" })).status, 202, "and the next call is fine");
  await own.close();
});

test("callers that go away while they are read leave nothing behind", async () => {
  const own = new HttpRig();
  const head = Object.entries(own.headers()).map(([name, value]) => `${name}: ${value}\r\n`);
  for (let i = 0; i < 50; i++) {
    const socket = own.open();
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${head.join("")}content-length: 500\r\n\r\n{"to"`,
    );
    await new Promise((resolve) => setTimeout(resolve, 2));
    socket.destroy();
  }
  assert.equal(own.rig.ingress.pendingCount, 0);
  assert.equal((await own.post({ to: TO, text: "x" })).status, 202);
  await own.close();
});

test("overload is 503 with Retry-After, and passes", async () => {
  const own = new HttpRig({ waitingMax: 3 });
  for (let i = 0; i < 3; i++) assert.equal((await own.post({ to: TO, text: "x" })).status, 202);
  const shed = await own.post({ to: TO, text: "x" });
  assertProblem(shed, 503, "overloaded");
  assert.equal(shed.headers["retry-after"], "1");
  own.rig.grant(0, 0, 3);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await own.post({ to: TO, text: "x" })).status, 202);
  await own.close();
});

test("a drain answers what is pending and refuses the rest", async () => {
  const own = new HttpRig();
  own.isJournalStopped = true;
  const pending = own.post({ to: TO, text: "x" });
  while (own.rig.ingress.pendingCount === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  own.server.stopListening();
  own.rig.ingress.drain();
  const ticket = new CollectingTicket();
  assert.ok(own.rig.ingress.accept(0, { to: TO, text: "x" }, ScopeBit.SEND, ticket) < 0);
  own.isJournalStopped = false;
  assert.equal((await pending).status, 202);
  await own.close();
});

test("in a drain every connection ends with its next answer", async (context) => {
  const own = new HttpRig();
  context.after(() => own.close());
  const head = (line: string, more = ""): string =>
    `${line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${own.token(1, ["send", "ops"])}\r\n` +
    `X-App-ID: 1\r\n${more}\r\n`;
  const post = (body: string): string =>
    head(
      "POST /v1/messages",
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`,
    ) + body;
  const calls: readonly [status: number, text: string][] = [
    [200, head("GET /healthz")],
    [403, head("GET /v1/links")],
    [200, head("GET /openapi.json")],
    [404, head("GET /nowhere")],
    [405, head("DELETE /v1/messages")],
    [503, post("{}")],
    [503, post(JSON.stringify({ to: TO, text: "x" }))],
    [401, "POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"],
  ];
  const connections = calls.map(() => new RawConnection(own.open()));
  for (const connection of connections) {
    assert.deepEqual(await connection.write(head("GET /healthz")).answers(1), [200]);
    assert.equal(connection.isClosed, false);
  }
  own.server.stopListening();
  own.rig.ingress.drain();
  for (const [i, [status, text]] of calls.entries()) {
    const connection = connections[i] as RawConnection;
    assert.deepEqual(await connection.write(text).answers(2), [200, status], text);
    await connection.closed();
    assert.match(connection.text, /\r\nConnection: close\r\n/i, text);
  }
});

test("a port that somebody else listens on is an error", () => {
  const config = { ...http.rig.config, http: { ...http.rig.config.http, port: http.port } };
  const second = new HttpServer({
    uws: loadUws(),
    config,
    clock: http.rig.clock,
    ingress: http.rig.ingress,
    pools: http.rig.pools,
    log: { write: () => undefined },
    reads: { ask: () => false },
    tls: () => null,
    isRelayed: false,
    unreadiness: () => [],
    links: () => [],
    poolStates: () => [],
  });
  assert.throws(() => second.listen(), /cannot listen on 127\.0\.0\.1/);
});

test("links and pools are for the scope ops", async () => {
  const reader = 5;
  for (const [path, expected] of [
    ["/v1/links", { data: [{ id: 100, up: true }], next: null }],
    ["/v1/pools", { data: [{ id: 1000, weight: 5 }], next: null }],
  ] as const) {
    const call = async (method: string, headers: Record<string, string>): Promise<HttpAnswer> =>
      await http.call({ method, path, headers });
    const answer = await call("GET", http.headers(reader, ["ops"]));
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, expected);
    assertProblem(await call("GET", http.headers(1, ["send"])), 403, "forbidden");
    assertProblem(await call("GET", http.headers(1, ["ops"])), 403, "forbidden");
    assertProblem(await call("GET", {}), 401, "unauthenticated");
    assertProblem(await call("POST", http.headers(reader, ["ops"])), 405, "method");
  }
});
