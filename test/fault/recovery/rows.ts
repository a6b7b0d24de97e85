/** The rows of docs/RELIABILITY.md that `npm run fault:recovery` fills, by name. */
import type { Workspace } from "../../support/processes.ts";
import { isClean, type Verdict } from "./judge.ts";
import { type BacklogResult, waitForLinks, waitForTime } from "./backlog.ts";
import { breakThreads, type DeathResult, type DrainKind, terminate } from "./deaths.ts";
import { fillDisk, fillLog, troubleDisk } from "./disk-trouble.ts";
import { killAtPoints, killUnderLoad } from "./kills.ts";
import { faultsOf, overload, type OverloadOptions } from "./overload.ts";
import { timeRecovery } from "./recovery-time.ts";
import { suspend } from "./suspend.ts";

export interface RowOptions {
  readonly workspace: Workspace;
  readonly trials: number;
  readonly seed: number;
  /** No further trial once it is aborted. */
  readonly signal: AbortSignal;
  /** Messages that wait at the start, for `recovery-time`. */
  readonly pending: number;
  /** How large the log is then, in GiB, at least. */
  readonly logGib: number;
  readonly say: (line: string) => void;
}

export interface RowResult {
  readonly row: string;
  readonly what: string;
  readonly trials: number;
  readonly failures: number;
  /** 3 / trials: the probability of a failure is below it, at 95 %; null after a failure. */
  readonly bound_95: number | null;
  readonly worst: Readonly<Record<string, number>>;
  readonly details: object;
}

export interface Row {
  /** Trials without `--trials`. */
  readonly trials: number;
  run(options: RowOptions): Promise<RowResult>;
}

/** Longer than any watchdog waits. */
const SUSPENDED_S = 40;
/** Of the contract, while clients that do not back off are refused. */
const GOODPUT_MIN = 0.85;
/**
 * L4: at 100 messages a second a segment of the log is let go of every 4 s. A client at half of
 * that needs half a segment meanwhile: it is refused until the next one goes, or the next but one
 * where records of what is under way take the first; the rest is a busy machine's.
 */
const SLOW_RECOVERED_MS_MAX = 15_000;
/** L10. */
const RECOVERED_MS_MAX = 5000;
/** So long a client keeps to half the contract beyond the bar, to be seen when it is missed. */
const CALM_BEYOND_S = 5;
const RESIDENT_MB_MAX = 400;
/** Scheduled messages are due when a slow machine has accepted them. */
const SCHEDULED_PER_S_MIN = 8000;

export const ROWS: Readonly<Record<string, Row>> = {
  F1: {
    trials: 300,
    run: async ({ trials, ...options }) => {
      const found = await killUnderLoad({ ...options, kills: trials, threads: 2 });
      const worst = { restart_ms: found.restart_ms_max };
      return resultOf("F1", "kill -9 under load", found.kills, found.verdict, worst, found);
    },
  },
  F2: {
    trials: 20,
    run: async ({ trials, ...options }) => {
      const found = await killAtPoints({ ...options, rounds: trials });
      const worst = { restart_ms: found.restart_ms_max, not_reached: found.missed.length };
      return resultOf("F2", "end at named points", found.kills, found.verdict, worst, found);
    },
  },
  F3: {
    trials: 50,
    run: async (options) => deathResult("F3", "a thread dies", await breakThreads(options)),
  },
  F4: { trials: 50, run: (options) => drainRow("F4", "once", options) },
  "F4-twice": { trials: 50, run: (options) => drainRow("F4-twice", "twice", options) },
  "F4-stuck": { trials: 20, run: (options) => drainRow("F4-stuck", "stuck", options) },
  F7: {
    trials: 20,
    run: async ({ trials, ...options }) => {
      const found = await fillLog({ ...options, rounds: trials });
      const worst = { accepting_again_ms: found.accepting_again_ms_max };
      return withSurprises("F7", "no room for the log", found.trials, found, worst);
    },
  },
  "F7-disk": {
    trials: 20,
    run: async ({ trials, ...options }) => {
      const found = await fillDisk({ ...options, rounds: trials });
      if (found === null) throw new Error("a tmpfs cannot be mounted here: run it as root");
      const worst = { ended: found.ended, accepting_again_ms: found.accepting_again_ms_max };
      return withSurprises("F7-disk", "a full disk", found.trials, found, worst);
    },
  },
  backlog: {
    trials: 5_000_000,
    run: async ({ trials: messages, ...options }) => {
      const found = await waitForLinks({ ...options, messages });
      return backlogResult("backlog", "messages wait for a link", found);
    },
  },
  scheduled: {
    trials: 1_000_000,
    run: async ({ trials: messages, ...options }) => {
      const leadS = Math.max(10, messages / SCHEDULED_PER_S_MIN);
      const found = await waitForTime({ ...options, messages, leadS });
      return backlogResult("scheduled", "messages wait for their time", found);
    },
  },
  "recovery-time": {
    trials: 3,
    run: async (options) => {
      const found = await timeRecovery(options);
      const worst = { first_submit_ms: Math.max(...found.first_submit_ms) };
      const what = "first submit_sm after a start with messages waiting";
      const { trials } = options;
      return {
        row: "recovery-time",
        what,
        trials,
        failures: 0,
        bound_95: null,
        worst,
        details: found,
      };
    },
  },
  F24: {
    trials: 20,
    run: async (options) => {
      const found = await suspend({ ...options, seconds: SUSPENDED_S });
      const worst = { accepting_again_ms: found.accepting_again_ms_max };
      return withSurprises("F24", "the process is stopped and goes on", found.trials, found, worst);
    },
  },
  L4: {
    trials: 5,
    run: (options) =>
      overloadRow("L4", "an operator slower than its clients, until the queue is full", {
        ...options,
        seconds: 30,
        bytesMax: 2 ** 26,
        ratePerS: 100,
        recoveredMsMax: SLOW_RECOVERED_MS_MAX,
      }),
  },
  L10: {
    trials: 3,
    run: (options) =>
      overloadRow("L10", "clients that post again at once what was refused", {
        ...options,
        seconds: 60,
        bytesMax: 2 ** 24,
        ratePerS: 1000,
        recoveredMsMax: RECOVERED_MS_MAX,
      }),
  },
  F8: {
    trials: 50,
    run: async ({ trials, ...options }) => {
      const found = await troubleDisk({ ...options, rounds: trials });
      const worst = { syncs_again: found.syncs_again };
      return withSurprises("F8", "disk trouble", found.trials, found, worst);
    },
  },
};

/** Also a failure: more memory than 400 MB. */
function backlogResult(row: string, what: string, found: BacklogResult): RowResult {
  const { messages, early, twice, lost, surprises } = found;
  const residentMb = Math.max(found.resident_mb_accepting, found.resident_mb_going_out);
  const isTooLarge = residentMb > RESIDENT_MB_MAX;
  const failures = early + twice + lost + surprises.length + (isTooLarge ? 1 : 0);
  return {
    row,
    what,
    trials: messages,
    failures,
    bound_95: failures === 0 ? 3 / messages : null,
    worst: { resident_mb: residentMb },
    details: found,
  };
}

async function overloadRow(
  row: string,
  what: string,
  {
    recoveredMsMax,
    ...options
  }: Omit<OverloadOptions, "calmSeconds"> & { readonly recoveredMsMax: number },
): Promise<RowResult> {
  const calmSeconds = recoveredMsMax / 1000 + CALM_BEYOND_S;
  const trials = await overload({ ...options, calmSeconds });
  const faults = trials.flatMap((trial) => [
    ...faultsOf(trial),
    ...(trial.goodput < GOODPUT_MIN ? [`goodput ${trial.goodput}`] : []),
    ...(trial.recovered_ms > recoveredMsMax ? [`recovered in ${trial.recovered_ms} ms`] : []),
  ]);
  return {
    row,
    what,
    trials: trials.length,
    failures: faults.length,
    bound_95: faults.length === 0 ? 3 / trials.length : null,
    worst: {
      fullest: Math.max(...trials.map(({ fullest }) => fullest)),
      goodput: Math.min(...trials.map(({ goodput }) => goodput)),
      recovered_ms: Math.max(...trials.map(({ recovered_ms: ms }) => ms)),
    },
    details: { faults, trials },
  };
}

async function drainRow(row: string, kind: DrainKind, options: RowOptions): Promise<RowResult> {
  return deathResult(row, `SIGTERM under load, ${kind}`, await terminate(options, kind));
}

function deathResult(row: string, what: string, found: DeathResult): RowResult {
  const worst = { end_ms: found.end_ms_max, restart_ms: found.restart_ms_max };
  return withSurprises(row, what, found.trials, found, worst);
}

/** Faults of the judge count as failed trials, each as one. */
function resultOf(
  row: string,
  what: string,
  trials: number,
  verdict: Verdict,
  worst: Readonly<Record<string, number>>,
  details: object,
): RowResult {
  const { lost, unflagged, excess, books, strangers, untrue } = verdict;
  const failures = isClean(verdict) ? 0 : lost + unflagged + excess + books + strangers + untrue;
  return {
    row,
    what,
    trials,
    failures,
    bound_95: failures === 0 ? 3 / trials : null,
    worst,
    details,
  };
}

/** As `resultOf`, with what went otherwise than it should. */
function withSurprises(
  row: string,
  what: string,
  trials: number,
  found: {
    readonly surprises: readonly string[];
    readonly syncs_again?: number;
    readonly verdict: Verdict;
  },
  worst: Readonly<Record<string, number>>,
): RowResult {
  const result = resultOf(row, what, trials, found.verdict, worst, found);
  const failures = result.failures + found.surprises.length + (found.syncs_again ?? 0);
  return { ...result, failures, bound_95: failures === 0 ? 3 / trials : null };
}
