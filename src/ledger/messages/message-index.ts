/**
 * Every app's messages in the order they were accepted, with hashes of what they are looked for by.
 *
 *   block   one an app and commit; key app u32 │ number u64 │ origin u32 (of its first entry)
 *   entry   message key 12 │ hash of `to` u32 │ hash of `reference` u32
 *
 * Numbers are sequences of first entries, kept ascending within a run: blocks are appended, one
 * place an app, and a look-up reads 20 bytes a message in order instead of a row. Blocks whose rows
 * are all gone are removed in the background. The ledger's thread only.
 */
import { Accept } from "../../records/accept.ts";
import { MESSAGE_KEY_BYTES } from "../../records/message-key.ts";
import { EntryBuffer } from "../store/entry-buffer.ts";
import { type MessageState, readKeyOrigin, readKeySequence } from "./message-state.ts";
import { readUint32, ROW_TEXTS, rowOffset, writeKeyBytes, writeUint32 } from "./row-layout.ts";
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

/** Entries gathered at most; a factor, so that app and place are one number. */
const NOTED_MAX = 2 ** 20;

export class MessageIndex {
  readonly #store: LedgerStore;
  readonly #isUnseen: (sequence: number, origin: number) => boolean;
  /** Gathered for the next commit, of all apps in the order of acceptance: entries, apps' ids. */
  readonly #noted = new EntryBuffer(INDEX_ENTRY_BYTES);
  readonly #notedApps = new EntryBuffer(APP_ID_BYTES);
  /** By app: the number of its last block of this run. */
  readonly #lastNumbers = new Map<number, number>();
  #tidyFrom: Uint8Array = new Uint8Array(0);
  #nextTidyAt = 0;

  /** `isUnseen`: whether a message is here, though the store may not show its row yet. */
  constructor(store: LedgerStore, isUnseen: (sequence: number, origin: number) => boolean) {
    this.#store = store;
    this.#isUnseen = isUnseen;
  }

  /** A message was accepted. */
  note(message: MessageState): void {
    if (this.#noted.count === NOTED_MAX) this.write();
    const ofApp = this.#notedApps.claim();
    writeUint32(this.#notedApps.bytes, ofApp, message.appId);
    const at = this.#noted.claim();
    const { bytes } = this.#noted;
    const { row } = message;
    const toEnd = ROW_TEXTS + (row[rowOffset(Accept.TO_LENGTH)] as number);
    const reference = toEnd + (row[rowOffset(Accept.FROM_LENGTH)] as number);
    const length = row[rowOffset(Accept.REFERENCE_LENGTH)] as number;
    writeKeyBytes(bytes, at, message.sequence, message.origin);
    writeUint32(bytes, at + INDEX_TO_HASH, hashText(row, ROW_TEXTS, toEnd));
    writeUint32(bytes, at + INDEX_REFERENCE_HASH, hashText(row, reference, reference + length));
  }

  /** Puts what was accepted since the last call into the next commit. */
  write(): void {
    const places = placesByApp(this.#notedApps);
    let from = 0;
    while (from < places.length) {
      const appId = Math.floor((places[from] as number) / NOTED_MAX);
      let to = from + 1;
      while (to < places.length && (places[to] as number) < (appId + 1) * NOTED_MAX) to++;
      this.#put(appId, this.#gathered(places.subarray(from, to)));
      from = to;
    }
    this.#noted.clear();
    this.#notedApps.clear();
  }

  #put(appId: number, block: Uint8Array): void {
    const last = this.#lastNumbers.get(appId) ?? 0;
    const number = Math.max(last + 1, readKeySequence(block, 0));
    this.#lastNumbers.set(appId, number);
    const key = new Uint8Array(INDEX_KEY_BYTES);
    writeUint32(key, 0, appId);
    writeKeyBytes(key, APP_ID_BYTES, number, readKeyOrigin(block, 0));
    this.#store.put(LedgerTable.INDEX, key, block);
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
      this.#tidyFrom = new Uint8Array(0);
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

/** `app × NOTED_MAX + place` of what was gathered, by app and then by place. */
function placesByApp({ bytes, count }: EntryBuffer): Float64Array {
  const places = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    places[i] = readUint32(bytes, i * APP_ID_BYTES) * NOTED_MAX + i;
  }
  return places.sort();
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
