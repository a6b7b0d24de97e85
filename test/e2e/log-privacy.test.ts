/**
 * What the gateway's log says of messages that go wrong in every way: never a number, a text, a
 * token or a password.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client, testToken } from "../support/client.ts";
import { type GatewayProcess, gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

/** No word of the program, and no part of an id: digits and letters that stand nowhere else. */
const TEXT = "XQTEXTQX";
const SUBSCRIBER = "99890777";
const PASSWORD = "pa55w0rd";
const REFERENCE = "XQREFERENCEQX";

const workspace = new Workspace();
const data = join(workspace.folder, "data");
let gateway: GatewayProcess;
let yaml = "";
const output: string[] = [];

const number = (last: string): string => `+${SUBSCRIBER}${last}`;

async function post(path: string, body: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${gateway.httpPort}${path}`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${testToken(["send", "ops"])}`,
      "X-App-ID": "1",
      "Content-Type": path.includes("stream") ? "application/x-ndjson" : "application/json",
    },
    body,
  });
  return { status: response.status, text: await response.text() };
}

const send = (fields: Record<string, unknown>): Promise<{ status: number; text: string }> =>
  post("/v1/messages", JSON.stringify({ text: TEXT, reference: REFERENCE, ...fields }));

async function accepted(fields: Record<string, unknown>): Promise<string> {
  const { status, text } = await send(fields);
  assert.equal(status, 202, text);
  return (JSON.parse(text) as { id: string }).id;
}

function keepOutput(): void {
  output.push(...gateway.lines);
}

before(async () => {
  workspace.write("secrets/link", PASSWORD);
  const args = ["smsc", "--port", "0", "--magic", "--receipt-delay-ms", "20"];
  const smsc = await workspace.run(args, (line) => line.includes("listening on"));
  const port = Number(smsc.lines[0]?.split(":").at(-1));
  yaml = gatewayYaml(port, {
    links: 1,
    lines: ["log: { level: trace, archive: true }"],
  })
    .replace(
      "system_id: test-100",
      "system_id: test-100, password_file: ./secrets/link, response_timeout_ms: 300, " +
        "ambiguous: hold",
    )
    .replace('prefix: ""', 'prefix: "998"');
  gateway = await startGateway(workspace, yaml);
});
after(() => workspace.dispose());

test("messages are refused, rejected, retried, held and receipted", async () => {
  const client = new Client(gateway.httpPort);
  const bad = await Promise.all([
    send({ to: number("1234"), ttl_s: -1 }),
    send({ to: number("1234"), from: `+${SUBSCRIBER}12345678901234567890` }),
    send({ to: `+447${SUBSCRIBER}` }),
    send({ to: "no number", from: TEXT }),
    send({ to: number("1234"), text: TEXT.repeat(4000) }),
    post("/v1/messages", `{"to":"${number("1234")}","text":"${TEXT}`),
    post("/v1/messages:batch", `{"messages":[{"to":"${number("1")}","text":"${TEXT}","x":1}]}`),
  ]);
  for (const { status, text } of bad) assert.ok(status >= 400, text);
  const stream = await post("/v1/messages:stream", `{"to":"${number("1234")}","text":"${TEXT}\n`);
  assert.match(stream.text, /problem/);

  const rejected = await accepted({ to: number("0011") });
  const retried = await accepted({ to: number("0008") });
  const throttled = await accepted({ to: number("0058") });
  const held = await accepted({ to: number("0000"), class: "otp" });
  const undelivered = await accepted({ to: number("0105") });
  await client.untilStatus(rejected, "rejected");
  await client.untilStatus(retried, "delivered");
  await client.untilStatus(throttled, "delivered");
  await client.untilStatus(held, "held");
  await client.untilStatus(undelivered, "undelivered");
  const decision = JSON.stringify({ ids: [held, "gw-test-nothing"], decision: "fail" });
  assert.equal((await post("/v1/held:resolve", decision)).status, 200);
  await client.untilStatus(held, "failed");
});

test("a message in hand at two crashes is quarantined", async () => {
  const client = new Client(gateway.httpPort);
  const id = await accepted({ to: number("4321") });
  await client.untilStatus(id, "delivered");
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  keepOutput();
  const inspect = ["journal", "inspect", "--json", "--limit", "10000", "--data-dir", data];
  const records = await workspace.run(inspect, () => true);
  await records.exited;
  const accept = records.lines.find((line) => line.includes('"ACCEPT"')) ?? "";
  const offset = (JSON.parse(accept) as { log_offset: number }).log_offset;
  // Without its store the ledger reads the log from the front, as after crashes at that record.
  rmSync(join(data, "ledger"), { recursive: true });
  const strikes = [{ log_offset: offset, count: 2 }];
  const exit = { code: 70, reason: "test", thread: "ledger", at: 0, in_hand: offset, strikes };
  workspace.write("data/last-exit.json", JSON.stringify(exit));
  gateway = await startGateway(workspace, yaml);
  await accepted({ to: number("4322") });
  gateway.child.kill("SIGTERM");
  assert.equal(await gateway.exited, 0);
  keepOutput();
  assert.ok(output.some((line) => line.includes("quarantine")));
});

test("the log, also the archived one, has nothing of them", () => {
  const archive = readdirSync(join(data, "log"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ndjson") || name.endsWith(".log"))
    .map((name) => readFileSync(join(data, "log", name), "utf8"));
  const all = [...output, ...archive].join("\n");
  assert.ok(archive.length > 0 && all.includes('"bind"'));
  const secrets = [TEXT, SUBSCRIBER, PASSWORD, REFERENCE, "Bearer", "eyJ"];
  for (const secret of secrets) {
    const found = all.split("\n").filter((line) => line.includes(secret));
    assert.deepEqual(found, []);
  }
});
