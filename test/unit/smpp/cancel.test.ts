import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyDispatchEntry } from "../../../src/dispatch/waiting-room.ts";
import { World } from "./world.ts";

/** Sequences of the messages that a SENDING is on record of. */
function begunIn(world: World): Set<number> {
  const sendings = world.attempts().filter(({ type }) => type === "SENDING");
  return new Set(sendings.map(({ sequence }) => sequence));
}

test("a worker gives back what it has not begun, and nothing else", () => {
  const world = new World({ links: [{ windowMax: 2, rateTps: 1000, sessions: 2 }], workers: 2 });
  const dispatcher = world.dispatcher();
  world.bindAll();
  world.run(10);
  const offsets: number[] = [];
  for (let i = 0; i < 40; i++) {
    const logOffset = world.accept();
    offsets.push(logOffset);
    const entry = { ...emptyDispatchEntry(), logOffset, priority: 1, expiresAtMs: 1e15 };
    assert.ok(dispatcher.submit(entry, null, 0, 0));
  }
  const told = new Map<number, boolean>();
  const turn = (): void => {
    dispatcher.doWork(world.clock.wallMs());
    world.run(5);
  };
  for (let i = 0; i < 10; i++) turn();
  const begun = begunIn(world);
  assert.ok(begun.size >= 4 && begun.size < 40, `${begun.size} are begun`);
  for (const logOffset of offsets) {
    const whole = { logOffset, poolIndex: 0, priority: 1, appIndex: 0, partCount: 1 };
    dispatcher.cancel({ ...whole, done: (isOut) => told.set(logOffset, isOut) });
  }
  for (let i = 0; i < 10; i++) turn();
  assert.equal(told.size, 40);
  const canceled = offsets.filter((offset) => told.get(offset));
  assert.equal(canceled.length, 40 - begun.size);
  world.smsc.onSubmit = () => "ok";
  for (const submit of world.smsc.submits()) world.smsc.last().answer(submit, "ok");
  for (let i = 0; i < 100; i++) turn();
  const sent = begunIn(world);
  assert.deepEqual(sent, begun, "nothing was begun that was given back");
  assert.equal(dispatcher.waitingCount, 0);
});
