/**
 * Room on the disk for what a commit of LMDB writes, taken before the commit is made.
 *
 *   data.mdb:  pages in use ........ │ zeros: the next commit's │ end of the file
 *                        lastPageNumber
 *
 * LMDB gives pages to a commit as it goes; where one finds the disk full it writes its message of
 * 106 bytes and more into 100 bytes of its heap (lmdb 3.5.6, mdb_page_flush), and the process may
 * abort then or later. Space that the file has already cannot run out, but where the file system
 * copies on write. Zeros are appended, so that they never come upon a page that was written
 * meanwhile. How much is an estimate: scattered keys in a deep tree can take more, and LMDB extends
 * the file then; if the disk is full at that, the process ends, and nothing is lost. The ledger's
 * thread only.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isNoRoom } from "../../journal/errors.ts";

const PAGE_BYTES = 4096;
/** The way to one page of each table, and the list of free pages. */
const RESERVE_BYTES_MIN = 512 * 1024;
/** What is appended beyond what is needed, so that not every commit appends. */
const AHEAD_BYTES = 512 * 1024;
/** New pages are half full at worst. */
const NEW_BYTES_PER_BYTE = 2;
/** A change writes its page anew and, as several share it, a part of each page above that one. */
const PAGES_PER_CHANGE = 1.25;
const SLICE_BYTES = 256 * 1024;

/** The disk of the ledger's store is full; what was asked for is not done. */
export class StoreFullError extends Error {
  constructor(path: string) {
    super(`no room on the disk of ${path}: make some, then start again`);
    this.name = "StoreFullError";
  }
}

export class StoreRoom {
  readonly #descriptor: number;
  readonly #usedBytes: () => number;
  readonly #zeros = Buffer.alloc(SLICE_BYTES);
  /** Bytes behind the pages in use that no commit since the last look can have taken. */
  #leftBytes = 0;

  /**
   * `path`: the store's directory. `usedBytes`: where the pages end that the last visible commit
   * uses.
   */
  constructor(path: string, usedBytes: () => number) {
    const flags = constants.O_WRONLY | constants.O_APPEND;
    this.#descriptor = openSync(join(path, "data.mdb"), flags);
    this.#usedBytes = usedBytes;
  }

  /**
   * Whether a commit of `changes` with `bytes` of keys and values has room; none may be under way,
   * for the file may be cut back to where it ended: the disk's last bytes are left to others, as
   * the log. Throws what the disk says but for ENOSPC and EDQUOT.
   */
  reserve(changes: number, bytes: number): boolean {
    const anew = PAGES_PER_CHANGE * PAGE_BYTES * changes;
    const most = RESERVE_BYTES_MIN + NEW_BYTES_PER_BYTE * bytes + anew;
    if (this.#leftBytes < most && !this.#extend(most, anew)) return false;
    this.#leftBytes -= most;
    return true;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** Makes room for `most` bytes; of these, `anew` are at most what the store has by now. */
  #extend(most: number, anew: number): boolean {
    const used = this.#usedBytes();
    const wanted = most - Math.max(0, anew - used);
    let end = fstatSync(this.#descriptor).size;
    if (end < used + wanted) end = this.#append(end, used + wanted);
    this.#leftBytes = end - used + (most - wanted);
    return this.#leftBytes >= most;
  }

  /**
   * Appends up to `neededEnd` and ahead of it; where there is no room to go ahead, that far, and
   * for less nothing. Returns where the file ends.
   */
  #append(from: number, neededEnd: number): number {
    const needed = Math.ceil(neededEnd / PAGE_BYTES) * PAGE_BYTES;
    const wanted = needed + AHEAD_BYTES;
    let end = from;
    try {
      while (end < wanted) {
        end += writeSync(this.#descriptor, this.#zeros, 0, Math.min(SLICE_BYTES, wanted - end));
      }
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      end = end < needed ? from : needed;
      ftruncateSync(this.#descriptor, end);
    }
    return end;
  }
}
