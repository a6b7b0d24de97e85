/** `smsgw link dump` against a running gateway, read back by tshark. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { COMMAND_ID } from "../../src/codec/index.ts";
import { readPackets } from "../support/capture.ts";
import { Client } from "../support/client.ts";
import { type GatewayProcess, gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

const SMSGW = fileURLToPath(new URL("../../src/cli/smsgw.js", import.meta.url));
const TEXT = "QQZZ a text that nobody else may read QQZZ";
const PASSWORD = "pa55word";

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

  test("is a capture that tshark reads as SMPP, without texts and passwords", async () => {
    const client = new Client(gateway.httpPort);
    for (let i = 0; i < 5; i++) {
      const posted = await client.post({ to: `99890111000${i}`, from: "BRAND", text: TEXT });
      await client.untilStatus(posted.body["id"] as string, "delivered");
    }
    assert.equal(dump(100).trim(), capture);
    const of = (commandId: number): string[] =>
      readPackets(capture, smscPort, `smpp.command_id == 0x${commandId.toString(16)}`);
    assert.equal(of(COMMAND_ID.bind_transceiver).length, 1);
    assert.equal(of(COMMAND_ID.bind_transceiver_resp).length, 1);
    assert.equal(of(COMMAND_ID.submit_sm).length, 5);
    assert.equal(of(COMMAND_ID.submit_sm_resp).length, 5);
    assert.equal(of(COMMAND_ID.deliver_sm).length, 5);
    assert.equal(of(COMMAND_ID.deliver_sm_resp).length, 5);
    const bad = "_ws.malformed || tcp.analysis.lost_segment || tcp.analysis.retransmission";
    assert.deepEqual(readPackets(capture, smscPort, bad), []);
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
