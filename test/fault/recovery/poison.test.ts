/**
 * Messages that end the worker that takes them: after its second time each is quarantined, told in
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
const NODE_OPTIONS = `--import=${PRELOAD}`;
const env = { POISON_TEXTS: POISON, NODE_OPTIONS };

/** SIGKILL on a machine so busy that the other threads do not close in time. */
const ENDS: readonly (number | string)[] = [75, "SIGKILL"];

interface Exit {
  readonly strikes: readonly { readonly log_offset: number; readonly count: number }[];
  readonly thread: string;
}

function lastExit(workspace: Workspace): Exit {
  return JSON.parse(readFileSync(join(workspace.folder, "data/last-exit.json"), "utf8")) as Exit;
}

async function startSmsc(workspace: Workspace): Promise<number> {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) => line.includes("listening"));
  return Number(smsc.lines[0]?.split(":").at(-1));
}

async function post(client: Client, text: string, to = "998901234567"): Promise<string> {
  const { body } = await client.post({ to, from: "TEST", text });
  return body["id"] as string;
}

test("a message that ends its worker twice is quarantined, and the others are sent", async () => {
  const workspace = new Workspace();
  after(() => workspace.dispose());
  const yaml = gatewayYaml(await startSmsc(workspace));
  const first = await startGateway(workspace, yaml, {}, env);
  const client = new Client(first.httpPort);
  const before = await post(client, "before");
  await client.untilStatus(before, "delivered");
  const poison = await post(client, POISON);
  assert.ok(ENDS.includes(await first.exited));
  const crash = first.lines.find((line) => line.includes('"operation":"crash"')) ?? "";
  assert.match(crash, /"thread":"main".*"of":"worker-0".*"log_offset":\d+/);
  assert.equal(crash.split('"thread"').length, 2, "no key is there twice");

  const second = await startGateway(workspace, yaml, {}, env).catch(() => null);
  if (second !== null) assert.ok(ENDS.includes(await second.exited));
  const { strikes, thread } = lastExit(workspace);
  assert.deepEqual([strikes.map(({ count }) => count), thread], [[2], "worker-0"]);

  const third = await startGateway(workspace, yaml, {}, env);
  const again = new Client(third.httpPort);
  const ended = await again.untilStatus(poison, "failed");
  assert.match(JSON.stringify(ended), /"code":"quarantined"/);
  assert.ok(third.lines.some((line) => line.includes("in hand at two crashes")));
  await again.untilStatus(await post(again, "after"), "delivered");
});

/** Two links, two workers: numbers 99890… go to the first, 99891… to the second. */
function twoWorkers(smscPort: number): string {
  const link = `host: 127.0.0.1, port: ${smscPort}, sessions: 1, window_max: 10, rate_tps: null`;
  return [
    gatewayYaml(smscPort, { links: 0 }).split("links:")[0],
    "links:",
    `  - { id: 100, system_id: first, ${link} }`,
    `  - { id: 101, system_id: second, ${link} }`,
    "pools:",
    "  - { id: 1000, name: first, members: [{ link: 100, weight: 1 }] }",
    "  - { id: 1001, name: second, members: [{ link: 101, weight: 1 }] }",
    "routes: [{ prefix: '99890', to: 1000 }, { prefix: '99891', to: 1001 }]",
    "workers: { count: 2 }",
    "",
  ].join("\n");
}

test("two that end their workers by turns are both quarantined, and only they", async () => {
  const workspace = new Workspace();
  after(() => workspace.dispose());
  // Nobody listens at port 1: what is accepted waits.
  const gateway = await startGateway(workspace, twoWorkers(1));
  const client = new Client(gateway.httpPort);
  const [first, second] = [await post(client, "QQAA"), await post(client, "QQBB", "998911234567")];
  const others = [await post(client, "fine"), await post(client, "fine", "998911234567")];
  gateway.child.kill("SIGKILL");
  await gateway.exited;

  const yaml = twoWorkers(await startSmsc(workspace));
  const strikes: number[][] = [];
  const threads: string[] = [];
  for (const turn of [0, 1, 0, 1]) {
    const [POISON_TEXTS, POISON_HELD] = turn === 0 ? ["QQAA", "QQBB"] : ["QQBB", "QQAA"];
    const broken = { POISON_TEXTS, POISON_HELD, NODE_OPTIONS } as Record<string, string>;
    const running = await startGateway(workspace, yaml, {}, broken).catch(() => null);
    if (running !== null) assert.ok(ENDS.includes(await running.exited));
    const last = lastExit(workspace);
    strikes.push(last.strikes.map(({ count }) => count));
    threads.push(last.thread);
  }
  assert.deepEqual(strikes, [[1], [1, 1], [1, 2], [2, 2]]);
  assert.deepEqual(threads, ["worker-0", "worker-1", "worker-0", "worker-1"]);

  const last = await startGateway(workspace, yaml, {}, { POISON_TEXTS: "QQAA,QQBB", NODE_OPTIONS });
  const again = new Client(last.httpPort);
  for (const id of [first, second]) {
    assert.match(JSON.stringify(await again.untilStatus(id, "failed")), /"code":"quarantined"/);
  }
  for (const id of others) await again.untilStatus(id, "delivered");
  last.child.kill("SIGTERM");
  assert.equal(await last.exited, 0);
  // Now that both have ended, their strikes are forgotten.
  const clean = await startGateway(workspace, yaml, {}, env);
  assert.deepEqual(lastExit(workspace).strikes, []);
  assert.ok(!clean.lines.some((line) => line.includes("in hand at two crashes")));
});
