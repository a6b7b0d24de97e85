/**
 * What a reload makes of a new configuration: its live keys over the running ones.
 *
 *   live key      taken from the new configuration     restart key   stays as it runs, and is named
 *
 * A list or map that is live as a whole is compared item by item, so that the names say what
 * changed. Pure; secrets are compared and never shown.
 */
import { isDeepStrictEqual } from "node:util";
import { isPlain } from "./check.ts";
import { conclude } from "./derive.ts";
import { ConfigError, type ConfigProblem } from "./problems.ts";
import { checkRelations } from "./relations.ts";
import { camel, type Node, type Reload, secretName } from "./spec.ts";
import { TABLE } from "./table.ts";
import type { GatewayConfig } from "./types.ts";

export interface MergedConfig {
  /** To go on with. */
  readonly config: GatewayConfig;
  /** Paths of live keys that differ. */
  readonly changed: readonly string[];
  /** Paths of keys that differ and stay as they are until a restart. */
  readonly needsRestart: readonly string[];
}

type Plain = Record<string, unknown>;

/**
 * The configuration to go on with. Throws ConfigError if the live keys of `wanted` do not agree
 * with the running ones that need a restart.
 */
export function mergeForReload(running: GatewayConfig, wanted: GatewayConfig): MergedConfig {
  const changed: string[] = [];
  const needsRestart: string[] = [];
  const note = (path: string, reload: Reload): void => {
    (reload === "live" ? changed : needsRestart).push(path);
  };
  const config = merged(TABLE, running, wanted, "", "restart", note) as GatewayConfig;
  const problems: ConfigProblem[] = [];
  checkRelations(config, new Set(), (path, _raw, found, allowed) => {
    problems.push({ path, found, allowed, where: "beside what needs a restart to change" });
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: conclude(config), changed, needsRestart };
}

function merged(
  node: Node,
  running: unknown,
  wanted: unknown,
  path: string,
  above: Reload,
  note: (path: string, reload: Reload) => void,
): unknown {
  const reload = node.reload ?? above;
  if (node.node === "block" && isPlain(running) && isPlain(wanted)) {
    const values: Plain = { ...(reload === "live" ? wanted : running) };
    for (const [key, child] of Object.entries(node.keys)) {
      const name = camel(key);
      const at = path === "" ? key : `${path}.${key}`;
      values[name] = merged(child, running[name], wanted[name], at, reload, note);
      if (child.node !== "leaf" || child.type !== "secret_file" || child.isReread) continue;
      // The file may be the same and its content another.
      const secret = camel(secretName(key));
      const isSame = isDeepStrictEqual(running[secret], wanted[secret]);
      values[secret] = (child.reload ?? reload) === "live" ? wanted[secret] : running[secret];
      if (!isSame && running[name] === wanted[name]) note(at, child.reload ?? reload);
    }
    return values;
  }
  if (isDeepStrictEqual(running, wanted)) return running;
  for (const one of differences(node, running, wanted, path)) note(one, reload);
  return reload === "live" ? wanted : running;
}

/** `links[100]` for each item that differs; the path itself where items have no names. */
function differences(node: Node, running: unknown, wanted: unknown, path: string): string[] {
  if (node.node !== "items" || node.idKey === null) return [path];
  const name = camel(node.idKey);
  const itemsOf = (list: unknown): Map<string, unknown> =>
    new Map((list as readonly Plain[]).map((item) => [String(item[name]), item]));
  const before = itemsOf(running);
  const after = itemsOf(wanted);
  const ids = [...new Set([...before.keys(), ...after.keys()])];
  const found = ids.filter((id) => !isDeepStrictEqual(before.get(id), after.get(id)));
  // Nothing but the order.
  return found.length === 0 ? [path] : found.map((id) => `${path}[${id}]`);
}
