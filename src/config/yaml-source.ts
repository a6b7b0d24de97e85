/**
 * YAML text in and out; the only place that imports the YAML package.
 *
 * Reading is strict: one document, UTF-8, at most SOURCE_BYTES_MAX, plain string keys, no duplicate
 * keys, no tags, few aliases. Positions stay available so that a problem can name its line.
 */
import { isNode, LineCounter, parseDocument, stringify } from "yaml";
import type { ConfigProblem } from "./problems.ts";

/** Largest file that is read. */
export const SOURCE_BYTES_MAX = 1_048_576;
/** Most nodes that aliases may expand to; a handful of shared blocks, not a bomb. */
const ALIAS_COUNT_MAX = 100;

export type RawPath = readonly (string | number)[];

/** A read file: plain values, and the line of each. */
export interface YamlSource {
  readonly value: unknown;
  /** 1-based line of the value at the path, or of its nearest parent; null if unknown. */
  readonly lineOf: (path: RawPath) => number | null;
}

function refusal(found: string, allowed: string, line: number | null): ConfigProblem {
  return { path: "file", found, allowed, where: line === null ? null : `line ${line}` };
}

function decodeUtf8(source: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(source);
  } catch {
    return null;
  }
}

/** Plain values of a YAML file; what cannot be read is added to `problems` and gives null. */
export function readYaml(
  source: Uint8Array | string,
  problems: ConfigProblem[],
): YamlSource | null {
  const bytes = typeof source === "string" ? Buffer.byteLength(source) : source.byteLength;
  if (bytes > SOURCE_BYTES_MAX) {
    problems.push(refusal(`${bytes} bytes`, `at most ${SOURCE_BYTES_MAX} bytes`, null));
    return null;
  }
  const text = typeof source === "string" ? source : decodeUtf8(source);
  if (text === null) {
    problems.push(refusal("bytes that are not UTF-8", "UTF-8 text", null));
    return null;
  }
  try {
    return readText(text, problems);
  } catch (error) {
    // The parser recurses: only nesting beyond the stack, or too many aliases, gets here.
    const reason = error instanceof Error ? error.message : String(error);
    problems.push(refusal(`YAML that cannot be read: ${reason}`, "plain YAML 1.2", null));
    return null;
  }
}

function readText(text: string, problems: ConfigProblem[]): YamlSource | null {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: true,
    version: "1.2",
  });
  // Those behind the first one mostly follow from it.
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const found = `YAML error: ${fault.message}`;
    problems.push(refusal(found, "plain YAML 1.2", lines.linePos(fault.pos[0]).line));
    return null;
  }
  const value: unknown = document.toJS({ maxAliasCount: ALIAS_COUNT_MAX });
  if (containsItself(value, new Set())) throw new Error("an anchor that contains itself");
  const lineOf = (path: RawPath): number | null => {
    for (let length = path.length; length > 0; length--) {
      const node: unknown = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return null;
  };
  return { value, lineOf };
}

function containsItself(value: unknown, above: Set<object>): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (above.has(value)) return true;
  above.add(value);
  const found = Object.values(value).some((child) => containsItself(child, above));
  above.delete(value);
  return found;
}

/** One value written in YAML, as in an environment variable; undefined if it is not YAML. */
export function readYamlValue(text: string): unknown {
  if (text.length > SOURCE_BYTES_MAX) return undefined;
  try {
    const document = parseDocument(text, { stringKeys: true, prettyErrors: false });
    if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    return containsItself(value, new Set()) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** YAML text of plain data. */
export function renderYaml(value: unknown): string {
  return stringify(value, { lineWidth: 100, aliasDuplicateObjects: false });
}
