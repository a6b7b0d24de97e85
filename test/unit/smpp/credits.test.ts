import assert from "node:assert/strict";
import { test } from "node:test";
import { FRESH_CREDITS } from "../../../src/dispatch/dispatcher.ts";
import { ALLOWANCE_MAX, ALLOWANCE_MIN } from "../../../src/smpp/pace/limits.ts";
import { World, type WorldOptions } from "./world.ts";

test("a pool without a bound session has neither credits nor weight", () => {
  const world = new World();
  world.smsc.bindStatus = null;
  world.run(100);
  assert.equal(world.creditsOf(0, 0), 0);
  assert.equal(world.credits.weight(0, 0), 0);
});

test("what a backlog leaves to others does not keep a worker from granting anew", () => {
  assert.ok(2 * FRESH_CREDITS < ALLOWANCE_MIN);
});

test("the allowance is what goes out in 20 ms, or four windows, within its bounds", () => {
  const cases: [WorldOptions, number][] = [
    [{ links: [{ rateTps: 100 }] }, ALLOWANCE_MIN],
    [{ links: [{ rateTps: 5000 }] }, 100],
    [{ links: [{ rateTps: 5000, sessions: 2 }], workers: 2 }, 50],
    [{ links: [{ rateTps: null, windowMax: 1000 }] }, ALLOWANCE_MAX],
    [{ links: [{ rateTps: 1_000_000, windowMax: 1000 }] }, ALLOWANCE_MAX],
    [{ links: [{ rateTps: null, windowMax: 10 }] }, 40],
    [{ links: [{ rateTps: null, windowMax: 1 }] }, ALLOWANCE_MIN],
    [{ links: [{ rateTps: 0 }] }, 0],
  ];
  for (const [options, allowance] of cases) {
    const world = new World(options);
    world.bindAll();
    world.run(10);
    for (let priority = 0; priority < 4; priority++) {
      assert.equal(world.creditsOf(0, priority), allowance);
    }
  }
});

test("the weights of a link's sessions add up to the member's weight over all workers", () => {
  const world = new World({
    links: [{ sessions: 3 }, { sessions: 2 }],
    pools: [
      {
        members: [
          { linkIndex: 0, weight: 3 },
          { linkIndex: 1, weight: 1 },
        ],
      },
      { members: [{ linkIndex: 1, weight: 7 }] },
    ],
    workers: 2,
  });
  world.bindAll();
  world.run(10);
  assert.equal(world.credits.weight(0, 0) + world.credits.weight(1, 0), 4000);
  assert.equal(world.credits.weight(0, 1) + world.credits.weight(1, 1), 7000);
});

test("granted = received + allowance - held, and grants ring the producer", () => {
  const world = new World({ links: [{ rateTps: 1000, windowMax: 5 }], producers: 2 });
  world.bindAll();
  world.run(10);
  assert.equal(world.creditsOf(0, 1), 20);
  for (let i = 0; i < 20; i++) world.submit();
  world.run(50);
  // Five are in the window, fifteen are held.
  assert.equal(world.creditsOf(0, 1), 25);
  assert.equal(world.creditsOf(0, 1, 0, 1), 20, "the other producer's are its own");
  assert.equal(world.creditsOf(0, 2), 20);
  const rings = world.bellRings;
  for (const submit of world.smsc.submits()) world.smsc.last().answer(submit, "ok");
  world.run(50);
  assert.equal(world.creditsOf(0, 1), 30);
  assert.ok(world.bellRings > rings);
});

test("a producer that sends all it may gets everything through, and never more is held", () => {
  const world = new World({ links: [{ rateTps: 2000, windowMax: 50 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  let published = 0;
  world.runUntil(() => {
    while (published < 2000 && ((world.creditsOf(0, 1) - published) | 0) > 0) {
      world.submit();
      published++;
    }
    assert.ok(world.worker.messageCount <= 40 + 50);
    return world.answers().length === 2000;
  }, 10_000);
});

test("when the last session of a pool goes, what waits comes back in order", () => {
  const world = new World({ links: [{ windowMax: 2, rateTps: 1000 }] });
  world.bindAll();
  world.run(10);
  const offsets: number[] = [];
  for (let i = 0; i < 10; i++) offsets.push(world.submit({ appIndex: i }).logOffset);
  world.run(20);
  assert.equal(world.smsc.submits().length, 2);
  world.smsc.greeting = "refuse";
  world.smsc.last().cut("ECONNRESET");
  world.run(20);
  const back = world.takeReturns();
  assert.deepEqual(
    back.map(({ logOffset }) => logOffset),
    offsets.slice(2),
  );
  assert.deepEqual(
    back.map(({ appIndex, attempt, parts, linkId }) => [appIndex, attempt, parts, linkId]),
    offsets.slice(2).map((_, i) => [i + 2, 1, 1, 0]),
  );
  assert.equal(world.credits.weight(0, 0), 0);
  assert.equal(world.creditsOf(0, 1), 10, "nothing more than was received");
  assert.equal(world.counter("messagesReturned"), 8);
  assert.equal(world.worker.messageCount, 0);
  // What was still on its way comes back too.
  world.submit();
  world.run(20);
  assert.equal(world.takeReturns().length, 1);
  assert.equal(world.creditsOf(0, 1), 11);
  world.smsc.greeting = "accept";
  world.runUntil(() => world.boundCount() === 1, 20_000);
  world.run(10);
  assert.equal(world.creditsOf(0, 1), 11 + 16);
});

test("a full return ring delays what comes back, and loses nothing", () => {
  const world = new World({ links: [{ windowMax: 1 }], returnBytes: 16_384 });
  world.bindAll();
  for (let i = 0; i < 1500; i++) world.submit();
  world.run(50);
  world.smsc.greeting = "refuse";
  world.smsc.last().cut("ECONNRESET");
  world.run(50);
  const first = world.takeReturns();
  assert.ok(first.length < 600);
  const returned = [...first];
  for (let i = 0; i < 4; i++) {
    world.run(20);
    returned.push(...world.takeReturns());
  }
  const offsets = returned.map(({ logOffset }) => logOffset);
  assert.equal(offsets.length, 1499);
  assert.deepEqual(
    offsets,
    offsets.toSorted((a, b) => a - b),
  );
  assert.equal(world.worker.messageCount, 0);
});

test("returns go to the producer that the message came from", () => {
  const world = new World({ links: [{ windowMax: 1 }], producers: 3 });
  world.bindAll();
  for (let i = 0; i < 9; i++) world.submit({ producer: i % 3 });
  world.run(20);
  world.smsc.greeting = "refuse";
  world.smsc.last().cut("ECONNRESET");
  world.run(20);
  const counts = [0, 1, 2].map((producer) => world.takeReturns(0, producer).length);
  assert.deepEqual(
    counts.toSorted((a, b) => a - b),
    [2, 3, 3],
  );
});
