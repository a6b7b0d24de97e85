/**
 * One contender's turn: start it fresh, warm it up, load it, wait until it has finished everything
 * it took, and stop it. What it still did after the load counts; the warm-up does not.
 */
import { residentBytes } from "../../test/support/processes.ts";
import type {
  Contender,
  LoadSettings,
  OwnLoad,
  Settled,
  Standing,
} from "./contenders/contender.ts";
import { cpuSeconds, cpuSet } from "./process-figures.ts";
import { runStreams } from "./stream-load.ts";
import { runWrk, type WrkResult } from "./wrk.ts";

/** The same load for so long at first, but no longer than what counts: code gets compiled. */
const WARM_UP_S_MAX = 4;

/** What a turn came to. */
export interface Figures {
  readonly contender: string;
  readonly wrk: WrkResult;
  /** null: a server, which has no operator behind it. */
  readonly settled: Settled | null;
  /** Messages a second: answered over HTTP (server), or by the operator (gateway). */
  readonly messagesPerS: number;
  /** CPU of its processes, in microseconds a message. */
  readonly cpuUsPerMessage: number;
  /** RssAnon + RssShmem of its process trees at the end of the load. */
  readonly residentBytes: number;
  readonly cpuSets: readonly string[];
}

/** Gives one contender its turn. Rejects if it cannot be started or loaded. */
export async function takeTurn(contender: Contender, settings: LoadSettings): Promise<Figures> {
  const standing = await contender.start(settings);
  try {
    const { pids } = standing;
    const own = standing.takesBatches ? settings : { ...settings, batch: 1, stream: false };
    if (standing.load === undefined) await warmUp(standing, own);
    const before = cpuSeconds(pids);
    const settle = standing.watch();
    const { wrk, messagesPerS } = await loadOf(standing, own);
    const resident = pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
    const settled = await settle();
    const cpu = cpuSeconds(pids) - before;
    const answered = (wrk.requests - wrk.status_errors) * own.batch;
    const messages = settled?.messages ?? answered;
    const seconds = settled?.toLastAnswerS ?? wrk.duration_us / 1e6;
    return {
      contender: contender.name,
      wrk,
      settled,
      messagesPerS: messagesPerS ?? messages / seconds,
      cpuUsPerMessage: (cpu * 1e6) / messages,
      residentBytes: resident,
      cpuSets: pids.map(cpuSet),
    };
  } finally {
    await standing.stop();
  }
}

async function warmUp(standing: Standing, settings: LoadSettings): Promise<void> {
  const seconds = Math.min(WARM_UP_S_MAX, settings.seconds);
  const settle = standing.watch();
  await loadOf(standing, { ...settings, seconds });
  await settle();
}

async function loadOf(standing: Standing, settings: LoadSettings): Promise<OwnLoad> {
  if (standing.load !== undefined) return await standing.load(settings);
  const load = settings.stream ? runStreams : runWrk;
  return { wrk: await load(standing, settings), messagesPerS: null };
}
