/**
 * The highest rate of messages with receipts that a gateway keeps up with: it refuses none,
 * answers 99 % within a second of when they were due, and a second after the last was due every
 * submit_sm is answered and every receipt acknowledged.
 *
 *   500/s, doubled while kept ──► then halfway between what was kept and what was not, three times
 */
import type { LoadResult } from "../../../src/cli/load/generator.ts";
import { runOpenLoop } from "../open-loop.ts";
import type { OwnLoad } from "./contender.ts";
import type { Operator } from "./operator.ts";

const FIRST_PER_S = 500;
/** At each rate tried: a queue that grows shows itself within that. */
const TRY_S_MAX = 10;
const HALVINGS = 3;
const CONNECTIONS = 64;
const SETTLE_MS = 1000;
const ACCEPT_P99_US_MAX = 1_000_000;
/** How long a backlog of a rate that was too high may take. */
const DRAIN_MS_MAX = 15_000;
const LOOK_MS = 100;

/** What is loaded, and for how many seconds at each rate, at most ten. */
export interface KeptRateSearch {
  readonly port: number;
  readonly operator: Operator;
  readonly seconds: number;
}

export async function highestKeptRate(asked: KeptRateSearch): Promise<OwnLoad> {
  const search = { ...asked, seconds: Math.min(TRY_S_MAX, asked.seconds) };
  let kept = 0;
  let lost = Number.POSITIVE_INFINITY;
  let best: LoadResult | null = null;
  let halvings = HALVINGS;
  for (let rate = FIRST_PER_S; ; ) {
    const load = await keepsUp(search, rate);
    if (load === null) lost = rate;
    else {
      kept = rate;
      best = load;
    }
    if (lost === Number.POSITIVE_INFINITY) {
      rate *= 2;
      continue;
    }
    if (halvings-- === 0 || !(await drained(search, DRAIN_MS_MAX))) break;
    rate = Math.round((kept + lost) / 2);
  }
  if (best === null) throw new Error(`keeps up with no rate from ${lost}/s on`);
  const { due, accepted, refused, unanswered } = best;
  const wrk = {
    requests: due,
    duration_us: search.seconds * 1e6,
    p50_us: accepted.p50,
    p90_us: accepted.p90,
    p99_us: accepted.p99,
    p999_us: accepted.p999,
    max_us: accepted.max,
    status_errors: refused.count,
    socket_errors: unanswered,
  };
  return { wrk, messagesPerS: kept };
}

/** Loads at `rate`; null if that is too much. */
async function keepsUp(search: KeptRateSearch, rate: number): Promise<LoadResult | null> {
  const { port, operator, seconds } = search;
  const before = await operator.counts();
  const load = await runOpenLoop({
    port,
    token: "none",
    rate,
    seconds,
    connections: CONNECTIONS,
    hasReceipts: true,
    dialect: "kannel",
  });
  if (load.refused.count > 0 || load.unanswered > 0) return null;
  if (load.accepted.p99 > ACCEPT_P99_US_MAX) return null;
  if (!(await drained(search, SETTLE_MS))) return null;
  const { accepted } = await operator.counts();
  return accepted - before.accepted >= load.due ? load : null;
}

/** Whether within `ms` nothing is left to be answered or acknowledged. */
async function drained({ operator }: KeptRateSearch, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  let submits = -1;
  for (;;) {
    const counts = await operator.counts();
    const isIdle = counts.submits === submits && counts.waiting === 0;
    if (isIdle && counts.receiptsAnswered >= counts.receiptsScheduled) return true;
    if (performance.now() > deadline) return false;
    submits = counts.submits;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
