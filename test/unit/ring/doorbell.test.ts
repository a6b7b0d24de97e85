import assert from "node:assert/strict";
import { test } from "node:test";
import { Doorbell, DoorbellOwner, waitingDoorbell } from "../../../src/ring/doorbell.ts";

function bell(): { owner: DoorbellOwner; ringer: Doorbell; notified: () => number } {
  const words = new Int32Array(new SharedArrayBuffer(64));
  let count = 0;
  const ringer = new Doorbell(words, 3, () => count++);
  return { owner: new DoorbellOwner(words, 3), ringer, notified: () => count };
}

test("only the first ring after arming notifies", () => {
  const { owner, ringer, notified } = bell();
  ringer.ring();
  assert.equal(notified(), 0, "the owner is awake from the start");
  owner.arm();
  ringer.ring();
  ringer.ring();
  assert.equal(notified(), 1);
  owner.arm();
  ringer.ring();
  assert.equal(notified(), 2);
});

test("a disarmed bell is silent", () => {
  const { owner, ringer, notified } = bell();
  owner.arm();
  owner.disarm();
  ringer.ring();
  assert.equal(notified(), 0);
});

test("a ring between arming and sleeping ends the sleep at once, the owner awake", () => {
  const words = new Int32Array(new SharedArrayBuffer(64));
  const owner = new DoorbellOwner(words, 0);
  const ringer = waitingDoorbell(words, 0);
  owner.arm();
  ringer.ring();
  owner.sleep(60_000);
  assert.equal(words[0], 0);
});

test("a sleep that nobody ends leaves the owner awake", () => {
  const words = new Int32Array(new SharedArrayBuffer(64));
  const owner = new DoorbellOwner(words, 0);
  owner.arm();
  owner.sleep(1);
  assert.equal(words[0], 0);
});
