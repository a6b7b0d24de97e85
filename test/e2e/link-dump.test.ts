/** `smsgw link dump` against a running gateway, read back by tshark. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { COMMAND_ID } from "../../src/codec/index.ts";
import { readPackets } from "../support/capture.ts";
import { ID_TRANSFORM_NAMES } from "../../src/tables/link-table.ts";
import { Client } from "../support/client.ts";
import { type GatewayProcess, gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

const SMSGW = fileURLToPath(new URL("../../src/cli/smsgw.js", import.meta.url));
const TEXT = "QQZZ a text that nobody else may read QQZZ";
const PASSWORD = "pa55word";
const NO_MATCHES = Object.fromEntries(ID_TRANSFORM_NAMES.map((name) => [name, 0]));

describe("the flight recorder of a link", () => {
  const workspace = new Workspace();
  const capture = join(workspace.folder, "link.pcap");
  let gateway: GatewayProcess;
  let smscPort = 0;

  const dump = (link: number): string =>
    execFileSync(
      process.execPath,
      [SMSGW, "link", "dump", `${link}`, "-o", capture, "--port", `${gateway.adminPort}`],
      { cwd: workspace.folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    );

  const read = async (path: string): Promise<Record<string, unknown>> => {
    const client = new Client(gateway.httpPort, ["ops"]);
    const headers = { Authorization: `Bearer ${client.token}`, "X-App-ID": "1" };
    const response = await fetch(`http://127.0.0.1:${gateway.httpPort}${path}`, { headers });
    assert.equal(response.status, 200);
    const { data } = (await response.json()) as { data: Record<string, unknown>[] };
    assert.equal(data.length, 1);
    return data[0] as Record<string, unknown>;
  };

  before(async () => {
    workspace.write("secrets/link", PASSWORD);
    const smsc = await workspace.run(["smsc", "--port", "0", "--receipt-delay-ms", "20"], (line) =>
      line.includes("listening on"),
    );
    smscPort = Number(smsc.lines[0]?.split(":").at(-1));
    const yaml = gatewayYaml(smscPort, { links: 1 }).replace(
      "system_id: test-100",
      "system_id: test-100, password_file: ./secrets/link",
    );
    gateway = await startGateway(workspace, yaml);
  });
  after(() => workspace.dispose());

  test("stands beside what the link and its pool are doing", async () => {
    const client = new Client(gateway.httpPort);
    for (let i = 0; i < 5; i++) {
      const posted = await client.post({ to: `99890111000${i}`, from: "BRAND", text: TEXT });
      await client.untilStatus(posted.body["id"] as string, "delivered");
    }
    const link = await read("/v1/links");
    assert.deepEqual([link["id"], link["up"], link["queued"]], [100, true, 0]);
    const [session] = link["sessions"] as Record<string, unknown>[];
    const { state, sent, accepted, receipts, binds, window_used: used } = session ?? {};
    assert.deepEqual([state, sent, accepted, receipts, binds, used], ["bound", 5, 5, 5, 1, 0]);
    assert.ok(Date.parse(session?.["bound_since"] as string) <= Date.now());
    // The ledger shows what it has learnt of receipts now and then.
    const wanted = { base: null, matches: { ...NO_MATCHES, exact: 5 } };
    let { receipt_ids: ids } = link;
    for (const until = Date.now() + 30_000; Date.now() < until; ) {
      if (isDeepStrictEqual(ids, wanted)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
      ({ receipt_ids: ids } = await read("/v1/links"));
    }
    assert.deepEqual(ids, wanted);
    const pool = await read("/v1/pools");
    assert.deepEqual(
      [pool["id"], pool["queued"], pool["members"]],
      [1000, 0, [{ link: 100, up: true }]],
    );
  });

  test("is a capture that tshark reads as SMPP, without texts and passwords", async () => {
    assert.equal(dump(100).trim(), capture);
    const of = (commandId: number): Promise<string[]> =>
      readPackets(capture, smscPort, `smpp.command_id == 0x${commandId.toString(16)}`);
    assert.equal((await of(COMMAND_ID.bind_transceiver)).length, 1);
    assert.equal((await of(COMMAND_ID.bind_transceiver_resp)).length, 1);
    assert.equal((await of(COMMAND_ID.submit_sm)).length, 5);
    assert.equal((await of(COMMAND_ID.submit_sm_resp)).length, 5);
    assert.equal((await of(COMMAND_ID.deliver_sm)).length, 5);
    assert.equal((await of(COMMAND_ID.deliver_sm_resp)).length, 5);
    const bad = "_ws.malformed || tcp.analysis.lost_segment || tcp.analysis.retransmission";
    assert.deepEqual(await readPackets(capture, smscPort, bad), []);
    const bytes = readFileSync(capture).toString("latin1");
    assert.ok(bytes.includes("test-100") && bytes.includes("stat:DELIVRD"));
    assert.ok(!bytes.includes("QQZZ") && !bytes.includes(PASSWORD));
  });

  test("says that there is no such link", () => {
    assert.throws(
      () => dump(999),
      (error: Error & { stderr?: string }) => /there is no such link/.test(error.stderr ?? ""),
    );
  });
});
