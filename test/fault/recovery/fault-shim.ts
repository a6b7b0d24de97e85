/**
 * The test's end of fault-shim.c: compiles it, and tells it what to do at which call of the
 * gateway.
 *
 * The words of the control file are those listed there. One control for one gateway at a time.
 */
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(
  new URL("../../../../test/fault/recovery/fault-shim.c", import.meta.url),
);

/** Calls that the shim recognises; the numbers of its `enum kind`. */
export const CallKind = {
  NONE: 0,
  LOG_BLOCK: 1,
  LOG_ZEROS: 2,
  LOG_SYNC: 3,
  SEGMENT_MAKE: 4,
  SEGMENT_REMOVE: 5,
  STORE_WRITE: 6,
  STORE_SYNC: 7,
  CDR_WRITE: 8,
  CDR_SYNC: 9,
  CDR_RENAME: 10,
  REQUEST_READ: 11,
  REPLY_202: 12,
  SUBMIT_WRITE: 13,
  ANSWER_READ: 14,
  RECEIPT_READ: 15,
  RECEIPT_ANSWER: 16,
  EPOCH_RENAME: 17,
  DIRECTORY_SYNC: 18,
  STORE_GROW: 19,
  SEGMENT_CUT: 20,
  LOG_READ: 21,
  WORKER_LOG_READ: 22,
} as const;

/** What it does there; the numbers of its `enum action`. */
export const CallAction = {
  KILL_BEFORE: 1,
  KILL_MIDDLE: 2,
  KILL_AFTER: 3,
  FAIL: 4,
  DELAY: 5,
} as const;

/** errno of x86-64 and arm64 Linux. */
export const Errno = { EIO: 5, ENOSPC: 28, EROFS: 30 } as const;

export interface Fault {
  readonly kind: number;
  readonly action: number;
  /** Calls of that kind that pass before it; every later one is hit. */
  readonly pass: number;
  /** errno of FAIL, ms of DELAY. */
  readonly value?: number;
}

const Word = { KIND: 0, ACTION: 1, TO_PASS: 2, VALUE: 3, HITS: 4, LOG_ROOM: 5, COUNT: 6 } as const;

export class FaultShim {
  /** What the gateway's environment needs. */
  readonly env: Readonly<Record<string, string>>;
  readonly #control: string;
  readonly #syncs: string;

  /** Compiles the shim into `folder`; throws with the compiler's words if it cannot. */
  constructor(folder: string) {
    const library = join(folder, "fault-shim.so");
    const built = spawnSync("gcc", ["-O2", "-Wall", "-shared", "-fPIC", "-o", library, SOURCE], {
      encoding: "utf8",
    });
    if (built.status !== 0) {
      throw new Error(`gcc cannot build the shim: ${built.error?.message ?? built.stderr}`);
    }
    this.#control = join(folder, "fault-control");
    this.#syncs = join(folder, "fault-syncs");
    this.env = {
      LD_PRELOAD: library,
      FAULT_SHIM_CONTROL: this.#control,
      FAULT_SHIM_SYNCS: this.#syncs,
    };
    this.#write(new Int32Array(Word.COUNT).fill(-1, Word.LOG_ROOM), 0);
  }

  /** From now on `fault` holds, until `clear`. */
  arm(fault: Fault): void {
    this.clear();
    this.#write(Int32Array.of(fault.action, fault.pass, fault.value ?? 0, 0), Word.ACTION);
    this.#write(Int32Array.of(fault.kind), Word.KIND);
  }

  clear(): void {
    this.#write(Int32Array.of(CallKind.NONE), Word.KIND);
  }

  /** Calls hit since `arm`. */
  get hits(): number {
    const words = new Int32Array(Word.COUNT);
    const file = openSync(this.#control, "r");
    readSync(file, words, 0, words.byteLength, 0);
    closeSync(file);
    return words[Word.HITS] as number;
  }

  /** Lets the log's files grow by so many bytes, then no more (ENOSPC); null: as the disk says. */
  limitLog(bytes: number | null): void {
    this.#write(Int32Array.of(bytes ?? -1), Word.LOG_ROOM);
  }

  /** Syncs of files of which an earlier sync of the same process had failed. */
  syncsAfterFailure(): string[] {
    if (!existsSync(this.#syncs)) return [];
    const failed = new Set<string>();
    const wrong: string[] = [];
    for (const line of readFileSync(this.#syncs, "utf8").split("\n")) {
      const [pid, , inode, error] = line.split(" ");
      if (inode === undefined) continue;
      const file = `${pid} ${inode}`;
      const isRemoved = error === "-1";
      if (isRemoved) failed.delete(file);
      else if (failed.has(file)) wrong.push(line);
      if (!isRemoved && error !== "0") failed.add(file);
    }
    return wrong;
  }

  /** Syncs that failed so far. */
  failedSyncs(): number {
    if (!existsSync(this.#syncs)) return 0;
    const lines = readFileSync(this.#syncs, "utf8").split("\n");
    return lines.filter((line) => line !== "" && !/ (0|-1)$/.test(line)).length;
  }

  #write(words: Int32Array, at: number): void {
    const file = openSync(this.#control, existsSync(this.#control) ? "r+" : "w+");
    writeSync(file, words, 0, words.byteLength, 4 * at);
    closeSync(file);
  }
}
