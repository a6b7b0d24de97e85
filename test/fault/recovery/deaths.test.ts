/**
 * F3 and F4 small: single threads die, and SIGTERM comes under load, once and twice.
 * `npm run fault:recovery -- --only F3,F4,F4-twice,F4-stuck` does it at large.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { breakThreads, type DeathResult, terminate } from "./deaths.ts";
import { isClean } from "./judge.ts";

const seed = Date.now() % 1_000_000;
const RUNS: Readonly<Record<string, (workspace: Workspace) => Promise<DeathResult>>> = {
  "a thread throws": (workspace) => breakThreads({ workspace, trials: 3, seed }),
  "SIGTERM once": (workspace) => terminate({ workspace, trials: 2, seed }, "once"),
  "SIGTERM twice": (workspace) => terminate({ workspace, trials: 2, seed }, "twice"),
};

for (const [name, run] of Object.entries(RUNS)) {
  const workspace = new Workspace();
  after(() => workspace.dispose());
  test(`${name} under load: nothing promised is lost`, async (context) => {
    const found = await run(workspace);
    context.diagnostic(JSON.stringify(found));
    assert.deepEqual(found.surprises, []);
    assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
  });
}
