import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_STATUS } from "../../../src/codec/index.ts";
import { Outcome } from "../../../src/records/attempt.ts";
import { allocateRows, LinkWord } from "../../../src/tables/link-table.ts";
import {
  cutPace,
  isOfThisPace,
  isPaceOpen,
  paceAvailable,
  raisePace,
  takePace,
} from "../../../src/smpp/pace/pace.ts";
import { GO_ON, HALF, ThrottleWatch } from "../../../src/smpp/pace/throttle-watch.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import type { Pdu } from "./fake-smsc.ts";
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

interface Sent {
  readonly sent: number;
  readonly accepted: number;
}

/** Keeps a world's queue filled for some ms at a time; says what was sent and accepted in them. */
function saturation(world: World): (ms: number) => Sent {
  let published = 0;
  return (ms) => {
    const sent = world.counter("segmentsSent");
    const accepted = world.counter("segmentsAccepted");
    const end = world.nowMs + ms;
    while (world.nowMs < end) {
      for (; ((world.creditsOf(0, 1) - published) | 0) > 0; published++) world.submit();
      world.step();
    }
    return {
      sent: world.counter("segmentsSent") - sent,
      accepted: world.counter("segmentsAccepted") - accepted,
    };
  };
}

function assertNothingRejected(world: World): void {
  const rejected = world.answers().filter(({ outcome }) => outcome === Outcome.REJECTED);
  assert.equal(rejected.length, 0);
}

test("throttle storm: at most 2 % of the contract during it, 90 % within 20 s after it", () => {
  const world = new World({ links: [{ rateTps: 1000, windowMax: 200 }] });
  let storm = false;
  world.smsc.onSubmit = () => (storm ? THROTTLED : "ok");
  world.bindAll();
  const saturate = saturation(world);
  saturate(2000);
  const calm = saturate(1000).sent;
  assert.ok(calm >= 980 && calm <= 1000, `${calm}/s before`);
  storm = true;
  const during = saturate(60_000).sent;
  assert.ok(during <= 60_000 * 0.02, `${during} submits in 60 s of storm`);
  assert.ok(world.linkWord(0, LinkWord.PACE_MILLI) >= 1000);
  storm = false;
  saturate(19_000);
  const after = saturate(1000).sent;
  assert.ok(after >= 900, `${after}/s 20 s after the storm`);
  saturate(5000);
  assert.equal(world.linkWord(0, LinkWord.PACE_MILLI), 0, "back at the contract");
  assertNothingRejected(world);
});

for (const status of [THROTTLED, COMMAND_STATUS.ESME_RMSGQFUL]) {
  test(`0.3 % of status ${status} does not slow a link down`, () => {
    const world = new World({ links: [{ rateTps: 1000, windowMax: 200 }] });
    const next = seededRandom(7);
    world.smsc.onSubmit = () => (next() < 0.003 ? status : "ok");
    world.bindAll();
    const saturate = saturation(world);
    saturate(1000);
    const { sent, accepted } = saturate(20_000);
    assert.ok(sent >= 19_700, `${sent} sent in 20 s`);
    assert.ok(accepted < sent && accepted >= 0.99 * sent, `${accepted} of ${sent} accepted`);
    assert.equal(world.linkWord(0, LinkWord.PACE_MILLI), 0);
    assertNothingRejected(world);
  });
}

for (const rateTps of [10, 100, 1000]) {
  test(`a tenth of all refused at random leaves a link of ${rateTps}/s a good part of it`, () => {
    const world = new World({ links: [{ rateTps, windowMax: 200 }] });
    const next = seededRandom(11);
    world.smsc.onSubmit = () => (next() < 0.1 ? THROTTLED : "ok");
    world.bindAll();
    const saturate = saturation(world);
    saturate(20_000);
    const { sent } = saturate(60_000);
    assert.ok(sent >= 0.3 * rateTps * 60, `${sent} of ${rateTps * 60}`);
    assertNothingRejected(world);
  });
}

test("an SMSC that takes half the contract gets about what it takes, and refuses little", () => {
  const world = new World({ links: [{ rateTps: 1000, windowMax: 500 }] });
  const taken: number[] = [];
  world.smsc.onSubmit = () => {
    while (taken.length > 0 && (taken[0] as number) <= world.nowMs - 1000) taken.shift();
    if (taken.length >= 500) return THROTTLED;
    taken.push(world.nowMs);
    return "ok";
  };
  world.bindAll();
  const saturate = saturation(world);
  saturate(10_000);
  const { sent, accepted } = saturate(30_000);
  assert.ok(accepted >= 0.9 * 500 * 30, `${accepted} of ${500 * 30} taken`);
  assert.ok(sent - accepted <= 0.15 * sent, `${sent - accepted} of ${sent} refused`);
});

test("a storm seen through a slow SMSC is cut once per response time", () => {
  const world = new World({ links: [{ rateTps: 200, windowMax: 1000 }] });
  let storm = false;
  const owed: { at: number; pdu: Pdu; status: number | string }[] = [];
  world.smsc.onSubmit = (pdu) => {
    owed.push({ at: world.nowMs + 800, pdu, status: storm ? THROTTLED : "ok" });
    return null;
  };
  const answerDue = (): void => {
    while (owed.length > 0 && owed[0]!.at <= world.nowMs) {
      const { pdu, status } = owed.shift()!;
      world.smsc.last().answer(pdu, status);
    }
  };
  world.bindAll();
  const step = world.step.bind(world);
  world.step = () => {
    answerDue();
    step();
  };
  const saturate = saturation(world);
  saturate(3000);
  storm = true;
  let cuts = 0;
  let pace = world.linkWord(0, LinkWord.PACE_MILLI);
  for (let i = 0; i < 200; i++) {
    saturate(10);
    const now = world.linkWord(0, LinkWord.PACE_MILLI);
    if (now !== 0 && (pace === 0 || now < pace)) cuts++;
    pace = now;
  }
  // 2 s of storm: 800 ms until the first answer, then one cut per 800 ms.
  assert.ok(cuts >= 1 && cuts <= 2, `${cuts} cuts`);
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
  for (let i = 0; i < 20; i++) world.submit();
  world.runUntil(() => world.linkWord(0, LinkWord.PACE_MILLI) !== 0);
  const pace = world.linkWord(0, LinkWord.PACE_MILLI) / 1000;
  assert.ok(pace > 100 && pace < 2000, `${pace}/s`);
});

test("a pace is cut once per interval, for what left at it, and raised step by step", () => {
  const words = new Int32Array(allocateRows(1));
  const milli = (): number => words[LinkWord.PACE_MILLI]!;
  const cut = (now: number): boolean => cutPace(words, 0, now, 200, 0.5, 1000, 1000);
  assert.equal(paceAvailable(words, 0, 0, 1000, 5, false), Number.POSITIVE_INFINITY);
  assert.ok(isOfThisPace(words, 0, 1000, 990));
  assert.ok(cut(1000));
  assert.equal(milli(), 500_000);
  assert.ok(!cut(1100), "within 200 ms");
  assert.ok(!isOfThisPace(words, 0, 1300, 995), "written before the cut");
  assert.ok(isOfThisPace(words, 0, 1300, 1010));
  assert.ok(isOfThisPace(words, 0, 1000 + 2 ** 31 + 5, 2 ** 31), "a cut of 25 days ago");
  assert.ok(cut(1300));
  assert.equal(milli(), 250_000);
  for (let i = 0; i < 20; i++) cut(2000 + 300 * i);
  assert.equal(milli(), 1000, "never below 1/s");
  const from = 2000 + 300 * 19;
  for (let now = from; now < from + 1000; now += 5) raisePace(words, 0, now, 1000);
  assert.equal(milli(), 1000, "no raise while it is held");
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
  let taken = 0;
  for (let now = 5000; now < 15_000; now += 3) {
    while (isPaceOpen(words, 0, 100_000, now) && takePace(words, 0, 100_000, now)) taken++;
  }
  assert.ok(taken >= 1000 && taken <= 1006, `${taken} in 10 s at 100/s`);
  takePace(words, 0, 1000, 15_000);
  assert.ok(!isPaceOpen(words, 0, 1_000_000, 15_500), "the second it was charged is not over");
  assert.ok(isPaceOpen(words, 0, 1_000_000, 16_011));
});

test("a few refusals are no storm, however they fall", () => {
  const watch = new ThrottleWatch();
  let now = 0;
  const note = (throttled: boolean, isSlowest = false): number =>
    watch.note(now++, throttled, isSlowest);
  assert.equal(note(true), GO_ON, "one is no share");
  assert.equal(note(true), GO_ON, "nor are two");
  for (let i = 0; i < 8; i++) assert.equal(note(false), GO_ON);
  for (let i = 0; i < 9; i++) assert.equal(note(true), GO_ON);
  assert.equal(note(true), HALF);
  watch.reset();
  assert.equal(note(true, true), HALF, "at the slowest pace it is all there is");
});
