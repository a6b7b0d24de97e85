/**
 * A disk with one directory that behaves as badly as POSIX allows.
 *
 *   file       current   what reads see (page cache)          lost with the power
 *              durable   what fdatasync has made safe          kept
 *              dirty     512-byte sectors in which they may differ
 *   names      current and durable, and the changes that no directory fsync has covered
 *
 * Death by kill keeps everything written. Power loss keeps what was synced and, of the rest, any
 * subset of sectors, some of them torn, and any subset of the pending name changes. A sync that
 * fails leaves its sectors looking clean: a later sync does not write them (as Linux does), so only
 * rewriting them helps.
 */
import type { LogDirectory, LogFile } from "../../src/journal/log-directory.ts";
import type { EffectKind, Effects } from "./effects.ts";
import type { SeededRandom } from "./random.ts";

export const SECTOR_BYTES = 512;

/** Operations that can be told to fail. */
export type DiskOperation = "write" | "sync" | "create" | "sync_directory";

export class SimulatedInode {
  current = new Uint8Array(0);
  size = 0;
  durable = new Uint8Array(0);
  durableSize = 0;
  readonly dirty = new Set<number>();

  write(bytes: Uint8Array, length: number, position: number): void {
    this.#reserve(position + length);
    this.current.set(bytes.subarray(0, length), position);
    if (position + length > this.size) this.size = position + length;
    const last = Math.floor((position + length - 1) / SECTOR_BYTES);
    for (let s = Math.floor(position / SECTOR_BYTES); s <= last; s++) this.dirty.add(s);
  }

  truncate(length: number): void {
    this.#reserve(length);
    if (length < this.size) this.current.fill(0, length, this.size);
    this.size = length;
  }

  sync(): void {
    this.#reserveDurable();
    // Sectors were mostly written one after the other: those in a row are copied at once.
    let first = 0;
    let count = 0;
    for (const sector of this.dirty) {
      if (sector === first + count) count++;
      else {
        this.#harden(first, count * SECTOR_BYTES);
        [first, count] = [sector, 1];
      }
    }
    this.#harden(first, count * SECTOR_BYTES);
    this.dirty.clear();
    if (this.size < this.durableSize) this.durable.fill(0, this.size, this.durableSize);
    this.durableSize = this.size;
  }

  /** Whether a power loss would leave it as it is. */
  get isSafe(): boolean {
    if (this.size !== this.durableSize) return false;
    const current = this.current.subarray(0, this.size);
    return Buffer.compare(current, this.durable.subarray(0, this.size)) === 0;
  }

  /** What a sync that failed leaves behind: sectors that look clean and are not safe. */
  failSync(random: SeededRandom): void {
    this.#reserveDurable();
    for (const sector of this.dirty) {
      if (random.chance(0.3)) this.#harden(sector, SECTOR_BYTES);
    }
    this.dirty.clear();
  }

  /**
   * Leaves what the power loss leaves: `keep` is the chance of each unsynced sector, 0 and 1
   * included. Returns how many of these sectors are not as they were written.
   */
  losePower(random: SeededRandom, keep: number): number {
    this.#reserveDurable();
    let lost = 0;
    for (const sector of this.dirty) {
      const isKept = random.chance(keep);
      const isTorn = isKept && random.chance(0.3);
      if (!isKept || isTorn) lost++;
      if (isKept) this.#harden(sector, isTorn ? random.below(SECTOR_BYTES) : SECTOR_BYTES);
    }
    this.dirty.clear();
    if (this.size > this.durableSize && random.chance(keep)) this.durableSize = this.size;
    if (this.size < this.durableSize && random.chance(keep)) {
      this.durable.fill(0, this.size, this.durableSize);
      this.durableSize = this.size;
    }
    this.size = this.durableSize;
    this.current = this.durable.slice();
    return lost;
  }

  #harden(sector: number, bytes: number): void {
    if (bytes === 0) return;
    const start = sector * SECTOR_BYTES;
    this.durable.set(this.current.subarray(start, start + bytes), start);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.current.length) return;
    const grown = new Uint8Array(roundUp(Math.max(bytes, this.current.length * 2)));
    grown.set(this.current);
    this.current = grown;
  }

  #reserveDurable(): void {
    if (this.durable.length >= this.current.length) return;
    const grown = new Uint8Array(this.current.length);
    grown.set(this.durable);
    this.durable = grown;
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}

type NameChange =
  | { readonly change: "create"; readonly name: string; readonly inode: SimulatedInode }
  | { readonly change: "remove"; readonly name: string }
  | { readonly change: "rename"; readonly from: string; readonly to: string };

/** The medium: outlives the processes that use it. */
export class SimulatedDisk {
  readonly names = new Map<string, SimulatedInode>();
  readonly durableNames = new Map<string, SimulatedInode>();
  readonly pending: NameChange[] = [];
  readonly #random: SeededRandom;
  readonly #failures = new Map<DiskOperation, { left: number; code: string }>();
  /** Milliseconds that the next syncs take; drawn by whoever injects faults. */
  syncMs: () => number = () => 0.2;
  /** Called when the durable bytes of a file may have changed. */
  onSynced: (name: string, inode: SimulatedInode) => void = () => undefined;
  /** Called when the written bytes of a file changed. */
  onWritten: (name: string, inode: SimulatedInode) => void = () => undefined;
  failedSyncs = 0;
  /**
   * Whether sectors whose sync failed look clean afterwards, as on Linux, or stay to be written.
   */
  forgetsFailedSyncs = true;
  /** No room: files can neither be made nor grow. */
  full = false;
  /** What commits of the ledger's store fail with, or null. */
  storeFailure: string | null = null;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** The `count`-th next operation of this kind fails with `code`. */
  failOnce(operation: DiskOperation, count: number, code: string): void {
    this.#failures.set(operation, { left: count, code });
  }

  clearFailures(): void {
    this.#failures.clear();
  }

  /** Whether a power loss would leave every file as it is. */
  get isSafe(): boolean {
    return [...this.names.values()].every((inode) => inode.isSafe);
  }

  /** Throws if an injected failure is due. Returns otherwise. */
  checkFailure(operation: DiskOperation, inode: SimulatedInode | null): void {
    const failure = this.#failures.get(operation);
    if (failure === undefined || --failure.left > 0) return;
    this.#failures.delete(operation);
    if (operation === "sync" && inode !== null) {
      if (this.forgetsFailedSyncs) inode.failSync(this.#random);
      this.failedSyncs++;
    }
    throw diskError(failure.code, operation);
  }

  /** Throws ENOSPC if a file of `size` bytes would have to grow to `end` on a full disk. */
  checkRoom(size: number, end: number): void {
    if (this.full && end > size) throw diskError("ENOSPC", "write");
  }

  change(change: NameChange): void {
    applyChange(this.names, change);
    this.pending.push(change);
  }

  syncNames(): void {
    for (const change of this.pending) applyChange(this.durableNames, change);
    this.pending.length = 0;
  }

  /** The machine loses power: see the head of this file. Returns how many sectors it damaged. */
  losePower(): number {
    let lost = 0;
    const keep = this.#random.pick([0, 0.5, 0.9, 1, this.#random.next()]);
    const inodes = new Set([...this.names.values(), ...this.durableNames.values()]);
    for (const change of this.pending) {
      if (this.#random.chance(keep)) applyChange(this.durableNames, change);
    }
    this.pending.length = 0;
    for (const inode of inodes) lost += inode.losePower(this.#random, keep);
    this.names.clear();
    for (const [name, inode] of this.durableNames) this.names.set(name, inode);
    return lost;
  }
}

function applyChange(names: Map<string, SimulatedInode>, change: NameChange): void {
  switch (change.change) {
    case "create":
      names.set(change.name, change.inode);
      return;
    case "remove":
      names.delete(change.name);
      return;
    case "rename": {
      const inode = names.get(change.from);
      if (inode === undefined) return;
      names.delete(change.from);
      names.set(change.to, inode);
    }
  }
}

function diskError(code: string, operation: string): Error {
  return Object.assign(new Error(`${code}: simulated failure of ${operation}`), { code });
}

/** What one process sees of the disk. */
export class SimulatedDirectory implements LogDirectory {
  readonly #disk: SimulatedDisk;
  readonly #effects: Effects;
  readonly #sleep: (ms: number) => void;

  /** `sleep` lets simulated time pass for the calling thread while the disk works. */
  constructor(disk: SimulatedDisk, effects: Effects, sleep: (ms: number) => void) {
    this.#disk = disk;
    this.#effects = effects;
    this.#sleep = sleep;
  }

  list(): string[] {
    return [...this.#disk.names.keys()];
  }

  open(name: string, create: boolean): LogFile {
    let inode = this.#disk.names.get(name);
    if (inode === undefined) {
      if (!create) throw diskError("ENOENT", `open ${name}`);
      this.#disk.checkFailure("create", null);
      this.#disk.checkRoom(0, 1);
      const made = new SimulatedInode();
      inode = made;
      this.#effect("disk.create", name, () => {
        this.#disk.change({ change: "create", name, inode: made });
      });
    }
    return new SimulatedFile(name, inode, this.#disk, this.#effects, this.#sleep);
  }

  remove(name: string): void {
    if (!this.#disk.names.has(name)) throw diskError("ENOENT", `remove ${name}`);
    this.#effect("disk.remove", name, () => {
      this.#disk.change({ change: "remove", name });
    });
  }

  rename(from: string, to: string): void {
    if (!this.#disk.names.has(from)) throw diskError("ENOENT", `rename ${from}`);
    this.#effect("disk.rename", `${from} ${to}`, () => {
      this.#disk.change({ change: "rename", from, to });
    });
  }

  sync(): void {
    this.#disk.checkFailure("sync_directory", null);
    this.#effect("disk.sync_directory", "", () => {
      this.#disk.syncNames();
    });
  }

  #effect(kind: EffectKind, detail: string, effect: () => void): void {
    this.#effects.run(kind, detail, effect);
  }
}

class SimulatedFile implements LogFile {
  readonly #name: string;
  readonly #inode: SimulatedInode;
  readonly #disk: SimulatedDisk;
  readonly #effects: Effects;
  readonly #sleep: (ms: number) => void;
  #failed = false;

  constructor(
    name: string,
    inode: SimulatedInode,
    disk: SimulatedDisk,
    effects: Effects,
    sleep: (ms: number) => void,
  ) {
    this.#name = name;
    this.#inode = inode;
    this.#disk = disk;
    this.#effects = effects;
    this.#sleep = sleep;
  }

  write(bytes: Uint8Array, length: number, position: number): void {
    this.#disk.checkFailure("write", this.#inode);
    this.#disk.checkRoom(this.#inode.size, position + length);
    const detail = `${this.#name} @${position} +${length}`;
    this.#effects.run("disk.write", detail, () => {
      this.#inode.write(bytes, length, position);
      this.#disk.onWritten(this.#name, this.#inode);
    });
  }

  dataSync(): void {
    if (this.#failed) throw new Error(`a second sync of ${this.#name} after one that failed`);
    this.#effects.run("disk.sync", this.#name, () => {
      this.#sleep(this.#disk.syncMs());
      try {
        this.#disk.checkFailure("sync", this.#inode);
      } catch (error) {
        this.#failed = true;
        throw error;
      }
      this.#inode.sync();
      this.#disk.onSynced(this.#name, this.#inode);
    });
  }

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.#inode.size - position));
    if (count > 0) into.set(this.#inode.current.subarray(position, position + count), offset);
    return count;
  }

  sizeBytes(): number {
    return this.#inode.size;
  }

  truncate(lengthBytes: number): void {
    this.#effects.run("disk.truncate", `${this.#name} to ${lengthBytes}`, () => {
      this.#inode.truncate(lengthBytes);
    });
  }

  close(): void {
    // Nothing to release: the inode belongs to the disk.
  }
}
