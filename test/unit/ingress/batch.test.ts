import assert from "node:assert/strict";
import { after, test } from "node:test";
import { parseMessageId } from "../../../src/records/message-key.ts";
import { HttpRig } from "./http-rig.ts";

const TO = "+998901234567";
const PATH = "/v1/messages:batch";
const http = new HttpRig({ waitingMax: 100_000, pendingMax: 4096 });
after(async () => await http.close());

type Result = { id?: string; problem?: Record<string, unknown> } & Record<string, unknown>;

async function post(messages: unknown, path = PATH, appId = 1) {
  const body = JSON.stringify({ messages });
  const headers = http.headers(appId, ["send", "route:pin"]);
  const answer = await http.call({ path, headers, body });
  return { ...answer, results: answer.json["results"] as Result[] };
}

test("every message of a batch gets its result, in order", async () => {
  const messages = Array.from({ length: 1000 }, (_, i) => ({
    to: TO,
    text: i % 7 === 3 ? "" : "x".repeat(1 + (i % 200)),
    reference: `r${i}`,
  }));
  const { status, json, results } = await post(messages);
  assert.equal(status, 202);
  assert.equal(results.length, 1000);
  const refused = results.filter((result) => result.problem !== undefined);
  assert.equal(json["accepted"], 1000 - refused.length);
  const sequences: number[] = [];
  for (const [i, result] of results.entries()) {
    if (i % 7 === 3) {
      assert.equal(result.problem?.["status"], 400);
      const errors = [{ pointer: `/messages/${i}/text`, detail: "must not be empty" }];
      assert.deepEqual(result.problem?.["errors"], errors);
      continue;
    }
    assert.equal(result["reference"], `r${i}`);
    assert.equal(result["segments"], 1 + (i % 200) > 160 ? 2 : 1);
    sequences.push(parseMessageId(result.id as string)?.key.sequence as number);
  }
  assert.deepEqual(
    sequences,
    sequences.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(sequences).size, sequences.length);
});

test("the colon of the path may be encoded", async () => {
  for (const path of ["/v1/messages%3Abatch", "/v1/messages%3abatch"]) {
    assert.equal((await post([{ to: TO, text: "x" }], path)).status, 202);
  }
});

test("a batch without an accepted message has the status of its first problem", async () => {
  const unroutable = await post([{ to: "12025550100", text: "x" }, { to: "x" }]);
  assert.equal(unroutable.status, 422);
  assert.equal(unroutable.headers["content-type"], "application/json");
  assert.equal(unroutable.json["accepted"], 0);
  assert.deepEqual(
    unroutable.results.map((result) => result.problem?.["status"]),
    [422, 400],
  );
  const limited = await post([{ to: TO, text: "x" }], PATH, 4);
  assert.equal(limited.status, 429);
  assert.equal(limited.headers["retry-after"], "60");
  assert.equal(limited.headers["ratelimit-policy"], '"segments";q=0;w=1');
});

test("a rate is charged message by message", async () => {
  const own = new HttpRig();
  const messages = Array.from({ length: 30 }, () => ({ to: TO, text: "x" }));
  const body = JSON.stringify({ messages });
  const answer = await own.call({ path: PATH, headers: own.headers(2), body });
  const results = answer.json["results"] as Result[];
  assert.equal(answer.status, 202);
  assert.equal(answer.json["accepted"], 20, "its burst");
  assert.ok(results.slice(20).every(({ problem }) => problem?.["status"] === 429));
  assert.equal(results[20]?.problem?.["retry_after_s"], 1);
  assert.equal(answer.headers["ratelimit-policy"], '"segments";q=20;w=2');
  assert.match(answer.headers["ratelimit"] as string, /^"segments";r=0;t=[12]$/);
  await own.close();
});

test("a body that is no batch is refused whole", async () => {
  const pointers = async (body: string) => {
    const answer = await http.call({ path: PATH, body });
    assert.equal(answer.status, 400, answer.text);
    return (answer.json["errors"] as { pointer: string }[]).map(({ pointer }) => pointer);
  };
  assert.deepEqual(await pointers("[]"), [""]);
  assert.deepEqual(await pointers('{"messages":[]}'), ["/messages"]);
  assert.deepEqual(await pointers('{"messages":{},"x":1}'), ["/x", "/messages"]);
  const twice = `{"messages":[{"to":"${TO}","text":"a"},{"to":"${TO}","text":"a","text":"b"}]}`;
  assert.deepEqual(await pointers(twice), ["/messages/1/text"]);
  const many = await post(Array.from({ length: 1001 }, () => 0));
  assert.equal(many.status, 413);
  const limit = http.rig.config.http.batchBytesMax;
  const large = await http.call({ path: PATH, body: " ".repeat(limit + 1) });
  assert.equal(large.status, 413);
  const wrong = await http.call({ path: PATH, method: "PUT" });
  assert.deepEqual([wrong.status, wrong.headers["allow"]], [405, "POST"]);
});

test("a batch whose sender goes away stays accepted", async () => {
  const own = new HttpRig();
  own.isJournalStopped = true;
  const head = Object.entries(own.headers()).map(([name, value]) => `${name}: ${value}\r\n`);
  const body = JSON.stringify({ messages: [1, 2, 3].map(() => ({ to: TO, text: "x" })) });
  const socket = own.open();
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nhost: x\r\n${head.join("")}` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  while (own.rig.ingress.pendingCount < 3) await new Promise((resolve) => setTimeout(resolve, 2));
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  own.isJournalStopped = false;
  while (own.rig.ingress.pendingCount > 0) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(own.rig.ingress.dispatcher.waitingCount, 3);
  await own.close();
});

test("messages for later are scheduled by every call, and not dispatched", async () => {
  const own = new HttpRig({ waitingMax: 1000 });
  for (const pool of own.rig.pools.pools) own.rig.grant(0, pool.poolIndex, 100);
  const later = { to: TO, text: "x", send_at: new Date(own.rig.clock.wallMs() + 60_000) };
  const single = await own.post(later, { ...own.headers(), prefer: "wait=9" });
  assert.deepEqual([single.status, single.json["status"]], [202, "scheduled"]);
  const body = JSON.stringify({ messages: [later, { to: TO, text: "y" }] });
  const { results } = (await own.call({ path: PATH, body })).json as { results: Result[] };
  assert.deepEqual(
    results.map(({ status }) => status),
    ["scheduled", "accepted"],
  );
  const headers = { ...own.headers(), "content-type": "application/x-ndjson" };
  const path = "/v1/messages:stream";
  const line = await own.call({ path, headers, body: JSON.stringify(later) });
  assert.equal((JSON.parse(line.text) as Result)["status"], "scheduled");
  assert.equal(own.rig.submitted().length, 1);
  await own.close();
});

test("no answer is longer than twice its request and a megabyte", async () => {
  const unknown = (names: number, length: number): string =>
    Array.from({ length: names }, (_, i) => `"${String(i).padEnd(length, "~")}":0`).join(",");
  const item = `{${unknown(60, 4)}}`;
  const long = `{${unknown(30, 60)}}`;
  for (const body of [
    `{"messages":[${Array.from({ length: 1000 }, () => "0").join(",")}]}`,
    `{"messages":[${Array.from({ length: 1000 }, () => item).join(",")}]}`,
    `{"messages":[${Array.from({ length: 900 }, () => long).join(",")}]}`,
    `{${unknown(150_000, 1)}}`,
  ]) {
    const { text, status } = await http.call({ path: PATH, body });
    assert.equal(status, 400);
    assert.ok(text.length <= 2 * body.length + 1_000_000, `${text.length} for ${body.length}`);
  }
});
