/**
 * A gateway that is ended at awkward moments, by signals and by a thread that breaks: it ends soon
 * and with the right code, and what it had promised reaches the operator. `npm run fault:ends` does
 * the same at many random moments.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EndsRig, type EndTrial } from "../fault/ends/end-trial.ts";
import { gatewayYaml, Workspace } from "../support/processes.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

const TRIALS: readonly EndTrial[] = [
  { kind: "throw", thread: "ledger-thread", since: "start", atMs: 1500, gapMs: 0 },
  { kind: "once", thread: "main", since: "log", atMs: 200, gapMs: 0 },
  { kind: "twice", thread: "main", since: "log", atMs: 400, gapMs: 5 },
  { kind: "throw", thread: "journal-thread", since: "start", atMs: 500, gapMs: 0 },
  { kind: "respawned", thread: "main", since: "log", atMs: 300, gapMs: 0 },
];

test("a gateway ends well at any moment, and loses nothing", async (context) => {
  const rig = await EndsRig.open(workspace, (smscPort) =>
    gatewayYaml(smscPort, { window: 100 }).replace("{ port: 0 }", "{ port: 0, threads: 2 }"),
  );
  for (const trial of TRIALS) {
    const { problem, code, tookMs, lines } = await rig.run(trial);
    context.diagnostic(`${trial.kind} ${trial.thread}: ${code} after ${tookMs} ms`);
    assert.equal(problem, null, lines.slice(-12).join("\n"));
  }
  const { promised, lost, unflagged } = await rig.judge();
  assert.deepEqual({ lost, unflagged }, { lost: 0, unflagged: 0 }, `of ${promised}`);
});
