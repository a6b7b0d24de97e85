/**
 * The gateway's configuration in a simulated run, drawn from the seed and read by the real parser:
 * three links with other rates, windows and rules for ambiguity each, two pools, one direct route,
 * short timers and little space.
 */
import { parseConfig } from "../../src/config/parse.ts";
import type { GatewayConfig } from "../../src/config/types.ts";
import type { SeededRandom } from "./random.ts";
import type { IdForm } from "./simulated-smsc.ts";

export const LINK_IDS = [100, 101, 102] as const;
/** Prefix of destinations and the pool or link behind it. */
export const ROUTES = [
  { prefix: "99890", to: 1000 },
  { prefix: "99891", to: 1001 },
  { prefix: "99892", to: 102 },
] as const;
export const APP_IDS = [1, 2] as const;

/** What is drawn for one run. */
export interface RunSettings {
  /** What the file says now; a process that starts goes by it. */
  config: GatewayConfig;
  readonly ingressCount: number;
  readonly workerCount: number;
  readonly idForms: ReadonlyMap<number, IdForm>;
  /** Data bytes of the rings. */
  readonly stagingBytes: number;
  readonly handOverBytes: number;
  readonly noticeBytes: number;
  readonly waitingMax: number;
}

/** How many sessions a link may have: six make a pool that gives them runs of messages. */
export const SESSION_COUNTS = [1, 2, 3, 6] as const;

export function portOf(linkId: number): number {
  return 20_000 + linkId;
}

export function drawSettings(random: SeededRandom): RunSettings {
  const workerCount = random.between(1, 2);
  const config = parseConfig(yamlOf(random, workerCount), "/simulated", {}, (path) => {
    throw new Error(`the simulated configuration reads no files, not ${path}`);
  });
  const forms: readonly IdForm[] = [
    "decimal",
    "hex_then_decimal",
    "decimal_then_hex",
    "zeros",
    "case",
  ];
  return {
    config,
    ingressCount: random.between(1, 2),
    workerCount,
    idForms: new Map(LINK_IDS.map((link) => [link, random.pick(forms)])),
    stagingBytes: random.pick([32, 64, 256]) * 1024,
    handOverBytes: random.pick([16, 32, 128]) * 1024,
    noticeBytes: 16 * 1024,
    waitingMax: random.pick([100, 2000, 100_000]),
  };
}

function yamlOf(random: SeededRandom, workerCount: number): string {
  const link = (id: number, rates: readonly number[]): string => {
    const rate = random.pick(rates);
    const ambiguous = random.pick(["by_class", "by_class", "by_class", "resend", "hold", "fail"]);
    const bind = id === 102 && workerCount > 1 ? "transmitter_receiver" : "transceiver";
    return `  - { id: ${id}, host: smsc-${id}, port: ${portOf(id)}, system_id: sim, bind: ${bind},
      sessions: ${random.pick(SESSION_COUNTS)}, window_max: ${random.pick([1, 5, 20, 50])},
      rate_tps: ${rate === 0 ? "null" : rate}, enquire_link_interval_ms: 1500,
      response_timeout_ms: 2500, ambiguous: ${ambiguous} }`;
  };
  const apps = APP_IDS.map(
    (id) => `  - { id: ${id}, name: app-${id}, rate_tps: ${id === 2 ? 60 : "null"}, burst: 100 }`,
  );
  return `
node: { name: sim-1, data_dir: ./data }
workers: { count: ${workerCount} }
auth: { jwt: { jwks_file: null } }
apps:
${apps.join("\n")}
links:
${link(100, [60, 150, 400])}
${link(101, [20, 50, 150])}
${link(102, [30, 120, 0])}
pools:
  - { id: 1000, name: main, members: [{ link: 100, weight: 5 }, { link: 101, weight: 1 }] }
  - { id: 1001, name: other, members: [{ link: 101, weight: 1 }, { link: 102, weight: 2 }] }
routes:
${ROUTES.map(({ prefix, to }) => `  - { prefix: "${prefix}", to: ${to} }`).join("\n")}
journal: { durability: ${random.chance(0.8) ? "disk" : "process"}, segment_bytes: ${
    random.pick([64, 128]) * 1024
  }, bytes_max: ${random.pick([2, 4, 64]) * 1024 * 1024} }
ledger: { receipt_grace_s: 15, dead_letter_texts: true }
idempotency: { keys_max: 4000 }
`;
}
