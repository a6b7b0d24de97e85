/** The runner works while there is work, and after `stop` never again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DoorbellOwner } from "../../../src/ring/doorbell.ts";
import { allocateBells, bellIndex } from "../../../src/tables/thread-table.ts";
import { EventLoopRunner } from "../../../src/workers/event-loop-runner.ts";

function running(workLeft: number, mayRest?: () => boolean) {
  const bells = new Int32Array(allocateBells(1));
  const agent = {
    left: workLeft,
    calls: 0,
    doWork(): number {
      agent.calls++;
      return agent.left > 0 ? agent.left-- : 0;
    },
    onTick: () => undefined,
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
