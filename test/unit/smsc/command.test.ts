/** `smsgw smsc`: its command line, and the command itself as a process. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseSmscArgs } from "../../../src/cli/smsc.ts";
import type { SmscStats } from "../../../src/smsc/counters.ts";
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

test("what cannot be understood names itself", () => {
  const bad = [
    ["--port", "x", /port/],
    ["--port", "70000", /port/],
    ["--id-format", "roman", /roman/],
    ["--receipts", "maybe", /maybe/],
    ["--outcomes", "lost=1", /lost/],
    ["--stats-interval", "0", /stats-interval/],
    ["--colour", "red", /colour/],
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
