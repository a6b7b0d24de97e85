import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_STATUS } from "../../../src/codec/index.ts";
import { Outcome } from "../../../src/records/attempt.ts";
import { allocateRows, LinkWord } from "../../../src/tables/link-table.ts";
import { cutPace, isPaceOpen, paceAvailable, raisePace, takePace } from "../../../src/smpp/pace.ts";
import { World } from "./world.ts";

const THROTTLED = COMMAND_STATUS.ESME_RTHROTTLED;

test("a throttled message keeps its place: same link, next attempt, before the others", () => {
  const world = new World({ links: [{ windowMax: 1, rateTps: 1000 }] });
  let refusals = 1;
  world.smsc.onSubmit = () => (refusals-- > 0 ? THROTTLED : "ok");
  world.bindAll();
  const sequences = [1, 2, 3].map(() => world.submit().sequence);
  world.runUntil(() => world.answers().length === 4);
  assert.deepEqual(
    world.answers().map(({ sequence, outcome, attempt }) => [sequence, outcome, attempt]),
    [
      [sequences[0], Outcome.KEPT, 1],
      [sequences[0], Outcome.ACCEPTED, 2],
      [sequences[1], Outcome.ACCEPTED, 1],
      [sequences[2], Outcome.ACCEPTED, 1],
    ],
  );
  assert.equal(world.counter("segmentsThrottled"), 1);
  assert.equal(world.takeReturns().length, 0);
});

test("a window of throttled messages goes again in the order of acceptance", () => {
  const world = new World({ links: [{ windowMax: 20, rateTps: 1000 }] });
  world.bindAll();
  const sequences = Array.from({ length: 20 }, () => world.submit().sequence);
  world.runUntil(() => world.smsc.submits().length === 20);
  // The SMSC answers in an order of its own.
  const submits = world.smsc.submits();
  for (let i = 0; i < 20; i++) {
    world.smsc.last().answer(submits[(i * 7) % 20]!, COMMAND_STATUS.ESME_RMSGQFUL);
  }
  world.smsc.onSubmit = () => "ok";
  world.submit();
  world.runUntil(() => world.answers().length === 41, 30_000);
  const accepted = world.answers().filter(({ outcome }) => outcome === Outcome.ACCEPTED);
  assert.deepEqual(
    accepted.slice(0, 20).map(({ sequence }) => sequence),
    sequences,
  );
});

test("a kept message whose link goes comes back bound to it, with its next attempt", () => {
  const world = new World({ links: [{ rateTps: 1000 }] });
  world.smsc.onSubmit = () => THROTTLED;
  world.bindAll();
  const { logOffset } = world.submit();
  world.runUntil(() => world.answers().length === 1);
  world.smsc.greeting = "refuse";
  world.smsc.last().cut("ECONNRESET");
  world.run(20);
  const [back] = world.takeReturns();
  assert.equal(back?.logOffset, logOffset);
  assert.equal(back?.linkId, 100);
  assert.ok((back?.attempt ?? 0) >= 2);
});

test("a kept message that the log does not give any more is concluded", () => {
  const world = new World({ links: [{ rateTps: 1000 }] });
  world.smsc.onSubmit = () => THROTTLED;
  world.bindAll();
  const { logOffset } = world.submit();
  world.journal.missing.add(logOffset);
  world.runUntil(() => world.counter("messagesConcluded") === 1);
  assert.equal(world.worker.messageCount, 0);
});

test("throttle storm: at most 2 % of the contract during it, 90 % within 20 s after it", () => {
  const world = new World({ links: [{ rateTps: 1000, windowMax: 200 }] });
  let storm = false;
  world.smsc.onSubmit = () => (storm ? THROTTLED : "ok");
  world.bindAll();
  let published = 0;
  const feed = (ms: number): number => {
    const before = world.counter("segmentsSent");
    const end = world.nowMs + ms;
    while (world.nowMs < end) {
      while (((world.creditsOf(0, 1) - published) | 0) > 0) {
        world.submit();
        published++;
      }
      world.step();
    }
    return world.counter("segmentsSent") - before;
  };
  feed(2000);
  const calm = feed(1000);
  assert.ok(calm >= 980 && calm <= 1000, `${calm}/s before`);
  storm = true;
  const during = feed(60_000);
  assert.ok(during <= 60_000 * 0.02, `${during} submits in 60 s of storm`);
  assert.ok(world.linkWord(0, LinkWord.PACE_MILLI) >= 1000);
  storm = false;
  feed(19_000);
  const after = feed(1000);
  assert.ok(after >= 900, `${after}/s 20 s after the storm`);
  feed(5000);
  assert.equal(world.linkWord(0, LinkWord.PACE_MILLI), 0, "back at the contract");
  const rejected = world.answers().filter(({ outcome }) => outcome === Outcome.REJECTED);
  assert.equal(rejected.length, 0);
});

test("an unlimited link is paced from the rate it had", () => {
  const world = new World({ links: [{ windowMax: 50 }] });
  let refuse = false;
  world.smsc.onSubmit = () => (refuse ? THROTTLED : "ok");
  world.bindAll();
  for (let i = 0; i < 2000; i++) {
    world.submit();
    if (i % 2 === 0) world.step();
  }
  world.run(200);
  refuse = true;
  world.submit();
  world.runUntil(() => world.answers().at(-1)?.outcome === Outcome.KEPT);
  const pace = world.linkWord(0, LinkWord.PACE_MILLI) / 1000;
  assert.ok(pace > 100 && pace < 2000, `${pace}/s`);
});

test("a pace is cut once per interval and round trip, and raised step by step", () => {
  const words = new Int32Array(allocateRows(1));
  const milli = (): number => words[LinkWord.PACE_MILLI]!;
  assert.equal(paceAvailable(words, 0, 1000, 5), Number.POSITIVE_INFINITY);
  assert.ok(cutPace(words, 0, 1000, 990, 1000));
  assert.equal(milli(), 500_000);
  assert.ok(!cutPace(words, 0, 1100, 1050, 1000), "within 200 ms");
  assert.ok(!cutPace(words, 0, 1300, 995, 1000), "written before the last cut");
  assert.ok(cutPace(words, 0, 1300, 1010, 1000));
  assert.equal(milli(), 250_000);
  for (let i = 0; i < 20; i++) cutPace(words, 0, 2000 + 300 * i, 1990 + 300 * i, 1000);
  assert.equal(milli(), 1000, "never below 1/s");
  const from = 2000 + 300 * 19;
  for (let now = from; now < from + 1000; now += 5) raisePace(words, 0, now, 1000);
  assert.equal(milli(), 1000, "no raise within a second of a cut");
  for (let now = from + 1000; now < from + 3000; now += 5) raisePace(words, 0, now, 1000);
  assert.ok(Math.abs(milli() - 101_000) <= 10_000, `${milli()} after 2 s`);
  let ended = false;
  for (let now = from + 3000; now < from + 22_000; now += 5) {
    ended ||= raisePace(words, 0, now, 1000);
  }
  assert.ok(ended);
  assert.equal(milli(), 0);
});

test("the pace is kept whatever the turns, and a change of pace forgives nothing", () => {
  const words = new Int32Array(allocateRows(1));
  words[LinkWord.PACE_MILLI] = 100_000;
  let taken = 0;
  for (let now = 5000; now < 15_000; now += 3) {
    while (isPaceOpen(words, 0, now) && takePace(words, 0, now)) taken++;
  }
  assert.ok(taken >= 1000 && taken <= 1002, `${taken} in 10 s at 100/s`);
  words[LinkWord.PACE_MILLI] = 1000;
  takePace(words, 0, 15_000);
  words[LinkWord.PACE_MILLI] = 1_000_000;
  assert.ok(!isPaceOpen(words, 0, 15_500), "the second it was charged is not over");
  assert.ok(isPaceOpen(words, 0, 16_001));
});
