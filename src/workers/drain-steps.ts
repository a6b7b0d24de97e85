/**
 * Draining in steps, within one time for all of them.
 *
 *   step ──done──► step ──done──► …        time over: what is not done is left as it is
 *
 * Main thread, at the end of the process.
 */
export interface DrainStep {
  readonly name: string;
  /** Starts the step; resolves when it is done. */
  readonly run: () => Promise<unknown>;
}

/**
 * Runs the steps one after the other. After `limitMs` in all it waits no longer: resolves with the
 * name of the step under way, or with null if all were done. Rejects with what a step rejects with.
 */
export async function drainInOrder(
  limitMs: number,
  steps: readonly DrainStep[],
): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<"over">((resolve) => {
    timer = setTimeout(() => resolve("over"), limitMs);
  });
  try {
    for (const { name, run } of steps) {
      if ((await Promise.race([over, run()])) === "over") return name;
    }
    return null;
  } finally {
    clearTimeout(timer);
  }
}
