/** Slides a window over instants, to judge rates. */

/** The most instants within any half-open window of `windowMs`; `atMs` must ascend. */
export function densest(atMs: ArrayLike<number>, windowMs: number): number {
  let best = 0;
  for (let from = 0, to = 0; from < atMs.length; from++) {
    const end = (atMs[from] as number) + windowMs;
    while (to < atMs.length && (atMs[to] as number) < end) to++;
    best = Math.max(best, to - from);
  }
  return best;
}
