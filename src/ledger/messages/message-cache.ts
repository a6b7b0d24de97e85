/**
 * Messages in memory: a chained hash table by key, the list of those changed since the last flush,
 * and the clean ones, which may go.
 *
 *   load/new ──► cached ──touch──► dirty ──flush──► clean queue ──► evicted (reloaded when needed)
 *
 * Bounded: clean messages leave as soon as more than `partsMax` parts are cached, as a part is what
 * costs memory; dirty ones, fresh ones (fresh-messages.ts, a bound of their own) and those whose
 * commit is not visible yet stay. Which one leaves is left to chance: of a backlog longer than the
 * cache, the oldest would always be those that are needed next, and the youngest would let what
 * waits for long keep its place for ever. The ledger's thread only.
 */
import { neighbourHash } from "../../records/message-key.ts";
import type { MessagePool } from "./message-pool.ts";
import type { MessageState } from "./message-state.ts";

export class MessageCache {
  readonly #buckets: (MessageState | null)[];
  readonly #mask: number;
  readonly #partsMax: number;
  readonly #pool: MessagePool;
  /** Ring of clean messages. */
  #queue: (MessageState | null)[] = emptySlots(1024);
  #queueHead = 0;
  #queueCount = 0;
  #draw = 1;
  #count = 0;
  #parts = 0;
  #dirty: MessageState[] = [];

  /**
   * What leaves goes to `pool`. `count`: messages that there may be, fresh ones among them; with
   * more, finding one takes longer.
   */
  constructor(partsMax: number, count: number, pool: MessagePool) {
    let size = 1024;
    while (size < count) size *= 2;
    this.#buckets = emptySlots(size);
    this.#mask = size - 1;
    this.#partsMax = partsMax;
    this.#pool = pool;
  }

  get count(): number {
    return this.#count;
  }

  /** Entries of the clean queue, those of messages that left the cache meanwhile included. */
  get queuedCount(): number {
    return this.#queueCount;
  }

  get dirtyCount(): number {
    return this.#dirty.length;
  }

  find(sequence: number, origin: number): MessageState | null {
    const high = Math.floor(sequence / 0x100000000);
    const low = sequence | 0;
    let message = this.#buckets[this.#bucketOf(sequence, origin)] as MessageState | null;
    while (message !== null) {
      const isSame = message.sequenceLow === low && message.sequenceHigh === high;
      if (isSame && message.origin === origin) return message;
      message = message.nextInBucket;
    }
    return null;
  }

  /** Adds a message that is not in the cache; unless it is touched next, it counts as clean. */
  add(message: MessageState): void {
    const bucket = this.#bucketOf(message.sequence, message.origin);
    message.nextInBucket = this.#buckets[bucket] as MessageState | null;
    this.#buckets[bucket] = message;
    message.isCached = true;
    this.#count++;
    this.#parts += message.parts.length;
  }

  /** Notes that the message differs from its row. */
  touch(message: MessageState): void {
    if (message.dirtyIndex >= 0) return;
    message.dirtyIndex = this.#dirty.length;
    this.#dirty.push(message);
  }

  /** Its row is written: it does not differ any more. */
  untouch(message: MessageState): void {
    const index = message.dirtyIndex;
    if (index < 0) return;
    const last = this.#dirty.pop() as MessageState;
    if (last !== message) {
      this.#dirty[index] = last;
      last.dirtyIndex = index;
    }
    message.dirtyIndex = -1;
  }

  /** Takes the list of changed messages, which count as clean from here on. */
  takeDirty(): MessageState[] {
    const taken = this.#dirty;
    this.#dirty = [];
    for (const message of taken) message.dirtyIndex = -1;
    return taken;
  }

  /** Lets a clean message go when there is need for room. */
  queueClean(message: MessageState): void {
    if (message.isQueued || !message.isCached) return;
    message.isQueued = true;
    if (this.#queueCount === this.#queue.length) this.#makeRoom();
    this.#queue[(this.#queueHead + this.#queueCount) & (this.#queue.length - 1)] = message;
    this.#queueCount++;
  }

  /** Evicts down to the bound what is clean as of `visibleCommit`; `besides`: parts not counted. */
  evict(visibleCommit: number, besides = 0): void {
    while (this.#parts - besides > this.#partsMax && this.#queueCount > 0) {
      this.#drawHead();
      const message = this.#queue[this.#queueHead] as MessageState;
      this.#queue[this.#queueHead] = null;
      this.#queueHead = (this.#queueHead + 1) & (this.#queue.length - 1);
      this.#queueCount--;
      message.isQueued = false;
      if (!message.isCached) {
        this.#pool.give(message);
        continue;
      }
      // Dirty again, or written by a commit under way: it comes back here when that one is visible.
      if (message.isDirty || message.commit > visibleCommit) continue;
      this.#unlink(message);
      this.#pool.give(message);
    }
  }

  /** Puts any one of the queue in front; the same ones in every run. */
  #drawHead(): void {
    this.#draw = (Math.imul(this.#draw, 0x19660d) + 0x3c6ef35f) >>> 0;
    const drawn = Math.floor((this.#draw / 0x1_0000_0000) * this.#queueCount);
    const at = (this.#queueHead + drawn) & (this.#queue.length - 1);
    const message = this.#queue[at] as MessageState | null;
    this.#queue[at] = this.#queue[this.#queueHead] as MessageState | null;
    this.#queue[this.#queueHead] = message;
  }

  /** Takes a message out at once: it is no longer needed, or its row is being removed. */
  remove(message: MessageState): void {
    if (!message.isCached) return;
    this.#unlink(message);
    // The queue gives it on when its turn comes.
    if (!message.isQueued && !message.isDirty) this.#pool.give(message);
  }

  #unlink(message: MessageState): void {
    const bucket = this.#bucketOf(message.sequence, message.origin);
    let other = this.#buckets[bucket] as MessageState | null;
    if (other === message) {
      this.#buckets[bucket] = message.nextInBucket;
    } else {
      while (other !== null && other.nextInBucket !== message) other = other.nextInBucket;
      if (other !== null) other.nextInBucket = message.nextInBucket;
    }
    message.nextInBucket = null;
    message.isCached = false;
    this.#count--;
    this.#parts -= message.parts.length;
  }

  /**
   * Drops queue entries of messages that were removed meanwhile; grows if most are still cached.
   */
  #makeRoom(): void {
    const old = this.#queue;
    const kept: MessageState[] = [];
    for (let i = 0; i < this.#queueCount; i++) {
      const message = old[(this.#queueHead + i) & (old.length - 1)] as MessageState;
      if (message.isCached) {
        kept.push(message);
      } else {
        message.isQueued = false;
        this.#pool.give(message);
      }
    }
    this.#queue = emptySlots(kept.length > old.length / 2 ? old.length * 2 : old.length);
    for (let i = 0; i < kept.length; i++) this.#queue[i] = kept[i] as MessageState;
    this.#queueHead = 0;
    this.#queueCount = kept.length;
  }

  #bucketOf(sequence: number, origin: number): number {
    return neighbourHash(sequence, origin) & this.#mask;
  }
}

function emptySlots(count: number): (MessageState | null)[] {
  const slots: (MessageState | null)[] = [];
  for (let i = 0; i < count; i++) slots.push(null);
  return slots;
}
