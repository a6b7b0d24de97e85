/**
 * Backlogs small: messages that wait for a link, and for their time, over a kill -9.
 * `npm run fault:recovery -- --only backlog,scheduled` does it with five million and one million.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../../support/processes.ts";
import { type BacklogResult, waitForLinks, waitForTime } from "./backlog.ts";

const MESSAGES = 10_000;
const LEAD_S = 8;
const RUNS: Readonly<Record<string, (workspace: Workspace) => Promise<BacklogResult>>> = {
  "for a link": (workspace) => waitForLinks({ workspace, messages: MESSAGES }),
  "for their time": (workspace) => waitForTime({ workspace, messages: MESSAGES, leadS: LEAD_S }),
};

for (const [name, run] of Object.entries(RUNS)) {
  const workspace = new Workspace();
  after(() => workspace.dispose());
  test(`${MESSAGES} messages that wait ${name} go out once, also after a kill`, async (context) => {
    const found = await run(workspace);
    context.diagnostic(JSON.stringify(found));
    const { submitted, early, twice, lost } = found;
    const expected = { submitted: MESSAGES, early: 0, twice: 0, lost: 0 };
    assert.deepEqual({ submitted, early, twice, lost }, expected);
  });
}
