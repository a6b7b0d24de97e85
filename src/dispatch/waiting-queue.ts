/**
 * Messages that wait for credits, 8 bytes each: their log offsets in chunked FIFOs, one FIFO per
 * app, the FIFOs of a (pool, priority) together in a lane that serves its apps by deficit
 * round-robin, those that came anew before those of the round.
 *
 *   fresh ── app 4 ── app 2           one message a turn, QUANTUM at most, then it is in the round
 *   round ── app 3 ── app 7 ── app 9 ──┐        app 7: chunk → chunk → chunk
 *    ▲_________________________________┘        lowest expiry of the chunk; -1 = dropped entry
 *
 * So the first message of an app waits for no backlog, however many apps have one. An app leaves
 * the round only when its turn finds nothing: who comes again and again with single messages is
 * fresh once a round at most.
 *
 * A chunk's lowest expiry is a lower bound: it only says when looking at the chunk may be worth
 * while. An app of which nothing waits has no chunk. One thread per store and its lanes. Nothing is
 * allocated per message: chunks are kept and used again. Sources: Shreedhar and Varghese,
 * "Efficient Fair Queuing Using Deficit Round-Robin"
 * (1995), with every message's cost 1; for fresh apps RFC 8290, section 4.2.
 */

/**
 * Entries of an ordinary chunk, and of the first one of a FIFO (many apps wait with few messages
 * each).
 */
export const CHUNK_ENTRIES = 1024;
export const SMALL_CHUNK_ENTRIES = 64;
/** Messages that one app may send per turn: neighbours in the log are read together. */
export const QUANTUM = 8;
/** `take` found no waiting message. */
export const NONE_WAITING = -1;
const DROPPED = -1;
const NO_APP = -1;
/** Where an app is served. */
const NOWHERE = 0;
const FRESH = 1;
const ROUND = 2;

class Chunk {
  readonly offsets: Float64Array;
  next: Chunk | null = null;
  start = 0;
  end = 0;
  lowestExpiresAtMs = Number.POSITIVE_INFINITY;
  /** No entry lies outside of these. */
  lowestOffset = Number.POSITIVE_INFINITY;
  highestOffset = -1;

  constructor(entries: number) {
    this.offsets = new Float64Array(entries);
  }
}

/** Free chunks of a thread, shared by its lanes. */
export class ChunkStore {
  #free: Chunk | null = null;
  #freeSmall: Chunk | null = null;

  take(small: boolean): Chunk {
    const chunk = small ? this.#freeSmall : this.#free;
    if (chunk === null) return new Chunk(small ? SMALL_CHUNK_ENTRIES : CHUNK_ENTRIES);
    if (small) this.#freeSmall = chunk.next;
    else this.#free = chunk.next;
    chunk.next = null;
    return chunk;
  }

  give(chunk: Chunk): void {
    chunk.start = 0;
    chunk.end = 0;
    chunk.lowestExpiresAtMs = Number.POSITIVE_INFINITY;
    chunk.lowestOffset = Number.POSITIVE_INFINITY;
    chunk.highestOffset = -1;
    if (chunk.offsets.length === CHUNK_ENTRIES) {
      chunk.next = this.#free;
      this.#free = chunk;
    } else {
      chunk.next = this.#freeSmall;
      this.#freeSmall = chunk;
    }
  }
}

/**
 * Looks at one waiting message whose validity may be over; returns when it ends, or 0 if it has
 * ended the message.
 */
export interface ExpiryCheck {
  expire(logOffset: number, wallMs: number): number;
}

/** The waiting messages of one (pool, priority). */
export class WaitingLane {
  /** Messages that wait. */
  count = 0;
  /** App of the message that `take` returned last. */
  takenApp = NO_APP;
  /** No waiting message expires before this time (wall ms). */
  lowestExpiresAtMs = Number.POSITIVE_INFINITY;
  readonly #store: ChunkStore;
  readonly #heads: (Chunk | null)[];
  readonly #tails: (Chunk | null)[];
  readonly #counts: Int32Array;
  readonly #deficits: Int32Array;
  readonly #following: Int32Array;
  readonly #place: Uint8Array;
  /** Of the round: whose turn it is, and who is before that. */
  #current = NO_APP;
  #previous = NO_APP;
  #freshHead = NO_APP;
  #freshTail = NO_APP;
  #sweepApp = 0;

  constructor(appCount: number, store: ChunkStore) {
    this.#store = store;
    this.#heads = Array.from({ length: appCount }, () => null);
    this.#tails = Array.from({ length: appCount }, () => null);
    this.#counts = new Int32Array(appCount);
    this.#deficits = new Int32Array(appCount);
    this.#following = new Int32Array(appCount);
    this.#place = new Uint8Array(appCount);
  }

  /** Messages of one app that wait. */
  countOf(app: number): number {
    return this.#counts[app] as number;
  }

  /**
   * Queues a message behind its app's others. `expiresAtMs` 0 means not known: the next sweep asks.
   */
  append(app: number, logOffset: number, expiresAtMs: number): void {
    let tail = this.#tails[app] as Chunk | null;
    if (tail === null || tail.end === tail.offsets.length) {
      const chunk = this.#store.take(tail === null);
      if (tail === null) this.#heads[app] = chunk;
      else tail.next = chunk;
      this.#tails[app] = chunk;
      tail = chunk;
    }
    tail.offsets[tail.end++] = logOffset;
    this.#note(app, tail, logOffset, expiresAtMs);
  }

  /** Queues a message before its app's others: one that was returned keeps its place. */
  prepend(app: number, logOffset: number, expiresAtMs: number): void {
    let head = this.#heads[app] as Chunk | null;
    if (head === null || head.start === 0) {
      const chunk = this.#store.take(true);
      chunk.start = SMALL_CHUNK_ENTRIES;
      chunk.end = SMALL_CHUNK_ENTRIES;
      chunk.next = head;
      this.#heads[app] = chunk;
      if (head === null) this.#tails[app] = chunk;
      head = chunk;
    }
    head.offsets[--head.start] = logOffset;
    this.#note(app, head, logOffset, expiresAtMs);
  }

  /**
   * Takes the next message in turn: its log offset, or NONE_WAITING; `takenApp` tells whose it is.
   */
  take(): number {
    for (;;) {
      const isFresh = this.#freshHead !== NO_APP;
      const app = isFresh ? this.#freshHead : this.#current;
      if (app === NO_APP) return NONE_WAITING;
      const logOffset = this.#shift(app);
      if (logOffset === DROPPED) {
        if (isFresh) this.#leaveFresh(app);
        else this.#leaveRound(app);
        continue;
      }
      this.count--;
      this.#counts[app] = (this.#counts[app] as number) - 1;
      this.takenApp = app;
      if ((this.#counts[app] as number) === 0) this.#giveChunks(app);
      if (isFresh) this.#spendFresh(app);
      else this.#spend(app);
      if (this.count === 0) this.#leaveAll();
      return logOffset;
    }
  }

  /** Whether `take` asks an app that has come anew, not one of the round. */
  isNextFresh(): boolean {
    return this.#freshHead !== NO_APP;
  }

  /** Lowest log offset of those that are next in turn of their apps; NONE_WAITING for none. */
  oldest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (let app = this.#freshHead; app !== NO_APP; app = this.#following[app] as number) {
      lowest = Math.min(lowest, this.#firstOf(app));
    }
    for (let app = this.#current; app !== NO_APP; ) {
      lowest = Math.min(lowest, this.#firstOf(app));
      app = this.#following[app] as number;
      if (app === this.#current) break;
    }
    return lowest === Number.POSITIVE_INFINITY ? NONE_WAITING : lowest;
  }

  /** Log offset of the app's next message; Infinity for none. */
  #firstOf(app: number): number {
    const next = firstOf(this.#heads[app] ?? null);
    return next === DROPPED ? Number.POSITIVE_INFINITY : next;
  }

  /** Drops one waiting message of an app; false if it does not wait here. */
  remove(app: number, logOffset: number): boolean {
    let chunk = this.#heads[app] ?? null;
    for (; chunk !== null; chunk = chunk.next) {
      if (logOffset < chunk.lowestOffset || logOffset > chunk.highestOffset) continue;
      for (let i = chunk.start; i < chunk.end; i++) {
        if (chunk.offsets[i] !== logOffset) continue;
        chunk.offsets[i] = DROPPED;
        this.count--;
        this.#counts[app] = (this.#counts[app] as number) - 1;
        if ((this.#counts[app] as number) === 0) this.#giveChunks(app);
        return true;
      }
    }
    return false;
  }

  /**
   * Asks `check` about every message in chunks where one may have expired, and drops those it has
   * ended; what is left moves together. Looks at about `budget` messages (whole chunks); returns
   * how many of the budget are left, 0 if it must be called again.
   */
  sweep(check: ExpiryCheck, wallMs: number, budget: number): number {
    let left = budget;
    for (; this.#sweepApp < this.#heads.length; this.#sweepApp++) {
      const app = this.#sweepApp;
      let before: Chunk | null = null;
      for (let chunk = this.#heads[app] as Chunk | null; chunk !== null; ) {
        const { next }: Chunk = chunk;
        let isLeft = true;
        if (chunk.lowestExpiresAtMs <= wallMs) {
          if (left <= 0) return 0;
          left -= this.#sweepChunk(chunk, app, check, wallMs);
          isLeft = !this.#joinChunk(app, before, chunk);
        }
        if (isLeft) before = chunk;
        chunk = next;
      }
      if ((this.#counts[app] as number) === 0) this.#giveChunks(app);
    }
    this.#sweepApp = 0;
    this.lowestExpiresAtMs = this.#lowestOfChunks();
    return Math.max(1, left);
  }

  #sweepChunk(chunk: Chunk, app: number, check: ExpiryCheck, wallMs: number): number {
    const seen = chunk.end - chunk.start;
    let lowest = Number.POSITIVE_INFINITY;
    let end = chunk.start;
    for (let i = chunk.start; i < chunk.end; i++) {
      const logOffset = chunk.offsets[i] as number;
      if (logOffset === DROPPED) continue;
      const expiresAtMs = check.expire(logOffset, wallMs);
      if (expiresAtMs === 0) {
        this.count--;
        this.#counts[app] = (this.#counts[app] as number) - 1;
      } else {
        chunk.offsets[end++] = logOffset;
        if (expiresAtMs < lowest) lowest = expiresAtMs;
      }
    }
    chunk.end = end;
    chunk.lowestExpiresAtMs = lowest;
    return seen;
  }

  /**
   * Lets go of a chunk that is empty, or whose messages have room in the one before it (null: it is
   * the first); false if it stays. So two neighbours that were swept are half full at least.
   */
  #joinChunk(app: number, before: Chunk | null, chunk: Chunk): boolean {
    const entries = chunk.end - chunk.start;
    if (entries > 0) {
      if (before === null || before.end + entries > before.offsets.length) return false;
      before.offsets.set(chunk.offsets.subarray(chunk.start, chunk.end), before.end);
      before.end += entries;
      before.lowestOffset = Math.min(before.lowestOffset, chunk.lowestOffset);
      before.highestOffset = Math.max(before.highestOffset, chunk.highestOffset);
      before.lowestExpiresAtMs = Math.min(before.lowestExpiresAtMs, chunk.lowestExpiresAtMs);
    }
    if (before === null) this.#heads[app] = chunk.next;
    else before.next = chunk.next;
    if (this.#tails[app] === chunk) this.#tails[app] = before;
    this.#store.give(chunk);
    return true;
  }

  #lowestOfChunks(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const head of this.#heads) {
      for (let chunk = head; chunk !== null; chunk = chunk.next) {
        lowest = Math.min(lowest, chunk.lowestExpiresAtMs);
      }
    }
    return lowest;
  }

  #note(app: number, chunk: Chunk, logOffset: number, expiresAtMs: number): void {
    if (logOffset < chunk.lowestOffset) chunk.lowestOffset = logOffset;
    if (logOffset > chunk.highestOffset) chunk.highestOffset = logOffset;
    if (expiresAtMs < chunk.lowestExpiresAtMs) chunk.lowestExpiresAtMs = expiresAtMs;
    if (expiresAtMs < this.lowestExpiresAtMs) this.lowestExpiresAtMs = expiresAtMs;
    this.count++;
    this.#counts[app] = (this.#counts[app] as number) + 1;
    if (this.#place[app] === NOWHERE) this.#enterFresh(app);
  }

  /** First entry of the app's FIFO that was not dropped, removed; DROPPED if none, and no chunk. */
  #shift(app: number): number {
    for (;;) {
      const head = this.#heads[app] as Chunk | null;
      if (head === null) return DROPPED;
      while (head.start < head.end) {
        const logOffset = head.offsets[head.start++] as number;
        if (logOffset !== DROPPED) return logOffset;
      }
      this.#heads[app] = head.next;
      if (head.next === null) this.#tails[app] = null;
      this.#store.give(head);
    }
  }

  /** Nothing of the app waits: whatever its chunks hold was dropped. */
  #giveChunks(app: number): void {
    for (let chunk = this.#heads[app] as Chunk | null; chunk !== null; ) {
      const { next } = chunk;
      this.#store.give(chunk);
      chunk = next;
    }
    this.#heads[app] = null;
    this.#tails[app] = null;
  }

  #spend(app: number): void {
    const deficit = (this.#deficits[app] as number) - 1;
    if (deficit > 0 && (this.#counts[app] as number) > 0) {
      this.#deficits[app] = deficit;
      return;
    }
    // What has nothing more is found so at its next turn, and leaves then.
    this.#deficits[app] = QUANTUM;
    this.#previous = app;
    this.#current = this.#following[app] as number;
  }

  #spendFresh(app: number): void {
    const deficit = (this.#deficits[app] as number) - 1;
    this.#deficits[app] = deficit;
    if (deficit === 0 || (this.#counts[app] as number) === 0) this.#leaveFresh(app);
    else if (app !== this.#freshTail) this.#moveBehindFresh(app);
  }

  #enterFresh(app: number): void {
    this.#place[app] = FRESH;
    this.#deficits[app] = QUANTUM;
    this.#following[app] = NO_APP;
    if (this.#freshTail === NO_APP) this.#freshHead = app;
    else this.#following[this.#freshTail] = app;
    this.#freshTail = app;
  }

  /** The head of those that are fresh goes behind the others. */
  #moveBehindFresh(app: number): void {
    this.#freshHead = this.#following[app] as number;
    this.#following[this.#freshTail] = app;
    this.#following[app] = NO_APP;
    this.#freshTail = app;
  }

  /** The head of those that are fresh joins the round, with or without messages, as its last. */
  #leaveFresh(app: number): void {
    this.#freshHead = this.#following[app] as number;
    if (this.#freshHead === NO_APP) this.#freshTail = NO_APP;
    this.#place[app] = ROUND;
    this.#deficits[app] = QUANTUM;
    if (this.#current === NO_APP) {
      this.#current = app;
      this.#following[app] = app;
    } else {
      this.#following[this.#previous] = app;
      this.#following[app] = this.#current;
    }
    this.#previous = app;
  }

  /** Nobody waits: whoever comes next is fresh. */
  #leaveAll(): void {
    while (this.#freshHead !== NO_APP) this.#leaveFresh(this.#freshHead);
    while (this.#current !== NO_APP) this.#leaveRound(this.#current);
  }

  /** Takes the app whose turn it is out of the round. */
  #leaveRound(app: number): void {
    this.#place[app] = NOWHERE;
    const next = this.#following[app] as number;
    if (next === app) {
      this.#current = NO_APP;
      this.#previous = NO_APP;
      return;
    }
    this.#following[this.#previous] = next;
    this.#current = next;
  }
}

/** First entry from this chunk on that was not dropped; DROPPED if there is none. */
function firstOf(head: Chunk | null): number {
  for (let chunk = head; chunk !== null; chunk = chunk.next) {
    for (let i = chunk.start; i < chunk.end; i++) {
      const logOffset = chunk.offsets[i] as number;
      if (logOffset !== DROPPED) return logOffset;
    }
  }
  return DROPPED;
}
