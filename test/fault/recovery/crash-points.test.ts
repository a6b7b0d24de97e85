/**
 * F2 small: the gateway ends itself at some of the named points, once each.
 * `npm run fault:recovery -- --only F2` does it 20 times at every point.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { isClean } from "./judge.ts";
import { killAtPoints } from "./kills.ts";

const POINTS = [
  "block half written",
  "synced, before anybody knows",
  "202 half sent",
  "after the submit_sm",
  "RECEIPT committed, before the deliver_sm_resp",
  "after a segment is removed",
  "segment without a name, cut in part",
  "ledger's commit half written",
  "CDR file before its name",
  "recovery: before a sync of the log",
];
const workspace = new Workspace();
after(() => workspace.dispose());

test(`ends at ${POINTS.length} named points`, async (context) => {
  const seed = Date.now() % 1_000_000;
  const found = await killAtPoints({ workspace, rounds: 1, seed, points: POINTS });
  context.diagnostic(JSON.stringify(found));
  assert.deepEqual(found.missed, []);
  assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
});
