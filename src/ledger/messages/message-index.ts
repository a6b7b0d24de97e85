/**
 * Every app's messages in the order they were accepted, with hashes of what they are looked for by.
 *
 *   accepted ─┬─► few apps, or many messages of each ─────────► a block an app
 *             └─► few messages of each of many: a common block ─► and, once there are many of
 *                                                                 these or a list asks, the same
 *   key     app u32, 0: common │ number u64 │ origin u32 (of its first entry)
 *   entry   message key 12 │ hash of `to` u32 │ hash of `reference` u32; in a common block the app
 *           u32 before it
 *
 * Numbers are sequences of first entries, kept ascending within a run: blocks are appended, one
 * place an app, and a look-up reads 20 bytes a message in order instead of a row. A commit of
 * thousands of apps would write to as many pages of the store: so their entries are gathered in
 * memory, and for the next start in common blocks, which go with the commit that sorts them. Blocks
 * whose rows are all gone are removed in the background. The ledger's thread only.
 */
import { Accept } from "../../records/accept.ts";
import { copyBytes } from "../../records/memory.ts";
import { MESSAGE_KEY_BYTES, sequenceWallMs } from "../../records/message-key.ts";
import { EntryBuffer } from "../store/entry-buffer.ts";
import { type MessageState, readKeyOrigin, readKeySequence } from "./message-state.ts";
import { readUint32, ROW_TEXTS, writeKeyBytes, writeUint32 } from "./row-layout.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

const APP_ID_BYTES = 4;
export const INDEX_KEY_BYTES = APP_ID_BYTES + MESSAGE_KEY_BYTES;
export const INDEX_ENTRY_BYTES = MESSAGE_KEY_BYTES + 8;
export const INDEX_TO_HASH = MESSAGE_KEY_BYTES;
export const INDEX_REFERENCE_HASH = MESSAGE_KEY_BYTES + 4;
/** Blocks looked at for removal per step, and the pause after a round over all of them. */
const TIDY_STEP = 64;
const TIDY_PAUSE_MS = 60_000;
const TIDY_ROWS_MAX = 256;

/** Stands in the keys of common blocks; no app has it. */
const ALL_APPS = 0;
const FIRST_APP_KEY = Uint8Array.of(0, 0, 0, 1);
const COMMON_ENTRY_BYTES = APP_ID_BYTES + INDEX_ENTRY_BYTES;
/** In each commit, so many blocks are written anyway, and more if they have so many entries. */
const BLOCKS_MIN = 16;
const BLOCK_ENTRIES_MIN = 16;
/** Common blocks, and entries, gathered at most; a factor, so that app and place are one number. */
const COMMON_BLOCKS_MAX = 256;
const NOTED_MAX = 2 ** 16;
/** Time that a block spans at most: lists by time begin a minute before (message-list.ts). */
const SPAN_MS_MAX = 30_000;

export class MessageIndex {
  readonly #store: LedgerStore;
  readonly #isUnseen: (sequence: number, origin: number) => boolean;
  /** Of all apps in the order of acceptance, what no app's block has: entries, apps' ids. */
  readonly #noted = new EntryBuffer(INDEX_ENTRY_BYTES);
  readonly #notedApps = new EntryBuffer(APP_ID_BYTES);
  /** Wall ms at which the first of them was accepted. */
  #notedSince = 0;
  /** So many of them are in common blocks, with these keys. */
  #commonCount = 0;
  #commonKeys: Uint8Array[] = [];
  /** Whether some are of an earlier run: only their blocks may meet others of the same key. */
  #hasEarlier = false;
  /** Common blocks were sorted so often, last for the commit `#sortedIn`; null: the next one. */
  #sorts = 0;
  #sortedIn: number | null = 0;
  #isSortAsked = false;
  /** By app: the number of its last block of this run. */
  readonly #lastNumbers = new Map<number, number>();
  #tidyFrom: Uint8Array = FIRST_APP_KEY;
  #nextTidyAt = 0;

  /** `isUnseen`: whether a message is here, though the store may not show its row yet. */
  constructor(store: LedgerStore, isUnseen: (sequence: number, origin: number) => boolean) {
    this.#store = store;
    this.#isUnseen = isUnseen;
    this.#loadCommon();
  }

  /** Whether a list waits for the next commit. */
  get isSortAsked(): boolean {
    return this.#isSortAsked;
  }

  /** Has the next commit sort common blocks, if there are any; returns what to ask `isSorted`. */
  askSort(): number {
    if (this.#commonCount === 0) return this.#sorts;
    this.#isSortAsked = true;
    return this.#sorts + 1;
  }

  /** Whether the store shows every app's entries since `askSort` returned `sort`. */
  isSorted(sort: number): boolean {
    // A commit begins when the one before is visible.
    if (this.#sorts !== sort) return this.#sorts > sort;
    return this.#sortedIn !== null && this.#store.visibleCommit >= this.#sortedIn;
  }

  /** A message was accepted. */
  note(message: MessageState): void {
    const { count } = this.#noted;
    const acceptedAt = sequenceWallMs(message.sequence);
    if (count === 0) this.#notedSince = acceptedAt;
    else if (count === NOTED_MAX || acceptedAt > this.#notedSince + SPAN_MS_MAX) {
      this.#sort();
      this.#notedSince = acceptedAt;
    }
    const ofApp = this.#notedApps.claim();
    writeUint32(this.#notedApps.bytes, ofApp, message.appId);
    const at = this.#noted.claim();
    const { bytes } = this.#noted;
    const { bytes: row } = message;
    const to = message.at + ROW_TEXTS;
    const toEnd = to + message.acceptByte(Accept.TO_LENGTH);
    const reference = toEnd + message.acceptByte(Accept.FROM_LENGTH);
    const length = message.acceptByte(Accept.REFERENCE_LENGTH);
    writeKeyBytes(bytes, at, message.sequence, message.origin);
    writeUint32(bytes, at + INDEX_TO_HASH, hashText(row, to, toEnd));
    writeUint32(bytes, at + INDEX_REFERENCE_HASH, hashText(row, reference, reference + length));
  }

  /** Puts what was accepted since the last call into the commit that is about to begin. */
  write(): void {
    if (this.#isSortAsked || this.#commonKeys.length >= COMMON_BLOCKS_MAX) this.#sort();
    else if (this.#commonCount > 0) this.#keep();
    else {
      const blocks = blocksOf(this.#notedApps);
      const enough = Math.max(BLOCKS_MIN, this.#noted.count / BLOCK_ENTRIES_MIN);
      if (blocks.length <= enough) this.#sort(blocks);
      else this.#keep();
    }
    // No other commit is under way.
    this.#sortedIn ??= this.#store.visibleCommit + 1;
  }

  /** Puts what no common block has into one. */
  #keep(): void {
    const { bytes, count } = this.#noted;
    if (count === this.#commonCount) return;
    const block = new Uint8Array((count - this.#commonCount) * COMMON_ENTRY_BYTES);
    let end = 0;
    for (let i = this.#commonCount; i < count; i++) {
      copyBytes(this.#notedApps.bytes, i * APP_ID_BYTES, block, end, APP_ID_BYTES);
      copyBytes(bytes, i * INDEX_ENTRY_BYTES, block, end + APP_ID_BYTES, INDEX_ENTRY_BYTES);
      end += COMMON_ENTRY_BYTES;
    }
    this.#commonKeys.push(this.#put(ALL_APPS, block, APP_ID_BYTES));
    this.#commonCount = count;
  }

  /** Puts every app's entries into a block of its own, in place of the common ones. */
  #sort(blocks = blocksOf(this.#notedApps)): void {
    for (const { appId, places } of blocks) this.#put(appId, this.#gathered(places), 0);
    for (const key of this.#commonKeys) this.#store.remove(LedgerTable.INDEX, key);
    if (this.#commonCount > 0) {
      this.#sorts++;
      this.#sortedIn = null;
    }
    this.#isSortAsked = false;
    this.#hasEarlier = false;
    this.#commonCount = 0;
    this.#commonKeys = [];
    this.#noted.clear();
    this.#notedApps.clear();
  }

  /** What an earlier run has left in common blocks. */
  #loadCommon(): void {
    this.#store.range(LedgerTable.INDEX, new Uint8Array(0), (key, block) => {
      if (readUint32(key, 0) !== ALL_APPS) return false;
      this.#commonKeys.push(Uint8Array.from(key));
      this.#lastNumbers.set(ALL_APPS, readKeySequence(key, APP_ID_BYTES));
      for (let at = 0; at < block.length; at += COMMON_ENTRY_BYTES) {
        const ofApp = this.#notedApps.claim();
        copyBytes(block, at, this.#notedApps.bytes, ofApp, APP_ID_BYTES);
        const entry = this.#noted.claim();
        copyBytes(block, at + APP_ID_BYTES, this.#noted.bytes, entry, INDEX_ENTRY_BYTES);
      }
      return true;
    });
    this.#commonCount = this.#noted.count;
    this.#hasEarlier = this.#commonCount > 0;
    if (this.#hasEarlier) this.#notedSince = sequenceWallMs(readKeySequence(this.#noted.bytes, 0));
  }

  /** Puts a block whose first entry is at `first`; returns its key. */
  #put(appId: number, block: Uint8Array, first: number): Uint8Array {
    const key = new Uint8Array(INDEX_KEY_BYTES);
    writeUint32(key, 0, appId);
    const last = this.#lastNumbers.get(appId) ?? 0;
    let number = Math.max(last + 1, readKeySequence(block, first));
    const origin = readKeyOrigin(block, first);
    writeKeyBytes(key, APP_ID_BYTES, number, origin);
    while (this.#hasEarlier && this.#store.get(LedgerTable.INDEX, key) !== undefined) {
      writeKeyBytes(key, APP_ID_BYTES, ++number, origin);
    }
    this.#lastNumbers.set(appId, number);
    this.#store.put(LedgerTable.INDEX, key, block);
    return key;
  }

  /** The entries at these places, one behind the other. */
  #gathered(places: Float64Array): Uint8Array {
    const noted = this.#noted;
    if (places.length === noted.count) return noted.filled();
    const block = new Uint8Array(places.length * INDEX_ENTRY_BYTES);
    let end = 0;
    for (const place of places) {
      const at = (place % NOTED_MAX) * INDEX_ENTRY_BYTES;
      for (let i = at; i < at + INDEX_ENTRY_BYTES; i++) block[end++] = noted.bytes[i] as number;
    }
    return block;
  }

  /** Removes a few blocks of which no row is left; `now`: wall ms. Returns how many went. */
  tidy(now: number): number {
    if (now < this.#nextTidyAt) return 0;
    const keys: Uint8Array[] = [];
    this.#store.keys(LedgerTable.INDEX, this.#tidyFrom, (key) => {
      keys.push(Uint8Array.from(key));
      return keys.length < TIDY_STEP;
    });
    let removed = 0;
    for (const key of keys) {
      if (this.#hasRow(key)) continue;
      this.#store.remove(LedgerTable.INDEX, key);
      removed++;
    }
    const last = keys.at(-1);
    if (last === undefined || keys.length < TIDY_STEP) {
      this.#tidyFrom = FIRST_APP_KEY;
      this.#nextTidyAt = now + TIDY_PAUSE_MS;
    } else {
      this.#tidyFrom = new Uint8Array(last.length + 1);
      this.#tidyFrom.set(last);
    }
    return removed;
  }

  /** Whether a row of the block with this key is left. */
  #hasRow(key: Uint8Array): boolean {
    // Mostly that of its first entry, which its key tells: the block itself need not be read.
    if (this.#store.get(LedgerTable.ROWS, key.subarray(APP_ID_BYTES)) !== undefined) return true;
    const block = this.#store.get(LedgerTable.INDEX, key);
    if (block === undefined) return false;
    return this.#hasUnseen(block) || this.#hasRowIn(spanOf(block));
  }

  #hasUnseen(block: Uint8Array): boolean {
    for (let at = 0; at < block.length; at += INDEX_ENTRY_BYTES) {
      if (this.#isUnseen(readKeySequence(block, at), readKeyOrigin(block, at))) return true;
    }
    return false;
  }

  /** A block of which many rows are gone, and some are not, may count as alive. */
  #hasRowIn({ first, last, entries }: BlockSpan): boolean {
    // Mostly nothing lies in between: one seek tells.
    let isEmpty = true;
    this.#store.keys(LedgerTable.ROWS, first, (key) => {
      isEmpty = compare(key, 0, last, 0) > 0;
      return false;
    });
    if (isEmpty) return false;
    if (entries === null) return true;
    for (let at = 0; at < entries.length; at += INDEX_ENTRY_BYTES) {
      const key = entries.subarray(at, at + MESSAGE_KEY_BYTES);
      if (this.#store.get(LedgerTable.ROWS, key) !== undefined) return true;
    }
    return false;
  }
}

/** What is to be one app's block: the places of its entries, each with `app × NOTED_MAX` added. */
interface AppBlock {
  readonly appId: number;
  readonly places: Float64Array;
}

/** The blocks of entries that are of these apps, by app, the places of each ascending. */
function blocksOf({ bytes, count }: EntryBuffer): AppBlock[] {
  const places = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    places[i] = readUint32(bytes, i * APP_ID_BYTES) * NOTED_MAX + i;
  }
  places.sort();
  const blocks: AppBlock[] = [];
  let from = 0;
  while (from < count) {
    const appId = Math.floor((places[from] as number) / NOTED_MAX);
    let to = from + 1;
    while (to < count && (places[to] as number) < (appId + 1) * NOTED_MAX) to++;
    blocks.push({ appId, places: places.subarray(from, to) });
    from = to;
  }
  return blocks;
}

/** 32 bits of the bytes [start, end) of a text (FNV-1a, mixed). */
export function hashText(text: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (text[i] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** What is to be known of a block to remove it. */
interface BlockSpan {
  /** Lowest and highest key of a message. */
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  /** Of a small block. */
  readonly entries: Uint8Array | null;
}

function spanOf(entries: Uint8Array): BlockSpan {
  let first = 0;
  let last = 0;
  for (let at = 0; at < entries.length; at += INDEX_ENTRY_BYTES) {
    if (compare(entries, at, entries, first) < 0) first = at;
    if (compare(entries, at, entries, last) > 0) last = at;
  }
  const isSmall = entries.length <= TIDY_ROWS_MAX * INDEX_ENTRY_BYTES;
  return {
    first: Uint8Array.from(entries.subarray(first, first + MESSAGE_KEY_BYTES)),
    last: Uint8Array.from(entries.subarray(last, last + MESSAGE_KEY_BYTES)),
    entries: isSmall ? Uint8Array.from(entries) : null,
  };
}

/** Order of the message keys at two places. */
function compare(a: Uint8Array, atA: number, b: Uint8Array, atB: number): number {
  for (let i = 0; i < MESSAGE_KEY_BYTES; i++) {
    const difference = (a[atA + i] as number) - (b[atB + i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
