/**
 * The messages a worker has in hand, as a struct of preallocated arrays, and their bodies in slots
 * of 576 bytes.
 *
 *   entry    index into every array; free entries form a stack, those in a list have next, previous
 *   body     0 … 63   room for what a link writes differently, so that a PDU's ranges lie in one
 *                     array: addresses, service_type, validity_period (submit-sm.ts)
 *            64 …     the ACCEPT record; one longer than its slot lives in an array of its own
 *
 *   parts      bit per part that still needs a SENDING record
 *   prepared   parts with a SENDING record whose bytes are not written yet
 *
 * Slots are allocated in chunks as they are first needed, and then used again. One thread.
 */
import { copyBytes, recordMemory, type RecordMemory } from "../../records/memory.ts";
import { Accept } from "../../records/accept.ts";
import { allParts } from "../../records/hand-over.ts";
import { BODY_RECORD_OFFSET, BODY_SLOT_BYTES } from "../pace/limits.ts";

/** No entry, and the end of a list. */
export const NO_ENTRY = -1;

const SLOTS_PER_CHUNK = 256;
const NO_BODY = -1;
const OWN_BODY = -2;

/** Bits of `marks`. */
export const MARK_COUNTED = 1;
export const MARK_LISTED = 2;
/** It goes before those that were never tried: it was prepared once, or throttled. */
export const MARK_REQUEUED = 4;
/** Some of its parts are prepared on a session, which takes the rest as soon as it can. */
export const MARK_CARRIED = 8;

export class MessageTable {
  capacity: number;
  next: Int32Array;
  previous: Int32Array;
  logOffset: Float64Array;
  sequence: Float64Array;
  origin: Uint32Array;
  expiresAt: Float64Array;
  appIndex: Uint32Array;
  /** Its place among those that wait in a list (app-turns.ts). */
  turn: Float64Array;
  linkId: Uint32Array;
  pool: Uint16Array;
  parts: Uint16Array;
  /** That the parts go out with; NO_REFERENCE until the first of them does. */
  concatReference: Uint16Array;
  /** When that was drawn here (wall ms); 0: elsewhere, or not. */
  drawnAt: Float64Array;
  priority: Uint8Array;
  producer: Uint8Array;
  attempt: Uint8Array;
  flags: Uint8Array;
  prepared: Uint8Array;
  marks: Uint8Array;
  /** Its one word names the message whose record is being read, by its log offset; -1 for none. */
  readonly inHand: Float64Array;
  /** Count of staged records (RecordStager.staged) that must be committed before a RETURN. */
  restsOn: Float64Array;
  #body: Int32Array;
  #freeEntries: Int32Array;
  #freeSlots: Int32Array;
  readonly #chunks: RecordMemory[] = [];
  readonly #own = new Map<number, RecordMemory>();
  #freeEntryCount: number;
  #freeSlotCount = 0;
  #slotCount = 0;

  constructor(capacity: number, inHand: Float64Array = new Float64Array(1)) {
    this.capacity = capacity;
    this.inHand = inHand;
    this.next = new Int32Array(capacity).fill(NO_ENTRY);
    this.previous = new Int32Array(capacity).fill(NO_ENTRY);
    this.logOffset = new Float64Array(capacity);
    this.sequence = new Float64Array(capacity);
    this.origin = new Uint32Array(capacity);
    this.expiresAt = new Float64Array(capacity);
    this.appIndex = new Uint32Array(capacity);
    this.turn = new Float64Array(capacity);
    this.linkId = new Uint32Array(capacity);
    this.pool = new Uint16Array(capacity);
    this.parts = new Uint16Array(capacity);
    this.concatReference = new Uint16Array(capacity);
    this.drawnAt = new Float64Array(capacity);
    this.priority = new Uint8Array(capacity);
    this.producer = new Uint8Array(capacity);
    this.attempt = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.prepared = new Uint8Array(capacity);
    this.marks = new Uint8Array(capacity);
    this.restsOn = new Float64Array(capacity);
    this.#body = new Int32Array(capacity).fill(NO_BODY);
    this.#freeEntries = new Int32Array(capacity);
    this.#freeSlots = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#freeEntries[i] = capacity - 1 - i;
    this.#freeEntryCount = capacity;
  }

  /** Makes room for `capacity` messages, those in hand included; never for fewer than before. */
  grow(capacity: number): void {
    const before = this.capacity;
    if (capacity <= before) return;
    this.capacity = capacity;
    this.next = grown(this.next, capacity);
    this.previous = grown(this.previous, capacity);
    this.logOffset = grown(this.logOffset, capacity);
    this.sequence = grown(this.sequence, capacity);
    this.origin = grown(this.origin, capacity);
    this.expiresAt = grown(this.expiresAt, capacity);
    this.appIndex = grown(this.appIndex, capacity);
    this.turn = grown(this.turn, capacity);
    this.linkId = grown(this.linkId, capacity);
    this.pool = grown(this.pool, capacity);
    this.parts = grown(this.parts, capacity);
    this.concatReference = grown(this.concatReference, capacity);
    this.drawnAt = grown(this.drawnAt, capacity);
    this.priority = grown(this.priority, capacity);
    this.producer = grown(this.producer, capacity);
    this.attempt = grown(this.attempt, capacity);
    this.flags = grown(this.flags, capacity);
    this.prepared = grown(this.prepared, capacity);
    this.marks = grown(this.marks, capacity);
    this.restsOn = grown(this.restsOn, capacity);
    this.#body = grown(this.#body, capacity);
    this.#freeEntries = grown(this.#freeEntries, capacity);
    this.#freeSlots = grown(this.#freeSlots, capacity);
    for (let entry = capacity - 1; entry >= before; entry--) {
      this.next[entry] = NO_ENTRY;
      this.previous[entry] = NO_ENTRY;
      this.#body[entry] = NO_BODY;
      this.#freeEntries[this.#freeEntryCount++] = entry;
    }
  }

  get freeCount(): number {
    return this.#freeEntryCount;
  }

  get usedCount(): number {
    return this.capacity - this.#freeEntryCount;
  }

  /** A free entry without body, its lists, parts and marks empty; or NO_ENTRY. */
  take(): number {
    if (this.#freeEntryCount === 0) return NO_ENTRY;
    const entry = this.#freeEntries[--this.#freeEntryCount] as number;
    this.marks[entry] = 0;
    this.prepared[entry] = 0;
    this.parts[entry] = 0;
    this.restsOn[entry] = 0;
    this.turn[entry] = 0;
    this.drawnAt[entry] = 0;
    return entry;
  }

  /** Gives an entry and its body back. It must be in no list. */
  free(entry: number): void {
    const body = this.#body[entry] as number;
    if (body >= 0) this.#freeSlots[this.#freeSlotCount++] = body;
    else if (body === OWN_BODY) this.#own.delete(entry);
    this.#body[entry] = NO_BODY;
    this.#freeEntries[this.#freeEntryCount++] = entry;
  }

  /**
   * The entry in a list that has all parts of this message, none of them ever prepared; NO_ENTRY if
   * there is none. Looks at every entry: for what is rare.
   */
  findWhole(logOffset: number): number {
    for (let entry = 0; entry < this.capacity; entry++) {
      if (this.logOffset[entry] !== logOffset || !this.hasMark(entry, MARK_LISTED)) continue;
      if (this.attempt[entry] !== 1 || this.linkId[entry] !== 0 || this.flags[entry] !== 0)
        continue;
      if (!this.hasBody(entry) || this.prepared[entry] !== 0) continue;
      const { view } = this.memoryOf(entry);
      const partCount = view.getUint8(this.recordOf(entry) + Accept.PART_COUNT);
      if (this.parts[entry] === allParts(partCount)) return entry;
    }
    return NO_ENTRY;
  }

  hasBody(entry: number): boolean {
    return this.#body[entry] !== NO_BODY;
  }

  /** Copies the ACCEPT at `offset` of `from` in; the entry must have no body yet. */
  setBody(entry: number, from: RecordMemory, offset: number, lengthBytes: number): void {
    if (lengthBytes > BODY_SLOT_BYTES - BODY_RECORD_OFFSET) {
      const own = recordMemory(new Uint8Array(BODY_RECORD_OFFSET + lengthBytes));
      this.#own.set(entry, own);
      this.#body[entry] = OWN_BODY;
    } else {
      this.#body[entry] = this.#takeSlot();
    }
    const memory = this.memoryOf(entry);
    copyBytes(from.bytes, offset, memory.bytes, this.recordOf(entry), lengthBytes);
  }

  /** What the body lies in. */
  memoryOf(entry: number): RecordMemory {
    const body = this.#body[entry] as number;
    if (body >= 0) return this.#chunks[Math.floor(body / SLOTS_PER_CHUNK)] as RecordMemory;
    return this.#own.get(entry) as RecordMemory;
  }

  /** Offset of the ACCEPT in `memoryOf`; the 64 bytes before it are free for texts of the PDU. */
  recordOf(entry: number): number {
    const body = this.#body[entry] as number;
    if (body < 0) return BODY_RECORD_OFFSET;
    return (body % SLOTS_PER_CHUNK) * BODY_SLOT_BYTES + BODY_RECORD_OFFSET;
  }

  hasMark(entry: number, mark: number): boolean {
    return ((this.marks[entry] as number) & mark) !== 0;
  }

  mark(entry: number, mark: number): void {
    this.marks[entry] = (this.marks[entry] as number) | mark;
  }

  unmark(entry: number, mark: number): void {
    this.marks[entry] = (this.marks[entry] as number) & ~mark;
  }

  #takeSlot(): number {
    if (this.#freeSlotCount > 0) return this.#freeSlots[--this.#freeSlotCount] as number;
    const slot = this.#slotCount++;
    if (slot % SLOTS_PER_CHUNK === 0) {
      this.#chunks.push(recordMemory(new Uint8Array(SLOTS_PER_CHUNK * BODY_SLOT_BYTES)));
    }
    return slot;
  }
}

/** The same values in an array of `length` elements, zeros behind them. */
function grown<T extends Column>(column: T, length: number): T {
  const longer = new (column.constructor as new (length: number) => T)(length);
  longer.set(column);
  return longer;
}

type Column = Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;
