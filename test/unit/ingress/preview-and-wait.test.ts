import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { AcceptedTexts } from "../../../src/ingress/admission/accepted-texts.ts";
import { AnswerWaits, preferredWait, WAITS_MAX } from "../../../src/ingress/calls/answer-waits.ts";
import { CallEnds } from "../../../src/ingress/calls/call-ends.ts";
import { type CallKind, Exchange, type ExchangeOwner } from "../../../src/ingress/http/exchange.ts";
import type { MessageLookup } from "../../../src/ingress/calls/message-lookup.ts";
import { PendingMessage } from "../../../src/ingress/calls/pending-messages.ts";
import { HttpRig } from "./http-rig.ts";

const TO = "+998901234567";
const http = new HttpRig();
after(async () => await http.close());

async function preview(message: unknown, appId = 1) {
  const headers = http.headers(appId, ["send", "route:pin"]);
  const body = JSON.stringify(message);
  return await http.call({ path: "/v1/messages:preview", headers, body });
}

test("a preview says what a message would be, and sends and charges nothing", async () => {
  const { status, json } = await preview({ to: TO, text: "Привет 😀".repeat(10), class: "otp" });
  assert.equal(status, 200);
  assert.deepEqual(json, {
    verdict: "accepted",
    segments: 2,
    encoding: "ucs2",
    characters: 80,
    class: "otp",
    priority: 3,
    ttl_s: 300,
    route: 1000,
  });
  const plain = await preview({ to: "79001234567", text: "Ça “va”?", transliterate: true });
  assert.deepEqual(
    [plain.json["encoding"], plain.json["transliterated"], plain.json["route"]],
    ["gsm7", "“”", 101],
  );
  for (let i = 0; i < 30; i++) {
    const { json: unlimited } = await preview({ to: TO, text: "x" }, 2);
    assert.equal(unlimited["verdict"], "accepted");
  }
  assert.equal(http.rig.ingress.pendingCount, 0);
  assert.equal(http.rig.ingress.dispatcher.waitingCount, 0);
});

test("a preview says why a message would be refused", async () => {
  const unroutable = await preview({ to: "12025550100", text: "x" });
  assert.equal(unroutable.status, 200);
  assert.equal(unroutable.json["verdict"], "refused");
  assert.equal(unroutable.json["route"], null);
  assert.equal((unroutable.json["problem"] as { status: number }).status, 422);
  const closed = await preview({ to: TO, text: "x" }, 4);
  assert.equal((closed.json["problem"] as { retry_after_s: number }).retry_after_s, 60);
  assert.equal((await preview({ to: TO })).status, 400);
  assert.equal((await preview({ to: TO, text: "x", route: 1000 }, 1)).status, 403);
});

test("wait is read out of any list of preferences", () => {
  for (const [prefer, seconds] of [
    ["", 0],
    ["wait=5", 5],
    ["respond-async, wait=10", 10],
    ['WAIT = "7" ; x=y, other', 7],
    ["wait=500", 30],
    ["wait=-1", 0],
    ["wait=1.5", 0],
    ["await=3", 0],
    ["wait", 0],
  ] as const) {
    assert.equal(preferredWait(prefer), seconds, prefer);
  }
});

test("a call that waits gets the operator's answer", async () => {
  const headers = { ...http.headers(), prefer: "wait=2" };
  const call = http.post({ to: TO, text: "x" }, headers);
  while (http.rig.awaited.length === 0) await sleep(2);
  const { done } = http.rig.awaited.pop() as (typeof http.rig.awaited)[number];
  done({ id: "x", status: "sent" });
  const answer = await call;
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["preference-applied"], "wait=2");
  assert.deepEqual(answer.json, { id: "x", status: "sent" });
});

test("a call that waited in vain gets its 202", async () => {
  const headers = { ...http.headers(), prefer: "wait=2" };
  const call = http.post({ to: TO, text: "x", reference: "r" }, headers);
  while (http.rig.awaited.length === 0) await sleep(2);
  http.rig.awaited.pop()?.done("late");
  http.rig.clock.nowMs += 1990;
  await sleep(2);
  http.rig.clock.nowMs += 10;
  const answer = await call;
  assert.equal(answer.status, 202);
  assert.equal(answer.headers["preference-applied"], "wait=2");
  assert.equal(answer.headers["location"], `/v1/messages/${answer.json["id"] as string}`);
  assert.equal(answer.json["reference"], "r");
});

test("a caller that goes away while it waits, and a stop, leave nothing behind", async () => {
  const own = new HttpRig();
  const headers = { ...own.headers(), prefer: "wait=9" };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const body = JSON.stringify({ to: TO, text: "x" });
  const socket = own.open();
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${head.join("")}` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  while (own.rig.awaited.length === 0) await sleep(2);
  socket.destroy();
  await sleep(20);
  own.rig.awaited.pop()?.done({ id: "x" });
  const call = own.post({ to: TO, text: "x" }, headers);
  while (own.rig.awaited.length === 0) await sleep(2);
  own.server.stopListening();
  assert.equal((await call).status, 202);
  await own.close();
});

test("a caller that goes away makes room for another to wait", () => {
  const kind: CallKind = { bodyBytesMax: 1, start: assert.fail, onAccepted: assert.fail };
  const clock = { monotonicMs: () => 0, wallMs: () => 0 };
  const lookup = { awaitAnswer: () => undefined } as unknown as MessageLookup;
  const texts = new AcceptedTexts("gw-1");
  const waits = new AnswerWaits({ lookup, clock, ends: new CallEnds(), texts });
  const callOf = (appId = 1): Exchange => {
    const call = new Exchange({ giveBack: () => undefined } as unknown as ExchangeOwner, kind);
    Object.assign(call, { response: {}, grant: { appId }, prefer: "wait=30" });
    return call;
  };
  const calls = Array.from({ length: WAITS_MAX / 2 }, () => callOf());
  for (const call of calls) assert.equal(waits.take(call, new PendingMessage()), true);
  assert.equal(waits.take(callOf(), new PendingMessage()), false);
  calls[7]?.finish();
  waits.onTick();
  assert.equal(waits.take(callOf(), new PendingMessage()), true);
  assert.equal(waits.take(callOf(), new PendingMessage()), false);
  assert.equal(waits.take(callOf(2), new PendingMessage()), true, "half is left for other apps");
});
