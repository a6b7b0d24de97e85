/**
 * `durability: none`: nothing is synced, and everything else is as ever: messages go out, CDR files
 * are made from a store that other threads read, and a data_dir goes on in another mode.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sumOf, readPrometheus } from "../../src/cli/prometheus-read.ts";
import { Client } from "../support/client.ts";
import { gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

const CDR_MS_MAX = 60_000;
const workspace = new Workspace();
after(() => workspace.dispose());

test("without a sync messages go out and are recorded; data_dir goes on with disk", async () => {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) =>
    line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const yamlOf = (durability: string): string =>
    gatewayYaml(smscPort, {
      lines: [`journal: { durability: ${durability} }`, "cdr: { roll_interval_s: 1 }"],
    });
  const first = await startGateway(workspace, yamlOf("none"));
  const warnings = first.lines.filter((line) => line.includes("journal.durability is none"));
  assert.equal(warnings.length, 1, "the start says so");
  const client = new Client(first.httpPort);
  const { status, body } = await client.post({ to: "+998900000001", from: "TEST", text: "x" });
  assert.equal(status, 202);
  await client.untilStatus(String(body.id), "delivered", CDR_MS_MAX);
  await untilCdrFile(first.adminPort);
  first.child.kill("SIGTERM");
  assert.equal(await first.exited, 0);

  const second = await startGateway(workspace, yamlOf("disk"));
  const again = new Client(second.httpPort);
  assert.equal((await again.get(String(body.id))).body.status, "delivered");
  const next = await again.post({ to: "+998900000002", from: "TEST", text: "y" });
  await again.untilStatus(String(next.body.id), "delivered", CDR_MS_MAX);
});

async function untilCdrFile(adminPort: number): Promise<void> {
  for (let waited = 0; waited < CDR_MS_MAX; waited += 50) {
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    if (sumOf(readPrometheus(text), "cdr_files_made_total") > 0) return;
    await sleep(50);
  }
  assert.fail(`no CDR file in ${join(workspace.folder, "data", "cdr")}`);
}
