/** Generated documents are those in docs/; the schema agrees with the check; secrets are masked. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { configMarkdown, errorsMarkdown } from "../../../src/config/docs.ts";
import { effectiveConfig, MASK } from "../../../src/config/effective.ts";
import { configJsonSchema } from "../../../src/config/json-schema.ts";
import { renderYaml } from "../../../src/config/yaml-source.ts";
import { TABLE } from "../../../src/config/table.ts";
import { LEAST, parse, refusedPaths } from "./fixtures.ts";
import { leaves, walk } from "./sample.ts";

/** Tests run from dist/test/unit/config. */
function doc(name: string): string {
  return readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), "utf8");
}

test("docs/ holds what the tables say; npm run docs writes it", () => {
  assert.equal(doc("CONFIG.md"), configMarkdown());
  assert.equal(doc("ERRORS.md"), errorsMarkdown());
  assert.equal(doc("config.schema.json"), configJsonSchema());
});

test("every key has a sentence of its own in the documentation", () => {
  const text = configMarkdown();
  for (const { node, path } of leaves(TABLE)) {
    const name = path
      .map((step) => (typeof step === "number" ? "[]" : `.${step}`))
      .join("")
      .slice(1)
      .replace(/^(policy\.(?:policies|lists)|profiles)\.default/, "$1.<name>");
    assert.ok(text.includes(`| \`${name}\` |`), name);
    assert.match(node.doc, /^[A-Z].*\.$/u, name);
  }
  for (const { node } of walk(TABLE)) assert.match(node.doc, /^[A-Z].*\.$/u);
});

test("the schema knows every block and forbids what it does not know", () => {
  const schema = JSON.parse(configJsonSchema()) as {
    required: string[];
    additionalProperties: boolean;
    properties: Record<string, unknown>;
  };
  assert.deepEqual(schema.required, ["apps", "links", "routes"]);
  assert.equal(schema.additionalProperties, false);
  assert.deepEqual(Object.keys(schema.properties), Object.keys(TABLE.keys));
});

test("the effective configuration masks every secret and can be read again without them", () => {
  const config = parse(`${LEAST}\nadmin: { token_file: t }`, {
    env: {
      SMSGW_AUTH__JWT__SECRET: "jwt-secret-jwt-secret-jwt-secret",
      SMSGW_LINKS__100__PASSWORD: "hunter2",
    },
    files: { "/etc/smsgw/t": "token-token-token-token" },
  });
  const text = renderYaml(effectiveConfig(config));
  assert.doesNotMatch(text, /jwt-secret|hunter2|token-token/);
  assert.equal(text.split(MASK).length - 1, 3);
  assert.deepEqual(refusedPaths(text, { files: { "/etc/smsgw/t": "token-token-token-token" } }), [
    "admin.token",
    "auth.jwt.secret",
    "links[100].password",
  ]);
  const plain = parse(LEAST);
  assert.deepEqual(parse(renderYaml(effectiveConfig(plain))), plain);
});
