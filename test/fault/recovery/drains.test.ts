/**
 * F4 small: SIGTERM under load, once, and a second time while the gateway drains.
 * `npm run fault:recovery -- --only F4,F4-twice,F4-stuck` does it at large.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { type DrainKind, terminate } from "./deaths.ts";
import { isClean } from "./judge.ts";

const TRIALS: Readonly<Partial<Record<DrainKind, number>>> = { once: 1, twice: 1 };

for (const [name, trials] of Object.entries(TRIALS)) {
  const kind = name as DrainKind;
  const workspace = new Workspace();
  after(() => workspace.dispose());
  test(`SIGTERM ${kind} under load: nothing promised is lost`, async (context) => {
    const seed = Date.now() % 1_000_000;
    const found = await terminate({ workspace, trials, seed, threads: 1 }, kind);
    context.diagnostic(JSON.stringify(found));
    assert.deepEqual(found.surprises, []);
    assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
  });
}
