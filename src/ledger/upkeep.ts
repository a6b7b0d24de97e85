/**
 * What time does to stored messages, in bounded steps: the sweep of the open index, and retention.
 *
 *   sweep      open index in key order, round and round: what is overdue ends
 *   retention  rows in the order they became final: they leave `retention_h` after that, or as
 *              many as must, the earliest first, while the store holds more than `bytes_max`
 *
 * Both remember where they stopped. The ledger's thread only.
 */
import { MESSAGE_KEY_BYTES } from "../records/message-key.ts";
import type { HandOvers } from "./flow/hand-overs.ts";
import type { Endings } from "./endings.ts";
import { readKeyOrigin, readKeySequence } from "./messages/message-state.ts";
import type { Messages } from "./messages/messages.ts";
import type { LedgerMeta } from "./store/meta.ts";
import type { LedgerPolicy } from "./policy.ts";
import { readUint48 } from "./messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "./store/store.ts";

/** Records of that age are certainly in the log when the log is read up to its end. */
const SETTLE_MARGIN_MS = 10_000;
/** What has been over for so long and is still open was forgotten by its owner. */
const FORGOTTEN_MS = 60_000;
const SWEEP_STEP = 1024;
const SWEEP_PAUSE_MS = 1000;
/** Rows removed at most per step: at ten steps a second more than can arrive. */
const RETAIN_STEP = 8192;
const SIZE_INTERVAL_MS = 5000;

export interface UpkeepOptions {
  readonly store: LedgerStore;
  readonly meta: LedgerMeta;
  readonly messages: Messages;
  readonly handOvers: HandOvers;
  readonly endings: Endings;
  readonly policy: LedgerPolicy;
}

export class Upkeep {
  /** Live bytes of the store when it was last asked. */
  storeBytes = 0;
  readonly #options: UpkeepOptions;
  #sweepFrom: Uint8Array = new Uint8Array(0);
  #nextSweepAt = 0;
  #nextSizeAt = 0;
  /** Commit that has the last rows removed for want of room. */
  #removedBy = 0;

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
   * One step of retention; `visibleCommit` tells what reads of the store see, and nothing is being
   * committed. Returns rows removed.
   */
  retain(now: number, visibleCommit: number): number {
    const { store, endings, messages, policy } = this.#options;
    if (visibleCommit < this.#removedBy) return 0;
    if (now >= this.#nextSizeAt) {
      this.#nextSizeAt = now + SIZE_INTERVAL_MS;
      this.storeBytes = store.usedBytes();
    }
    let removed = endings.remove(messages, now - policy.retentionMs, RETAIN_STEP, visibleCommit);
    if (removed === 0 && this.storeBytes > policy.bytesMax) {
      const rows = this.#rowsTooMany();
      removed = endings.remove(messages, Number.POSITIVE_INFINITY, rows, visibleCommit);
      // What that gave back is measured when it has been given back.
      this.#removedBy = visibleCommit + 1;
      this.#nextSizeAt = 0;
    }
    return removed;
  }

  /** Rows that hold about what the store has too much, so that no more go than must. */
  #rowsTooMany(): number {
    const { meta, policy } = this.#options;
    const { accepted, removed } = meta.books;
    const rows = removed.reduce((left, count) => left - count, accepted);
    const excess = (this.storeBytes - policy.bytesMax) / this.storeBytes;
    return Math.min(RETAIN_STEP, Math.max(1, Math.ceil(rows * excess)));
  }
}

function behind(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(MESSAGE_KEY_BYTES + 1);
  next.set(key);
  return next;
}
