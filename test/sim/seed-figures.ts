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

/** The least of something, and a seed that has it. */
interface Poorest {
  readonly count: number;
  readonly seed: number;
}

/** What is summed up over seeds. */
const SUMS = [
  "seeds",
  "simulatedHours",
  "messages",
  "promised",
  "segments",
  "flaggedDuplicates",
  "deaths",
  "faults",
  "reloads",
  "repeated",
  "replayed",
  "decided",
] as const;

/** What many seeds came to. */
export type Figures = Readonly<Record<(typeof SUMS)[number], number>> & {
  readonly failed: readonly number[];
  readonly poorest: Readonly<Record<keyof typeof SEED_MINIMA, Poorest>>;
  readonly statuses: Readonly<Record<string, number>>;
  /** Hits per row of the recovery table, and parts that met it in the log. */
  readonly rows: Readonly<Record<string, { readonly hits: number; readonly inLog: number }>>;
  /** How often each kind of fault struck. */
  readonly faultRows: Readonly<Record<string, number>>;
};

/** What one seed came to. */
export function figuresOf(result: Summary): Figures {
  const { seed, violations, deaths, messages, faults, rows, rowsInLog } = result;
  return {
    seeds: 1,
    failed: violations.length > 0 ? [seed] : [],
    simulatedHours: result.simulatedMs / 3_600_000,
    messages,
    poorest: {
      messages: { count: messages, seed },
      faults: { count: faults, seed },
      deaths: { count: deaths.length, seed },
    },
    promised: result.promised,
    segments: result.segments,
    flaggedDuplicates: result.flaggedDuplicates,
    deaths: deaths.length,
    faults,
    reloads: result.reloads,
    repeated: result.repeated,
    replayed: result.replayed,
    decided: result.decided,
    statuses: result.statuses,
    rows: Object.fromEntries(
      RECOVERY_ROWS.map((row) => [row, { hits: rows[row] ?? 0, inLog: rowsInLog[row] ?? 0 }]),
    ),
    faultRows: result.faultRows,
  };
}

/** What the seeds behind `a` and those behind `b` came to together; null: no seeds. */
export function addFigures(a: Figures | null, b: Figures): Figures {
  if (a === null) return b;
  const sums = SUMS.map((name) => [name, a[name] + b[name]] as const);
  const poorer = (what: keyof typeof SEED_MINIMA): Poorest =>
    a.poorest[what].count <= b.poorest[what].count ? a.poorest[what] : b.poorest[what];
  const rows = RECOVERY_ROWS.map((row) => {
    const [one, other] = [a.rows[row], b.rows[row]];
    const hits = (one?.hits ?? 0) + (other?.hits ?? 0);
    return [row, { hits, inLog: (one?.inLog ?? 0) + (other?.inLog ?? 0) }] as const;
  });
  return {
    ...(Object.fromEntries(sums) as Record<(typeof SUMS)[number], number>),
    failed: [...a.failed, ...b.failed].sort((one, other) => one - other),
    poorest: { messages: poorer("messages"), faults: poorer("faults"), deaths: poorer("deaths") },
    statuses: sumsOf([a.statuses, b.statuses]),
    rows: Object.fromEntries(rows),
    faultRows: sumsOf([a.faultRows, b.faultRows]),
  };
}

function sumsOf(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const one of counts) {
    for (const [name, count] of Object.entries(one)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

/** What a run took. */
export interface Effort {
  readonly cpuMinutes: number;
  readonly wallMinutes: number;
  readonly jobs: number;
}

/** Prints the figures. Returns whether every seed held and had its share, and every row was met. */
export function report(figures: Figures, { cpuMinutes, wallMinutes, jobs }: Effort): boolean {
  const { seeds, failed, simulatedHours } = figures;
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
