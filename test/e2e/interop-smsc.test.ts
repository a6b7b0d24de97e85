/**
 * The built gateway against SMSCs written by others: npm `smpp` and Perl's Net::SMPP, each in a
 * process of its own, with tshark as witness of what the gateway writes.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { COMMAND_ID } from "../../src/codec/index.ts";
import { readFields, readPackets, startCapture } from "../support/capture.ts";
import { Client } from "../support/client.ts";
import { type GatewayProcess, startGateway, Workspace } from "../support/processes.ts";

const LONG_GSM7 = "The quick brown fox jumps over the lazy dog [at] €5. ".repeat(7).trim();
const LONG_UCS2 = "Съешь же ещё этих мягких французских булок 🙂. ".repeat(4).trim();
const DEADLINE_MS = 60_000;

/** A PDU that the peer has read, or an event of its own. */
interface PeerLine {
  readonly kind: "listening" | "pdu" | "closed";
  readonly port?: number;
  readonly command_id?: number;
  readonly status?: number;
  readonly sequence?: number;
  readonly esm_class?: number;
  readonly data_coding?: number;
  /** Hexadecimal where the peer gives bytes; text (and its UDH apart) where it decodes. */
  readonly text?: string;
  readonly udh?: string;
}

class Peer {
  readonly lines: PeerLine[] = [];
  readonly child: ChildProcess;

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as PeerLine);
    });
  }

  async port(): Promise<number> {
    await this.until(() => this.lines.length > 0, "listening");
    return this.lines[0]?.port as number;
  }

  order(letter: string): void {
    this.child.stdin?.write(letter);
  }

  of(commandId: number, sequence?: number): PeerLine[] {
    return this.lines.filter(
      (line) =>
        line.command_id === commandId && (sequence === undefined || line.sequence === sequence),
    );
  }

  async until(done: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!done()) {
      assert.ok(Date.now() < deadline, `${what}: ${JSON.stringify(this.lines.slice(-5))}`);
      await sleep(20);
    }
  }
}

function yaml(port: number): string {
  return [
    "node: { name: gw-test, data_dir: ./data }",
    "http: { port: 0 }",
    "admin: { port: 0 }",
    "auth: { jwt: { secret_file: ./secrets/jwt } }",
    "apps: [{ id: 1, name: test, rate_tps: null, burst: 1000, scopes: [send] }]",
    `links: [{ id: 100, host: 127.0.0.1, port: ${port}, system_id: esme, sessions: 1,` +
      " rate_tps: null, enquire_link_interval_ms: 1000 }]",
    'routes: [{ prefix: "", to: 100 }]',
    "",
  ].join("\n");
}

/** Puts the parts of a message together, in the order of their UDH. */
function textOf(lines: readonly PeerLine[]): string {
  const parts = lines.map(({ text = "", udh, data_coding: dataCoding = 0 }) => {
    if (udh !== undefined) return { part: Number.parseInt(udh.slice(-2), 16), text };
    const bytes = Buffer.from(text, "hex");
    const body = bytes.subarray(6);
    const decoded = dataCoding === 8 ? Buffer.from(body).swap16().toString("utf16le") : gsm7(body);
    return { part: bytes[5] as number, text: decoded };
  });
  parts.sort((a, b) => a.part - b.part);
  return parts.map(({ text }) => text).join("");
}

/** The characters of the default alphabet that these texts use. */
function gsm7(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("latin1")
    .replaceAll("\x1b<", "[")
    .replaceAll("\x1b>", "]")
    .replaceAll("\x1be", "€");
}

/** What the gateway must have written to each of them. */
const WITNESSED = [
  COMMAND_ID.bind_transceiver,
  COMMAND_ID.deliver_sm_resp,
  COMMAND_ID.enquire_link,
  COMMAND_ID.enquire_link_resp,
  COMMAND_ID.generic_nack,
  COMMAND_ID.unbind,
  COMMAND_ID.unbind_resp,
];

const PEERS = [
  {
    name: "npm smpp",
    start: () =>
      new Peer(process.execPath, [
        fileURLToPath(new URL("../support/peers/npm-smpp-smsc.js", import.meta.url)),
      ]),
  },
  {
    name: "Net::SMPP",
    start: () =>
      new Peer("perl", [
        fileURLToPath(new URL("../../../test/support/peers/net-smpp-smsc.pl", import.meta.url)),
      ]),
  },
] as const;

for (const { name, start } of PEERS) {
  describe(`an SMSC made of ${name}`, () => {
    const workspace = new Workspace();
    const capture = join(workspace.folder, "smpp.pcap");
    let peer: Peer;
    let port = 0;
    let gateway: GatewayProcess;
    let client: Client;
    let stopCapture: () => Promise<void> = () => Promise.resolve();

    before(async () => {
      peer = start();
      port = await peer.port();
      stopCapture = await startCapture([port], capture);
      gateway = await startGateway(workspace, yaml(port));
      client = new Client(gateway.httpPort);
    });
    after(async () => {
      peer.child.kill("SIGKILL");
      await workspace.dispose();
    });

    test("long texts in both alphabets arrive whole, and their receipts are matched", async () => {
      for (const [to, text] of [
        ["998901110001", LONG_GSM7],
        ["998901110002", LONG_UCS2],
      ] as const) {
        const seen = peer.of(COMMAND_ID.submit_sm).length;
        const posted = await client.post({ to, from: "MYBRAND", text });
        assert.equal(posted.status, 202);
        const message = await client.untilStatus(posted.body["id"] as string, "delivered");
        assert.ok(message.parts.length >= 3);
        // What the peer says of itself may come later than what the gateway does.
        const submitsOf = (): PeerLine[] => peer.of(COMMAND_ID.submit_sm).slice(seen);
        await peer.until(() => submitsOf().length >= message.parts.length, "every part");
        const submits = submitsOf();
        assert.equal(submits.length, message.parts.length);
        assert.equal(textOf(submits), text);
      }
      await peer.until(() => peer.of(COMMAND_ID.deliver_sm_resp).length >= 6, "receipts answered");
      const receipts = peer.of(COMMAND_ID.deliver_sm_resp);
      assert.ok(receipts.every(({ status }) => status === 0));
    });

    test("enquire_link goes both ways", async () => {
      peer.order("e");
      await peer.until(() => peer.of(COMMAND_ID.enquire_link_resp, 901).length === 1, "answered");
      await peer.until(() => peer.of(COMMAND_ID.enquire_link).length > 0, "asked by the gateway");
    });

    test("an unknown command is nacked with 03, and the session lives", async () => {
      peer.order("x");
      await peer.until(() => peer.of(COMMAND_ID.generic_nack, 902).length === 1, "nacked");
      assert.equal(peer.of(COMMAND_ID.generic_nack, 902)[0]?.status, 3);
      assert.equal(peer.lines.filter(({ kind }) => kind === "closed").length, 0);
    });

    test("a bad length is nacked with 02, the connection closed and bound anew", async () => {
      peer.order("l");
      await peer.until(() => peer.of(COMMAND_ID.generic_nack, 903).length === 1, "nacked");
      assert.equal(peer.of(COMMAND_ID.generic_nack, 903)[0]?.status, 2);
      await peer.until(() => peer.lines.some(({ kind }) => kind === "closed"), "closed");
      await peer.until(() => peer.of(COMMAND_ID.bind_transceiver).length === 2, "bound anew");
    });

    test("an unbind of the SMSC is answered, and the gateway binds anew", async () => {
      peer.order("u");
      await peer.until(() => peer.of(COMMAND_ID.unbind_resp, 904).length === 1, "answered");
      await peer.until(() => peer.of(COMMAND_ID.bind_transceiver).length === 3, "bound anew");
      const posted = await client.post({ to: "998901110003", from: "MYBRAND", text: "again" });
      await client.untilStatus(posted.body["id"] as string, "delivered");
    });

    test("the gateway unbinds when it drains, and nothing it wrote is malformed", async () => {
      gateway.child.kill("SIGTERM");
      assert.equal(await gateway.exited, 0);
      await peer.until(() => peer.of(COMMAND_ID.unbind).length === 1, "unbound");
      await stopCapture();
      const ours = `tcp.dstport == ${port}`;
      const bad = `${ours} && (_ws.malformed || _ws.expert.severity >= error)`;
      assert.deepEqual(await readPackets(capture, port, bad), []);
      const submits = await readPackets(capture, port, `${ours} && smpp.command_id == 0x00000004`);
      assert.equal(submits.length, peer.of(COMMAND_ID.submit_sm).length);
      const commands = await readFields(capture, port, `${ours} && smpp`, ["smpp.command_id"]);
      const seen = new Set(commands.flatMap(([ids = ""]) => ids.split(",").map(Number)));
      for (const id of WITNESSED) assert.ok(seen.has(id), `tshark saw 0x${id.toString(16)}`);
    });
  });
}
