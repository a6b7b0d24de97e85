/** Pools, a flapping link, a dead one and reloads with real processes, small. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { runPools } from "./pool-trial.ts";

/** A gateway that turns messages over and over for a dead link uses a core and more. */
const IDLE_CORES_MAX = 0.5;

const workspace = new Workspace();
after(() => workspace.dispose());

test("three links on two workers, one flapping, one dead, and reloads", async (context) => {
  const figures = await runPools(workspace, { messages: 4000, waiting: 300, idleSeconds: 1.5 });
  context.diagnostic(JSON.stringify(figures));
  assert.equal(figures.promised, 4300);
  assert.equal(figures.lost, 0);
  assert.equal(figures.doubled, 0);
  assert.equal(figures.overtaken, 0);
  assert.ok(figures.shareError <= 0.02, `share off by ${figures.shareError}`);
  assert.ok(figures.idleCores <= IDLE_CORES_MAX, `${figures.idleCores} cores while all wait`);
});
