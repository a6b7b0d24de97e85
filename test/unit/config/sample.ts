/** A full tree made from the table, and what is wrong for each of its keys. */
import type { FormatName } from "../../../src/config/formats.ts";
import { REQUIRED } from "../../../src/config/spec.ts";
import type { AnyLeaf, Keys, Node } from "../../../src/config/spec.ts";

export type Path = readonly (string | number)[];

/** One accepted text of each format. */
export const GOOD: Readonly<Record<FormatName, string>> = {
  node_name: "gw-7",
  label: "Some name",
  word: "default",
  host: "smsc.example.net",
  host_port: "[::1]:3000",
  cidr: "10.0.0.0/8",
  https_url: "https://example.net/a",
  key_set_url: "https://example.net/jwks.json",
  http_url: "http://example.net/a",
  prefix: "998",
  system_id: "acct",
  ascii: "CMT",
  hex: "0a0B",
  dialled: "+00",
  sender: "MYBRAND",
  sender_pattern: "MY*",
  clock: "21:30",
  zone: "Asia/Tashkent",
  list_source: "file:black.csv",
  event_type: "message.delivered",
  key_prefix: "cdr/",
};

/** Refused texts of each format. */
export const BAD: Readonly<Record<FormatName, readonly string[]>> = {
  node_name: ["-a", "Gw", "a_b", "a".repeat(32)],
  label: ["a\nb", "a\u0000", "\u007f"],
  word: ["a b", "Ä", "../x", "a/b", "A"],
  host: ["300.1.1.1", "a..b", "-a.net", "a b", "http://a", "1.2.3"],
  host_port: ["a", "a:0", "a:70000", ":1", "::1:3000", "[127.0.0.1]:1", "a:1x"],
  cidr: ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0/8", "fe80::%eth0/64", "1.2.3.4/-1"],
  https_url: ["http://a.net", "https://", "a", "https://u:p@a.net", "javascript:alert(1)"],
  key_set_url: ["http://a.net", "http://10.0.0.1/k", "a", "https://u@a.net", "file:///k"],
  http_url: ["ftp://a.net", "a", "http://u@a.net"],
  prefix: ["+998", "99 8", "1234567890123456", "٣"],
  system_id: ["a\u0000", "é", "a\tb"],
  ascii: ["a\u0000", "é", "a\tb"],
  hex: ["0", "0g", "0x00", " 00"],
  dialled: ["0+", "a", "++1", " "],
  sender: ["a\u0000", "ABCDEFGHIJKL", "é", "12", "00123456789", "+0123456"],
  sender_pattern: ["a\u0000", "(a+)+", "", "x".repeat(33), "é"],
  clock: ["24:00", "7:30", "07:60", "0730"],
  zone: ["Mars/Base", "no", "\u0000"],
  list_source: ["http://a", "s3://bucket", "file:", "x.csv"],
  event_type: ["delivered", "message.", "x.sent"],
  key_prefix: ["cdr", "/cdr/", "../", "a//"],
};

export function goodValue(leaf: AnyLeaf): unknown {
  switch (leaf.type) {
    case "int":
    case "int_or_auto":
      return typeof leaf.default === "number" ? leaf.default : leaf.max;
    case "bool":
      return leaf.default;
    case "enum":
      return leaf.values?.[0];
    case "ints":
      return [1];
    case "strings":
      return leaf.values === null ? [GOOD[leaf.format ?? "label"]] : [leaf.values[0]];
    case "string":
      return GOOD[leaf.format ?? "label"].slice(0, leaf.max);
    case "path":
      return "some/folder";
    case "file":
    case "secret_file":
      return "some-file";
  }
}

/** Values that every check of the leaf must refuse, besides null where it is not allowed. */
export function badValues(leaf: AnyLeaf): readonly unknown[] {
  const numbers = [leaf.min - 1, leaf.max + 1, 1.5, Number.NaN, 1e300, "30s", "12", true, [], {}];
  switch (leaf.type) {
    case "int":
      return numbers;
    case "int_or_auto":
      return [...numbers, "automatic"];
    case "bool":
      return ["true", 0, 1, [], {}];
    case "enum":
      return ["", "nonsense", 1, true, [], {}];
    case "ints":
      return ["1", 1, [0], [-1], [1.5], ["1"], [1, 1], [null], {}];
    case "strings": {
      const elements = leaf.values === null ? BAD[leaf.format ?? "label"] : ["nonsense"];
      const many = Array.from({ length: leaf.max + 1 }, (_, index) => `x${index}`);
      return ["send", 1, {}, [1], [null], [""], many, ...elements.map((one) => [one])];
    }
    case "string":
      return [1, true, [], {}, "x".repeat(leaf.max + 1), ...BAD[leaf.format ?? "label"]];
    case "path":
      return ["", 1, true, [], {}, "a\u0000b", "x".repeat(4097)];
    case "file":
    case "secret_file":
      return ["", 1, true, [], {}, "a\u0000b", "missing-file"];
  }
}

/** The same table with every feature built, so that every key can be reached. */
export function allBuilt<N extends Node>(node: N): N {
  if (node.node === "leaf") return { ...node, built: true };
  if (node.node === "block") return { ...node, built: true, keys: allBuiltKeys(node.keys) };
  return { ...node, built: true, item: allBuilt(node.item) };
}

function allBuiltKeys(keys: Keys): Keys {
  return Object.fromEntries(Object.entries(keys).map(([key, node]) => [key, allBuilt(node)]));
}

/** A tree with every key of the table in it, all values accepted. */
export function fullTree(node: Node): unknown {
  if (node.node === "leaf") return goodValue(node);
  if (node.node === "items") return [fullTree(node.item)];
  if (node.node === "named") return { default: fullTree(node.item) };
  return Object.fromEntries(
    Object.entries(node.keys).map(([key, child]) => [key, fullTree(child)]),
  );
}

export interface Found<N> {
  readonly node: N;
  readonly path: Path;
}

/** Every node of the table with its place in the full tree. */
export function walk(node: Node, path: Path = []): Found<Node>[] {
  const here = { node, path };
  if (node.node === "leaf") return [here];
  if (node.node === "items") return [here, ...walk(node.item, [...path, 0])];
  if (node.node === "named") return [here, ...walk(node.item, [...path, "default"])];
  const entries = Object.entries(node.keys);
  return [here, ...entries.flatMap(([key, child]) => walk(child, [...path, key]))];
}

/** Every leaf of the table with its place in the full tree. */
export function leaves(node: Node): Found<AnyLeaf>[] {
  return walk(node).flatMap(({ node: one, path }) =>
    one.node === "leaf" ? [{ node: one, path }] : [],
  );
}

/** A copy of a tree with one value set, or removed where it is undefined. */
export function withValue(tree: unknown, path: Path, value: unknown): unknown {
  const copy = structuredClone(tree) as Record<string | number, unknown>;
  let at = copy;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  const last = path.at(-1) ?? "";
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

export function isRequired(leaf: AnyLeaf): boolean {
  return leaf.default === REQUIRED;
}

/** The path as problems show it, where lists' items go by position. */
export function shownByPosition(path: Path): string {
  return path
    .map((step) => (typeof step === "number" ? `[#${step}]` : `.${step}`))
    .join("")
    .slice(1);
}
