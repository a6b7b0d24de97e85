/** The simulator's TLS listener: whom it serves, with and without certificates of clients. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, type ConnectionOptions } from "node:tls";
import { startSmsc } from "../../../src/smsc/server.ts";
import { TestAuthority } from "../../support/certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "smsgw-smsc-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const authority = new TestAuthority(folder);
const server = authority.issue("smsc", "IP:127.0.0.1");
const client = authority.issue("esme", "DNS:esme.test");

/** bind_transceiver of system_id "esme" without a password, version 3.4. */
const BIND = Buffer.from("0000001b00000009000000000000000165736d6500000034000000", "hex");

/** Binds over TLS; returns command_id and command_status of the answer, null if it was closed. */
async function bind(port: number, tls: ConnectionOptions): Promise<number[] | null> {
  const socket = connect({ host: "127.0.0.1", port, ca: readFileSync(authority.caFile), ...tls });
  socket.on("error", () => undefined);
  socket.on("secureConnect", () => socket.write(BIND));
  const data = await new Promise<Buffer | null>((resolve) => {
    socket.on("data", resolve).on("close", () => resolve(null));
  });
  socket.destroy();
  return data === null ? null : [data.readUInt32BE(4), data.readUInt32BE(8)];
}

const BOUND = [0x80000009, 0];

test("binds over TLS are served, also after one who trusts somebody else", async () => {
  const tls = { certFile: server.cert, keyFile: server.key, caFile: null };
  const smsc = await startSmsc({ port: 0, seed: 1, tls });
  try {
    assert.deepEqual(await bind(smsc.port, {}), BOUND);
    const stranger = { ca: readFileSync(client.cert) };
    assert.equal(await bind(smsc.port, stranger), null);
    assert.deepEqual(await bind(smsc.port, {}), BOUND, "the listener goes on");
  } finally {
    await smsc.close();
  }
});

test("with an authority, clients need a certificate that it signed", async () => {
  const tls = { certFile: server.cert, keyFile: server.key, caFile: authority.caFile };
  const smsc = await startSmsc({ port: 0, seed: 1, tls });
  try {
    assert.equal(await bind(smsc.port, {}), null);
    const own = { cert: readFileSync(client.cert), key: readFileSync(client.key) };
    assert.deepEqual(await bind(smsc.port, own), BOUND);
  } finally {
    await smsc.close();
  }
});
