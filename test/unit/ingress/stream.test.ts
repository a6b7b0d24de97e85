import assert from "node:assert/strict";
import { type ClientRequest, createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { derivePools } from "../../../src/config/derive.ts";
import { STREAMS_MAX } from "../../../src/ingress/calls/stream-calls.ts";
import { CONFIG, configOf } from "./rig.ts";
import { HttpRig } from "./http-rig.ts";
import { encode } from "./signing-keys.ts";

const TO = "+998901234567";
const QUIET_ROUNDS = 60;
const http = new HttpRig({ waitingMax: 1_000_000, pendingMax: 16_384 });
after(async () => await http.close());

type Ack = { line?: number; id?: string; problem?: { status: number } } & Record<string, unknown>;

/** An NDJSON request that is written and read piece by piece. */
class Stream {
  readonly acks: Ack[] = [];
  status = 0;
  type = "";
  isWhole = false;
  closed = false;
  /** While true nothing of the answer is read. */
  isDeaf = false;
  readonly #request: ClientRequest;
  #answer: IncomingMessage | null = null;
  #rest = "";

  constructor(rig: HttpRig, headers: Record<string, string> = {}) {
    this.#request = request({
      host: "127.0.0.1",
      port: rig.port,
      agent: false,
      method: "POST",
      path: "/v1/messages:stream",
      headers: { ...rig.headers(), "content-type": "application/x-ndjson", ...headers },
    });
    this.#request.flushHeaders();
    this.#request.on("error", () => undefined);
    this.#request.on("close", () => (this.closed = true));
    this.#request.on("response", (answer) => {
      this.#answer = answer;
      this.status = answer.statusCode ?? 0;
      this.type = answer.headers["content-type"] ?? "";
      answer.setEncoding("utf8");
      answer.on("data", (text: string) => this.#take(text));
      answer.on("end", () => (this.isWhole = true));
      answer.on("error", () => undefined);
      if (this.isDeaf) answer.pause();
    });
  }

  /** False: it has to wait until the gateway reads. */
  write(text: string | Uint8Array): boolean {
    return this.#request.write(text);
  }

  send(...messages: unknown[]): boolean {
    return this.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
  }

  /**
   * Writes `lines` again and again until the gateway has not read for a while: so many rounds of
   * the loop that both share, each of which may last long on a busy machine.
   */
  async sendUntilBlocked(lines: readonly unknown[], countMax: number): Promise<number> {
    let sent = 0;
    while (sent < countMax) {
      sent += lines.length;
      if (this.send(...lines)) continue;
      const wait = { isDrained: false };
      this.#request.once("drain", () => (wait.isDrained = true));
      for (let round = 0; round < QUIET_ROUNDS && !wait.isDrained; round++) await sleep(5);
      if (!wait.isDrained) return sent;
    }
    throw new Error(`${sent} lines were read without an end`);
  }

  listen(): void {
    this.isDeaf = false;
    this.#answer?.resume();
  }

  end(): void {
    this.#request.end();
  }

  destroy(): void {
    this.#request.destroy();
  }

  async until(count: number): Promise<Ack[]> {
    while (this.acks.length < count && !this.closed) await sleep(3);
    return this.acks;
  }

  async untilWhole(): Promise<Ack[]> {
    while (!this.isWhole && !this.closed) await sleep(3);
    assert.equal(this.isWhole, true, "the answer came to its end");
    return this.acks;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() as string;
    for (const line of lines) this.acks.push(JSON.parse(line) as Ack);
  }
}

test("lines are acknowledged while the stream goes on, in order", async () => {
  const stream = new Stream(http);
  stream.send({ to: TO, text: "one", reference: "a" });
  assert.equal((await stream.until(1))[0]?.["reference"], "a");
  assert.deepEqual([stream.status, stream.type], [200, "application/x-ndjson"]);
  stream.send({ to: TO, text: "two" }, { to: "12025550100", text: "x" }, { to: TO, text: "four" });
  const acks = await stream.until(4);
  assert.deepEqual(
    acks.map(({ line, id, problem }) => [line, id !== undefined, problem?.status]),
    [
      [1, true, undefined],
      [2, true, undefined],
      [3, false, 422],
      [4, true, undefined],
    ],
  );
  assert.equal(stream.isWhole, false);
  stream.end();
  await stream.untilWhole();
});

test("lines may be cut anywhere, blank or unended; faulty ones do not end the stream", async () => {
  const long = "x".repeat(70_000);
  const text =
    `{"to":"${TO}","text":"1"}\r\n\n   \n{"to":"${TO}","text":"ж"}\n` +
    `nonsense\n{"to":"${TO}","text":"a","text":"b"}\n${long}\n{"to":"${TO}","text":"7"}`;
  const bytes = Buffer.from(text);
  const stream = new Stream(http);
  for (let at = 0; at < bytes.length; ) {
    const size = at < 200 || at > 70_000 ? 1 : 9973;
    stream.write(bytes.subarray(at, at + size));
    at += size;
  }
  stream.end();
  const acks = await stream.untilWhole();
  assert.deepEqual(
    acks.map(({ line, problem }) => [line, problem?.status]),
    [
      [1, undefined],
      [2, undefined],
      [3, 400],
      [4, 400],
      [5, 413],
      [6, undefined],
    ],
  );
});

test("many lines are answered without a limit but memory", async () => {
  const stream = new Stream(http);
  const count = 20_000;
  let sent = 0;
  for (; sent < count; sent += 500) {
    stream.send(
      ...Array.from({ length: 500 }, (_, i) => ({ to: TO, text: "x", reference: `${sent + i}` })),
    );
    await sleep(1);
  }
  stream.end();
  const acks = await stream.untilWhole();
  assert.equal(acks.length, count);
  for (const [i, ack] of acks.entries()) assert.equal(ack["reference"], String(i));
});

test("a journal that stands still stops the reading, and nothing is lost", async () => {
  const own = new HttpRig({ waitingMax: 100_000, pendingMax: 16_384 });
  own.isJournalStopped = true;
  const stream = new Stream(own);
  const message = { to: TO, text: "x".repeat(1000) };
  await stream.sendUntilBlocked(
    Array.from({ length: 10 }, () => message),
    20_000,
  );
  const pending = own.rig.ingress.pendingCount;
  assert.ok(pending > 0 && pending <= 1024, `${pending} lines are unanswered`);
  own.isJournalStopped = false;
  stream.end();
  const acks = await stream.untilWhole();
  assert.ok(acks.length > 1024);
  assert.ok(acks.every(({ id }, i) => id !== undefined && acks[i]?.line === i + 1));
  await own.close();
});

test("a client that does not read stops the reading of its lines", async () => {
  const stream = new Stream(http);
  stream.isDeaf = true;
  const before = http.rig.ingress.dispatcher.waitingCount;
  const reference = "r".repeat(250);
  const lines = Array.from({ length: 100 }, () => ({ to: TO, text: "x", reference }));
  const sent = await stream.sendUntilBlocked(lines, 400_000);
  const taken = http.rig.ingress.dispatcher.waitingCount - before;
  assert.ok(taken < sent, `${taken} of ${sent} lines were taken`);
  stream.listen();
  stream.end();
  const acks = await stream.untilWhole();
  assert.ok(acks.length >= sent);
  assert.ok(acks.every(({ line }, i) => line === i + 1));
});

test("a client that goes away loses nothing that was admitted", async () => {
  const own = new HttpRig({ waitingMax: 1000 });
  own.isJournalStopped = true;
  const stream = new Stream(own);
  stream.send(...[1, 2, 3].map(() => ({ to: TO, text: "x" })));
  while (own.rig.ingress.pendingCount < 3) await sleep(2);
  stream.destroy();
  await sleep(20);
  own.isJournalStopped = false;
  while (own.rig.ingress.pendingCount > 0) await sleep(2);
  assert.equal(own.rig.ingress.dispatcher.waitingCount, 3);
  await own.close();
});

test("a stream is refused before it is read: token, scope, media type, key", async () => {
  for (const [headers, status] of [
    [{ authorization: "Bearer a.b.c" }, 401],
    [{ authorization: "" }, 401],
    [http.headers(5, ["ops"]), 403],
    [{ "content-type": "application/json" }, 415],
    [{ "idempotency-key": "k" }, 400],
  ] as const) {
    const given = { ...headers } as Record<string, string>;
    if ("x-app-id" in given) given["content-type"] = "application/x-ndjson";
    const stream = new Stream(http, given);
    stream.send({ to: TO, text: "x" });
    while (stream.status === 0) await sleep(2);
    assert.equal(stream.status, status);
  }
});

test("a stream that is silent for long is ended, and one that is slow is not", async () => {
  const own = new HttpRig({ waitingMax: 1000 });
  const stream = new Stream(own);
  for (let i = 0; i < 3; i++) {
    stream.send({ to: TO, text: "x" });
    await stream.until(i + 1);
    own.rig.clock.nowMs += 50_000;
    await sleep(20);
    assert.equal(stream.isWhole, false);
  }
  own.rig.clock.nowMs += 60_000;
  assert.equal((await stream.untilWhole()).length, 3);
  await own.close();
});

test("a stream ends when its token does, and when the gateway stops", async () => {
  const own = new HttpRig({ waitingMax: 1000 });
  const stream = new Stream(own);
  stream.send({ to: TO, text: "x" });
  await stream.until(1);
  // The token is valid for ten minutes; each line keeps the stream from being idle.
  for (let i = 0; i < 200 && !stream.isWhole && !stream.closed; i++) {
    own.rig.clock.nowMs += 30_000;
    stream.send({ to: TO, text: "x" });
    await stream.until(stream.acks.length + 1);
  }
  const acks = await stream.untilWhole();
  assert.equal(acks.at(-1)?.problem?.status, 401);

  const other = new Stream(own);
  other.send({ to: TO, text: "x" });
  await other.until(1);
  own.server.stopListening();
  assert.equal((await other.untilWhole()).at(-1)?.problem?.status, 503);
  await own.close();
});

test("memory for unread lines is bounded over all streams", async () => {
  const config = CONFIG.replace("body_bytes_max: 4096", "stream_line_bytes_max: 16777216");
  const own = new HttpRig({ config });
  const half = Buffer.alloc(13 << 20, 0x20);
  const streams = Array.from({ length: 6 }, () => new Stream(own));
  for (const stream of streams) stream.write(half);
  while (!streams.some((stream) => stream.closed)) await sleep(5);
  const refused = streams.filter((stream) => stream.closed);
  assert.ok(refused.length < streams.length);
  for (const stream of streams) stream.destroy();
  // The room is given back when the server has seen that they are gone.
  let acks: readonly Ack[] = [];
  for (let tries = 0; tries < 1000 && acks.length === 0; tries++) {
    const next = new Stream(own);
    next.send({ to: TO, text: "x" });
    acks = await next.until(1);
    next.destroy();
  }
  assert.equal(acks[0]?.line, 1, "the room was given back");
  await own.close();
});

test("a connection goes on after a stream that was whole before its grant", async (t) => {
  const rig = new HttpRig({ waitingMax: 1_000_000, pendingMax: 16_384 });
  t.after(() => rig.close());
  const headers = rig.headers();
  const ndjson = { "content-type": "application/x-ndjson" };
  const path = "/v1/messages:stream";
  const line = `${JSON.stringify({ to: TO, text: "x" })}\n`;
  for (const count of [0, 1, 1024, 1500]) {
    // Each token is new, so that the body is there before it is verified.
    const fresh = { ...rig.headers(1, ["send", `x${count}`]), ...ndjson };
    const answer = await rig.call({ path, headers: fresh, body: line.repeat(count) });
    assert.equal(answer.status, 200);
    assert.equal(answer.text.split("\n").length - 1, count);
    assert.equal((await rig.post({ to: TO, text: "next" }, headers)).status, 202, `${count} lines`);
  }
  const unknown = { ...headers, ...ndjson, authorization: "Bearer x.y.z" };
  assert.equal((await rig.call({ path, headers: unknown })).status, 401);
});

test("a stream that has read its lines gives their memory back", async () => {
  const config = CONFIG.replace("body_bytes_max: 4096", "stream_line_bytes_max: 16777216");
  const own = new HttpRig({ config });
  const long = Buffer.alloc(13 << 20, 0x20);
  const streams: Stream[] = [];
  for (let i = 0; i < 6; i++) {
    const stream = new Stream(own);
    streams.push(stream);
    stream.write(long);
    stream.write("\n");
    stream.send({ to: TO, text: "x" });
    await stream.until(1);
    assert.equal(stream.closed, false, `stream ${i}`);
    await sleep(250);
  }
  for (const stream of streams) {
    stream.send({ to: TO, text: "y" });
    assert.equal((await stream.until(2)).length, 2);
  }
  await own.close();
});

test("a stream ends when a reload closes its app to its address", async () => {
  const own = new HttpRig({ waitingMax: 1000 });
  const stream = new Stream(own);
  stream.send({ to: TO, text: "x" });
  await stream.until(1);
  const narrowed = CONFIG.replace(
    "name: demo, rate_tps: null,",
    'name: demo, rate_tps: null, ip_allow: ["10.0.0.0/8"],',
  );
  const config = configOf(narrowed);
  own.server.reload(config, derivePools(config, own.rig.pools));
  own.rig.clock.nowMs += 6000;
  const acks = await stream.untilWhole();
  assert.deepEqual([acks.length, acks[1]?.problem?.status], [2, 403]);
  await own.close();
});

test("an app has half of all streams, and another one has room beside it", async () => {
  const own = new HttpRig();
  const started: Stream[] = [];
  const start = (appId = 1): Stream => {
    const { authorization, "x-app-id": id } = own.headers(appId) as Record<string, string>;
    const stream = new Stream(own, { authorization, "x-app-id": id } as Record<string, string>);
    stream.send({ to: TO, text: "x" });
    started.push(stream);
    return stream;
  };
  try {
    const first = start();
    await first.until(1);
    while (started.length < STREAMS_MAX / 2) {
      const stream = start();
      if (started.length % 64 === 0) await stream.until(1);
    }
    for (const stream of started) assert.equal((await stream.until(1)).length, 1);
    const refused = start();
    while (!refused.closed) await sleep(3);
    assert.equal(refused.status, 503);
    await start(2).until(1);
    assert.equal(started.at(-1)?.status, 200, "another app");
    first.end();
    await first.untilWhole();
    await start().until(1);
    assert.equal(started.at(-1)?.status, 200, "in place of the first one");
  } finally {
    for (const stream of started) stream.destroy();
    await own.close();
  }
});

test("streams that wait for their keys leave those of a token that is known alone", async () => {
  // The keys of app 2 are behind a URL that takes every call and answers none.
  const mute = createServer(() => undefined);
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
  const jwt = `jwt: { jwks_url: "${url}", audience: smsgw },`;
  const own = new HttpRig({ config: CONFIG.replace("name: pinner,", `name: pinner, ${jwt}`) });
  const known = own.headers() as Record<string, string>;
  const started: Stream[] = [];
  const start = (headers: Record<string, string>): Stream => {
    const stream = new Stream(own, headers);
    stream.send({ to: TO, text: "x" });
    started.push(stream);
    return stream;
  };
  try {
    assert.equal((await own.post({ to: TO, text: "x" }, known)).status, 202, "the token is known");
    const token = own.token(2);
    const payload = token.split(".")[1];
    const unknown = {
      authorization: `Bearer ${encode({ alg: "RS256", kid: "x" })}.${payload}.AAAA`,
      "x-app-id": "2",
    };
    for (let i = 0; i <= STREAMS_MAX / 2; i++) start(unknown);
    // One more than may wait: it is refused at once.
    while (!started.some((stream) => stream.closed)) await sleep(3);
    assert.equal(started.find((stream) => stream.closed)?.status, 503);
    const { authorization, "x-app-id": id } = known;
    const stream = start({ authorization, "x-app-id": id } as Record<string, string>);
    assert.equal((await stream.until(1))[0]?.line, 1);
    assert.equal(stream.status, 200);
  } finally {
    for (const stream of started) stream.destroy();
    await own.close();
    mute.closeAllConnections();
    mute.close();
  }
});
