/**
 * A LogDirectory in memory that keeps apart what is written and what is synced, for tests of the
 * journal.
 *
 *   kill      everything written stays
 *   cutPower  synced data stays; of the rest any subset of 512-byte sectors; of names what was
 *             synced, and any prefix of the changes since
 *
 * It counts calls and fails on command with the system's codes.
 */
import type { LogDirectory, LogFile } from "../../src/journal/log-directory.ts";

const SECTOR_BYTES = 512;

/** Uniform in [0, 1). */
type Random = () => number;

class FileContent {
  bytes = new Uint8Array(0);
  synced = new Uint8Array(0);
  readonly dirty = new Set<number>();

  write(from: Uint8Array, length: number, position: number): void {
    if (position + length > this.bytes.length) this.resize(position + length);
    this.bytes.set(from.subarray(0, length), position);
    const last = Math.floor((position + length - 1) / SECTOR_BYTES);
    for (let s = Math.floor(position / SECTOR_BYTES); s <= last; s++) this.dirty.add(s);
  }

  resize(length: number): void {
    const resized = new Uint8Array(length);
    resized.set(this.bytes.subarray(0, Math.min(length, this.bytes.length)));
    this.bytes = resized;
  }
}

/** The process died in the middle of a call. */
export class CrashError extends Error {}

type NameChange = (names: Map<string, FileContent>) => void;

/** Error of the system with `code`. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

export class MemoryDirectory implements LogDirectory {
  /** Code with which the next writes fail, null for none; `only` narrows it to file names. */
  failWrite: { code: string; only: RegExp } | null = null;
  failDataSync: string | null = null;
  /** Bytes that files may take in all. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** After so many changing calls each one throws CrashError, before or after its effect. */
  crashIn = Number.POSITIVE_INFINITY;
  dataSyncs = 0;
  writes = 0;
  /** Every call that changes something, as `operation name`. */
  readonly calls: string[] = [];
  #names = new Map<string, FileContent>();
  #syncedNames = new Map<string, FileContent>();
  #changes: NameChange[] = [];

  list(): string[] {
    return [...this.#names.keys()];
  }

  open(name: string, create: boolean): LogFile {
    let content = this.#names.get(name);
    if (content === undefined) {
      if (!create) throw systemError("ENOENT");
      const made = new FileContent();
      content = made;
      this.#change(`create ${name}`, (names) => names.set(name, made));
    }
    return this.#file(name, content);
  }

  remove(name: string): void {
    if (!this.#names.has(name)) throw systemError("ENOENT");
    this.#change(`remove ${name}`, (names) => names.delete(name));
  }

  rename(from: string, to: string): void {
    if (!this.#names.has(from)) throw systemError("ENOENT");
    this.#change(`rename ${from}`, (names) => {
      const content = names.get(from);
      if (content !== undefined) names.set(to, content);
      names.delete(from);
    });
  }

  sync(): void {
    this.calls.push("sync directory");
    this.#step(() => {
      this.#syncedNames = new Map(this.#names);
      this.#changes = [];
    });
  }

  /** What the next start finds after the power failed. */
  cutPower(random: Random): void {
    const survivors = Math.floor(random() * (this.#changes.length + 1));
    for (const change of this.#changes.slice(0, survivors)) change(this.#syncedNames);
    this.#names = new Map(this.#syncedNames);
    this.#changes = [];
    for (const content of this.#names.values()) tear(content, random);
  }

  /** The bytes of a file as reads see them. */
  bytesOf(name: string): Uint8Array {
    const content = this.#names.get(name);
    if (content === undefined) throw systemError("ENOENT");
    return content.bytes;
  }

  /** A copy that shares nothing with this one, everything synced. */
  copy(): MemoryDirectory {
    const copy = new MemoryDirectory();
    for (const [name, content] of this.#names) {
      const file = copy.open(name, true);
      file.write(content.bytes, content.bytes.length, 0);
      file.dataSync();
    }
    copy.sync();
    copy.calls.length = 0;
    copy.dataSyncs = 0;
    return copy;
  }

  #change(call: string, change: NameChange): void {
    this.calls.push(call);
    this.#step(() => {
      change(this.#names);
      this.#changes.push(change);
    });
  }

  /** Has `effect`, or dies: odd counts die before it, even ones after it. */
  #step(effect: () => void): void {
    this.crashIn--;
    const dies = this.crashIn <= 0;
    if (!dies || this.crashIn % 2 === 0) effect();
    if (dies) throw new CrashError("died here");
  }

  #usedBytes(): number {
    let used = 0;
    for (const content of this.#names.values()) used += content.bytes.length;
    return used;
  }

  #file(name: string, content: FileContent): LogFile {
    return {
      write: (bytes, length, position) => {
        this.writes++;
        const { failWrite } = this;
        if (failWrite?.only.test(name) === true) throw systemError(failWrite.code);
        const grows = position + length - content.bytes.length;
        if (grows > 0 && this.#usedBytes() + grows > this.capacityBytes) {
          throw systemError("ENOSPC");
        }
        this.#step(() => content.write(bytes, length, position));
      },
      dataSync: () => {
        this.dataSyncs++;
        this.calls.push(`sync ${name}`);
        if (this.failDataSync !== null) throw systemError(this.failDataSync);
        this.#step(() => {
          content.synced = content.bytes.slice();
          content.dirty.clear();
        });
      },
      read: (into, offset, length, position) => {
        const part = content.bytes.subarray(position, position + length);
        into.set(part, offset);
        return part.length;
      },
      sizeBytes: () => content.bytes.length,
      truncate: (length) => {
        this.calls.push(`truncate ${name}`);
        this.#step(() => content.resize(length));
      },
      close: () => {},
    };
  }
}

/** Leaves of a file what was synced and a random subset of the other sectors. */
function tear(content: FileContent, random: Random): void {
  // Often all of it or nothing: whole blocks and segments must be missed, too.
  const keepChance = Math.min(1, Math.max(0, random() * 2 - 0.5));
  const kept = [...content.dirty].filter(() => random() < keepChance);
  const end = kept.reduce(
    (most, sector) => Math.max(most, Math.min(content.bytes.length, (sector + 1) * SECTOR_BYTES)),
    content.synced.length,
  );
  const after = new Uint8Array(end);
  after.set(content.synced.subarray(0, end));
  for (const sector of kept) {
    const start = sector * SECTOR_BYTES;
    after.set(content.bytes.subarray(start, Math.min(end, start + SECTOR_BYTES)), start);
  }
  content.bytes = after;
  content.synced = after.slice();
  content.dirty.clear();
}
