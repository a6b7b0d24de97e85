/**
 * Takes released segments off the disk, where nobody waits for it: to free 64 MiB takes the file
 * system tens of milliseconds.
 *
 *   OLDEST moves ─► open ─► remove ─► sync the directory ─► cut, 4 MiB at a time ─► close
 *                   └─────────── oldest first, one after the other ───────────┘
 *
 * The name goes first, and durably: no start finds a segment that is cut, nor a gap before one that
 * exists. Then the bytes go in steps, so that no call keeps the file system from a commit for long;
 * while the disk is short of room, all at once. Whoever still has the file open reads less than was
 * in it, and knows by OLDEST, which moved before. What fails is logged and tried again, and counts
 * as log on disk until it is gone; the process goes on. The ledger's thread only; no call here
 * waits for the disk.
 */
import type { Log } from "../environment.ts";
import { LogWord, type LogTable } from "../tables/log-table.ts";
import { segmentName, segmentsAmong } from "./segments.ts";

/** Bytes that one step frees: with 64 MiB at once a commit that comes meanwhile waits for most. */
export const REMOVAL_STEP_BYTES = 4 * 1024 * 1024;
/** Rest between two steps, for whoever waits for the file system. */
const STEP_PAUSE_MS = 5;
/** Until what failed is tried again. */
const RETRY_MS = 5000;

/** Called once, when a step is over, on the thread that asked for it. */
export type StepEnd = (error: Error | null) => void;

/** A segment that is open for its removal. */
export interface RemovalFile {
  readonly sizeBytes: number;
  truncate(lengthBytes: number, onEnd: StepEnd): void;
  close(onEnd: StepEnd): void;
}

/** What a removal asks of the log's directory. Nothing here blocks the caller. */
export interface RemovalDirectory {
  /** Names of all files; none after an error. */
  list(onEnd: (error: Error | null, names: readonly string[]) => void): void;
  /** Null after an error. */
  open(name: string, onEnd: (error: Error | null, file: RemovalFile | null) => void): void;
  remove(name: string, onEnd: StepEnd): void;
  /** Makes removals durable. */
  sync(onEnd: StepEnd): void;
}

export interface SegmentRemovalOptions {
  readonly directory: RemovalDirectory;
  readonly logTable: LogTable;
  readonly log: Log;
  /** Has `run` called on this thread after `ms`. */
  readonly after: (ms: number, run: () => void) => void;
  readonly stepBytes?: number;
}

export class SegmentRemoval {
  readonly #options: SegmentRemovalOptions;
  readonly #stepBytes: number;
  /** Starts of the segments that are to go, oldest first. */
  #starts: number[] = [];
  /** OLDEST when the directory was looked at last. */
  #seenOldest = 0;
  #isUnderWay = false;
  /** Start of the oldest segment that cannot be removed, as far as is known; -1: none. */
  #stuckAt = -1;
  /** Whether a name may come back with the next power loss. */
  #hasUnsynced = false;

  constructor(options: SegmentRemovalOptions) {
    this.#options = options;
    this.#stepBytes = options.stepBytes ?? REMOVAL_STEP_BYTES;
  }

  /** Starts with what was released since. To be called every few milliseconds. */
  onTick(): void {
    const { logTable } = this.#options;
    const oldest = logTable.load(LogWord.OLDEST);
    if (this.#stuckAt >= 0) logTable.store(LogWord.UNREMOVED_BYTES, oldest - this.#stuckAt);
    if (this.#isUnderWay) return;
    if (oldest === this.#seenOldest) return;
    this.#isUnderWay = true;
    if (this.#hasUnsynced) this.#sync(() => this.#list(oldest));
    else this.#list(oldest);
  }

  #list(oldest: number): void {
    this.#options.directory.list((error, names) => {
      if (error !== null) return this.#retryLater("list", error);
      this.#seenOldest = oldest;
      this.#starts = segmentsAmong(names).filter((start) => start < oldest);
      this.#removeNext();
    });
  }

  #removeNext(): void {
    const start = this.#starts.shift();
    if (start === undefined) {
      this.#isUnderWay = false;
      if (this.#stuckAt >= 0) this.#options.logTable.store(LogWord.UNREMOVED_BYTES, 0);
      this.#stuckAt = -1;
      return;
    }
    if (this.#stuckAt >= 0) this.#stuckAt = start;
    const { directory } = this.#options;
    const name = segmentName(start);
    directory.open(name, (openError, file) => {
      if (file === null) {
        this.#stuckAt = start;
        return this.#retryLater("open", openError);
      }
      this.#hasUnsynced = true;
      directory.remove(name, (error) => {
        if (error === null) return this.#sync(() => this.#cut(file, file.sizeBytes), file);
        this.#stuckAt = start;
        this.#retryLater("remove", error, file);
      });
    });
  }

  #sync(then: () => void, file: RemovalFile | null = null): void {
    this.#options.directory.sync((error) => {
      if (error !== null) return this.#retryLater("sync directory", error, file);
      this.#hasUnsynced = false;
      then();
    });
  }

  #cut(file: RemovalFile, sizeBytes: number): void {
    const left = this.#isShortOfSpace() ? 0 : Math.max(0, sizeBytes - this.#stepBytes);
    file.truncate(left, (error) => {
      // To close it frees what a step could not.
      if (error !== null) this.#warn("cut", error);
      if (error === null && left > 0) this.#pause(() => this.#cut(file, left));
      else file.close(() => this.#pause(() => this.#removeNext()));
    });
  }

  #pause(then: () => void): void {
    if (this.#isShortOfSpace()) then();
    else this.#options.after(STEP_PAUSE_MS, then);
  }

  #isShortOfSpace(): boolean {
    const { logTable } = this.#options;
    return logTable.load(LogWord.SHORT_OF_SPACE) !== 0 || logTable.load(LogWord.STORE_FULL) !== 0;
  }

  /** Later ones must not go before it: all wait. */
  #retryLater(step: string, error: Error | null, file: RemovalFile | null = null): void {
    this.#warn(step, error);
    file?.close(() => undefined);
    this.#options.after(RETRY_MS, () => {
      this.#seenOldest = -1;
      this.#isUnderWay = false;
    });
  }

  #warn(step: string, error: Error | null): void {
    const cause = error?.message ?? "no such file";
    this.#options.log.write("warn", "remove a released segment", { step, cause });
  }
}
