/**
 * A message that ends the worker that takes it: after the second time it is quarantined, told in
 * the log, and everything else is sent.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Client } from "../../support/client.ts";
import { gatewayYaml, startGateway, Workspace } from "../../support/processes.ts";

const PRELOAD = new URL("./poison-worker.js", import.meta.url).href;
const POISON = "QQZZ";
const env = { POISON_TEXT: POISON, NODE_OPTIONS: `--import=${PRELOAD}` };

/** SIGKILL on a machine so busy that the other threads do not close in time. */
const ENDS: readonly (number | string)[] = [75, "SIGKILL"];

const workspace = new Workspace();
after(() => workspace.dispose());

test("a message that ends its worker twice is quarantined, and the others are sent", async () => {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) => line.includes("listening"));
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)));
  const first = await startGateway(workspace, yaml, {}, env);
  const client = new Client(first.httpPort);
  const post = async (text: string): Promise<string> => {
    const { body } = await client.post({ to: "998901234567", from: "TEST", text });
    return body["id"] as string;
  };
  const before = await post("before");
  await client.untilStatus(before, "delivered");
  const poison = await post(POISON);
  assert.ok(ENDS.includes(await first.exited));

  const second = await startGateway(workspace, yaml, {}, env).catch(() => null);
  if (second !== null) assert.ok(ENDS.includes(await second.exited));
  const path = join(workspace.folder, "data", "last-exit.json");
  const last = JSON.parse(readFileSync(path, "utf8")) as { strikes: number; thread: string };
  assert.deepEqual([last.strikes, last.thread], [2, "worker-0"]);

  const third = await startGateway(workspace, yaml, {}, env);
  const again = new Client(third.httpPort);
  const ended = await again.untilStatus(poison, "failed");
  assert.match(JSON.stringify(ended), /"code":"quarantined"/);
  assert.ok(third.lines.some((line) => line.includes("in hand at two crashes")));
  const { body } = await again.post({ to: "998901234567", from: "TEST", text: "after" });
  await again.untilStatus(body["id"] as string, "delivered");
});
