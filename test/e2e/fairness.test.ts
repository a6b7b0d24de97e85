/**
 * Who goes first at a slow link: an OTP passes the 20,000 promotions of its own pool, and another
 * app's promotion does not wait for them. Judged by the order in which the operator saw them.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { signToken } from "../../src/cli/token.ts";
import { gatewayYaml, SECRET, startGateway, Workspace } from "../support/processes.ts";
import { destinationOf, seenSubmits } from "../support/witnesses.ts";

const PROMOTIONS = 20_000;
const BATCH = 1000;
const WINDOW = 10;
/** The operator takes a window a second, so that a busy machine changes no order. */
const ANSWER_MS = 1000;
const OTP = "998900000001";
const OTHER_APP = "998900000002";
/** What the worker may hold of one app and priority, a turn of the other app, and two windows. */
const AHEAD_OF_OTHER_APP_MAX = 8 * WINDOW;
const workspace = new Workspace();
after(() => workspace.dispose());

async function post(port: number, appId: number, path: string, body: unknown): Promise<Response> {
  const issuedAtS = Math.floor(Date.now() / 1000);
  const claims = { appId, audience: "smsgw", issuer: null, scopes: ["send"], issuedAtS, ttlS: 600 };
  return await fetch(`http://127.0.0.1:${port}/v1/messages${path}`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${signToken(claims, SECRET)}`,
      "X-App-ID": String(appId),
      "Content-Type": "application/json",
    },
    body: JSON.stringify(body),
  });
}

test("an OTP passes 20,000 promotions, and so does another app's promotion", async (context) => {
  const log = join(workspace.folder, "smsc.ndjson");
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--latency-ms", String(ANSWER_MS), "--log", log],
    (line) => line.includes("listening on"),
  );
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)), {
    links: 1,
    window: WINDOW,
    apps: ["{ id: 2, name: other, rate_tps: null, burst: 1000, scopes: [send] }"],
  });
  const gateway = await startGateway(workspace, yaml);
  for (let first = 0; first < PROMOTIONS; first += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, i) => ({
      to: destinationOf(first + i),
      from: "TEST",
      text: "twenty per cent off",
      class: "promotional",
    }));
    const { status } = await post(gateway.httpPort, 1, ":batch", { messages });
    assert.equal(status, 202);
  }
  const seenAt = async (to: string): Promise<number> => {
    for (let i = 0; i < 600; i++) {
      const at = seenSubmits(log).findIndex(({ destination }) => destination === to);
      if (at >= 0) return at;
      await sleep(100);
    }
    throw new Error(`${to} never reached the operator`);
  };
  await seenAt(destinationOf(0));
  const passed = async (appId: number, to: string, kind: string): Promise<number> => {
    const message = { to, from: "TEST", text: "now", class: kind };
    const { status } = await post(gateway.httpPort, appId, "", message);
    assert.equal(status, 202);
    const before = seenSubmits(log).length;
    return (await seenAt(to)) - before;
  };
  const ahead = await passed(1, OTP, "otp");
  assert.ok(ahead <= 2 * WINDOW, `${ahead} promotions went between the OTP's 202 and the OTP`);
  const aheadOfOther = await passed(2, OTHER_APP, "promotional");
  assert.ok(aheadOfOther <= AHEAD_OF_OTHER_APP_MAX, `${aheadOfOther} of the other app went first`);
  context.diagnostic(`ahead of the OTP: ${ahead}, of the other app's promotion: ${aheadOfOther}`);
  const status = await fetch(`http://127.0.0.1:${gateway.adminPort}/status`);
  const { pools } = (await status.json()) as {
    pools: { queues: { priority: number; queued: number }[] }[];
  };
  const waiting = pools[0]?.queues.find(({ priority }) => priority === 1)?.queued ?? 0;
  assert.ok(waiting > PROMOTIONS / 2 && waiting < PROMOTIONS, `${waiting} wait`);
  gateway.child.kill("SIGKILL");
  await gateway.exited;
});
