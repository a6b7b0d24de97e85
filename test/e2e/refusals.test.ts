/** What the program refuses at start, with which exit code and words. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gatewayYaml, SECRET, startGateway, Workspace } from "../support/processes.ts";

const SMSGW = fileURLToPath(new URL("../../src/cli/smsgw.js", import.meta.url));
const workspace = new Workspace();
after(() => workspace.dispose());

function start(path: string): { code: number | null; text: string } {
  const result = spawnSync(process.execPath, [SMSGW, "start", "-c", path], {
    encoding: "utf8",
    timeout: 120_000,
  });
  return { code: result.status, text: result.stdout + result.stderr };
}

test("a bad configuration names every key at fault and exits 78", () => {
  workspace.write("secrets/jwt", SECRET);
  const yaml = gatewayYaml(2775).replace("window_max: 500", "window_max: many, windw: 1");
  const { code, text } = start(workspace.write("bad.yaml", yaml));
  assert.equal(code, 78, text);
  assert.match(text, /links\[100\]\.window_max/);
  assert.match(text, /links\[100\]\.windw/);
});

test("a configured feature that does not exist is refused", () => {
  const yaml = gatewayYaml(2775, { lines: ["grpc: { enabled: true }"] });
  const { code, text } = start(workspace.write("grpc.yaml", yaml));
  assert.equal(code, 78, text);
  assert.match(text, /grpc\.enabled/);
});

test("a second process on the same data_dir exits 73 and leaves the first one alone", async () => {
  const yaml = gatewayYaml(2775);
  const first = await startGateway(workspace, yaml);
  const { code, text } = start(workspace.write("smsgw.yaml", yaml));
  assert.equal(code, 73, text);
  assert.match(text, /in use/);
  const health = await fetch(`http://127.0.0.1:${first.adminPort}/healthz`);
  assert.equal(health.status, 200);
  first.child.kill("SIGTERM");
  assert.equal(await first.exited, 0);
});

test("a port or a store that cannot be had ends the process, which sends nothing on", async () => {
  const other = new Workspace();
  after(() => other.dispose());
  other.write("secrets/jwt", SECRET);
  const first = await startGateway(workspace, gatewayYaml(2775));
  for (const listener of ["http", "admin"]) {
    const port = `{ port: ${listener === "http" ? first.httpPort : first.adminPort} }`;
    const yaml = gatewayYaml(2775).replace(`${listener}: { port: 0 }`, `${listener}: ${port}`);
    const { code, text } = start(other.write("smsgw.yaml", yaml));
    assert.equal(code, 1, text);
    assert.match(text, /cannot listen/);
  }
  other.write("broken/ledger", "a file where the store's directory belongs");
  const broken = gatewayYaml(2775).replace("./data", "./broken");
  const { code, text } = start(other.write("smsgw.yaml", broken));
  assert.ok(code !== null && code !== 0, text);
  first.child.kill("SIGTERM");
  assert.equal(await first.exited, 0);
});
