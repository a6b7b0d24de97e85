import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { AdminServer } from "../../../src/admin/server.ts";
import type { AdminSources } from "../../../src/admin/sources.ts";
import { configJsonSchema } from "../../../src/config/json-schema.ts";
import { MESSAGE_PROPERTIES } from "../../../src/ingress/api-schemas.ts";
import { MESSAGE_FIELD_NAMES } from "../../../src/ingress/admission/message-fields.ts";
import { openapiJson, ROUTES } from "../../../src/ingress/openapi.ts";
import { HttpServer } from "../../../src/ingress/server.ts";
import type { Uws, UwsApp } from "../../../src/ingress/http/uws.ts";
import { HttpRig } from "./http-rig.ts";
import { IngressRig } from "./rig.ts";

const document = JSON.parse(openapiJson()) as Record<string, unknown>;

test("docs/openapi.json is what the tables say; npm run docs writes it", () => {
  const url = new URL("../../../../docs/openapi.json", import.meta.url);
  assert.equal(readFileSync(url, "utf8"), openapiJson());
});

test("a public validator takes it as OpenAPI 3.1, and not a broken one", async () => {
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document));
  assert.deepEqual(result, { valid: true });
  assert.equal(validator.version, "3.1");
  const broken = structuredClone(document) as { paths: Record<string, { post: object }> };
  Object.assign(broken.paths["/v1/messages"] as object, { post: { responses: 1 } });
  assert.equal((await new Validator().validate(broken)).valid, false);
});

test("a public validator compiles the configuration's JSON Schema", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const check = ajv.compile(JSON.parse(configJsonSchema()) as object);
  const least = { apps: [], links: [], routes: [] };
  assert.equal(typeof check(least), "boolean");
  assert.equal(check({ ...least, unknown: 1 }), false);
});

/** Collects the routes that a listener registers, as OpenAPI writes them. */
function recordingUws(found: Set<string>): Uws {
  const note = (method: string, pattern: string): void => {
    if (pattern === "/*" || /%3a/i.test(pattern)) return;
    found.add(`${method} ${pattern.replaceAll(/\/:(\w+)/g, "/{$1}")}`);
  };
  const app = {
    get: (pattern: string) => (note("get", pattern), app),
    post: (pattern: string) => (note("post", pattern), app),
    del: (pattern: string) => (note("delete", pattern), app),
    any: () => app,
    close: () => app,
  } as unknown as UwsApp;
  return { App: () => app, SSLApp: () => app } as unknown as Uws;
}

test("what is served is described, and what is described is served", () => {
  const rig = new IngressRig();
  for (const port of ["public", "admin"] as const) {
    const found = new Set<string>();
    const uws = recordingUws(found);
    const { config, pools, clock, ingress } = rig;
    const log = { write: () => undefined };
    const none = (): readonly object[] => [];
    const reads = { ask: () => false };
    const listed = { links: none, poolStates: none };
    const common = { uws, config, pools, clock, ingress, log, reads, ...listed };
    const server =
      port === "public"
        ? new HttpServer({ ...common, isRelayed: false, tls: () => null, unreadiness: () => [] })
        : new AdminServer(uws, { clock: rig.clock } as unknown as AdminSources);
    server.close();
    const described = ROUTES.filter(({ ports }) => ports.includes(port));
    assert.deepEqual(
      [...found].toSorted(),
      described.map(({ method, path }) => `${method} ${path}`).toSorted(),
      port,
    );
  }
});

test("the fields of a message are those that are read", () => {
  assert.deepEqual(Object.keys(MESSAGE_PROPERTIES).toSorted(), [...MESSAGE_FIELD_NAMES].toSorted());
});

test("answers are what their schemas say", async () => {
  const http = new HttpRig({ waitingMax: 1000 });
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, "api");
  const assertIs = (schema: string, value: unknown): void => {
    const check = ajv.getSchema(`api#/components/schemas/${schema}`);
    assert.ok(check !== undefined, schema);
    assert.equal(check(value), true, JSON.stringify([check.errors, value]));
  };
  const message = { to: "+998901234567", text: "Ça “va”?", transliterate: true, reference: "r" };
  assertIs("Message", message);
  assertIs("Accepted", (await http.post(message)).json);
  assertIs("Problem", (await http.post({ to: 1 })).json);
  assertIs("Problem", (await http.post(message, http.headers(4))).json);
  const calls = { batch: { messages: [message, { to: "1" }] }, preview: message };
  for (const [call, body] of Object.entries(calls)) {
    const path = `/v1/messages:${call}`;
    const answer = await http.call({ path, body: JSON.stringify(body) });
    assertIs(call === "batch" ? "BatchAnswer" : "Preview", answer.json);
  }
  const served = await http.call({ method: "GET", path: "/openapi.json", headers: {} });
  assert.deepEqual(served.json, document);
  await http.close();
});
