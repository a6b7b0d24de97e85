/**
 * What time does to stored messages, in bounded steps: the sweep of the open index, and retention.
 *
 *   sweep      open index in key order, round and round: what is overdue ends
 *   retention  rows in key order, from the oldest: final ones leave `retention_h` after
 *              finality, or earlier while the store holds more than `bytes_max`
 *
 * Both go through keys of the store and remember where they stopped. The ledger's thread only.
 */
import { MESSAGE_KEY_BYTES, sequenceWallMs } from "../records/message-key.ts";
import type { HandOvers } from "./hand-overs.ts";
import { isFinalStatus, readKeyOrigin, readKeySequence } from "./message-state.ts";
import type { Messages } from "./messages.ts";
import type { LedgerMeta } from "./meta.ts";
import type { LedgerPolicy } from "./policy.ts";
import { readUint48, rowFinalAt, rowStatus } from "./row.ts";
import { type LedgerStore, LedgerTable } from "./store.ts";

/** Records of that age are certainly in the log when the log is read up to its end. */
const SETTLE_MARGIN_MS = 10_000;
/** What has been over for so long and is still open was forgotten by its owner. */
const FORGOTTEN_MS = 60_000;
const SWEEP_STEP = 1024;
const SWEEP_PAUSE_MS = 1000;
const RETAIN_STEP_MIN = 1024;
const RETAIN_STEP_MAX = 8192;
const RETAIN_PAUSE_MS = 5000;
const SIZE_INTERVAL_MS = 5000;

export interface UpkeepOptions {
  readonly store: LedgerStore;
  readonly meta: LedgerMeta;
  readonly messages: Messages;
  readonly handOvers: HandOvers;
  readonly policy: LedgerPolicy;
}

export class Upkeep {
  /** Live bytes of the store when it was last asked. */
  storeBytes = 0;
  readonly #options: UpkeepOptions;
  #sweepFrom: Uint8Array = new Uint8Array(0);
  #nextSweepAt = 0;
  #retainFrom: Uint8Array = new Uint8Array(0);
  #nextRetainAt = 0;
  #nextSizeAt = 0;
  #acceptedBefore = 0;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /**
   * One step of the sweep; only while the log is read up to its end. `now`: wall ms. Returns
   * entries looked at.
   */
  sweep(now: number): number {
    if (now < this.#nextSweepAt) return 0;
    const { store, messages, handOvers } = this.#options;
    const overdue: number[] = [];
    let seen = 0;
    let last: Uint8Array | null = null;
    store.range(LedgerTable.OPEN, this.#sweepFrom, (key, value) => {
      if (readUint48(value, 0) + SETTLE_MARGIN_MS <= now) {
        overdue.push(readKeySequence(key, 0), readKeyOrigin(key, 0));
      }
      seen++;
      if (seen < SWEEP_STEP) return true;
      last = Uint8Array.from(key);
      return false;
    });
    for (let i = 0; i < overdue.length; i += 2) {
      const message = messages.find(overdue[i] as number, overdue[i + 1] as number);
      if (message === null || message.finalAt !== 0) continue;
      messages.settleByTime(message, now - SETTLE_MARGIN_MS);
      if (message.finalAt === 0 && message.expiresAt + FORGOTTEN_MS <= now) {
        handOvers.expireForgotten(message);
      }
    }
    this.#sweepFrom = last === null ? new Uint8Array(0) : behind(last);
    if (last === null) this.#nextSweepAt = now + SWEEP_PAUSE_MS;
    return seen;
  }

  /**
   * One step of retention; `visibleCommit` tells which rows are as the store has them. Returns rows
   * removed.
   */
  retain(now: number, visibleCommit: number): number {
    const { store, meta, messages, policy } = this.#options;
    if (now >= this.#nextSizeAt) {
      this.#nextSizeAt = now + SIZE_INTERVAL_MS;
      this.storeBytes = store.usedBytes();
    }
    const isOverfull = this.storeBytes > policy.bytesMax;
    if (now < this.#nextRetainAt && !isOverfull) return 0;
    const before = isOverfull ? Number.POSITIVE_INFINITY : now - policy.retentionMs;
    const rows = this.#ripeRows(before);
    let removed = 0;
    for (const { key, status } of rows) {
      const cached = messages.cache.find(readKeySequence(key, 0), readKeyOrigin(key, 0));
      if (cached !== null && (cached.isDirty || cached.commit > visibleCommit)) continue;
      messages.removeRow(key, cached);
      meta.books.noteRemoved(status);
      removed++;
    }
    if (this.#retainFrom.length === 0) this.#nextRetainAt = now + RETAIN_PAUSE_MS;
    return removed;
  }

  /** The next rows that were final before `before` (wall ms). */
  #ripeRows(before: number): { key: Uint8Array; status: number }[] {
    const { store, meta } = this.#options;
    const rows: { key: Uint8Array; status: number }[] = [];
    const arrived = meta.books.accepted - this.#acceptedBefore;
    this.#acceptedBefore = meta.books.accepted;
    const step = Math.min(RETAIN_STEP_MAX, Math.max(RETAIN_STEP_MIN, 2 * arrived));
    let seen = 0;
    let last: Uint8Array | null = null;
    store.range(LedgerTable.ROWS, this.#retainFrom, (key, row) => {
      // A message is not final before it is accepted, so nothing behind this one is ripe.
      if (sequenceWallMs(readKeySequence(key, 0)) > before) return false;
      const status = rowStatus(row);
      if (isFinalStatus(status) && rowFinalAt(row) <= before) {
        rows.push({ key: Uint8Array.from(key), status });
      }
      seen++;
      if (seen < step) return true;
      last = Uint8Array.from(key);
      return false;
    });
    this.#retainFrom = last === null ? new Uint8Array(0) : behind(last);
    return rows;
  }
}

function behind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(MESSAGE_KEY_BYTES + 1);
  next.set(key);
  return next;
}
