/**
 * The ledger's one row about itself, written in every transaction: cursor, last STARTED, books,
 * body holds.
 *
 *    0 version u8   4 bytes of a stretch of holds u32   8 cursor u48   14 start count u32
 *   18 next number of a chunk of endings u48
 *   24 seed of the receipt index u32   28 next parked number u48   34 next receipt chunk u48
 *   40 accepted u48   46 open u48   52 open parts u48   58 final u48 × 15   148 removed u48 × 15
 *  238 wanted body bytes u48   244 of them moved u48
 *  250 hold count u32, then per hold: stretch u48 | count u48, then per start: epoch u32 | at u48
 *  .. log offset from which on a start reads u48 (not in version 7: the cursor)
 *
 * Version 9 tells of common blocks in the index (messages/message-index.ts), else it is 8.
 * Messages that are fresh (messages/fresh-messages.ts) count nowhere here.
 * Big-endian. The ledger's thread, or an offline reader of the store.
 */
import { DataDirError } from "../../journal/errors.ts";
import { Books } from "../books.ts";
import { BodyHolds } from "../body-holds.ts";
import { MESSAGE_STATUS_COUNT } from "../messages/message-state.ts";
import { readUint32, readUint48, writeUint32, writeUint48 } from "../messages/row-layout.ts";
import { LedgerTable, type LedgerStore } from "./store.ts";

const META_VERSION = 9;
/** Of stores in which every open message has a row. */
const META_VERSION_ALL_WRITTEN = 7;
const STRETCH_BYTES = 4;
const CURSOR = 8;
const START_COUNT = 14;
const NEXT_ENDING = 18;
const SEED = 24;
const NEXT_PARKED = 28;
const NEXT_CHUNK = 34;
const ACCEPTED = 40;
const OPEN = 46;
const OPEN_PARTS = 52;
const FINAL = 58;
const REMOVED = FINAL + 6 * MESSAGE_STATUS_COUNT;
const WANTED_BYTES = REMOVED + 6 * MESSAGE_STATUS_COUNT;
const MOVED_BYTES = WANTED_BYTES + 6;
const HOLD_COUNT = MOVED_BYTES + 6;
const HOLDS = HOLD_COUNT + 4;
const HOLD_ENTRY = 12;
const START_ENTRY = 10;
const REPLAY_BYTES = 6;
/** Starts that are remembered; no message stays unresolved over so many. */
const STARTS_MAX = 64;

export const META_KEY = Uint8Array.of(0);
/** Key of the row with what is learnt about links' receipt ids. */
export const LINKS_KEY = Uint8Array.of(1);

/** A STARTED record: epoch and wall ms. */
export interface Start {
  readonly epoch: number;
  readonly at: number;
}

export class LedgerMeta {
  /** Log offset behind the last applied block. */
  cursor = 0;
  /** Not behind it: where ACCEPT and SENDING of messages begin that only the log has. */
  replayFrom = 0;
  /** The last STARTED records applied, oldest first. */
  readonly starts: Start[] = [];
  /** Of the hashes in the receipt index. */
  seed = 0;
  nextEnding = 1;
  nextParked = 1;
  nextChunk = 1;
  readonly books = new Books();
  readonly holds = new BodyHolds();

  /** Epoch of the last STARTED applied, 0 before the first. */
  get startedEpoch(): number {
    return this.starts.at(-1)?.epoch ?? 0;
  }

  noteStart(start: Start): void {
    this.starts.push(start);
    if (this.starts.length > STARTS_MAX) this.starts.shift();
  }
}

/** `fresh`: messages and parts of the books that the commit does not have. */
export function encodeMeta(
  meta: LedgerMeta,
  fresh: { readonly count: number; readonly parts: number },
): Uint8Array {
  const { books, holds, starts } = meta;
  const holdBytes = HOLD_ENTRY * holds.counts.size;
  const bytes = new Uint8Array(HOLDS + holdBytes + START_ENTRY * starts.length + REPLAY_BYTES);
  bytes[0] = META_VERSION;
  writeUint32(bytes, STRETCH_BYTES, holds.stretchBytes);
  writeUint48(bytes, CURSOR, meta.cursor);
  writeUint32(bytes, START_COUNT, starts.length);
  writeUint48(bytes, NEXT_ENDING, meta.nextEnding);
  writeUint32(bytes, SEED, meta.seed);
  writeUint48(bytes, NEXT_PARKED, meta.nextParked);
  writeUint48(bytes, NEXT_CHUNK, meta.nextChunk);
  writeUint48(bytes, ACCEPTED, books.accepted - fresh.count);
  writeUint48(bytes, OPEN, books.open - fresh.count);
  writeUint48(bytes, OPEN_PARTS, books.openParts - fresh.parts);
  for (let i = 0; i < MESSAGE_STATUS_COUNT; i++) {
    writeUint48(bytes, FINAL + 6 * i, books.final[i] as number);
    writeUint48(bytes, REMOVED + 6 * i, books.removed[i] as number);
  }
  writeUint48(bytes, WANTED_BYTES, holds.bytes);
  writeUint48(bytes, MOVED_BYTES, holds.movedBytes);
  writeUint32(bytes, HOLD_COUNT, holds.counts.size);
  let at = HOLDS;
  for (const [stretch, count] of holds.counts) {
    writeUint48(bytes, at, stretch);
    writeUint48(bytes, at + 6, count);
    at += HOLD_ENTRY;
  }
  for (const start of starts) {
    writeUint32(bytes, at, start.epoch);
    writeUint48(bytes, at + 4, start.at);
    at += START_ENTRY;
  }
  writeUint48(bytes, at, meta.replayFrom);
  return bytes;
}

/**
 * The row of a store, or that of an empty ledger. Throws a DataDirError if the store, by its
 * version, holds rows that this program does not read.
 */
export function readMeta(store: LedgerStore): LedgerMeta {
  const meta = new LedgerMeta();
  const bytes = store.get(LedgerTable.META, META_KEY);
  if (bytes === undefined) return meta;
  const version = bytes[0] as number;
  if (version < META_VERSION_ALL_WRITTEN || version > META_VERSION) {
    const versions = `has version ${version}, this program reads ${META_VERSION}`;
    throw new DataDirError("damaged", `the ledger's store ${versions}`);
  }
  meta.cursor = readUint48(bytes, CURSOR);
  meta.nextEnding = readUint48(bytes, NEXT_ENDING);
  meta.seed = readUint32(bytes, SEED);
  meta.nextParked = readUint48(bytes, NEXT_PARKED);
  meta.nextChunk = readUint48(bytes, NEXT_CHUNK);
  const { books, holds } = meta;
  books.accepted = readUint48(bytes, ACCEPTED);
  books.open = readUint48(bytes, OPEN);
  books.openParts = readUint48(bytes, OPEN_PARTS);
  for (let i = 0; i < MESSAGE_STATUS_COUNT; i++) {
    books.final[i] = readUint48(bytes, FINAL + 6 * i);
    books.removed[i] = readUint48(bytes, REMOVED + 6 * i);
  }
  holds.stretchBytes = readUint32(bytes, STRETCH_BYTES);
  holds.bytes = readUint48(bytes, WANTED_BYTES);
  holds.movedBytes = readUint48(bytes, MOVED_BYTES);
  const holdCount = readUint32(bytes, HOLD_COUNT);
  for (let i = 0; i < holdCount; i++) {
    const at = HOLDS + HOLD_ENTRY * i;
    holds.counts.set(readUint48(bytes, at), readUint48(bytes, at + 6));
  }
  const startCount = readUint32(bytes, START_COUNT);
  for (let i = 0; i < startCount; i++) {
    const at = HOLDS + HOLD_ENTRY * holdCount + START_ENTRY * i;
    meta.starts.push({ epoch: readUint32(bytes, at), at: readUint48(bytes, at + 4) });
  }
  const behind = HOLDS + HOLD_ENTRY * holdCount + START_ENTRY * startCount;
  meta.replayFrom = version > META_VERSION_ALL_WRITTEN ? readUint48(bytes, behind) : meta.cursor;
  return meta;
}

/**
 * Up to where the log is applied to `store`, and where a tailer of it has to start: both 0 for an
 * empty store.
 */
export function readPosition(store: LedgerStore): { cursor: number; replayFrom: number } {
  const { cursor, replayFrom } = readMeta(store);
  return { cursor, replayFrom };
}
