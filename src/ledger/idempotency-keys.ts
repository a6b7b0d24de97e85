/**
 * The ledger's side of idempotency keys: they outlive the process and their segments, and go by age
 * and number.
 *
 *   ACCEPT with a key ─► table in shared memory, queue of its app ─every flush─► block in the store
 *                                   │ oldest first                                    │
 *                                   └─ older than the ttl, or too many ──► out of ────┘
 *
 *   key    app u32 │ number u48 (big-endian)
 *   value  newest accepted_at f64 │ (tail of the ACCEPT 16 │ sequence f64 │ origin u32 │ facts) × n
 *
 * A block is of one app and commit, so an app's keys leave in whole blocks in the end, whatever
 * others do. What is let go of for want of room stays in its block until that is empty, and is let
 * go of again by the next start, for the same reason. The ledger's thread only.
 */
import { Counter, type MetricBlock } from "../metrics/block.ts";
import { Accept, acceptSegments, acceptTailOffset, IDEMPOTENCY_BYTES } from "../records/accept.ts";
import type { RecordMemory } from "../records/memory.ts";
import { BODY_ENCODING_NAMES, bodyEncodingName } from "../records/types.ts";
import {
  type IdempotencyTable,
  KEY_WORDS,
  packFacts,
  Restored,
} from "../tables/idempotency-table.ts";
import { EntryBuffer } from "./store/entry-buffer.ts";
import type { OutcomeObserver } from "./outcomes.ts";
import { readUint32, readUint48, writeUint32, writeUint48 } from "./messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "./store/store.ts";

const KEY_BYTES = 10;
const NUMBER = 4;
const NEWEST_BYTES = 8;
const ENTRY_BYTES = 32;
const SEQUENCE = IDEMPOTENCY_BYTES;
const ORIGIN = SEQUENCE + 8;
const FACTS = ORIGIN + 4;
const QUEUE_START = 64;
const EXPIRY_INTERVAL_MS = 1000;
/** Keys that one look lets go of at most, over all apps; then the next look comes at once. */
const EXPIRY_STEP = 4096;
/** Blocks that are gone, kept at the front of a list until it is cut. */
const GONE_BLOCKS_MAX = 1024;

/** How long keys are kept, and how many. */
export interface KeyBounds {
  readonly ttlMs: number;
  /** Over all apps; beyond it the app with the most loses its oldest. */
  readonly keysMax: number;
  readonly appKeysMax: number;
}

export interface IdempotencyKeysOptions {
  readonly store: LedgerStore;
  readonly table: IdempotencyTable;
  readonly metrics: MetricBlock;
  readonly bounds: KeyBounds;
}

/** A block in the store that still has keys. */
interface KeyBlock {
  readonly number: number;
  /** Of its keys, how many are kept. */
  left: number;
  readonly newestAt: number;
}

/** Fingerprints of an app's keys, oldest first: a ring that doubles. */
class FingerprintQueue {
  high = 0;
  low = 0;
  count = 0;
  #words = new Int32Array(2 * QUEUE_START);
  #first = 0;

  push(high: number, low: number): void {
    const capacity = this.#words.length / 2;
    if (this.count === capacity) this.#grow();
    const at = 2 * ((this.#first + this.count) % (this.#words.length / 2));
    this.#words[at] = high;
    this.#words[at + 1] = low;
    this.count++;
  }

  /** Takes the oldest out, into `high` and `low`. */
  shift(): void {
    const at = 2 * this.#first;
    this.high = this.#words[at] as number;
    this.low = this.#words[at + 1] as number;
    this.#first = (this.#first + 1) % (this.#words.length / 2);
    this.count--;
    if (this.count > 0 || this.#words.length === 2 * QUEUE_START) return;
    this.#words = new Int32Array(2 * QUEUE_START);
    this.#first = 0;
  }

  #grow(): void {
    const grown = new Int32Array(2 * this.#words.length);
    const start = 2 * this.#first;
    grown.set(this.#words.subarray(start));
    grown.set(this.#words.subarray(0, start), this.#words.length - start);
    this.#words = grown;
    this.#first = 0;
  }
}

/** An app's blocks, oldest first; taking the oldest costs the same however many there are. */
class KeyBlocks {
  #blocks: KeyBlock[] = [];
  #first = 0;

  get oldest(): KeyBlock | undefined {
    return this.#blocks[this.#first];
  }

  push(block: KeyBlock): void {
    this.#blocks.push(block);
  }

  /** Takes the oldest out. */
  shift(): void {
    this.#first++;
    if (this.#first < GONE_BLOCKS_MAX || this.#first < this.#blocks.length / 2) return;
    this.#blocks = this.#blocks.slice(this.#first);
    this.#first = 0;
  }
}

class AppKeys {
  readonly appId: number;
  readonly queue = new FingerprintQueue();
  readonly blocks = new KeyBlocks();
  nextNumber = 1;
  /** Of the next block; `gone` of them are not kept any more. */
  readonly entries = new EntryBuffer(ENTRY_BYTES);
  gone = 0;
  newestAt = 0;

  constructor(appId: number) {
    this.appId = appId;
  }
}

export class IdempotencyKeys implements OutcomeObserver {
  readonly #options: IdempotencyKeysOptions;
  readonly #apps = new Map<number, AppKeys>();
  readonly #key = new Int32Array(KEY_WORDS);
  /** Store keys of blocks without a key that is kept. */
  #emptied: Uint8Array[] = [];
  /**
   * Fingerprints that stand in a queue and are not what the table has for them, and how often: one
   * for which there was no room, or one that stands there again for a later message.
   */
  readonly #passedOver = new Map<string, number>();
  #count = 0;
  #nextExpiryAt = 0;

  /** Puts into the table what the store has. */
  constructor(options: IdempotencyKeysOptions) {
    this.#options = options;
    options.store.range(LedgerTable.IDEMPOTENCY, new Uint8Array(0), (key, value) => {
      this.#load(readUint32(key, 0), readUint48(key, NUMBER), value);
      return true;
    });
  }

  onPartFinal(): void {}

  onStatus(): void {}

  onDuplicate(): void {}

  onRefused(): void {}

  onKeyed({ view }: RecordMemory, record: number): void {
    const tail = record + acceptTailOffset(view, record);
    for (let i = 0; i < KEY_WORDS; i++) this.#key[i] = view.getInt32(tail + 4 * i, true);
    const app = this.#of(view.getUint32(record + Accept.APP_ID, true));
    const sequence = view.getFloat64(record + Accept.SEQUENCE, true);
    const origin = view.getUint32(record + Accept.ORIGIN, true);
    const facts = factsOf(view, record);
    const at = app.entries.claim();
    const entry = viewOf(app.entries.bytes);
    for (let i = 0; i < KEY_WORDS; i++) entry.setInt32(at + 4 * i, this.#key[i] as number, true);
    entry.setFloat64(at + SEQUENCE, sequence, true);
    entry.setUint32(at + ORIGIN, origin, true);
    entry.setUint32(at + FACTS, facts, true);
    app.newestAt = Math.max(app.newestAt, view.getFloat64(record + Accept.ACCEPTED_AT, true));
    this.#keep(app, sequence, origin, facts);
  }

  beforeCommit(): void {
    const { store } = this.#options;
    for (const key of this.#emptied) store.remove(LedgerTable.IDEMPOTENCY, key);
    this.#emptied = [];
    for (const app of this.#apps.values()) {
      const { entries, gone, newestAt } = app;
      if (entries.count > gone) {
        const number = app.nextNumber++;
        const value = new Uint8Array(NEWEST_BYTES + ENTRY_BYTES * entries.count);
        viewOf(value).setFloat64(0, newestAt, true);
        value.set(entries.filled(), NEWEST_BYTES);
        store.put(LedgerTable.IDEMPOTENCY, blockKey(app.appId, number), value);
        app.blocks.push({ number, left: entries.count - gone, newestAt });
      }
      if (entries.count > 0) entries.clear();
      app.gone = 0;
      app.newestAt = 0;
    }
  }

  doWork(now: number): boolean {
    if (now < this.#nextExpiryAt) return false;
    const expired = this.#expire(now);
    if (expired < EXPIRY_STEP) this.#nextExpiryAt = now + EXPIRY_INTERVAL_MS;
    return expired > 0;
  }

  /**
   * Lets go of blocks whose last key is older than the ttl at `now` (wall ms); returns how many
   * keys went.
   */
  #expire(now: number): number {
    const before = now - this.#options.bounds.ttlMs;
    let expired = 0;
    for (const app of this.#apps.values()) {
      while (expired < EXPIRY_STEP) {
        const block = app.blocks.oldest;
        if (block === undefined || block.newestAt > before) break;
        this.#dropOldest(app);
        expired++;
      }
    }
    if (expired > 0) this.#showCount();
    return expired;
  }

  #load(appId: number, number: number, value: Uint8Array): void {
    const app = this.#of(appId);
    const view = viewOf(value);
    app.nextNumber = number + 1;
    const count = (value.length - NEWEST_BYTES) / ENTRY_BYTES;
    app.blocks.push({ number, left: count, newestAt: view.getFloat64(0, true) });
    for (let at = NEWEST_BYTES; at < value.length; at += ENTRY_BYTES) {
      for (let i = 0; i < KEY_WORDS; i++) this.#key[i] = view.getInt32(at + 4 * i, true);
      const sequence = view.getFloat64(at + SEQUENCE, true);
      const origin = view.getUint32(at + ORIGIN, true);
      this.#keep(app, sequence, origin, view.getUint32(at + FACTS, true));
    }
  }

  /** Keeps the key at hand, and lets go of the oldest for it where that must be. */
  #keep(app: AppKeys, sequence: number, origin: number, facts: number): void {
    const { table, metrics, bounds } = this.#options;
    const key = this.#key;
    app.queue.push(key[0] as number, key[1] as number);
    this.#count++;
    const restored = table.restore(key, sequence, origin, facts);
    if (restored !== Restored.KEPT) {
      const name = nameOf(key[0] as number, key[1] as number);
      this.#passedOver.set(name, (this.#passedOver.get(name) ?? 0) + 1);
    }
    let dropped = restored === Restored.FULL ? 1 : 0;
    for (; app.queue.count > bounds.appKeysMax; dropped++) this.#dropOldest(app);
    for (; this.#count > bounds.keysMax; dropped++) this.#dropOldest(this.#largest());
    if (dropped > 0) metrics.add(Counter.idempotencyKeysDropped, dropped);
    this.#showCount();
  }

  #dropOldest(app: AppKeys): void {
    const { queue, blocks } = app;
    queue.shift();
    this.#count--;
    if (!this.#passOver(queue.high, queue.low)) this.#options.table.remove(queue.high, queue.low);
    const block = blocks.oldest;
    if (block === undefined) {
      app.gone++;
      return;
    }
    block.left--;
    if (block.left > 0) return;
    blocks.shift();
    this.#emptied.push(blockKey(app.appId, block.number));
  }

  /** Whether this place in the queue, the earliest of its key, is not what the table has. */
  #passOver(high: number, low: number): boolean {
    if (this.#passedOver.size === 0) return false;
    const name = nameOf(high, low);
    const times = this.#passedOver.get(name) ?? 0;
    if (times > 1) this.#passedOver.set(name, times - 1);
    else this.#passedOver.delete(name);
    return times > 0;
  }

  #largest(): AppKeys {
    let largest: AppKeys | null = null;
    for (const app of this.#apps.values()) {
      if (largest === null || app.queue.count > largest.queue.count) largest = app;
    }
    return largest as AppKeys;
  }

  #showCount(): void {
    this.#options.table.keptCount = this.#count;
  }

  #of(appId: number): AppKeys {
    let app = this.#apps.get(appId);
    if (app === undefined) {
      app = new AppKeys(appId);
      this.#apps.set(appId, app);
    }
    return app;
  }
}

/** What the answer to an ACCEPT's call said. */
function factsOf(view: DataView, record: number): number {
  const encoding = view.getUint8(record + Accept.ENCODING);
  const name = bodyEncodingName(encoding, view.getUint8(record + Accept.DATA_CODING));
  const counted = (BODY_ENCODING_NAMES as readonly string[]).indexOf(name);
  const isScheduled = view.getUint32(record + Accept.SEND_DELAY_S, true) > 0;
  return packFacts(acceptSegments(view, record), counted, isScheduled);
}

function blockKey(appId: number, number: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  writeUint32(key, 0, appId);
  writeUint48(key, NUMBER, number);
  return key;
}

function nameOf(high: number, low: number): string {
  return `${high}:${low}`;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
