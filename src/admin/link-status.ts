/**
 * Links, sessions and pools as the shared tables show them now. Main thread; readers may see words
 * some nanoseconds old.
 */
import {
  LinkWord,
  rowWord,
  SESSION_STATE_NAMES,
  SessionState,
  SessionWord,
} from "../tables/link-table.ts";
import type { AdminSources, SessionRow } from "./sources.ts";

export interface SessionStatus {
  readonly session: number;
  readonly worker: number;
  readonly state: string;
  readonly window_used: number;
  readonly binds: number;
}

export interface LinkStatus {
  readonly id: number;
  /** Up if a session is bound. */
  readonly up: boolean;
  /** Segments per second; null: unlimited. */
  readonly contract_rate: number | null;
  /** What throttling left of it; the contract if there was none. */
  readonly effective_rate: number | null;
  readonly prepared: number;
  readonly written: number;
  readonly window_max: number;
  readonly sessions: readonly SessionStatus[];
}

export interface PoolStatus {
  readonly id: number;
  readonly name: string;
  /** Sum over workers; 0: no session is available. */
  readonly weight: number;
}

export function linkStatuses(sources: AdminSources): LinkStatus[] {
  return sources.pools.links.map(({ linkIndex, config }) => {
    const word = (name: number): number =>
      Atomics.load(sources.linkWords, rowWord(linkIndex, name));
    const sessions = sources.sessions
      .filter((session) => session.linkIndex === linkIndex)
      .map((session) => sessionStatus(sources.sessionWords, session));
    const paceMilli = word(LinkWord.PACE_MILLI);
    return {
      id: config.id,
      up: sessions.some((session) => session.state === SESSION_STATE_NAMES[SessionState.BOUND]),
      contract_rate: config.rateTps,
      effective_rate: paceMilli === 0 ? config.rateTps : paceMilli / 1000,
      prepared: word(LinkWord.PREPARED),
      written: word(LinkWord.WRITTEN) >>> 0,
      window_max: config.windowMax,
      sessions,
    };
  });
}

function sessionStatus(words: Int32Array, session: SessionRow): SessionStatus {
  const word = (name: number): number => Atomics.load(words, rowWord(session.sessionIndex, name));
  return {
    session: session.ordinal,
    worker: session.worker,
    state: SESSION_STATE_NAMES[word(SessionWord.STATE)] ?? "unknown",
    window_used: word(SessionWord.WINDOW_USED),
    binds: word(SessionWord.BINDS),
  };
}

export function poolStatuses(sources: AdminSources): PoolStatus[] {
  return sources.pools.pools.map(({ poolIndex, id, name }) => {
    let weight = 0;
    for (let worker = 0; worker < sources.plan.workerCount; worker++) {
      weight += sources.poolWeight(worker, poolIndex);
    }
    return { id, name, weight };
  });
}
