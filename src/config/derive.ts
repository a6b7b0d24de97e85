/**
 * What follows from a checked configuration: frozen data, dense indices, pools for direct routes.
 *
 *   linkIndex, poolIndex: 0-based, in order of configuration; configured pools come before those
 *   made for single links, which keep the link's id. Downstream knows pools only.
 *
 * Pure; the results are plain data and may be cloned into worker threads.
 */
import type { GatewayConfig, LinkConfig } from "./types.ts";

/** Most workers that `auto` chooses. */
const WORKERS_AUTO_MAX = 16;

export interface DerivedLink {
  readonly linkIndex: number;
  readonly config: LinkConfig;
}

export interface DerivedMember {
  readonly linkIndex: number;
  readonly weight: number;
}

export interface DerivedPool {
  readonly poolIndex: number;
  /** Of the configured pool, or of the link that this pool was made for. */
  readonly id: number;
  readonly name: string;
  /** Made for a single link. */
  readonly direct: boolean;
  readonly members: readonly DerivedMember[];
}

export interface DerivedRoute {
  readonly prefix: string;
  readonly poolIndex: number;
}

export interface PoolPlan {
  /** By linkIndex. */
  readonly links: readonly DerivedLink[];
  /** By poolIndex. */
  readonly pools: readonly DerivedPool[];
  readonly routes: readonly DerivedRoute[];
  /** Ids of pools, and of links that have a pool of their own. */
  readonly poolIndexById: ReadonlyMap<number, number>;
  readonly linkIndexById: ReadonlyMap<number, number>;
}

function freezeDeep(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const child of Object.values(value)) freezeDeep(child);
}

/** The same configuration, deeply frozen. */
export function conclude(config: GatewayConfig): GatewayConfig {
  freezeDeep(config);
  return config;
}

/** Ids of links that need a pool of their own: routed to directly, or reachable by a pin. */
function directLinkIds(config: GatewayConfig): ReadonlySet<number> {
  const pinned = config.apps.some((app) => app.scopes.includes("route:pin"));
  const targets = new Set(config.routes.map((route) => route.to));
  const ids = config.links.map((link) => link.id).filter((id) => pinned || targets.has(id));
  return new Set(ids);
}

/**
 * Links, pools and routes by dense index. A link gets a pool of its own if a route names it, or if
 * any app may pin routes. Requires a configuration from parseConfig; throws if a reference dangles.
 */
export function derivePools(config: GatewayConfig): PoolPlan {
  const links = config.links.map((link, linkIndex) => ({ linkIndex, config: link }));
  const linkIndexById = new Map(links.map((link) => [link.config.id, link.linkIndex]));
  const pools: DerivedPool[] = config.pools.map((pool, poolIndex) => ({
    poolIndex,
    id: pool.id,
    name: pool.name,
    direct: false,
    members: pool.members.map(({ link, weight }) => ({
      linkIndex: known(linkIndexById, link),
      weight,
    })),
  }));
  for (const id of directLinkIds(config)) {
    const members = [{ linkIndex: known(linkIndexById, id), weight: 1 }];
    pools.push({ poolIndex: pools.length, id, name: `link-${id}`, direct: true, members });
  }
  const poolIndexById = new Map(pools.map((pool) => [pool.id, pool.poolIndex]));
  if (poolIndexById.size !== pools.length) throw new Error("ids of pools and links overlap");
  const routes = config.routes.map(({ prefix, to }) => ({
    prefix,
    poolIndex: known(poolIndexById, to),
  }));
  freezeDeep([links, pools, routes]);
  return { links, pools, routes, poolIndexById, linkIndexById };
}

function known(indexById: ReadonlyMap<number, number>, id: number): number {
  const index = indexById.get(id);
  if (index === undefined) throw new Error(`no link or pool with id ${id}`);
  return index;
}

/** Number of worker threads: as configured, or one less than the processors within 1…16. */
export function workersCount(count: number | "auto", cpuCount: number): number {
  return count === "auto" ? Math.min(Math.max(cpuCount - 1, 1), WORKERS_AUTO_MAX) : count;
}

/** What is legal and probably not meant, one sentence each; logged at start. */
export function configWarnings(config: GatewayConfig): readonly string[] {
  const warnings: string[] = [];
  const { jwt } = config.auth;
  if (jwt.secret === null && jwt.jwksFile === null && jwt.jwksUrl === null) {
    const apps = config.apps.filter((app) => app.jwt === null).length;
    if (apps > 0)
      warnings.push(`auth.jwt has no key: every call of ${apps} app(s) is answered 401`);
  }
  if (config.journal.durability !== "disk") {
    const mode = config.journal.durability;
    warnings.push(`journal.durability is ${mode}: power loss may lose accepted messages`);
  }
  if (config.apps.length === 0) warnings.push("apps is empty: nobody can send");
  if (config.routes.length === 0) warnings.push("routes is empty: every message is refused");
  const used = new Set([
    ...config.routes.map((route) => route.to),
    ...config.pools.flatMap((pool) => pool.members.map((member) => member.link)),
  ]);
  for (const link of config.links) {
    if (!used.has(link.id)) warnings.push(`links[${link.id}] is in no pool and no route`);
    if (link.password === null) warnings.push(`links[${link.id}] binds with an empty password`);
  }
  return warnings;
}

/**
 * Link id → id of the first link with the same operator account: same host, port and system_id.
 * Such links are one account to the SMSC, which may send a receipt to any of their sessions.
 */
export function accountsOf(links: readonly LinkConfig[]): Map<number, number> {
  const firstOf = new Map<string, number>();
  const accounts = new Map<number, number>();
  for (const { id, host, port, systemId } of links) {
    const account = JSON.stringify([host, port, systemId]);
    const first = firstOf.get(account) ?? id;
    firstOf.set(account, first);
    accounts.set(id, first);
  }
  return accounts;
}
