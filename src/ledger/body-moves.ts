/**
 * Moves the few living bodies out of the oldest part of the log, so that it can go.
 *
 *   log on disk + moved > 2 × wanted bodies + 1 segment
 *     └─► open index, oldest keys first ─► body in the oldest segment ─► BODIES ─► held no more
 *
 * A body is copied at most once, and only when the log has grown past that bound: traffic that
 * finishes never is. The copy, the changed row and the lower holds are one commit; the segment goes
 * when it is flushed. Readers of other threads find a moved body by its log offset (the key), as
 * soon as the log itself does not have it any more. The ledger's thread only.
 */
import type { Log } from "../environment.ts";
import type { MovedBodies, RecordLoader } from "../journal/log-reading.ts";
import { Counter, type MetricBlock } from "../metrics/block.ts";
import { RECORD_LENGTH_OFFSET } from "../ring/layout.ts";
import { LogWord, type LogTable } from "../tables/log-table.ts";
import { readKeyOrigin, readKeySequence } from "./messages/message-state.ts";
import type { Messages } from "./messages/messages.ts";
import type { LedgerMeta } from "./store/meta.ts";
import { readUint48 } from "./messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "./store/store.ts";

/** Offset in a row of the open index of the body's log offset (0: none was wanted when written). */
export const OPEN_LOG_OFFSET = 6;
/** Entries of the open index looked at per call, and bodies moved. */
const WALK_STEP = 2048;
const MOVE_STEP = 512;
/** Between two walks over all of the index that found nothing to move. */
const PAUSE_MS = 1000;

export interface BodyMovesOptions {
  readonly store: LedgerStore;
  readonly meta: LedgerMeta;
  readonly messages: Messages;
  readonly loader: RecordLoader;
  readonly logTable: LogTable;
  readonly log: Log;
  readonly metrics: MetricBlock;
  readonly segmentBytes: number;
  /** Whether an operator gave up the stretch of the log at an offset; default: none was. */
  readonly isSkipped?: (logOffset: number) => boolean;
}

export class BodyMoves {
  readonly #options: BodyMovesOptions;
  /** Bodies below it are to be moved. */
  #target = 0;
  #from: Uint8Array = new Uint8Array(0);
  #nextAt = 0;
  #isActive = false;
  #unreadable = 0;

  constructor(options: BodyMovesOptions) {
    this.#options = options;
  }

  /** Looks whether there is something to do; to be called now and then. `now`: wall ms. */
  look(now: number): void {
    this.#isActive = now >= this.#nextAt && this.#isDue();
  }

  /** One bounded step; returns the entries it looked at. `now`: wall ms. */
  doWork(now: number): number {
    return this.#isActive ? this.#walk(now) : 0;
  }

  /**
   * Whether the log takes more than it should, the ledger is done with its oldest segment, and
   * bodies keep that.
   */
  #isDue(): boolean {
    const { logTable, meta, segmentBytes } = this.#options;
    const { holds } = meta;
    const oldest = logTable.load(LogWord.OLDEST);
    const onDisk = logTable.load(LogWord.COMMITTED) - oldest + holds.movedBytes;
    const end = oldest + segmentBytes;
    if (onDisk <= 2 * holds.bytes + segmentBytes) return false;
    if (logTable.load(LogWord.LEDGER_FLUSHED) < end) return false;
    this.#target = Math.ceil(end / holds.stretchBytes) * holds.stretchBytes;
    return holds.lowest() < this.#target;
  }

  #walk(now: number): number {
    const { store, messages, metrics } = this.#options;
    const keys: number[] = [];
    let seen = 0;
    let last: Uint8Array | null = null;
    store.range(LedgerTable.OPEN, this.#from, (key, value) => {
      const logOffset = readUint48(value, OPEN_LOG_OFFSET);
      if (logOffset !== 0 && logOffset < this.#target) {
        keys.push(readKeySequence(key, 0), readKeyOrigin(key, 0));
      }
      seen++;
      if (seen < WALK_STEP && keys.length < 2 * MOVE_STEP) return true;
      last = Uint8Array.from(key);
      return false;
    });
    for (let i = 0; i < keys.length; i += 2) {
      const message = messages.find(keys[i] as number, keys[i + 1] as number);
      if (message === null || !message.holdsBody || message.isBodyMoved) continue;
      if (!this.#move(message.logOffset)) continue;
      messages.moveBody(message);
      metrics.add(Counter.bodiesMoved, 1);
    }
    // Keys are in about the order of the log; what came out of order is found by the next round.
    this.#from = last ?? new Uint8Array(0);
    if (last === null) this.#nextAt = now + PAUSE_MS;
    if (last === null || this.#options.meta.holds.lowest() >= this.#target) this.#isActive = false;
    return seen;
  }

  /** Keeps the body; false if it cannot be read. What was given up holds no segment either. */
  #move(logOffset: number): boolean {
    const { loader, store, log, isSkipped } = this.#options;
    const at = loader.load(logOffset);
    if (at < 0) {
      if (isSkipped?.(logOffset) === true) return true;
      // It stays held, and so does its segment: nothing is lost by it but room.
      if (this.#unreadable++ === 0) {
        log.write("error", "move body", { cause: "its record cannot be read", logOffset });
      }
      return false;
    }
    const { bytes, view } = loader.memory;
    const length = view.getUint32(at + RECORD_LENGTH_OFFSET, true);
    store.put(LedgerTable.BODIES, bodyKey(logOffset), bytes.subarray(at, at + length));
    return true;
  }
}

/** The moved bodies of a store, for readers on the ledger's thread. */
export function movedBodiesIn(store: LedgerStore): MovedBodies {
  return { find: (logOffset) => store.get(LedgerTable.BODIES, bodyKey(logOffset)) };
}

/** Key of a moved body: its log offset, big-endian. */
export function bodyKey(logOffset: number): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, BigInt(logOffset));
  return key;
}
