/** Messages for later in the built program, over a kill -9. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Client } from "../support/client.ts";
import { gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

/** When it is to be sent, `ms` from now. */
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

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
  assert.equal((await before.get(id)).body.status, "scheduled");
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
