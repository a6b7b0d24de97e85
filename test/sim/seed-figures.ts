/**
 * What many seeds came to: sums, the poorest of them, hits per row of the recovery table and per
 * kind of fault, and whether all that is as the house asks.
 */
import { FAULT_ROWS } from "./fault-rows.ts";
import { RECOVERY_ROWS } from "./log-model.ts";
import type { RunResult } from "./run-seed.ts";

/** What every seed has at least: messages in the log, faults that struck, deaths of the process. */
export const SEED_MINIMA = { messages: 1000, faults: 20, deaths: 1 } as const;

/** Fewer seeds than that need not meet every row. */
const SEEDS_FOR_ALL_ROWS = 30;

/** A result as it travels between threads: without its trace. */
export type Summary = Omit<RunResult, "trace">;

/** The least of something, and the seed that has it. */
interface Poorest {
  readonly count: number;
  readonly seed: number;
}

/** What many seeds came to. */
export interface Figures {
  readonly seeds: number;
  readonly failed: readonly number[];
  readonly simulatedHours: number;
  readonly cpuMinutes: number;
  readonly wallMinutes: number;
  readonly jobs: number;
  readonly messages: number;
  readonly poorest: Readonly<Record<keyof typeof SEED_MINIMA, Poorest>>;
  readonly promised: number;
  readonly segments: number;
  readonly flaggedDuplicates: number;
  readonly deaths: number;
  readonly faults: number;
  readonly reloads: number;
  readonly repeated: number;
  readonly replayed: number;
  readonly decided: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Hits per row of the recovery table, and parts that met it in the log. */
  readonly rows: Readonly<Record<string, { readonly hits: number; readonly inLog: number }>>;
  /** How often each kind of fault struck. */
  readonly faultRows: Readonly<Record<string, number>>;
}

/** Sums up `results`, made in `wallMs` by `jobs` threads of this process. */
export function figuresOf(results: readonly Summary[], jobs: number, wallMs: number): Figures {
  const sum = (of: (result: Summary) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const poorest = (of: (result: Summary) => number): Poorest => {
    let least: Poorest = { count: Number.POSITIVE_INFINITY, seed: 0 };
    for (const result of results) {
      if (of(result) < least.count) least = { count: of(result), seed: result.seed };
    }
    return least;
  };
  const rows = RECOVERY_ROWS.map((row) => {
    const hits = sum((result) => result.rows[row] ?? 0);
    return [row, { hits, inLog: sum((result) => result.rowsInLog[row] ?? 0) }] as const;
  });
  const { user, system } = process.cpuUsage();
  return {
    seeds: results.length,
    failed: results.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed),
    simulatedHours: sum(({ simulatedMs }) => simulatedMs) / 3_600_000,
    cpuMinutes: (user + system) / 60e6,
    wallMinutes: wallMs / 60_000,
    jobs,
    messages: sum(({ messages }) => messages),
    poorest: {
      messages: poorest(({ messages }) => messages),
      faults: poorest(({ faults }) => faults),
      deaths: poorest(({ deaths }) => deaths.length),
    },
    promised: sum(({ promised }) => promised),
    segments: sum(({ segments }) => segments),
    flaggedDuplicates: sum(({ flaggedDuplicates }) => flaggedDuplicates),
    deaths: sum(({ deaths }) => deaths.length),
    faults: sum(({ faults }) => faults),
    reloads: sum(({ reloads }) => reloads),
    repeated: sum(({ repeated }) => repeated),
    replayed: sum(({ replayed }) => replayed),
    decided: sum(({ decided }) => decided),
    statuses: sumsOf(results.map(({ statuses }) => statuses)),
    rows: Object.fromEntries(rows),
    faultRows: sumsOf(results.map(({ faultRows }) => faultRows)),
  };
}

function sumsOf(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const one of counts) {
    for (const [name, count] of Object.entries(one)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

/** Prints the figures. Returns whether every seed held and had its share, and every row was met. */
export function report(figures: Figures): boolean {
  const { seeds, failed, simulatedHours, cpuMinutes, wallMinutes, jobs } = figures;
  console.log(
    `\n${seeds} seeds, ${failed.length} failed; ${simulatedHours.toFixed(2)} simulated hours,`,
    `${(simulatedHours / wallMinutes).toFixed(2)} of them per minute on ${jobs} threads,`,
    `${((cpuMinutes * 60_000) / seeds).toFixed(0)} ms of CPU a seed`,
  );
  console.log(
    `${figures.messages} messages, ${figures.promised} with 202,`,
    `${figures.segments} segments written, ${figures.flaggedDuplicates} flagged duplicates`,
  );
  console.log(
    `${figures.deaths} deaths, ${figures.faults} faults, ${figures.reloads} reloads,`,
    `${figures.repeated} calls repeated by key,`,
    `${figures.replayed} dead letters sent anew,`,
    `${figures.decided} decisions about held messages`,
  );
  const statuses = Object.entries(figures.statuses);
  console.log(statuses.map(([status, count]) => `${status} ${count}`).join(", "));
  const isRich = reportPoorest(figures);
  const isComplete = reportRows(figures);
  for (const seed of failed) console.log(`failed: seed ${seed}`);
  return failed.length === 0 && isRich && (isComplete || seeds < SEEDS_FOR_ALL_ROWS);
}

function reportPoorest({ poorest }: Figures): boolean {
  let isRich = true;
  for (const what of ["messages", "faults", "deaths"] as const) {
    const { count, seed } = poorest[what];
    const isEnough = count >= SEED_MINIMA[what];
    if (!isEnough) isRich = false;
    const verdict = isEnough ? "" : `   TOO FEW, ${SEED_MINIMA[what]} are wanted`;
    console.log(`fewest ${what}: ${count} (seed ${seed})${verdict}`);
  }
  return isRich;
}

function reportRows({ rows, faultRows }: Figures): boolean {
  let isComplete = true;
  console.log(
    "hits per row of the recovery table (docs/JOURNAL.md), and parts that met it in the log:",
  );
  for (const [row, { hits, inLog }] of Object.entries(rows)) {
    const isMet = hits > 0 && inLog > 0;
    if (!isMet) isComplete = false;
    const counts = `${String(hits).padStart(9)} ${String(inLog).padStart(9)}`;
    console.log(`  ${row.padEnd(12)}${counts}${isMet ? "" : "   NEVER MET"}`);
  }
  console.log("how often each kind of fault struck:");
  for (const row of FAULT_ROWS) {
    const hits = faultRows[row] ?? 0;
    if (hits === 0) isComplete = false;
    console.log(`  ${row.padEnd(44)}${String(hits).padStart(9)}${hits > 0 ? "" : "   NEVER MET"}`);
  }
  return isComplete;
}
