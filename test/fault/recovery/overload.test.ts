/**
 * L4 and L10 small: a queue is filled by clients that never back off, and drains.
 * `npm run fault:recovery -- --only L4,L10` does it at size, and judges goodput and times as well.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { faultsOf, overload } from "./overload.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

test("a queue is filled to its bound, refuses, and drains in order", async (context) => {
  const size = { seconds: 3, calmSeconds: 10, bytesMax: 2 ** 23, ratePerS: 100 };
  const [trial] = await overload({ workspace, trials: 1, ...size });
  context.diagnostic(JSON.stringify(trial));
  assert.ok(trial !== undefined && trial.refusals > 0);
  assert.deepEqual(faultsOf(trial), []);
});
