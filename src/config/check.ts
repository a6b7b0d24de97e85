/**
 * Checks a tree of plain values against the table and gives the typed tree.
 *
 * Every problem is collected; a value that was refused is replaced by null, so the result may be
 * used only if no problem was added. Any thread; files through the injected reader.
 */
import { resolve } from "node:path";
import { checkLeaf, leafAllowed } from "./check-leaf.ts";
import { didYouMean, showValue } from "./problems.ts";
import type { ConfigProblem } from "./problems.ts";
import { camel, REQUIRED, secretName } from "./spec.ts";
import type { AnyBlock, AnyLeaf, Block, Items, Keys, Named, Node } from "./spec.ts";
import { FORMATS } from "./formats.ts";
import type { RawPath } from "./yaml-source.ts";

/** Reads a whole file; throws as node:fs does. */
export type ReadFile = (path: string) => Uint8Array;

/** What a check needs around it. */
export interface CheckContext {
  readonly problems: ConfigProblem[];
  /** Folder that relative paths start from. */
  readonly baseDir: string;
  readonly readFile: ReadFile;
  /** Where the value at a path was written. */
  readonly whereOf: (path: RawPath) => string | null;
  /** Secret given in the environment: by the raw path of its value (not of its file). */
  readonly secretOf: (path: RawPath) => { value: string; name: string } | null;
}

/** Where we are: for people and for look-ups. */
export interface Place {
  readonly shown: string;
  readonly raw: RawPath;
}

export type Plain = Readonly<Record<string, unknown>>;

export function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function inside(place: Place, key: string): Place {
  return {
    shown: place.shown === "" ? key : `${place.shown}.${key}`,
    raw: [...place.raw, key],
  };
}

/** Place of a list's item: by its id if that can be read, else by its position. */
export function itemPlace(
  place: Place,
  value: unknown,
  index: number,
  idKey: string | null,
): Place {
  const id = idKey !== null && isPlain(value) ? value[idKey] : undefined;
  const usable = typeof id === "number" || typeof id === "string";
  const name = usable ? String(id).slice(0, 32) : `#${index}`;
  return { shown: `${place.shown}[${name}]`, raw: [...place.raw, index] };
}

function refuse(at: Place, context: CheckContext, found: string, allowed: string): null {
  const where = context.whereOf(at.raw);
  context.problems.push({ path: at.shown === "" ? "file" : at.shown, found, allowed, where });
  return null;
}

function notBuilt(at: Place, context: CheckContext, value: unknown, only: string): null {
  const found = isPlain(value) || Array.isArray(value) ? "a configured feature" : showValue(value);
  return refuse(at, context, `${found}, which is not built yet`, only);
}

/** The typed value of a node; `value` is undefined where nothing was written. */
export function checkNode(node: Node, value: unknown, at: Place, context: CheckContext): unknown {
  switch (node.node) {
    case "leaf":
      return checkValue(node, value, at, context);
    case "block":
      return checkBlock(node, value, at, context);
    case "items":
      return checkItems(node, value, at, context);
    case "named":
      return checkNamed(node, value, at, context);
  }
}

function checkBlock(
  node: AnyBlock,
  value: unknown,
  at: Place,
  context: CheckContext,
): Plain | null {
  if (node.nullable && (value === undefined || value === null)) return null;
  if (value !== undefined && !node.built) return notBuilt(at, context, value, "null");
  // An empty YAML block (`http:`) reads as null and means the defaults.
  const written = value ?? {};
  if (!isPlain(written)) {
    const allowed = `a mapping with the keys ${Object.keys(node.keys).join(", ")}`;
    return refuse(at, context, showValue(written), allowed);
  }
  for (const key of Object.keys(written)) {
    if (!Object.hasOwn(node.keys, key)) refuseUnknown(node.keys, key, at, context);
  }
  const checked: [string, unknown][] = [];
  for (const [key, child] of Object.entries(node.keys)) {
    const given = Object.hasOwn(written, key) ? written[key] : undefined;
    const place = inside(at, key);
    if (child.node === "leaf" && child.type === "secret_file") {
      const secret = checkSecret(child, given, place, inside(at, secretName(key)), context);
      checked.push([camel(key), secret.path], [camel(secretName(key)), secret.value]);
    } else {
      checked.push([camel(key), checkNode(child, given, place, context)]);
    }
  }
  return Object.fromEntries(checked);
}

function refuseUnknown(keys: Keys, key: string, at: Place, context: CheckContext): void {
  const place = inside(at, key.slice(0, 64));
  const file = keys[`${key}_file`];
  if (file?.node === "leaf" && file.type === "secret_file") {
    const allowed = `${key}_file, or the environment variable ${envName(place.shown)}`;
    refuse(place, context, "a secret in the configuration", allowed);
    return;
  }
  const known = Object.keys(keys);
  const meant = didYouMean(key, known);
  const hint = meant === null ? "" : ` (did you mean ${meant}?)`;
  refuse(place, context, `an unknown key${hint}`, `one of ${known.join(", ")}`);
}

/** `links[100].password` → `SMSGW_LINKS__100__PASSWORD`. */
export function envName(shown: string): string {
  const path = shown.replaceAll(/\[#?([^\]]*)\]/g, ".$1").replaceAll("-", "_");
  return `SMSGW_${path.replaceAll(".", "__").toUpperCase()}`;
}

function checkItems(
  node: Items<Block<Keys, false>>,
  value: unknown,
  at: Place,
  context: CheckContext,
): readonly unknown[] | null {
  if (value === undefined || value === null) {
    if (!node.required) return [];
    return refuse(at, context, "nothing", "a list; the key is required");
  }
  if (!Array.isArray(value)) return refuse(at, context, showValue(value), "a list");
  const list: readonly unknown[] = value;
  if (!node.built && list.length > 0) return notBuilt(at, context, list, "an empty list");
  if (list.length > node.countMax) {
    return refuse(at, context, `${list.length} items`, `at most ${node.countMax}`);
  }
  const firstOf = new Map<unknown, number>();
  return list.map((item, index) => {
    const place = itemPlace(at, item, index, node.idKey);
    if (item === undefined || item === null) {
      return refuse(place, context, showValue(item), "a mapping");
    }
    const id = node.idKey !== null && isPlain(item) ? item[node.idKey] : undefined;
    const first = firstOf.get(id);
    if (id !== undefined && first !== undefined) {
      const found = `${node.idKey} ${showValue(id)} a second time (first at position ${first})`;
      refuse(place, context, found, `each ${node.idKey} once, positions count from 0`);
    }
    if (first === undefined) firstOf.set(id, index);
    return checkBlock(node.item, item, place, context);
  });
}

function checkNamed(
  node: Named<Block<Keys, false>>,
  value: unknown,
  at: Place,
  context: CheckContext,
): Plain | null {
  const written = value ?? {};
  if (!isPlain(written)) return refuse(at, context, showValue(written), "a mapping by name");
  const names = [...new Set([...node.always, ...Object.keys(written)])];
  if (!node.built && Object.keys(written).length > 0) {
    return notBuilt(at, context, written, "an empty mapping");
  }
  if (names.length > node.countMax) {
    return refuse(at, context, `${names.length} names`, `at most ${node.countMax}`);
  }
  const checked: [string, unknown][] = [];
  for (const name of names) {
    const place = inside(at, name);
    if (!FORMATS.word.test(name)) {
      refuse(
        inside(at, name.slice(0, 64)),
        context,
        showValue(name),
        `a name of 1 to 64 characters ${FORMATS.word.says}`,
      );
      continue;
    }
    const given = Object.hasOwn(written, name) ? written[name] : undefined;
    checked.push([name, checkBlock(node.item, given, place, context)]);
  }
  return Object.fromEntries(checked);
}

function isBuilt(leaf: AnyLeaf, value: unknown): boolean {
  if (leaf.built === true) return true;
  if (leaf.built === false) return JSON.stringify(value) === JSON.stringify(leaf.default);
  return leaf.built.includes(value);
}

function checkValue(leaf: AnyLeaf, value: unknown, at: Place, context: CheckContext): unknown {
  if (value === undefined) {
    if (leaf.default === REQUIRED) {
      return refuse(at, context, "nothing", `${leafAllowed(leaf)}; the key is required`);
    }
    return leaf.type === "path" ? resolve(context.baseDir, String(leaf.default)) : leaf.default;
  }
  const wrong = checkLeaf(leaf, value);
  if (wrong !== null) return refuse(at, context, wrong, leafAllowed(leaf));
  if (!isBuilt(leaf, value)) {
    const built = leaf.built === false ? [leaf.default] : (leaf.built as readonly unknown[]);
    return notBuilt(at, context, value, built.map((one) => showValue(one)).join(" or "));
  }
  if (typeof value !== "string" || (leaf.type !== "path" && leaf.type !== "file")) return value;
  const path = resolve(context.baseDir, value);
  if (leaf.type === "file") readOrRefuse(path, at, context);
  return path;
}

function readOrRefuse(path: string, at: Place, context: CheckContext): Uint8Array | null {
  try {
    return context.readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "error";
    return refuse(at, context, `${path}, which cannot be read (${code})`, "a readable file");
  }
}

/** Secret's file and content; the environment's value wins over the file's. */
function checkSecret(
  leaf: AnyLeaf,
  given: unknown,
  at: Place,
  valueAt: Place,
  context: CheckContext,
): { path: string | null; value: string | null } {
  const fromEnv = context.secretOf(valueAt.raw);
  const file = checkValue(leaf, given, at, context);
  const path = typeof file === "string" ? resolve(context.baseDir, file) : null;
  if (fromEnv !== null) {
    const place: Place = { shown: valueAt.shown, raw: valueAt.raw };
    if (leaf.built === false) notBuilt(place, context, {}, "nothing");
    return { path, value: sizedSecret(leaf, fromEnv.value, place, context) };
  }
  if (path === null) return { path, value: null };
  const bytes = readOrRefuse(path, at, context);
  if (bytes === null) return { path, value: null };
  return { path, value: secretText(leaf, bytes, at, context) };
}

function secretText(
  leaf: AnyLeaf,
  bytes: Uint8Array,
  at: Place,
  context: CheckContext,
): string | null {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(at, context, "a file that is not UTF-8 text", "a secret as UTF-8 text");
  }
  return sizedSecret(leaf, text.replace(/\r?\n$/u, ""), at, context);
}

function sizedSecret(leaf: AnyLeaf, text: string, at: Place, context: CheckContext): string | null {
  const bytes = Buffer.byteLength(text);
  if (bytes >= leaf.min && bytes <= leaf.max) return text;
  return refuse(
    at,
    context,
    `a secret of ${bytes} bytes`,
    `a secret of ${leaf.min} to ${leaf.max} bytes`,
  );
}
