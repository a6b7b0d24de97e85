/**
 * Slow attacks and a flood of connections, small: no crash, good clients served, health answers.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { flood } from "./flood.ts";
import { type AttackName, attackSlowly, ATTACKS } from "./slow-attacks.ts";

const workspaces: Workspace[] = [];
after(async () => {
  for (const workspace of workspaces) await workspace.dispose();
});

function makeWorkspace(): Workspace {
  const workspace = new Workspace();
  workspaces.push(workspace);
  return workspace;
}

for (const attack of Object.keys(ATTACKS) as AttackName[]) {
  test(`${attack}: good clients are served`, async (context) => {
    const result = await attackSlowly(makeWorkspace(), attack, 200, 4, 1);
    context.diagnostic(JSON.stringify(result));
    assert.ok(result.isAlive);
    assert.ok(result.accepted > 50);
    assert.deepEqual(result.failed, {});
  });
}

test("a flood of connections beyond the descriptors: no crash, health answers", async (context) => {
  const options = { idle: 1200, active: 200, seconds: 8, descriptorsMax: 1280 };
  const result = await flood(makeWorkspace(), options);
  context.diagnostic(JSON.stringify(result));
  assert.ok(result.isAlive);
  assert.ok(result.pauses > 0, "the flood reached the bound");
  assert.equal(result.healthFailed, 0);
  assert.ok(result.isServingAfter);
  assert.equal(result.drainExit, 0);
});
