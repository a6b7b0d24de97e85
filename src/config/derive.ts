/**
 * What follows from a checked configuration: frozen data, dense indices, pools for direct routes.
 *
 *   linkIndex, poolIndex, appIndex, session row: 0-based, in order of configuration; configured
 *   pools come before those made for single links, which keep the link's id. Downstream knows pools
 *   only.
 *
 * Over reloads an id keeps its index for as long as the process lives, also while it is not in the
 * configuration: what waits under an index can never come to mean something else.
 *
 * Pure; the results are plain data and may be cloned into worker threads.
 */
import type { ProfileConfig, SharedProfile } from "./profile-types.ts";
import { isLoopback } from "./relations.ts";
import type {
  AppConfig,
  CidrList,
  GatewayConfig,
  HttpConfig,
  LinkConfig,
  PoolConfig,
} from "./types.ts";

/** Most workers that `auto` chooses. */
const WORKERS_AUTO_MAX = 16;

export interface DerivedApp {
  readonly appIndex: number;
  readonly config: AppConfig;
  /** Addresses that it may call from; null: any that can call at all. */
  readonly ipAllow: CidrList | null;
  /** Which of its two bucket words counts; each change of its rate or burst takes the other. */
  readonly bucketHalf: number;
}

export interface DerivedLink {
  readonly linkIndex: number;
  readonly config: LinkConfig;
  /** Rows of the session table, by the session's ordinal. */
  readonly sessionRows: readonly number[];
  readonly profile: ProfileConfig;
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
  /** Apps and addresses that may use it; null: all. Its members share them. */
  readonly apps: readonly number[] | null;
  readonly ipAllow: readonly string[] | null;
  /** What its members' profiles have in common. */
  readonly profile: SharedProfile;
}

export interface DerivedRoute {
  readonly prefix: string;
  readonly poolIndex: number;
}

/** The index of every id that this process has had, and the session rows by linkIndex. */
export interface PlanSlots {
  readonly apps: ReadonlyMap<number, number>;
  readonly links: ReadonlyMap<number, number>;
  readonly pools: ReadonlyMap<number, number>;
  readonly sessionRows: readonly (readonly number[])[];
  readonly sessionCount: number;
}

/**
 * Everything by index. The lists hold what is configured now, in order of configuration; after a
 * reload their positions are no indices.
 */
export interface PoolPlan {
  readonly apps: readonly DerivedApp[];
  readonly links: readonly DerivedLink[];
  readonly pools: readonly DerivedPool[];
  readonly routes: readonly DerivedRoute[];
  /** Segments per second of the node; null: unlimited. */
  readonly nodeRateTps: number | null;
  /** As `bucketHalf`, for the node's bucket. */
  readonly nodeBucketHalf: number;
  readonly appIndexById: ReadonlyMap<number, number>;
  /** Ids of pools, and of links that have a pool of their own. */
  readonly poolIndexById: ReadonlyMap<number, number>;
  readonly linkIndexById: ReadonlyMap<number, number>;
  readonly slots: PlanSlots;
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
 * Apps, links, pools and routes by index. A link gets a pool of its own if a route names it, or if
 * any app may pin routes. `previous` is the plan that this one replaces: ids keep their indices,
 * new ones get the next. Requires a configuration from parseConfig; throws if a reference dangles.
 */
export function derivePools(config: GatewayConfig, previous: PoolPlan | null = null): PoolPlan {
  const slots = previous?.slots ?? EMPTY_SLOTS;
  const appSlots = withIds(slots.apps, config.apps);
  const linkSlots = withIds(slots.links, config.links);
  const rows = withSessions(slots, config.links, linkSlots);
  const before = new Map(previous?.apps.map((app) => [app.appIndex, app]));
  const apps = config.apps.map((app) =>
    deriveApp(app, known(appSlots, app.id), config.http, before),
  );
  const links = config.links.map((link) => {
    const linkIndex = known(linkSlots, link.id);
    const sessionRows = (rows.sessionRows[linkIndex] as readonly number[]).slice(0, link.sessions);
    return { linkIndex, config: link, sessionRows, profile: profileOf(config, link.profile) };
  });
  const linkIndexById = new Map(links.map((link) => [link.config.id, link.linkIndex]));
  const wanted = wantedPools(config, links);
  const poolSlots = withIds(slots.pools, wanted);
  const pools = wanted.map((pool) => ({ poolIndex: known(poolSlots, pool.id), ...pool }));
  const poolIndexById = new Map(pools.map((pool) => [pool.id, pool.poolIndex]));
  if (poolIndexById.size !== pools.length) throw new Error("ids of pools and links overlap");
  const routes = config.routes.map(({ prefix, to }) => ({
    prefix,
    poolIndex: known(poolIndexById, to),
  }));
  const appIndexById = new Map(apps.map((app) => [app.config.id, app.appIndex]));
  freezeDeep([apps, links, pools, routes, rows.sessionRows]);
  const kept = { apps: appSlots, links: linkSlots, pools: poolSlots, ...rows };
  const { rateTps: nodeRateTps } = config.node;
  const halfBefore = previous?.nodeBucketHalf ?? 0;
  const isNodeSame = previous === null || previous.nodeRateTps === nodeRateTps;
  const nodeBucketHalf = isNodeSame ? halfBefore : 1 - halfBefore;
  return {
    apps,
    links,
    pools,
    routes,
    nodeRateTps,
    nodeBucketHalf,
    appIndexById,
    poolIndexById,
    linkIndexById,
    slots: kept,
  };
}

/**
 * `ranges`, or null if every caller is in them: a listener on a loopback address is reached from
 * this machine only, which is what the loopback ranges stand for. Looking at a caller's address
 * costs two system calls and more time than admission.
 */
function decisiveRanges(ranges: CidrList | null, http: HttpConfig): CidrList | null {
  const { host, proxyProtocolFrom } = http;
  if (ranges === null || proxyProtocolFrom.length > 0 || !isLoopback(host)) return ranges;
  return LOOPBACK_RANGES.every((range) => ranges.includes(range)) ? null : ranges;
}

/** `before`: the apps of the plan until now, by index. */
function deriveApp(
  config: AppConfig,
  appIndex: number,
  http: HttpConfig,
  before: ReadonlyMap<number, DerivedApp>,
): DerivedApp {
  const last = before.get(appIndex);
  const isSame =
    last === undefined ||
    (last.config.rateTps === config.rateTps && last.config.burst === config.burst);
  const half = last?.bucketHalf ?? 0;
  // One literal: apps of one shape are read as fast as one app is.
  return {
    appIndex,
    config,
    bucketHalf: isSame ? half : 1 - half,
    ipAllow: decisiveRanges(config.ipAllow, http),
  };
}

/** The things of a plan by their index; undefined where nothing is configured now. */
export function byIndex<T>(things: readonly T[], indexOf: (thing: T) => number): (T | undefined)[] {
  const indexed: (T | undefined)[] = [];
  for (const thing of things) indexed[indexOf(thing)] = thing;
  return indexed;
}

const LOOPBACK_RANGES = ["127.0.0.0/8", "::1/128"] as const;

const EMPTY_SLOTS: PlanSlots = {
  apps: new Map(),
  links: new Map(),
  pools: new Map(),
  sessionRows: [],
  sessionCount: 0,
};

/** The slots and, behind them, those ids that have none yet. */
function withIds(
  slots: ReadonlyMap<number, number>,
  things: readonly { readonly id: number }[],
): ReadonlyMap<number, number> {
  const all = new Map(slots);
  for (const { id } of things) if (!all.has(id)) all.set(id, all.size);
  return all;
}

/** Gives each session that has no row yet the next one. */
function withSessions(
  slots: PlanSlots,
  links: readonly LinkConfig[],
  linkSlots: ReadonlyMap<number, number>,
): Pick<PlanSlots, "sessionRows" | "sessionCount"> {
  const sessionRows = Array.from({ length: linkSlots.size }, (_, linkIndex) => [
    ...(slots.sessionRows[linkIndex] ?? []),
  ]);
  let { sessionCount } = slots;
  for (const { id, sessions } of links) {
    const own = sessionRows[known(linkSlots, id)] as number[];
    while (own.length < sessions) own.push(sessionCount++);
  }
  return { sessionRows, sessionCount };
}

/** The configured pools, then those of single links. */
function wantedPools(
  config: GatewayConfig,
  links: readonly DerivedLink[],
): Omit<DerivedPool, "poolIndex">[] {
  const linkById = new Map(links.map((link) => [link.config.id, link]));
  const poolOf = (pool: PoolConfig, direct: boolean): Omit<DerivedPool, "poolIndex"> => {
    const members = pool.members.map(({ link: id, weight }) => {
      const link = linkById.get(id);
      if (link === undefined) throw new Error(`no link with id ${id}`);
      return { link, weight };
    });
    const profile = members[0]?.link.profile;
    if (profile === undefined) throw new Error(`pool ${pool.id} has no members`);
    return {
      id: pool.id,
      name: pool.name,
      direct,
      members: members.map(({ link, weight }) => ({ linkIndex: link.linkIndex, weight })),
      profile,
      apps: members[0]?.link.config.apps ?? null,
      ipAllow: decisiveRanges(members[0]?.link.config.ipAllow ?? null, config.http),
    };
  };
  const single = [...directLinkIds(config)].map((id) =>
    poolOf({ id, name: `link-${id}`, members: [{ link: id, weight: 1 }] }, true),
  );
  return [...config.pools.map((pool) => poolOf(pool, false)), ...single];
}

function profileOf(config: GatewayConfig, name: string): ProfileConfig {
  const profile = Object.hasOwn(config.profiles, name) ? config.profiles[name] : undefined;
  if (profile === undefined) throw new Error(`no profile called ${name}`);
  return profile;
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
  if (jwt.secret === null && jwt.jwks === null && jwt.jwksUrl === null) {
    const apps = config.apps.filter((app) => app.jwt === null).length;
    if (apps > 0)
      warnings.push(`auth.jwt has no key: every call of ${apps} app(s) is answered 401`);
  }
  if (config.journal.durability !== "disk") {
    const mode = config.journal.durability;
    const loss = mode === "none" ? "accepted messages, and data_dir" : "accepted messages";
    warnings.push(`journal.durability is ${mode}: power loss may lose ${loss}`);
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
 * Such links are one account to the SMSC, which may send a receipt to any of their sessions. A link
 * of `known`, an earlier answer, keeps what it had, and so do those that are gone: receipts of what
 * went over them are still to come.
 */
export function accountsOf(
  links: readonly LinkConfig[],
  known: ReadonlyMap<number, number> = new Map(),
): Map<number, number> {
  const firstOf = new Map<string, number>();
  const accounts = new Map(known);
  const nameOf = ({ host, port, systemId }: LinkConfig): string =>
    JSON.stringify([host, port, systemId]);
  for (const link of links) {
    const account = known.get(link.id);
    if (account !== undefined && !firstOf.has(nameOf(link))) firstOf.set(nameOf(link), account);
  }
  for (const link of links) {
    if (known.has(link.id)) continue;
    const first = firstOf.get(nameOf(link)) ?? link.id;
    firstOf.set(nameOf(link), first);
    accounts.set(link.id, first);
  }
  return accounts;
}
