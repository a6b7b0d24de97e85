/** Steps of a drain follow each other, and none can hold it up for ever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drainInOrder } from "../../../src/workers/drain-steps.ts";

const HOUR_MS = 3_600_000;

test("each step starts when the one before it is done", async () => {
  const events: string[] = [];
  const step = (name: string) => ({
    name,
    run: async () => {
      events.push(`${name} starts`);
      await Promise.resolve();
      events.push(`${name} ends`);
    },
  });
  assert.equal(await drainInOrder(HOUR_MS, [step("a"), step("b")]), null);
  assert.deepEqual(events, ["a starts", "a ends", "b starts", "b ends"]);
});

test("a step that never ends is left when the time is over, and those behind it", async () => {
  let isReached = false;
  const steps = [
    { name: "done", run: () => Promise.resolve() },
    { name: "stuck", run: () => new Promise(() => undefined) },
    {
      name: "never",
      run: () => {
        isReached = true;
        return Promise.resolve();
      },
    },
  ];
  assert.equal(await drainInOrder(1, steps), "stuck");
  assert.equal(isReached, false);
});

test("what a step fails with ends the drain", async () => {
  const steps = [{ name: "broken", run: () => Promise.reject(new Error("a thread broke")) }];
  await assert.rejects(drainInOrder(HOUR_MS, steps), /a thread broke/);
});
