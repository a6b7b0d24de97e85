/**
 * The file layer of the journal, as small as it gets: one flat directory of files, all calls
 * synchronous and complete or failed. The real one (node-log-directory.ts) stands on node:fs;
 * test/sim has one that tears writes, forgets what was not synced and fails on command. Errors
 * carry the `code` of the system (EIO, ENOSPC, …).
 */
export interface LogFile {
  /** Writes all of `bytes[0, length)` at `position`. */
  write(bytes: Uint8Array, length: number, position: number): void;
  /** Makes all written data durable (fdatasync). Never called again after it failed. */
  dataSync(): void;
  /**
   * Reads up to `length` bytes at `position` into `into` at `offset`; returns the count, less only
   * at the end.
   */
  read(into: Uint8Array, offset: number, length: number, position: number): number;
  sizeBytes(): number;
  /** Cuts the file to `lengthBytes`. */
  truncate(lengthBytes: number): void;
  close(): void;
}

export interface LogDirectory {
  /** Names of all files. */
  list(): string[];
  /**
   * Opens for reading and writing; `create` makes a missing file, otherwise a missing file throws
   * ENOENT.
   */
  open(name: string, create: boolean): LogFile;
  remove(name: string): void;
  /** Replaces `to` by `from` atomically. */
  rename(from: string, to: string): void;
  /** Makes creations, renames and removals durable (fsync of the directory). */
  sync(): void;
}
