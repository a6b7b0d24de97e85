/**
 * One contender's turn: start it fresh, warm it up, load it, wait until it has finished everything
 * it took, stop it, and let the machine rest. What it still did after the load counts; the warm-up
 * does not.
 *
 *   warm up ─► load ──────────► finish what it took ─► stop ─► rest
 *              └── time and CPU of these two ──┘
 */
import { setTimeout as sleep } from "node:timers/promises";
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
/** After a turn: what it wrote and freed should not cost the next one. */
const REST_S_MAX = 1;
const REST_SHARE = 0.1;

/** What a turn came to. */
export interface Figures {
  readonly contender: string;
  readonly wrk: WrkResult;
  /** null: a server, which has no operator behind it. */
  readonly settled: Settled | null;
  /**
   * Messages a second: answered over HTTP (server), answered by the operator until the last answer
   * (gateway without books), or until the last message was final in its own books.
   */
  readonly messagesPerS: number;
  /** CPU of its processes, in microseconds a message. */
  readonly cpuUsPerMessage: number;
  /** RssAnon + RssShmem of its process trees at the end of the load. */
  readonly residentBytes: number;
  /** CPUs on which its processes may run. */
  readonly cpuSets: readonly string[];
  /** CPUs of the load generator and, for a gateway, the operator; early results do not say. */
  readonly generatorCpuSet?: string;
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
    const startedAt = performance.now();
    const { wrk, messagesPerS } = await loadOf(standing, own);
    const loadS = (performance.now() - startedAt) / 1000;
    const resident = pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
    const settled = await settle();
    const cpu = cpuSeconds(pids) - before;
    const answered = (wrk.requests - wrk.status_errors) * own.batch;
    const messages = settled?.messages ?? answered;
    // wrk takes a moment before it begins, which is nobody's time.
    const seconds = wrk.duration_us / 1e6 + lateOf(settled, loadS);
    return {
      contender: contender.name,
      wrk,
      settled,
      messagesPerS: messagesPerS ?? messages / seconds,
      cpuUsPerMessage: (cpu * 1e6) / messages,
      residentBytes: resident,
      cpuSets: pids.map(cpuSet),
      // They are started by this process and inherit its set.
      generatorCpuSet: cpuSet(process.pid),
    };
  } finally {
    await standing.stop();
    await sleep(Math.min(REST_S_MAX, settings.seconds * REST_SHARE) * 1000);
  }
}

/** Seconds from the end of the load until everything was finished. */
function lateOf(settled: Settled | null, loadS: number): number {
  if (settled === null) return 0;
  return Math.max(0, settled.seconds - loadS);
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
