/** The runner works while there is work, and after `stop` never again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DoorbellOwner } from "../../../src/ring/doorbell.ts";
import { allocateBells, bellIndex } from "../../../src/tables/thread-table.ts";
import { EventLoopRunner } from "../../../src/workers/event-loop-runner.ts";

function running(workLeft: number) {
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
  const runner = new EventLoopRunner(agent, new DoorbellOwner(bells, bellIndex(0)), bells, 0);
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
