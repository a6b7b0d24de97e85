/** `smsgw smsc`: its command line, and the command itself as a process. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseSmscArgs, usage } from "../../../src/cli/smsc.ts";
import { PROTOCOL_ERRORS, type SmscStats } from "../../../src/smsc/counters.ts";
import type { SmscOptions } from "../../../src/smsc/options.ts";
import { SCENARIOS } from "../../../src/smsc/scenarios.ts";
import { ask, connectPackage } from "../../support/smpp-package.ts";

const SMSGW = fileURLToPath(new URL("../../../src/cli/smsgw.js", import.meta.url));

test("flags become options", () => {
  const args = [
    "--port=0",
    "--system-id=esme1",
    "--latency-ms=5:50",
    "--refuse=0x58=5%",
    "--outcomes=delivered=9,expired=1",
    "--id-format=uuid",
    "--drop-answers=2",
    "--tps=100",
    "--magic",
    "--log=out.ndjson",
    "--stats-interval=2",
    "--check",
  ];
  const run = parseSmscArgs(args, "/somewhere");
  assert.deepEqual([run.statsIntervalMs, run.isChecking, run.isJson], [2000, true, false]);
  const { options } = run;
  assert.deepEqual([options.port, options.systemId, options.tps], [0, "esme1", 100]);
  assert.deepEqual(options.latencyMs, [5, 50]);
  assert.deepEqual(options.refusals, [{ status: 0x58, share: 0.05 }]);
  assert.deepEqual([options.idFormat, options.dropAnswers, options.magic], ["uuid", 0.02, true]);
  assert.equal(options.logFile, "/somewhere/out.ndjson");
  assert.equal(options.outcomes.length, 2);
});

/** Every option that takes a value or is a switch, and what becomes of it. */
const FLAGS: readonly (readonly [flag: string, option: keyof SmscOptions, value: unknown])[] = [
  ["--host=::1", "host", "::1"],
  ["--port=0", "port", 0],
  ["--system-id=a", "systemId", "a"],
  ["--password=b", "password", "b"],
  ["--refuse-binds=0x0d=50%", "bindRefusals", [{ status: 0x0d, share: 0.5 }]],
  ["--bind-silence=10%", "bindSilence", 0.1],
  ["--bind-delay-ms=5:9", "bindDelayMs", [5, 9]],
  ["--no-transceiver", "transceiver", false],
  ["--ignore-enquire-link", "answersEnquireLink", false],
  ["--binds-max=2", "bindsMax", 2],
  ["--enquire-interval-ms=7", "enquireLinkIntervalMs", 7],
  ["--latency-ms=tail:20", "latencyMs", [0, 20, "long_tail"]],
  ["--refuse=ESME_RINVDSTADR=1%", "refusals", [{ status: 0x0b, share: 0.01 }]],
  ["--storm=8=1:2:3", "storms", [{ status: 8, fromMs: 1000, toMs: 2000, everyMs: 3000 }]],
  ["--tps=5", "tps", 5],
  ["--window=6", "window", 6],
  ["--drop-answers=3", "dropAnswers", 0.03],
  ["--late-answers=4", "lateAnswers", 0.04],
  ["--late-ms=99", "lateMs", 99],
  ["--disconnect-every=10", "disconnectEvery", 10],
  ["--id-format=zero-padded", "idFormat", "zero-padded"],
  ["--id-base=5", "idBase", 5],
  ["--receipts=none", "receipts", "none"],
  ["--receipt-delay-ms=exp:30", "receiptDelayMs", [0, 30, "exponential"]],
  ["--outcomes=none=1", "outcomes", [{ state: -1, weight: 1 }]],
  ["--receipt-before-answer=50", "receiptBeforeAnswer", 0.5],
  ["--duplicate-receipts=1", "duplicateReceipts", 0.01],
  ["--contradict-receipts=2", "contradictReceipts", 0.02],
  ["--stray-receipts=3", "strayReceipts", 0.03],
  ["--receipt-window=4", "receiptWindow", 4],
  ["--receipt-timeout-ms=5", "receiptTimeoutMs", 5],
  ["--waiting-max=6", "waitingMax", 6],
  ["--cut-mid-pdu-every=1", "cutMidPduEvery", 1],
  ["--unbind-every=2", "unbindEvery", 2],
  ["--deaf-every=3", "deafEvery", 3],
  ["--silent-every=4", "silentEvery", 4],
  ["--malformed-every=5", "malformedEvery", 5],
  ["--malformed=garbage,bad_tlv", "malformed", ["garbage", "bad_tlv"]],
  ["--write-bytes=1", "writeBytes", 1],
  ["--read-bytes-per-s=2", "readBytesPerS", 2],
  ["--magic", "magic", true],
  ["--seed=4294967295", "seed", 0xffffffff],
  ["--log=x", "logFile", "/srv/lab/x"],
];
/** Not the simulator's own: the command's, or of two together. */
const COMMANDS_OWN = [
  ["scenario", "tls-cert", "tls-key", "tls-ca", "stats-interval", "control-port"],
  ["check", "list-checks", "list-scenarios", "json"],
].flat();

test("every option that the usage tells of becomes what it says", () => {
  const told = new Set((usage.match(/--[a-z][a-z0-9-]+/g) ?? []).map((flag) => flag.slice(2)));
  const tried = FLAGS.map(([flag]) => flag.slice(2).split("=")[0] as string);
  assert.deepEqual([...told].toSorted(), [...tried, ...COMMANDS_OWN].toSorted());
  for (const [flag, option, value] of FLAGS) {
    assert.deepEqual(parseSmscArgs([flag], "/srv/lab").options[option], value, flag);
  }
  const tls = ["--tls-cert=a.pem", "--tls-key=a.key", "--tls-ca=/ca.pem"];
  assert.deepEqual(parseSmscArgs(tls, "/srv/lab").options.tls, {
    certFile: "/srv/lab/a.pem",
    keyFile: "/srv/lab/a.key",
    caFile: "/ca.pem",
  });
  const flaky = parseSmscArgs(["--tps=7", "--scenario=flaky", "--scenario=strict-rate"], "/");
  assert.deepEqual([flaky.options.tps, flaky.options.window], [7, 10]);
});

test("what cannot be understood names itself", () => {
  const bad = [
    ["--port", "x", /port/],
    ["--port", "70000", /port/],
    ["--id-format", "roman", /roman/],
    ["--receipts", "maybe", /maybe/],
    ["--outcomes", "lost=1", /lost/],
    ["--stats-interval", "0", /stats-interval/],
    ["--colour", "red", /colour/],
    ["--scenario", "sunny", /"sunny" is unknown, allowed: clean,/],
    ["--malformed", "huge", /"huge" is unknown, allowed: short_length,/],
    ["--storm", "0x58=9:5", /storms: to/],
    ["--storm", "0x58", /storm/],
    ["--storm", "0x58=1:2:1", /storms: every/],
    ["--tls-cert", "a.pem", /--tls-key/],
    ["--latency-ms", "exp:", /latency-ms/],
    ["--control-port", "-1", /control-port/],
  ] as const;
  for (const [flag, value, naming] of bad) {
    assert.throws(() => parseSmscArgs([flag, value], "/"), naming, flag);
  }
});

/** The lines that the command prints, one by one; null at its end. */
function linesOf(child: ChildProcess): () => Promise<string | null> {
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async () => {
    const next = await lines.next();
    return next.done === true ? null : next.value;
  };
}

test("the command says where it listens, serves, and ends with its counts", async () => {
  const child = spawn(process.execPath, [SMSGW, "smsc", "--port", "0", "--check"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const nextLine = linesOf(child);
  const first = await nextLine();
  const port = Number(/^listening on 127\.0\.0\.1:(\d+)$/.exec(first ?? "")?.[1]);
  assert.ok(port > 0, String(first));
  const session = await connectPackage(port);
  session.on("unbind", (pdu) => session.send(pdu.response()));
  const bind = { system_id: "esme1", password: "secret", interface_version: 0x34 };
  assert.equal((await ask(session, "bind_transmitter", bind)).command_status, 0);
  const fields = { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: "+447700900123" };
  assert.equal((await ask(session, "submit_sm", fields)).command_status, 0);
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number];
  const stats = JSON.parse((await nextLine()) ?? "") as SmscStats;
  assert.equal(stats.submits, 1);
  // A leading + is a mistake on the wire, and --check turns mistakes into the exit code.
  assert.deepEqual(stats.protocolErrors, { bad_address: 1 });
  assert.equal(code, 1);
  const wrong = JSON.parse((await nextLine()) ?? "") as Record<string, unknown>;
  assert.equal(wrong.check, "wrong");
  assert.equal(wrong.error, "bad_address");
  assert.deepEqual([wrong.count, wrong.session, wrong.sequence_number], [1, 1, 2]);
  const verdict = JSON.parse((await nextLine()) ?? "") as Record<string, unknown>;
  assert.deepEqual(verdict, { check: "failed", errors: 1, sessions: 1, submits: 1 });
  assert.equal(await nextLine(), null);
});

test("with --json the first line is JSON and a drawn seed is told", async () => {
  const child = spawn(process.execPath, [SMSGW, "smsc", "--port=0", "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const nextLine = linesOf(child);
  const first = JSON.parse((await nextLine()) ?? "") as { port: number; seed: number };
  assert.ok(first.port > 0 && Number.isInteger(first.seed));
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
});

test("counts come by the control port, on SIGUSR2 and at intervals; drop cuts all", async () => {
  const args = ["smsc", "--port=0", "--control-port=0", "--stats-interval=1", "--json", "--seed=5"];
  const child = spawn(process.execPath, [SMSGW, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const nextLine = linesOf(child);
  const first = JSON.parse((await nextLine()) ?? "") as Record<string, number>;
  assert.equal(first["seed"], 5);
  const session = await connectPackage(first["port"] as number);
  const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
  const bind = { system_id: "esme1", password: "secret", interface_version: 0x34 };
  assert.equal((await ask(session, "bind_transceiver", bind)).command_status, 0);
  const control = `http://127.0.0.1:${first["control_port"]}`;
  const counts = async (): Promise<SmscStats> =>
    (await (await fetch(`${control}/counts`)).json()) as SmscStats;
  assert.deepEqual([(await counts()).binds, (await counts()).sessions], [1, 1]);
  const atInterval = JSON.parse((await nextLine()) ?? "") as SmscStats;
  assert.equal(atInterval.seed, 5);
  child.kill("SIGUSR2");
  assert.equal((JSON.parse((await nextLine()) ?? "") as SmscStats).seed, 5);
  assert.equal((await fetch(`${control}/drop`, { method: "POST" })).status, 204);
  await closed;
  while ((await counts()).sessions > 0) await new Promise((done) => setTimeout(done, 5));
  for (const [method, path] of [
    ["GET", "/drop"],
    ["POST", "/counts"],
    ["GET", "/"],
  ] as const) {
    assert.equal((await fetch(control + path, { method })).status, 404, `${method} ${path}`);
  }
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 0);
});

test("lists name every scenario and every check", async () => {
  const lists = { "--list-scenarios": Object.keys(SCENARIOS), "--list-checks": PROTOCOL_ERRORS };
  for (const [flag, names] of Object.entries(lists)) {
    const child = spawn(process.execPath, [SMSGW, "smsc", flag]);
    const nextLine = linesOf(child);
    const seen: string[] = [];
    for (let line = await nextLine(); line !== null; line = await nextLine()) {
      assert.match(line, /^\S+ +\S.{10,}$/);
      seen.push(line.split(" ")[0] as string);
    }
    assert.deepEqual(seen, [...names]);
  }
});
