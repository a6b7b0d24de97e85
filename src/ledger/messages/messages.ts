/**
 * The messages and all that follows from a change of one: fold, books, body holds, open index,
 * waits, rows.
 *
 *   find ─► (load, apply STARTED) ─► a record changes parts ─► settle ─► … ─► write ─► next commit
 *                                            it is final now ─► retire: written at once, and gone
 *
 * Everything that `write` puts into one commit is exactly the state behind the records applied so
 * far, so that the log from the cursor on gives the same again. The ledger's thread only.
 */
import { Buffer } from "node:buffer";
import { MESSAGE_KEY_BYTES } from "../../records/message-key.ts";
import { bodyKey, OPEN_LOG_OFFSET } from "../body-moves.ts";
import { EndedRows } from "./ended-rows.ts";
import { FRESH_PARTS_MAX, FreshMessages, isFresh } from "./fresh-messages.ts";
import { MessageCache } from "./message-cache.ts";
import { MessagePool } from "./message-pool.ts";
import {
  acceptBytes,
  foldParts,
  isFinalStatus,
  isUnsent,
  type MessageState,
  wantsBody,
  writeMessageKey,
} from "./message-state.ts";
import { MessageStack } from "./message-stack.ts";
import type { LedgerMeta } from "../store/meta.ts";
import type { OutcomeObserver } from "../outcomes.ts";
import { type PartRecord, PartState } from "./part-state.ts";
import { type LedgerPolicy, settleByTime } from "../policy.ts";
import { isUnresolved, type RecoveryHits, resolveStarted } from "../flow/recovery.ts";
import { rowStatus, writeUint48 } from "./row-layout.ts";
import { decodeRow, encodeRow, readWaiting, rowBytes, type WaitingMessage } from "./row.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

/** Key of a wait: due u48, message key, part. */
export const WAIT_KEY_BYTES = 6 + MESSAGE_KEY_BYTES + 1;

export interface MessagesOptions {
  readonly store: LedgerStore;
  readonly meta: LedgerMeta;
  readonly policy: LedgerPolicy;
  readonly hits: RecoveryHits;
  readonly cacheMax: number;
  /** Told once of every part whose receipt was awaited and that became final. */
  readonly onPartFinal: (message: MessageState, part: number) => void;
  readonly outcomes: OutcomeObserver;
}

/** What one commit contains, to be followed up when it is visible. */
export interface WrittenMessages {
  readonly messages: readonly MessageState[];
  /** Earliest wait among those written, wall ms; Infinity if none. */
  readonly earliestDueAt: number;
}

export class Messages {
  readonly cache: MessageCache;
  /** Those that no commit has, nor need have. */
  readonly fresh: FreshMessages;
  readonly #options: MessagesOptions;
  readonly #pool: MessagePool;
  readonly #key = Buffer.alloc(MESSAGE_KEY_BYTES);
  readonly #keyView = new DataView(this.#key.buffer, this.#key.byteOffset, MESSAGE_KEY_BYTES);
  readonly #waitKey = Buffer.alloc(WAIT_KEY_BYTES);
  readonly #rows = new EndedRows();
  /** Final, and not written yet. */
  readonly #ended = new MessageStack();
  readonly #open = Buffer.alloc(OPEN_LOG_OFFSET + 6);

  constructor(options: MessagesOptions) {
    this.#options = options;
    this.#pool = new MessagePool();
    const { cacheMax } = options;
    this.cache = new MessageCache(cacheMax, cacheMax + FRESH_PARTS_MAX, this.#pool);
    this.fresh = new FreshMessages(options.meta.holds.stretchBytes, options.policy.logBytesMax);
  }

  /** Messages that the next commit changes. */
  get changedCount(): number {
    return this.cache.dirtyCount + this.#rows.pendingCount + this.fresh.excess;
  }

  /** A message to be filled in and admitted, with room for a row of so many bytes. */
  take(rowBytes: number): MessageState {
    return this.#pool.take(rowBytes);
  }

  /** The message with this key, with every STARTED applied, or null. */
  find(sequence: number, origin: number): MessageState | null {
    const message = this.cache.find(sequence, origin) ?? this.#load(sequence, origin);
    if (message === null) return null;
    if (isUnresolved(message, this.#options.meta.startedEpoch)) this.#resolve(message);
    return message;
  }

  /**
   * Reads a message that is not in memory and that no worker has begun, without bringing it into
   * memory. False if it is another one.
   */
  peekWaiting(sequence: number, origin: number, into: WaitingMessage): boolean {
    if (this.cache.find(sequence, origin) !== null) return false;
    const row = this.#rowOf(sequence, origin);
    return row !== undefined && readWaiting(row, into);
  }

  /**
   * A message for reading only, without bringing it into memory; null if it is not here, or if its
   * stored row does not pass `isWanted`.
   */
  peek(
    sequence: number,
    origin: number,
    isWanted: (row: Uint8Array) => boolean,
  ): MessageState | null {
    const cached = this.cache.find(sequence, origin);
    if (cached !== null) return this.find(sequence, origin);
    const row = this.#rowOf(sequence, origin);
    if (row === undefined) return null;
    // What is open may have to go through a start first.
    if (!isFinalStatus(rowStatus(row))) return this.find(sequence, origin);
    return isWanted(row) ? decodeRow(row) : null;
  }

  /** Applies, in order, the STARTED records that it has not seen. */
  #resolve(message: MessageState): void {
    const { meta, policy, hits } = this.#options;
    for (const start of meta.starts) {
      if (!isUnresolved(message, start.epoch)) continue;
      if (resolveStarted(policy, hits, message, start)) this.settle(message);
    }
  }

  /** Adds a new message, open or final; `mayBeFresh`: a start would find its ACCEPT in the log. */
  admit(message: MessageState, mayBeFresh: boolean): void {
    const { books, holds } = this.#options.meta;
    this.cache.add(message);
    books.noteAccepted(message.parts.length);
    message.holdsBody = true;
    if (mayBeFresh) {
      this.fresh.add(message);
    } else {
      this.cache.touch(message);
      holds.hold(message.logOffset, acceptBytes(message));
    }
    this.settle(message, UNFOLDED);
  }

  /** Adds a message that was fresh when the last run ended: what it caused then is in the store. */
  admitAgain(message: MessageState): void {
    const { books, holds } = this.#options.meta;
    this.cache.add(message);
    this.cache.touch(message);
    books.noteAccepted(message.parts.length);
    holds.hold(message.logOffset, acceptBytes(message));
    message.holdsBody = true;
    message.status = foldParts(message);
  }

  /** Whether reads of the store may not show the row of a message that is here. */
  isUnseen(sequence: number, origin: number): boolean {
    if (this.cache.find(sequence, origin) !== null) return true;
    return (
      this.#rows.find(this.#keyOf(sequence, origin), this.#options.store.visibleCommit) !== null
    );
  }

  /** Applies what time alone has ended by `at` (wall ms). */
  settleByTime(message: MessageState, at: number): void {
    if (at < message.expiresAt || message.finalAt !== 0) return;
    if (settleByTime(this.#options.policy, message, at)) this.settle(message);
  }

  /** Draws the consequences of changed parts; `before`: its status until now. */
  settle(message: MessageState, before = message.status): void {
    const { meta, onPartFinal, outcomes } = this.#options;
    this.cache.touch(message);
    const { parts } = message;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as PartRecord;
      if (part.finalAt === 0 || part.isSettled) continue;
      part.isSettled = true;
      if (part.ids !== null && part.state !== PartState.SENT_FINAL) onPartFinal(message, i);
      outcomes.onPartFinal(message, i);
    }
    const status = foldParts(message);
    message.status = status;
    if (message.fresh !== null && !isFresh(message)) this.#unfresh(message);
    if (message.holdsBody && !wantsBody(message)) {
      this.#releaseBody(message);
    }
    if (status === before) return;
    if (isFinalStatus(status)) {
      meta.books.noteFinal(status, parts.length);
      this.#ended.push(message);
    }
    outcomes.onStatus(message, before);
  }

  /** The body of a message that wants it is in the store from the next commit on. */
  moveBody(message: MessageState): void {
    message.isBodyMoved = true;
    this.#options.meta.holds.move(message.logOffset, acceptBytes(message));
    this.cache.touch(message);
    this.#putOpen(this.#keyOf(message.sequence, message.origin), message);
  }

  #putOpen(key: Buffer, message: MessageState): void {
    const isInLog = message.holdsBody && !message.isBodyMoved;
    writeUint48(this.#open, 0, Math.floor(message.expiresAt));
    writeUint48(this.#open, OPEN_LOG_OFFSET, isInLog ? message.logOffset : 0);
    this.#options.store.put(LedgerTable.OPEN, key, this.#open);
  }

  /** From now on it is a changed message like others: the next commit has it. */
  #unfresh(message: MessageState): void {
    this.fresh.remove(message);
    this.cache.touch(message);
    // What keeps a body in the log for a fresh message is where a start reads on.
    message.holdsBody = wantsBody(message);
    if (!message.holdsBody) return;
    this.#options.meta.holds.hold(message.logOffset, acceptBytes(message));
  }

  #releaseBody(message: MessageState): void {
    const { store, meta } = this.#options;
    message.holdsBody = false;
    if (!message.isBodyMoved) {
      meta.holds.release(message.logOffset, acceptBytes(message));
      return;
    }
    message.isBodyMoved = false;
    meta.holds.releaseMoved(acceptBytes(message));
    store.remove(LedgerTable.BODIES, bodyKey(message.logOffset));
  }

  /**
   * Writes messages that have become final, and lets them go: the next ones find their memory still
   * in the CPU's caches. Who holds a message from before this call must not use it any more.
   */
  retire(): void {
    const ended = this.#ended;
    if (ended.count === 0) return;
    const { store } = this.#options;
    for (let i = 0; i < ended.count; i++) {
      const message = ended.at(i);
      const length = rowBytes(message);
      const at = this.#writeRow(message, length);
      this.#rows.note(message.sequence, message.origin, store.claimed.bytes, at, length);
      this.#writeIndexes(message);
      this.cache.untouch(message);
      this.cache.remove(message);
    }
    ended.clear();
  }

  /**
   * Puts every changed message into the store's next commit, and of the fresh ones those for which
   * it is time; `isAll`: all of them. The log is applied up to `cursor`; `now`: monotonic ms.
   */
  write(cursor: number, now: number, isAll: boolean): WrittenMessages {
    this.retire();
    const { fresh } = this;
    const next = (): MessageState | null => (isAll ? fresh.any() : fresh.due(cursor, now));
    for (let due = next(); due !== null; due = next()) this.#unfresh(due);
    const messages = this.cache.takeDirty();
    let earliestDueAt = Number.POSITIVE_INFINITY;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i] as MessageState;
      this.#writeRow(message, rowBytes(message));
      const dueAt = this.#writeIndexes(message);
      if (dueAt < earliestDueAt) earliestDueAt = dueAt;
    }
    return { messages, earliestDueAt };
  }

  /** What `write` has put into the store is its commit of this number. */
  launch({ messages }: WrittenMessages, commit: number): void {
    for (let i = 0; i < messages.length; i++) (messages[i] as MessageState).commit = commit;
    this.#rows.launch(commit);
  }

  /**
   * Lets messages of a commit that is visible now be evicted. Final ones go at once, and so do
   * those that wait for a link: there may be a million, and what is sent now would lie scattered
   * among them.
   */
  release(written: readonly MessageState[], commit: number): void {
    for (let i = 0; i < written.length; i++) {
      const message = written[i] as MessageState;
      // It may have been retired meanwhile, and be another one.
      if (message.isDirty || message.commit !== commit) continue;
      if (message.finalAt !== 0 || isUnsent(message)) this.cache.remove(message);
      else this.cache.queueClean(message);
    }
  }

  /** Removes the row of a final message in the next commit. */
  removeRow(key: Uint8Array, message: MessageState | null): void {
    this.#options.store.remove(LedgerTable.ROWS, key);
    if (message !== null) this.cache.remove(message);
  }

  /** `length`: its `rowBytes`. Returns where in the store's `claimed` the row stands. */
  #writeRow(message: MessageState, length: number): number {
    const { store } = this.#options;
    const at = store.claim(LedgerTable.ROWS, this.#keyOf(message.sequence, message.origin), length);
    encodeRow(message, store.claimed, at);
    return at;
  }

  /** Open index and waits as of its row; returns its earliest wait that is new, or Infinity. */
  #writeIndexes(message: MessageState): number {
    const { store } = this.#options;
    const key = this.#keyOf(message.sequence, message.origin);
    const isOpen = message.finalAt === 0;
    if (isOpen && !message.isInOpenIndex) {
      this.#putOpen(key, message);
    } else if (!isOpen && message.isInOpenIndex) {
      store.remove(LedgerTable.OPEN, key);
    }
    message.isInOpenIndex = isOpen;
    let earliest = Number.POSITIVE_INFINITY;
    const { parts } = message;
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i] as PartRecord;
      if (part.dueAt === part.storedDueAt) continue;
      if (part.storedDueAt !== 0) {
        store.remove(LedgerTable.WAITS, this.#waitKeyOf(part.storedDueAt, i));
      }
      if (part.dueAt !== 0) {
        store.put(LedgerTable.WAITS, this.#waitKeyOf(part.dueAt, i), EMPTY);
        earliest = Math.min(earliest, part.dueAt);
      }
      part.storedDueAt = part.dueAt;
    }
    return earliest;
  }

  #load(sequence: number, origin: number): MessageState | null {
    const row = this.#rowOf(sequence, origin);
    if (row === undefined) return null;
    const message = decodeRow(row, (bytes) => this.#pool.take(bytes));
    message.isInOpenIndex = message.finalAt === 0;
    message.holdsBody = message.finalAt === 0 && wantsBody(message);
    for (const part of message.parts) part.isSettled = part.finalAt !== 0;
    this.cache.add(message);
    this.cache.queueClean(message);
    return message;
  }

  /** Valid until the next call of the store. */
  #rowOf(sequence: number, origin: number): Uint8Array | undefined {
    const { store } = this.#options;
    const key = this.#keyOf(sequence, origin);
    return this.#rows.find(key, store.visibleCommit) ?? store.get(LedgerTable.ROWS, key);
  }

  #keyOf(sequence: number, origin: number): Buffer {
    writeMessageKey(this.#keyView, 0, sequence, origin);
    return this.#key;
  }

  #waitKeyOf(dueAt: number, part: number): Buffer {
    writeUint48(this.#waitKey, 0, dueAt);
    this.#waitKey.set(this.#key, 6);
    this.#waitKey[WAIT_KEY_BYTES - 1] = part;
    return this.#waitKey;
  }
}

const EMPTY = Buffer.alloc(1);
/** Status of a message that was never folded. */
const UNFOLDED = -1;
