/**
 * F1: kill -9 of the gateway at random moments under load, again and again on one data directory.
 * F2: the same at named points: the process ends itself there, by the shim.
 *
 * A life lasts until some messages were promised in it and a random while longer. Judged once, at
 * the end: a loss at any of the kills shows.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Workspace } from "../../support/processes.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { type Fault, FaultShim } from "./fault-shim.ts";
import type { Verdict } from "./judge.ts";
import { CRASH_POINTS, type CrashPoint } from "./crash-points.ts";
import { openScene, type Scene } from "./scene.ts";

const PROMISED_PER_LIFE = 60;
const LONGER_MS_MAX = 300;

export interface KillOptions {
  readonly workspace: Workspace;
  readonly kills: number;
  readonly seed: number;
  /** Of ingress and of SMPP workers, each; 1 unless given. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
}

export interface KillResult {
  readonly seed: number;
  readonly kills: number;
  readonly restart_ms_max: number;
  readonly verdict: Verdict;
}

/** F1. */
export async function killUnderLoad(options: KillOptions): Promise<KillResult> {
  const { workspace, kills, seed, say } = options;
  const random = seededRandom(seed);
  const threads = options.threads ?? 1;
  const lines = [`workers: { count: ${threads} }`];
  const scene = await openScene({ workspace, lines, httpThreads: threads });
  let done = 0;
  while (done < kills && options.signal?.aborted !== true) {
    await scene.start();
    scene.startLoad();
    await scene.untilPromised(PROMISED_PER_LIFE);
    await sleep(integerIn(random, 0, LONGER_MS_MAX));
    await scene.kill();
    done += 1;
    say?.(`kill ${done} of ${kills}: ${scene.client.promised} promised`);
  }
  const verdict = await scene.conclude();
  return { seed, kills: done, restart_ms_max: scene.restartMsMax, verdict };
}

export interface PointResult extends KillResult {
  /** Ends at each point. */
  readonly points: Readonly<Record<string, number>>;
  /** Points that the load did not reach in time: killed from outside then, and not counted. */
  readonly missed: readonly string[];
}

/** F2: `rounds` times at every point, or at the points given. */
export async function killAtPoints(
  options: Omit<KillOptions, "kills"> & { rounds: number; points?: readonly string[] },
): Promise<PointResult> {
  const { workspace, rounds, seed, say } = options;
  const random = seededRandom(seed);
  const shim = new FaultShim(workspace.folder);
  // Small segments and files of rows, so that the log rotates and rows are filed in each life.
  const lines = ["journal: { segment_bytes: 65536, bytes_max: 33554432 }"];
  const scene = await openScene({ workspace, env: shim.env, lines });
  const points: Record<string, number> = {};
  const missed: string[] = [];
  let kills = 0;
  for (let round = 1; round <= rounds && options.signal?.aborted !== true; round++) {
    for (const [name, point] of Object.entries(CRASH_POINTS)) {
      if (options.points !== undefined && !options.points.includes(name)) continue;
      const fault = { ...point.fault, pass: integerIn(random, 0, point.passMax) };
      const isMet = await endAtPoint(scene, shim, point, fault);
      if (isMet) {
        points[name] = (points[name] ?? 0) + 1;
        kills += 1;
      } else {
        missed.push(name);
      }
      say?.(`round ${round}, ${name} (${fault.pass}): ${isMet ? "ended there" : "not reached"}`);
    }
  }
  const verdict = await scene.conclude();
  return { seed, kills, restart_ms_max: scene.restartMsMax, points, missed, verdict };
}

/** One life that ends at `point`; false if it was not reached. */
async function endAtPoint(
  scene: Scene,
  shim: FaultShim,
  point: CrashPoint,
  fault: Fault,
): Promise<boolean> {
  if (point.atStart) shim.arm(fault);
  try {
    await scene.start();
  } catch (error) {
    if (!point.atStart || shim.hits === 0) throw error;
    shim.clear();
    return true;
  }
  scene.startLoad();
  await scene.untilPromised(PROMISED_PER_LIFE);
  if (!point.atStart) shim.arm(fault);
  try {
    await scene.untilGone();
  } catch {
    shim.clear();
    await scene.kill();
    return false;
  }
  const isMet = shim.hits > 0;
  shim.clear();
  return isMet;
}
