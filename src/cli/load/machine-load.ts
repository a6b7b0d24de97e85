/**
 * How much of this machine's CPUs programs other than ours take: figures that were measured beside
 * them are not this machine's.
 *
 *   busy time of all CPUs - CPU time of our processes = theirs
 *
 * Any thread; one a span.
 */
import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Of the times in /proc/PID/stat; Linux shows them so on every machine. */
const TICKS_PER_S = 100;

export class MachineLoad {
  readonly #pids: readonly number[];
  readonly #startMs = performance.now();
  readonly #busyS: number;
  readonly #ownS: number;

  /** Begins a span; `pids` are ours and live until it ends. */
  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#busyS = busySeconds();
    this.#ownS = ownSeconds(pids);
  }

  /** What others have taken since then, as a share of all CPUs. */
  othersShare(): number {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const others = busySeconds() - this.#busyS - (ownSeconds(this.#pids) - this.#ownS);
    return Math.min(1, Math.max(0, others / (seconds * cpus().length)));
  }
}

/** CPU seconds, user and system, of process `pid` and its threads. */
function secondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name before may hold anything; after it come state and numbers.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function ownSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + secondsOf(pid), 0);
}

function busySeconds(): number {
  return cpus().reduce((sum, { times }) => {
    return sum + (times.user + times.nice + times.sys + times.irq) / 1000;
  }, 0);
}
