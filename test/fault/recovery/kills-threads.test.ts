/**
 * F1 small, as in kills.test.ts, with two ingress threads and two SMPP workers.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { isClean } from "./judge.ts";
import { killUnderLoad } from "./kills.ts";

const KILLS = 15;
const workspace = new Workspace();
after(() => workspace.dispose());

test(`kill -9 under load, ${KILLS} times, two of each thread`, async (context) => {
  const seed = Date.now() % 1_000_000;
  const found = await killUnderLoad({ workspace, kills: KILLS, seed, threads: 2 });
  context.diagnostic(JSON.stringify(found));
  assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
  assert.ok(found.verdict.promised >= 30 * KILLS);
});
