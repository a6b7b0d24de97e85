/**
 * The simulator behind real TCP, with the npm package `smpp` as an ESME that somebody else wrote.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { SmscOptions } from "../../../src/smsc/options.ts";
import { type RunningSmsc, startSmsc } from "../../../src/smsc/server.ts";
import { ask, connectPackage, type PackagePdu } from "../../support/smpp-package.ts";

const BIND = { system_id: "esme1", password: "secret", interface_version: 0x34 };
const MESSAGE = {
  source_addr_ton: 5,
  source_addr: "ACME",
  dest_addr_ton: 1,
  dest_addr_npi: 1,
  destination_addr: "447700900123",
  short_message: "Hello, world",
  registered_delivery: 1,
};

const running = new Set<RunningSmsc>();

after(async () => {
  await Promise.all([...running].map((smsc) => smsc.close()));
});

async function start(given: Partial<SmscOptions> = {}): Promise<RunningSmsc> {
  const smsc = await startSmsc({ port: 0, seed: 1, ...given });
  running.add(smsc);
  return smsc;
}

/** Reads `count` octets from a raw socket. */
async function read(socket: Socket, count: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < count) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  return bytes;
}

test("bind, submit, receipt, enquire_link and unbind with an ESME written by others", async () => {
  const smsc = await start({ latencyMs: [1, 20], receiptDelayMs: [5, 50] });
  const session = await connectPackage(smsc.port);
  const receipts: PackagePdu[] = [];
  session.on("deliver_sm", (pdu) => {
    receipts.push(pdu);
    session.send(pdu.response());
  });
  const bound = await ask(session, "bind_transceiver", BIND);
  assert.deepEqual([bound.command_status, bound.system_id], [0, "smsgw-smsc"]);
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => ask(session, "submit_sm", MESSAGE)),
  );
  const ids = answers.map(({ message_id }) => message_id);
  assert.equal(new Set(ids).size, 50);
  assert.ok(answers.every(({ command_status }) => command_status === 0));
  assert.equal((await ask(session, "enquire_link")).command_status, 0);
  while (smsc.stats().receiptsAnswered < 50) await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual(new Set(receipts.map((pdu) => pdu.receipted_message_id)), new Set(ids));
  assert.equal(receipts.length, 50);
  for (const pdu of receipts) {
    assert.deepEqual([pdu.esm_class, pdu.message_state], [4, 2]);
    assert.deepEqual([pdu.source_addr, pdu.destination_addr], ["447700900123", "ACME"]);
    const text = String(pdu.short_message?.message);
    assert.match(text, /^id:\d{10} sub:001 dlvrd:001 submit date:\d{10} done date:\d{10} /);
    assert.match(text, / stat:DELIVRD err:000 text:Hello, world$/);
  }
  const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
  assert.equal((await ask(session, "unbind")).command_status, 0);
  await closed;
  const stats = await smsc.close();
  assert.equal(stats.sessions, 0);
  assert.equal(stats.submits, 50);
  assert.equal(stats.waiting, 0);
  assert.deepEqual(stats.protocolErrors, {});
});

test("refusals and unoffered operations reach that ESME with their status", async () => {
  const smsc = await start({ password: "right", refusals: [{ status: 0x58, share: 1 }] });
  const session = await connectPackage(smsc.port);
  assert.equal((await ask(session, "submit_sm", MESSAGE)).command_status, 4);
  assert.equal((await ask(session, "bind_transceiver", BIND)).command_status, 0x0e);
  const right = { ...BIND, password: "right" };
  assert.equal((await ask(session, "bind_transmitter", right)).command_status, 0);
  assert.equal((await ask(session, "submit_sm", MESSAGE)).command_status, 0x58);
  const query = await ask(session, "query_sm", { message_id: "1" });
  assert.equal(query.command_status, 0x67);
  session.destroy();
});

test("an unknown command and a bad length, sent raw through a bound session", async () => {
  const smsc = await start();
  const session = await connectPackage(smsc.port);
  const nacks: PackagePdu[] = [];
  const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
  session.on("generic_nack", (pdu) => nacks.push(pdu));
  await ask(session, "bind_transceiver", BIND);
  session.socket.write(Buffer.from("00000010000012340000000000000032", "hex"));
  assert.equal((await ask(session, "enquire_link")).command_status, 0);
  session.socket.write(Buffer.from("7fffffff000000040000000000000033", "hex"));
  await closed;
  assert.deepEqual(
    nacks.map((pdu) => [pdu.command_status, pdu.sequence_number]),
    [
      [3, 0x32],
      [2, 0x33],
    ],
  );
  // The session's own numbers had to go back behind the one sent raw.
  assert.deepEqual(smsc.stats().protocolErrors, {
    bad_length: 1,
    unknown_command: 1,
    sequence_not_monotonic: 1,
  });
});

test("bytes one at a time and garbage from the first byte", async () => {
  const smsc = await start();
  const slow = connect({ port: smsc.port, host: "127.0.0.1", noDelay: true });
  const enquire = Buffer.from("00000010000000150000000000000001", "hex");
  for (const byte of enquire) {
    slow.write(Uint8Array.of(byte));
    await new Promise((done) => setImmediate(done));
  }
  assert.equal((await read(slow, 16)).toString("hex"), "00000010800000150000000000000001");
  slow.destroy();
  const http = connect({ port: smsc.port, host: "127.0.0.1" });
  http.write("GET / HTTP/1.1\r\n\r\n");
  http.resume();
  await once(http, "close");
  assert.equal(smsc.stats().protocolErrors.foreign_protocol, 1);
});

test("dropped connections end without a word, and the listener stays", async () => {
  const smsc = await start();
  const session = await connectPackage(smsc.port);
  const closed = new Promise<void>((resolve) => session.on("close", () => resolve()));
  await ask(session, "bind_transceiver", BIND);
  smsc.dropConnections();
  await closed;
  const again = await connectPackage(smsc.port);
  assert.equal((await ask(again, "bind_transceiver", BIND)).command_status, 0);
  again.destroy();
});

test("the log file holds every submit and receipt when the simulator has closed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "smsc-log-"));
  const logFile = join(folder, "witness.ndjson");
  const smsc = await start({ logFile });
  const session = await connectPackage(smsc.port);
  session.on("deliver_sm", (pdu) => session.send(pdu.response()));
  await ask(session, "bind_transceiver", BIND);
  const answers = await Promise.all(
    Array.from({ length: 500 }, () => ask(session, "submit_sm", MESSAGE)),
  );
  while (smsc.stats().receiptsAnswered < 500) await new Promise((done) => setTimeout(done, 5));
  session.destroy();
  await smsc.close();
  const lines = readFileSync(logFile, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; id?: string });
  const idsOf = (event: string): unknown[] =>
    lines.filter((line) => line.event === event).map((line) => line.id);
  const ids = answers.map(({ message_id }) => message_id);
  for (const event of ["submit", "receipt", "receipt_answer"]) assert.deepEqual(idsOf(event), ids);
  assert.equal(idsOf("bind").length, 1);
  assert.equal(idsOf("close").length, 1);
  rmSync(folder, { recursive: true });
});

test("a port in use is refused with the listener's error", async () => {
  const smsc = await start();
  await assert.rejects(startSmsc({ port: smsc.port }), { code: "EADDRINUSE" });
});
