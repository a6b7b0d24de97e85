/**
 * The ledger's store on LMDB: one environment under `data_dir/ledger`, one named database a table.
 *
 *   put, remove ─► arena ─► commit(): a batch for LMDB's write thread ─► visible ─► synced: flushed
 *                              └─ no room for it on the disk: not begun, tried again
 *
 * A batch is one LMDB transaction, so a crash leaves all of it or nothing. With overlapping sync,
 * pages of the last synced state are not reused before the next one is synced: kill -9 keeps what
 * is visible, power loss what is flushed. Values are handed over by address, so an arena rests
 * until its commit is visible. The only file that imports lmdb; the ledger's thread only, but for
 * readers of CDR rows and of moved bodies, which may be in any other thread of the process.
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import type { GatewayConfig } from "../../config/types.ts";
import type { MovedBodies } from "../../journal/log-reading.ts";
import { copyBytes, type RecordMemory, recordMemory } from "../../records/memory.ts";
import { bodyKey } from "../body-moves.ts";
import { chunkKey, chunkRowCount, isChunkKey, keyRow } from "../cdr/cdr-format.ts";
import { META_KEY } from "./meta.ts";
import { StoreFullError, StoreRoom } from "./store-room.ts";
import {
  type KeyVisitor,
  LEDGER_TABLE_NAMES,
  type LedgerStore,
  LedgerTable,
  type RangeVisitor,
} from "./store.ts";

const ARENA_BYTES = 1024 * 1024;
/** Arenas kept to be used again: what two commits of the ledger's size take. */
const ARENAS_KEPT = 16;
/** Changes that there is room for at first, and after a commit with more than so many. */
const CHANGES_MIN = 4096;
const CHANGES_KEPT = 65_536;
/** Address space, not memory or disk: LMDB remaps by itself if a store outgrows it. */
const MAP_BYTES_MIN = 1024 * 1024 * 1024;

/** A store that has no more than its two descriptions. */
const PAGES_OF_NEW = 2;

/** Words that tell of a change: table, arena, offset of the key, its length, that of the value. */
const CHANGE_WORDS = 5;
/** Length of the value of a removal. */
const REMOVED = -1;

/** Bytes of which lmdb takes the span [start, end) as a value, without an object for each. */
type Spans = Buffer & { start: number; end: number };

interface Arena extends RecordMemory {
  readonly bytes: Spans;
}

/**
 * A key for one call of lmdb, which copies it: one buffer a length, as a view a key would cost more
 * than the copy.
 */
const SCRATCH_KEYS: (Buffer | undefined)[] = [];

function scratchKey(from: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  const key = (SCRATCH_KEYS[length] ??= Buffer.alloc(length));
  for (let i = 0; i < length; i++) key[i] = from[start + i] as number;
  return key;
}

/**
 * Arenas that no commit needs, to be used again: freed and made anew with each commit, such large
 * pieces would leave holes in the heap of malloc that nothing fits into.
 */
class SpareArenas {
  readonly #spare: Arena[] = [];

  /** One with room for `bytes`. */
  take(bytes: number): Arena {
    if (bytes > ARENA_BYTES) return newArena(bytes);
    return this.#spare.pop() ?? newArena(ARENA_BYTES);
  }

  give(arenas: readonly Arena[]): void {
    for (const arena of arenas) {
      if (arena.bytes.length === ARENA_BYTES && this.#spare.length < ARENAS_KEPT)
        this.#spare.push(arena);
    }
  }
}

function newArena(bytes: number): Arena {
  const spans = Object.assign(Buffer.allocUnsafeSlow(bytes), { start: 0, end: 0 });
  return { bytes: spans, view: recordMemory(spans).view };
}

/**
 * Changes waiting for their commit: bytes in arenas, key and value back to back, and where each one
 * lies. Numbers, since an object a change would live until its commit is visible.
 */
class PendingChanges {
  readonly #spare: SpareArenas;
  #arenas: Arena[] = [];
  /** Bytes taken of the last arena. */
  #used = 0;
  #count = 0;
  #words = new Int32Array(CHANGE_WORDS * CHANGES_MIN);
  /** Of keys and values. */
  #bytes = 0;

  constructor(spare: SpareArenas) {
    this.#spare = spare;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(table: number, key: Uint8Array, value: Uint8Array | null, valueBytes: number): void {
    const at = this.claim(table, key, value === null ? REMOVED : valueBytes);
    if (value !== null) copyBytes(value, 0, this.arena.bytes, at, valueBytes);
  }

  /** The arena that was added to last. */
  get arena(): Arena {
    return this.#arenas.at(-1) as Arena;
  }

  /**
   * Adds a change but for its value; returns where in `arena` that belongs. `length`: that of the
   * value, or REMOVED.
   */
  claim(table: number, key: Uint8Array, length: number): number {
    const bytes = key.length + Math.max(0, length);
    let arena = this.#arenas.at(-1);
    if (arena === undefined || this.#used + bytes > arena.bytes.length) {
      arena = this.#spare.take(bytes);
      this.#arenas.push(arena);
      this.#used = 0;
    }
    copyBytes(key, 0, arena.bytes, this.#used, key.length);
    const at = CHANGE_WORDS * this.#count++;
    if (at === this.#words.length) this.#words = grown(this.#words);
    const words = this.#words;
    words[at] = table;
    words[at + 1] = this.#arenas.length - 1;
    words[at + 2] = this.#used;
    words[at + 3] = key.length;
    words[at + 4] = length;
    const valueAt = this.#used + key.length;
    this.#used += bytes;
    this.#bytes += bytes;
    return valueAt;
  }

  /** Makes all changes, in order. */
  applyTo(tables: readonly Database<Buffer, Buffer>[]): void {
    const words = this.#words;
    let last: Promise<boolean> | null = null;
    for (let at = 0; at < CHANGE_WORDS * this.#count; at += CHANGE_WORDS) {
      const table = tables[words[at] as number] as Database<Buffer, Buffer>;
      const { bytes } = this.#arenas[words[at + 1] as number] as Arena;
      const start = words[at + 2] as number;
      const end = start + (words[at + 3] as number);
      const length = words[at + 4] as number;
      const key = scratchKey(bytes, start, end);
      bytes.start = end;
      bytes.end = end + length;
      const made = length === REMOVED ? table.remove(key) : table.put(key, bytes);
      // The batch's own promise tells of all of them; they share one or a few.
      if (made !== last) made.catch(() => undefined);
      last = made;
    }
  }

  clear(): void {
    this.#spare.give(this.#arenas);
    this.#arenas = [];
    this.#used = 0;
    this.#bytes = 0;
    this.#count = 0;
    if (this.#words.length > CHANGE_WORDS * CHANGES_KEPT) {
      this.#words = new Int32Array(CHANGE_WORDS * CHANGES_MIN);
    }
  }
}

function grown(words: Int32Array): Int32Array<ArrayBuffer> {
  const into = new Int32Array(2 * words.length);
  into.set(words);
  return into;
}

export class LmdbLedgerStore implements LedgerStore {
  readonly #path: string;
  readonly #environment: RootDatabase<Buffer, Buffer>;
  readonly #tables: Database<Buffer, Buffer>[];
  readonly #room: StoreRoom;
  readonly #arenas = new SpareArenas();
  #pending = new PendingChanges(this.#arenas);
  #spare: PendingChanges[] = [];
  #commits = 0;
  #visible = 0;
  #flushed = 0;
  #failure: unknown = null;
  /** A commit that found no room. */
  #stuck: { readonly number: number; readonly changes: PendingChanges } | null = null;
  #settled: Promise<unknown> = Promise.resolve();

  /**
   * `path`: where the environment's files are. Throws StoreFullError if it is new and its disk has
   * no room.
   */
  constructor(path: string, environment: RootDatabase<Buffer, Buffer>) {
    this.#path = path;
    this.#environment = environment;
    this.#room = new StoreRoom(path, () => usedBytesOf(environment));
    const isNew = fileUseOf(environment).lastPageNumber < PAGES_OF_NEW;
    if (isNew && !this.#room.reserve(0, 0)) throw new StoreFullError(path);
    this.#tables = LEDGER_TABLE_NAMES.map((name) =>
      environment.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" }),
    );
  }

  get visibleCommit(): number {
    if (this.#failure !== null) throw new Error("ledger store failed", { cause: this.#failure });
    return this.#visible;
  }

  get flushedCommit(): number {
    if (this.#failure !== null) throw new Error("ledger store failed", { cause: this.#failure });
    return this.#flushed;
  }

  get(table: number, key: Uint8Array): Uint8Array | undefined {
    // What comes back is lmdb's one read buffer, with a length of its own that its views do not
    // know.
    const read = this.#table(table).getBinaryFast(asBuffer(key));
    return read === undefined ? undefined : read.subarray(0, read.length);
  }

  range(table: number, from: Uint8Array, visitor: RangeVisitor): void {
    const entries = this.#table(table).getRange(from.length === 0 ? {} : { start: asBuffer(from) });
    for (const { key, value } of entries) if (!visitor(key, value)) break;
  }

  keys(table: number, from: Uint8Array, visitor: KeyVisitor): void {
    const keys = this.#table(table).getKeys(from.length === 0 ? {} : { start: asBuffer(from) });
    for (const key of keys) if (!visitor(key)) break;
  }

  put(table: number, key: Uint8Array, value: Uint8Array, valueBytes = value.length): void {
    this.#pending.add(table, key, value, valueBytes);
  }

  claim(table: number, key: Uint8Array, valueBytes: number): number {
    return this.#pending.claim(table, key, valueBytes);
  }

  get claimed(): RecordMemory {
    return this.#pending.arena;
  }

  remove(table: number, key: Uint8Array): void {
    this.#pending.add(table, key, null, 0);
  }

  commit(): number {
    const changes = this.#pending;
    this.#pending = this.#spare.pop() ?? new PendingChanges(this.#arenas);
    const number = ++this.#commits;
    this.#start(number, changes);
    return number;
  }

  get isFull(): boolean {
    return this.#stuck !== null;
  }

  retry(): void {
    const stuck = this.#stuck;
    if (stuck !== null) this.#start(stuck.number, stuck.changes);
  }

  #start(number: number, changes: PendingChanges): void {
    this.#stuck = this.#room.reserve(changes.count, changes.bytes) ? null : { number, changes };
    if (this.#stuck !== null) return;
    const visible = this.#environment.batch(() => changes.applyTo(this.#tables));
    this.#settled = this.#follow(number, visible, changes);
  }

  usedBytes(): number {
    let pages = 0;
    let pageSize = 4096;
    for (const [index, table] of this.#tables.entries()) {
      // CDR rows on their way to a file have a bound of their own.
      if (index === LedgerTable.CDR) continue;
      const stats = table.getStats() as Record<string, number>;
      pageSize = stats["pageSize"] ?? pageSize;
      for (const kind of ["treeBranchPageCount", "treeLeafPageCount", "overflowPages"]) {
        pages += stats[kind] ?? 0;
      }
    }
    return pages * pageSize;
  }

  /**
   * Resolves when all that is in the store is on disk, whoever wrote it: by a commit that changes
   * nothing. To be called before any other, which is number 1 all the same. Rejects with
   * StoreFullError, or if it fails.
   */
  async makeDurable(): Promise<void> {
    const meta = this.get(LedgerTable.META, META_KEY);
    if (meta === undefined) return;
    this.put(LedgerTable.META, META_KEY, meta);
    const number = this.commit();
    await this.#settled;
    if (this.flushedCommit < number) throw new StoreFullError(this.#path);
    this.#commits = 0;
    this.#visible = 0;
    this.#flushed = 0;
  }

  /** Waits for what was committed, then closes the files. */
  async close(): Promise<void> {
    await this.#settled;
    this.#room.close();
    await this.#environment.close();
  }

  async #follow(number: number, visible: Promise<unknown>, changes: PendingChanges): Promise<void> {
    try {
      await visible;
      this.#visible = Math.max(this.#visible, number);
      changes.clear();
      if (this.#spare.length < 2) this.#spare.push(changes);
      await this.#environment.flushed;
      this.#flushed = Math.max(this.#flushed, number);
    } catch (error) {
      // Also for want of room, which was made sure of: lmdb's heap is not to be trusted then.
      this.#failure = await causeOf(error);
    }
  }

  #table(table: number): Database<Buffer, Buffer> {
    return this.#tables[table] as Database<Buffer, Buffer>;
  }
}

/**
 * Moved bodies as another thread than the ledger's reads them, once one is asked for. The ledger's
 * thread must have opened the store before.
 */
export class LmdbMovedBodies implements MovedBodies {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #syncs: boolean;
  #environment: RootDatabase<Buffer, Buffer> | null = null;
  #bodies: Database<Buffer, Buffer> | null = null;

  /** `path`, `bytesMax`, `syncs`: as given to `openLmdbStore`. */
  constructor(path: string, bytesMax: number, syncs: boolean = true) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#syncs = syncs;
  }

  find(logOffset: number): Uint8Array | undefined {
    this.#environment ??= openEnvironment(this.#path, this.#bytesMax, this.#syncs);
    const name = LEDGER_TABLE_NAMES[LedgerTable.BODIES];
    this.#bodies ??= this.#environment.openDB<Buffer, Buffer>({
      name,
      encoding: "binary",
      keyEncoding: "binary",
    });
    // A read transaction lasts for a turn of the loop; the body may have been moved within it.
    this.#bodies.resetReadTxn();
    const read = this.#bodies.getBinaryFast(asBuffer(bodyKey(logOffset)));
    return read === undefined ? undefined : read.subarray(0, read.length);
  }
}

/** Where the store of a gateway lies. */
export function ledgerPath(config: GatewayConfig): string {
  return join(config.node.dataDir, "ledger");
}

/** Whether the store of a gateway syncs: with `durability: none` only the system writes it back. */
export function ledgerSyncs(config: GatewayConfig): boolean {
  return config.journal.durability !== "none";
}

/**
 * Opens or makes the store in the directory `path`. `bytesMax`: what the ledger may come to hold.
 * Without `syncs` a commit counts as flushed when it is visible: a power loss may destroy the
 * store.
 */
export function openLmdbStore(
  path: string,
  bytesMax: number,
  syncs: boolean = true,
): LmdbLedgerStore {
  return new LmdbLedgerStore(path, openEnvironment(path, bytesMax, syncs));
}

function openEnvironment(
  path: string,
  bytesMax: number,
  syncs: boolean,
): RootDatabase<Buffer, Buffer> {
  return open<Buffer, Buffer>({
    path,
    encoding: "binary",
    keyEncoding: "binary",
    maxDbs: LEDGER_TABLE_NAMES.length,
    mapSize: Math.max(MAP_BYTES_MIN, 2 * bytesMax),
    ...(syncs ? { overlappingSync: true } : { overlappingSync: false, noSync: true }),
    cache: false,
    compression: false,
    // All there is are batches; with it, a promise that nobody sees tells of failed ones.
    eventTurnBatching: false,
  });
}

/**
 * A reader of the CDR rows of the store at `path`, for a thread other than the ledger's. It sees
 * what is visible when it is asked.
 */
export class LmdbCdrReader {
  readonly #environment: RootDatabase<Buffer, Buffer>;
  readonly #table: Database<Buffer, Buffer>;

  /** `path`, `bytesMax`, `syncs`: as given to `openLmdbStore`. */
  constructor(path: string, bytesMax: number, syncs: boolean = true) {
    this.#environment = openEnvironment(path, bytesMax, syncs);
    const name = LEDGER_TABLE_NAMES[LedgerTable.CDR];
    const options = { name, encoding: "binary", keyEncoding: "binary" } as const;
    this.#table = this.#environment.openDB<Buffer, Buffer>(options);
  }

  /** The chunks of rows [from, until), each in memory of its own, as a range gives its values. */
  *chunks(from: number, until: number): Generator<{ row: number; bytes: Uint8Array }> {
    let next = from;
    while (next < until) {
      let found: { row: number; bytes: Uint8Array } | null = null;
      for (const { key, value } of this.#table.getRange({ start: chunkKey(next), limit: 1 })) {
        if (isChunkKey(key) && keyRow(key) < until) {
          found = { row: keyRow(key), bytes: value };
        }
      }
      // A read transaction that stays open keeps every page freed since then from its next use.
      this.#table.resetReadTxn();
      if (found === null) return;
      yield found;
      next = found.row + chunkRowCount(found.bytes);
    }
  }
}

interface FileUse {
  readonly pageSize: number;
  readonly lastPageNumber: number;
}

/** What of the environment's file its last visible commit uses, free pages among it. */
function fileUseOf(environment: RootDatabase<Buffer, Buffer>): FileUse {
  return environment.getStats() as FileUse;
}

function usedBytesOf(environment: RootDatabase<Buffer, Buffer>): number {
  const { pageSize, lastPageNumber } = fileUseOf(environment);
  return (lastPageNumber + 1) * pageSize;
}

/** Why a commit failed: lmdb tells by a promise of its own. */
async function causeOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !("commitError" in error)) return error;
  try {
    await error.commitError;
  } catch (cause) {
    return cause;
  }
  return error;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
