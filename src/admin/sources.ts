/**
 * What the admin listener reads: shared tables of all threads, and questions to those who know
 * more.
 */
import type { GatewayConfig } from "../config/types.ts";
import type { MetricBlock } from "../metrics/block.ts";
import type { SessionRecording } from "../smpp/session/session.ts";
import type { IdempotencyTable } from "../tables/idempotency-table.ts";
import type { LogTable } from "../tables/log-table.ts";
import type { LinkSources } from "./link-status.ts";

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
  /** Seconds for which event loops did not wait for events. */
  readonly loops: readonly { readonly thread: string; readonly seconds: number }[];
}

/** The ledger's status as an object with `books`; null or "late" if it cannot be had now. */
export type LedgerStatusAnswer = Readonly<object> | null | "late";

/** Configuration, pools and sessions are those of now: a reload changes them. */
export interface AdminSources extends LinkSources {
  readonly config: GatewayConfig;
  /** The configuration that runs, counted from 1, and what the last reload came to. */
  readonly reload: () => { readonly generation: number; readonly last: Readonly<object> | null };
  /** By thread index. */
  readonly blocks: readonly MetricBlock[];
  readonly logTable: LogTable;
  readonly idempotency: IdempotencyTable;
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
