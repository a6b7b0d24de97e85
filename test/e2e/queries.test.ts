/** Lists, events and held messages of the built program. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { Client, testToken } from "../support/client.ts";
import { type GatewayProcess, gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

const workspace = new Workspace();
let gateway: GatewayProcess;
let client: Client;

before(async () => {
  const smsc = await workspace.run(["smsc", "--port", "0", "--receipt-delay-ms", "20"], (line) =>
    line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  gateway = await startGateway(workspace, gatewayYaml(smscPort));
  client = new Client(gateway.httpPort);
});
after(() => workspace.dispose());

interface Page {
  readonly data: readonly Record<string, unknown>[];
  readonly next: string | null;
}

async function call(path: string, init: RequestInit = {}): Promise<{ status: number; page: Page }> {
  const response = await fetch(`http://127.0.0.1:${gateway.httpPort}${path}`, {
    ...init,
    headers: {
      Authorization: `Bearer ${testToken(["send", "ops"])}`,
      "X-App-ID": "1",
      "Content-Type": "application/json",
    },
  });
  return { status: response.status, page: (await response.json()) as Page };
}

/** Asks until the page has `count` entries: what is listed follows the states by a commit. */
async function untilListed(path: string, count: number): Promise<Page> {
  for (let i = 0; i < 500; i++) {
    const { page } = await call(path);
    if (page.data.length === count) return page;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return assert.fail(`${path} never has ${count} entries`);
}

test("messages are listed by what they were sent with, and their ends are events", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 6; i++) {
    const reference = `order-${i % 2}`;
    const posted = await client.post({ to: `+99890123450${i}`, text: "Hi", reference });
    assert.equal(posted.status, 202);
    ids.push(posted.body["id"] as string);
  }
  for (const id of ids) await client.untilStatus(id, "delivered");
  const even = await untilListed("/v1/messages?reference=order-0&status=delivered", 3);
  assert.deepEqual(
    even.data.map(({ id }) => id),
    [ids[0], ids[2], ids[4]],
  );
  const one = await untilListed("/v1/messages?to=998901234503", 1);
  assert.equal(one.data[0]?.["id"], ids[3]);
  const first = await call("/v1/messages?limit=4");
  assert.equal(first.page.data.length, 4);
  const second = await call(`/v1/messages?limit=4&after=${first.page.next ?? ""}`);
  assert.deepEqual(
    [...first.page.data, ...second.page.data].map(({ id }) => id),
    ids,
  );
  const events = await untilListed("/v1/events", 6);
  assert.ok(events.data.every(({ type }) => type === "message.delivered"));
  const rest = await call(`/v1/events?after=${String(events.data[3]?.["cursor"])}`);
  assert.equal(rest.page.data.length, 2);
  assert.equal((await call("/v1/events?after=1000")).status, 400);
});

test("nothing is held, and nothing can be decided about what is not", async () => {
  assert.deepEqual((await call("/v1/held")).page, { data: [], next: null });
  const { page } = await call("/v1/messages?limit=1");
  const id = page.data[0]?.["id"];
  const body = JSON.stringify({ ids: [id], decision: "fail" });
  const decided = await call("/v1/held:resolve", { method: "POST", body });
  assert.equal(decided.status, 200);
  assert.deepEqual(decided.page, { resolved: 0, results: [{ id, outcome: "not_held" }] });
});

test("verify --conservation recounts the books from the rows that a run left", async () => {
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  const data = join(workspace.folder, "data");
  const args = ["journal", "verify", "--conservation", "--json", "--data-dir", data];
  const verified = await workspace.run(args, (line) => line.includes("conservation"));
  assert.equal(await verified.exited, 0);
  const report = JSON.parse(verified.lines.join("")) as {
    conservation: { ok: boolean; rows: number; books: { accepted: number } };
  };
  assert.equal(report.conservation.ok, true);
  assert.deepEqual([report.conservation.rows, report.conservation.books.accepted], [6, 6]);
});
