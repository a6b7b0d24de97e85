import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import { Scheduler } from "../../../src/smpp/pace/scheduler.ts";
import { StallWatch, STALLED_LINK_MS } from "../../../src/smpp/stall-watch.ts";
import { LinkWord } from "../../../src/tables/link-table.ts";
import { World } from "./world.ts";

test("a stall is 10 s in which a link could send and did not, told once each", () => {
  const watch = new StallWatch();
  const told: number[] = [];
  for (let now = 0; now <= 25_000; now += 100) if (watch.look(now, true, 7)) told.push(now);
  // The first look sees seven segments that were not there before.
  assert.deepEqual(told, [100 + STALLED_LINK_MS, 200 + 2 * STALLED_LINK_MS]);
});

test("progress, or nothing to send, starts the time anew", () => {
  const watch = new StallWatch();
  for (let now = 0; now <= 60_000; now += 100) {
    assert.equal(watch.look(now, true, Math.floor(now / 9_000)), false);
  }
  for (let now = 60_100; now <= 120_000; now += 100) {
    assert.equal(watch.look(now, now % 9_000 > 200, 6), false);
  }
});

test("a link that stands still for no reason is bound anew, and counted", (t) => {
  const stalled: number[] = [];
  const world = new World({ onStalled: (link) => stalled.push(link) });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const broken = t.mock.method(Scheduler.prototype, "run", () => 0);
  world.submit();
  world.run(STALLED_LINK_MS - 500);
  assert.deepEqual(stalled, []);
  world.run(1_000);
  assert.deepEqual(stalled, [100]);
  assert.equal(world.linkWord(0, LinkWord.STALLS), 1);
  assert.ok(world.logs.some(({ operation }) => operation === "link.stalled"));
  assert.equal(world.smsc.sockets[0]?.of(COMMAND_ID.unbind).length, 1);
  broken.mock.restore();
  world.runUntil(() => world.boundCount() === 1);
  assert.equal(world.smsc.open().length, 1);
});

test("what has a reason to wait is no stall", () => {
  const stalled: number[] = [];
  const onStalled = (link: number): number => stalled.push(link);
  const window = new World({ links: [{ windowMax: 1, responseTimeoutMs: 60_000 }], onStalled });
  window.bindAll();
  window.submit();
  window.submit();
  window.run(25_000);
  const closed = new World({ links: [{ rateTps: 0 }], onStalled });
  closed.bindAll();
  closed.submit();
  closed.run(25_000);
  const journal = new World({ onStalled });
  journal.bindAll();
  journal.isJournalHeld = true;
  journal.submit();
  journal.submit();
  journal.run(25_000);
  const slow = new World({ links: [{ rateTps: 1 }], onStalled });
  slow.smsc.onSubmit = () => "ok";
  slow.bindAll();
  for (let i = 0; i < 15; i++) slow.submit();
  slow.run(25_000);
  assert.deepEqual(stalled, []);
});
