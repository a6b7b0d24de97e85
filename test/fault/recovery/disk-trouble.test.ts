/**
 * F7 and F8 small: the log cannot be synced, cannot grow, is slow; its directory vanishes.
 * `npm run fault:recovery -- --only F7,F8` does it at large.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { fillLog, troubleDisk, type TroubleResult } from "./disk-trouble.ts";
import { isClean } from "./judge.ts";

const TROUBLES = [
  "sync of the log: EIO",
  "block of the log: ENOSPC",
  "new segment: EROFS",
  "message in the log, read by a worker: EIO",
  "syncs of the log last 500 ms",
  "data directory vanishes",
  "no room for the log",
];

for (const [name, run] of Object.entries({ F7: fillLog, F8: troubleDisk })) {
  const workspace = new Workspace();
  after(() => workspace.dispose());
  test(`${name}: no false 202, and nothing lost`, async (context) => {
    const seed = Date.now() % 1_000_000;
    const found: TroubleResult = await run({ workspace, rounds: 1, seed, troubles: TROUBLES });
    context.diagnostic(JSON.stringify(found));
    assert.deepEqual(found.surprises, []);
    assert.equal(found.syncs_again, 0);
    assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
  });
}
