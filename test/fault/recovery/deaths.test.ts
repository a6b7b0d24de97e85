/**
 * F3 small: single threads throw under load.
 * `npm run fault:recovery -- --only F3` does it with every thread and in every way.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { breakThreads } from "./deaths.ts";
import { isClean } from "./judge.ts";

const TRIALS = 3;
const workspace = new Workspace();
after(() => workspace.dispose());

test(`${TRIALS} threads throw under load: nothing promised is lost`, async (context) => {
  const seed = Date.now() % 1_000_000;
  const found = await breakThreads({ workspace, trials: TRIALS, seed, threads: 1 });
  context.diagnostic(JSON.stringify(found));
  assert.deepEqual(found.surprises, []);
  assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
});
