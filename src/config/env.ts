/**
 * Environment variables over the file: SMSGW_HTTP__PORT=… overrides http.port.
 *
 *   SMSGW_ + the path in capitals, its steps joined by two underscores; a list's item by its id
 *   (SMSGW_LINKS__100__RATE_TPS), a named item by its name, - written as _. A secret itself may be
 *   given by its key without _file (SMSGW_LINKS__100__PASSWORD).
 *
 * A variable that begins with SMSGW_ and names nothing is a problem: a typo must not be ignored.
 * Pure; the environment is a parameter.
 */
import { inside, isPlain, itemPlace } from "./check.ts";
import type { Place } from "./check.ts";
import { didYouMean, showValue } from "./problems.ts";
import type { ConfigProblem } from "./problems.ts";
import { secretName } from "./spec.ts";
import type { AnyBlock, AnyLeaf, Block, Items, Keys, Named, Node } from "./spec.ts";
import { readYamlValue } from "./yaml-source.ts";
import type { RawPath } from "./yaml-source.ts";

const PREFIX = "SMSGW_";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The tree with the environment's values in it, and which variable each came from. */
export interface Overlaid {
  readonly value: unknown;
  /** Variable by `pathKey`. */
  readonly origins: ReadonlyMap<string, string>;
  /** Secrets given as such, by `pathKey` of the value. */
  readonly secrets: ReadonlyMap<string, { value: string; name: string }>;
}

/** A path as a map's key. */
export function pathKey(path: RawPath): string {
  return JSON.stringify(path);
}

/** Where a variable points: a node of the table, or the content of a secret file. */
type Target = { place: Place; node: Node } | { place: Place; node: "secret" };
/** Why it points nowhere. */
interface Miss {
  readonly step: string;
  readonly allowed: string;
}

/** Tree of the file with all SMSGW_ variables applied; what cannot be applied becomes a problem. */
export function overlayEnv(
  table: AnyBlock,
  tree: unknown,
  env: Environment,
  problems: ConfigProblem[],
): Overlaid {
  const origins = new Map<string, string>();
  const secrets = new Map<string, { value: string; name: string }>();
  let value = tree;
  // In sorted order a block given as a whole comes before overrides of its keys.
  for (const name of Object.keys(env)
    .filter((key) => key.startsWith(PREFIX))
    .sort()) {
    const text = env[name] ?? "";
    const steps = name.slice(PREFIX.length).split("__");
    const target = follow(table, steps, value, { shown: "", raw: [] });
    if ("step" in target) {
      problems.push(missProblem(name, target));
    } else if (target.node === "secret") {
      secrets.set(pathKey(target.place.raw), { value: text, name });
      origins.set(pathKey(target.place.raw), name);
    } else {
      value = setAt(value, target.place.raw, parseValue(target.node, text));
      origins.set(pathKey(target.place.raw), name);
    }
  }
  return { value, origins, secrets };
}

function missProblem(name: string, miss: Miss): ConfigProblem {
  const kubernetes = /_SERVICE_(?:HOST|PORT)|_PORT(?:_\d+_(?:TCP|UDP))?(?:_|$)/u.test(name)
    ? "; if Kubernetes set it for a Service of that name: enableServiceLinks: false"
    : "";
  const found = `a variable that names no key (at ${showValue(miss.step)})`;
  return { path: name, found, allowed: miss.allowed + kubernetes, where: "environment" };
}

function follow(node: Node, steps: readonly string[], value: unknown, place: Place): Target | Miss {
  const [step, ...rest] = steps;
  if (step === undefined) return { place, node };
  switch (node.node) {
    case "leaf":
      return { step, allowed: `nothing below ${place.shown}` };
    case "block":
      return followKey(node.keys, step, rest, value, place);
    case "items":
      return followItem(node, step, rest, value, place);
    case "named":
      return followName(node, step, rest, value, place);
  }
}

function followKey(
  keys: Keys,
  step: string,
  rest: readonly string[],
  value: unknown,
  place: Place,
): Target | Miss {
  const known: string[] = [];
  for (const [key, child] of Object.entries(keys)) {
    const below = isPlain(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    if (key.toUpperCase() === step) return follow(child, rest, below, inside(place, key));
    known.push(key.toUpperCase());
    if (child.node !== "leaf" || child.type !== "secret_file") continue;
    const secret = secretName(key);
    if (secret.toUpperCase() === step && rest.length === 0) {
      return { place: inside(place, secret), node: "secret" };
    }
    known.push(secret.toUpperCase());
  }
  const meant = didYouMean(
    step,
    known.map((key) => key.toLowerCase()),
  );
  const hint = meant === null ? "" : ` (did you mean ${meant.toUpperCase()}?)`;
  return { step, allowed: `one of ${known.join(", ")}${hint}` };
}

function followItem(
  node: Items<Block<Keys, false>>,
  step: string,
  rest: readonly string[],
  value: unknown,
  place: Place,
): Target | Miss {
  const idKey = node.idKey;
  if (idKey === null) return { step, allowed: `${place.shown} only as a whole` };
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const ids = list.map((item) => (isPlain(item) ? String(item[idKey]) : ""));
  const index = ids.indexOf(step);
  const item = list[index];
  if (!isPlain(item)) {
    const shown = ids.slice(0, 10).map((id) => showValue(id));
    return {
      step,
      allowed: `the ${idKey} of one of ${place.shown}: ${shown.join(", ") || "none"}`,
    };
  }
  return follow(node.item, rest, item, itemPlace(place, item, index, idKey));
}

function followName(
  node: Named<Block<Keys, false>>,
  step: string,
  rest: readonly string[],
  value: unknown,
  place: Place,
): Target | Miss {
  const names = [...node.always, ...(isPlain(value) ? Object.keys(value) : [])];
  const name = names.find((one) => one.toUpperCase().replaceAll("-", "_") === step);
  if (name === undefined) {
    return { step, allowed: `one of ${place.shown}: ${names.slice(0, 10).join(", ") || "none"}` };
  }
  const below = isPlain(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return follow(node.item, rest, below, inside(place, name));
}

function yamlOrText(text: string): unknown {
  const value = readYamlValue(text);
  return value === undefined ? text : value;
}

/** The variable's text as a value of the node's kind; what does not fit is left for the check. */
function parseValue(node: Node, text: string): unknown {
  if (node.node !== "leaf") return yamlOrText(text);
  switch (node.type) {
    case "int":
    case "int_or_auto":
    case "bool":
      return yamlOrText(text);
    case "ints":
    case "strings":
      return parseList(node, text.trim());
    default:
      return text === "null" && node.nullable ? null : text;
  }
}

function parseList(leaf: AnyLeaf, text: string): unknown {
  if (text === "") return [];
  if (text === "null" && leaf.nullable) return null;
  if (text.startsWith("[") && text.endsWith("]")) return yamlOrText(text);
  const parts = text.split(",").map((part) => part.trim());
  return leaf.type === "ints" ? parts.map((part) => yamlOrText(part)) : parts;
}

/** The tree with one value replaced; only the containers on the way are copied. */
function setAt(tree: unknown, path: RawPath, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "number") {
    const list: readonly unknown[] = Array.isArray(tree) ? tree : [];
    return list.map((item, index) => (index === step ? setAt(item, rest, value) : item));
  }
  const plain = isPlain(tree) ? tree : {};
  const below = Object.hasOwn(plain, step) ? plain[step] : undefined;
  return { ...plain, [step]: setAt(below, rest, value) };
}
