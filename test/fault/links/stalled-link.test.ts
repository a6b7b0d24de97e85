/**
 * A link that could send and does not, in the real program: an alarm, its last PDUs in a file, and
 * sessions that bind anew, after which it sends.
 */
import assert from "node:assert/strict";
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import { readPackets } from "../../support/capture.ts";
import { Client } from "../../support/client.ts";
import { gatewayYaml, startGateway, Workspace } from "../../support/processes.ts";

const PRELOAD = new URL("./hold-links.js", import.meta.url).href;
/** The stall is told after 10 s of it. */
const DEADLINE_MS = 120_000;

const workspace = new Workspace();
after(() => workspace.dispose());

test("a link that stands still is told, dumped and bound anew", async () => {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) => line.includes("listening"));
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const hold = join(workspace.folder, "hold");
  const env = { HOLD_FILE: hold, NODE_OPTIONS: `--import=${PRELOAD}` };
  const gateway = await startGateway(workspace, gatewayYaml(smscPort, { links: 1 }), {}, env);
  const client = new Client(gateway.httpPort);
  const post = async (text: string): Promise<string> => {
    const { body } = await client.post({ to: "998901234567", from: "TEST", text });
    return body["id"] as string;
  };
  await client.untilStatus(await post("before"), "delivered");
  workspace.write("hold", "");
  const held = await post("while it stands still");

  const capture = join(workspace.folder, "data", "stalled-link-100.pcap");
  const told = (): boolean => gateway.lines.some((line) => line.includes('"link.stalled"'));
  const isKept = (): boolean => existsSync(capture) && statSync(capture).size > 0;
  await until(() => told() && isKept());
  const submits = `smpp.command_id == 0x${COMMAND_ID.submit_sm.toString(16)}`;
  assert.equal((await readPackets(capture, smscPort, submits)).length, 1);
  assert.match(await metricsOf(gateway.adminPort), /^smsgw_link_stalls_total\{[^}]*\} [1-9]/m);

  rmSync(hold);
  const { parts } = await client.untilStatus(held, "delivered", DEADLINE_MS);
  assert.equal(parts[0]?.maybe_dup, undefined, "it was sent once");
});

async function metricsOf(adminPort: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
}

async function until(isThere: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + DEADLINE_MS;
  while (!isThere()) {
    assert.ok(Date.now() < giveUpAt, "late");
    await sleep(50);
  }
}
