/**
 * Numbers CDR rows in the ledger's transaction, cuts them into files to be, and removes what has
 * become one.
 *
 *   final message, refusal ─► item in the open chunk ─► chunks in the store ─► cut [from, until)
 *                                        flushed ─► announced ─► a file ─► filed ─► removed
 *
 * Rows, cuts, states and the log's cursor stand in the same commit, so each outcome gets exactly
 * one row over all crashes. A cut is announced only when it is flushed: nothing that has left the
 * process is ever numbered anew. A cut ends where an hour of recording ends. Costs the ledger a
 * copy of about 250 bytes a message. The ledger's thread only.
 */
import { Buffer } from "node:buffer";
import type { Clock, Log, Random } from "../../environment.ts";
import { LIFE_BYTES_PER_PART } from "../../journal/space.ts";
import { MESSAGE_KEY_BYTES } from "../../records/message-key.ts";
import { type RecordMemory, recordMemory } from "../../records/memory.ts";
import { Refused } from "../../records/refused.ts";
import { CdrLevel, LogWord, type LogTable } from "../../tables/log-table.ts";
import {
  CDR_META_KEY,
  type CdrCut,
  type CdrFormat,
  CdrItem,
  type CdrMeta,
  CHUNK_BYTES_MAX,
  CHUNK_HEADER_BYTES,
  chunkKey,
  cutKey,
  decodeCdrMeta,
  decodeCut,
  encodeCdrMeta,
  encodeCut,
  isChunkKey,
  ITEM_HEADER_BYTES,
  keyRow,
  writeChunkHeader,
} from "./cdr-format.ts";
import { type MessageState, writeMessageKey } from "../messages/message-state.ts";
import type { OutcomeObserver } from "../outcomes.ts";
import { ROW_BYTES_MAX, writeUint32, writeUint48 } from "../messages/row-layout.ts";
import { encodeRow, rowBytes } from "../messages/row.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

const HOUR_MS = 3_600_000;
const TRIM_STEP = 128;
const LEVEL_INTERVAL_MS = 100;
/** Of `disk_bytes_max`. */
const ALARM_SHARE = 0.7;
const FULL_SHARE = 0.95;
/** Disk that the rows of an open message will take, beside those of its parts. */
export const OPEN_MESSAGE_BYTES = 320;
export const OPEN_PART_BYTES = 96;
const DUPLICATE_BYTES = MESSAGE_KEY_BYTES + 15;

export interface CdrRowsOptions {
  readonly store: LedgerStore;
  readonly logTable: LogTable;
  /** This run. */
  readonly epoch: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly format: CdrFormat;
  readonly rollIntervalMs: number;
  readonly rollBytesMax: number;
  readonly diskBytesMax: number;
  /** Told of every cut that is flushed and not filed, once in each run; oldest first. */
  readonly onCut: (cut: CdrCut) => void;
}

/** A cut whose commit is not flushed yet. */
interface PendingCut {
  readonly cut: CdrCut;
  readonly commit: number;
}

export class CdrRows implements OutcomeObserver {
  readonly #options: CdrRowsOptions;
  readonly #meta: CdrMeta;
  readonly #chunk = recordMemory(Buffer.alloc(CHUNK_BYTES_MAX));
  readonly #row = Buffer.alloc(ROW_BYTES_MAX);
  readonly #keyView: DataView;
  #used = CHUNK_HEADER_BYTES;
  #rows = 0;
  #recordedAt = 0;
  #now: number;
  #isChanged = false;
  #isCutAsked = false;
  #commits = 0;
  #pending: PendingCut[] = [];
  /** Announced and not filed, oldest first. */
  readonly #announced: CdrCut[] = [];
  /** Of these the first so many are filed, to be noted in the next round. */
  #filedCount = 0;
  /** Chunks before this row are removed. */
  #trimmedTo = 0;
  #nextLevelAt = 0;
  #level: number = CdrLevel.FINE;

  constructor(options: CdrRowsOptions) {
    this.#options = options;
    const { store, random } = options;
    this.#keyView = new DataView(this.#row.buffer, this.#row.byteOffset, MESSAGE_KEY_BYTES);
    this.#meta = decodeCdrMeta(store.get(LedgerTable.META, CDR_META_KEY)) ?? {
      series: Math.floor(random() * 0x100000000),
      nextRow: 0,
      cutFrom: 0,
      openBytes: 0,
      openSince: 0,
      storedBytes: 0,
      filedUntil: 0,
    };
    this.#now = Math.floor(options.clock.wallMs());
    // What a run before this one made visible is certainly flushed with this run's first commit.
    store.range(LedgerTable.CDR, cutKey(0), (key, value) => {
      this.#pending.push({ cut: decodeCut(key, value), commit: 1 });
      return true;
    });
    options.logTable.store(LogWord.CDR_STORE_BYTES, this.#meta.storedBytes);
  }

  onPartFinal(): void {
    // A message's rows are written together, when it is final.
  }

  onStatus(message: MessageState): void {
    if (message.finalAt === 0) return;
    const at = this.#claim(CdrItem.MESSAGE, message.parts.length + 1, rowBytes(message));
    encodeRow(message, this.#chunk, at);
  }

  onDuplicate(message: MessageState, part: number): void {
    writeMessageKey(this.#keyView, 0, message.sequence, message.origin);
    this.#row[MESSAGE_KEY_BYTES] = part;
    writeUint48(this.#row, MESSAGE_KEY_BYTES + 1, this.#now);
    writeUint32(this.#row, MESSAGE_KEY_BYTES + 7, message.appId);
    writeUint32(this.#row, MESSAGE_KEY_BYTES + 11, message.parts[part]?.linkId ?? 0);
    this.#append(CdrItem.DUPLICATE, 1, DUPLICATE_BYTES);
  }

  onRefused(memory: RecordMemory, offset: number): void {
    const { bytes, view } = memory;
    let length = Refused.TEXTS;
    for (let field = Refused.CODE_LENGTH; field <= Refused.STATE_LENGTH; field++) {
      length += view.getUint8(offset + field);
    }
    this.#row.set(bytes.subarray(offset, offset + length), 0);
    this.#append(CdrItem.REFUSAL, 1, length);
  }

  onKeyed(): void {}

  beforeCommit(): void {
    this.#commits += 1;
    this.#putChunk();
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const { store, logTable } = this.#options;
    store.put(LedgerTable.META, CDR_META_KEY, encodeCdrMeta(this.#meta));
    logTable.store(LogWord.CDR_STORE_BYTES, this.#meta.storedBytes);
  }

  doWork(now: number, flushedCommit: number): boolean {
    this.#now = Math.floor(now);
    this.#announce(flushedCommit);
    const isFiled = this.#noteFiled();
    const isTrimmed = this.#trim();
    const isCut = this.#isCutDue(now);
    if (isCut) this.#cut();
    if (now >= this.#nextLevelAt) this.#judgeDisk(now);
    return isFiled || isTrimmed || isCut;
  }

  /** Cuts what there is in the next round, without waiting for its time: the gateway drains. */
  requestCut(): void {
    this.#isCutAsked = true;
  }

  /** Whether every row is in a file, as of the last commit. */
  isFiled(): boolean {
    return this.#meta.nextRow === this.#meta.filedUntil && !this.#isChanged;
  }

  /** The oldest cut announced and not yet filed has become a durable file: its rows may go. */
  noteFiled(): void {
    this.#filedCount += 1;
  }

  /** Adds the item whose payload is `#row[0, length)`. */
  #append(kind: number, rowCount: number, length: number): void {
    this.#row.copy(this.#chunk.bytes, this.#claim(kind, rowCount, length), 0, length);
  }

  /** Adds an item of `length` bytes; returns where in `#chunk` its payload is to be written. */
  #claim(kind: number, rowCount: number, length: number): number {
    const meta = this.#meta;
    const bytes = ITEM_HEADER_BYTES + length;
    const isFull = meta.openBytes + bytes > this.#options.rollBytesMax;
    if (isFull && meta.nextRow > meta.cutFrom) this.#cut();
    if (this.#used + bytes > CHUNK_BYTES_MAX) this.#putChunk();
    const { bytes: chunk } = this.#chunk;
    const at = this.#used;
    chunk[at] = (length + 2) >>> 8;
    chunk[at + 1] = (length + 2) & 0xff;
    chunk[at + 2] = kind;
    chunk[at + 3] = rowCount;
    this.#used = at + bytes;
    if (this.#rows === 0) this.#recordedAt = this.#now;
    if (meta.nextRow === meta.cutFrom) meta.openSince = this.#now;
    this.#rows += rowCount;
    meta.nextRow += rowCount;
    meta.openBytes += bytes;
    this.#isChanged = true;
    return at + ITEM_HEADER_BYTES;
  }

  #putChunk(): void {
    if (this.#rows === 0) return;
    writeChunkHeader(this.#chunk.bytes, this.#recordedAt, this.#rows);
    const key = chunkKey(this.#meta.nextRow - this.#rows);
    this.#options.store.put(LedgerTable.CDR, key, this.#chunk.bytes.subarray(0, this.#used));
    this.#meta.storedBytes += this.#used;
    this.#used = CHUNK_HEADER_BYTES;
    this.#rows = 0;
  }

  #isCutDue(now: number): boolean {
    const meta = this.#meta;
    if (meta.nextRow === meta.cutFrom) {
      this.#isCutAsked = false;
      return false;
    }
    if (this.#isCutAsked || now - meta.openSince >= this.#options.rollIntervalMs) return true;
    return Math.floor(now / HOUR_MS) !== Math.floor(meta.openSince / HOUR_MS);
  }

  #cut(): void {
    const { store, epoch, format } = this.#options;
    const meta = this.#meta;
    this.#putChunk();
    const cut: CdrCut = {
      series: meta.series,
      epoch,
      format,
      from: meta.cutFrom,
      until: meta.nextRow,
      at: meta.openSince,
      itemBytes: meta.openBytes,
    };
    store.put(LedgerTable.CDR, cutKey(cut.from), encodeCut(cut));
    meta.cutFrom = meta.nextRow;
    meta.openBytes = 0;
    this.#isCutAsked = false;
    this.#isChanged = true;
    this.#pending.push({ cut, commit: this.#commits + 1 });
  }

  #announce(flushedCommit: number): void {
    while (this.#pending.length > 0) {
      const oldest = this.#pending[0] as PendingCut;
      if (oldest.commit > flushedCommit) return;
      this.#pending.shift();
      this.#announced.push(oldest.cut);
      this.#options.onCut(oldest.cut);
    }
  }

  /**
   * Forgets cuts that are files. The cut goes first, its chunks later: a cut in the store always
   * has all of them, so that its file may be made anew at any time.
   */
  #noteFiled(): boolean {
    if (this.#filedCount === 0) return false;
    for (const cut of this.#announced.splice(0, this.#filedCount)) {
      this.#options.store.remove(LedgerTable.CDR, cutKey(cut.from));
      this.#meta.filedUntil = cut.until;
    }
    this.#filedCount = 0;
    this.#isChanged = true;
    return true;
  }

  /** Removes some chunks whose rows are filed. */
  #trim(): boolean {
    const meta = this.#meta;
    if (this.#trimmedTo >= meta.filedUntil) return false;
    const { store } = this.#options;
    const keys: Uint8Array[] = [];
    let bytes = 0;
    store.keys(LedgerTable.CDR, chunkKey(this.#trimmedTo), (key) => {
      if (!isChunkKey(key) || keyRow(key) >= meta.filedUntil) return false;
      keys.push(Uint8Array.from(key));
      return keys.length < TRIM_STEP;
    });
    for (const key of keys) {
      bytes += store.get(LedgerTable.CDR, key)?.length ?? 0;
      store.remove(LedgerTable.CDR, key);
    }
    const last = keys.at(-1);
    this.#trimmedTo =
      keys.length < TRIM_STEP || last === undefined ? meta.filedUntil : keyRow(last) + 1;
    if (last === undefined) return false;
    meta.storedBytes -= bytes;
    this.#isChanged = true;
    return true;
  }

  /** Rows in the store, files that wait, and what open messages will add, against the bound. */
  #judgeDisk(now: number): void {
    this.#nextLevelAt = now + LEVEL_INTERVAL_MS;
    const { logTable, diskBytesMax, log } = this.#options;
    const parts = logTable.load(LogWord.OPEN_LIFE_BYTES) / LIFE_BYTES_PER_PART;
    const open = logTable.load(LogWord.OPEN_COUNT) * OPEN_MESSAGE_BYTES + parts * OPEN_PART_BYTES;
    const waiting = this.#meta.storedBytes + logTable.load(LogWord.CDR_FILE_BYTES);
    const share = (waiting + open) / diskBytesMax;
    let level: number = CdrLevel.FINE;
    if (share >= FULL_SHARE) level = CdrLevel.FULL;
    else if (share >= ALARM_SHARE) level = CdrLevel.ALARM;
    if (level === this.#level) return;
    const fields = { waiting_bytes: waiting, open_bytes: open, disk_bytes_max: diskBytesMax };
    if (level === CdrLevel.FINE) log.write("info", "CDR files: disk is fine again", fields);
    else if (level === CdrLevel.ALARM) log.write("warn", "CDR files: 70 % of their disk", fields);
    else log.write("error", "CDR files: 95 % of their disk, no message is accepted", fields);
    this.#level = level;
    logTable.store(LogWord.CDR_LEVEL, level);
  }
}
