/** What a reload takes over, what it leaves for a restart, and what it refuses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../../src/config/problems.ts";
import type { GatewayConfig } from "../../../src/config/types.ts";
import { mergeForReload } from "../../../src/config/reload.ts";
import { parse } from "./fixtures.ts";

const text = (more: string, apps = "[{ id: 1, name: a, rate_tps: 5 }]"): string => `
apps: ${apps}
links:
  - { id: 100, host: h, system_id: x }
  - { id: 200, host: h, system_id: y }
pools: [{ id: 1000, name: p, members: [{ link: 100 }] }]
routes: [{ prefix: "", to: 1000 }]
${more}
`;
const running = parse(text(""));

test("the same configuration changes nothing", () => {
  const merged = mergeForReload(running, parse(text("")));
  assert.deepEqual([merged.changed, merged.needsRestart], [[], []]);
  assert.deepEqual(merged.config, running);
});

test("live keys are taken over, item by item; the others stay and are named", () => {
  const wanted = parse(
    text(
      "node: { rate_tps: 9, region: west }\nhttp: { port: 81, host: 127.0.0.2 }",
      "[{ id: 2, name: b }, { id: 1, name: a, rate_tps: 6 }]",
    )
      .replace("system_id: y", "system_id: z")
      .replace("to: 1000", "to: 200"),
  );
  const { config, changed, needsRestart } = mergeForReload(running, wanted);
  assert.deepEqual(changed, ["node.rate_tps", "apps[1]", "apps[2]", "links[200]", "routes[]"]);
  assert.deepEqual(needsRestart, ["node.region", "http.host", "http.port"]);
  assert.equal(config.node.rateTps, 9);
  assert.equal(config.node.region, running.node.region);
  assert.deepEqual(config.http, running.http);
  assert.deepEqual(config.apps, wanted.apps);
  assert.deepEqual(config.links, wanted.links);
  assert.ok(Object.isFrozen(config));
  assert.equal(running.apps.length, 1);
});

test("another content of a secret's file is a change, but not of a key that is read anew", () => {
  const tls = { certFile: "/c", keyFile: "/k", caFile: null };
  const of = (content: string): GatewayConfig => {
    const { auth, http } = running;
    return {
      ...running,
      http: { ...http, tls: { ...tls, key: content } },
      auth: { ...auth, jwt: { ...auth.jwt, secretFile: "/s", secret: content.repeat(32) } },
    };
  };
  const { changed, needsRestart, config } = mergeForReload(of("a"), of("b"));
  assert.deepEqual([changed, needsRestart], [["auth.jwt.secret_file"], []]);
  assert.equal(config.auth.jwt.secret, "b".repeat(32));
});

test("an order of routes or apps alone is a change too", () => {
  const two = "[{ id: 1, name: a }, { id: 2, name: b }]";
  const swapped = "[{ id: 2, name: b }, { id: 1, name: a }]";
  const merged = mergeForReload(parse(text("", two)), parse(text("", swapped)));
  assert.deepEqual(merged.changed, ["apps"]);
});

test("live keys that do not agree with what needs a restart are refused", () => {
  const hooked = parse(text("", "[{ id: 1, name: a }, { id: 2, name: b }]"));
  const webhook = { app: 2, url: "https://x.example/", secretFile: null, secret: "x", types: [] };
  const before = { ...hooked, webhooks: [{ ...webhook, coalesce: false }] };
  assert.throws(
    () => mergeForReload(before, parse(text(""))),
    (error) => error instanceof ConfigError && /webhooks/.test(error.message),
  );
});
