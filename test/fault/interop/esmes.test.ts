/**
 * Our simulator against ESMEs written by others, with tshark as witness: Kannel's bearerbox, and
 * the npm package `smpp`.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { COMMAND_ID, COMMAND_STATUS } from "../../../src/codec/index.ts";
import type { SmscStats } from "../../../src/smsc/counters.ts";
import { type Running, Workspace } from "../../support/processes.ts";
import { ask, connectPackage } from "../../support/smpp-package.ts";
import { seenSubmits, type SeenSubmit } from "../../support/witnesses.ts";
import { startCapture } from "../rates/capture.ts";
import { Kannel } from "./kannel.ts";
import { readCommands } from "./tshark.ts";

const GSM7_LONG = "Price {5} [euro] ~ and more of it. ".repeat(12);
const UCS2_LONG = "Длинное сообщение на кириллице, из многих частей. ".repeat(6);
const DELIVERED = 1;
/** The command_id of the request that the simulator invents. */
const UNKNOWN_COMMAND = 0x1234;
/** The first words of what it sends as a bad length: command_length 8, deliver_sm. */
const BAD_LENGTH = Buffer.from("0000000800000005", "hex");

const workspace = new Workspace();
after(() => workspace.dispose());

interface Smsc {
  readonly running: Running;
  readonly port: number;
  readonly counts: () => Promise<SmscStats>;
}

async function startSmsc(log: string, ...args: string[]): Promise<Smsc> {
  const running = await workspace.run(
    ["smsc", "--port", "0", "--control-port", "0", "--json", "--check", "--log", log, ...args],
    (line) => line.includes('"listening"'),
  );
  const { port, control_port: control } = JSON.parse(running.lines[0] as string) as {
    port: number;
    control_port: number;
  };
  const counts = async (): Promise<SmscStats> =>
    (await (await fetch(`http://127.0.0.1:${control}/counts`)).json()) as SmscStats;
  return { running, port, counts };
}

/** The final counts and the verdict of a simulator that is told to end. */
async function endOf(smsc: Smsc): Promise<{ stats: SmscStats; verdict: { check: string } }> {
  smsc.running.child.kill("SIGTERM");
  await smsc.running.exited;
  const lines = smsc.running.lines.filter((line) => line.startsWith("{"));
  const stats = JSON.parse(lines.find((line) => line.includes('"uptimeMs"')) as string);
  return { stats, verdict: JSON.parse(lines.at(-1) as string) };
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 100) {
    if (await holds()) return;
    await sleep(100);
  }
  throw new Error(`in vain waited for: ${what}`);
}

/** The text of a message from its parts, which have an 8-bit reference; after `endOf`. */
function reassembled(log: string, destination: string, isUcs2: boolean): string {
  const parts = seenSubmits(log).filter((submit) => submit.destination === destination);
  const bytes = (part: SeenSubmit): Buffer => Buffer.from(part.short_message, "hex");
  parts.sort((a, b) => (bytes(a)[5] as number) - (bytes(b)[5] as number));
  const text = Buffer.concat(parts.map((part) => bytes(part).subarray(6)));
  return isUcs2 ? text.swap16().toString("utf16le") : text.toString("latin1");
}

const COMMANDS = [
  COMMAND_ID.bind_transceiver,
  COMMAND_ID.submit_sm,
  COMMAND_ID.submit_sm_resp,
  COMMAND_ID.deliver_sm,
  COMMAND_ID.deliver_sm_resp,
  COMMAND_ID.enquire_link,
  COMMAND_ID.enquire_link_resp,
  COMMAND_ID.unbind,
  COMMAND_ID.unbind_resp,
];

test("Kannel: bind, long texts in both alphabets, receipts, enquire_link, unbind", async () => {
  const log = join(workspace.folder, "kannel.ndjson");
  const smsc = await startSmsc(log, "--enquire-interval-ms", "1000", "--receipt-delay-ms", "20");
  const file = join(workspace.folder, "kannel.pcap");
  const capture = await startCapture(smsc.port, file, true);
  const kannel = await Kannel.start(workspace, smsc.port);
  const sent = [
    { to: "447700900001", text: "short", coding: "gsm7" },
    { to: "447700900002", text: GSM7_LONG, coding: "gsm7" },
    { to: "447700900003", text: UCS2_LONG, coding: "ucs2" },
  ] as const;
  for (const message of sent) assert.equal(await kannel.send(message), 202);
  const isDelivered = (to: string): boolean =>
    kannel.receipts.get(to)?.includes(DELIVERED) ?? false;
  await until(() => sent.every(({ to }) => isDelivered(to)), "receipts at Kannel's dlr-url");
  await until(async () => (await smsc.counts()).enquireLinks > 0, "an enquire_link of Kannel");
  await kannel.stop();
  await until(async () => (await smsc.counts()).sessions === 0, "the end of its session");
  await capture.stop();
  const { stats, verdict } = await endOf(smsc);
  assert.equal(stats.receiptsAnswered, stats.receiptsSent);
  assert.ok(stats.unbinds >= 1);
  assert.equal(verdict.check, stats.protocolErrorCount === 0 ? "passed" : "failed");
  assert.deepEqual(stats.findings, []);
  assert.equal(reassembled(log, "447700900003", true), UCS2_LONG);
  // Braces and tilde are escape sequences in GSM 7-bit.
  const escaped = GSM7_LONG.replace(/[{}[\]~]/g, (c) => `\u001b${ESCAPES[c] ?? ""}`);
  assert.equal(reassembled(log, "447700900002", false), escaped);
  const { counts, malformed } = readCommands(file, smsc.port);
  for (const id of COMMANDS) assert.ok((counts.get(id) ?? 0) > 0, `0x${id.toString(16)} is seen`);
  assert.equal(counts.get(COMMAND_ID.submit_sm), stats.submits);
  assert.equal(malformed, 0);
});

const ESCAPES: Readonly<Record<string, string>> = {
  "{": "(",
  "}": ")",
  "[": "<",
  "]": ">",
  "~": "=",
};

test("Kannel refuses an unknown command, and survives PDUs that no SMSC should send", async () => {
  const log = join(workspace.folder, "odd.ndjson");
  const kinds = ["unknown_command", "stray_response", "nack_zero", "short_length"];
  const options = ["--malformed-every", "1", "--malformed", kinds.join(",")];
  const smsc = await startSmsc(log, "--enquire-interval-ms", "1000", ...options);
  const file = join(workspace.folder, "odd.pcap");
  const capture = await startCapture(smsc.port, file, true);
  const kannel = await Kannel.start(workspace, smsc.port);
  for (let i = 0; i < 8; i++) {
    assert.equal(await kannel.send({ to: `44770090010${i}`, text: "odd", coding: "gsm7" }), 202);
  }
  await until(async () => (await smsc.counts()).malformedSent >= kinds.length, "each kind");
  await until(
    async () => (await smsc.counts()).nacksReceived > 0,
    "the refusal of the unknown one",
  );
  assert.match(await kannel.status(), /Kannel bearerbox version/, "it lives");
  // It reads on after the bad length, on a connection that brings nothing more, for so long.
  await until(async () => (await smsc.counts()).binds > 1, "a bind after its connection-timeout");
  await kannel.stop();
  await capture.stop();
  await endOf(smsc);
  const { counts, nacks } = readCommands(file, smsc.port);
  assert.ok((counts.get(UNKNOWN_COMMAND) ?? 0) >= 1, "the unknown command is seen");
  // Whatever Kannel cannot read it refuses as a bad length.
  assert.ok(nacks.includes(COMMAND_STATUS.ESME_RINVCMDLEN), "and its generic_nack");
  assert.ok(readFileSync(file).includes(BAD_LENGTH), "and the bad length");
});

test("npm smpp: long texts in both alphabets, receipts, unknown command, bad length", async () => {
  const log = join(workspace.folder, "npm.ndjson");
  const smsc = await startSmsc(log, "--receipt-delay-ms", "20");
  const file = join(workspace.folder, "npm.pcap");
  const capture = await startCapture(smsc.port, file, true);
  const session = await connectPackage(smsc.port);
  let receipts = 0;
  session.on("deliver_sm", (pdu) => {
    receipts++;
    session.send(pdu.response());
  });
  const bind = { system_id: "npm", password: "secret", interface_version: 0x34 };
  assert.equal((await ask(session, "bind_transceiver", bind)).command_status, 0);
  const texts = [
    { destination: "447700900011", dataCoding: 0, parts: ["a".repeat(153), "b".repeat(20)] },
    { destination: "447700900012", dataCoding: 8, parts: ["ж".repeat(67), "ш".repeat(9)] },
  ];
  for (const { destination, dataCoding, parts } of texts) {
    for (const [index, part] of parts.entries()) {
      const body =
        dataCoding === 8 ? Buffer.from(part, "utf16le").swap16() : Buffer.from(part, "latin1");
      const udh = Buffer.from([5, 0, 3, 7, parts.length, index + 1]);
      const answer = await ask(session, "submit_sm", {
        destination_addr: destination,
        dest_addr_ton: 1,
        dest_addr_npi: 1,
        esm_class: 0x40,
        data_coding: dataCoding,
        registered_delivery: 1,
        short_message: Buffer.concat([udh, body]),
      });
      assert.equal(answer.command_status, 0);
    }
  }
  await until(() => receipts === 4, "four receipts");
  assert.equal((await ask(session, "enquire_link")).command_status, 0);
  session.socket.write(Buffer.from("00000010000012340000000000000063", "hex"));
  await until(async () => (await smsc.counts()).nacksSent === 1, "generic_nack 03");
  assert.equal((await ask(session, "unbind")).command_status, 0);
  session.destroy();
  const second = await connectPackage(smsc.port);
  second.on("error", () => undefined);
  assert.equal((await ask(second, "bind_transceiver", bind)).command_status, 0);
  second.socket.write(Buffer.from("00000008000000040000000000000063", "hex"));
  await until(async () => (await smsc.counts()).sessions === 0, "the end after a bad length");
  await capture.stop();
  const { stats, verdict } = await endOf(smsc);
  assert.equal(reassembled(log, "447700900012", true), "ж".repeat(67) + "ш".repeat(9));
  assert.equal(reassembled(log, "447700900011", false), "a".repeat(153) + "b".repeat(20));
  // The unknown command was sent under a number of our own, ahead of the package's.
  assert.deepEqual(stats.protocolErrors, {
    sequence_not_monotonic: 1,
    bad_length: 1,
    unknown_command: 1,
  });
  assert.equal(verdict.check, "failed");
  const { counts, nacks } = readCommands(file, smsc.port);
  for (const id of COMMANDS) assert.ok((counts.get(id) ?? 0) > 0, `0x${id.toString(16)} is seen`);
  assert.equal(counts.get(COMMAND_ID.submit_sm), 4);
  assert.equal(counts.get(COMMAND_ID.deliver_sm_resp), 4);
  const { ESME_RINVCMDID, ESME_RINVCMDLEN } = COMMAND_STATUS;
  assert.deepEqual(nacks, [ESME_RINVCMDID, ESME_RINVCMDLEN]);
});
