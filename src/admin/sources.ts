/**
 * What the admin listener reads: shared tables of all threads, and questions to those who know
 * more.
 */
import type { PoolPlan } from "../config/derive.ts";
import type { GatewayConfig } from "../config/types.ts";
import type { Clock } from "../environment.ts";
import type { MetricBlock } from "../metrics/block.ts";
import type { SessionRecording } from "../smpp/session.ts";
import type { LogTable } from "../tables/log-table.ts";
import type { SharedPlan } from "../tables/plan.ts";

/** A session's row in the session table, and whose it is. */
export interface SessionRow {
  readonly sessionIndex: number;
  readonly linkIndex: number;
  /** Within its link, 0-based. */
  readonly ordinal: number;
  readonly worker: number;
}

/** A ring to watch: its name and its shared memory. */
export interface WatchedRing {
  readonly name: string;
  readonly buffer: SharedArrayBuffer;
}

/** What the process uses. */
export interface ProcessUsage {
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly externalBytes: number;
  readonly cpuSeconds: number;
  /** Of the threads that are known by name; what others use is in `cpuSeconds` only. */
  readonly threads: readonly { readonly thread: string; readonly seconds: number }[];
}

/** The ledger's status as an object with `books`; null or "late" if it cannot be had now. */
export type LedgerStatusAnswer = Readonly<object> | null | "late";

/** Configuration, pools and sessions are those of now: a reload changes them. */
export interface AdminSources {
  readonly config: GatewayConfig;
  readonly plan: SharedPlan;
  readonly pools: PoolPlan;
  readonly sessions: readonly SessionRow[];
  /** The configuration that runs, counted from 1, and what the last reload came to. */
  readonly reload: () => { readonly generation: number; readonly last: Readonly<object> | null };
  readonly clock: Clock;
  /** By thread index. */
  readonly blocks: readonly MetricBlock[];
  readonly logTable: LogTable;
  readonly linkWords: Int32Array;
  readonly sessionWords: Int32Array;
  readonly poolWeight: (worker: number, poolIndex: number) => number;
  readonly rings: readonly WatchedRing[];
  /** Over all ingress threads: messages that wait for a link, calls that wait for their commit. */
  readonly waitingMessages: () => number;
  readonly pendingCalls: () => number;
  /** What workers would take from ingress threads now. */
  readonly credits: (poolIndex: number, priority: number) => number;
  readonly usage: () => ProcessUsage;
  /** What keeps the node from being ready, one phrase each; empty: ready. */
  readonly unreadiness: () => readonly string[];
  /** Calls `done` exactly once. */
  readonly ledgerStatus: (done: (status: LedgerStatusAnswer) => void) => void;
  /** What the flight recorders of a link have kept. Calls `done` exactly once. */
  readonly recordings: (
    linkId: number,
    done: (recordings: readonly SessionRecording[]) => void,
  ) => void;
}
