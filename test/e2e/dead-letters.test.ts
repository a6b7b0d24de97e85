/** Dead letters of the built program: listed, replayed once, or refused with the reason. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, testToken } from "../support/client.ts";
import { type GatewayProcess, gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

/** With `--magic` ESME_RSYSERR the first time, then taken. */
const NUMBER = "+998901110008";
const TEXT = "Привет, a text of two parts that is cut by UCS-2: ".repeat(2);

const workspace = new Workspace();
let gateway: GatewayProcess;
let client: Client;
let yaml = "";

before(async () => {
  const args = ["smsc", "--port", "0", "--magic", "--receipt-delay-ms", "20"];
  const smsc = await workspace.run(args, (line) => line.includes("listening on"));
  const port = Number(smsc.lines[0]?.split(":").at(-1));
  yaml = gatewayYaml(port, { links: 1, lines: ["profiles: { default: { attempts_max: 1 } }"] });
  gateway = await startGateway(workspace, yaml);
  client = new Client(gateway.httpPort);
});
after(() => workspace.dispose());

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Letter {
  readonly id: string;
  readonly dead: string;
  readonly text: string;
  readonly app: number;
}

async function call(path: string, body?: unknown, scopes = ["ops"]): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${gateway.httpPort}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { Authorization: `Bearer ${testToken(scopes)}`, "X-App-ID": "1" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

async function untilListed(query: string, count: number): Promise<readonly Letter[]> {
  for (let i = 0; i < 1000; i++) {
    const { status, body } = await call(`/v1/deadletters${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    const data = body["data"] as readonly Letter[];
    if (data.length === count) return data;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail(`never ${count} dead letters`);
}

async function send(fields: Record<string, unknown>): Promise<string> {
  const posted = await client.post(fields);
  assert.equal(posted.status, 202, JSON.stringify(posted.body));
  return posted.body["id"] as string;
}

test("a refusal of the last attempt makes a dead letter, which is replayed as it was", async () => {
  const first = { to: NUMBER, from: "BRAND", text: TEXT, reference: "order-1", class: "otp" };
  const id = await send({ ...first, ttl_s: 120 });
  await client.untilStatus(id, "rejected");
  const [letter] = await untilListed("", 1);
  assert.deepEqual([letter?.id, letter?.dead, letter?.text], [id, "attempts_over", "kept"]);
  await untilListed("?class=otp&reason=attempts_over&app=1&since=2020-01-01T00:00:00Z", 1);
  await untilListed("?reason=validity_over", 0);
  await untilListed("?until=2020-01-01T00:00:00Z", 0);
  // It survives a crash.
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  gateway = await startGateway(workspace, yaml);
  client = new Client(gateway.httpPort);
  await untilListed("", 1);

  const both = await Promise.all([1, 2].map(() => call("/v1/deadletters:replay", { ids: [id] })));
  const outcomes = both.map(({ body }) => (body["results"] as { outcome: string }[])[0]?.outcome);
  assert.equal(outcomes.filter((outcome) => outcome === "replayed").length, 1, outcomes.join());
  const [result] = both
    .flatMap(({ body }) => body["results"] as { outcome: string; replay?: string }[])
    .filter(({ outcome }) => outcome === "replayed");
  const replayed = await client.untilStatus(result?.replay ?? "", "delivered");
  const {
    to,
    from,
    reference,
    class: messageClass,
    segments,
    encoding,
    ...rest
  } = replayed as unknown as Record<string, unknown>;
  assert.deepEqual(
    [to, from, reference, messageClass, segments, encoding, rest["replay_of"]],
    ["998901110008", "BRAND", "order-1", "otp", 2, "ucs2", id],
  );
  const validMs =
    Date.parse(rest["expires_at"] as string) - Date.parse(rest["accepted_at"] as string);
  assert.equal(validMs, 120_000);
  await untilListed("", 0);
  const again = await call("/v1/deadletters:replay", { ids: [id, "gw-other-1", "x"] });
  const unknown = (again.body["results"] as { outcome: string }[]).map(({ outcome }) => outcome);
  assert.deepEqual(unknown, ["unknown", "unknown", "unknown"]);
  assert.equal((await client.get(id)).body.status, "rejected");
});

test("those that fit a filter are replayed page by page", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await send({ to: `+99890222${i}0008`, text: `Hi ${i}` }));
  for (const id of ids) await client.untilStatus(id, "rejected");
  await untilListed("", 5);
  const replayed: string[] = [];
  let next: unknown = undefined;
  do {
    const order = { filter: { app: 1, class: "transactional" }, limit: 2 };
    const page = await call(
      "/v1/deadletters:replay",
      next === undefined ? order : { ...order, after: next },
    );
    assert.equal(page.status, 200, JSON.stringify(page.body));
    for (const one of page.body["results"] as { outcome: string; replay: string }[]) {
      assert.equal(one.outcome, "replayed");
      replayed.push(one.replay);
    }
    next = page.body["next"];
  } while (next !== null);
  assert.equal(replayed.length, 5);
  for (const id of replayed) await client.untilStatus(id, "delivered");
  await untilListed("", 0);
});

test("the command line lists and replays them", async () => {
  const id = await send({ to: "+998904440008", text: "Hi", class: "promotional" });
  await client.untilStatus(id, "rejected");
  await untilListed("", 1);
  workspace.write("token", testToken(["ops"]));
  const url = `http://127.0.0.1:${gateway.httpPort}`;
  const command = async (...args: string[]): Promise<{ code: unknown; lines: string[] }> => {
    const options = ["--url", url, "--token-file", `${workspace.folder}/token`, "--token-app", "1"];
    const running = await workspace.run(["deadletters", ...args, ...options], () => true);
    return { code: await running.exited, lines: running.lines };
  };
  const listed = await command("list", "--class", "promotional");
  assert.equal((JSON.parse(listed.lines[0] ?? "{}") as Letter).id, id);
  const unknown = await command("replay", "gw-test-nothing");
  assert.deepEqual([unknown.code, unknown.lines.length], [1, 1]);
  const replayed = await command("replay", "--all", "--reason", "attempts_over");
  assert.equal(replayed.code, 0, replayed.lines.join());
  const { replay } = JSON.parse(replayed.lines[0] ?? "{}") as { replay: string };
  await client.untilStatus(replay, "delivered");
  await untilListed("", 0);
  await assert.rejects(command("replay"), /ended with 2.*needs ids/s);
});

test("without its text a dead letter is listed, and its replay is refused", async () => {
  gateway.child.kill("SIGTERM");
  assert.equal(await gateway.exited, 0);
  yaml += "ledger: { dead_letter_texts: false }\n";
  gateway = await startGateway(workspace, yaml);
  client = new Client(gateway.httpPort);
  const id = await send({ to: "+998903330008", text: "gone" });
  await client.untilStatus(id, "rejected");
  const [letter] = await untilListed("", 1);
  assert.equal(letter?.text, "gone");
  const { body } = await call("/v1/deadletters:replay", { ids: [id] });
  assert.deepEqual(body["results"], [{ id, outcome: "text_gone" }]);
});

test("they need the scope ops, and say what is wrong with a call", async () => {
  assert.equal((await call("/v1/deadletters", undefined, ["send"])).status, 403);
  assert.equal((await call("/v1/deadletters:replay", { filter: {} }, ["send"])).status, 403);
  for (const query of ["?reason=x", "?class=x", "?app=0", "?since=now", "?after=x", "?x=1"]) {
    assert.equal((await call(`/v1/deadletters${query}`)).status, 400, query);
  }
  const ids = ["x"];
  const bad = [{}, { ids: [] }, { ids, filter: {} }, { filter: { x: 1 } }, { ids, limit: 1 }, []];
  for (const body of [...bad, { filter: {}, limit: 0 }, { filter: [] }, { filter: {}, after: 1 }]) {
    const { status } = await call("/v1/deadletters:replay", body);
    assert.equal(status, 400, JSON.stringify(body));
  }
});
