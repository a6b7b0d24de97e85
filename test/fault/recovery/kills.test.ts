/**
 * F1 small: kill -9 under load, here 15 times and 15 times with more threads in the file beside it;
 * nothing promised is lost, everything sent twice is flagged, and the CDRs are complete.
 * `npm run fault:recovery -- --only F1` does it 300 times.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { isClean } from "./judge.ts";
import { killUnderLoad } from "./kills.ts";

const KILLS = 15;
const workspace = new Workspace();
after(() => workspace.dispose());

test(`kill -9 under load, ${KILLS} times`, async (context) => {
  const seed = Date.now() % 1_000_000;
  const found = await killUnderLoad({ workspace, kills: KILLS, seed });
  context.diagnostic(JSON.stringify(found));
  assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
  assert.ok(found.verdict.promised >= 30 * KILLS);
});
