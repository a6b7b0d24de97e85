/** One message's way through the built program, with tshark as witness of the SMPP side. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readPackets, startCapture } from "../support/capture.ts";
import { Client } from "../support/client.ts";
import { type GatewayProcess, gatewayYaml, startGateway, Workspace } from "../support/processes.ts";
import { seenSubmits } from "../support/witnesses.ts";

const LONG_GSM7 = "The quick brown fox jumps over the lazy dog. ".repeat(8).trim();
const LONG_UCS2 = "Съешь же ещё этих мягких французских булок 🙂. ".repeat(4).trim();

describe("one message", () => {
  const workspace = new Workspace();
  const log = join(workspace.folder, "smsc.ndjson");
  let gateway: GatewayProcess;
  let client: Client;
  let smscPort = 0;

  before(async () => {
    const smsc = await workspace.run(
      ["smsc", "--port", "0", "--receipt-delay-ms", "50", "--log", log],
      (line) => line.includes("listening on"),
    );
    smscPort = Number(smsc.lines[0]?.split(":").at(-1));
    gateway = await startGateway(workspace, gatewayYaml(smscPort));
    client = new Client(gateway.httpPort);
  });
  after(() => workspace.dispose());

  test("is accepted, readable at once, submitted and delivered", async () => {
    const posted = await client.post({
      to: "+998901234567",
      from: "MYBRAND",
      text: "Hello [world] €",
      reference: "order-17",
    });
    assert.equal(posted.status, 202);
    assert.equal(posted.body.status, "accepted");
    assert.equal(posted.body.segments, 1);
    assert.equal(posted.body.encoding, "gsm7");
    assert.equal(posted.body.reference, "order-17");
    const id = posted.body.id as string;
    assert.equal((await client.get(id)).status, 200, "GET right after the 202 knows the message");
    const message = await client.untilStatus(id, "delivered");
    assert.equal(message.parts.length, 1);
    assert.equal(message.parts[0]?.status, "delivered");
    assert.match(message.parts[0]?.smsc_id ?? "", /^.+$/);
  });

  test("long texts arrive whole in both alphabets, and no packet is malformed", async () => {
    const capture = join(workspace.folder, "smpp.pcap");
    const stop = await startCapture([smscPort], capture);
    const ids: string[] = [];
    for (const [to, text] of [
      ["998901110001", LONG_GSM7],
      ["998901110002", LONG_UCS2],
    ]) {
      const posted = await client.post({ to, from: "MYBRAND", text });
      assert.equal(posted.status, 202);
      ids.push(posted.body.id as string);
    }
    for (const id of ids) await client.untilStatus(id, "delivered");
    await stop();
    // The operator writes its log down a moment later.
    while (seenSubmits(log).length < 1 + 3 + 3) await sleep(20);
    assert.equal(textOf(log, "998901110001", "latin1"), LONG_GSM7);
    assert.equal(textOf(log, "998901110002", "utf16be"), LONG_UCS2);
    const bad = "_ws.malformed || _ws.expert.severity >= error";
    assert.deepEqual(await readPackets(capture, smscPort, bad), []);
    const submits = await readPackets(capture, smscPort, "smpp.command_id == 0x00000004");
    assert.equal(submits.length, 3 + 3, "three parts each, seen by tshark");
  });

  test("another app's token, a wrong secret and an unknown id see nothing", async () => {
    const base = `http://127.0.0.1:${gateway.httpPort}/v1/messages`;
    const bare = await fetch(base, { method: "POST", body: "{}" });
    assert.equal(bare.status, 401);
    assert.match(bare.headers.get("www-authenticate") ?? "", /^Bearer/);
    assert.equal((await client.get("gw-test-00000000000000ffffffff")).status, 404);
    assert.equal((await client.get("gw-other-00000000000000ffffffff")).status, 421);
  });
});

/** Puts the parts for a destination together, in the order of their UDH. */
function textOf(log: string, destination: string, alphabet: "latin1" | "utf16be"): string {
  const parts = seenSubmits(log)
    .filter((submit) => submit.destination === destination)
    .map(({ short_message: hex }) => Buffer.from(hex, "hex"))
    .sort((a, b) => (a[5] as number) - (b[5] as number))
    .map((bytes) => bytes.subarray(6));
  const whole = Buffer.concat(parts);
  return alphabet === "latin1" ? whole.toString("latin1") : whole.swap16().toString("utf16le");
}
