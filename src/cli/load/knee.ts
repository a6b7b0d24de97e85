/**
 * What a sweep means: measurements become a recommendation and its reasons. Pure.
 *
 *   rate │        ·  ·   ·      the knee: the least value from which more brings nothing,
 *        │     ·  ▲             that is less than 5 % up to the best one
 *        │  ·
 *        └────────────── value
 */
import type { Measurement } from "./point.ts";

/** What is swept. */
export type Dimension = "threads" | "workers" | "window" | "commit" | "batch";

export interface SweepPoint {
  readonly value: number;
  readonly measured: Measurement;
  /** Rates of all runs, of which `measured` is the median; left out: there was one. */
  readonly runsPerS?: readonly number[];
}

export interface Recommendation {
  readonly dimension: Dimension;
  readonly value: number;
  /** Full sentences, the figures in them. */
  readonly reasons: readonly string[];
}

/** Less than that is noise, and not worth a thread or a larger window. */
const WORTH = 0.05;
const FULL = 0.9;
/** Of all CPUs, taken by other programs: beside more a recommendation is worth little. */
const OTHERS_SHARE_MAX = 0.1;
/** Runs of one value that differ by more: smaller differences between values are noise. */
const SPREAD_MAX = 0.2;
const COMMIT_COST =
  "A longer interval makes fewer, larger commits, which cost less CPU; under load a 202 waits " +
  "for up to one more interval. A message that comes nearly alone never waits.";
const BATCH_CHOICE = "Batches are the clients' choice: there is nothing to set.";

const NOUNS: Readonly<Record<Dimension, readonly [string, string]>> = {
  threads: ["ingress thread", "ingress threads"],
  workers: ["worker", "workers"],
  window: ["PDU unanswered a session", "PDUs unanswered a session"],
  commit: ["µs from commit to commit", "µs from commit to commit"],
  batch: ["message a request", "messages a request"],
};

/** The value to take, and why. `points` in ascending order of value, at least one. */
export function recommend(
  dimension: Dimension,
  points: readonly SweepPoint[],
  cores: number,
): Recommendation {
  const [first] = points;
  if (first === undefined) throw new Error("a sweep has at least one point");
  const best = points.reduce((a, b) => (b.measured.perS > a.measured.perS ? b : a));
  const knee =
    points.find(({ measured }) => measured.perS >= best.measured.perS * (1 - WORTH)) ?? best;
  const reasons = [ratesText(dimension, points), kneeText(dimension, points, knee, best)];
  if (dimension === "window") reasons.push(windowText(first, knee));
  else if (dimension === "commit") reasons.push(commitText(knee.measured), COMMIT_COST);
  else if (dimension === "batch") reasons.push(commitText(knee.measured), BATCH_CHOICE);
  else reasons.push(busyText(knee.measured, cores), ringText(knee.measured));
  if (best.measured.generatorBusy >= FULL) {
    reasons.push(
      `The load itself took ${share(best.measured.generatorBusy)} of a core: the gateway may be ` +
        "able to do more than was measured.",
    );
  }
  const failed = points.filter(({ measured }) => measured.refused + measured.unanswered > 0);
  if (failed.length > 0) {
    const values = failed.map(({ value }) => value).join(", ");
    reasons.push(`Calls were refused or not answered with ${values}.`);
  }
  return { dimension, value: knee.value, reasons: [...reasons, ...noiseTexts(points)] };
}

/** What makes the recommendation doubtful. */
function noiseTexts(points: readonly SweepPoint[]): string[] {
  const texts: string[] = [];
  const spread = Math.max(...points.map(spreadOf));
  if (spread > SPREAD_MAX) {
    texts.push(
      `DOUBTFUL: runs of one value differ by up to ${share(spread)}, so smaller differences ` +
        "between values say nothing. Repeat it with --runs 5 and --seconds 10.",
    );
  }
  const others = Math.max(...points.map(({ measured }) => measured.othersShare));
  if (others > OTHERS_SHARE_MAX) {
    texts.push(
      `DOUBTFUL: other programs took up to ${share(others)} of all CPUs meanwhile. Repeat it ` +
        "when the machine is quiet.",
    );
  }
  return texts;
}

/** How far runs of one value lie apart, as a share of their median. */
function spreadOf({ measured, runsPerS = [] }: SweepPoint): number {
  if (runsPerS.length < 2) return 0;
  return (Math.max(...runsPerS) - Math.min(...runsPerS)) / measured.perS;
}

function ratesText(dimension: Dimension, points: readonly SweepPoint[]): string {
  const each = points.map(
    ({ value, measured }) => `${value}: ${count(measured.perS)}/s, ${p99Text(measured)}`,
  );
  return `Segments answered by the operator, by ${NOUNS[dimension][1]}: ${each.join("; ")}.`;
}

function p99Text({ accepted }: Measurement): string {
  return `202 p99 ${(accepted.p99 / 1000).toFixed(1)} ms`;
}

function kneeText(
  dimension: Dimension,
  points: readonly SweepPoint[],
  knee: SweepPoint,
  best: SweepPoint,
): string {
  const [one, many] = NOUNS[dimension];
  const chosen = `${knee.value} ${knee.value === 1 ? one : many}`;
  const below = points[points.indexOf(knee) - 1];
  const gain =
    below === undefined
      ? ""
      : ` ${percent(knee.measured.perS / below.measured.perS - 1)} more than ${below.value};`;
  if (knee === best) {
    const isLast = knee === points.at(-1);
    const more = isLast && points.length > 1 ? " the most that was tried." : " the best.";
    return `${chosen}:${gain}${more}`;
  }
  const left = percent(best.measured.perS / knee.measured.perS - 1);
  return `${chosen}:${gain} the best, ${best.value}, brings ${left} more, which is noise.`;
}

/** Which thread bounds the rate, if one does. */
function busyText({ busy, loopBusy }: Measurement, cores: number): string {
  const threads = Object.entries(busy).sort(([, a], [, b]) => b - a);
  const sum = threads.reduce((total, [, value]) => total + value, 0);
  const [name, most] = threads[0] ?? ["none", 0];
  const loop = loopBusy[name];
  const what =
    `The busiest thread was ${name} with ${share(most)} of a core` +
    `${loop === undefined ? "" : ` (its event loop busy ${share(loop)} of the time)`}, ` +
    `all took ${sum.toFixed(1)} of ${cores}`;
  if (most >= FULL) return `${what}: that thread is the bound.`;
  if (sum >= FULL * cores) return `${what}: the cores are the bound, more threads share them.`;
  return `${what}: no thread is the bound.`;
}

function ringText({ rings }: Measurement): string {
  const [name, most] = Object.entries(rings).sort(([, a], [, b]) => b - a)[0] ?? ["none", 0];
  if (most < 0.01) return "Every ring was nearly empty: nobody waited for a thread behind it.";
  const end = most >= FULL ? ": who reads it is too slow." : ".";
  return `The fullest ring was ${name} with ${share(most)}${end}`;
}

/** Little's law: what is unanswered = rate × answer time. */
function windowText(least: SweepPoint, knee: SweepPoint): string {
  const { perS, sessions, windowShare } = knee.measured;
  // The least queueing is with the least window.
  const answerMs = least.measured.answerP50Ms;
  if (answerMs === null || sessions === 0) return "No submit_sm was answered.";
  const perSession = perS / sessions;
  const needed = (perSession * answerMs) / 1000;
  return (
    `Window ≈ rate × answer time: ${count(perSession)}/s on each of ${sessions} sessions × at ` +
    `most ${answerMs.toFixed(2)} ms = ${count(Math.max(1, Math.ceil(needed)))}; with ` +
    `${knee.value} the windows were ${share(windowShare)} full.`
  );
}

function commitText({ bytesPerCommit, commitP50Ms }: Measurement): string {
  const took = commitP50Ms === null ? "" : ` in at most ${commitP50Ms.toFixed(2)} ms (p50)`;
  return (
    `A commit took ${(bytesPerCommit / 1024).toFixed(0)} KiB to disk${took}; its size follows ` +
    "the load."
  );
}

/**
 * The recommended keys as YAML, to be merged into a configuration; what belongs to each link, and
 * what clients do, as comments. `origin` is one line of where they are from.
 */
export function tunedYaml(found: readonly Recommendation[], origin: string): string {
  const of = (dimension: Dimension): number | null =>
    found.find((each) => each.dimension === dimension)?.value ?? null;
  const lines = [`# ${origin}`];
  const [threads, workers, window, commit, batch] = (
    ["threads", "workers", "window", "commit", "batch"] as const
  ).map(of);
  if (threads != null) lines.push("http:", `  threads: ${threads}`);
  if (workers != null) lines.push("workers:", `  count: ${workers}`);
  if (commit != null) lines.push("journal:", `  commit_interval_us: ${commit}`);
  if (window != null) {
    lines.push("# In each link to this operator, unless its contract says less:");
    lines.push(`#   window_max: ${window}`);
  }
  if (batch != null && batch > 1) {
    lines.push(`# Clients with much to send: POST /v1/messages:batch with ${batch} or more.`);
  }
  return `${lines.join("\n")}\n`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function share(value: number): string {
  return `${(value * 100).toFixed(0)} %`;
}

function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}
