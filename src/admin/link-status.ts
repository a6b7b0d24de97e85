/**
 * Links, sessions and pools as the shared tables show them now. Any thread; readers may see words
 * some nanoseconds old.
 */
import type { PoolPlan } from "../config/derive.ts";
import type { Clock } from "../environment.ts";
import type { CreditTable } from "../tables/credit-table.ts";
import {
  ID_BASE_NAMES,
  ID_TRANSFORM_NAMES,
  LinkWord,
  rowWord,
  SESSION_STATE_NAMES,
  SessionState,
  SessionWord,
} from "../tables/link-table.ts";
import type { SharedPlan } from "../tables/plan.ts";
import type { QueueTable } from "../tables/queue-table.ts";
import type { SessionNotes } from "../tables/session-notes.ts";

/** A session's row in the session table, and whose it is. */
export interface SessionRow {
  readonly sessionIndex: number;
  readonly linkIndex: number;
  /** Within its link, 0-based. */
  readonly ordinal: number;
  readonly worker: number;
}

/** The tables that tell how links and pools are. */
export interface LinkSources {
  readonly plan: SharedPlan;
  readonly pools: PoolPlan;
  readonly sessions: readonly SessionRow[];
  readonly linkWords: Int32Array;
  readonly sessionWords: Int32Array;
  readonly sessionNotes: SessionNotes;
  readonly creditTable: CreditTable;
  readonly queueTable: QueueTable;
  readonly clock: Clock;
}

export interface SessionStatus {
  readonly session: number;
  readonly worker: number;
  readonly state: string;
  /** State of a pair's receiver; "closed" for a transceiver. */
  readonly receiver_state: string;
  readonly bound_since: string | null;
  readonly last_error: { readonly cause: string; readonly at: string } | null;
  readonly window_used: number;
  readonly binds: number;
  readonly lost: number;
  readonly sent: number;
  readonly accepted: number;
  readonly refused: number;
  readonly throttled: number;
  readonly ambiguous: number;
  readonly receipts: number;
}

export interface LinkStatus {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly bind: string;
  readonly tls: boolean;
  /** Up if a session is bound. */
  readonly up: boolean;
  /** Segments per second; null: unlimited. */
  readonly contract_rate: number | null;
  /** What throttling left of it; the contract if there was none. */
  readonly effective_rate: number | null;
  /** Messages that wait for this link and no other. */
  readonly queued: number;
  /** Times it could send and did not; then its sessions were bound anew. */
  readonly stalls: number;
  readonly prepared: number;
  readonly written: number;
  readonly window_used: number;
  readonly window_max: number;
  readonly receipt_ids: ReceiptIdStatus;
  readonly sessions: readonly SessionStatus[];
}

/** What is learnt of the ids in a link's receipts. */
export interface ReceiptIdStatus {
  /** How they are read to be those of the answers; null: not pinned yet. */
  readonly base: string | null;
  /** Receipts that found their message, by what was done to the id for it. */
  readonly matches: Readonly<Record<string, number>>;
}

export interface PoolStatus {
  readonly id: number;
  readonly name: string;
  /** Sum over workers; 0: no session is available. */
  readonly weight: number;
  /** Sum of the contracts of its links that are up; null: one of them is unlimited. */
  readonly rate_tps: number | null;
  /** Messages that wait for any of its links. */
  readonly queued: number;
  /** Of those, by priority, highest first; only priorities that have any. */
  readonly queues: readonly QueueStatus[];
  readonly members: readonly { readonly link: number; readonly up: boolean }[];
}

export interface QueueStatus {
  readonly priority: number;
  readonly queued: number;
  /** Seconds since the oldest of them could be sent: its acceptance, or its `send_at`. */
  readonly oldest_age_s: number;
}

export function linkStatuses(sources: LinkSources): LinkStatus[] {
  const { sessions: rows, pools } = sources;
  return pools.links.map(({ linkIndex, config }) => {
    const word = (name: number): number =>
      Atomics.load(sources.linkWords, rowWord(linkIndex, name));
    const sessions = rows
      .filter((session) => session.linkIndex === linkIndex)
      .map((session) => sessionStatus(sources, session));
    const paceMilli = word(LinkWord.PACE_MILLI);
    return {
      id: config.id,
      host: config.host,
      port: config.port,
      bind: config.bind,
      tls: config.tls !== null,
      up: sessions.some((session) => session.state === SESSION_STATE_NAMES[SessionState.BOUND]),
      contract_rate: config.rateTps,
      effective_rate: paceMilli === 0 ? config.rateTps : paceMilli / 1000,
      queued: sources.creditTable.depthOfLink(linkIndex),
      stalls: word(LinkWord.STALLS),
      prepared: word(LinkWord.PREPARED),
      written: word(LinkWord.WRITTEN) >>> 0,
      window_used: sessions.reduce((sum, session) => sum + session.window_used, 0),
      window_max: config.windowMax,
      receipt_ids: {
        base: ID_BASE_NAMES[word(LinkWord.ID_BASE) - 1] ?? null,
        matches: Object.fromEntries(
          ID_TRANSFORM_NAMES.map((name, i) => [name, word(LinkWord.ID_MATCHES + i) >>> 0]),
        ),
      },
      sessions,
    };
  });
}

function sessionStatus(sources: LinkSources, session: SessionRow): SessionStatus {
  const row = session.sessionIndex;
  const word = (name: number): number => Atomics.load(sources.sessionWords, rowWord(row, name));
  const count = (name: number): number => word(name) >>> 0;
  const { error, errorAt, boundSince } = sources.sessionNotes.read(row);
  return {
    session: session.ordinal,
    worker: session.worker,
    state: SESSION_STATE_NAMES[word(SessionWord.STATE)] ?? "unknown",
    receiver_state: SESSION_STATE_NAMES[word(SessionWord.RECEIVER_STATE)] ?? "unknown",
    bound_since: boundSince === 0 ? null : new Date(boundSince).toISOString(),
    last_error: errorAt === 0 ? null : { cause: error, at: new Date(errorAt).toISOString() },
    window_used: word(SessionWord.WINDOW_USED),
    binds: word(SessionWord.BINDS),
    lost: count(SessionWord.LOST),
    sent: count(SessionWord.SENT),
    accepted: count(SessionWord.ACCEPTED),
    refused: count(SessionWord.REFUSED),
    throttled: count(SessionWord.THROTTLED),
    ambiguous: count(SessionWord.AMBIGUOUS),
    receipts: count(SessionWord.RECEIPTS),
  };
}

export function poolStatuses(sources: LinkSources): PoolStatus[] {
  const links = new Map(linkStatuses(sources).map((link) => [link.id, link]));
  const ids = new Map(sources.pools.links.map(({ linkIndex, config }) => [linkIndex, config.id]));
  return sources.pools.pools.map(({ poolIndex, id, name, members }) => {
    let weight = 0;
    for (let worker = 0; worker < sources.plan.workerCount; worker++) {
      weight += sources.creditTable.weight(worker, poolIndex);
    }
    const shown = members.map(({ linkIndex }) => {
      const link = ids.get(linkIndex) as number;
      return { link, up: links.get(link)?.up === true };
    });
    let rate: number | null = 0;
    for (const { link, up } of shown) {
      const contract = links.get(link)?.contract_rate ?? null;
      if (up) rate = rate === null || contract === null ? null : rate + contract;
    }
    const queued = sources.creditTable.depthOfPool(poolIndex);
    const queues = queueStatuses(sources, poolIndex);
    return { id, name, weight, rate_tps: rate, queued, queues, members: shown };
  });
}

function queueStatuses({ queueTable, clock }: LinkSources, poolIndex: number): QueueStatus[] {
  const statuses: QueueStatus[] = [];
  for (let priority = queueTable.priorityCount - 1; priority >= 0; priority--) {
    const queued = queueTable.depth(poolIndex, priority);
    if (queued === 0) continue;
    const sinceMs = queueTable.sinceMs(poolIndex, priority);
    const age = sinceMs === 0 ? 0 : Math.max(0, Math.floor((clock.wallMs() - sinceMs) / 1000));
    statuses.push({ priority, queued, oldest_age_s: age });
  }
  return statuses;
}
