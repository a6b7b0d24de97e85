/**
 * Fixed-size entries gathered in memory until a commit takes them as one value of the store. The
 * ledger's thread only.
 */
const START_ENTRIES = 64;

export class EntryBuffer {
  /** Entries [0, count) are filled, `entryBytes` each. */
  bytes: Uint8Array;
  count = 0;
  readonly #entryBytes: number;

  constructor(entryBytes: number) {
    this.#entryBytes = entryBytes;
    this.bytes = new Uint8Array(START_ENTRIES * entryBytes);
  }

  /** Makes room for one more entry; returns its offset in `bytes`. */
  claim(): number {
    const at = this.count * this.#entryBytes;
    if (at === this.bytes.length) {
      const grown = new Uint8Array(2 * at);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.count++;
    return at;
  }

  /** What was gathered. */
  filled(): Uint8Array {
    return this.bytes.subarray(0, this.count * this.#entryBytes);
  }

  /** Starts over, without the memory of a burst. */
  clear(): void {
    this.count = 0;
    if (this.bytes.length > 4096 * this.#entryBytes) {
      this.bytes = new Uint8Array(START_ENTRIES * this.#entryBytes);
    }
  }
}
