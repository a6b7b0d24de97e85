/**
 * Which worker owns which session: a session's row in the session table decides, in turn.
 *
 * A link with several sessions so lies on several workers, every worker gets about as many
 * sessions, and a session stays where it is over reloads. Pure.
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

/** The sessions of each worker. */
export function assignSessions(
  links: readonly DerivedLink[],
  workerCount: number,
): SessionAssignment[][] {
  const byWorker: SessionAssignment[][] = Array.from({ length: workerCount }, () => []);
  for (const { linkIndex, sessionRows } of links) {
    for (const [ordinal, sessionIndex] of sessionRows.entries()) {
      byWorker[sessionIndex % workerCount]?.push({ sessionIndex, linkIndex, ordinal });
    }
  }
  return byWorker;
}
