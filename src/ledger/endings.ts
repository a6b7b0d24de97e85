/**
 * The order in which messages became final, so that the earliest final one is the first to go.
 *
 *   chunk   one a commit, keys count up: (message key 12 │ final_at u48) × n, by final_at
 *
 * A row costs 18 bytes in a value that is appended; nothing is put at random keys. Retention reads
 * chunks from the front, removes rows, then the chunk. The ledger's thread only.
 */
import { MESSAGE_KEY_BYTES } from "../records/message-key.ts";
import type { DeadLetters } from "./flow/dead-letters.ts";
import { EntryBuffer } from "./store/entry-buffer.ts";
import {
  isFinalStatus,
  type MessageState,
  MessageStatus,
  readKeyOrigin,
  readKeySequence,
} from "./messages/message-state.ts";
import type { Messages } from "./messages/messages.ts";
import type { LedgerMeta } from "./store/meta.ts";
import {
  readUint48,
  rowLogOffset,
  rowStatus,
  writeKeyBytes,
  writeUint48,
} from "./messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "./store/store.ts";

const FINAL_AT = MESSAGE_KEY_BYTES;
const ENTRY_BYTES = FINAL_AT + 6;
const KEY_BYTES = 6;

export interface EndingsOptions {
  readonly store: LedgerStore;
  readonly meta: LedgerMeta;
  readonly deadLetters: DeadLetters;
}

export class Endings {
  readonly #options: EndingsOptions;
  readonly #entries = new EntryBuffer(ENTRY_BYTES);
  #isSorted = true;
  #lastAt = 0;
  /** The chunk that is being taken off: a copy, and the next entry of it. */
  #chunk: Uint8Array | null = null;
  #chunkKey: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Chunks before it are gone, though a commit under way may still hold them. */
  #from: Uint8Array = new Uint8Array(0);

  constructor(options: EndingsOptions) {
    this.#options = options;
  }

  /** A message has become final. */
  note(message: MessageState): void {
    const at = this.#entries.claim();
    const { bytes } = this.#entries;
    writeKeyBytes(bytes, at, message.sequence, message.origin);
    writeUint48(bytes, at + FINAL_AT, message.finalAt);
    if (message.finalAt < this.#lastAt) this.#isSorted = false;
    this.#lastAt = message.finalAt;
  }

  /** Puts what ended since the last call into the next commit. */
  write(): void {
    if (this.#entries.count === 0) return;
    const { store, meta } = this.#options;
    const key = new Uint8Array(KEY_BYTES);
    writeUint48(key, 0, meta.nextEnding++);
    const filled = this.#entries.filled();
    store.put(LedgerTable.ENDED, key, this.#isSorted ? filled : sortedByEnd(filled));
    this.#entries.clear();
    this.#isSorted = true;
    this.#lastAt = 0;
  }

  /**
   * Removes rows of `messages` that ended before `before` (wall ms), the earliest first, at most
   * `rowsMax`. `visibleCommit` tells which rows are as the store has them: the first that is not
   * stops it. Returns how many rows went.
   */
  remove(messages: Messages, before: number, rowsMax: number, visibleCommit: number): number {
    let removed = 0;
    // A chunk of rows that are gone already costs a look-up each: bounded as well.
    for (let looked = 0; removed < rowsMax && looked < 4 * rowsMax; looked++) {
      const chunk = this.#current();
      if (chunk === null || readUint48(chunk, this.#at + FINAL_AT) > before) break;
      const key = chunk.subarray(this.#at, this.#at + FINAL_AT);
      const outcome = this.#removeRow(messages, key, visibleCommit);
      if (outcome < 0) break;
      removed += outcome;
      this.#at += ENTRY_BYTES;
      if (this.#at >= chunk.length) this.#dropChunk();
    }
    return removed;
  }

  #forgetDeadLetter(key: Uint8Array): void {
    const { deadLetters } = this.#options;
    deadLetters.forget({ sequence: readKeySequence(key, 0), origin: readKeyOrigin(key, 0) });
  }

  #current(): Uint8Array | null {
    if (this.#chunk === null) {
      this.#options.store.range(LedgerTable.ENDED, this.#from, (key, value) => {
        this.#chunkKey = Uint8Array.from(key);
        this.#chunk = Uint8Array.from(value);
        return false;
      });
      this.#at = 0;
    }
    return this.#chunk;
  }

  #dropChunk(): void {
    this.#options.store.remove(LedgerTable.ENDED, this.#chunkKey);
    this.#from = new Uint8Array(KEY_BYTES + 1);
    this.#from.set(this.#chunkKey);
    this.#chunk = null;
  }

  /** 1 if the row goes, 0 if it is gone already, -1 if it has to wait for a commit. */
  #removeRow(messages: Messages, key: Uint8Array, visibleCommit: number): number {
    const { store, meta } = this.#options;
    const cached = messages.cache.find(readKeySequence(key, 0), readKeyOrigin(key, 0));
    if (cached !== null && (cached.isDirty || cached.commit > visibleCommit)) return -1;
    const row = store.get(LedgerTable.ROWS, key);
    if (row === undefined) return 0;
    const status = rowStatus(row);
    // A chunk is written with the row that ended: they cannot disagree.
    if (!isFinalStatus(status)) throw new Error("an open message stands among the ended ones");
    // A start would take its ACCEPT for that of a message that was never written.
    if (rowLogOffset(row) >= meta.replayFrom) return -1;
    messages.removeRow(key, cached);
    if (mayBeDead(status)) this.#forgetDeadLetter(key);
    meta.books.noteRemoved(status);
    return 1;
  }
}

/** States of messages of which a part may have died here. */
function mayBeDead(status: number): boolean {
  const { REJECTED, FAILED, UNDELIVERED, EXPIRED } = MessageStatus;
  return [REJECTED, FAILED, UNDELIVERED, EXPIRED].some((dead) => dead === status);
}

function sortedByEnd(entries: Uint8Array): Uint8Array {
  const starts: number[] = [];
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) starts.push(at);
  starts.sort((a, b) => readUint48(entries, a + FINAL_AT) - readUint48(entries, b + FINAL_AT));
  const sorted = new Uint8Array(entries.length);
  let to = 0;
  for (const start of starts) {
    sorted.set(entries.subarray(start, start + ENTRY_BYTES), to);
    to += ENTRY_BYTES;
  }
  return sorted;
}
