/**
 * `--respawn`: the gateway comes back after a crash, and what it had promised is delivered; signals
 * to the parent reach the child, or wait for the next one.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../support/client.ts";
import { gatewayYaml, SECRET, SMSGW, Workspace } from "../support/processes.ts";

const LOOK_MS = 25;
const LOOKS_MAX = 2400;
const workspace = new Workspace();
after(() => workspace.dispose());

test("a killed gateway is started again and finishes what it accepted", async () => {
  const smsc = await workspace.run(["smsc", "--port", "0", "--receipt-delay-ms", "2000"], (line) =>
    line.includes("listening on"),
  );
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)));
  workspace.write("secrets/jwt", SECRET);
  const path = workspace.write("smsgw.yaml", yaml);
  const parent = await workspace.run(["start", "-c", path, "--respawn"], isListening);
  const first = portOf(parent.lines, 0);
  const posted = await new Client(first).post({ to: "998901234567", text: "survive" });
  assert.equal(posted.status, 202);
  process.kill(childOf(parent.pid), "SIGKILL");
  await comeBack(parent.lines);
  const client = new Client(portOf(parent.lines, 1));
  await client.untilStatus(posted.body.id as string, "delivered");
  parent.child.kill("SIGTERM");
  assert.equal(await parent.exited, 0);
});

test("SIGHUP to the parent reloads, and in a backoff it does no harm", async () => {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) =>
    line.includes("listening on"),
  );
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)));
  const path = workspace.write("smsgw.yaml", yaml);
  workspace.write("secrets/jwt", SECRET);
  const parent = await workspace.run(["start", "-c", path, "--respawn"], isListening);
  const child = childOf(parent.pid);
  workspace.write("smsgw.yaml", yaml.replaceAll("rate_tps: null }", "rate_tps: 70 }"));
  parent.child.kill("SIGHUP");
  await seen(parent.lines, (line) => line.includes('"reload"') && line.includes('"applied"'));
  assert.equal(childOf(parent.pid), child);
  process.kill(child, "SIGKILL");
  await seen(parent.lines, (line) => line.includes("again in"));
  parent.child.kill("SIGHUP");
  await comeBack(parent.lines);
  const client = new Client(portOf(parent.lines, 1));
  const posted = await client.post({ to: "998901234567", text: "after the reload" });
  await client.untilStatus(posted.body.id as string, "delivered");
  // The next backoff ends with the gateway.
  process.kill(childOf(parent.pid), "SIGKILL");
  await seen(parent.lines, (line) => line.includes("again in 1000 ms"));
  parent.child.kill("SIGTERM");
  assert.notEqual(await parent.exited, null);
  assert.equal(listenings(parent.lines).length, 2);
});

test("a SIGHUP before the configuration is read counts when it listens", async (context) => {
  workspace.write("loading/secrets/jwt", SECRET);
  const yaml = gatewayYaml(1);
  // A pipe: it is read when we write.
  const path = join(workspace.folder, "loading/smsgw.yaml");
  execFileSync("mkfifo", [path]);
  const child = spawn(process.execPath, [SMSGW, "start", "-c", path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  context.after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  for (let i = 0; i < LOOKS_MAX && !catchesSighup(child.pid as number); i++) await sleep(1);
  child.kill("SIGHUP");
  await writeFile(path, yaml);
  await seen(lines, isListening);
  await writeFile(path, yaml);
  await seen(lines, (line) => line.includes('"reload"'));
  child.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
});

/** Whether the process has a listener for SIGHUP, as the kernel says. */
function catchesSighup(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, mask] = /^SigCgt:\s+([0-9a-f]+)$/m.exec(status) as RegExpExecArray;
  return (BigInt(`0x${mask}`) & 1n) === 1n;
}

/** Waits until a second gateway listens. */
async function comeBack(lines: readonly string[]): Promise<void> {
  for (let i = 0; i < LOOKS_MAX && listenings(lines).length < 2; i++) await sleep(LOOK_MS);
}

async function seen(lines: readonly string[], wanted: (line: string) => boolean): Promise<void> {
  for (let i = 0; i < LOOKS_MAX; i++) {
    if (lines.some(wanted)) return;
    await sleep(LOOK_MS);
  }
  throw new Error(`never said:\n${lines.join("\n")}`);
}

function isListening(line: string): boolean {
  return line.includes('"listening"');
}

function listenings(lines: readonly string[]): string[] {
  return lines.filter(isListening);
}

function portOf(lines: readonly string[], start: number): number {
  const line = listenings(lines)[start];
  assert.ok(line !== undefined, `the gateway did not come back:\n${lines.join("\n")}`);
  return (JSON.parse(line) as { http_port: number }).http_port;
}

/** The one child process of `pid`. */
function childOf(pid: number): number {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid) return Number(name);
    } catch {
      // The process ended while we looked.
    }
  }
  throw new Error(`process ${pid} has no child`);
}
