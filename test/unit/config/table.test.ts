/** Every key of the table: what it refuses, what it defaults to, how the environment reaches it. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { checkNode } from "../../../src/config/check.ts";
import { overlayEnv, pathKey } from "../../../src/config/env.ts";
import type { ConfigProblem } from "../../../src/config/problems.ts";
import { camel, secretName } from "../../../src/config/spec.ts";
import type { AnyLeaf, Node } from "../../../src/config/spec.ts";
import { TABLE } from "../../../src/config/table.ts";
import type { GatewayConfig } from "../../../src/config/types.ts";
import type { ValueOf } from "../../../src/config/spec.ts";
import { BASE_DIR, filesOf } from "./fixtures.ts";
import { allBuilt, badValues, fullTree, isRequired, leaves, shownByPosition } from "./sample.ts";
import { walk, withValue } from "./sample.ts";
import type { Path } from "./sample.ts";

type AllKeys<T> = T extends readonly (infer E)[]
  ? AllKeys<E>
  : T extends object
    ? { [K in keyof T & string]: K | `${K}.${AllKeys<T[K]>}` }[keyof T & string]
    : never;

/** Does not compile when the table has a key that GatewayConfig lacks, or the other way round. */
const keysOfTable: (key: AllKeys<ValueOf<typeof TABLE>>) => AllKeys<GatewayConfig> = (key) => key;
const keysOfTypes: (key: AllKeys<GatewayConfig>) => AllKeys<ValueOf<typeof TABLE>> = (key) => key;

const table = allBuilt(TABLE);
const tree = fullTree(table);
const secret = "s".repeat(40);
const readFile = filesOf({ [resolve(BASE_DIR, "some-file")]: secret });

function check(node: Node, value: unknown): { problems: ConfigProblem[]; config: unknown } {
  const problems: ConfigProblem[] = [];
  const config = checkNode(
    node,
    value,
    { shown: "", raw: [] },
    {
      problems,
      baseDir: BASE_DIR,
      readFile,
      whereOf: () => null,
      secretOf: () => null,
    },
  );
  return { problems, config };
}

/** Ids and names replaced by positions, so that paths compare. */
function byPosition(path: string): string {
  return path.replaceAll(/\[[^\]]*\]/g, "[#0]");
}

function valueAt(config: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) => (value as Record<string | number, unknown>)[camelStep(step)],
    config,
  );
}

function camelStep(step: string | number): string | number {
  return typeof step === "string" ? camel(step) : step;
}

function envName(path: Path): string {
  const steps = path.map((step, index) => (typeof step === "number" ? idAt(path, index) : step));
  return `SMSGW_${steps.join("__").toUpperCase()}`;
}

/** Lists whose items are not named by an `id`. */
const ID_KEYS: Readonly<Record<string, string>> = {
  members: "link",
  routes: "prefix",
  destination: "strip",
  tlvs: "tag",
  command_status: "code",
};

function idAt(path: Path, index: number): string {
  const list = path[index - 1];
  const item = path
    .slice(0, index + 1)
    .reduce<unknown>(
      (value, step) => (value as Record<string | number, unknown>)[step],
      tree,
    ) as Record<string, unknown>;
  return String(item[ID_KEYS[String(list)] ?? "id"]);
}

test("types and table name the same keys", () => {
  assert.equal(keysOfTable("node.name"), "node.name");
  assert.equal(keysOfTypes("links.rateTps"), "links.rateTps");
});

test("a file with every key is accepted", () => {
  assert.deepEqual(check(table, tree).problems, []);
});

test("every key refuses values of the wrong type, form or size, naming itself", () => {
  let tried = 0;
  for (const { node, path } of leaves(table)) {
    const bad = node.nullable ? badValues(node) : [...badValues(node), null];
    for (const value of bad) {
      const { problems } = check(table, withValue(tree, path, value));
      const what = `${shownByPosition(path)} = ${JSON.stringify(value).slice(0, 50)}`;
      assert.deepEqual(
        problems.map((problem) => byPosition(problem.path)),
        [shownByPosition(path)],
        what,
      );
      assert.notEqual(problems[0]?.found, "", what);
      assert.notEqual(problems[0]?.allowed, "", what);
      tried++;
    }
  }
  assert.ok(tried > 1000, `${tried} values`);
});

test("every key that is left out is refused or takes its default", () => {
  for (const { node, path } of leaves(table)) {
    const { problems, config } = check(table, withValue(tree, path, undefined));
    const shown = shownByPosition(path);
    if (isRequired(node)) {
      assert.deepEqual(
        problems.map((problem) => byPosition(problem.path)),
        [shown],
      );
      assert.match(problems[0]?.allowed ?? "", /required/);
      continue;
    }
    assert.deepEqual(problems, [], shown);
    const expected = node.type === "path" ? resolve(BASE_DIR, String(node.default)) : node.default;
    assert.deepEqual(valueAt(config, path), expected, shown);
  }
});

test("every bound is itself accepted", () => {
  for (const { node, path } of leaves(table)) {
    if (node.type !== "int" && node.type !== "int_or_auto") continue;
    for (const bound of [node.min, node.max]) {
      assert.deepEqual(check(table, withValue(tree, path, bound)).problems, []);
    }
  }
});

test("every block refuses an unknown key and guesses what was meant", () => {
  for (const { node, path } of walk(table)) {
    if (node.node !== "block") continue;
    const unknown = check(table, withValue(tree, [...path, "zz_nonsense"], 1)).problems;
    assert.equal(unknown.length, 1);
    assert.equal(byPosition(unknown[0]?.path ?? ""), shownByPosition([...path, "zz_nonsense"]));
    for (const key of Object.keys(node.keys)) {
      const typo = `${key}z`;
      const [problem] = check(table, withValue(tree, [...path, typo], 1)).problems;
      assert.match(problem?.found ?? "", new RegExp(`did you mean ${key}\\?`), typo);
    }
  }
});

test("every block, list and mapping refuses a value of another kind", () => {
  for (const { node, path } of walk(table)) {
    if (node.node === "leaf" || path.length === 0) continue;
    for (const value of ["text", 7, true, node.node === "items" ? {} : []]) {
      const { problems } = check(table, withValue(tree, path, value));
      assert.equal(byPosition(problems[0]?.path ?? ""), shownByPosition(path));
    }
  }
});

test("every secret refuses a size outside its bounds and never shows itself", () => {
  for (const { node, path } of leaves(table)) {
    if (node.type !== "secret_file") continue;
    const texts = ["x".repeat(node.max + 1), ...(node.min > 0 ? ["x".repeat(node.min - 1)] : [])];
    for (const text of texts) {
      const problems: ConfigProblem[] = [];
      checkNode(
        table,
        tree,
        { shown: "", raw: [] },
        {
          problems,
          baseDir: BASE_DIR,
          readFile,
          whereOf: () => null,
          secretOf: (raw) => {
            const mine = [...path.slice(0, -1), secretName(String(path.at(-1)))];
            return pathKey(raw) === pathKey(mine) ? { value: text, name: "X" } : null;
          },
        },
      );
      assert.equal(problems.length, 1);
      assert.match(problems[0]?.found ?? "", /^a secret of \d+ bytes$/);
      assert.equal(byPosition(`${problems[0]?.path}_file`), shownByPosition(path));
    }
  }
});

function envText(leaf: AnyLeaf, value: unknown): string {
  return leaf.type === "ints" || leaf.type === "strings"
    ? (value as unknown[]).join(",")
    : String(value);
}

test("every key can be set by its environment variable", () => {
  for (const { node, path } of leaves(table)) {
    if (path[0] === "webhooks") continue; // Its items have no id; it is given as a whole.
    const value = path.reduce<unknown>(
      (one, step) => (one as Record<string | number, unknown>)[step],
      tree,
    );
    const problems: ConfigProblem[] = [];
    const name = envName(path);
    const isInItem = typeof path.at(-2) === "number";
    const before = isInItem && path.at(-1) === (ID_KEYS[String(path.at(-3))] ?? "id");
    const start = before ? tree : withValue(tree, path, "overridden");
    const overlaid = overlayEnv(table, start, { [name]: envText(node, value) }, problems);
    assert.deepEqual(problems, [], name);
    assert.deepEqual(overlaid.value, tree, name);
    assert.equal(overlaid.origins.get(pathKey(path)), name);
  }
});

test("what is not built is refused, its default is not", () => {
  const listed: string[] = [];
  for (const { node, path } of walk(TABLE)) {
    if (node.built === true) continue;
    if (path.slice(0, -1).some((_, end) => isOff(path.slice(0, end + 1)))) continue;
    listed.push(shownByPosition(path).replaceAll("[#0]", "[]"));
  }
  assert.deepEqual(listed, [
    "grpc.enabled",
    "grpc.tls",
    "apps[].webhook_allow",
    "aerospike",
    "redis",
    "limits.replicas_max",
    "policy.mode",
    "policy.mcp_url",
    "policy.mcp_token_file",
    "policy.policies.default.daily_max",
    "policy.policies.default.weekly_max",
    "policy.policies.default.dedup_window_s",
    "policy.policies.default.blacklists",
    "policy.policies.default.quiet_hours",
    "policy.lists",
    "webhooks",
  ]);
  const refused = check(TABLE, tree).problems.map((problem) => problem.path);
  for (const path of listed) {
    const bySample = ["grpc.enabled"];
    const byDefault = ["policy.mode", ...bySample];
    const shown = refused.map((one) => one.replaceAll(/\[[^\]]*\]/g, "[]"));
    assert.equal(shown.includes(path), !byDefault.includes(path), path);
  }
});

function isOff(path: Path): boolean {
  return walk(TABLE).some(
    ({ node, path: at }) => pathKey(at) === pathKey(path) && node.node !== "leaf" && !node.built,
  );
}

test("values that are not built yet are refused one by one", () => {
  const bad: [Path, unknown][] = [
    [["grpc", "enabled"], true],
    [["policy", "mode"], "mcp"],
  ];
  for (const [path, value] of bad) {
    const { problems } = check(TABLE, withValue(tree, path, value));
    const mine = problems.find((problem) => byPosition(problem.path) === shownByPosition(path));
    assert.match(mine?.found ?? "", /not built yet/, shownByPosition(path));
  }
});
