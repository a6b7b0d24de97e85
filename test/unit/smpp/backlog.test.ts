/**
 * Who waits for whom at a link that its contract holds: OTPs of an app with a backlog of
 * promotions, and another app's promotions, behind a real dispatcher, a journal that takes its
 * time and a thread that pauses now and then. The same without the backlog is what they are
 * compared with; a seed gives all of it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyDispatchEntry } from "../../../src/dispatch/waiting-room.ts";
import { densest } from "../../support/rate-window.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { World } from "./world.ts";

const SEEDS = Number(process.env.FAIRNESS_SEEDS ?? "2");
const SECONDS = Number(process.env.FAIRNESS_SECONDS ?? "12");
const RATE_TPS = 1000;
const STEP_MS = 0.5;
/** Promotions that wait with the producer. */
const WAITING = 200;
/** Until the contract is used up and its second repeats; not counted. */
const WARM_UP_MS = 2500;
const FLOW_INTERVAL_MS = 20;
const COMMIT_MS = { least: 2, most: 6 };
const PAUSE_MS = { least: 2, most: 10 };
const PAUSES_PER_S = 0.5;
/** The producer looks after its lanes so often without being rung for. */
const TICK_MS = 5;

const BACKLOG_APP = 1;
const FLOWS = [
  { name: "otp", appIndex: BACKLOG_APP, priority: 3 },
  { name: "other app", appIndex: 2, priority: 0 },
] as const;

interface Outcome {
  /** By flow: ms from acceptance to the socket. */
  readonly waits: ReadonlyMap<string, number[]>;
  readonly sentAtMs: readonly number[];
}

/** With so many promotions waiting, always. */
function run(seed: number, waiting: number): Outcome {
  const random = seededRandom(seed);
  const within = (range: { least: number; most: number }): number =>
    range.least + (range.most - range.least) * random();
  const links = [{ rateTps: RATE_TPS, windowMax: RATE_TPS }];
  const world = new World({ links, apps: 3, stepMs: STEP_MS });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const dispatcher = world.dispatcher();
  const put = (appIndex: number, priority: number, text: string): void => {
    const logOffset = world.accept({ text, priority });
    const entry = { ...emptyDispatchEntry(), appIndex, priority, logOffset };
    assert.ok(dispatcher.submit(entry, null, 0, 0));
  };
  const startMs = world.nowMs;
  const acceptedAt = new Map<string, number>();
  const dueAt = FLOWS.map(() => startMs + FLOW_INTERVAL_MS * random());
  let commitAt = startMs;
  let pauseAt = startMs + 1000 * random();
  let lookedAt = startMs;
  let rings = world.bellRings;
  for (let i = 0; world.nowMs < startMs + SECONDS * 1000; i++) {
    while (dispatcher.waitingIn(0, 0) < waiting) put(BACKLOG_APP, 0, "backlog");
    for (const [at, { name, appIndex, priority }] of FLOWS.entries()) {
      if (world.nowMs < dueAt[at]!) continue;
      dueAt[at]! += FLOW_INTERVAL_MS * (0.9 + 0.2 * random());
      put(appIndex, priority, `${name} ${i}`);
      if (world.nowMs >= startMs + WARM_UP_MS) acceptedAt.set(`${name} ${i}`, world.nowMs);
      lookedAt = 0;
    }
    if (rings !== world.bellRings || world.nowMs - lookedAt >= TICK_MS) {
      rings = world.bellRings;
      lookedAt = world.nowMs;
      dispatcher.doWork(world.clock.wallMs());
    }
    world.isJournalHeld = world.nowMs < commitAt;
    if (!world.isJournalHeld) commitAt = world.nowMs + within(COMMIT_MS);
    world.step();
    if (world.nowMs < pauseAt) continue;
    world.nowMs += within(PAUSE_MS);
    pauseAt = world.nowMs + (2000 / PAUSES_PER_S) * random();
  }
  const waits = new Map(FLOWS.map(({ name }) => [name as string, [] as number[]]));
  const submits = world.smsc.submits();
  for (const { bytes, atMs } of submits) {
    const found = /(otp|other app) \d+/.exec(Buffer.from(bytes).toString("latin1"));
    const since = acceptedAt.get(found?.[0] ?? "");
    if (since !== undefined) waits.get(found?.[1] ?? "")?.push(atMs - since);
  }
  return { waits, sentAtMs: submits.map(({ atMs }) => atMs) };
}

/** The 99th percentile of all of a flow. */
function p99(outcomes: readonly Outcome[], name: string): number {
  const waits = outcomes.flatMap((outcome) => outcome.waits.get(name) ?? []);
  assert.ok(waits.length >= 0.9 * SEEDS * (SECONDS - 3) * (1000 / FLOW_INTERVAL_MS));
  waits.sort((a, b) => a - b);
  return waits[Math.floor(0.99 * waits.length)] as number;
}

test("beside a backlog OTPs and other apps wait at most 1.5 × as long", (t) => {
  const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
  const without = seeds.map((seed) => run(seed, 0));
  const beside = seeds.map((seed) => run(seed, WAITING));
  let least = 1;
  for (const { sentAtMs } of beside) {
    assert.ok(densest(sentAtMs, 1000) <= RATE_TPS, `${densest(sentAtMs, 1000)} in one second`);
    least = Math.min(least, sentAtMs.length / (RATE_TPS * SECONDS));
  }
  assert.ok(least >= 0.99, `${least} of the contract`);
  for (const { name } of FLOWS) {
    const [alone, together] = [p99(without, name), p99(beside, name)];
    t.diagnostic(`${name}: ${together} ms beside, ${alone} without; ${least} of the contract`);
    assert.ok(together <= 1.5 * alone, `${name}: ${together} ms beside, ${alone} without`);
  }
});
