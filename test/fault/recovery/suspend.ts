/**
 * F24: the process is stopped for longer than any watchdog waits, under load, and goes on: a
 * suspended machine is no stall. What was in the windows is ambiguous by then.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Workspace } from "../../support/processes.ts";
import type { Verdict } from "./judge.ts";
import { openScene } from "./scene.ts";

const PROMISED_BEFORE = 60;
const PROMISED_AFTER = 60;

export interface SuspendOptions {
  readonly workspace: Workspace;
  readonly trials: number;
  readonly seconds: number;
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
}

export interface SuspendResult {
  readonly trials: number;
  readonly seconds: number;
  /** From SIGCONT to the next 202, ms, the greatest. */
  readonly accepting_again_ms_max: number;
  readonly surprises: readonly string[];
  readonly verdict: Verdict;
}

/** All trials are of one process. */
export async function suspend(options: SuspendOptions): Promise<SuspendResult> {
  const { workspace, trials, seconds, say } = options;
  const scene = await openScene({ workspace });
  const surprises: string[] = [];
  let acceptingAgainMsMax = 0;
  let done = 0;
  await scene.start();
  while (done < trials && options.signal?.aborted !== true && !scene.isGone) {
    scene.startLoad();
    await scene.untilPromised(PROMISED_BEFORE);
    scene.gateway.child.kill("SIGSTOP");
    await sleep(seconds * 1000);
    const from = Date.now();
    scene.gateway.child.kill("SIGCONT");
    await scene.untilPromised(1);
    acceptingAgainMsMax = Math.max(acceptingAgainMsMax, Date.now() - from);
    await scene.untilPromised(PROMISED_AFTER);
    scene.load.stop();
    await scene.load.done;
    done += 1;
    if (scene.isGone) surprises.push(`ended: ${scene.gateway.lines.at(-1)}`);
    say?.(`${done} of ${trials}: accepting again after ${acceptingAgainMsMax} ms at most`);
  }
  const verdict = await scene.conclude();
  return { trials: done, seconds, accepting_again_ms_max: acceptingAgainMsMax, surprises, verdict };
}
