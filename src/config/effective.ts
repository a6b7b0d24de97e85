/**
 * The effective configuration in the words of the file, for people: secrets masked.
 *
 * Pure. It walks the table, so that keys come in its order and no secret is missed.
 */
import { isPlain } from "./check.ts";
import { camel, secretName } from "./spec.ts";
import type { Node } from "./spec.ts";
import { TABLE } from "./table.ts";
import type { GatewayConfig } from "./types.ts";

/** Stands for a secret, whatever its length. */
export const MASK = "********";

/** Plain data with snake_case keys; a secret's value is MASK, or absent if there is none. */
export function effectiveConfig(config: GatewayConfig): Readonly<Record<string, unknown>> {
  return maskedNode(TABLE, config) as Readonly<Record<string, unknown>>;
}

function maskedNode(node: Node, value: unknown): unknown {
  if (node.node === "items") {
    return Array.isArray(value) ? value.map((item: unknown) => maskedNode(node.item, item)) : value;
  }
  if (node.node === "leaf" || !isPlain(value)) return value;
  if (node.node === "named") {
    const entries = Object.entries(value).map(([name, item]) => [
      name,
      maskedNode(node.item, item),
    ]);
    return Object.fromEntries(entries);
  }
  const shown: [string, unknown][] = [];
  for (const [key, child] of Object.entries(node.keys)) {
    shown.push([key, maskedNode(child, value[camel(key)])]);
    if (child.node !== "leaf" || child.type !== "secret_file") continue;
    const secret = secretName(key);
    if (value[camel(secret)] !== null) shown.push([secret, MASK]);
  }
  return Object.fromEntries(shown);
}
