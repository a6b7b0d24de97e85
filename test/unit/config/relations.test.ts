/** What must hold between keys, each with a file or a configuration that breaks it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkRelations, isLoopback } from "../../../src/config/relations.ts";
import type { GatewayConfig } from "../../../src/config/types.ts";
import { LEAST, parse, refusals, refusedPaths } from "./fixtures.ts";

const POOLED = `
apps: [{ id: 1, name: demo }]
links:
  - { id: 100, host: 127.0.0.1, system_id: a }
  - { id: 101, host: 127.0.0.1, system_id: b }
pools: [{ id: 1000, name: main, members: [{ link: 100 }, { link: 101 }] }]
routes: [{ prefix: "", to: 1000 }]
`;

function broken(config: GatewayConfig): string[] {
  const paths: string[] = [];
  checkRelations(config, new Set(), (path) => paths.push(path));
  return paths;
}

/** The Ed25519 key of RFC 8037, appendix A.2. */
const KEY_SET = JSON.stringify({
  keys: [{ kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }],
});

test("a right configuration breaks no relation", () => {
  assert.deepEqual(broken(parse(POOLED)), []);
});

test("ids are unique, also between links and pools", () => {
  const twice = POOLED.replace("id: 101", "id: 100").replace("link: 101", "link: 100");
  const problems = refusals(twice);
  assert.deepEqual(
    problems.map((problem) => problem.path),
    ["links[100]", "pools[1000].members[100]"],
  );
  assert.match(problems[0]?.found ?? "", /id 100 a second time \(first at position 0\)/);
  const shared = POOLED.replace("id: 1000", "id: 100").replace("to: 1000", "to: 100");
  assert.deepEqual(refusedPaths(shared), ["pools[100].id"]);
});

test("prefixes are unique and quoted digits", () => {
  const routes = (text: string) => POOLED.replace('{ prefix: "", to: 1000 }', text);
  const twice = routes('{ prefix: "99", to: 1000 }, { prefix: "99", to: 100 }');
  assert.deepEqual(refusedPaths(twice), ["routes[99]"]);
  assert.deepEqual(refusedPaths(routes('{ prefix: "+99", to: 1000 }')), ["routes[+99].prefix"]);
});

test("routes and members name what exists", () => {
  assert.deepEqual(refusedPaths(POOLED.replace("to: 1000", "to: 7")), ["routes[].to"]);
  const member = POOLED.replace("link: 101", "link: 102");
  assert.deepEqual(refusedPaths(member), ["pools[1000].members[102].link"]);
  const none = POOLED.replace("[{ link: 100 }, { link: 101 }]", "[]");
  assert.deepEqual(refusedPaths(none), ["pools[1000].members"]);
});

test("members of a pool share apps and ip_allow", () => {
  const config = parse(POOLED);
  const [first, second] = config.links;
  assert.ok(first && second);
  const other = { ...second, apps: [1] };
  assert.deepEqual(broken({ ...config, links: [first, other] }), ["pools[1000].members[101].link"]);
  const left = { ...first, ipAllow: ["10.0.0.0/8", "::1/128"] };
  const right = { ...second, ipAllow: ["::1/128", "10.0.0.0/8"] };
  assert.deepEqual(broken({ ...config, links: [left, right] }), []);
  const fewer = { ...second, ipAllow: ["::1/128"] };
  assert.equal(broken({ ...config, links: [left, fewer] }).length, 1);
});

test("apps name policies that exist, links name apps that exist", () => {
  const text = LEAST.replace("name: demo", "name: demo, policies: [default, vip]");
  assert.deepEqual(refusedPaths(text), ["apps[1].policies"]);
  const config = parse(LEAST);
  const links = config.links.map((link) => ({ ...link, apps: [1, 2] }));
  assert.deepEqual(broken({ ...config, links }), ["links[100].apps"]);
});

test("the journal holds at least four segments", () => {
  const journal = (bytes: number) =>
    `${LEAST}\njournal: { segment_bytes: 1048576, bytes_max: ${bytes} }`;
  assert.equal(parse(journal(4 * 1_048_576)).journal.bytesMax, 4_194_304);
  assert.deepEqual(refusedPaths(journal(4 * 1_048_576 - 1)), ["journal.bytes_max"]);
});

test("an admin listener beyond loopback needs a token", () => {
  assert.deepEqual(refusedPaths(`${LEAST}\nadmin: { host: 0.0.0.0 }`), ["admin.host"]);
  const env = { SMSGW_ADMIN__TOKEN: "0123456789abcdef" };
  assert.equal(parse(`${LEAST}\nadmin: { host: 0.0.0.0 }`, { env }).admin.host, "0.0.0.0");
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "localhost"]) assert.ok(isLoopback(host));
  for (const host of ["0.0.0.0", "::", "128.0.0.1", "127.example.net", "localhost.example.net"]) {
    assert.ok(!isLoopback(host), host);
  }
});

test("listeners have ports of their own, and a batch is no smaller than a message", () => {
  assert.deepEqual(refusedPaths(`${LEAST}\nadmin: { port: 8080 }`), ["admin.port"]);
  assert.equal(parse(`${LEAST}\nhttp: { port: 0 }\nadmin: { port: 0 }`).admin.port, 0);
  const small = `${LEAST}\nhttp: { body_bytes_max: 4096, batch_bytes_max: 2048 }`;
  assert.deepEqual(refusedPaths(small), ["http.batch_bytes_max"]);
});

test("relations of features still to be built hold too", () => {
  const config = parse(LEAST);
  const redis = {
    mode: "sentinel",
    nodes: ["127.0.0.1:1"],
    name: null,
    user: null,
    passwordFile: null,
    password: null,
    tls: null,
  } as const;
  assert.deepEqual(broken({ ...config, redis }), ["limits.replicas_max", "redis.name"]);
  const jwt = { ...config.auth.jwt, jwksFile: "/a", jwks: KEY_SET, jwksUrl: "https://a.net" };
  assert.deepEqual(broken({ ...config, auth: { jwt } }), ["auth.jwt.jwks_url"]);
  const apps = config.apps.map((app) => ({ ...app, jwt }));
  assert.deepEqual(broken({ ...config, apps }), ["apps[1].jwt.jwks_url"]);
  const rules = config.policy.policies["default"];
  assert.ok(rules);
  const policy = {
    ...config.policy,
    mode: "mcp",
    policies: { default: { ...rules, blacklists: ["no"] } },
    lists: { yes: { source: "s3://b/k", pollS: 1 } },
  } as const;
  assert.deepEqual(broken({ ...config, policy }), [
    "policy.mcp_url",
    "policy.policies.default.blacklists",
    "policy.lists.yes.source",
  ]);
  const cdr = { ...config.cdr, bucket: "b" };
  assert.deepEqual(broken({ ...config, cdr }), ["cdr.bucket"]);
  const webhook = { app: 2, url: "https://a.net", secretFile: null, secret: null };
  const webhooks = [{ ...webhook, types: [], coalesce: false }];
  assert.deepEqual(broken({ ...config, webhooks }), ["webhooks[#0].app"]);
});

test("one mistake is reported once: relations skip blocks that have problems", () => {
  assert.deepEqual(refusedPaths(POOLED.replace("id: 101", "id: many")), ["links[many].id"]);
});

const PROFILED = (first: string, second: string) => `
apps: [{ id: 1, name: demo }]
profiles:
  one: ${first}
  two: ${second}
links:
  - { id: 100, host: 127.0.0.1, system_id: a, profile: one }
  - { id: 101, host: 127.0.0.1, system_id: b, profile: two }
pools: [{ id: 1000, name: main, members: [{ link: 100 }, { link: 101 }] }]
routes: [{ prefix: "", to: 1000 }]
`;

test("links name profiles that exist", () => {
  const text = LEAST.replace("system_id: demo", "system_id: demo, profile: acme");
  const [problem] = refusals(text);
  assert.equal(problem?.path, "links[100].profile");
  assert.equal(problem.allowed, "names of profiles: default");
  const inherited = LEAST.replace("system_id: demo", "system_id: demo, profile: constructor");
  assert.deepEqual(refusedPaths(inherited), ["links[100].profile"]);
});

test("members of a pool share what is decided before a link is chosen, and nothing else", () => {
  const apart = [
    "{ default_alphabet: latin1 }",
    "{ concatenation: sar }",
    "{ reference_overflow: refuse }",
    "{ languages: [turkish] }",
    "{ senders: { deny: [X] } }",
  ];
  for (const profile of apart) {
    const [problem] = refusals(PROFILED("{}", profile));
    assert.equal(problem?.path, "pools[1000].members[101].link", profile);
    assert.match(problem.found, /^profile two, with another \w+ than profile one$/);
    assert.equal(refusals(PROFILED(profile, "{}")).length, 1, profile);
    parse(PROFILED(profile, profile));
  }
  const senders = (first: string, second: string): string =>
    PROFILED(`{ senders: { deny: [${first}] } }`, `{ senders: { deny: [${second}] } }`);
  parse(senders("X, Y", "Y, X"));
  assert.equal(refusals(senders("X, Y", "Y, Z")).length, 1);
  const own = `{ tlvs: [{ tag: 0x1400, int: 1 }], destination: [{ strip: "", add: "00" }] }`;
  const { profiles } = parse(PROFILED("{}", own));
  assert.equal(profiles["two"]?.tlvs[0]?.tag, 0x1400);
});

test("a profile does not contradict itself", () => {
  const refused = (profile: string) => {
    const [problem] = refusals(PROFILED(profile, profile));
    return [problem?.path, problem?.found];
  };
  const cases: [string, string, RegExp][] = [
    ["{ tlvs: [{ tag: 0x1400 }] }", "tlvs[5120]", /^no value$/],
    [`{ tlvs: [{ tag: 5120, hex: "00", int: 1 }] }`, "tlvs[5120]", /^hex and int$/],
    ["{ tlvs: [{ tag: 5120, int: 256 }] }", "tlvs[5120].bytes", /^1, for the value 256$/],
    ["{ tlvs: [{ tag: 5120, int: 1, bytes: 3 }] }", "tlvs[5120].bytes", /^3/],
    ["{ tlvs: [{ tag: 0x0424, int: 1 }] }", "tlvs[1060].tag", /^message_payload$/],
    ["{ tlvs: [{ tag: 0x020c, int: 1, bytes: 2 }] }", "tlvs[524].tag", /^sar_msg_ref_num$/],
    ["{ tlvs: [{ tag: 5, int: 1, bytes: 2 }] }", "tlvs[5]", /^a value of 2 octets$/],
    [`{ tlvs: [{ tag: 0x130c, hex: "00" }] }`, "tlvs[4876]", /^a value of 1 octets$/],
    ["{ languages: [turkish], concatenation: sar }", "languages", /beside concatenation sar$/],
    ["{ languages: [spanish], default_alphabet: ascii }", "languages", /default_alphabet ascii$/],
    ["{ senders: { allow: [A*], default: B } }", "senders.default", /^"B"$/],
    ["{ senders: { deny: ['#*'], default: +447700900123 } }", "senders.default", /^447/],
  ];
  for (const [profile, path, found] of cases) {
    const [shown, text] = refused(profile);
    assert.equal(shown, `profiles.one.${path}`, profile);
    assert.match(text ?? "", found, profile);
  }
  parse(PROFILED(`{ tlvs: [{ tag: 0x130c, hex: "" }] }`, "{}"));
  const big = Array.from(
    { length: 3 },
    (_, i) => `{ tag: ${5120 + i}, string: ${"x".repeat(400)} }`,
  );
  assert.deepEqual(refusedPaths(PROFILED(`{ tlvs: [${big.join(", ")}] }`, "{}")), [
    "profiles.one.tlvs",
  ]);
});
