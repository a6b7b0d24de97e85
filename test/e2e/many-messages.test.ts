/**
 * Many distinct single POSTs by a client that counts: each arrives at the operator once and reaches
 * `delivered`.
 *
 *   E2E_MESSAGES=200000 test/run e2e     the large run; 20,000 by default
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { Client, testToken, untilAllFinal } from "../support/client.ts";
import { startLoad } from "../support/http-load.ts";
import { gatewayYaml, residentBytes, startGateway, Workspace } from "../support/processes.ts";
import { acceptedByDestination, destinationOf } from "../support/witnesses.ts";

const MESSAGES = Number(process.env.E2E_MESSAGES ?? "20000");
const RESIDENT_BYTES_MAX = 450 * 2 ** 20;
const workspace = new Workspace();
after(() => workspace.dispose());

test(`${MESSAGES} messages arrive once each and are delivered`, async (context) => {
  const log = join(workspace.folder, "smsc.ndjson");
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--receipt-delay-ms", "10:200", "--log", log],
    (line) => line.includes("listening on"),
  );
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)));
  const gateway = await startGateway(workspace, yaml);
  const promised = new Map<string, string>();
  const refused: string[] = [];
  const resident: number[] = [];
  let index = 0;
  const load = startLoad({
    host: "127.0.0.1",
    port: gateway.httpPort,
    token: testToken(),
    appId: 1,
    connections: 64,
    next: () => (index < MESSAGES ? { to: destinationOf(index++), from: "TEST", text: "x" } : null),
    onAnswer: (message, status, body) => {
      if (status === 202)
        promised.set(message.to as string, (JSON.parse(body) as { id: string }).id);
      else refused.push(`${status} ${body}`);
      if (promised.size % (MESSAGES / 10) === 0) resident.push(residentBytes(gateway.pid));
    },
  });
  await load.done;
  const books = await untilAllFinal(gateway.adminPort, 120_000);
  smsc.child.kill("SIGTERM");
  await smsc.exited;

  assert.deepEqual(refused, []);
  assert.equal(promised.size, MESSAGES);
  assert.equal(new Set(promised.values()).size, MESSAGES, "every id is its own");
  assert.equal(books.accepted, MESSAGES);
  assert.equal(books.final.delivered, MESSAGES);
  const accepted = acceptedByDestination(log);
  const wrong = [...promised.keys()].filter((to) => accepted.get(to) !== 1);
  assert.deepEqual(wrong.slice(0, 5), [], "each arrived once");
  assert.equal(accepted.size, MESSAGES);
  const client = new Client(gateway.httpPort);
  const ids = [...promised.values()];
  for (const id of [ids[0], ids[MESSAGES >> 1], ids[MESSAGES - 1]]) {
    assert.equal((await client.get(id as string)).body.status, "delivered");
  }
  const mib = resident.map((bytes) => Math.round(bytes / 2 ** 20));
  context.diagnostic(`RssAnon + RssShmem over the run, MiB: ${mib.join(" ")}`);
  assert.ok(Math.max(...resident) < RESIDENT_BYTES_MAX, `memory levels off: ${mib.join(" ")} MiB`);
});
