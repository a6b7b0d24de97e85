/**
 * The ledger's one row about itself, written in every transaction: cursor, last STARTED, books, body holds.
 *
 *    0 version u8   1 … 7 reserved   8 cursor u48   14 started at u48   20 started epoch u32
 *   24 seed of the receipt index u32   28 next parked number u48   34 next receipt chunk u48
 *   40 accepted u48   46 open u48   52 open parts u48   58 final u48 × 13   136 removed u48 × 13
 *  214 hold count u32, then per hold: stretch u48 | count u48
 *
 * Big-endian. The ledger's thread, or an offline reader of the store.
 */
import { Books } from "./books.ts";
import { BodyHolds } from "./body-holds.ts";
import { MESSAGE_STATUS_COUNT, readUint32 } from "./message-state.ts";
import { readUint48, writeUint32, writeUint48 } from "./row.ts";
import { LedgerTable, type LedgerStore } from "./store.ts";

const META_VERSION = 1;
const CURSOR = 8;
const STARTED_AT = 14;
const STARTED_EPOCH = 20;
const SEED = 24;
const NEXT_PARKED = 28;
const NEXT_CHUNK = 34;
const ACCEPTED = 40;
const OPEN = 46;
const OPEN_PARTS = 52;
const FINAL = 58;
const REMOVED = FINAL + 6 * MESSAGE_STATUS_COUNT;
const HOLD_COUNT = REMOVED + 6 * MESSAGE_STATUS_COUNT;
const HOLDS = HOLD_COUNT + 4;
const HOLD_ENTRY = 12;

export const META_KEY = Uint8Array.of(0);
/** Key of the row with what is learnt about links' receipt ids. */
export const LINKS_KEY = Uint8Array.of(1);

export class LedgerMeta {
  /** Log offset behind the last applied block. */
  cursor = 0;
  /** Wall ms and epoch of the last STARTED applied; 0 before the first. */
  startedAt = 0;
  startedEpoch = 0;
  /** Of the hashes in the receipt index. */
  seed = 0;
  nextParked = 1;
  nextChunk = 1;
  readonly books = new Books();
  readonly holds = new BodyHolds();
}

export function encodeMeta(meta: LedgerMeta): Uint8Array {
  const { books, holds } = meta;
  const bytes = new Uint8Array(HOLDS + HOLD_ENTRY * holds.counts.size);
  bytes[0] = META_VERSION;
  writeUint48(bytes, CURSOR, meta.cursor);
  writeUint48(bytes, STARTED_AT, meta.startedAt);
  writeUint32(bytes, STARTED_EPOCH, meta.startedEpoch);
  writeUint32(bytes, SEED, meta.seed);
  writeUint48(bytes, NEXT_PARKED, meta.nextParked);
  writeUint48(bytes, NEXT_CHUNK, meta.nextChunk);
  writeUint48(bytes, ACCEPTED, books.accepted);
  writeUint48(bytes, OPEN, books.open);
  writeUint48(bytes, OPEN_PARTS, books.openParts);
  for (let i = 0; i < MESSAGE_STATUS_COUNT; i++) {
    writeUint48(bytes, FINAL + 6 * i, books.final[i] as number);
    writeUint48(bytes, REMOVED + 6 * i, books.removed[i] as number);
  }
  writeUint32(bytes, HOLD_COUNT, holds.counts.size);
  let at = HOLDS;
  for (const [stretch, count] of holds.counts) {
    writeUint48(bytes, at, stretch);
    writeUint48(bytes, at + 6, count);
    at += HOLD_ENTRY;
  }
  return bytes;
}

/** The row of a store, or that of an empty ledger. Throws on a version that this program does not know. */
export function readMeta(store: LedgerStore): LedgerMeta {
  const meta = new LedgerMeta();
  const bytes = store.get(LedgerTable.META, META_KEY);
  if (bytes === undefined) return meta;
  if (bytes[0] !== META_VERSION) throw new Error(`ledger store of version ${bytes[0]}`);
  meta.cursor = readUint48(bytes, CURSOR);
  meta.startedAt = readUint48(bytes, STARTED_AT);
  meta.startedEpoch = readUint32(bytes, STARTED_EPOCH);
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
  const holdCount = readUint32(bytes, HOLD_COUNT);
  for (let i = 0; i < holdCount; i++) {
    const at = HOLDS + HOLD_ENTRY * i;
    holds.counts.set(readUint48(bytes, at), readUint48(bytes, at + 6));
  }
  return meta;
}

/** Where a tailer of the log has to start for the ledger in `store`: 0 for an empty store. */
export function readCursor(store: LedgerStore): number {
  return readMeta(store).cursor;
}
