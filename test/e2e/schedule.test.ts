/** Messages for later in the built program, over a kill -9. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../support/client.ts";
import { gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

/** When it is to be sent, `ms` from now. */
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** Waits until the gateway has noticed. */
async function linksAreDown(adminPort: number): Promise<void> {
  const metrics = async (): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  while (!/^smsgw_pool_weight\{.*\} 0$/m.test(await metrics())) await sleep(20);
}

test("what is scheduled waits for its time, also in the next run", async () => {
  const smsc = await workspace.run(["smsc", "--port", "0", "--receipt-delay-ms", "20"], (line) =>
    line.includes("listening on"),
  );
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)));
  const first = await startGateway(workspace, yaml);
  const before = new Client(first.httpPort);
  const sendAt = inMs(4000);
  const text = "for later ".repeat(30);
  const soon = await before.post({ to: "+998901234501", text, send_at: sendAt, ttl_s: 60 });
  const late = await before.post({ to: "+998901234502", text, send_at: inMs(3_600_000) });
  assert.deepEqual([soon.status, soon.body["status"]], [202, "scheduled"]);
  const id = soon.body["id"] as string;
  const { status } = (await before.get(id)).body;
  // On a busy machine its time may have come.
  if (Date.now() < Date.parse(sendAt)) assert.equal(status, "scheduled");
  first.child.kill("SIGKILL");
  await first.exited;
  const client = new Client((await startGateway(workspace, yaml)).httpPort);
  const sent = (await client.untilStatus(id, "delivered")) as unknown as {
    send_at: string;
    parts: { sent_at: string }[];
    timeline: { event: string }[];
  };
  assert.ok(Date.parse(sent.send_at) >= Date.parse(sendAt));
  for (const part of sent.parts) assert.ok(part.sent_at >= sent.send_at);
  assert.ok(sent.timeline.some(({ event }) => event === "scheduled"));
  assert.equal((await client.get(late.body["id"] as string)).body.status, "scheduled");
});

test("a message is canceled while it waits here, and not once an operator has it", async () => {
  const smsc = await workspace.run(["smsc", "--port", "0", "--receipt-delay-ms", "20"], (line) =>
    line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const own = new Workspace();
  after(() => own.dispose());
  const yaml = gatewayYaml(smscPort);
  const gateway = await startGateway(own, yaml);
  const client = new Client(gateway.httpPort);
  const later = await client.post({ to: "+998901234501", text: "x", send_at: inMs(60_000) });
  const sent = await client.post({ to: "+998901234502", text: "x" });
  const sentId = sent.body["id"] as string;
  await client.untilStatus(sentId, "delivered");
  const laterId = later.body["id"] as string;
  assert.deepEqual(await client.cancel(laterId), {
    status: 200,
    body: { id: laterId, status: "canceled" },
  });
  assert.equal((await client.get(laterId)).body.status, "canceled");
  assert.equal((await client.cancel(sentId)).status, 409);
  assert.equal((await client.cancel(`${laterId.slice(0, -1)}f`)).status, 404);
  smsc.child.kill("SIGKILL");
  await smsc.exited;
  await linksAreDown(gateway.adminPort);
  // Nobody takes it: it waits at the ingress thread that accepted it, then at the ledger.
  const waiting = await client.post({ to: "+998901234503", text: "x" });
  const old = await client.post({ to: "+998901234504", text: "x" });
  assert.equal((await client.cancel(waiting.body["id"] as string)).status, 200);
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  const next = new Client((await startGateway(own, yaml)).httpPort);
  const oldId = old.body["id"] as string;
  let answer = await next.cancel(oldId);
  for (; answer.status === 503; answer = await next.cancel(oldId));
  assert.equal(answer.status, 200);
  for (const id of [laterId, waiting.body["id"] as string, oldId]) {
    assert.equal((await next.get(id)).body.status, "canceled");
  }
});
