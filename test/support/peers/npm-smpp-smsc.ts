/**
 * An SMSC made of the npm package `smpp`, for tests: one line of JSON for each PDU it reads; orders
 * come in on stdin, one letter each: e enquire_link, x unknown command, l bad length, u unbind.
 * Entry point.
 */
import { createRequire } from "node:module";
import type { AddressInfo, Server } from "node:net";

interface ServerPdu {
  readonly command: string;
  readonly command_id: number;
  readonly command_status: number;
  readonly sequence_number: number;
  readonly source_addr?: string;
  readonly destination_addr?: string;
  readonly esm_class?: number;
  readonly data_coding?: number;
  readonly short_message?: { readonly message: string | Uint8Array; readonly udh?: Uint8Array };
  response(fields?: object): unknown;
}

interface ServerSession {
  readonly socket: { write(bytes: Uint8Array): boolean };
  on(event: "pdu", listener: (pdu: ServerPdu) => void): void;
  on(event: "close" | "error", listener: () => void): void;
  send(pdu: unknown): boolean;
  deliver_sm(fields: object): boolean;
  enquire_link(fields: object): boolean;
  unbind(fields: object): boolean;
}

interface ServerPackage {
  createServer(listener: (session: ServerSession) => void): Server;
}

const smpp = createRequire(import.meta.url)("smpp") as ServerPackage;

let current: ServerSession | null = null;
let ids = 0;

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function header(length: number, commandId: number, sequence: number): Uint8Array {
  const out = Buffer.alloc(16);
  out.writeUInt32BE(length, 0);
  out.writeUInt32BE(commandId, 4);
  out.writeUInt32BE(sequence, 12);
  return out;
}

function udhOf({ short_message: message }: ServerPdu): string {
  const udh: unknown = message?.udh;
  if (udh instanceof Uint8Array) return Buffer.from(udh).toString("hex");
  const list = Array.isArray(udh) ? (udh as readonly unknown[]) : [];
  const parts = list.map((part) => (part instanceof Uint8Array ? Buffer.from(part) : Buffer.of()));
  return Buffer.concat(parts).toString("hex");
}

function textOf({ short_message: message }: ServerPdu): string {
  const text = message?.message;
  return typeof text === "string" ? text : "";
}

function answer(session: ServerSession, pdu: ServerPdu): void {
  if (pdu.command === "bind_transceiver") session.send(pdu.response({ system_id: "npm" }));
  else if (pdu.command === "enquire_link" || pdu.command === "unbind") session.send(pdu.response());
  else if (pdu.command === "submit_sm") {
    ids += 1;
    const id = `npm-${ids}`;
    session.send(pdu.response({ message_id: id }));
    const dates = "submit date:2611220000 done date:2611220001";
    session.deliver_sm({
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
      esm_class: 4,
      short_message: {
        message: `id:${id} sub:001 dlvrd:001 ${dates} stat:DELIVRD err:000 text:hello`,
      },
    });
  }
}

const server = smpp.createServer((session) => {
  current = session;
  session.on("error", () => undefined);
  session.on("close", () => say({ kind: "closed" }));
  session.on("pdu", (pdu) => {
    say({
      kind: "pdu",
      command_id: pdu.command_id,
      status: pdu.command_status,
      sequence: pdu.sequence_number,
      esm_class: pdu.esm_class ?? 0,
      data_coding: pdu.data_coding ?? 0,
      udh: udhOf(pdu),
      // As the package decodes it by data_coding.
      text: textOf(pdu),
    });
    answer(session, pdu);
  });
});
server.listen(0, "127.0.0.1", () => {
  say({ kind: "listening", port: (server.address() as AddressInfo).port });
});

const ORDERS: Readonly<Record<string, (session: ServerSession) => void>> = {
  e: (session) => session.enquire_link({ sequence_number: 901 }),
  x: (session) => session.socket.write(header(16, 0x1234, 902)),
  l: (session) => session.socket.write(header(8, 0x15, 903)),
  u: (session) => session.unbind({ sequence_number: 904 }),
};

process.stdin.on("data", (bytes) => {
  for (const order of bytes.toString("latin1")) if (current !== null) ORDERS[order]?.(current);
});
process.stdin.on("end", () => process.exit(0));
