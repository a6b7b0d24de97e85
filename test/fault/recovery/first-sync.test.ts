/**
 * `durability` changed from `none` to `disk`: the ledger's store, which nobody has synced, is on
 * disk before the start goes on. The shim ends the process at that sync: no epoch has begun then.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Client } from "../../support/client.ts";
import { gatewayYaml, startGateway, Workspace } from "../../support/processes.ts";
import { CallAction, CallKind, FaultShim } from "./fault-shim.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

function epoch(): number {
  const text = readFileSync(join(workspace.folder, "data/node.json"), "utf8");
  return (JSON.parse(text) as { epoch: number }).epoch;
}

test("the first start with disk after one with none syncs the store before all else", async () => {
  const shim = new FaultShim(workspace.folder);
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) =>
    line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const start = (durability: string): ReturnType<typeof startGateway> =>
    startGateway(
      workspace,
      gatewayYaml(smscPort, { lines: [`journal: { durability: ${durability} }`] }),
      {},
      shim.env,
    );
  shim.arm({ kind: CallKind.STORE_SYNC, action: CallAction.KILL_BEFORE, pass: 0 });
  const first = await start("none");
  const client = new Client(first.httpPort);
  const { body } = await client.post({ to: "998900000001", from: "TEST", text: "x" });
  await client.untilStatus(String(body.id), "delivered", 60_000);
  first.child.kill("SIGTERM");
  assert.equal(await first.exited, 0);
  assert.deepEqual([shim.hits, epoch()], [0, 1]);

  await assert.rejects(start("disk"), /ended with/);
  assert.equal(shim.hits, 1);
  assert.equal(epoch(), 1, "that was before anything else of the start");
  shim.clear();

  const last = await start("disk");
  const again = new Client(last.httpPort);
  assert.equal((await again.get(String(body.id))).body.status, "delivered");
  assert.equal(epoch(), 2);
});
