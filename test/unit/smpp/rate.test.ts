import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyDispatchEntry } from "../../../src/dispatch/waiting-room.ts";
import { densest } from "../../support/rate-window.ts";
import { World } from "./world.ts";

for (const rateTps of [1, 7, 100, 1000, 10_000]) {
  test(`${rateTps}/s: no half-open second sees more, and nearly all of it is used`, () => {
    const seconds = rateTps >= 1000 ? 5 : 40;
    const world = new World({
      links: [{ rateTps, sessions: 2, windowMax: 5000 }],
      workers: 2,
      // Odd steps: ticks and tokens do not fall together.
      stepMs: 0.73,
    });
    world.smsc.onSubmit = () => "ok";
    world.bindAll();
    const published = [0, 0];
    const startMs = world.nowMs;
    while (world.nowMs < startMs + seconds * 1000) {
      for (const worker of [0, 1]) {
        while (((world.creditsOf(0, 1, worker) - published[worker]!) | 0) > 0) {
          world.submit({ worker });
          published[worker]!++;
        }
      }
      // A slow disk now and then: what was saved may be made up for, and must not burst out.
      world.isJournalHeld = (world.nowMs - startMs) % 200 < 15;
      world.step();
    }
    const atMs = world.smsc.submits().map((pdu) => pdu.atMs);
    const most = densest(atMs, 1000);
    assert.ok(most <= rateTps, `${most} in one second`);
    assert.ok(atMs.length >= 0.99 * rateTps * seconds - 1, `${atMs.length} in ${seconds} s`);
  });
}

test("a link that is used up leaves no gap, and urgent messages and other apps pass", () => {
  const world = new World({ links: [{ rateTps: 1000, windowMax: 5000 }], stepMs: 0.73 });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  let published = 0;
  const sentAt = new Map<number, number>();
  const startMs = world.nowMs;
  for (let i = 0; world.nowMs < startMs + 6000; i++) {
    while (((world.creditsOf(0, 0) - published) | 0) > 0) {
      world.submit({ appIndex: 1, priority: 0, text: "backlog" });
      published++;
    }
    // A slow disk once; what is overdue is made up, and leaves no hole in the seconds to come.
    world.isJournalHeld = world.nowMs > startMs + 1500 && world.nowMs < startMs + 1525;
    if (i % 137 === 0) {
      world.submit({ appIndex: 1, priority: 3, text: `urgent ${i}` });
      world.submit({ appIndex: 2, priority: 0, text: `other ${i}` });
      published++;
      sentAt.set(i, world.nowMs);
    }
    world.step();
  }
  const submits = world.smsc.submits();
  const atMs = submits.map((pdu) => pdu.atMs).filter((at) => at > startMs + 1600);
  const gaps = atMs.slice(1).map((at, i) => at - atMs[i]!);
  assert.ok(Math.max(...gaps) <= 30, `${Math.max(...gaps)} ms without a segment`);
  const waits = { urgent: [] as number[], other: [] as number[] };
  for (const pdu of submits) {
    const found = /(urgent|other) (\d+)/.exec(Buffer.from(pdu.bytes).toString("latin1"));
    if (found === null) continue;
    const since = sentAt.get(Number(found[2]))!;
    if (since > startMs + 2600) waits[found[1] as "urgent" | "other"].push(pdu.atMs - since);
  }
  assert.ok(waits.urgent.length > 20 && waits.other.length > 20);
  assert.ok(
    Math.max(...waits.urgent) <= 10,
    `an urgent one waited ${Math.max(...waits.urgent)} ms`,
  );
  assert.ok(Math.max(...waits.other) <= 10, `another app waited ${Math.max(...waits.other)} ms`);
});

test("SENDING runs ahead of the socket by no more than the bucket frees in milliseconds", () => {
  const world = new World({ links: [{ rateTps: 1000, windowMax: 1000 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  for (let i = 0; i < 500; i++) world.submit();
  world.isJournalHeld = true;
  world.run(200);
  world.isJournalHeld = false;
  world.step();
  const sendings = world.attempts().filter(({ type }) => type === "SENDING").length;
  assert.ok(sendings <= 50 + 15, `${sendings} prepared`);
});

test("a closed link binds and sends nothing", () => {
  const world = new World({ links: [{ rateTps: 0 }] });
  world.bindAll();
  world.submit();
  world.run(1000);
  assert.equal(world.smsc.submits().length, 0);
  assert.equal(world.takeReturns().length, 1);
  assert.equal(world.credits.weight(0, 0), 0);
});

test("what a socket holds back counts from when it leaves", () => {
  const world = new World({ links: [{ rateTps: 10, windowMax: 100 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const socket = world.smsc.last();
  socket.isStuck = true;
  for (let i = 0; i < 40; i++) world.submit();
  world.run(1500);
  // What is with the socket waits for its drain; a token each, and each token is used once.
  assert.ok(world.smsc.submits().length <= 10, `${world.smsc.submits().length} tokens`);
  socket.isStuck = false;
  socket.drain();
  const before = world.smsc.submits().length;
  world.run(990);
  // All ten have rested since the drain only.
  assert.equal(world.smsc.submits().length, 10);
  assert.equal(before, 10);
  world.run(1000);
  assert.ok(world.smsc.submits().length > 10);
});

/** One link in two pools, over two workers that have a session of it each. */
function sharedWorld(over: { rateTps: number | null; windowMax: number }): World {
  const members = [{ linkIndex: 0, weight: 1 }];
  return new World({
    links: [{ ...over, sessions: 2 }],
    pools: [{ members }, { members }],
    workers: 2,
    stepMs: 0.73,
  });
}

test("two pools of one link share its rate, and neither starves", () => {
  const rateTps = 100;
  const seconds = 20;
  const world = sharedWorld({ rateTps, windowMax: 100 });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const dispatcher = world.dispatcher();
  const ofPool = [0, 0];
  for (let i = 0; i < 3 * rateTps * seconds; i++) {
    const poolIndex = i % 2;
    const entry = { ...emptyDispatchEntry(), poolIndex, priority: 1 };
    const logOffset = world.accept({ text: `pool ${poolIndex}` });
    assert.ok(dispatcher.submit({ ...entry, logOffset }, null, 0, 0));
  }
  const endMs = world.nowMs + seconds * 1000;
  while (world.nowMs < endMs) {
    dispatcher.doWork(world.clock.wallMs());
    world.step();
  }
  const submits = world.smsc.submits();
  const most = densest(
    submits.map(({ atMs }) => atMs),
    1000,
  );
  assert.ok(most <= rateTps, `${most} in one second`);
  assert.ok(submits.length >= 0.99 * rateTps * seconds - 1, `${submits.length} sent`);
  for (const { bytes } of submits) {
    const pool = Number(/pool ([01])/.exec(Buffer.from(bytes).toString("latin1"))?.[1]);
    (ofPool[pool] as number)++;
  }
  assert.equal(ofPool[0]! + ofPool[1]!, submits.length);
  assert.ok(Math.abs(ofPool[0]! - ofPool[1]!) <= 0.02 * submits.length, `${ofPool.join()} by pool`);
});

test("two pools of one link share the windows of its sessions", () => {
  const world = sharedWorld({ rateTps: null, windowMax: 8 });
  world.bindAll();
  for (let i = 0; i < 100; i++) world.submit({ poolIndex: i % 2, worker: (i >> 1) % 2 });
  world.run(500);
  for (const socket of world.smsc.sockets) assert.equal(socket.submits().length, 8);
  world.smsc.onSubmit = () => "ok";
  for (const socket of world.smsc.sockets) {
    for (const pdu of socket.submits().slice(0, 3)) socket.answer(pdu, "late");
  }
  world.run(500);
  assert.equal(world.smsc.submits().length, 100, "each answer makes room for either pool's next");
  assert.equal(world.counter("messagesConcluded"), 0);
});

/** Clocks of tokens wrap after so long. */
const WRAP_MS = 2 ** 32 / 16;

test("a rate that is raised again days later finds no token of the past in its way", () => {
  const world = new World({ links: [{ rateTps: 50, windowMax: 100 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const { pools } = world;
  const atRate = (rateTps: number): void => {
    const links = world.links.map((link) => ({ ...link, config: { ...link.config, rateTps } }));
    world.reload(links, pools);
  };
  for (let i = 0; i < 50; i++) world.submit();
  world.runUntil(() => world.smsc.submits().length === 50);
  const usedAtMs = world.nowMs;
  atRate(5);
  while (world.nowMs < usedAtMs + WRAP_MS - 60_000) {
    world.nowMs += 50_000;
    world.run(30);
  }
  world.bindAll();
  atRate(50);
  for (let i = 0; i < 50; i++) world.submit();
  const before = world.smsc.submits().length;
  world.run(3000);
  assert.equal(world.smsc.submits().length - before, 50);
});

test("after a silence of any length the first message goes out at once", () => {
  const world = new World({ links: [{ rateTps: 100, windowMax: 100 }], stepMs: 5 });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  let sent = 0;
  // Around the time after which the pace's clock wraps.
  for (const silenceMs of [1000, 264_000, 265_500, 267_000, 268_300, 269_000]) {
    const silentMs = world.nowMs;
    while (world.nowMs < silentMs + silenceMs) world.step();
    const dueMs = world.nowMs;
    world.submit({ text: "code" });
    sent++;
    while (world.smsc.submits().length < sent && world.nowMs < dueMs + 5000) world.step();
    assert.ok(world.nowMs - dueMs < 100, `${world.nowMs - dueMs} ms after ${silenceMs} ms`);
  }
});
