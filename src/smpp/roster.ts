/**
 * The links, pools and sessions that one worker has, and how another plan changes them.
 *
 *   session row   owned here for good: a session that is not wanted winds down, keeps its place in
 *                 the lists, and is taken up again if a later plan wants it
 *   link, pool    likewise; one that is gone has no sessions, and nothing new waits for it
 *
 * A session whose connection must be another one (address, account, window) finishes its window,
 * unbinds and dials again, so that there are never more binds than the operator was told. The lists
 * only grow; they are shared with the worker's other parts. One thread.
 */
import type { DerivedLink, DerivedPool } from "../config/derive.ts";
import type { LinkConfig } from "../config/types.ts";
import { PRIORITY_COUNT } from "../records/types.ts";
import { ALLOWANCE_MAX } from "./pace/limits.ts";
import { WorkerLink } from "./link.ts";
import type { MessageTable } from "./queue/message-table.ts";
import type { SessionAssignment } from "./plan.ts";
import { WorkerPool } from "./pool.ts";
import type { SmppSession } from "./session/session.ts";

/** All links and pools that are configured, from `derivePools`. */
export interface WorkerPlan {
  readonly links: readonly DerivedLink[];
  readonly pools: readonly DerivedPool[];
}

/** Keys of a link that change without a new connection. */
const LIVE_KEYS: ReadonlySet<string> = new Set<keyof LinkConfig>([
  "sessions",
  "rateTps",
  "apps",
  "ipAllow",
  "enquireLinkIntervalMs",
  "responseTimeoutMs",
  "profile",
  "ambiguous",
]);

export class Roster {
  readonly links: WorkerLink[] = [];
  /** By poolIndex. */
  readonly pools: WorkerPool[] = [];
  readonly sessions: SmppSession[] = [];
  readonly #table: MessageTable;
  readonly #linkWords: Int32Array;
  readonly #contracts: readonly Int32Array[];
  readonly #linkByIndex = new Map<number, WorkerLink>();
  readonly #sessionByRow = new Map<number, SmppSession>();

  /** `contracts`: the tokens by linkIndex. */
  constructor(table: MessageTable, linkWords: Int32Array, contracts: readonly Int32Array[]) {
    this.#table = table;
    this.#linkWords = linkWords;
    this.#contracts = contracts;
  }

  /**
   * Goes over to `plan`, in which this worker owns `assignments`. New sessions are made by
   * `sessionOf`, whose last argument is the session's place in `sessions`.
   */
  apply(
    plan: WorkerPlan,
    assignments: readonly SessionAssignment[],
    sessionOf: (link: WorkerLink, at: SessionAssignment, local: number) => SmppSession,
  ): void {
    const rebound = this.#applyLinks(plan, assignments);
    this.#clearPools(plan);
    const rows = new Set(assignments.map((at) => at.sessionIndex));
    for (const [row, session] of this.#sessionByRow) if (!rows.has(row)) session.drain(false);
    for (const at of assignments) {
      const known = this.#sessionByRow.get(at.sessionIndex);
      if (known !== undefined) {
        known.takeUp(rebound.has(known.link));
        continue;
      }
      const link = this.#linkByIndex.get(at.linkIndex) as WorkerLink;
      const session = sessionOf(link, at, this.sessions.length);
      this.sessions.push(session);
      link.sessions.push(session);
      this.#sessionByRow.set(at.sessionIndex, session);
    }
    this.#fillPools(plan);
  }

  /**
   * Messages that can be in hand at once: what `producers` may have waiting here, and for each
   * window what is prepared or throttled, per priority.
   */
  entriesMax(producers: number): number {
    let windows = 0;
    for (const { link } of this.sessions) windows += link.config.windowMax;
    let allowances = 0;
    for (const pool of this.pools) allowances += pool.allowanceMax;
    const waiting = producers * PRIORITY_COUNT * allowances;
    return waiting + (PRIORITY_COUNT + 1) * windows + ALLOWANCE_MAX;
  }

  /** Returns the links that must be bound anew. */
  #applyLinks(plan: WorkerPlan, assignments: readonly SessionAssignment[]): Set<WorkerLink> {
    const owned = new Set(assignments.map((at) => at.linkIndex));
    const rebound = new Set<WorkerLink>();
    for (const link of plan.links) {
      const known = this.#linkByIndex.get(link.linkIndex);
      if (known !== undefined) {
        if (needsNewConnection(known.config, link.config)) rebound.add(known);
        known.configure(link);
      } else if (owned.has(link.linkIndex)) {
        const tokens = this.#contracts[link.linkIndex] as Int32Array;
        const made = new WorkerLink(link, this.#linkWords, tokens, this.#table);
        this.links.push(made);
        this.#linkByIndex.set(link.linkIndex, made);
      }
    }
    return rebound;
  }

  /** Pools know their links before any session goes: what it carries finds its place by them. */
  #clearPools(plan: WorkerPlan): void {
    for (const pool of this.pools) pool.clearMembers();
    const idOf = new Map(plan.links.map((link) => [link.linkIndex, link.config.id]));
    for (const { poolIndex, members } of plan.pools) {
      while (this.pools.length <= poolIndex) {
        this.pools.push(new WorkerPool(this.pools.length, this.#table));
      }
      const { linkIds } = this.pools[poolIndex] as WorkerPool;
      for (const { linkIndex } of members) linkIds.add(idOf.get(linkIndex) as number);
    }
  }

  #fillPools(plan: WorkerPlan): void {
    for (const { poolIndex, members } of plan.pools) {
      const pool = this.pools[poolIndex] as WorkerPool;
      for (const { linkIndex, weight } of members) {
        pool.addSessions(this.#linkByIndex.get(linkIndex)?.sessions ?? [], weight);
      }
    }
  }
}

function needsNewConnection(before: LinkConfig, after: LinkConfig): boolean {
  const connection = (config: LinkConfig): string =>
    JSON.stringify(config, (key, value: unknown) => (LIVE_KEYS.has(key) ? undefined : value));
  return connection(before) !== connection(after);
}
