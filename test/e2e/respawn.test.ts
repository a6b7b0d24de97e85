/** `--respawn`: the gateway comes back after a crash, and what it had promised is delivered. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../support/client.ts";
import { gatewayYaml, SECRET, Workspace } from "../support/processes.ts";

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
  for (let i = 0; i < 200 && listenings(parent.lines).length < 2; i++) await sleep(50);
  const client = new Client(portOf(parent.lines, 1));
  await client.untilStatus(posted.body.id as string, "delivered");
  parent.child.kill("SIGTERM");
  assert.equal(await parent.exited, 0);
});

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
