/**
 * Dead letters: messages that ended here, for want of attempts or time or because they could not
 * be sent, and that may be sent anew.
 *
 *   part ends here ─► entry: reason, class, app │ the ACCEPT, if texts are kept ─► list ─► replay
 *   an ACCEPT that replays it is applied ─► the entry is gone
 *
 * The entry is put into the commit of the state it rests on, and taken out in that of its replay,
 * so over all crashes a dead letter is there until its replay is. While a replay is under way it is
 * claimed, in memory: a second one is turned away. A record that ended the process twice is never
 * read again, so what is quarantined has no text. The ledger's thread only.
 */
import type { RecordLoader } from "../../journal/log-reading.ts";
import {
  formatMessageId,
  MESSAGE_KEY_BYTES,
  type MessageKey,
  nextSequence,
} from "../../records/message-key.ts";
import { NOT_WRITTEN } from "../../records/attempt.ts";
import { acceptIsConsistent } from "../../records/accept.ts";
import { Verdict } from "../../records/concluded.ts";
import { DEAD_REASONS, type DeadReason } from "../../records/types.ts";
import { RECORD_LENGTH_OFFSET } from "../../ring/layout.ts";
import { type MessageState, readKeyOrigin, readKeySequence } from "../messages/message-state.ts";
import { type PartRecord, PartState } from "../messages/part-state.ts";
import type { MessageSummary } from "../queries.ts";
import { readUint32, writeKeyBytes, writeUint32 } from "../messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

/** Of an entry: reason u8, class u8, reserved u16, app u32; then the ACCEPT, header included. */
const REASON = 0;
const CLASS = 1;
const APP = 4;
const RECORD = 8;
/** In place of an entry: replayed before it ended. */
const REPLAYED = Uint8Array.of(0);
/** Entries looked at for one page; a page that would need more is short and has a next. */
export const SCAN_MAX = 2048;
/** Replays under way at once. */
const CLAIMS_MAX = 100_000;

/** What is looked for; null: any. */
export interface DeadLetterFilter {
  readonly app: number | null;
  /** MessageClass. */
  readonly messageClass: number | null;
  readonly reason: DeadReason | null;
  /** Wall ms: accepted at or after, and before. */
  readonly since: number | null;
  readonly until: number | null;
}

export interface DeadLetter {
  readonly key: MessageKey;
  readonly reason: DeadReason;
  readonly hasText: boolean;
}

export interface DeadLetterScan {
  readonly letters: readonly DeadLetter[];
  /** The last entry looked at, if there are more. */
  readonly next: MessageKey | null;
}

/** What a replay gets of a dead letter. */
export type ReplayClaim =
  | { readonly outcome: "claimed"; readonly app: number; readonly record: Uint8Array }
  | { readonly outcome: "unknown" | "text_gone" | "being_replayed" | "overloaded" };

/** A dead letter with what is known of its message. */
export type DeadLetterDocument = MessageSummary & {
  readonly app: number;
  readonly dead: DeadReason;
  /** Whether it can be replayed. */
  readonly text: "kept" | "gone";
};

export interface DeadLetterPage {
  readonly data: readonly DeadLetterDocument[];
  readonly next: string | null;
}

/** The page that a scan found; what is not final yet, or was removed since, is left out. */
export function deadLetterPage(
  node: string,
  { letters, next }: DeadLetterScan,
  find: (key: MessageKey) => MessageState | null,
  summaryOf: (message: MessageState) => MessageSummary,
): DeadLetterPage {
  const data: DeadLetterDocument[] = [];
  for (const { key, reason, hasText } of letters) {
    const message = find(key);
    if (message === null || message.finalAt === 0) continue;
    const text = hasText ? "kept" : "gone";
    data.push({ app: message.appId, dead: reason, text, ...summaryOf(message) });
  }
  return { data, next: next === null ? null : formatMessageId(node, next.sequence, next.origin) };
}

export class DeadLetters {
  readonly #store: LedgerStore;
  readonly #loader: RecordLoader;
  readonly #keepsTexts: boolean;
  readonly #key = new Uint8Array(MESSAGE_KEY_BYTES);
  readonly #claims = new Set<string>();
  /** Replayed since the last commit, and with the last commit. */
  #leaving: string[] = [];
  #left: string[] = [];

  constructor(store: LedgerStore, loader: RecordLoader, keepsTexts: boolean) {
    this.#store = store;
    this.#loader = loader;
    this.#keepsTexts = keepsTexts;
  }

  /** A part has become final. While it holds its body, the message's ACCEPT can still be read. */
  notePart(message: MessageState, part: PartRecord): void {
    const reason = deathOf(message, part);
    if (reason < 0 || this.#wasReplayed(message)) return;
    const record = this.#keepsTexts && message.holdsBody ? this.#recordOf(message) : null;
    const value = new Uint8Array(RECORD + (record?.length ?? 0));
    value[REASON] = reason;
    value[CLASS] = message.messageClass;
    writeUint32(value, APP, message.appId);
    if (record !== null) value.set(record, RECORD);
    this.#store.put(LedgerTable.DEAD_LETTERS, this.#keyOf(message), value);
  }

  /**
   * A replay of it was applied. It stays claimed until no read can see it any more. `isOpen`: power
   * was lost with the state that it ended in, and it is still to end again; then a mark stays in
   * its place, for as long as its row.
   */
  noteReplayed(key: MessageKey, isOpen: boolean): void {
    const name = nameOf(key);
    this.#claims.add(name);
    this.#leaving.push(name);
    if (isOpen) this.#store.put(LedgerTable.DEAD_LETTERS, this.#keyOf(key), REPLAYED);
    else this.#store.remove(LedgerTable.DEAD_LETTERS, this.#keyOf(key));
  }

  #wasReplayed(message: MessageState): boolean {
    if (this.#claims.has(nameOf(message))) return true;
    return (
      this.#store.get(LedgerTable.DEAD_LETTERS, this.#keyOf(message))?.length === REPLAYED.length
    );
  }

  /** Right before a commit; the one before it is visible. */
  beforeCommit(): void {
    for (const name of this.#left) this.#claims.delete(name);
    this.#left = this.#leaving;
    this.#leaving = [];
  }

  /** The message's row goes. */
  forget(key: MessageKey): void {
    const bytes = this.#keyOf(key);
    if (this.#store.get(LedgerTable.DEAD_LETTERS, bytes) === undefined) return;
    this.#store.remove(LedgerTable.DEAD_LETTERS, bytes);
  }

  /** Dead letters behind `after` that fit, oldest first, as of the last visible commit. */
  list(filter: DeadLetterFilter, after: MessageKey | null, limit: number): DeadLetterScan {
    const letters: DeadLetter[] = [];
    let seen = 0;
    let next: MessageKey | null = null;
    let last: MessageKey | null = null;
    const untilKey = filter.until === null ? null : keyAt(filter.until);
    this.#store.range(LedgerTable.DEAD_LETTERS, startOf(filter, after), (key, value) => {
      if (untilKey !== null && compareKeys(key, untilKey) >= 0) return false;
      if (letters.length === limit || seen === SCAN_MAX) {
        next = last;
        return false;
      }
      seen++;
      last = { sequence: readKeySequence(key, 0), origin: readKeyOrigin(key, 0) };
      const reason = DEAD_REASONS[value[REASON] as 0];
      if (value.length < RECORD || !fits(filter, value, reason)) return true;
      letters.push({ key: last, reason, hasText: value.length > RECORD });
      return true;
    });
    return { letters, next };
  }

  /** Takes a dead letter for a replay; until `noteReplayed` or `release` nobody else gets it. */
  claim(key: MessageKey): ReplayClaim {
    const value = this.#store.get(LedgerTable.DEAD_LETTERS, this.#keyOf(key));
    if (value === undefined || value.length < RECORD) return { outcome: "unknown" };
    if (value.length === RECORD) return { outcome: "text_gone" };
    const name = nameOf(key);
    if (this.#claims.has(name)) return { outcome: "being_replayed" };
    if (this.#claims.size >= CLAIMS_MAX) return { outcome: "overloaded" };
    this.#claims.add(name);
    return { outcome: "claimed", app: readUint32(value, APP), record: value.slice(RECORD) };
  }

  /** The replay of a claimed dead letter was refused. */
  release(key: MessageKey): void {
    this.#claims.delete(nameOf(key));
  }

  #recordOf(message: MessageState): Uint8Array | null {
    if (message.verdict === Verdict.QUARANTINED) return null;
    const at = this.#loader.load(message.logOffset);
    if (at < 0) return null;
    const { memory } = this.#loader;
    const length = memory.view.getUint32(at + RECORD_LENGTH_OFFSET, true);
    if (!acceptIsConsistent(memory, at, length)) return null;
    return memory.bytes.subarray(at, at + length);
  }

  #keyOf({ sequence, origin }: MessageKey): Uint8Array {
    writeKeyBytes(this.#key, 0, sequence, origin);
    return this.#key;
  }
}

/** Index of the reason why a final part's message is a dead letter; -1 if it is none. */
function deathOf(message: MessageState, part: PartRecord): number {
  const reason = (name: DeadReason): number => DEAD_REASONS.indexOf(name);
  switch (part.state) {
    case PartState.FAILED:
      if (message.verdict === Verdict.UNSENDABLE) return reason("unsendable");
      return message.verdict === Verdict.QUARANTINED ? reason("quarantined") : -1;
    case PartState.EXPIRED:
      return part.receiptAt === 0 ? reason("validity_over") : -1;
    case PartState.REJECTED:
      if (part.receiptAt !== 0) return -1;
      if (part.isExhausted) return reason("attempts_over");
      return part.commandStatus === NOT_WRITTEN ? reason("unsendable") : -1;
    default:
      return -1;
  }
}

function fits(filter: DeadLetterFilter, value: Uint8Array, reason: DeadReason): boolean {
  if (filter.reason !== null && filter.reason !== reason) return false;
  if (filter.messageClass !== null && filter.messageClass !== value[CLASS]) return false;
  return filter.app === null || filter.app === readUint32(value, APP);
}

/** Where a scan starts: behind `after`, or with the first message that `since` lets through. */
function startOf(filter: DeadLetterFilter, after: MessageKey | null): Uint8Array {
  if (after !== null) {
    const behind = new Uint8Array(MESSAGE_KEY_BYTES + 1);
    writeKeyBytes(behind, 0, after.sequence, after.origin);
    return behind;
  }
  return filter.since === null ? new Uint8Array(0) : keyAt(filter.since);
}

/** The lowest key of messages accepted at `wallMs`. */
function keyAt(wallMs: number): Uint8Array {
  const key = new Uint8Array(MESSAGE_KEY_BYTES);
  writeKeyBytes(key, 0, Math.max(0, nextSequence(0, wallMs)), 0);
  return key;
}

function compareKeys(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < MESSAGE_KEY_BYTES; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function nameOf({ sequence, origin }: MessageKey): string {
  return `${sequence}|${origin}`;
}
