/** The built command as a user runs it: exit codes, where output goes, tokens that verify. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { jwtVerify } from "jose";

const PROGRAM = fileURLToPath(new URL("../../../src/cli/smsgw.js", import.meta.url));
const SECRET = "0123456789abcdef0123456789abcdef";
const folder = mkdtempSync(join(tmpdir(), "smsgw-cli-"));
after(() => rmSync(folder, { recursive: true }));

writeFileSync(join(folder, "jwt"), `${SECRET}\n`);
writeFileSync(
  join(folder, "smsgw.yaml"),
  `
auth: { jwt: { secret_file: jwt, issuer: tests } }
apps: [{ id: 7, name: demo, scopes: [send, ops] }, { id: 8, name: other }]
links: [{ id: 100, host: 127.0.0.1, system_id: demo }]
routes: [{ prefix: "", to: 100 }]
`,
);
writeFileSync(join(folder, "bad.yaml"), "apps: 1\nlinks: []\nrutes: []\n");

function smsgw(args: string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...env },
  });
  return { status, stdout, stderr };
}

test("help and version go to stdout, for the whole and for each command", () => {
  const help = smsgw(["--help"]);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /^Usage: smsgw <command>/);
  assert.equal(help.stderr, "");
  const names = [...help.stdout.matchAll(/^ {2}([a-z-]+) {2}/gm)].map((match) => match[1] ?? "");
  assert.ok(names.includes("token") && names.includes("check-config"), names.join());
  for (const name of names) {
    const one = smsgw([name, "--help"]);
    assert.equal(one.status, 0, name);
    assert.match(one.stdout, new RegExp(`^Usage: smsgw ${name}`));
  }
  assert.match(smsgw(["--version"]).stdout, /^\d+\.\d+\.\d+\n$/);
});

test("what cannot be understood ends with 2 and the usage on stderr", () => {
  const wrong = [
    [],
    ["nope"],
    ["--nope"],
    ["constructor"],
    ["token"],
    ["token", "--nope"],
    ["token", "--app"],
    ["token", "--app", "7", "extra"],
    ["token", "--app", "9"],
    ["token", "--app", "7", "--ttl", "soon"],
    ["token", "--app", "7", "--ttl", "0s"],
    ["token", "--app", "7", "--ttl", "367d"],
    ["token", "--app", "8", "--scopes", "ops"],
    ["check-config", "--app", "1"],
  ];
  for (const args of wrong) {
    const { status, stdout, stderr } = smsgw(args);
    assert.equal(status, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /Usage: smsgw/);
  }
});

test("a token verifies by another library and says what was asked", async () => {
  const { status, stdout, stderr } = smsgw(["token", "--app", "7", "--ttl", "15m"]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const key = Buffer.from(SECRET);
  const { payload, protectedHeader } = await jwtVerify(stdout.trim(), key, {
    algorithms: ["HS256"],
    audience: "smsgw",
    issuer: "tests",
    requiredClaims: ["exp", "iat"],
  });
  assert.deepEqual(protectedHeader, { alg: "HS256", typ: "JWT" });
  assert.equal(payload["app_id"], 7);
  assert.equal(payload["scope"], "send ops");
  assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 900);
});

test("--json gives the token with its scopes and end", () => {
  const { stdout } = smsgw(["token", "--app", "7", "--scopes", "send", "--json"]);
  const result = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(Object.keys(result), ["token", "app", "scopes", "expires_at"]);
  assert.deepEqual(result["scopes"], ["send"]);
  assert.match(String(result["expires_at"]), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
});

test("without a secret no token is made: failure, not usage", () => {
  writeFileSync(
    join(folder, "open.yaml"),
    "apps: [{ id: 7, name: a }]\nlinks: []\nroutes: []\npools: []\n",
  );
  const { status, stdout, stderr } = smsgw(["token", "--app", "7", "-c", "open.yaml"]);
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /SMSGW_AUTH__JWT__SECRET/);
  const env = { SMSGW_AUTH__JWT__SECRET: SECRET };
  assert.equal(smsgw(["token", "--app", "7", "-c", "open.yaml"], env).status, 0);
});

test("check-config prints the effective configuration without secrets", () => {
  const { status, stdout, stderr } = smsgw(["check-config"], { SMSGW_HTTP__PORT: "8099" });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^ {2}port: 8099$/m);
  assert.doesNotMatch(stdout, new RegExp(SECRET));
  assert.match(stderr, /^warning: links\[100\] binds with an empty password$/m);
  const json = smsgw(["check-config", "--json"]);
  const effective = JSON.parse(json.stdout) as { auth: { jwt: Record<string, unknown> } };
  assert.equal(effective.auth.jwt["secret"], "********");
});

test("a refused configuration ends with 78 and every problem on stderr, one a line", () => {
  for (const command of [["check-config"], ["token", "--app", "7"]]) {
    const { status, stdout, stderr } = smsgw([...command, "-c", "bad.yaml"], { SMSGW_X: "1" });
    assert.equal(status, 78);
    assert.equal(stdout, "");
    const paths = stderr
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/[ :]/u, 1)[0]);
    assert.deepEqual(paths, ["SMSGW_X", "rutes", "apps", "routes"]);
  }
  const missing = smsgw(["check-config", "-c", "no-such.yaml"]);
  assert.equal(missing.status, 78);
  assert.match(missing.stderr, /no-such\.yaml, which cannot be read \(ENOENT\)/);
});
