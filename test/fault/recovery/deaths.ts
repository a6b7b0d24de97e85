/**
 * F3: a single thread of the gateway dies under load: it throws, ends itself, or runs out of
 * memory. The process ends with it and is started again.
 *
 * F4: SIGTERM under load: once, a second time while it drains, and with an operator that is
 * stopped. A single one with an operator that answers doubles nothing and leaves no call without an
 * answer.
 *
 * Each trial is a life of the gateway on one data directory, judged once, at the end.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Workspace } from "../../support/processes.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import type { Verdict } from "./judge.ts";
import { openScene, type Scene } from "./scene.ts";

const PRELOAD = new URL("../ends/break-thread.js", import.meta.url).href;
const PROMISED_PER_LIFE = 60;
const LONGER_MS_MAX = 300;
/** Of the gateway's log, where an end is not as it should be. */
const LINES_TOLD = 8;
const SECOND_SIGNAL_MS_MAX = 300;
/** The gateway's own bound on a drain is 30 s; the rest is a busy machine's. */
const DRAIN_MS_MAX = 60_000;

const THREADS = ["ledger-thread", "journal-thread", "smpp-thread", "ingress-thread", "sink-thread"];
/**
 * How a thread is broken, and how long the process may take to end, ms. One that runs out of memory
 * spends its last minute on looking for some.
 */
const WAYS = [
  { way: "throw", endMsMax: 60_000 },
  { way: "exit", endMsMax: 60_000 },
  { way: "memory", endMsMax: 180_000 },
];
/**
 * 75 in order. A thread with a uWS listener that calls `process.exit`, or has no memory left,
 * aborts the process.
 */
const ENDS: readonly (number | string)[] = [75, "SIGKILL", "SIGABRT"];

export interface DeathOptions {
  readonly workspace: Workspace;
  readonly trials: number;
  readonly seed: number;
  /**
   * Of ingress and of SMPP workers, each; 2 unless given. With one, main is all there is of the
   * first.
   */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
}

export interface DeathResult {
  readonly seed: number;
  readonly trials: number;
  /** Ends by what was done: how often, and with which codes. */
  readonly ends: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly surprises: readonly string[];
  /** From what was done to the end of the process, ms, the greatest. */
  readonly end_ms_max: number;
  /** From the end of the process until the next one listens, ms, the greatest. */
  readonly restart_ms_max: number;
  readonly verdict: Verdict;
}

/** Counts ends by what was done and by code. */
class Ends {
  readonly counts: Record<string, Record<string, number>> = {};
  readonly surprises: string[] = [];
  endMsMax = 0;
  trials = 0;

  note(what: string, code: number | string, endMs: number, isExpected: boolean): string {
    const codes = (this.counts[what] ??= {});
    codes[code] = (codes[code] ?? 0) + 1;
    this.endMsMax = Math.max(this.endMsMax, Math.round(endMs));
    this.trials += 1;
    const words = `${what}: ended with ${code} after ${Math.round(endMs)} ms`;
    if (!isExpected) this.surprises.push(words);
    return words;
  }
}

/** F3. */
export async function breakThreads(options: DeathOptions): Promise<DeathResult> {
  const { workspace, seed, say } = options;
  const random = seededRandom(seed);
  const order = join(workspace.folder, "break");
  const env = { NODE_OPTIONS: `--import ${PRELOAD}`, BREAK_FILE: order };
  const { threads = 2 } = options;
  const lines = [`workers: { count: ${threads} }`];
  const scene = await openScene({ workspace, env, lines, httpThreads: threads });
  const ends = new Ends();
  while (ends.trials < options.trials && options.signal?.aborted !== true) {
    const thread = THREADS[ends.trials % THREADS.length] as string;
    const turn = Math.floor(ends.trials / THREADS.length) % WAYS.length;
    const { way, endMsMax } = WAYS[turn] as (typeof WAYS)[number];
    await underLoad(scene, random);
    const from = performance.now();
    writeFileSync(order, `${thread} ${way}`);
    const code = await scene.untilGone(endMsMax);
    rmSync(order);
    const endMs = performance.now() - from;
    const words = ends.note(`${thread}, ${way}`, code, endMs, ENDS.includes(code));
    say?.(words);
  }
  return await concluded(scene, options, ends);
}

export type DrainKind = "once" | "twice" | "stuck";

/** F4, of one kind. */
export async function terminate(options: DeathOptions, kind: DrainKind): Promise<DeathResult> {
  const { workspace, seed, say, threads = 2 } = options;
  const random = seededRandom(seed);
  const lines = [`workers: { count: ${threads} }`];
  const scene = await openScene({ workspace, lines, httpThreads: threads });
  const ends = new Ends();
  while (ends.trials < options.trials && options.signal?.aborted !== true) {
    await underLoad(scene, random);
    if (kind === "stuck") scene.signalSmsc("SIGSTOP");
    const from = performance.now();
    scene.gateway.child.kill("SIGTERM");
    if (kind === "twice") {
      await sleep(integerIn(random, 0, SECOND_SIGNAL_MS_MAX));
      scene.gateway.child.kill("SIGTERM");
    }
    const code = await scene.untilGone();
    const endMs = performance.now() - from;
    if (kind === "stuck") scene.signalSmsc("SIGCONT");
    const isExpected = code === 0 && endMs < DRAIN_MS_MAX;
    const words = ends.note(`SIGTERM, ${kind}`, code, endMs, isExpected);
    say?.(words);
    if (!isExpected) say?.(scene.gateway.lines.slice(-LINES_TOLD).join("\n"));
  }
  const result = await concluded(scene, options, ends);
  if (kind !== "once") return result;
  const { doubled, unknown } = result.verdict;
  if (doubled > 0) ends.surprises.push(`${doubled} parts were sent twice`);
  if (unknown > 0) ends.surprises.push(`${unknown} calls got no answer`);
  return result;
}

async function underLoad(scene: Scene, random: () => number): Promise<void> {
  await scene.start();
  scene.startLoad();
  await scene.untilPromised(PROMISED_PER_LIFE);
  await sleep(integerIn(random, 0, LONGER_MS_MAX));
}

async function concluded(scene: Scene, { seed }: DeathOptions, ends: Ends): Promise<DeathResult> {
  const restartMsMax = scene.restartMsMax;
  const verdict = await scene.conclude();
  return {
    seed,
    trials: ends.trials,
    ends: ends.counts,
    surprises: ends.surprises,
    end_ms_max: ends.endMsMax,
    restart_ms_max: restartMsMax,
    verdict,
  };
}
