/**
 * F24 small: the process is stopped once, for longer than the watchdog's ten seconds.
 * `npm run fault:recovery -- --only F24` stops it for 40 s, again and again.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { isClean } from "./judge.ts";
import { suspend } from "./suspend.ts";

const SECONDS = 12;
const workspace = new Workspace();
after(() => workspace.dispose());

test(`a process that is stopped for ${SECONDS} s goes on, and loses nothing`, async (context) => {
  const found = await suspend({ workspace, trials: 1, seconds: SECONDS });
  context.diagnostic(JSON.stringify(found));
  assert.deepEqual(found.surprises, []);
  assert.ok(isClean(found.verdict), found.verdict.faults.join("\n"));
});
