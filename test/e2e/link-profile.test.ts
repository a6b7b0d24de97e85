/**
 * Profiles through the built program: what the request, the operator and tshark each see of them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { readFields, readPackets, startCapture } from "../support/capture.ts";
import { Client } from "../support/client.ts";
import { startGateway, Workspace } from "../support/processes.ts";

const LONG = "Grüße @home_now for $5. ".repeat(10).trim();
const TURKISH = "Şişli'de ığdır çiçeği ".repeat(10).trim();

const yamlOf = (port: number): string => `
node: { name: gw-test, data_dir: ./data }
http: { port: 0 }
admin: { port: 0 }
auth: { jwt: { secret_file: ./secrets/jwt } }
apps: [{ id: 1, name: test, rate_tps: null, burst: 1000, scopes: [send, ops] }]
links:
  - { id: 100, host: 127.0.0.1, port: ${port}, system_id: a, sessions: 1, profile: national }
  - { id: 101, host: 127.0.0.1, port: ${port}, system_id: b, sessions: 1, profile: packed }
  - { id: 102, host: 127.0.0.1, port: ${port}, system_id: c, sessions: 1, profile: registered }
routes: [{ prefix: "49", to: 100 }, { prefix: "90", to: 101 }, { prefix: "91", to: 102 }]
profiles:
  national:
    default_alphabet: latin1
    concatenation: sar
    service_type: CMT
    source: { alphanumeric: { ton: 5, npi: 1 } }
    destination: [{ strip: "49", add: "0", ton: 2, npi: 8 }]
  packed: { default_alphabet: gsm7_packed, concatenation: udh16, languages: [turkish] }
  registered:
    concatenation: payload
    senders: { allow: [INFO], default: INFO }
    tlvs: [{ tag: 0x1400, string: "1101", nul: true }]
`;

describe("link profiles", () => {
  const workspace = new Workspace();
  const capture = join(workspace.folder, "smpp.pcap");
  let client: Client;
  let smscPort = 0;

  before(async () => {
    const smsc = await workspace.run(["smsc", "--port", "0", "--receipt-delay-ms", "50"], (line) =>
      line.includes("listening on"),
    );
    smscPort = Number(smsc.lines[0]?.split(":").at(-1));
    const gateway = await startGateway(workspace, yamlOf(smscPort));
    client = new Client(gateway.httpPort);
  });
  after(() => workspace.dispose());

  /** Sends the message, waits until it is delivered, and gives what the client was told. */
  async function delivered(message: object): Promise<Record<string, unknown>> {
    const { status, body } = await client.post(message);
    assert.equal(status, 202, JSON.stringify(body));
    const found = await client.untilStatus(body["id"] as string, "delivered");
    assert.equal((found as unknown as { segments: number }).segments, body["segments"]);
    return body;
  }

  test("are what goes on the wire, and what the answers count", async () => {
    const stop = await startCapture([smscPort], capture);
    const national = await delivered({ to: "+491711234567", from: "SHOP", text: LONG });
    const packed = await delivered({ to: "+905321234567", from: "SHOP", text: TURKISH });
    const whole = await delivered({ to: "+919812345678", text: "x".repeat(400) });
    await stop();
    const shown = [national, packed, whole].map(({ encoding, segments }) => [encoding, segments]);
    assert.deepEqual(shown, [
      ["gsm7", 2],
      ["gsm7", 2],
      ["gsm7", 3],
    ]);
    const bad = "_ws.malformed || _ws.expert.severity >= error";
    assert.deepEqual(await readPackets(capture, smscPort, bad), []);
  });

  test("number parts by sar_* TLVs, in Latin-1, to the number as it is dialled there", async () => {
    const of = ["service_type", "source_addr_ton", "source_addr_npi", "dest_addr_ton"];
    const fields = [...of, "dest_addr_npi", "data_coding", "sar_total_segments", "message"];
    const rows = await read('smpp.destination_addr == "01711234567"', fields);
    const sent = values(rows, 7).map((hex) => Buffer.from(hex, "hex").toString("latin1"));
    assert.equal(sent.join(""), LONG);
    assert.deepEqual([...new Set(values(rows, 0))], ["CMT"]);
    assert.deepEqual([...new Set(values(rows, 6))].map(Number), [2]);
    for (const [column, expected] of [5, 1, 2, 8, 0].entries()) {
      for (const value of values(rows, column + 1)) assert.equal(Number(value), expected);
    }
  });

  test("pack septets behind a 16-bit header that names the Turkish tables", async () => {
    const rows = await read('smpp.destination_addr == "905321234567"', ["message"]);
    const parts = values(rows, 0);
    assert.equal(parts.length, 2);
    for (const part of parts) {
      assert.match(part, /^090804.{4}020[12]250101/);
      assert.ok(part.length / 2 <= 140);
    }
  });

  test("carry a long text whole, with the operator's own TLV and sender", async () => {
    const fields = ["source_addr", "message_payload", "opt_param_tag"];
    const rows = await read('smpp.destination_addr == "919812345678"', fields);
    assert.deepEqual(values(rows, 0), ["INFO"]);
    assert.equal(values(rows, 1)[0], "78".repeat(400));
    assert.ok(values(rows, 2).map(Number).includes(0x1400));
  });

  test("refuse a sender before the message is accepted", async () => {
    const { status, body } = await client.post({ to: "+919812345678", from: "SHOP", text: "x" });
    assert.equal(status, 400);
    const errors = body["errors"] as { pointer: string; detail: string }[];
    assert.deepEqual(errors, [{ pointer: "/from", detail: "may not be used to this number" }]);
  });

  async function read(filter: string, fields: readonly string[]): Promise<string[][]> {
    const names = fields.map((field) => `smpp.${field}`);
    return await readFields(capture, smscPort, `smpp.command_id == 0x00000004 && ${filter}`, names);
  }
});

/** All values of a column, over all packets and PDUs. */
function values(rows: readonly string[][], column: number): string[] {
  return rows.flatMap((row) => (row[column] ?? "").split(",")).filter((value) => value !== "");
}
