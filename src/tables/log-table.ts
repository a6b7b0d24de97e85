/**
 * How far everybody is in the log: shared 64-bit offsets, each with one writer.
 *
 *   word                writer    meaning (bytes from the start of the log)
 *   COMMITTED           journal   readers may read below it; in mode disk it is synced
 *   SYNCED              journal   survives power loss below it
 *   OLDEST              journal   start of the oldest segment; what is before it is being removed
 *   LEDGER_APPLIED      ledger    in the ledger's memory, visible to queries
 *   LEDGER_FLUSHED      ledger    durable in the ledger's store
 *   RELEASABLE          ledger    segments that end at or below it may go
 *   OPEN_COUNT          ledger    messages without a final state
 *   OPEN_LIFE_BYTES     ledger    log bytes that open messages may still need
 *   MOVED_BYTES         ledger    bytes of wanted bodies that were moved out of the log
 *   UNREMOVED_BYTES     ledger    bytes before OLDEST in segments that cannot be removed
 *   SHORT_OF_SPACE      journal   1 while no new segment can be made: admission refuses
 *   STORE_FULL          ledger    1 while its store finds no room on the disk: admission refuses
 *   CDR_STORE_BYTES     ledger    CDR rows in the store, not yet in files
 *   CDR_LEVEL           ledger    CdrLevel: how full the disk for CDRs is; FULL: admission refuses
 *   CDR_FILE_BYTES      sink      CDR files on disk
 *   CDR_FILES           sink      their number
 *   CDR_OLDEST_AT       sink      wall ms since when the oldest of them waits, 0 for none
 *   APPLIED_SEQUENCE    ledger    per producer: last sequence of this epoch whose ACCEPT is applied
 *   then                producer  per producer: last sequence of this epoch that it has staged
 */
export const LogWord = {
  COMMITTED: 0,
  SYNCED: 1,
  OLDEST: 2,
  LEDGER_APPLIED: 3,
  LEDGER_FLUSHED: 4,
  RELEASABLE: 5,
  OPEN_COUNT: 6,
  OPEN_LIFE_BYTES: 7,
  SHORT_OF_SPACE: 8,
  CDR_STORE_BYTES: 9,
  CDR_LEVEL: 10,
  CDR_FILE_BYTES: 11,
  CDR_FILES: 12,
  CDR_OLDEST_AT: 13,
  MOVED_BYTES: 14,
  STORE_FULL: 15,
  UNREMOVED_BYTES: 16,
  APPLIED_SEQUENCE: 17,
} as const;

/** Of `cdr.disk_bytes_max`: below 70 %, below 95 %, or beyond. */
export const CdrLevel = { FINE: 0, ALARM: 1, FULL: 2 } as const;

/** The ledger may lag so far behind the log (COMMITTED − LEDGER_APPLIED) before admission sheds. */
export const LEDGER_LAG_BYTES_MAX = 256 * 1024 * 1024;

export function allocateLogTable(producers: number): SharedArrayBuffer {
  return new SharedArrayBuffer((LogWord.APPLIED_SEQUENCE + 2 * producers) * 8);
}

/** Any thread reads; only a word's writer stores. */
export class LogTable {
  readonly #words: BigInt64Array;
  readonly #stagedSequence: number;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new BigInt64Array(buffer);
    const producers = (this.#words.length - LogWord.APPLIED_SEQUENCE) / 2;
    this.#stagedSequence = LogWord.APPLIED_SEQUENCE + producers;
  }

  load(word: number): number {
    return Number(Atomics.load(this.#words, word));
  }

  store(word: number, value: number): void {
    Atomics.store(this.#words, word, BigInt(value));
  }

  /** Bytes of log on disk that are wanted, or cannot be removed. */
  onDiskBytes(): number {
    return (
      this.load(LogWord.COMMITTED) - this.load(LogWord.OLDEST) + this.load(LogWord.UNREMOVED_BYTES)
    );
  }

  appliedSequence(producer: number): number {
    return this.load(LogWord.APPLIED_SEQUENCE + producer);
  }

  storeAppliedSequence(producer: number, sequence: number): void {
    this.store(LogWord.APPLIED_SEQUENCE + producer, sequence);
  }

  /** Nobody has an id of this epoch and producer with a greater sequence. */
  stagedSequence(producer: number): number {
    return this.load(this.#stagedSequence + producer);
  }

  storeStagedSequence(producer: number, sequence: number): void {
    this.store(this.#stagedSequence + producer, sequence);
  }
}
