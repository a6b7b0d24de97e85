/**
 * What must hold between keys: references that resolve, ids that differ, sizes that fit.
 *
 * Each relation names the blocks it reads and is skipped when one of them already has a problem, so
 * that one mistake is reported once. Pure.
 */
import { isIP, isIPv4 } from "node:net";
import { parseKeySet } from "./key-set.ts";
import { showValue } from "./problems.ts";
import type { RawPath } from "./yaml-source.ts";
import type { SharedProfile } from "./profile-types.ts";
import { checkProfiles, SHARED_PROFILE_KEYS } from "./relations-profiles.ts";
import type { GatewayConfig, JwtConfig } from "./types.ts";

/** Reports a broken relation at a key. */
export type Refuse = (shown: string, raw: RawPath, found: string, allowed: string) => void;

interface Relation {
  readonly reads: readonly (keyof GatewayConfig)[];
  readonly check: (config: GatewayConfig, refuse: Refuse) => void;
}

/** Fewest segments that journal.bytes_max must hold: one written, one prepared, two draining. */
export const JOURNAL_SEGMENTS_MIN = 4;

/** Whether an address or name can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith("127.");
  return isIP(host) === 6 ? host === "::1" : host === "localhost";
}

function checkIds(config: GatewayConfig, refuse: Refuse): void {
  const links = new Set(config.links.map((link) => link.id));
  config.pools.forEach((pool, index) => {
    if (!links.has(pool.id)) return;
    const raw = ["pools", index, "id"];
    refuse(`pools[${pool.id}].id`, raw, `${pool.id}, a link's id too`, "an id that no link has");
  });
}

function checkMembers(config: GatewayConfig, refuse: Refuse): void {
  const links = new Map(config.links.map((link) => [link.id, link]));
  config.pools.forEach((pool, poolIndex) => {
    const shown = `pools[${pool.id}].members`;
    const raw: RawPath = ["pools", poolIndex, "members"];
    if (pool.members.length === 0) refuse(shown, raw, "an empty list", "at least one link");
    const first = links.get(pool.members[0]?.link ?? 0);
    pool.members.forEach((member, index) => {
      const link = links.get(member.link);
      const at = `${shown}[${member.link}].link`;
      if (link === undefined) {
        refuse(at, [...raw, index, "link"], `${member.link}`, "the id of one of links");
        return;
      }
      for (const key of ["apps", "ipAllow"] as const) {
        if (first === undefined || sameSet(first[key], link[key])) continue;
        const found = `${key === "apps" ? "apps" : "ip_allow"} ${showValue(link[key])}`;
        const same = showValue(first[key]);
        const allowed = `that of link ${first.id}, ${same}: a pool's members share it`;
        refuse(at, [...raw, index, "link"], found, allowed);
      }
    });
  });
}

type MaybeList = readonly (string | number)[] | null;

function sameSet(a: MaybeList, b: MaybeList): boolean {
  if (a === null || b === null) return a === b;
  const other = new Set(b);
  return a.length === b.length && a.every((element) => other.has(element));
}

/** Every link has a profile, and the members of a pool agree in what is decided at admission. */
function checkProfileUse(config: GatewayConfig, refuse: Refuse): void {
  const profileOf = (linkId: number): [string, SharedProfile] | null => {
    const name = config.links.find((link) => link.id === linkId)?.profile ?? "";
    return Object.hasOwn(config.profiles, name)
      ? [name, config.profiles[name] as SharedProfile]
      : null;
  };
  config.links.forEach(({ id, profile }, index) => {
    if (Object.hasOwn(config.profiles, profile)) return;
    const allowed = `names of profiles: ${Object.keys(config.profiles).join(", ")}`;
    refuse(`links[${id}].profile`, ["links", index, "profile"], showValue(profile), allowed);
  });
  config.pools.forEach((pool, poolIndex) => {
    const first = pool.members[0];
    const shared = first === undefined ? null : profileOf(first.link);
    pool.members.forEach((member, index) => {
      const own = profileOf(member.link);
      if (shared === null || own === null || first === undefined) return;
      const key = SHARED_PROFILE_KEYS.find((name) => differ(shared[1][name], own[1][name]));
      if (key === undefined) return;
      const yaml = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const found = `profile ${own[0]}, with another ${yaml} than profile ${shared[0]}`;
      const allowed = `the ${yaml} of link ${first.link}: texts are cut before a link is chosen`;
      const raw: RawPath = ["pools", poolIndex, "members", index, "link"];
      refuse(`pools[${pool.id}].members[${member.link}].link`, raw, found, allowed);
    });
  });
}

/** Lists count as sets: the order of patterns and languages decides nothing. */
function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, asSet) !== JSON.stringify(b, asSet);
}

function asSet(_key: string, value: unknown): unknown {
  return Array.isArray(value) ? [...new Set(value as unknown[])].sort(byText) : value;
}

function byText(a: unknown, b: unknown): number {
  return String(a) < String(b) ? -1 : 1;
}

function checkRoutes(config: GatewayConfig, refuse: Refuse): void {
  const ids = new Set([...config.links, ...config.pools].map((target) => target.id));
  config.routes.forEach((route, index) => {
    if (ids.has(route.to)) return;
    const shown = `routes[${route.prefix}].to`;
    refuse(shown, ["routes", index, "to"], `${route.to}`, "the id of a pool or of a link");
  });
}

function checkAppPolicies(config: GatewayConfig, refuse: Refuse): void {
  config.apps.forEach((app, index) => {
    for (const name of app.policies) {
      if (Object.hasOwn(config.policy.policies, name)) continue;
      const known = Object.keys(config.policy.policies).join(", ");
      const raw = ["apps", index, "policies"];
      refuse(
        `apps[${app.id}].policies`,
        raw,
        showValue(name),
        `names of policy.policies: ${known}`,
      );
    }
  });
}

function checkLinkApps(config: GatewayConfig, refuse: Refuse): void {
  const apps = new Set(config.apps.map((app) => app.id));
  config.links.forEach((link, index) => {
    for (const id of link.apps ?? []) {
      if (apps.has(id)) continue;
      refuse(`links[${link.id}].apps`, ["links", index, "apps"], `${id}`, "ids of apps");
    }
  });
}

function checkLinkTls({ links }: GatewayConfig, refuse: Refuse): void {
  links.forEach(({ id, tls }, index) => {
    if (tls === null || (tls.certFile === null) === (tls.keyFile === null)) return;
    const missing = tls.certFile === null ? "cert_file" : "key_file";
    const shown = `links[${id}].tls.${missing}`;
    const other = tls.certFile === null ? "key_file" : "cert_file";
    refuse(shown, ["links", index, "tls", missing], "null", `a file: ${other} is given`);
  });
}

function checkHttpTls({ http }: GatewayConfig, refuse: Refuse): void {
  const { tls } = http;
  if (tls === null) return;
  for (const [key, file] of [
    ["cert_file", tls.certFile],
    ["key_file", tls.keyFile],
  ] as const) {
    if (file === null) refuse(`http.tls.${key}`, ["http", "tls", key], "null", "a file, PEM");
  }
}

function checkJournal({ journal }: GatewayConfig, refuse: Refuse): void {
  const least = JOURNAL_SEGMENTS_MIN * journal.segmentBytes;
  if (journal.bytesMax >= least) return;
  const allowed = `at least ${least} bytes, ${JOURNAL_SEGMENTS_MIN} of journal.segment_bytes`;
  refuse("journal.bytes_max", ["journal", "bytes_max"], `${journal.bytesMax}`, allowed);
}

function checkAdmin({ admin }: GatewayConfig, refuse: Refuse): void {
  if (admin.token !== null || isLoopback(admin.host)) return;
  const found = `${showValue(admin.host)} without admin.token_file`;
  refuse("admin.host", ["admin", "host"], found, "a loopback address, or a token");
}

function checkListeners(config: GatewayConfig, refuse: Refuse): void {
  const { http, admin, grpc } = config;
  const listeners = [
    { block: "http", ...http },
    { block: "admin", ...admin },
    ...(grpc.enabled ? [{ block: "grpc", ...grpc }] : []),
  ];
  listeners.forEach((one, index) => {
    const other = listeners
      .slice(0, index)
      .find((earlier) => earlier.port === one.port && earlier.host === one.host);
    if (other === undefined || one.port === 0) return;
    const found = `${one.port}, also ${other.block}.port on ${one.host}`;
    refuse(`${one.block}.port`, [one.block, "port"], found, "a port of its own");
  });
}

function checkSizes({ http }: GatewayConfig, refuse: Refuse): void {
  if (http.batchBytesMax >= http.bodyBytesMax) return;
  const allowed = `at least http.body_bytes_max, ${http.bodyBytesMax}`;
  refuse("http.batch_bytes_max", ["http", "batch_bytes_max"], `${http.batchBytesMax}`, allowed);
}

function checkJwt(shown: string, raw: RawPath, jwt: JwtConfig, refuse: Refuse): void {
  if (jwt.jwks === null) return;
  if (jwt.jwksUrl !== null) {
    refuse(`${shown}.jwks_url`, [...raw, "jwks_url"], "jwks_file beside it", "one of the two");
  }
  const { refusal } = parseKeySet(jwt.jwks);
  if (refusal === null) return;
  const allowed = "public keys for RS256 (2048 bits or more), ES256 or EdDSA, with different kids";
  refuse(`${shown}.jwks_file`, [...raw, "jwks_file"], `a key set: ${refusal}`, allowed);
}

function checkKeySources(config: GatewayConfig, refuse: Refuse): void {
  checkJwt("auth.jwt", ["auth", "jwt"], config.auth.jwt, refuse);
  config.apps.forEach((app, index) => {
    if (app.jwt !== null) checkJwt(`apps[${app.id}].jwt`, ["apps", index, "jwt"], app.jwt, refuse);
  });
}

function checkRedis({ redis, limits }: GatewayConfig, refuse: Refuse): void {
  if (redis === null) return;
  if (limits.replicasMax === null) {
    const allowed = "a number of replicas; it is required with redis";
    refuse("limits.replicas_max", ["limits", "replicas_max"], "null", allowed);
  }
  if (redis.mode === "sentinel" && redis.name === null) {
    refuse("redis.name", ["redis", "name"], "null", "the master's name; mode sentinel needs it");
  }
}

function checkPolicy({ policy, s3 }: GatewayConfig, refuse: Refuse): void {
  if (policy.mode === "mcp" && policy.mcpUrl === null) {
    refuse("policy.mcp_url", ["policy", "mcp_url"], "null", "a URL; mode mcp needs it");
  }
  for (const [name, rules] of Object.entries(policy.policies)) {
    for (const list of rules.blacklists) {
      if (Object.hasOwn(policy.lists, list)) continue;
      const shown = `policy.policies.${name}.blacklists`;
      const raw = ["policy", "policies", name, "blacklists"];
      refuse(shown, raw, showValue(list), "names of policy.lists");
    }
  }
  for (const [name, list] of Object.entries(policy.lists)) {
    if (s3 !== null || !list.source.startsWith("s3:")) continue;
    const raw = ["policy", "lists", name, "source"];
    refuse(`policy.lists.${name}.source`, raw, showValue(list.source), "file:…, or s3 configured");
  }
}

function checkSinks(config: GatewayConfig, refuse: Refuse): void {
  const apps = new Set(config.apps.map((app) => app.id));
  config.webhooks.forEach((webhook, index) => {
    if (apps.has(webhook.app)) return;
    const raw = ["webhooks", index, "app"];
    refuse(`webhooks[#${index}].app`, raw, `${webhook.app}`, "the id of one of apps");
  });
  if (config.cdr.bucket !== null && config.s3 === null) {
    refuse("cdr.bucket", ["cdr", "bucket"], showValue(config.cdr.bucket), "null, or s3 configured");
  }
  if (config.log.archive && !config.cdr.enabled) {
    refuse("log.archive", ["log", "archive"], "true", "false, or cdr.enabled: true");
  }
  const { s3 } = config;
  if (s3 !== null && (s3.accessKey === null) !== (s3.secretKey === null)) {
    const missing = s3.accessKey === null ? "access_key_file" : "secret_key_file";
    refuse(`s3.${missing}`, ["s3", missing], "null", "a file: both keys, or neither");
  }
}

const RELATIONS: readonly Relation[] = [
  { reads: ["links", "pools"], check: checkIds },
  { reads: ["links", "pools"], check: checkMembers },
  { reads: ["profiles"], check: checkProfiles },
  { reads: ["profiles", "links", "pools"], check: checkProfileUse },
  { reads: ["links", "pools", "routes"], check: checkRoutes },
  { reads: ["apps", "policy"], check: checkAppPolicies },
  { reads: ["apps", "links"], check: checkLinkApps },
  { reads: ["links"], check: checkLinkTls },
  { reads: ["journal"], check: checkJournal },
  { reads: ["admin"], check: checkAdmin },
  { reads: ["http", "admin", "grpc"], check: checkListeners },
  { reads: ["http"], check: checkSizes },
  { reads: ["http"], check: checkHttpTls },
  { reads: ["auth", "apps"], check: checkKeySources },
  { reads: ["redis", "limits"], check: checkRedis },
  { reads: ["policy", "s3"], check: checkPolicy },
  { reads: ["apps", "webhooks", "cdr", "s3", "log"], check: checkSinks },
];

/** Reports every broken relation among blocks that have no problem of their own. */
export function checkRelations(
  config: GatewayConfig,
  broken: ReadonlySet<string>,
  refuse: Refuse,
): void {
  for (const relation of RELATIONS) {
    if (!relation.reads.some((name) => broken.has(name))) relation.check(config, refuse);
  }
}
