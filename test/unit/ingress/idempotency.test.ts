import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ScopeBit } from "../../../src/ingress/admission/admission.ts";
import { Admit } from "../../../src/ingress/admission/admission.ts";
import { Counter } from "../../../src/metrics/block.ts";
import { acceptHasKey } from "../../../src/records/accept.ts";
import { type HttpAnswer, HttpRig } from "./http-rig.ts";
import { CollectingTicket, IngressRig } from "./rig.ts";

const TO = "+998901234567";
const http = new HttpRig({ waitingMax: 100_000 });
after(async () => await http.close());

async function post(body: object, key: string, appId = 1): Promise<HttpAnswer> {
  return await http.post(body, { ...http.headers(appId), "idempotency-key": key });
}

async function batch(messages: readonly object[], key = "", own = http): Promise<HttpAnswer> {
  const headers = { ...own.headers(), ...(key === "" ? {} : { "idempotency-key": key }) };
  const body = JSON.stringify({ messages });
  return await own.call({ path: "/v1/messages:batch", headers, body });
}

function resultsOf(answer: HttpAnswer): Record<string, unknown>[] {
  return answer.json["results"] as Record<string, unknown>[];
}

function statusOf(result: Record<string, unknown> | undefined): unknown {
  return (result?.["problem"] as Record<string, unknown> | undefined)?.["status"];
}

function messagesAccepted(own = http): number {
  return own.rig.metrics.read(Counter.messagesAccepted);
}

test("the same call gets the first answer again, and nothing more is sent", async () => {
  const before = messagesAccepted();
  const body = { to: TO, text: "привет — ok", reference: "order-17" };
  const first = await post(body, "k-1");
  assert.equal(first.status, 202);
  assert.equal(first.headers["idempotency-replayed"], undefined);
  const again = await post({ reference: "order-17", text: "привет — ok", to: TO }, "k-1");
  assert.equal(again.status, 202);
  assert.equal(again.text, first.text);
  assert.equal(again.headers["location"], first.headers["location"]);
  assert.equal(again.headers["idempotency-replayed"], "true");
  assert.equal(messagesAccepted(), before + 1);
  const fresh = await post(body, "k-2");
  assert.notEqual(fresh.json["id"], first.json["id"]);
});

test("what a first answer said beside the id is said again", async () => {
  const sendAt = new Date(http.rig.clock.wallMs() + 5000).toISOString();
  for (const [name, body] of Object.entries({
    scheduled: { to: TO, text: "x", send_at: sendAt },
    replaced: { to: TO, text: "“x” 😀", transliterate: true },
    long: { to: TO, text: "x".repeat(400) },
    binary: { to: TO, binary: { data: "AAEC", data_coding: 4 } },
  })) {
    const first = await post(body, `again-${name}`);
    assert.equal(first.status, 202, first.text);
    assert.equal((await post(body, `again-${name}`)).text, first.text, name);
  }
  http.rig.clock.nowMs += 120_000;
  const late = await post({ to: TO, text: "x", send_at: sendAt }, "again-scheduled");
  assert.equal(late.headers["idempotency-replayed"], "true", "although send_at is over");
});

test("a key belongs to its app and to its request", async () => {
  const first = await post({ to: TO, text: "x" }, "shared");
  const other = await post({ to: TO, text: "x" }, "shared", 2);
  assert.notEqual(other.json["id"], first.json["id"]);
  for (const body of [
    { to: TO, text: "y" },
    { to: TO, text: "x", class: "otp" },
    { to: TO.slice(1), text: "x" },
  ]) {
    const conflict = await post(body, "shared");
    assert.equal(conflict.status, 422);
    assert.equal(conflict.json["type"], "/problems/idempotency-conflict");
  }
  assert.equal((await post({ to: TO, text: "x" }, "shared")).json["id"], first.json["id"]);
});

test("a key whose call has no answer yet is 409 with Retry-After", async () => {
  const own = new HttpRig();
  own.isJournalStopped = true;
  const headers = { ...own.headers(), "idempotency-key": "slow" };
  const first = own.post({ to: TO, text: "x" }, headers);
  while (own.rig.ingress.pendingCount === 0) await sleep(1);
  const running = await own.post({ to: TO, text: "x" }, headers);
  assert.equal(running.status, 409);
  assert.equal(running.headers["retry-after"], "1");
  assert.equal(running.json["type"], "/problems/idempotency-conflict");
  const conflict = await own.post({ to: TO, text: "y" }, headers);
  assert.equal(conflict.status, 422);
  own.isJournalStopped = false;
  const id = (await first).json["id"];
  const again = await own.post({ to: TO, text: "x" }, headers);
  assert.deepEqual([again.status, again.json["id"]], [202, id]);
  assert.equal(messagesAccepted(own), 1);
  await own.close();
});

test("a call that was refused leaves its key free", async () => {
  const refused = [
    [{ to: TO, text: "x", ttl_s: -1 }, 400],
    [{ to: "12025550100", text: "x" }, 422],
    [{ to: TO, text: "x", route: 1000 }, 403],
  ] as const;
  for (const [body, status] of refused) {
    assert.equal((await post(body, "free")).status, status);
  }
  const limited = await post({ to: TO, text: "x" }, "free", 4);
  assert.equal(limited.status, 429);
  assert.equal((await post({ to: TO, text: "x" }, "free", 4)).status, 429, "the app's rate is 0");
  const taken = await post({ to: TO, text: "x" }, "free");
  assert.equal(taken.status, 202);
  assert.equal(taken.headers["idempotency-replayed"], undefined);
});

test("a repeated call costs the app nothing", async () => {
  const body = { to: TO, text: "x" };
  const first = await post(body, "cheap", 2);
  for (let i = 0; i < 50; i++) {
    assert.equal((await post(body, "cheap", 2)).json["id"], first.json["id"], `call ${i}`);
  }
});

test("a key is 1 to 255 printable characters, given once", async () => {
  const body = JSON.stringify({ to: TO, text: "x" });
  for (const key of ["", "x".repeat(256), "caf\u00e9s", ["a", "b"], ["a", "a"], "tab\there"]) {
    const headers = { ...http.headers(), "idempotency-key": key };
    const answer = await http.call({ headers, body });
    assert.equal(answer.status, 400, JSON.stringify(key));
    assert.equal(answer.json["type"], "/problems/invalid");
  }
  assert.equal((await post({ to: TO, text: "x" }, "x".repeat(255))).status, 202);
  for (const key of ["", "x".repeat(256), "café", 7, null]) {
    const answer = await http.post({ to: TO, text: "x", idempotency_key: key });
    assert.equal(answer.status, 400, JSON.stringify(key));
  }
  const both = await post({ to: TO, text: "x", idempotency_key: "a" }, "a");
  assert.equal(both.status, 400);
  const errors = both.json["errors"] as { pointer: string }[];
  assert.deepEqual(
    errors.map(({ pointer }) => pointer),
    ["/idempotency_key"],
  );
});

test("the messages of a batch have keys of their own, the same as the header's", async () => {
  const messages = Array.from({ length: 4 }, (_, i) => ({
    to: TO,
    text: `b${i}`,
    ...(i === 3 ? {} : { idempotency_key: `b-${i}` }),
  }));
  const first = await batch(messages);
  assert.equal(first.json["accepted"], 4);
  assert.equal(first.headers["idempotency-replayed"], undefined);
  const again = await batch([...messages.slice(0, 3), { ...messages[1], text: "other" }]);
  assert.equal(again.json["accepted"], 3);
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(resultsOf(again)[i], { ...resultsOf(first)[i], replayed: true });
  }
  assert.equal(statusOf(resultsOf(again)[3]), 422);
  const whole = await batch(messages.slice(0, 3));
  assert.equal(whole.headers["idempotency-replayed"], "true");
  const single = await post({ to: TO, text: "b1" }, "b-1");
  assert.equal(single.json["id"], resultsOf(first)[1]?.["id"]);
  const twice = await batch([
    { to: TO, text: "t", idempotency_key: "t" },
    { to: TO, text: "t", idempotency_key: "t" },
  ]);
  assert.equal(twice.json["accepted"], 1);
  assert.equal(statusOf(resultsOf(twice)[1]), 409, "its own first call is still running");
});

test("the header of a batch is each message's key, by its place", async () => {
  const messages = Array.from({ length: 3 }, () => ({ to: TO, text: "same" }));
  const first = await batch(messages, "batch-1");
  const ids = resultsOf(first).map((result) => result["id"]);
  assert.equal(new Set(ids).size, 3);
  const again = await batch(messages, "batch-1");
  assert.deepEqual(
    resultsOf(again).map((result) => result["id"]),
    ids,
  );
  assert.equal(again.headers["idempotency-replayed"], "true");
  const longer = await batch([...messages, { to: TO, text: "new" }], "batch-1");
  assert.deepEqual(
    resultsOf(longer)
      .slice(0, 3)
      .map((result) => result["id"]),
    ids,
  );
  assert.equal(longer.headers["idempotency-replayed"], undefined);
  const changed = await batch([{ to: TO, text: "changed" }], "batch-1");
  assert.equal(changed.status, 422);
  const own = await batch([{ to: TO, text: "x", idempotency_key: "k" }], "batch-1");
  assert.equal(own.status, 400);
});

test("a preview takes no key, and asks for none", async () => {
  const headers = { ...http.headers(), "idempotency-key": "preview" };
  const body = JSON.stringify({ to: TO, text: "x" });
  const preview = await http.call({ path: "/v1/messages:preview", headers, body });
  assert.equal(preview.json["verdict"], "accepted");
  assert.equal((await post({ to: TO, text: "other" }, "preview")).status, 202);
});

test("a repeated call may wait for the operator, too", async () => {
  const headers = { ...http.headers(), "idempotency-key": "waits", prefer: "wait=5" };
  const body = { to: TO, text: "x" };
  const first = await post(body, "waits");
  const call = http.post(body, headers);
  while (http.rig.awaited.length === 0) await sleep(1);
  const { done } = http.rig.awaited.pop() as (typeof http.rig.awaited)[number];
  done({ id: first.json["id"], status: "sent" });
  const answer = await call;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["idempotency-replayed"], "true");
});

test("a key is free again if there was no room, and else stands in the ACCEPT", () => {
  const rig = new IngressRig();
  const full = rig.admissionWithFullStaging();
  const from = new ArrayBuffer(0);
  const body = { to: TO, text: "x" };
  assert.equal(full.admit(0, body, ScopeBit.SEND, from, "k"), Admit.OVERLOADED);
  const own = new IngressRig();
  const ticket = new CollectingTicket();
  assert.equal(own.ingress.accept(0, body, ScopeBit.SEND, ticket, from, 0, "k"), Admit.STAGED);
  own.settle();
  assert.equal(ticket.messages.length, 1);
  const at = own.loader.load(64 + 8);
  assert.ok(at >= 0);
  assert.equal(acceptHasKey(own.loader.memory.view, at), true);
  const replayed = own.ingress.accept(0, body, ScopeBit.SEND, ticket, from, 0, "k");
  assert.equal(replayed, Admit.STAGED);
  assert.equal(ticket.messages.length, 1, "told later, not within its own call");
  own.ingress.drain();
  assert.equal(own.ingress.isDrained(), false, "it has not been told yet");
  own.settle();
  assert.equal(own.ingress.isDrained(), true);
  assert.deepEqual(ticket.messages[1], ticket.messages[0]);
});
