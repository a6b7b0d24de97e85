/**
 * SIGHUP under load: rates, links, pools, routes and apps change in the running gateway; a bad file
 * changes nothing.
 *
 * Judged from the client's record of 202s and the operators' logs: nothing lost, nothing doubled,
 * order kept on a link with one session; and from a capture, whose times a busy operator does not
 * delay: no second over the greater of two rates.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { signToken } from "../../src/cli/token.ts";
import { readFields, startCapture } from "../support/capture.ts";
import { Client, untilAllFinal } from "../support/client.ts";
import { type GatewayProcess, SECRET, startGateway, Workspace } from "../support/processes.ts";
import { acceptedByDestination, destinationOf, seenSubmits } from "../support/witnesses.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

/** Operators by link id. */
const LINKS = [100, 101, 102, 103] as const;
const LANES = 12;
/** Destinations of the link with one session, each a sequence of numbered texts. */
const ORDERED = 20;
/** What the way from the token to the wire adds to a second's segments. */
const JITTER_SHARE = 0.04;

interface Wanted {
  readonly rates: Readonly<Partial<Record<number, number>>>;
  readonly members: readonly number[];
  readonly apps?: readonly number[];
  readonly systemIds?: Readonly<Partial<Record<number, string>>>;
  readonly lines?: readonly string[];
}

interface Status {
  readonly configuration: {
    readonly generation: number;
    readonly last: {
      readonly outcome: string;
      readonly changed: readonly string[];
      readonly needs_restart: readonly string[];
      readonly problems: readonly string[];
    } | null;
  };
  readonly links: readonly { readonly id: number; readonly up: boolean }[];
}

function yamlOf(ports: ReadonlyMap<number, number>, wanted: Wanted): string {
  const links = Object.entries(wanted.rates).map(([id, rate]) => {
    const systemId = wanted.systemIds?.[Number(id)] ?? `link-${id}`;
    return (
      `  - { id: ${id}, host: 127.0.0.1, port: ${ports.get(Number(id))}, ` +
      `system_id: ${systemId}, sessions: ${id === "103" ? 1 : 2}, rate_tps: ${rate} }`
    );
  });
  return [
    "node: { name: gw-test, data_dir: ./data }",
    "http: { port: 0 }",
    "admin: { port: 0 }",
    "workers: { count: 2 }",
    "auth: { jwt: { secret_file: ./secrets/jwt } }",
    "apps:",
    ...(wanted.apps ?? [1]).map((id) => `  - { id: ${id}, name: app-${id}, rate_tps: null }`),
    "links:",
    ...links,
    `pools: [{ id: 1000, name: main, members: [${wanted.members
      .map((id) => `{ link: ${id}, weight: 1 }`)
      .join(", ")}] }]`,
    'routes: [{ prefix: "", to: 1000 }, { prefix: "7", to: 103 }]',
    ...(wanted.lines ?? []),
    "",
  ].join("\n");
}

async function statusOf(gateway: GatewayProcess): Promise<Status> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/status`);
  return (await response.json()) as Status;
}

/** Most lines of `times` (ms, ascending) in any second that starts at or after `fromMs`. */
function mostInASecond(times: readonly number[], fromMs: number): number {
  let most = 0;
  for (let first = 0, last = 0; first < times.length; first++) {
    if ((times[first] as number) < fromMs) continue;
    while (last < times.length && (times[last] as number) < (times[first] as number) + 1000) last++;
    most = Math.max(most, last - first);
  }
  return most;
}

test("a running gateway takes another configuration under load, and loses nothing", async (t) => {
  const ports = new Map<number, number>();
  const logs = new Map<number, string>();
  const operators = [];
  for (const id of LINKS) {
    const log = join(workspace.folder, `smsc-${id}.ndjson`);
    const operator = await workspace.run(
      ["smsc", "--port", "0", "--latency-ms", "5:15", "--id-base", `${id}000000`, "--log", log],
      (line) => line.includes("listening on"),
    );
    ports.set(id, Number(operator.lines[0]?.split(":").at(-1)));
    logs.set(id, log);
    operators.push(operator);
  }
  const capture = join(workspace.folder, "smpp.pcap");
  const stopCapture = await startCapture([...ports.values()], capture);
  const first: Wanted = {
    rates: { 100: 200, 101: 150, 103: 60 },
    members: [100, 101],
    apps: [1, 2],
  };
  const gateway = await startGateway(workspace, yamlOf(ports, first));
  const reload = async (wanted: Wanted | string): Promise<Status> => {
    const before = (await statusOf(gateway)).configuration.last;
    const yaml = typeof wanted === "string" ? wanted : yamlOf(ports, wanted);
    workspace.write("smsgw.yaml", yaml);
    gateway.child.kill("SIGHUP");
    for (let looks = 0; looks < 6000; looks++) {
      const status = await statusOf(gateway);
      if (JSON.stringify(status.configuration.last) !== JSON.stringify(before)) return status;
      await sleep(10);
    }
    throw new Error(`no reload:\n${gateway.lines.slice(-5).join("\n")}`);
  };

  const promised: string[] = [];
  const client = new Client(gateway.httpPort);
  const load = { isStopped: false };
  let index = 0;
  const post = async (to: string, text: string): Promise<void> => {
    const { status } = await client.post({ to, from: "TEST", text });
    assert.equal(status, 202);
  };
  const lane = async (): Promise<void> => {
    while (!load.isStopped) {
      const to = destinationOf(index++);
      await post(to, "reload me");
      promised.push(to);
      await sleep(15);
    }
  };
  const ordered = new Map<string, number>();
  const orderedLane = async (): Promise<void> => {
    for (let i = 0; !load.isStopped; i++) {
      const to = `7900${100 + (i % ORDERED)}`;
      const number = ordered.get(to) ?? 0;
      await post(to, `n${number}`);
      ordered.set(to, number + 1);
      await sleep(15);
    }
  };
  const lanes = Promise.all([...Array.from({ length: LANES }, lane), orderedLane()]);

  await sleep(1500);
  const slower = await reload({ ...first, rates: { 100: 50, 101: 150, 103: 30 } });
  const slowerAt = Date.now();
  assert.equal(slower.configuration.last?.outcome, "applied");
  assert.deepEqual(slower.configuration.last.changed, ["links[100]", "links[103]"]);
  assert.equal(slower.configuration.generation, 2);

  await sleep(1500);
  const fasterAt = Date.now();
  const next: Wanted = { rates: { 100: 300, 102: 250, 103: 90 }, members: [100, 102], apps: [1] };
  const changed = await reload(next);
  const paths = ["apps[2]", "links[100]", "links[101]", "links[102]", "links[103]", "pools[1000]"];
  assert.deepEqual([...(changed.configuration.last?.changed ?? [])].sort(), paths);
  const refused = await fetch(`http://127.0.0.1:${gateway.httpPort}/v1/messages`, {
    method: "POST",
    headers: { "X-App-ID": "2", Authorization: `Bearer ${tokenOf(2)}` },
    body: JSON.stringify({ to: "998901234567", text: "x" }),
  });
  assert.equal(refused.status, 401, "the app is gone");

  await sleep(700);
  const bad = await reload(yamlOf(ports, next).replace("rate_tps: 300", "rate_tps: many"));
  assert.equal(bad.configuration.last?.outcome, "refused");
  assert.match(bad.configuration.last.problems[0] ?? "", /^links\[100\]\.rate_tps .*many/);
  assert.equal(bad.configuration.generation, 3);

  const mixed = await reload({
    ...next,
    systemIds: { 100: "another" },
    lines: ["journal: { bytes_max: 21474836480 }"],
  });
  assert.equal(mixed.configuration.last?.outcome, "applied");
  assert.deepEqual(mixed.configuration.last.changed, ["links[100]"]);
  assert.deepEqual(mixed.configuration.last.needs_restart, ["journal.bytes_max"]);

  await sleep(1500);
  load.isStopped = true;
  await lanes;
  await untilAllFinal(gateway.adminPort);
  const last = await statusOf(gateway);
  assert.deepEqual(
    last.links.map(({ id, up }) => [id, up]),
    [
      [100, true],
      [102, true],
      [103, true],
    ],
  );
  gateway.child.kill("SIGTERM");
  assert.equal(await gateway.exited, 0);
  await stopCapture();
  for (const operator of operators) {
    operator.child.kill("SIGTERM");
    await operator.exited;
  }

  const accepted = new Map<string, number>();
  const shares: string[] = [];
  for (const [id, log] of logs) {
    const counts = acceptedByDestination(log);
    shares.push(`${id}: ${counts.size}`);
    for (const [to, count] of counts) accepted.set(to, (accepted.get(to) ?? 0) + count);
  }
  t.diagnostic(`${promised.length} promised; by link ${shares.join(", ")}`);
  assert.deepEqual(promised.filter((to) => !accepted.has(to)).slice(0, 5), [], "lost");
  assert.deepEqual(promised.filter((to) => accepted.get(to) !== 1).slice(0, 5), [], "doubled");
  const timesOf = new Map<number, number[]>();
  for (const [id, port] of ports) timesOf.set(id, await submitTimes(capture, port));
  assert.ok(timesOf.get(102)?.length, "the new link took its share");
  const within = (id: number, from: number, until: number, rate: number): void => {
    const times = (timesOf.get(id) as number[]).filter((at) => at < until);
    const most = mostInASecond(times, from);
    assert.ok(most <= rate * (1 + JITTER_SHARE) + 1, `link ${id}: ${most} in a second of ${rate}`);
  };
  within(100, 0, slowerAt, 200);
  within(100, slowerAt, fasterAt, 50);
  within(100, 0, fasterAt, 200);
  within(100, slowerAt, Infinity, 300);
  within(101, 0, Infinity, 150);
  within(103, 0, Infinity, 90);
  within(103, slowerAt, fasterAt, 30);
  for (const [to, count] of ordered) {
    const texts = seenSubmits(logs.get(103) as string)
      .filter((submit) => submit.destination === to)
      .map((submit) => Buffer.from(submit.short_message, "hex").toString("latin1"));
    assert.deepEqual(
      texts,
      Array.from({ length: count }, (_, i) => `n${i}`),
      `order of ${to}`,
    );
  }
});

/** Unix ms of each submit_sm to `port`, ascending. */
async function submitTimes(capture: string, port: number): Promise<number[]> {
  const filter = `tcp.dstport == ${port} && smpp.command_id == 0x00000004`;
  const rows = await readFields(capture, port, filter, ["frame.time_epoch", "smpp.command_id"]);
  return rows.flatMap(([at, ids = ""]) => {
    const submits = ids.split(",").filter((id) => Number(id) === 4);
    return submits.map(() => Number(at) * 1000);
  });
}

function tokenOf(appId: number): string {
  const issuedAtS = Math.floor(Date.now() / 1000);
  const claims = {
    appId,
    audience: "smsgw",
    issuer: null,
    scopes: ["send"],
    issuedAtS,
    ttlS: 3600,
  };
  return signToken(claims, SECRET);
}
