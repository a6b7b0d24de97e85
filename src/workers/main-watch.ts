/**
 * Watches the main thread, which watches all others: when it stalls, the process ends by SIGKILL,
 * with the reason in `last-exit.json`.
 *
 * The main thread cannot be asked to end the process any more, and no other thread can give it an
 * exit code. Nothing is logged: a log that nobody reads may be what it hangs at, and the next start
 * tells. Everything promised is in the journal. The ledger's thread.
 */
import type { Clock } from "../environment.ts";
import { EXIT_CODES } from "../errors.ts";
import { writeLastExit } from "../journal/data-dir.ts";
import type { LogDirectory } from "../journal/log-directory.ts";
import { ticksIndex } from "../tables/thread-table.ts";
import { threadState } from "./thread-cpu.ts";
import { LOOK_INTERVAL_MS, NONE_STALLED, TickWatch } from "./tick-watch.ts";

const MAIN = 0;

export interface MainWatchOptions {
  readonly bells: Int32Array;
  readonly inHand: Float64Array;
  readonly epoch: number;
  readonly clock: Clock;
  readonly directory: LogDirectory;
  /** Ends the process at once, whatever the main thread does. */
  readonly kill: () => void;
}

/** Watches from the main thread's first tick on; the function that is returned ends the watch. */
export function watchMain(options: MainWatchOptions): () => void {
  const { bells, clock } = options;
  let watch: TickWatch | null = null;
  const timer = setInterval(() => {
    if (Atomics.load(bells, ticksIndex(MAIN)) === 0) return;
    if (watch === null) {
      watch = new TickWatch(bells, clock.monotonicMs(), (thread) => threadState(bells, thread));
      watch.add(MAIN);
    } else if (watch.look(clock.monotonicMs()) !== NONE_STALLED) {
      clearInterval(timer);
      endStalled(options);
    }
  }, LOOK_INTERVAL_MS);
  return () => clearInterval(timer);
}

function endStalled({ epoch, inHand, clock, directory, kill }: MainWatchOptions): void {
  const offset = inHand[MAIN] ?? -1;
  try {
    writeLastExit(directory, {
      code: EXIT_CODES.invariant.code,
      reason: "stalled",
      thread: "main",
      atMs: clock.wallMs(),
      epoch,
      inHand: offset < 0 ? null : offset,
    });
  } finally {
    kill();
  }
}
