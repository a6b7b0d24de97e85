/**
 * `smsgw bench` and `smsgw tune` as a user runs them: gateways, operator and load are started,
 * figures come out, nothing is left behind. What the figures are is not looked at.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SMSGW = fileURLToPath(new URL("../../src/cli/smsgw.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "smsgw-bench-command-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function smsgw(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  // A variable of the user's own gateway means nothing here.
  const env = { ...process.env, SMSGW_HTTP__PORT: "80" };
  const size = ["--connections", "8", "--dir", folder];
  return promisify(execFile)(process.execPath, [SMSGW, ...args, ...size], { cwd: folder, env });
}

test("bench prints its figures, writes them, and leaves nothing behind", async () => {
  const { stdout } = await smsgw("bench", "--seconds", "1", "--receipts", "final", "--out", "b");
  assert.match(stdout, /segments\/s to submit_sm_resp/);
  assert.match(stdout, /CPU a message .*main .*ledger .*worker-0 .*journal /);
  const { measured } = JSON.parse(readFileSync(join(folder, "b"), "utf8")) as {
    measured: { perS: number; messagesAccepted: number; refused: number; unanswered: number };
  };
  assert.ok(measured.perS > 0 && measured.messagesAccepted > 0);
  assert.equal(measured.refused + measured.unanswered, 0);
  assert.deepEqual(readdirSync(folder), ["b"]);
});

test("tune recommends, says why, and writes what a configuration takes", async () => {
  const args = ["--seconds", "1", "--runs", "1", "--sweep", "workers=1", "--sweep", "window=5,500"];
  args.push("--sweep", "commit=1000");
  const { stdout } = await smsgw("tune", ...args, "--latency-ms", "10", "--write", "tuned.yaml");
  assert.match(stdout, /^2 points, 1 runs each/);
  assert.match(stdout, /^workers: 1$/m);
  assert.match(stdout, /^window: (5|500)$/m);
  assert.match(stdout, /Window ≈ rate × answer time/);
  assert.match(stdout, /its event loop busy \d+ % of the time/);
  assert.match(
    readFileSync(join(folder, "tuned.yaml"), "utf8"),
    /^workers:\n {2}count: 1\njournal:\n {2}commit_interval_us: 1000$/m,
  );
  assert.deepEqual(readdirSync(folder).sort(), ["b", "tuned.yaml"]);
});

test("tune refuses to flood an SMSC that was not named in full", async () => {
  await assert.rejects(smsgw("tune", "--smsc", "127.0.0.1:1"), /needs --system-id and --to/);
});
