/**
 * Rate accuracy, small: what the kernel saw leave within any second, on real processes, also over a
 * kill -9 and a drain with a new start at once.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { runRates } from "./rate-trial.ts";

/**
 * Where the operator's process does not get to run, the kernel holds back for so long, and lets go
 * at once, what it had taken from us.
 */
const HELD_MS = 50;

const workspace = new Workspace();
const restarted = new Workspace();
after(() => Promise.all([workspace.dispose(), restarted.dispose()]));

test("1, 7, 100 and 1,000 segments a second, over two workers", async (context) => {
  for (const figures of await runRates(workspace, [1, 7, 100, 1000], 6)) {
    const { rate, densestSecond, mean, sessions } = figures;
    context.diagnostic(JSON.stringify(figures));
    const held = Math.ceil((rate * HELD_MS) / 1000);
    assert.ok(densestSecond <= rate + held, `${densestSecond} in one second at ${rate}/s`);
    assert.ok(mean >= 0.5, `${mean} of ${rate}/s used: a busy machine may cost some, not half`);
    assert.ok(rate < 100 || sessions === 2, "both workers sent");
  }
});

test("over a kill and a drain, each with a new start at once", async (context) => {
  const signals = ["SIGKILL", "SIGTERM"] as const;
  for (const figures of await runRates(restarted, [1, 7, 100], 3, { restarts: signals })) {
    const { rate, densestSecond, sessions } = figures;
    context.diagnostic(JSON.stringify(figures));
    const held = rate < 100 ? 0 : Math.ceil((rate * HELD_MS) / 1000);
    assert.ok(densestSecond <= rate + held, `${densestSecond} in one second at ${rate}/s`);
    assert.ok(rate < 100 || sessions > 2, "the later processes sent as well");
  }
});
