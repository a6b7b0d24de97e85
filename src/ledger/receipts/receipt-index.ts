/**
 * From the id in a receipt to the message: hash tables of 16 bytes an entry, one a generation.
 *
 *   entry     hash high u32 (0 = empty) │ hash low u32, bit 0 = dead │ reference u32 × 2
 *   reference sequence, low 48 bits │ origin, 12 bits (index into a list) │ part, 4 bits
 *
 * New entries go into the youngest generation; a full one, with seven eighths of its slots taken
 * (18.3 bytes an entry), is followed by the next, at once of the same size. Look-ups go from young
 * to old. An entry dies when its part is final: it still matches (duplicates of receipts find their
 * message), but of more than a few generations, one that is mostly dead is emptied into the
 * youngest, a slice a call, and dropped; one whose last deadline has passed goes as a whole. What
 * is added is written to the store in chunks, in the ledger's transaction: keys (generation u32,
 * chunk u48) only ever grow, so the store sees appends. The ledger's thread only.
 */
import { EntryBuffer } from "../store/entry-buffer.ts";
import {
  readUint32,
  readUint48,
  writeKeyBytes,
  writeUint32,
  writeUint48,
} from "../messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

const WORDS = 4;
const SEQUENCE_LOW_BITS = 2 ** 48;
const ORIGINS_MAX = 4096;
/**
 * So many generations stay even if nothing in them is awaited: duplicates of receipts still find
 * their message.
 */
const GENERATIONS_KEPT = 4;
const START_CAPACITY = 4096;
/** Of a table's slots, in eighths, are taken at most: then look-ups go over a few cache lines. */
const FULL_EIGHTHS = 7;
const NO_WORDS = new Uint32Array(0);
const CHUNK_HEADER = 16;
const CHUNK_ENTRY = 21;
/** Entries of one chunk, so that no value of the store grows large. */
const CHUNK_BYTES_MAX = 4096 * CHUNK_ENTRY;

class Generation {
  readonly number: number;
  words: Uint32Array;
  capacity: number;
  count = 0;
  live = 0;
  /** Wall ms after which none of its entries is asked for. */
  deadline = 0;
  readonly origins: number[] = [];
  readonly originIndex = new Map<number, number>();
  /** First sequence: the low bits of all others are near it. */
  anchor = -1;
  /** Entries that are not in the store yet, and the highest deadline of them. */
  readonly added = new EntryBuffer(CHUNK_ENTRY);
  addedDeadline = 0;
  /** Numbers of its chunks in the store. */
  readonly chunks: number[] = [];
  /** Slot at which emptying goes on, -1 while it is not being emptied. */
  emptying = -1;
  /** Slot at which looking for dead entries goes on; -1 unless it was read from the store. */
  checking = -1;

  /** `words`: its table, all zero. */
  constructor(number: number, words: Uint32Array) {
    this.number = number;
    this.words = words;
    this.capacity = words.length / WORDS;
  }
}

export interface ReceiptIndexOptions {
  /** Entries of a generation; then the next one begins. */
  readonly generationEntriesMax: number;
  /** Whether a part may still get a receipt, asked when an old generation is emptied. */
  readonly isOpen: (sequence: number, origin: number, part: number) => boolean;
}

export class ReceiptIndex {
  /** The entry that `find` or `findNext` stopped at. */
  foundSequence = 0;
  foundOrigin = 0;
  foundPart = 0;
  readonly #options: ReceiptIndexOptions;
  /** Oldest first. */
  readonly #generations: Generation[] = [];
  #dropped: Generation[] = [];
  /** Table of a generation that was dropped, for the next one. */
  #spareWords: Uint32Array = NO_WORDS;
  #nextNumber = 1;
  #high = 0;
  #low = 0;
  #atGeneration = -1;
  #atSlot = 0;

  constructor(options: ReceiptIndexOptions) {
    this.#options = options;
    this.#generations.push(new Generation(0, emptyWords(START_CAPACITY)));
  }

  get entryCount(): number {
    let count = 0;
    for (const generation of this.#generations) count += generation.count;
    return count;
  }

  get generationCount(): number {
    return this.#generations.length;
  }

  /** Bytes of all tables. */
  get bytes(): number {
    let bytes = this.#spareWords.byteLength;
    for (const generation of this.#generations) bytes += generation.words.byteLength;
    return bytes;
  }

  /** Adds an entry; `deadline` is the wall ms after which nobody asks for it. */
  add(
    high: number,
    low: number,
    sequence: number,
    origin: number,
    part: number,
    deadline: number,
  ): void {
    const generation = this.#youngestFor(origin);
    const { added } = generation;
    const at = added.claim();
    const { bytes } = added;
    writeUint32(bytes, at, high);
    writeUint32(bytes, at + 4, low);
    writeKeyBytes(bytes, at + 8, sequence, origin);
    bytes[at + 20] = part;
    if (deadline > generation.addedDeadline) generation.addedDeadline = deadline;
    this.#insert(generation, high, low, sequence, origin, part, deadline);
  }

  /** Looks for the first entry of this hash, young generations first; `found…` tell whose it is. */
  find(high: number, low: number): boolean {
    this.#high = nonZero(high);
    this.#low = low & ~1;
    this.#atGeneration = this.#generations.length - 1;
    this.#atSlot = -1;
    return this.findNext();
  }

  /** Goes on behind the entry found last. */
  findNext(): boolean {
    for (; this.#atGeneration >= 0; this.#atGeneration--) {
      const generation = this.#generations[this.#atGeneration] as Generation;
      const { words, capacity } = generation;
      const mask = capacity - 1;
      let slot = this.#atSlot < 0 ? slotOf(this.#low, mask) : (this.#atSlot + 1) & mask;
      for (; ; slot = (slot + 1) & mask) {
        const high = words[slot * WORDS] as number;
        if (high === 0) break;
        if (high === this.#high >>> 0 && ((words[slot * WORDS + 1] as number) & ~1) === this.#low) {
          this.#atSlot = slot;
          this.#readReference(generation, slot);
          return true;
        }
      }
      this.#atSlot = -1;
    }
    return false;
  }

  /** Notes that the entry of this part needs no receipt any more. */
  markDead(high: number, low: number, sequence: number, origin: number, part: number): void {
    for (let isFound = this.find(high, low); isFound; isFound = this.findNext()) {
      if (this.foundSequence !== sequence) continue;
      if (this.foundOrigin !== origin || this.foundPart !== part) continue;
      const generation = this.#generations[this.#atGeneration] as Generation;
      const word = this.#atSlot * WORDS + 1;
      if (((generation.words[word] as number) & 1) !== 0) continue;
      generation.words[word] = (generation.words[word] as number) | 1;
      generation.live--;
      // The same part has the same id twice only if it was answered twice: the other entry goes
      // when its generation is emptied.
      return;
    }
  }

  /**
   * Drops what is over, empties mostly dead generations, and finds out which entries of reloaded
   * ones are dead, at most `slotsMax` slots a call. `now` is wall ms. Returns the number of slots
   * it looked at.
   */
  tidy(now: number, slotsMax: number): number {
    for (let i = 0; i < this.#generations.length - 1; i++) {
      const generation = this.#generations[i] as Generation;
      const isSpare = this.#generations.length > GENERATIONS_KEPT;
      if (generation.deadline <= now || (generation.live === 0 && isSpare)) {
        this.#drop(i);
        return 1;
      }
      if (generation.checking >= 0) return this.#checkSlice(generation, slotsMax);
      if (!isSpare) continue;
      if (generation.emptying < 0 && generation.live * 4 < generation.count) {
        generation.emptying = 0;
      }
      if (generation.emptying >= 0) return this.#emptySlice(i, slotsMax);
    }
    return 0;
  }

  /**
   * Puts everything added since the last call into the store's next commit. Returns the next chunk
   * number.
   */
  write(store: LedgerStore, nextChunk: number): number {
    let chunk = nextChunk;
    for (const generation of this.#generations) {
      const { added, addedDeadline } = generation;
      if (added.count === 0) continue;
      const entries = added.filled();
      for (let at = 0; at < entries.length; at += CHUNK_BYTES_MAX) {
        const part = entries.subarray(at, at + CHUNK_BYTES_MAX);
        store.put(
          LedgerTable.RECEIPTS,
          chunkKey(generation.number, chunk),
          chunkOf(part, addedDeadline),
        );
        generation.chunks.push(chunk);
        chunk++;
      }
      added.clear();
      generation.addedDeadline = 0;
    }
    for (const { number, chunks } of this.#dropped) {
      for (const gone of chunks) store.remove(LedgerTable.RECEIPTS, chunkKey(number, gone));
    }
    this.#dropped = [];
    return chunk;
  }

  /** Reads all chunks of the store into an empty index. */
  load(store: LedgerStore): void {
    this.#generations.length = 0;
    let current: Generation | null = null;
    store.range(LedgerTable.RECEIPTS, new Uint8Array(0), (key, value) => {
      const number = readUint32(key, 0);
      if (current === null || current.number !== number) {
        current = new Generation(number, emptyWords(START_CAPACITY));
        current.checking = 0;
        this.#generations.push(current);
      }
      current.chunks.push(readUint48(key, 4));
      this.#loadChunk(current, value);
      return true;
    });
    this.#nextNumber = (this.#generations.at(-1)?.number ?? -1) + 1;
    this.#generations.push(new Generation(this.#nextNumber++, emptyWords(START_CAPACITY)));
  }

  #loadChunk(generation: Generation, value: Uint8Array): void {
    const count = readUint32(value, 0);
    const deadline = readUint48(value, 4);
    for (let i = 0; i < count; i++) {
      const at = CHUNK_HEADER + CHUNK_ENTRY * i;
      const sequence = readUint32(value, at + 8) * 0x100000000 + readUint32(value, at + 12);
      this.#insert(
        generation,
        readUint32(value, at),
        readUint32(value, at + 4),
        sequence,
        readUint32(value, at + 16),
        value[at + 20] as number,
        deadline,
      );
    }
  }

  #youngestFor(origin: number): Generation {
    const youngest = this.#generations.at(-1) as Generation;
    const isFull =
      youngest.count >= this.#options.generationEntriesMax ||
      (youngest.origins.length >= ORIGINS_MAX && !youngest.originIndex.has(origin));
    if (!isFull) return youngest;
    const next = new Generation(this.#nextNumber++, this.#wordsFor(youngest.words.length));
    this.#generations.push(next);
    return next;
  }

  /** An empty table; that of a generation that is gone, if there is one of this length. */
  #wordsFor(length: number): Uint32Array {
    const spare = this.#spareWords;
    if (spare.length !== length) return new Uint32Array(length);
    this.#spareWords = NO_WORDS;
    return spare.fill(0);
  }

  #insert(
    generation: Generation,
    high: number,
    low: number,
    sequence: number,
    origin: number,
    part: number,
    deadline: number,
  ): void {
    if (generation.count * 8 >= generation.capacity * FULL_EIGHTHS) grow(generation);
    let originAt = generation.originIndex.get(origin);
    if (originAt === undefined) {
      originAt = generation.origins.push(origin) - 1;
      generation.originIndex.set(origin, originAt);
    }
    if (generation.anchor < 0) generation.anchor = sequence;
    const below = sequence % SEQUENCE_LOW_BITS;
    const upper = Math.floor(below / 0x10000);
    const reference = ((below % 0x10000) * 0x10000 + originAt * 16 + part) >>> 0;
    place(generation, nonZero(high), low & ~1, upper, reference);
    generation.count++;
    generation.live++;
    if (deadline > generation.deadline) generation.deadline = deadline;
  }

  #readReference(generation: Generation, slot: number): void {
    const upper = generation.words[slot * WORDS + 2] as number;
    const reference = generation.words[slot * WORDS + 3] as number;
    const { anchor } = generation;
    const below = upper * 0x10000 + Math.floor(reference / 0x10000);
    let sequence = anchor - (anchor % SEQUENCE_LOW_BITS) + below;
    if (sequence - anchor > SEQUENCE_LOW_BITS / 2) sequence -= SEQUENCE_LOW_BITS;
    else if (anchor - sequence > SEQUENCE_LOW_BITS / 2) sequence += SEQUENCE_LOW_BITS;
    this.foundSequence = sequence;
    this.foundOrigin = generation.origins[(reference >>> 4) & 0xfff] as number;
    this.foundPart = reference & 15;
  }

  #drop(index: number): void {
    const [generation] = this.#generations.splice(index, 1);
    if (generation === undefined) return;
    this.#dropped.push(generation);
    this.#spareWords = generation.words;
    generation.words = NO_WORDS;
  }

  #checkSlice(generation: Generation, slotsMax: number): number {
    const start = generation.checking;
    const end = Math.min(generation.capacity, start + slotsMax);
    for (let slot = start; slot < end; slot++) {
      const low = generation.words[slot * WORDS + 1] as number;
      if (generation.words[slot * WORDS] === 0 || (low & 1) !== 0) continue;
      this.#readReference(generation, slot);
      if (this.#options.isOpen(this.foundSequence, this.foundOrigin, this.foundPart)) continue;
      // Asking may have ended the part, and with it the entry.
      if (((generation.words[slot * WORDS + 1] as number) & 1) !== 0) continue;
      generation.words[slot * WORDS + 1] = low | 1;
      generation.live--;
    }
    generation.checking = end === generation.capacity ? -1 : end;
    return end - start;
  }

  #emptySlice(index: number, slotsMax: number): number {
    const generation = this.#generations[index] as Generation;
    const { words, capacity } = generation;
    const end = Math.min(capacity, generation.emptying + slotsMax);
    const start = generation.emptying;
    for (let slot = start; slot < end; slot++) {
      const high = words[slot * WORDS] as number;
      const low = words[slot * WORDS + 1] as number;
      if (high === 0 || (low & 1) !== 0) continue;
      this.#readReference(generation, slot);
      words[slot * WORDS + 1] = low | 1;
      generation.live--;
      const { foundSequence, foundOrigin, foundPart } = this;
      if (!this.#options.isOpen(foundSequence, foundOrigin, foundPart)) continue;
      this.add(high, low, foundSequence, foundOrigin, foundPart, generation.deadline);
    }
    generation.emptying = end;
    if (end === capacity) this.#drop(index);
    return end - start;
  }
}

function emptyWords(capacity: number): Uint32Array {
  return new Uint32Array(capacity * WORDS);
}

function nonZero(high: number): number {
  return high === 0 ? 1 : high;
}

function slotOf(low: number, mask: number): number {
  return (low >>> 1) & mask;
}

function place(
  generation: Generation,
  high: number,
  low: number,
  upper: number,
  reference: number,
): void {
  const { words, capacity } = generation;
  const mask = capacity - 1;
  let slot = slotOf(low, mask);
  while (words[slot * WORDS] !== 0) slot = (slot + 1) & mask;
  words[slot * WORDS] = high;
  words[slot * WORDS + 1] = low;
  words[slot * WORDS + 2] = upper;
  words[slot * WORDS + 3] = reference;
}

function grow(generation: Generation): void {
  const old = generation.words;
  generation.capacity *= 2;
  generation.words = emptyWords(generation.capacity);
  for (let at = 0; at < old.length; at += WORDS) {
    if (old[at] === 0) continue;
    place(
      generation,
      old[at] as number,
      old[at + 1] as number,
      old[at + 2] as number,
      old[at + 3] as number,
    );
  }
  if (generation.emptying > 0) generation.emptying = 0;
}

function chunkKey(generation: number, chunk: number): Uint8Array {
  const key = new Uint8Array(10);
  writeUint32(key, 0, generation);
  writeUint48(key, 4, chunk);
  return key;
}

function chunkOf(entries: Uint8Array, deadline: number): Uint8Array {
  const bytes = new Uint8Array(CHUNK_HEADER + entries.length);
  writeUint32(bytes, 0, entries.length / CHUNK_ENTRY);
  writeUint48(bytes, 4, deadline);
  bytes.set(entries, CHUNK_HEADER);
  return bytes;
}
