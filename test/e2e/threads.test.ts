/**
 * Two ingress threads on one port: load over both, ids of one asked for at the other, kill -9,
 * SIGTERM. Judged as kill.test.ts and drain.test.ts do, from the client's record of 202s and the
 * operator's log.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { producerOf } from "../../src/records/message-key.ts";
import { booksOf, Client, testToken } from "../support/client.ts";
import { type Load, startLoad } from "../support/http-load.ts";
import { gatewayYaml, type GatewayProcess, startGateway, Workspace } from "../support/processes.ts";
import { acceptedByDestination, destinationOf } from "../support/witnesses.ts";

const KILLS = 3;
const CONNECTIONS = 24;
const workspace = new Workspace();
after(() => workspace.dispose());

interface Record {
  /** Ids by destination. */
  readonly promised: Map<string, string>;
  readonly other: number[];
  next: number;
}

function load(gateway: GatewayProcess, record: Record): Load {
  return startLoad({
    host: "127.0.0.1",
    port: gateway.httpPort,
    token: testToken(),
    appId: 1,
    connections: CONNECTIONS,
    next: () => ({ to: destinationOf(record.next++), from: "TEST", text: "two threads" }),
    onAnswer: (message, status, body) => {
      if (status !== 202) record.other.push(status);
      else record.promised.set(message.to as string, (JSON.parse(body) as { id: string }).id);
    },
  });
}

function producersOf(ids: Iterable<string>): Set<number> {
  return new Set(Array.from(ids, (id) => producerOf(Number.parseInt(id.slice(-8), 16))));
}

test("two ingress threads share the port, survive kill -9 and drain", async (context) => {
  const log = join(workspace.folder, "smsc.ndjson");
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--latency-ms", "2:20", "--receipt-delay-ms", "20:60", "--log", log],
    (line) => line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const yaml = gatewayYaml(smscPort, { window: 100 }).replace(
    "http: { port: 0 }",
    "http: { port: 0, threads: 2 }",
  );
  const record: Record = { promised: new Map(), other: [], next: 0 };
  for (let kill = 0; kill < KILLS; kill++) {
    const gateway = await startGateway(workspace, yaml);
    const running = load(gateway, record);
    await sleep(200 + Math.random() * 400);
    gateway.child.kill("SIGKILL");
    await running.done;
    await gateway.exited;
  }
  const beforeDrain = record.promised.size;
  const draining = await startGateway(workspace, yaml);
  const running = load(draining, record);
  await sleep(500);
  const client = new Client(draining.httpPort);
  const ids = [...record.promised.values()];
  // Each look-up may land on either thread.
  for (const id of [...ids.slice(0, 40), ...ids.slice(-40)]) {
    assert.equal((await client.get(id)).status, 200, id);
  }
  const unknown = ids.at(-1)?.replace(/.{22}$/, (digits) => `001f${digits.slice(4)}`) as string;
  assert.equal((await client.get(unknown)).status, 404);
  draining.child.kill("SIGTERM");
  assert.equal(await draining.exited, 0, draining.lines.slice(-5).join("\n"));
  await running.done;
  assert.ok(record.promised.size > beforeDrain);
  assert.deepEqual(
    [...new Set(record.other)].filter((status) => status !== 503),
    [],
  );
  assert.deepEqual(producersOf(record.promised.values()), new Set([0, 1]));

  const last = await startGateway(workspace, yaml.replace("threads: 2", "threads: 1"));
  await atRest(last.adminPort);
  const client2 = new Client(last.httpPort);
  const held: string[] = [];
  for (const id of record.promised.values()) {
    const { status, body } = await client2.get(id);
    assert.equal(status, 200, `${id}, taken when there were two threads`);
    if (body.status !== "delivered") held.push(body.status);
  }
  assert.deepEqual(
    [...new Set(held)].filter((status) => status !== "held"),
    [],
  );
  last.child.kill("SIGTERM");
  assert.equal(await last.exited, 0);
  smsc.child.kill("SIGTERM");
  await smsc.exited;
  const accepted = acceptedByDestination(log);
  const lost = [...record.promised.keys()].filter((to) => !accepted.has(to));
  assert.deepEqual(lost.slice(0, 5), [], `${lost.length} of ${record.promised.size} are lost`);
  context.diagnostic(`${record.promised.size} promised, ${held.length} held, none lost`);
});

test("a second signal ends the process at once with 0", async () => {
  const yaml = gatewayYaml(1).replace("http: { port: 0 }", "http: { port: 0, threads: 2 }");
  const gateway = await startGateway(workspace, yaml.replace("./data", "./signals"));
  const running = load(gateway, { promised: new Map(), other: [], next: 0 });
  gateway.child.kill("SIGTERM");
  gateway.child.kill("SIGINT");
  assert.equal(await gateway.exited, 0, gateway.lines.slice(-5).join("\n"));
  await running.done;
});

/** Waits until no message is open, or their number stands still: those are held. */
async function atRest(adminPort: number): Promise<void> {
  let open = -1;
  for (let still = 0; still < 12; ) {
    await sleep(250);
    const now = (await booksOf(adminPort)).open;
    if (now === 0) return;
    still = now === open ? still + 1 : 0;
    open = now;
  }
}
