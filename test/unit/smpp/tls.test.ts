/** TLS towards an SMSC on real sockets: who is trusted, who we are, and what goes wrong by name. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { TlsOptions } from "node:tls";
import type { LinkTlsConfig } from "../../../src/config/types.ts";
import { readPem, TestAuthority } from "../../support/certificates.ts";
import { LiveLinks } from "../../support/live-links.ts";
import { ScriptedSmsc } from "../../support/scripted-smsc.ts";

const PLAIN: LinkTlsConfig = {
  caFile: null,
  certFile: null,
  keyFile: null,
  key: null,
  serverName: null,
  verify: true,
};

describe("TLS towards an SMSC", () => {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-tls-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const authority = new TestAuthority(folder);
  const stranger = new TestAuthority(folder, "stranger");
  const smscFiles = authority.issue("smsc", "DNS:smsc.test,IP:127.0.0.1");
  const ours = authority.issue("esme", "DNS:esme.test");
  const expired = authority.issue("expired", "IP:127.0.0.1", true);
  const elsewhere = authority.issue("elsewhere", "DNS:other.test");
  const unknown = stranger.issue("unknown", "DNS:esme.test");

  const server = (files = smscFiles, more: TlsOptions = {}): TlsOptions => ({
    cert: readPem(files.cert),
    key: readPem(files.key),
    ...more,
  });
  const mutual: TlsOptions = {
    requestCert: true,
    rejectUnauthorized: true,
    ca: readPem(authority.caFile),
  };
  const client = (files = ours): Partial<LinkTlsConfig> => ({
    certFile: files.cert,
    keyFile: files.key,
    key: readPem(files.key),
  });

  /** Binds and sends 50 messages; or returns why it cannot bind. */
  async function attempt(
    tlsServer: TlsOptions | null,
    tls: Partial<LinkTlsConfig>,
  ): Promise<string> {
    const smsc = new ScriptedSmsc(tlsServer);
    const port = await smsc.listen();
    const links = new LiveLinks({ links: [{ port, tls: { ...PLAIN, ...tls } }], speed: 10 });
    const { world } = links;
    const failure = (): string => {
      const cause = world.logs.find(({ level }) => level === "warn")?.fields["cause"];
      return typeof cause === "string" ? cause : "";
    };
    await links.until(() => world.boundCount() === 1 || failure() !== "", "bound or refused");
    if (failure() === "") {
      links.submit(50);
      await links.until(() => links.openCount === 0, "answered");
      assert.equal(smsc.submits.length, 50);
    }
    await links.stop();
    await smsc.close();
    return failure();
  }

  const trusted = { caFile: authority.caFile };

  test("a certificate of a trusted authority for the address: traffic flows", async () => {
    assert.equal(await attempt(server(), trusted), "");
  });

  test("server_name is what the certificate is checked for, and is sent as SNI", async () => {
    let asked = "";
    const options = server(smscFiles, {
      SNICallback: (name, done) => {
        asked = name;
        done(null);
      },
    });
    assert.equal(await attempt(options, { ...trusted, serverName: "smsc.test" }), "");
    assert.equal(asked, "smsc.test");
  });

  test("both sides show certificates", async () => {
    assert.equal(await attempt(server(smscFiles, mutual), { ...trusted, ...client() }), "");
  });

  test("without verification a stranger is taken, because the configuration says so", async () => {
    assert.equal(await attempt(server(), { verify: false }), "");
  });

  const refusals: readonly (readonly [
    string,
    TlsOptions | null,
    Partial<LinkTlsConfig>,
    RegExp,
  ])[] = [
    ["an unknown authority", server(), {}, /TLS: .*tls\.ca_file/],
    ["another name", server(elsewhere), trusted, /TLS: .*another name/],
    [
      "a wrong server_name",
      server(),
      { ...trusted, serverName: "wrong.test" },
      /TLS: .*another name/,
    ],
    ["an expired certificate", server(expired), trusted, /TLS: .*expired/],
    ["no TLS on the port", null, trusted, /./],
    [
      "no certificate of ours where one is wanted",
      server(smscFiles, mutual),
      trusted,
      /TLS: the SMSC wants a client certificate|reset|closed/,
    ],
    [
      "a certificate of ours that the SMSC does not know",
      server(smscFiles, mutual),
      { ...trusted, ...client(unknown) },
      /TLS: the SMSC (does not know|refuses)|reset|closed/,
    ],
    [
      "a missing file",
      server(),
      { caFile: join(folder, "nowhere.pem") },
      /a certificate file is missing \(ENOENT\)/,
    ],
    [
      "a key of another certificate",
      server(),
      { ...trusted, ...client(), key: readPem(smscFiles.key) },
      /tls\.key_file does not belong/,
    ],
  ];
  for (const [name, options, tls, expected] of refusals) {
    test(`refused, and named: ${name}`, async () => {
      assert.match(await attempt(options, tls), expected);
    });
  }
});
