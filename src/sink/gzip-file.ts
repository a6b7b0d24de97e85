/**
 * A gzip file written block by block, at once: compressed, counted and written by the thread that
 * calls, so that its priority is that of the work.
 *
 *   header | deflate of block 0, ended at a byte | deflate of block 1 | ... | empty last block
 *          | CRC-32 | length
 *
 * One member (RFC 1952), which every reader takes. The streams of zlib compress in libuv's pool:
 * its threads have everybody's priority, and look-ups and file calls of others wait for them. Any
 * thread.
 */
import { Buffer } from "node:buffer";
import { closeSync, openSync, writeSync } from "node:fs";
import { constants, crc32, deflateRawSync } from "node:zlib";

/** docs/CDR.md has the figures of the others. */
const LEVEL = 1;
/** Deflate; no name, time or comment; compressed as fast as can be; from an unknown system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
/** A last block of fixed codes that holds nothing (RFC 1951, 3.2.6). */
const LAST_BLOCK = Buffer.from([3, 0]);
const OPTIONS = {
  level: LEVEL,
  memLevel: 8,
  finishFlush: constants.Z_SYNC_FLUSH,
  chunkSize: 64 * 1024,
};

export class GzipFile {
  readonly #file: number;
  #crc = 0;
  #bytes = 0;

  /** Makes the file, or empties it. Throws what the file system says, as all of it does. */
  constructor(path: string) {
    this.#file = openSync(path, "w", 0o600);
    try {
      this.#write(HEADER);
    } catch (error) {
      // On a full disk there is a file, and nobody to close it.
      this.close();
      throw error;
    }
  }

  /**
   * Adds a block; best are some hundred kilobytes: the next one cannot refer to it. `deflated` is
   * what it is as deflate blocks that end at a byte, none the last; null: to be made of it here.
   */
  add(block: Uint8Array, deflated: Uint8Array | null = null): void {
    this.#crc = crc32(block, this.#crc);
    this.#bytes = (this.#bytes + block.length) >>> 0;
    this.#write(deflated ?? deflateRawSync(block, OPTIONS));
  }

  /** Ends the file, and closes it also if that fails. */
  finish(): void {
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#crc, 0);
    trailer.writeUInt32LE(this.#bytes, 4);
    try {
      this.#write(Buffer.concat([LAST_BLOCK, trailer]));
    } finally {
      this.close();
    }
  }

  /** Closes a file that is of no use. */
  close(): void {
    closeSync(this.#file);
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
  }
}
