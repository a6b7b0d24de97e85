/**
 * The real file layer: synchronous calls of node:fs on one directory.
 *
 * Node opens every file with O_CLOEXEC. Threads each make one of their own; none touches libuv's
 * pool. A directory that another one has replaced under its path is noticed by `sync`, which every
 * new file needs: a log must not go on in two places.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { systemCode } from "./errors.ts";
import type { LogDirectory, LogFile } from "./log-directory.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** Opens the directory at `path`, making it (and what is above it) if it is missing. */
export function openNodeLogDirectory(path: string): LogDirectory {
  makeDirectory(path);
  return new NodeLogDirectory(path);
}

/**
 * Makes the directory at `path`, and what is above it, unless it is there. Throws an Error that
 * says why if it cannot be made, or not be written to.
 *
 * Not by `recursive` of node:fs, which never returns where a file system that can be read makes no
 * directory (ENOENT, as under /proc or an automounter's folder).
 */
export function makeDirectory(path: string): void {
  try {
    if (!existsSync(path)) makeWithParents(path);
    if (!statSync(path).isDirectory()) throw new Error("it is no directory");
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`cannot use the directory ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function makeWithParents(path: string): void {
  const parent = dirname(path);
  if (!existsSync(parent)) makeWithParents(parent);
  try {
    mkdirSync(path, { mode: DIRECTORY_MODE });
  } catch (error) {
    // Another thread was there first.
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

class NodeLogDirectory implements LogDirectory {
  readonly #path: string;
  readonly #device: number;
  readonly #inode: number;

  constructor(path: string) {
    this.#path = path;
    const { dev, ino } = statSync(path);
    this.#device = dev;
    this.#inode = ino;
  }

  list(): string[] {
    return readdirSync(this.#path);
  }

  open(name: string, create: boolean): LogFile {
    const flags = constants.O_RDWR | (create ? constants.O_CREAT : 0);
    return new NodeLogFile(openSync(join(this.#path, name), flags, FILE_MODE));
  }

  remove(name: string): void {
    unlinkSync(join(this.#path, name));
  }

  rename(from: string, to: string): void {
    renameSync(join(this.#path, from), join(this.#path, to));
  }

  sync(): void {
    const descriptor = openSync(this.#path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const { dev, ino } = fstatSync(descriptor);
      if (dev !== this.#device || ino !== this.#inode) {
        const error = new Error(`ESTALE: ${this.#path} is another directory than at the start`);
        throw Object.assign(error, { code: "ESTALE" });
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

class NodeLogFile implements LogFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(bytes: Uint8Array, length: number, position: number): void {
    let written = 0;
    while (written < length) {
      written += writeSync(this.#descriptor, bytes, written, length - written, position + written);
    }
  }

  dataSync(): void {
    fdatasyncSync(this.#descriptor);
  }

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    let count = 0;
    while (count < length) {
      const got = readSync(
        this.#descriptor,
        into,
        offset + count,
        length - count,
        position + count,
      );
      if (got === 0) break;
      count += got;
    }
    return count;
  }

  sizeBytes(): number {
    return fstatSync(this.#descriptor).size;
  }

  truncate(lengthBytes: number): void {
    ftruncateSync(this.#descriptor, lengthBytes);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
