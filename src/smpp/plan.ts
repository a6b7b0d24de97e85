/**
 * Which worker owns which session: sessions are numbered over all links, and dealt out in turn.
 *
 * A link with several sessions so lies on several workers, and every worker gets about as many
 * sessions. Pure.
 */
import type { DerivedLink } from "../config/derive.ts";

/** One session of one link, owned by one worker. */
export interface SessionAssignment {
  /** Row of the session table. */
  readonly sessionIndex: number;
  readonly linkIndex: number;
  /** 0-based within its link; SESSION of attempt records. */
  readonly ordinal: number;
}

/** Rows of the session table. */
export function sessionCount(links: readonly DerivedLink[]): number {
  let count = 0;
  for (const link of links) count += link.config.sessions;
  return count;
}

/** The sessions of each worker. */
export function assignSessions(
  links: readonly DerivedLink[],
  workerCount: number,
): SessionAssignment[][] {
  const byWorker: SessionAssignment[][] = Array.from({ length: workerCount }, () => []);
  let sessionIndex = 0;
  for (const { linkIndex, config } of links) {
    for (let ordinal = 0; ordinal < config.sessions; ordinal++) {
      const owner = byWorker[sessionIndex % workerCount] as SessionAssignment[];
      owner.push({ sessionIndex, linkIndex, ordinal });
      sessionIndex++;
    }
  }
  return byWorker;
}
