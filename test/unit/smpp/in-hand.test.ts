/** Which record a worker names when it throws: the message's fault, or nobody's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Accept } from "../../../src/records/accept.ts";
import { World } from "./world.ts";

function inHand(world: World): number | undefined {
  return world.inHand[0]?.[0];
}

test("a log that cannot be read is no fault of the message", () => {
  const world = new World();
  world.bindAll();
  world.journal.trouble = Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
  world.submit({ asReference: true });
  assert.throws(() => world.run(10), /EIO/);
  assert.equal(inHand(world), -1);
});

test("a message at which the worker throws is named, and nothing is when it goes well", () => {
  const world = new World();
  world.bindAll();
  const good = world.submit();
  const again = world.submit({ asReference: true });
  world.run(50);
  assert.equal(world.attempts().filter(({ type }) => type === "SENDING").length, 2);
  assert.equal(inHand(world), -1);
  const record = world.journal.memory.bytes.slice(good.logOffset, again.logOffset);
  record[Accept.PART_COUNT] = 200;
  world.hand(again.logOffset, record, 1, {});
  assert.throws(() => world.run(10), /lengths do not agree/);
  assert.equal(inHand(world), again.logOffset);
});
