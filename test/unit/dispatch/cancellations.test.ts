import assert from "node:assert/strict";
import { test } from "node:test";
import { CANCEL_TYPE } from "../../../src/records/hand-over.ts";
import { Fixture, type Seen } from "./fixture.ts";

/** Has a message of two parts taken back; what its owner was told, in time. */
function cancel(fixture: Fixture, logOffset: number): boolean[] {
  const told: boolean[] = [];
  const whole = { logOffset, poolIndex: 0, priority: 1, appIndex: 0, partCount: 2 };
  fixture.dispatcher.cancel({ ...whole, done: (isOut) => told.push(isOut) });
  fixture.dispatcher.doWork(0);
  return told;
}

/** A message that worker 0 of two has. */
function handedOver(): { fixture: Fixture; seen: Seen } {
  const fixture = new Fixture({ workers: 2 });
  fixture.grant(0, 0, 1, 1);
  fixture.submit({ logOffset: 8, priority: 1 });
  fixture.dispatcher.doWork(0);
  const [seen] = fixture.drain();
  assert.ok(seen);
  return { fixture, seen: { ...seen, parts: 0b11 } };
}

test("what waits is taken out of its lane, wherever it stands, and never goes out", () => {
  const fixture = new Fixture();
  for (let i = 1; i <= 3000; i++) fixture.submit({ logOffset: 8 * i, priority: 1 });
  for (const at of [8, 8 * 1500, 8 * 3000]) assert.deepEqual(cancel(fixture, at), [true]);
  assert.deepEqual(cancel(fixture, 8), [], "it waits no more: workers are asked");
  assert.equal(fixture.dispatcher.waitingCount, 2997);
  fixture.grant(0, 0, 1, 5000);
  for (let i = 0; i < 5; i++) fixture.dispatcher.doWork(0);
  const seen = fixture.drain().filter(({ type }) => type !== CANCEL_TYPE);
  assert.equal(seen.length, 2997);
  for (const { logOffset } of seen) assert.ok(![8, 12_000, 24_000].includes(logOffset));
});

test("every worker is asked, and what comes back whole is out", () => {
  const { fixture, seen } = handedOver();
  const told = cancel(fixture, 8);
  const asked = fixture.drain();
  assert.deepEqual(
    asked.map(({ worker, type, logOffset }) => [worker, type, logOffset]),
    [
      [0, CANCEL_TYPE, 8],
      [1, CANCEL_TYPE, 8],
    ],
  );
  fixture.refuse(1, 8);
  fixture.giveBack(0, seen);
  fixture.grant(1, 0, 1, 10);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(told, [true]);
  assert.equal(fixture.dispatcher.waitingCount, 0);
  assert.equal(fixture.drain().length, 0, "it is not handed over again");
});

test("a RETURN that was under way counts, though its worker then refuses", () => {
  const { fixture, seen } = handedOver();
  const told = cancel(fixture, 8);
  fixture.giveBack(0, seen);
  fixture.refuse(0, 8);
  fixture.refuse(1, 8);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(told, [true]);
});

test("what was begun stays: all refuse, or it comes back with less or later", () => {
  for (const begun of [{ parts: 0b10 }, { attempt: 2 }, { flags: 1 }]) {
    const { fixture, seen } = handedOver();
    const told = cancel(fixture, 8);
    fixture.giveBack(0, { ...seen, ...begun });
    fixture.dispatcher.doWork(0);
    assert.deepEqual(told, [false]);
    assert.equal(fixture.dispatcher.waitingCount, 1);
    assert.deepEqual(cancel(fixture, 8), [], "nor is it taken out of the lane");
    assert.equal(fixture.dispatcher.waitingCount, 1);
  }
  const { fixture } = handedOver();
  const told = cancel(fixture, 8);
  fixture.refuse(0, 8);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(told, []);
  fixture.refuse(1, 8);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(told, [false]);
});
