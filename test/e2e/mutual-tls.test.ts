/**
 * Certificates of clients on the public port, alone and behind a balancer: who is let in, new
 * files on SIGHUP, spoilt files.
 */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { addressBytes, encodeProxyHeader } from "../../src/ingress/http/proxy-header.ts";
import { type CertificateFiles, readPem, TestAuthority } from "../support/certificates.ts";
import { gatewayYaml, type GatewayProcess, startGateway, Workspace } from "../support/processes.ts";
import { dialFrom, RawConnection } from "../support/raw-connection.ts";

const HEALTH = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
const BALANCER = "127.0.0.2";
const CLIENT = "127.0.0.1";
const workspace = new Workspace();
const folder = mkdtempSync(join(tmpdir(), "smsgw-mtls-"));
const ours = new TestAuthority(folder, "ours");
const theirs = new TestAuthority(folder, "theirs");
const [server, renewed, good, expired] = [
  ours.issue("server", "IP:127.0.0.1"),
  ours.issue("renewed", "IP:127.0.0.1"),
  ours.issue("good", "DNS:client"),
  ours.issue("expired", "DNS:client", true),
];
const foreign = theirs.issue("foreign", "DNS:client");
const [certFile, keyFile, caFile] = ["cert.pem", "key.pem", "authorities.pem"].map((name) =>
  join(folder, name),
) as [string, string, string];
let gateway: GatewayProcess;

after(async () => {
  await workspace.dispose();
  rmSync(folder, { recursive: true });
});

function use(files: CertificateFiles, authority: TestAuthority): void {
  copyFileSync(files.cert, certFile);
  copyFileSync(files.key, keyFile);
  copyFileSync(authority.caFile, caFile);
}

before(async () => {
  use(server, ours);
  const tls = `tls: { cert_file: ${certFile}, key_file: ${keyFile}, ca_file: ${caFile} }`;
  const http = `http: { port: 0, ${tls}, proxy_protocol_from: [127.0.0.2/32] }`;
  gateway = await startGateway(workspace, gatewayYaml(1).replace("http: { port: 0 }", http));
});

/** Statuses of a health check with these certificates, and the name that the gateway shows. */
async function check(
  from: string,
  files: CertificateFiles | null,
  session?: Buffer,
): Promise<{ statuses: readonly number[]; name: string; session: Buffer | undefined }> {
  const socket = dialFrom(from, gateway.httpPort);
  if (from === BALANCER) socket.write(encodeProxyHeader(addressBytes("203.0.113.7") as Uint8Array));
  const secured: TLSSocket = connect({
    socket,
    ca: readPem(ours.caFile),
    host: "127.0.0.1",
    ...(files === null ? {} : { cert: readPem(files.cert), key: readPem(files.key) }),
    ...(session === undefined ? {} : { session }),
  });
  let name = "";
  let ticket: Buffer | undefined;
  secured.on("session", (given) => {
    ticket = given;
  });
  secured.on("secureConnect", () => {
    name = secured.getPeerCertificate().subject.CN;
  });
  const connection = new RawConnection(secured);
  const statuses = await connection.write(HEALTH).answers(1);
  connection.end();
  return { statuses, name, session: ticket };
}

async function reload(line: RegExp): Promise<void> {
  const seen = gateway.lines.length;
  gateway.child.kill("SIGHUP");
  while (!gateway.lines.slice(seen).some((one) => line.test(one))) await sleep(10);
}

test("only certificates of the configured authority open the port", async () => {
  for (const from of [CLIENT, BALANCER]) {
    assert.deepEqual((await check(from, good)).statuses, [200]);
    for (const files of [null, foreign, expired]) {
      assert.deepEqual((await check(from, files)).statuses, [], `${from} ${files?.cert}`);
    }
  }
  const plain = new RawConnection(dialFrom(CLIENT, gateway.httpPort));
  assert.deepEqual(await plain.write(HEALTH).closed(), []);
});

test("new certificates and authorities count for new connections, old ones go on", async () => {
  const secured = connect({
    socket: dialFrom(CLIENT, gateway.httpPort),
    ca: readPem(ours.caFile),
    host: "127.0.0.1",
    cert: readPem(good.cert),
    key: readPem(good.key),
  });
  const open = new RawConnection(secured);
  assert.deepEqual(await open.write(HEALTH).answers(1), [200]);
  const { session } = await check(CLIENT, good);
  use(renewed, theirs);
  await reload(/"reload certificates"/);
  // The relay's thread takes the files after main has said so.
  let now = await check(CLIENT, foreign);
  for (; now.statuses.length === 0; now = await check(CLIENT, foreign)) await sleep(10);
  assert.deepEqual([now.statuses, now.name], [[200], "renewed"]);
  assert.deepEqual((await check(CLIENT, good)).statuses, []);
  assert.deepEqual((await check(CLIENT, good, session)).statuses, [], "no session is resumed");
  assert.deepEqual(await open.write(HEALTH).answers(2), [200, 200]);
  open.end();
});

test("files that cannot be used change nothing", async () => {
  for (const spoil of [
    () => writeFileSync(caFile, "no certificate"),
    () => writeFileSync(caFile, readPem(ours.caFile).replaceAll(/[A-Z]{8}/g, "########")),
    () => rmSync(caFile),
    () => writeFileSync(certFile, "no certificate"),
  ]) {
    use(server, ours);
    spoil();
    await reload(/"level":50.*"reload certificates"/);
    const now = await check(CLIENT, foreign);
    assert.deepEqual([now.statuses, now.name], [[200], "renewed"]);
    assert.deepEqual((await check(CLIENT, good)).statuses, []);
  }
});

test("SIGTERM ends it with 0", async () => {
  gateway.child.kill("SIGTERM");
  assert.equal(await gateway.exited, 0, gateway.lines.slice(-5).join("\n"));
});
