/**
 * Rows of messages that have ended and left memory, for as long as reads of the store do not show
 * them.
 *
 *   note ─► pending ─launch(commit)─► in flight ─► the commit is visible: forgotten
 *
 * The bytes are the store's own (LedgerStore.claim); here stands where they lie: per message seven
 * words, chained by a hash of its key. One commit is in flight at a time. The ledger's thread only.
 */
import { neighbourHash } from "../../records/message-key.ts";
import { readKeyOrigin, readKeySequence } from "./message-state.ts";

/**
 * Sequence (two words), origin, index of the bytes, offset of the row in them, its length, next.
 */
const ENTRY_WORDS = 7;
const ENTRIES_MIN = 1024;
/** A power of two. */
const BUCKETS = 8192;
const NONE = -1;

/** Those of one commit. */
class Generation {
  count = 0;
  /** Of the store; 0: not committed yet. */
  commit = 0;
  #words = new Int32Array(ENTRY_WORDS * ENTRIES_MIN);
  readonly #heads = new Int32Array(BUCKETS).fill(NONE);
  #bytes: Uint8Array[] = [];

  add(sequence: number, origin: number, bytes: Uint8Array, at: number, length: number): void {
    if (this.#bytes.at(-1) !== bytes) this.#bytes.push(bytes);
    const entry = ENTRY_WORDS * this.count++;
    if (entry === this.#words.length) this.#grow();
    const words = this.#words;
    const bucket = bucketOf(sequence, origin);
    words[entry] = Math.floor(sequence / 0x100000000);
    words[entry + 1] = sequence;
    words[entry + 2] = origin;
    words[entry + 3] = this.#bytes.length - 1;
    words[entry + 4] = at;
    words[entry + 5] = length;
    words[entry + 6] = this.#heads[bucket] as number;
    this.#heads[bucket] = entry;
  }

  find(sequence: number, origin: number): Uint8Array | null {
    const words = this.#words;
    let entry = this.#heads[bucketOf(sequence, origin)] as number;
    for (; entry !== NONE; entry = words[entry + 6] as number) {
      if (words[entry + 1] !== (sequence | 0) || words[entry + 2] !== (origin | 0)) continue;
      if (words[entry] !== Math.floor(sequence / 0x100000000)) continue;
      const bytes = this.#bytes[words[entry + 3] as number] as Uint8Array;
      const at = words[entry + 4] as number;
      return bytes.subarray(at, at + (words[entry + 5] as number));
    }
    return null;
  }

  clear(): void {
    if (this.count > 0) this.#heads.fill(NONE);
    this.#bytes = [];
    this.count = 0;
    this.commit = 0;
  }

  #grow(): void {
    const grown = new Int32Array(2 * this.#words.length);
    grown.set(this.#words);
    this.#words = grown;
  }
}

export class EndedRows {
  #pending = new Generation();
  #inFlight = new Generation();

  /** Those that are not committed yet. */
  get pendingCount(): number {
    return this.#pending.count;
  }

  /**
   * The row of a message that ended is `bytes[at, at + length)`, which belongs to the store's next
   * commit. No message may be noted twice for the same one.
   */
  note(sequence: number, origin: number, bytes: Uint8Array, at: number, length: number): void {
    this.#pending.add(sequence, origin, bytes, at, length);
  }

  /** What was noted is in this commit of the store. The one before must be visible. */
  launch(commit: number): void {
    const free = this.#inFlight;
    free.clear();
    this.#inFlight = this.#pending;
    this.#inFlight.commit = commit;
    this.#pending = free;
  }

  /** The row with this key if the store, whose reads show `visibleCommit`, lacks it, or null. */
  find(key: Uint8Array, visibleCommit: number): Uint8Array | null {
    const { commit } = this.#inFlight;
    const isUnderWay = commit > visibleCommit;
    if (this.#pending.count === 0 && !isUnderWay) return null;
    const sequence = readKeySequence(key, 0);
    const origin = readKeyOrigin(key, 0);
    const row = this.#pending.find(sequence, origin);
    return row === null && isUnderWay ? this.#inFlight.find(sequence, origin) : row;
  }
}

function bucketOf(sequence: number, origin: number): number {
  return neighbourHash(sequence, origin) & (BUCKETS - 1);
}
