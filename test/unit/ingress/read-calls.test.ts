/** Lists, events and held messages over HTTP: what is asked, what is refused, how pages link. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { MESSAGE_STATUS } from "../../../src/ledger/messages/message-state.ts";
import type { CancelAnswer } from "../../../src/ingress/calls/message-lookup.ts";
import { type ReadQuestion, STATUS_WORDS } from "../../../src/ingress/calls/read-calls.ts";
import { formatMessageId, parseMessageId } from "../../../src/records/message-key.ts";
import { HttpRig } from "./http-rig.ts";

const OPS = ["ops"] as const;
const ANY_ID = formatMessageId("gw-1", 5, 9);
let http: HttpRig;
let asked: ReadQuestion[] = [];
let answer: unknown = { data: [], next: null };

before(() => {
  http = new HttpRig();
  http.reads = (question, done) => {
    asked.push(question);
    setImmediate(() => done(answer));
    return true;
  };
});
beforeEach(() => {
  asked = [];
  answer = { data: [], next: null };
});
after(() => http.close());

test("a list asks for exactly what the query says", async () => {
  const query =
    "reference=order-17%20%E2%9C%93&to=+998901234567&status=queued&limit=7" +
    "&since=2026-11-22T08:00:00Z&until=2026-11-22T10:00:00%2B01:00";
  answer = { data: [{ id: "a" }], next: "cursor-1" };
  const page = await http.get(`/v1/messages?${query}`);
  assert.equal(page.status, 200);
  assert.deepEqual(page.json, { data: [{ id: "a" }], next: "cursor-1" });
  assert.deepEqual(asked, [
    {
      kind: "list",
      list: {
        appId: 1,
        to: "998901234567",
        reference: "order-17 ✓",
        status: "queued",
        since: Date.UTC(2026, 10, 22, 8),
        until: Date.UTC(2026, 10, 22, 9),
        limit: 7,
        after: null,
      },
    },
  ]);
  const link = /^<([^>]+)>; rel="next"$/.exec(String(page.headers["link"]));
  assert.ok(link !== null);
  await http.get(link[1] as string);
  const [first, second] = asked;
  assert.ok(first?.kind === "list" && second?.kind === "list");
  assert.deepEqual(second.list, { ...first.list, after: "cursor-1" });
});

test("what cannot be asked for is refused, with a pointer", async () => {
  for (const [query, pointer] of [
    ["limit=0", "/limit"],
    ["limit=501", "/limit"],
    ["limit=1e2", "/limit"],
    ["to=abc", "/to"],
    ["status=gone", "/status"],
    ["since=yesterday", "/since"],
    ["until=2026-13-99T00:00:00Z", "/until"],
    ["until=2026-02-30T00:00:00Z", "/until"],
    ["since=1700000000", "/since"],
    ["reference=", "/reference"],
    [`reference=${"a".repeat(256)}`, "/reference"],
    [`reference=${"%C3%A9".repeat(128)}`, "/reference"],
    ["reference=a&reference=b", "/reference"],
    ["color=red", ""],
  ]) {
    const refused = await http.get(`/v1/messages?${query}`);
    assert.equal(refused.status, 400, query);
    const errors = refused.json["errors"] as { pointer: string }[];
    assert.equal(errors[0]?.pointer, pointer, query);
  }
  assert.deepEqual(asked, []);
  answer = null;
  assert.equal((await http.get("/v1/messages?after=zzz")).status, 400);
  assert.equal((await http.call({ method: "DELETE", path: "/v1/messages" })).status, 405);
  assert.equal((await http.call({ method: "GET", path: "/v1/messages", headers: {} })).status, 401);
});

test("a plus of an offset from UTC need not be escaped, and leap days are days", async () => {
  await http.get("/v1/messages?since=2028-02-29T00:00:00+05:00&until=2028-03-01T00:00:00.5-01:30");
  const [question] = asked;
  assert.ok(question?.kind === "list");
  assert.equal(question.list.since, Date.UTC(2028, 1, 28, 19));
  assert.equal(question.list.until, Date.UTC(2028, 2, 1, 1, 30, 0, 500));
  const longest = "é".repeat(127);
  await http.get(`/v1/messages?reference=${encodeURIComponent(longest)}`);
  assert.ok(asked[1]?.kind === "list" && asked[1].list.reference === longest);
});

test("every status word can be asked for", () => {
  assert.deepEqual(new Set(STATUS_WORDS), new Set([...MESSAGE_STATUS, "queued"]));
});

test("events are read by cursor, and an expired one is told", async () => {
  answer = { kind: "events", data: [{ cursor: "8" }], next: "8" };
  const page = await http.get("/v1/events?after=7&limit=1");
  assert.deepEqual(page.json, { data: [{ cursor: "8" }], next: "8" });
  assert.deepEqual(asked, [{ kind: "events", appId: 1, after: 7, limit: 1 }]);
  answer = { kind: "expired" };
  const gone = await http.get("/v1/events?after=1");
  assert.equal(gone.status, 410);
  assert.match(String(gone.json["type"]), /cursor-expired$/);
  answer = { kind: "unknown" };
  assert.equal((await http.get("/v1/events?after=999")).status, 400);
  assert.equal((await http.get("/v1/events?after=-1")).status, 400);
});

test("held messages and decisions need the scope ops", async () => {
  assert.equal((await http.get("/v1/held")).status, 403);
  const { sequence, origin } = { sequence: 5, origin: 9 };
  const node = http.rig.config.node.name;
  const id = formatMessageId(node, sequence, origin);
  const headers = http.headers(5, OPS);
  const resolve = async (body: unknown, path = "/v1/held:resolve") =>
    await http.call({ path, headers, body: JSON.stringify(body) });
  assert.equal((await http.call({ path: "/v1/held:resolve", body: "{}" })).status, 403);
  answer = ["resolved"];
  for (const path of ["/v1/held:resolve", "/v1/held%3Aresolve"]) {
    const done = await resolve({ ids: [id, "nonsense"], decision: "fail" }, path);
    assert.equal(done.status, 200);
    assert.deepEqual(done.json, {
      resolved: 1,
      results: [
        { id, outcome: "resolved" },
        { id: "nonsense", outcome: "unknown" },
      ],
    });
  }
  assert.deepEqual(asked[0], { kind: "resolve", keys: [{ sequence, origin }], decision: "fail" });
  for (const body of [[], {}, { ids: [], decision: "fail" }, { ids: [id], decision: "maybe" }]) {
    assert.equal((await resolve(body)).status, 400);
  }
  const many = { ids: Array.from({ length: 1001 }, () => id), decision: "fail" };
  assert.equal((await resolve(many)).status, 400);
  assert.equal((await resolve({ ids: ["x".repeat(200_000)] })).status, 413);
});

test("a ledger with too many questions is said to be so", async () => {
  const before = http.reads;
  http.reads = () => false;
  const refused = await http.get("/v1/messages");
  http.reads = before;
  assert.equal(refused.status, 503);
  assert.equal(refused.headers["retry-after"], "1");
});

test("a ledger that does not answer in time is told as 503, whatever was asked", async () => {
  answer = "late";
  const headers = http.headers(5, OPS);
  const body = (value: object) => ({ headers, body: JSON.stringify(value) });
  for (const call of [
    { method: "GET", path: "/v1/messages" },
    { method: "GET", path: "/v1/events" },
    { method: "GET", path: "/v1/held", headers },
    { path: "/v1/held:resolve", ...body({ ids: [ANY_ID], decision: "fail" }) },
    { method: "GET", path: "/v1/deadletters", headers },
    { path: "/v1/deadletters:replay", ...body({ ids: [ANY_ID] }) },
    { path: "/v1/deadletters:replay", ...body({ filter: {} }) },
  ]) {
    const late = await http.call(call);
    assert.deepEqual([late.status, late.headers["retry-after"]], [503, "1"], call.path);
  }
});

test("what the ledger claims for a replay too late is given back; nothing is sent", async () => {
  const before = http.reads;
  const keys = [3, 4, 5].map((sequence) => ({ sequence, origin: 9 }));
  let claimTooLate: ((answer: unknown) => void) | undefined;
  http.reads = (question, done, tooLate) => {
    asked.push(question);
    claimTooLate ??= tooLate;
    setImmediate(() => done("late"));
    return true;
  };
  const ids = keys.map(({ sequence, origin }) => formatMessageId("gw-1", sequence, origin));
  const headers = http.headers(5, OPS);
  const body = JSON.stringify({ ids });
  const late = await http.call({ path: "/v1/deadletters:replay", headers, body });
  assert.equal(late.status, 503);
  assert.deepEqual(asked, [{ kind: "claim", keys }]);
  const record = new Uint8Array(8);
  const claimed = { outcome: "claimed", app: 1, record };
  claimTooLate?.([claimed, { outcome: "unknown" }, claimed]);
  http.reads = before;
  assert.deepEqual(asked[1], { kind: "release", keys: [keys[0], keys[2]] });
  assert.equal(http.rig.ingress.pendingCount, 0);
});

test("DELETE cancels a message once the ledger says so, and tells why it cannot", async () => {
  const own = new HttpRig();
  const { json } = await own.post({ to: "+998901234567", text: "x" });
  const id = json["id"] as string;
  own.rig.logTable.storeAppliedSequence(0, Number.MAX_SAFE_INTEGER);
  const path = `/v1/messages/${id}`;
  const ask = async (answer: CancelAnswer) => {
    const call = own.call({ method: "DELETE", path });
    while (own.rig.cancels.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const asked = own.rig.cancels.pop();
    assert.equal(asked?.appId, 1);
    assert.equal(asked.key.sequence, parseMessageId(id)?.key.sequence);
    asked.done(answer);
    return await call;
  };
  const canceled = await ask("canceled");
  assert.deepEqual([canceled.status, canceled.json], [200, { id, status: "canceled" }]);
  for (const [answer, status, type] of [
    ["not_cancellable", 409, "not-cancellable"],
    ["unknown", 404, "not-found"],
    ["overloaded", 503, "overloaded"],
  ] as const) {
    const refused = await ask(answer);
    assert.deepEqual([refused.status, refused.json["type"]], [status, `/problems/${type}`]);
  }
  const headers = own.headers(1, []);
  assert.equal((await own.call({ method: "DELETE", path, headers })).status, 403);
  const nowhere = { method: "DELETE", path: "/v1/messages/x" };
  assert.equal((await own.call(nowhere)).status, 404);
  assert.equal((await own.call({ method: "PATCH", path })).headers["allow"], "GET, DELETE");
  await own.close();
});
