/**
 * One-to-one ring of variable-length records over shared memory: claim → publish → next → release.
 *
 *   released ........ read ........ published ........ claimed
 *      |  consumer owns |  to be read   |  being written  |  free up to released + capacity
 *
 * One thread makes a `RingProducer` of the memory and one a `RingConsumer`. Nothing here allocates
 * or throws after construction. A record stays valid for the consumer until it calls `release`.
 */
import {
  alignRecord,
  PADDING_TYPE,
  PUBLISHED_INDEX,
  RECORD_BYTES_MAX,
  RECORD_LENGTH_OFFSET,
  RECORD_TYPE_OFFSET,
  RELEASED_INDEX,
  RING_EMPTY,
  RING_FULL,
  RING_HEADER_BYTES,
} from "./layout.ts";

/** What both ends share: the memory and its size. */
export class RingMemory {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly capacityBytes: number;
  readonly mask: number;

  constructor(buffer: SharedArrayBuffer) {
    this.capacityBytes = buffer.byteLength - RING_HEADER_BYTES;
    this.mask = this.capacityBytes - 1;
    this.words = new Int32Array(buffer, 0, RING_HEADER_BYTES / 4);
    this.bytes = new Uint8Array(buffer, RING_HEADER_BYTES, this.capacityBytes);
    this.view = new DataView(buffer, RING_HEADER_BYTES, this.capacityBytes);
  }
}

/** The writing end. Only one thread may hold it. */
export class RingProducer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly capacityBytes: number;
  readonly #words: Int32Array;
  readonly #mask: number;
  #claimed: number;
  #released: number;

  constructor(memory: RingMemory) {
    this.bytes = memory.bytes;
    this.view = memory.view;
    this.capacityBytes = memory.capacityBytes;
    this.#words = memory.words;
    this.#mask = memory.mask;
    this.#claimed = Atomics.load(memory.words, PUBLISHED_INDEX);
    this.#released = Atomics.load(memory.words, RELEASED_INDEX);
  }

  /** Position (bytes, wraps) behind the last claimed record. */
  get claimedPosition(): number {
    return this.#claimed;
  }

  /**
   * Claims room for a record of `lengthBytes` (header included, ≤ RECORD_BYTES_MAX) and writes its
   * header. Returns the record's offset in `bytes`, or RING_FULL. Invisible to the consumer until
   * `publish`.
   */
  claim(lengthBytes: number, type: number, version: number, flags: number): number {
    const footprint = alignRecord(lengthBytes);
    let offset = this.#claimed & this.#mask;
    const toEnd = this.capacityBytes - offset;
    const padding = footprint > toEnd ? toEnd : 0;
    if (!this.#hasRoom(footprint + padding)) return RING_FULL;
    if (padding > 0) {
      this.#writeHeader(offset, padding, PADDING_TYPE, 0, 0);
      this.#claimed = (this.#claimed + padding) | 0;
      offset = 0;
    }
    this.#writeHeader(offset, lengthBytes, type, version, flags);
    this.#claimed = (this.#claimed + footprint) | 0;
    return offset;
  }

  /**
   * Whether records with `footprintBytes` in all would find room now, whatever padding they need.
   */
  hasRoom(footprintBytes: number): boolean {
    const toEnd = this.capacityBytes - (this.#claimed & this.#mask);
    if (footprintBytes <= toEnd) return this.#hasRoom(footprintBytes);
    return this.#hasRoom(footprintBytes + Math.min(toEnd, RECORD_BYTES_MAX));
  }

  /** Makes every claimed record visible to the consumer. */
  publish(): void {
    Atomics.store(this.#words, PUBLISHED_INDEX, this.#claimed);
  }

  /**
   * Frees everything below `position` from the producer's own side. For a staging ring, whose
   * consumer (the journal) reads behind a cursor of its own and leaves freeing to the producer;
   * never for other rings.
   */
  releaseTo(position: number): void {
    this.#released = position;
    Atomics.store(this.#words, RELEASED_INDEX, position);
  }

  /** Bytes claimed and not yet released. */
  usedBytes(): number {
    this.#released = Atomics.load(this.#words, RELEASED_INDEX);
    return (this.#claimed - this.#released) | 0;
  }

  #hasRoom(neededBytes: number): boolean {
    if (((this.#claimed - this.#released) | 0) + neededBytes <= this.capacityBytes) return true;
    this.#released = Atomics.load(this.#words, RELEASED_INDEX);
    return ((this.#claimed - this.#released) | 0) + neededBytes <= this.capacityBytes;
  }

  #writeHeader(
    offset: number,
    lengthBytes: number,
    type: number,
    version: number,
    flags: number,
  ): void {
    this.view.setUint32(offset + RECORD_LENGTH_OFFSET, lengthBytes, true);
    this.view.setUint32(offset + RECORD_TYPE_OFFSET, type | (version << 8) | (flags << 16), true);
  }
}

/** The reading end. Only one thread may hold it. */
export class RingConsumer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly capacityBytes: number;
  readonly #words: Int32Array;
  readonly #mask: number;
  #read: number;
  #published: number;

  constructor(memory: RingMemory) {
    this.bytes = memory.bytes;
    this.view = memory.view;
    this.capacityBytes = memory.capacityBytes;
    this.#words = memory.words;
    this.#mask = memory.mask;
    this.#read = Atomics.load(memory.words, RELEASED_INDEX);
    this.#published = this.#read;
  }

  /** Position (bytes, wraps) behind the last record that `next` returned. */
  get readPosition(): number {
    return this.#read;
  }

  /** The next record's offset in `bytes`, or RING_EMPTY. It stays valid until `release`. */
  next(): number {
    for (;;) {
      if (this.#read === this.#published) {
        this.#published = Atomics.load(this.#words, PUBLISHED_INDEX);
        if (this.#read === this.#published) return RING_EMPTY;
      }
      const offset = this.#read & this.#mask;
      const lengthBytes = this.view.getUint32(offset + RECORD_LENGTH_OFFSET, true);
      this.#read = (this.#read + alignRecord(lengthBytes)) | 0;
      if (this.view.getUint8(offset + RECORD_TYPE_OFFSET) !== PADDING_TYPE) return offset;
    }
  }

  /** Frees everything that `next` has returned. */
  release(): void {
    Atomics.store(this.#words, RELEASED_INDEX, this.#read);
  }

  /** Whether a record waits to be read. */
  hasRecords(): boolean {
    return this.#read !== Atomics.load(this.#words, PUBLISHED_INDEX);
  }

  /**
   * Takes whole records as one run of bytes for verbatim copying: up to `bytesMax`, ending at the
   * end of the data at the latest. Returns the run's length (0: none); it starts at `runOffset`.
   * Padding is part of it.
   */
  takeRun(bytesMax: number): number {
    this.#published = Atomics.load(this.#words, PUBLISHED_INDEX);
    const offset = this.#read & this.#mask;
    const available = (this.#published - this.#read) | 0;
    const contiguous = Math.min(available, this.capacityBytes - offset);
    let run = contiguous;
    if (run > bytesMax) {
      run = 0;
      for (;;) {
        const footprint = alignRecord(this.view.getUint32(offset + run, true));
        if (run + footprint > bytesMax) break;
        run += footprint;
      }
    }
    this.runOffset = offset;
    this.#read = (this.#read + run) | 0;
    return run;
  }

  /** Where the run of the last `takeRun` starts in `bytes`. */
  runOffset = 0;
}
