/** Files as a whole: defaults, secrets, hostile YAML, where problems are, overrides. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../src/config/parse.ts";
import { ConfigError, problemLine } from "../../../src/config/problems.ts";
import { SOURCE_BYTES_MAX } from "../../../src/config/yaml-source.ts";
import { filesOf, LEAST, parse, refusals, refusedPaths } from "./fixtures.ts";

const JWT_SECRET = "0123456789abcdef0123456789abcdef";

test("defaults are those of api.md section 4", () => {
  const config = parse(LEAST);
  const { apps, links, pools, routes, ...blocks } = config;
  const rules = {
    dailyMax: null,
    weeklyMax: null,
    dedupWindowS: null,
    blacklists: [],
    quietHours: null,
  };
  assert.deepEqual(blocks, {
    node: {
      name: "gw-1",
      region: "local",
      dataDir: "/etc/smsgw/data",
      rateTps: null,
    },
    http: {
      host: "127.0.0.1",
      port: 8080,
      threads: 1,
      connectionsMax: 10_000,
      bodyBytesMax: 65536,
      batchBytesMax: 2097152,
      streamLineBytesMax: 65536,
      tls: null,
      proxyProtocolFrom: [],
    },
    grpc: { enabled: false, host: "127.0.0.1", port: 44044, tls: null },
    admin: { host: "127.0.0.1", port: 9090, tokenFile: null, token: null },
    workers: { count: "auto" },
    auth: {
      jwt: {
        secretFile: null,
        secret: null,
        jwksFile: null,
        jwks: null,
        jwksUrl: null,
        issuer: null,
        audience: "smsgw",
        leewayS: 30,
      },
    },
    profiles: {
      default: {
        defaultAlphabet: "gsm7",
        concatenation: "udh8",
        referenceOverflow: "widen",
        languages: [],
        senders: { allow: null, deny: [], default: null },
        serviceType: "",
        attemptsMax: 250,
        source: {
          alphanumeric: { ton: 5, npi: 0 },
          shortCode: { ton: 3, npi: 0 },
          international: { ton: 1, npi: 1, strip: "", add: "" },
          national: { ton: 2, npi: 1, strip: "", add: "" },
          none: { ton: 0, npi: 0 },
        },
        destination: [],
        tlvs: [],
        commandStatus: [],
      },
    },
    journal: {
      durability: "disk",
      commitIntervalUs: 1000,
      segmentBytes: 67108864,
      bytesMax: 10737418240,
    },
    ledger: {
      retentionH: 24,
      bytesMax: 21474836480,
      receiptGraceS: 86400,
      deadLetterTexts: true,
      eventsTtlH: 72,
      eventsMax: 1_000_000,
    },
    idempotency: { ttlH: 24, keysMax: 1_000_000, appKeysMax: 500_000 },
    aerospike: null,
    redis: null,
    limits: { replicasMax: null, forgetS: 30 },
    policy: {
      mode: "embedded",
      mcpUrl: null,
      mcpTokenFile: null,
      mcpToken: null,
      budgetMs: 50,
      policies: { default: rules },
      lists: {},
    },
    s3: null,
    cdr: {
      enabled: true,
      bucket: null,
      prefix: "cdr/",
      format: "ndjson",
      rollIntervalS: 60,
      rollBytesMax: 67108864,
      diskBytesMax: 10737418240,
      refusalsPerSMax: 0,
    },
    webhooks: [],
    log: { level: "info", redact: true, archive: false, archiveBytesMax: 1073741824 },
  });
  assert.deepEqual(pools, []);
  assert.deepEqual(routes, [{ prefix: "", to: 100 }]);
  assert.equal(apps[0]?.burst, 2000);
  assert.deepEqual(apps[0]?.ipAllow, ["127.0.0.0/8", "::1/128"]);
  assert.deepEqual(links[0], {
    id: 100,
    host: "127.0.0.1",
    port: 2775,
    tls: null,
    systemId: "demo",
    passwordFile: null,
    password: null,
    bind: "transceiver",
    sessions: 2,
    windowMax: 100,
    rateTps: null,
    apps: null,
    ipAllow: null,
    enquireLinkIntervalMs: 30000,
    responseTimeoutMs: 30000,
    profile: "default",
    ambiguous: "by_class",
  });
});

test("the result is frozen all the way down", () => {
  const config = parse(LEAST);
  assert.throws(() => Object.assign(config.http, { port: 1 }), TypeError);
  assert.throws(() => Object.assign(config.apps, { 0: null }), TypeError);
  assert.throws(() => Object.assign(config.policy.policies["default"] ?? {}, { dailyMax: 1 }));
});

test("rates: null is kept apart from 0", () => {
  const rates = (text: string) => parse(LEAST.replace("name: demo", text)).apps[0]?.rateTps;
  assert.equal(rates("name: demo, rate_tps: 0"), 0);
  assert.equal(rates("name: demo, rate_tps: null"), null);
});

test("an empty block means its defaults, an empty file misses three keys", () => {
  assert.equal(parse(`${LEAST}\nhttp:\n`).http.port, 8080);
  assert.deepEqual(refusedPaths(""), ["apps", "links", "routes"]);
});

test("a secret is read beside the file, one line end dropped, other space kept", () => {
  const text = `${LEAST}\nauth: { jwt: { secret_file: secrets/jwt } }`;
  const at = "/etc/smsgw/secrets/jwt";
  for (const [content, expected] of [
    [`${JWT_SECRET}\n`, JWT_SECRET],
    [`${JWT_SECRET}\r\n`, JWT_SECRET],
    [`${JWT_SECRET}\n\n`, `${JWT_SECRET}\n`],
    [` ${JWT_SECRET}`, ` ${JWT_SECRET}`],
  ] as const) {
    const { jwt } = parse(text, { files: { [at]: content } }).auth;
    assert.equal(jwt.secret, expected);
    assert.equal(jwt.secretFile, at);
  }
});

test("a missing, short, binary or inline secret is refused without showing it", () => {
  const text = `${LEAST}\nauth: { jwt: { secret_file: s } }`;
  const [missing] = refusals(text);
  assert.match(missing?.found ?? "", /ENOENT/);
  const [short] = refusals(text, { files: { "/etc/smsgw/s": "hunter2-hunter2" } });
  assert.equal(short?.path, "auth.jwt.secret_file");
  assert.equal(short?.found, "a secret of 15 bytes");
  const binary = new Uint8Array(40).fill(0xff);
  assert.match(refusals(text, { files: { "/etc/smsgw/s": binary } })[0]?.found ?? "", /UTF-8/);
  const [inline] = refusals(`${LEAST}\nauth: { jwt: { secret: ${JWT_SECRET} } }`);
  assert.equal(inline?.path, "auth.jwt.secret");
  assert.match(inline?.allowed ?? "", /secret_file, .*SMSGW_AUTH__JWT__SECRET/);
  assert.doesNotMatch(JSON.stringify(inline), new RegExp(JWT_SECRET));
});

test("the environment gives secrets and wins over the file", () => {
  const env = { SMSGW_AUTH__JWT__SECRET: JWT_SECRET, SMSGW_LINKS__100__PASSWORD: "pässwörd" };
  const config = parse(LEAST, { env });
  assert.equal(config.auth.jwt.secret, JWT_SECRET);
  assert.equal(config.links[0]?.password, "pässwörd");
  const text = `${LEAST}\nadmin: { token_file: t }`;
  const files = { "/etc/smsgw/t": "from-the-file-0123" };
  assert.equal(parse(text, { files }).admin.token, "from-the-file-0123");
  const both = parse(text, { files, env: { SMSGW_ADMIN__TOKEN: "from-the-env-0123" } });
  assert.equal(both.admin.token, "from-the-env-0123");
});

test("a password of the link may be longer than SMPP says, up to 64 bytes", () => {
  const env = (length: number) => ({ SMSGW_LINKS__100__PASSWORD: "p".repeat(length) });
  assert.equal(parse(LEAST, { env: env(64) }).links[0]?.password?.length, 64);
  assert.deepEqual(refusedPaths(LEAST, { env: env(65) }), ["links[100].password"]);
});

test("all problems come at once, with path, line, what was found and what is allowed", () => {
  const text = [
    "htpp: { port: 1 }",
    "apps:",
    "  - { id: 1, name: 7 }",
    "links:",
    "  - id: 100",
    "    host: 127.0.0.1",
    "    system_id: a-system-id-too-long",
    "    rate_tps: 500/s",
    "    enquire_link_interval: 9",
    "routes: [{ prefix: 998, to: 100 }]",
  ].join("\n");
  const lines = refusals(text, { env: { SMSGW_HTTP__PORT: "eighty" } }).map(problemLine);
  assert.deepEqual(
    lines.map((line) =>
      line.replace(/; allowed: .*/, "").replace(/ \(did you mean (.*)\)/, ", $1"),
    ),
    [
      "htpp (line 1): found an unknown key, http?",
      'http.port (environment SMSGW_HTTP__PORT): found "eighty"',
      "apps[1].name (line 3): found 7, which is not text (quote it)",
      "links[100].enquire_link_interval (line 9): found an unknown key, enquire_link_interval_ms?",
      'links[100].system_id (line 7): found "a-system-id-too-long" of 20 characters',
      'links[100].rate_tps (line 8): found "500/s", which is text (the unit is fixed)',
      "routes[998].prefix (line 10): found 998, which is not text (quote it)",
    ],
  );
  assert.ok(lines.every((line) => / allowed: ./.test(line)));
});

test("variables that name nothing are refused, each saying what there is", () => {
  const wrong = {
    SMSGW_HTTP__PROT: /did you mean PORT/,
    SMSGW_HTTP__PORT__X: /nothing below http\.port/,
    SMSGW_LINKS__101__RATE_TPS: /the id of one of links: "100"/,
    SMSGW_POLICY__POLICIES__VIP__DAILY_MAX: /one of policy\.policies: default/,
    SMSGW_SERVICE_PORT: /enableServiceLinks/,
    SMSGW_PORT_8080_TCP_ADDR: /enableServiceLinks/,
    SMSGW_http__port: /one of NODE/,
    SMSGW_: /one of NODE/,
    SMSGW_WEBHOOKS__0__URL: /only as a whole/,
    SMSGW_CONSTRUCTOR: /one of NODE/,
  };
  for (const [name, allowed] of Object.entries(wrong)) {
    const [problem] = refusals(LEAST, { env: { [name]: "1" } });
    assert.equal(problem?.path, name);
    assert.match(problem?.allowed ?? "", allowed);
  }
  assert.equal(parse(LEAST, { env: { OTHER_SMSGW_HTTP__PORT: "x" } }).http.port, 8080);
});

test("variables reach lists, members, routes, whole blocks, and nulls", () => {
  const text = `${LEAST}
pools: [{ id: 1000, name: main, members: [{ link: 100, weight: 5 }] }]
policy: { policies: { night-shift: {} } }`;
  const config = parse(text, {
    env: {
      SMSGW_LINKS__100__RATE_TPS: "50",
      SMSGW_POOLS__1000__MEMBERS__100__WEIGHT: "7",
      SMSGW_ROUTES____TO: "1000",
      SMSGW_APPS__1__SCOPES: "send, ops",
      SMSGW_APPS__1__IP_ALLOW: "null",
      SMSGW_APPS__1__POLICIES: "[default, night-shift]",
      SMSGW_POLICY__POLICIES__NIGHT_SHIFT__DAILY_MAX: "null",
      SMSGW_JOURNAL: "{ durability: process, segment_bytes: 1048576 }",
      SMSGW_JOURNAL__BYTES_MAX: "4194304",
      SMSGW_LOG__REDACT: "false",
      SMSGW_WORKERS__COUNT: "auto",
    },
  });
  assert.equal(config.links[0]?.rateTps, 50);
  assert.equal(config.pools[0]?.members[0]?.weight, 7);
  assert.equal(config.routes[0]?.to, 1000);
  assert.deepEqual(config.apps[0]?.scopes, ["send", "ops"]);
  assert.equal(config.apps[0]?.ipAllow, null);
  assert.deepEqual(config.apps[0]?.policies, ["default", "night-shift"]);
  assert.deepEqual(config.journal, {
    durability: "process",
    commitIntervalUs: 1000,
    segmentBytes: 1_048_576,
    bytesMax: 4_194_304,
  });
  assert.equal(config.log.redact, false);
  for (const value of ["&a { port: *a }", "{ port: ", "[".repeat(100_000), "- &a [*a]"]) {
    assert.deepEqual(refusedPaths(LEAST, { env: { SMSGW_HTTP: value } }), ["http"]);
  }
});

test("an override of one item leaves another made from the same anchor alone", () => {
  const text = `
apps: [{ id: 1, name: demo }]
links:
  - { id: 100, host: 127.0.0.1, system_id: demo }
  - { id: 101, host: 127.0.0.1, system_id: demo }
pools:
  - { id: 1, name: a, members: &both [{ link: 100 }, { link: 101 }] }
  - { id: 2, name: b, members: *both }
routes: [{ prefix: "", to: 1 }]`;
  const config = parse(text, { env: { SMSGW_POOLS__1__MEMBERS__100__WEIGHT: "9" } });
  assert.deepEqual(
    config.pools.map((pool) => pool.members[0]?.weight),
    [9, 1],
  );
});

test("hostile YAML is refused with a problem, never with a crash", () => {
  const bomb = `${Array.from({ length: 12 }, (_, i) => {
    const of = i === 0 ? '"x"' : `*a${i - 1}`;
    return `a${i}: &a${i} [${Array.from({ length: 10 }, () => of).join(",")}]`;
  }).join("\n")}\n`;
  const hostile: Readonly<Record<string, string | Uint8Array>> = {
    "duplicate keys": `${LEAST}\nhttp: { port: 1, port: 2 }`,
    "an alias bomb": bomb,
    "a loop": "a: &a [*a]",
    "two documents": `${LEAST}\n---\n${LEAST}`,
    "a tag": `${LEAST}\nhttp: { port: !!js/function "x" }`,
    "a key that is a list": "? [a]\n: 1",
    "not UTF-8": new Uint8Array([0x61, 0x3a, 0xff]),
    "too large": `${LEAST}\n#${"x".repeat(SOURCE_BYTES_MAX)}`,
    nesting: "[".repeat(100_000),
    "a syntax error": "apps: [",
    tabs: "apps:\n\t- id: 1",
    "a scalar": "just text",
    "a list": "- 1",
  };
  for (const [what, source] of Object.entries(hostile)) {
    const problems = refusals(source);
    assert.ok(problems.length > 0, what);
    assert.ok(
      problems.every((problem) => problem.path === "file"),
      `${what}: ${problems[0]?.path}`,
    );
  }
});

test("names of JavaScript's own objects are unknown keys like any other", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    assert.deepEqual(refusedPaths(`${LEAST}\n${name}: { port: 1 }`), [name]);
    assert.deepEqual(refusedPaths(`${LEAST}\nhttp: { ${name}: 1 }`), [`http.${name}`]);
  }
  const config = parse(`${LEAST}\npolicy: { policies: { __proto__: {} } }`);
  assert.ok(Object.hasOwn(config.policy.policies, "__proto__"));
  const dangling = LEAST.replace("name: demo", "name: demo, policies: [constructor]");
  assert.deepEqual(refusedPaths(dangling), ["apps[1].policies"]);
});

test("a file that cannot be read is a configuration error, exit code 78", () => {
  assert.throws(
    () => loadConfig("/nowhere/smsgw.yaml", {}, filesOf({})),
    (error) =>
      error instanceof ConfigError && error.exitCode === 78 && /ENOENT/.test(error.message),
  );
  const readFile = filesOf({ "/a/b/smsgw.yaml": LEAST });
  assert.equal(loadConfig("/a/b/smsgw.yaml", {}, readFile).node.dataDir, "/a/b/data");
});
