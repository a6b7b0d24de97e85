import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSubmit } from "./fake-smsc.ts";
import { World } from "./world.ts";

test("higher priorities go first; every 16th pick goes to the lowest", () => {
  const world = new World({ links: [{ windowMax: 1 }] });
  world.smsc.onSubmit = () => null;
  world.bindAll();
  world.submit({ priority: 1 });
  world.runUntil(() => world.smsc.submits().length === 1);
  for (let i = 0; i < 40; i++) world.submit({ priority: 0 });
  for (let i = 0; i < 40; i++) world.submit({ priority: 3 });
  world.smsc.onSubmit = () => "ok";
  world.smsc.last().answer(world.smsc.submits()[0]!, "ok");
  world.runUntil(() => world.answers().length === 81);
  const order = world.smsc.submits().map((pdu) => decodeSubmit(pdu).priorityFlag);
  const low = order.flatMap((priority, i) => (priority === 0 ? [i] : []));
  // The first pick was the message that filled the window.
  assert.deepEqual(low.slice(0, 2), [15, 31]);
  assert.ok(order.lastIndexOf(3) <= 43);
});

test("sessions share by weight, evenly interleaved", () => {
  const world = new World({
    links: [
      { sessions: 1, windowMax: 500 },
      { sessions: 2, windowMax: 500 },
    ],
    pools: [
      {
        members: [
          { linkIndex: 0, weight: 3 },
          { linkIndex: 1, weight: 1 },
        ],
      },
    ],
  });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  for (let i = 0; i < 400; i++) world.submit();
  world.runUntil(() => world.answers().length === 400);
  const counts = world.smsc.sockets
    .toSorted((a, b) => a.port - b.port)
    .map((socket) => socket.submits().length);
  assert.deepEqual(counts, [300, 50, 50]);
});

test("many sessions take what there is in one turn in runs, and their shares all the same", () => {
  const indices = Array.from({ length: 8 }, (_, i) => i);
  const world = new World({
    links: indices.map(() => ({ sessions: 1, windowMax: 1000 })),
    pools: [{ members: indices.map((i) => ({ linkIndex: i, weight: i === 0 ? 2 : 1 })) }],
  });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const counts = (): number[] =>
    world.smsc.sockets.toSorted((a, b) => a.port - b.port).map((socket) => socket.submits().length);
  let total = 0;
  const submitAtOnce = (count: number): void => {
    for (let i = 0; i < count; i++) world.submit();
    total += count;
    world.runUntil(() => world.answers().length === total);
  };
  const assertShares = (): void => {
    for (const [index, count] of counts().entries()) {
      const due = (total * (index === 0 ? 2 : 1)) / 9;
      assert.ok(Math.abs(count - due) <= 32, `${count} of ${total} at ${index}, not ${due}`);
    }
  };
  submitAtOnce(20);
  assert.deepEqual(counts(), [20, 0, 0, 0, 0, 0, 0, 0]);
  for (let i = 0; i < 60; i++) submitAtOnce(1);
  assertShares();
  for (let i = 0; i < 40; i++) submitAtOnce(1 + ((i * 37) % 90));
  assertShares();
});

test("a full window or a slow link sends its share elsewhere", () => {
  const world = new World({
    links: [{ windowMax: 5 }, { windowMax: 100 }],
    pools: [
      {
        members: [
          { linkIndex: 0, weight: 1000 },
          { linkIndex: 1, weight: 1 },
        ],
      },
    ],
  });
  world.smsc.onSubmit = (_, socket) => (socket.port === 2775 ? null : "ok");
  world.bindAll();
  for (let i = 0; i < 300; i++) world.submit();
  world.runUntil(() => world.answers().length === 295);
  assert.equal(world.smsc.last(2775).submits().length, 5);
});

test("a pool that cannot send does not hold up another one", () => {
  const world = new World({
    links: [{ windowMax: 1 }, {}],
    pools: [{ members: [{ linkIndex: 0, weight: 1 }] }, { members: [{ linkIndex: 1, weight: 1 }] }],
  });
  world.smsc.onSubmit = (_, socket) => (socket.port === 2775 ? null : "ok");
  world.bindAll();
  for (let i = 0; i < 50; i++) world.submit({ poolIndex: 0, priority: 3 });
  for (let i = 0; i < 50; i++) world.submit({ poolIndex: 1, priority: 0 });
  world.runUntil(() => world.answers().length === 50, 1000);
  assert.equal(world.smsc.last(2775).submits().length, 1);
});

test("an urgent message passes a long one that a slow session carries", () => {
  const world = new World({ links: [{ windowMax: 2 }] });
  world.bindAll();
  const parts = Array.from({ length: 10 }, (_, i) => Buffer.from(`part ${i}`));
  world.submit({ parts, priority: 0 });
  world.runUntil(() => world.smsc.submits().length === 2);
  world.submit({ priority: 3 });
  world.smsc.onSubmit = () => "ok";
  const [first, second] = world.smsc.submits();
  world.smsc.last().answer(first!, "ok");
  world.run(5);
  world.smsc.last().answer(second!, "ok");
  world.runUntil(() => world.answers().length === 11);
  const order = world.smsc.submits().map((pdu) => decodeSubmit(pdu).priorityFlag);
  assert.ok(order.indexOf(3) <= 4, `urgent at ${order.indexOf(3)}`);
  const texts = world.smsc
    .submits()
    .map(decodeSubmit)
    .filter(({ priorityFlag }) => priorityFlag === 0)
    .map(({ shortMessage }) => shortMessage[5]);
  assert.deepEqual(texts, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "its parts stay in order");
});

test("with no room in the staging ring nothing is taken, and everything goes on later", () => {
  const world = new World({ stagingBytes: 16_384, links: [{ windowMax: 2000 }] });
  world.smsc.onSubmit = () => "an-id-of-some-length";
  world.bindAll();
  world.isJournalHeld = true;
  for (let i = 0; i < 1500; i++) world.submit();
  world.run(50);
  assert.ok(world.worker.messageCount < 1500, "the rest stays in the submit ring");
  assert.equal(world.smsc.submits().length, 0);
  world.isJournalHeld = false;
  world.runUntil(() => world.answers().length === 1500);
  assert.equal(world.smsc.submits().length, 1500);
});

test("answers that cannot be recorded stay unread, and none is lost", () => {
  const world = new World({ stagingBytes: 16_384, links: [{ windowMax: 400 }] });
  world.bindAll();
  for (let i = 0; i < 400; i++) world.submit();
  world.runUntil(() => world.smsc.submits().length === 400);
  world.isJournalHeld = true;
  const socket = world.smsc.last();
  for (const pdu of world.smsc.submits()) socket.answer(pdu, `id-${pdu.sequenceNumber}`);
  world.run(100);
  assert.ok(socket.isPaused);
  world.run(45_000);
  assert.equal(world.boundCount(), 1, "our own slowness ends no session");
  world.isJournalHeld = false;
  world.runUntil(() => world.answers().length === 400);
  assert.equal(world.ambiguous().length, 0);
});

test("apps take turns at a pool, each in its own order", () => {
  const world = new World({ links: [{ windowMax: 1 }] });
  world.smsc.onSubmit = () => null;
  world.bindAll();
  world.submit({ appIndex: 1, text: "first" });
  world.runUntil(() => world.smsc.submits().length === 1);
  for (let i = 0; i < 30; i++) world.submit({ appIndex: 1, text: `a${i} ` });
  world.run(20);
  for (let i = 0; i < 3; i++) world.submit({ appIndex: 2, text: `b${i} ` });
  world.submit({ appIndex: 3, text: "c0 " });
  world.run(20);
  world.smsc.onSubmit = () => "ok";
  world.smsc.last().answer(world.smsc.submits()[0]!, "ok");
  world.runUntil(() => world.answers().length === 35);
  const order = world.smsc
    .submits()
    .map(({ bytes }) => /[abc]\d+(?= )/.exec(Buffer.from(bytes).toString("latin1"))?.[0]);
  assert.deepEqual(order.slice(1, 9), ["a0", "b0", "c0", "a1", "b1", "a2", "b2", "a3"]);
});
