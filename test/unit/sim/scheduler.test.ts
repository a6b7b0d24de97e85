/**
 * One loop for all threads: deterministic, never twice inside one agent, dead processes stay
 * silent.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WORLD } from "../../sim/scheduler.ts";
import { makeWorld } from "./world.ts";

test("the same seed gives the same order of turns and the same times", () => {
  const run = (seed: number): string => {
    const { scheduler, clock, effects } = makeWorld(seed);
    const log: string[] = [];
    const agent = (name: string) => ({
      name,
      doWork: () => effects.run("ring.submit", name, () => log.push(name + clock.monotonicMs())),
    });
    scheduler.setAgents([agent("a"), agent("b"), agent("c")]);
    scheduler.run(() => log.length > 300, 1e9);
    return log.join();
  };
  assert.equal(run(5), run(5));
  assert.notEqual(run(5), run(6));
});

test("effects give other agents turns, an agent never gets one inside its own", () => {
  const { scheduler, effects } = makeWorld(3);
  scheduler.preemptChance = 1;
  let nested = 0;
  const inside = new Set<string>();
  const agent = (name: string) => ({
    name,
    doWork: () => {
      assert.ok(!inside.has(name));
      inside.add(name);
      if (inside.size > 1) nested++;
      effects.run("disk.write", name, () => undefined);
      inside.delete(name);
      return 1;
    },
  });
  scheduler.setAgents([agent("a"), agent("b")]);
  scheduler.run(() => nested > 10, 1e6);
  assert.ok(nested > 10);
});

test("an event waits until its agent is between turns, and dies with its process", () => {
  const { scheduler, clock } = makeWorld(4);
  let running = false;
  let calls = 0;
  const idle = { name: "b", doWork: () => 0 };
  const sleeper = {
    name: "a",
    doWork: () => {
      running = true;
      scheduler.sleep(5);
      running = false;
      return 1;
    },
  };
  scheduler.setAgents([sleeper, idle]);
  for (let i = 0; i < 20; i++) {
    scheduler.after(i, 0, () => {
      assert.ok(!running);
      calls++;
    });
  }
  scheduler.run(() => calls === 20, clock.monotonicMs() + 1000);
  assert.equal(calls, 20);
  scheduler.after(1, 0, () => assert.fail("an event of a dead process"));
  let world = 0;
  scheduler.after(1, WORLD, () => world++);
  scheduler.setAgents([idle]);
  scheduler.run(() => false, clock.monotonicMs() + 100);
  assert.equal(world, 1);
});

test("the process dies at the armed effect, before or after it, and nothing follows", () => {
  for (const after of [false, true]) {
    const { scheduler, effects } = makeWorld(6);
    let done = 0;
    effects.arm("disk.sync", 3, after);
    scheduler.setAgents([
      {
        name: "a",
        doWork: () => {
          try {
            effects.run("disk.sync", "", () => done++);
          } finally {
            if (effects.crashed) assert.throws(() => effects.run("disk.write", "", () => done++));
          }
          return 1;
        },
      },
    ]);
    const crash = scheduler.run(() => false, 1e6);
    assert.match(crash?.message ?? "", after ? /^after disk.sync/ : /^before disk.sync/);
    assert.equal(done, after ? 3 : 2);
  }
});
