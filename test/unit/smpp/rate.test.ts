import assert from "node:assert/strict";
import { test } from "node:test";
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
