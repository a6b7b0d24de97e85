/**
 * Messages in memory: a chained hash table by key, the list of those changed since the last flush,
 * and the order in which clean ones may go.
 *
 *   load/new ──► cached ──touch──► dirty ──flush──► clean queue ──► evicted (reloaded when needed)
 *
 * Bounded: clean messages leave, oldest first, as soon as more than `messagesMax` are cached; dirty
 * ones and those whose commit is not visible yet stay. The ledger's thread only.
 */
import type { MessagePool } from "./message-pool.ts";
import type { MessageState } from "./message-state.ts";

export class MessageCache {
  readonly #buckets: (MessageState | null)[];
  readonly #mask: number;
  readonly #messagesMax: number;
  readonly #pool: MessagePool;
  /** Ring of clean messages, oldest first. */
  #queue: (MessageState | null)[] = emptySlots(1024);
  #queueHead = 0;
  #queueCount = 0;
  #count = 0;
  #dirty: MessageState[] = [];

  /** What leaves goes to `pool`. */
  constructor(messagesMax: number, pool: MessagePool) {
    let size = 1024;
    while (size < messagesMax) size *= 2;
    this.#buckets = emptySlots(size);
    this.#mask = size - 1;
    this.#messagesMax = messagesMax;
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
    let message = this.#buckets[this.#bucketOf(sequence, origin)] as MessageState | null;
    while (message !== null) {
      if (message.sequence === sequence && message.origin === origin) return message;
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
  }

  /** Notes that the message differs from its row. */
  touch(message: MessageState): void {
    if (message.isDirty) return;
    message.isDirty = true;
    this.#dirty.push(message);
  }

  /** Takes the list of changed messages, which count as clean from here on. */
  takeDirty(): MessageState[] {
    const taken = this.#dirty;
    this.#dirty = [];
    for (const message of taken) message.isDirty = false;
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

  /** Evicts down to the bound what is clean as of `visibleCommit`. */
  evict(visibleCommit: number): void {
    while (this.#count > this.#messagesMax && this.#queueCount > 0) {
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

  /** Takes a message out at once, since its row is being removed. */
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
    let hash = Math.imul(sequence | 0, 0x9e3779b1) ^ Math.floor(sequence / 0x100000000) ^ origin;
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x85ebca6b);
    return (hash ^ (hash >>> 13)) & this.#mask;
  }
}

function emptySlots(count: number): (MessageState | null)[] {
  return Array.from({ length: count }, () => null);
}
