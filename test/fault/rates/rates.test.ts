/** Rate accuracy, small: what the kernel saw leave within any second, on real processes. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { runRates } from "./rate-trial.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

test("1, 7, 100 and 1,000 segments a second, over two workers", async (context) => {
  for (const figures of await runRates(workspace, [1, 7, 100, 1000], 6)) {
    const { rate, densestSecond, mean, sessions } = figures;
    context.diagnostic(JSON.stringify(figures));
    assert.ok(densestSecond <= rate, `${densestSecond} in one second at ${rate}/s`);
    assert.ok(mean >= 0.5, `${mean} of ${rate}/s used: a busy machine may cost some, not half`);
    assert.ok(rate < 100 || sessions === 2, "both workers sent");
  }
});
