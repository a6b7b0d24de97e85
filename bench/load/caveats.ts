/**
 * What must be said beside the figures of a throughput result: who shared the machine with whom,
 * and which of its references were not what they claim to be. Pure.
 */
import { KANNEL_PER_S_MIN } from "./bars.ts";
import { figuresOf, type ThroughputResult } from "./results.ts";
import type { Figures } from "./turn.ts";

/** Threads of the gateway that are busy under load beside its workers: main, journal, ledger. */
const OWN_THREADS = 3;
/** The operator and wrk. */
const OTHER_THREADS = 2;

export interface Caveat {
  readonly text: string;
  /** Whether nothing may be quoted because of it. */
  readonly voids: boolean;
}

export function caveatsOf(result: ThroughputResult): readonly Caveat[] {
  return [...sharedCores(result), ...unequalSets(result), ...voidKannel(result)];
}

function sharedCores({ origin, settings }: ThroughputResult): Caveat[] {
  const threads = OWN_THREADS + settings.workers + OTHER_THREADS;
  if (threads <= origin.cpuCount) return [];
  const text =
    `threads exceed cores: ${threads} busy ones (gateway, operator, load) share ` +
    `${origin.cpuCount} CPUs; figures of the gateway are the whole machine's`;
  return [{ text, voids: false }];
}

/** Every contender may run where the load runs; Kannel's bearerbox keeps to one CPU by design. */
function unequalSets({ runs }: ThroughputResult): Caveat[] {
  const sets = runs.flat().filter(({ contender }) => contender !== "kannel");
  const isOdd = ({ cpuSets, generatorCpuSet }: Figures): boolean =>
    generatorCpuSet !== undefined && cpuSets.some((set) => set !== generatorCpuSet);
  const odd = [...new Set(sets.filter(isOdd).map(({ contender }) => contender))];
  if (odd.length === 0) return [];
  const text = `CPU sets differ from the load's: ${odd.join(", ")}; ratios to them say nothing`;
  return [{ text, voids: true }];
}

/** The runs in which Kannel was not at its best. */
function voidKannel(result: ThroughputResult): Caveat[] {
  if (result.settings.receipts !== "none") return [];
  const rates = figuresOf(result, "kannel").map(({ messagesPerS }) => messagesPerS);
  const found = rates.flatMap((perS, run) => (perS < KANNEL_PER_S_MIN ? [run + 1] : []));
  if (found.length === 0) return [];
  const text = `VOID against Kannel, below ${KANNEL_PER_S_MIN}/s in run ${found.join(", ")}`;
  return [{ text, voids: true }];
}
