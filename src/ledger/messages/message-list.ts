/**
 * One page of `GET /v1/messages`, found step by step between other work of the ledger.
 *
 *   blocks of the app's index, in order ─► hashes and time fit ─► rows ─► the page │ next cursor
 *
 * A step looks at a bounded number of entries and rows; a page gives up after so many entries, or
 * so much time (list-jobs.ts), and says where to go on, so it may be short or empty and still have
 * a next. What was accepted after
 * the last visible commit is not there yet. The ledger's thread only.
 */
import { Buffer } from "node:buffer";
import { MESSAGE_KEY_BYTES, sequenceWallMs } from "../../records/message-key.ts";
import {
  hashText,
  INDEX_ENTRY_BYTES,
  INDEX_KEY_BYTES,
  INDEX_REFERENCE_HASH,
  INDEX_TO_HASH,
} from "./message-index.ts";
import {
  MESSAGE_STATUS,
  type MessageState,
  readKeyOrigin,
  readKeySequence,
} from "./message-state.ts";
import type { Messages } from "./messages.ts";
import type { MessageSummary } from "../queries.ts";
import { readUint32, readUint48, rowStatus, writeKeyBytes, writeUint32 } from "./row-layout.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

/** Entries looked at, and rows read, per step. */
const STEP_ENTRIES = 65_536;
const STEP_CANDIDATES = 256;
/** A page gives up after so many entries; rows cost about twenty times as much. */
const PAGE_ENTRIES_MAX = 4_000_000;
const CANDIDATE_COST = 20;
/** Blocks are in about the order of time: what is sought may stand so much later. */
const ORDER_SLACK_MS = 60_000;
const COUNTER_PER_MS = 4096;
const BASE_SEQUENCE = 0;

/** What a page is asked for; null: any. */
export interface MessageListQuestion {
  readonly appId: number;
  /** Digits. */
  readonly to: string | null;
  readonly reference: string | null;
  /** A status word of the API. */
  readonly status: string | null;
  /** Accepted at or after, and before (wall ms). */
  readonly since: number | null;
  readonly until: number | null;
  readonly limit: number;
  /** Cursor of the page before. */
  readonly after: string | null;
}

export interface MessageListPage {
  readonly data: readonly MessageSummary[];
  readonly next: string | null;
}

interface Candidate {
  readonly sequence: number;
  readonly origin: number;
  readonly block: Uint8Array;
  readonly entry: number;
}

export interface MessageListOptions {
  readonly store: LedgerStore;
  readonly messages: Messages;
  readonly summaryOf: (message: MessageState) => MessageSummary;
  /** Whether the store shows every entry that the page may have. */
  readonly isReady: () => boolean;
}

export class MessageListScan {
  /** The page, once `step` has returned true. */
  page: MessageListPage = { data: [], next: null };
  readonly #options: MessageListOptions;
  readonly #question: MessageListQuestion;
  readonly #toHash: number;
  readonly #referenceHash: number;
  readonly #data: MessageSummary[] = [];
  /** The block to go on in, and how many of its entries are done. */
  #block: Uint8Array;
  #done = 0;
  #budget = PAGE_ENTRIES_MAX;

  /** `cursor`: the question's, as `decodeListCursor` read it. */
  constructor(
    options: MessageListOptions,
    question: MessageListQuestion,
    cursor: { block: Uint8Array; done: number } | null,
  ) {
    this.#options = options;
    this.#question = question;
    const to = Buffer.from(question.to ?? "");
    this.#toHash = hashText(to, 0, to.length);
    const reference = Buffer.from(question.reference ?? "");
    this.#referenceHash = hashText(reference, 0, reference.length);
    this.#block = cursor?.block ?? firstBlock(question);
    this.#done = cursor?.done ?? 0;
  }

  /** Whether to begin: earlier, the page may lack messages. */
  get isReady(): boolean {
    return this.#options.isReady();
  }

  /** One bounded step; true: `page` is there. */
  step(): boolean {
    const found: Candidate[] = [];
    const isOver = this.#collect(found);
    for (const candidate of found) {
      this.#budget -= CANDIDATE_COST;
      const summary = this.#read(candidate);
      if (summary === null) continue;
      this.#data.push(summary);
      if (this.#data.length < this.#question.limit) continue;
      this.page = {
        data: this.#data,
        next: encodeListCursor(candidate.block, candidate.entry + 1),
      };
      return true;
    }
    if (!isOver && this.#budget > 0) return false;
    if (isOver) this.page = { data: this.#data, next: null };
    else this.cut();
    return true;
  }

  /** Leaves it at what was found so far; to be called between two steps. */
  cut(): void {
    this.page = { data: this.#data, next: encodeListCursor(this.#block, this.#done) };
  }

  /** Collects entries that may fit; true: there are no more. */
  #collect(found: Candidate[]): boolean {
    const { appId, until } = this.#question;
    let left = STEP_ENTRIES;
    let isOver = true;
    this.#options.store.range(LedgerTable.INDEX, this.#block, (key, value) => {
      if (readUint32(key, 0) !== appId) return false;
      const startedAt = sequenceWallMs(readKeySequence(key, 4));
      if (until !== null && startedAt > until + ORDER_SLACK_MS) return false;
      const block = Uint8Array.from(key);
      // A cursor's block may be gone; then the next one starts at its beginning.
      const isSame = this.#done > 0 && Buffer.compare(block, this.#block) === 0;
      const count = value.length / INDEX_ENTRY_BYTES;
      let entry = isSame ? this.#done : 0;
      for (; entry < count && found.length < STEP_CANDIDATES; entry++) {
        left--;
        this.#budget--;
        if (this.#fits(value, entry * INDEX_ENTRY_BYTES)) {
          found.push({ ...keyAt(value, entry * INDEX_ENTRY_BYTES), block, entry });
        }
      }
      this.#block = block;
      this.#done = entry;
      isOver = left > 0 && found.length < STEP_CANDIDATES;
      return isOver;
    });
    return isOver;
  }

  #fits(block: Uint8Array, at: number): boolean {
    const { to, reference, since, until } = this.#question;
    if (to !== null && readUint32(block, at + INDEX_TO_HASH) !== this.#toHash) return false;
    if (
      reference !== null &&
      readUint32(block, at + INDEX_REFERENCE_HASH) !== this.#referenceHash
    ) {
      return false;
    }
    if (since === null && until === null) return true;
    const acceptedAt = sequenceWallMs(readKeySequence(block, at));
    return (since === null || acceptedAt >= since) && (until === null || acceptedAt < until);
  }

  /** The message of an entry if it is there and fits in everything. */
  #read({ sequence, origin }: Candidate): MessageSummary | null {
    const { messages, summaryOf: summarise } = this.#options;
    const { to, reference, status } = this.#question;
    const message = messages.peek(sequence, origin, (row) => status === null || mayBe(row, status));
    if (message === null) return null;
    const summary = summarise(message);
    if (status !== null && summary.status !== status) return null;
    if (to !== null && summary.to !== to) return null;
    return reference !== null && summary.reference !== reference ? null : summary;
  }
}

/** Reads a cursor of a list; null if it was not given for this app. */
export function decodeListCursor(
  text: string,
  appId: number,
): { block: Uint8Array; done: number } | null {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length !== INDEX_KEY_BYTES + 6 || bytes.toString("base64url") !== text) return null;
  if (readUint32(bytes, 0) !== appId) return null;
  const block = Uint8Array.from(bytes.subarray(0, INDEX_KEY_BYTES));
  return { block, done: readUint48(bytes, INDEX_KEY_BYTES) };
}

function encodeListCursor(block: Uint8Array, done: number): string {
  const bytes = Buffer.alloc(INDEX_KEY_BYTES + 6);
  bytes.set(block);
  bytes.writeUIntBE(done, INDEX_KEY_BYTES, 6);
  return bytes.toString("base64url");
}

/** Where the app's first block that can matter may stand. */
function firstBlock({ appId, since }: MessageListQuestion): Uint8Array {
  const key = new Uint8Array(INDEX_KEY_BYTES);
  writeUint32(key, 0, appId);
  if (since === null) return key;
  const sequence = (since - ORDER_SLACK_MS - sequenceWallMs(BASE_SEQUENCE)) * COUNTER_PER_MS;
  writeKeyBytes(key, 4, Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, sequence)), 0);
  return key;
}

function keyAt(block: Uint8Array, at: number): { sequence: number; origin: number } {
  const key = block.subarray(at, at + MESSAGE_KEY_BYTES);
  return { sequence: readKeySequence(key, 0), origin: readKeyOrigin(key, 0) };
}

/** Whether a row may come to have that status word; what is open may. */
function mayBe(row: Uint8Array, status: string): boolean {
  const word = MESSAGE_STATUS[rowStatus(row) as 0];
  return word === status || (word === "accepted" && status === "queued");
}
