/**
 * kill -9 under load, ten times: nothing promised is lost, and every possible duplicate is flagged.
 *
 * Judged from the client's record of 202s and the operator's log, then from what GET says of the
 * messages.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Books, booksOf, Client, testToken } from "../support/client.ts";
import { startLoad } from "../support/http-load.ts";
import { gatewayYaml, startGateway, Workspace } from "../support/processes.ts";
import { acceptedByDestination, destinationOf } from "../support/witnesses.ts";

const KILLS = Number(process.env.E2E_KILLS ?? "10");
const LOOK_INTERVAL_MS = 250;
const STILL_LOOKS = 20;
const SESSIONS = 2;
const WINDOW = 100;
const workspace = new Workspace();
after(() => workspace.dispose());

test(`kill -9 under load, ${KILLS} times`, async (context) => {
  const log = join(workspace.folder, "smsc.ndjson");
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--latency-ms", "2:20", "--receipt-delay-ms", "20:100", "--log", log],
    (line) => line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const yaml = gatewayYaml(smscPort, { window: WINDOW });
  const promised = new Map<string, string>();
  let index = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const gateway = await startGateway(workspace, yaml);
    const load = startLoad({
      host: "127.0.0.1",
      port: gateway.httpPort,
      token: testToken(),
      appId: 1,
      connections: 32,
      next: () => ({ to: destinationOf(index++), from: "TEST", text: "kill me" }),
      onAnswer: (message, status, body) => {
        if (status !== 202) return;
        promised.set(message.to as string, (JSON.parse(body) as { id: string }).id);
      },
    });
    await sleep(200 + Math.random() * 500);
    gateway.child.kill("SIGKILL");
    await load.done;
    assert.equal(await gateway.exited, "SIGKILL");
  }
  const gateway = await startGateway(workspace, yaml);
  const books = await untilAtRest(gateway.adminPort);
  const client = new Client(gateway.httpPort);
  smsc.child.kill("SIGTERM");
  await smsc.exited;

  const accepted = acceptedByDestination(log);
  // Two kills may each have come between a message's SENDING and its bytes: it is held then.
  const lost: string[] = [];
  for (const [to, id] of promised) {
    if (accepted.has(to)) continue;
    const { body } = await client.get(id);
    if (body.status !== "held") lost.push(`${to}: ${JSON.stringify(body)}`);
  }
  assert.deepEqual(lost.slice(0, 5), [], `${lost.length} of ${promised.size} promised are lost`);
  let unflagged = 0;
  let doubled = 0;
  for (const [to, id] of promised) {
    if ((accepted.get(to) ?? 0) <= 1) continue;
    doubled += 1;
    const { body } = await client.get(id);
    if (body.maybe_dup !== true) unflagged += 1;
  }
  context.diagnostic(
    `${promised.size} promised over ${KILLS} kills, ${lost.length} lost, ${doubled} sent twice, ` +
      `${unflagged} of those unflagged; books ${JSON.stringify(books)}`,
  );
  assert.equal(unflagged, 0);
  assert.ok(doubled <= KILLS * SESSIONS * WINDOW, "at most the windows are in doubt");
  assert.ok(books.accepted >= promised.size);
  const held: string[] = [];
  for (const id of promised.values()) {
    const { body } = await client.get(id);
    if (body.status === "delivered") continue;
    assert.equal(body.status, "held", "in doubt a second time: waits for a decision");
    assert.equal(body.maybe_dup, true);
    held.push(id);
  }
  assert.ok(held.length <= books.open);
  context.diagnostic(`${held.length} were in flight at two kills and are held`);
});

/** Waits until the number of open messages is zero or stands still. */
async function untilAtRest(adminPort: number): Promise<Books> {
  let books = await booksOf(adminPort);
  for (let still = 0; still < STILL_LOOKS && books.open > 0; ) {
    await sleep(LOOK_INTERVAL_MS);
    const now = await booksOf(adminPort);
    still = now.open === books.open ? still + 1 : 0;
    books = now;
  }
  return books;
}
