/** The runner works while there is work, and after `stop` never again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DoorbellOwner } from "../../../src/ring/doorbell.ts";
import { allocateBells, bellIndex, ticksIndex } from "../../../src/tables/thread-table.ts";
import { EventLoopRunner } from "../../../src/workers/event-loop-runner.ts";

function running(workLeft: number, mayRest?: () => boolean) {
  const bells = new Int32Array(allocateBells(1));
  const agent = {
    left: workLeft,
    calls: 0,
    ticks: 0,
    quiet: false,
    doWork(): number {
      agent.calls++;
      return agent.left > 0 ? agent.left-- : 0;
    },
    onTick: () => {
      agent.ticks++;
    },
    isQuiet: () => agent.quiet,
  };
  const bell = new DoorbellOwner(bells, bellIndex(0));
  const runner = new EventLoopRunner(agent, bell, bells, 0, mayRest);
  runner.start();
  return { agent, runner, bells };
}

test("it works until nothing is left, then looks once more with its bell armed", async () => {
  const { agent, runner, bells } = running(5);
  while (agent.left > 0 || bells[bellIndex(0)] === 0) await turn();
  assert.equal(agent.calls, 7);
  runner.stop();
});

test("after stop the agent is not called, neither by a scheduled round nor by a wake", async () => {
  const { agent, runner } = running(1000);
  await turn();
  const { calls } = agent;
  assert.ok(calls > 0 && calls < 1000);
  runner.stop();
  runner.wake();
  for (let i = 0; i < 5; i++) await turn();
  assert.equal(agent.calls, calls);
});

test("after work one that may rest is not to be rung: a tick takes what comes", async () => {
  let mayRest = true;
  const { agent, runner, bells } = running(3, () => mayRest);
  const isArmed = (): boolean => bells[bellIndex(0)] === 1;
  while (agent.calls < 4) await turn();
  assert.equal(agent.calls, 4);
  assert.equal(isArmed(), false);
  // A tick finds nothing: from then on it can be rung.
  while (!isArmed()) await turn();
  assert.ok(agent.calls >= 6);
  agent.left = 2;
  runner.wake();
  while (agent.left > 0) await turn();
  assert.equal(isArmed(), false);
  // What came meanwhile needs no ring.
  agent.left = 2;
  while (agent.left > 0) await turn();
  mayRest = false;
  agent.left = 2;
  while (agent.left > 0 || !isArmed()) await turn();
  runner.stop();
});

test("ticks become rare in two steps, and frequent with the first work", async ({ mock }) => {
  let tick = (): void => undefined;
  let tickMs = 0;
  mock.method(globalThis, "setInterval", (listener: () => void, ms: number) => {
    tick = listener;
    tickMs = ms;
    return setTimeout(() => undefined, 0);
  });
  const { agent, runner, bells } = running(0);
  const tickTimes = async (times: number): Promise<number> => {
    for (let i = 0; i < times; i++) {
      tick();
      await turn();
    }
    return tickMs;
  };
  assert.equal(await tickTimes(399), 5);
  assert.equal(await tickTimes(1), 50, "nothing happened for two seconds");
  agent.quiet = true;
  assert.equal(await tickTimes(1), 250, "and nothing is due");
  assert.equal(agent.ticks, bells[ticksIndex(0)]);
  // Woken without work: it is asked again.
  agent.quiet = false;
  runner.wake();
  await turn();
  assert.equal(tickMs, 50);
  agent.quiet = true;
  assert.equal(await tickTimes(1), 250);
  const { ticks } = agent;
  agent.left = 1;
  runner.wake();
  await turn();
  assert.equal(tickMs, 5);
  assert.equal(agent.ticks, ticks + 1, "what ticks keep fresh is made so at once");
  assert.equal(await tickTimes(399), 5);
  assert.equal(await tickTimes(1), 250);
  runner.stop();
});
