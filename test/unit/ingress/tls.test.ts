/** The listener with TLS: versions, a new certificate without dropping connections, bad files. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { uwsTls } from "../../../src/ingress/http/certificates.ts";
import { TestAuthority } from "../../support/certificates.ts";
import { HttpRig } from "./http-rig.ts";
import { CONFIG, configOf } from "./rig.ts";

const folder = mkdtempSync(join(tmpdir(), "smsgw-tls-"));
const authority = new TestAuthority(folder);
const first = authority.issue("first", "IP:127.0.0.1");
const second = authority.issue("second", "IP:127.0.0.1");
const cert = join(folder, "cert.pem");
const key = join(folder, "key.pem");

function use(files: { readonly cert: string; readonly key: string }): void {
  copyFileSync(files.cert, cert);
  copyFileSync(files.key, key);
}

use(first);
const config = { certFile: cert, keyFile: key, key: null, caFile: null };
const http = new HttpRig({
  config: CONFIG,
  tls: () => uwsTls(config, readFileSync),
  sharing: "first",
});
after(async () => {
  await http.close();
  rmSync(folder, { recursive: true });
});

function dial(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const ca = readFileSync(authority.caFile);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: http.port, ca, ...options });
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

async function health(socket: TLSSocket): Promise<string> {
  socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
  return await new Promise((resolve, reject) => {
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString().slice(0, 12)));
    socket.once("close", () => reject(new Error("closed")));
  });
}

async function nameNow(): Promise<string> {
  const socket = await dial();
  const { subject } = socket.getPeerCertificate();
  assert.equal(await health(socket), "HTTP/1.1 200");
  socket.destroy();
  return subject.CN;
}

test("TLS 1.2 and 1.3 are spoken, nothing older, nothing plain", async () => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const socket = await dial({ minVersion: version, maxVersion: version });
    assert.equal(socket.getProtocol(), version);
    assert.equal(await health(socket), "HTTP/1.1 200");
    socket.destroy();
  }
  const old = {
    minVersion: "TLSv1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT@SECLEVEL=0",
  } as const;
  await assert.rejects(dial(old));
  const plain = await http.raw(["GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"]);
  assert.deepEqual([plain.text, plain.closed], ["", true]);
});

test("certificates change for new connections, open ones go on", async () => {
  const open = await dial();
  assert.equal(await nameNow(), "first");
  for (const [files, name] of [
    [second, "second"],
    [first, "first"],
  ] as const) {
    use(files);
    http.server.reloadCertificates();
    assert.equal(await nameNow(), name);
    assert.equal(await health(open), "HTTP/1.1 200", "still served");
  }
  open.destroy();
});

test("certificates that change while no connection is taken do not open the port", async () => {
  http.server.pause();
  use(second);
  http.server.reloadCertificates();
  await assert.rejects(dial(), /ECONNREFUSED/);
  http.server.resume();
  assert.equal(await nameNow(), "second");
  use(first);
  http.server.reloadCertificates();
  assert.equal(await nameNow(), "first");
});

test("files that cannot be used change nothing", async () => {
  const tries: readonly (readonly [() => void, RegExp])[] = [
    [() => writeFileSync(cert, "no certificate"), /http\.tls: .*cert\.pem.*key\.pem/],
    [() => rmSync(cert), /ENOENT/],
    [() => copyFileSync(second.cert, cert), /mismatch/i],
  ];
  for (const [spoil, reason] of tries) {
    use(first);
    spoil();
    assert.throws(() => http.server.reloadCertificates(), reason);
    assert.equal(await nameNow(), "first");
  }
});

test("the listener's TLS needs both files", () => {
  const withTls = (tls: string): string =>
    CONFIG.replace("http: { port: 0,", `http: { port: 0, tls: { ${tls} },`);
  configOf(withTls("cert_file: a, key_file: b"));
  assert.throws(() => configOf(withTls("cert_file: a")), /http\.tls\.key_file/);
  configOf(withTls("cert_file: a, key_file: b, ca_file: c"));
});
