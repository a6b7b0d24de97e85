/**
 * The writing side of the segments: one active file, and the next one, made and zero-filled ahead
 * of need.
 *
 *   oldest … | active: blocks ....| room | next: zeros, slice by slice |
 *
 * Blocks go into space that was written before, so a commit changes no file size and finds its disk
 * space. Only the making of the next segment can lack room: that is remembered as `trouble` and
 * tried again, never thrown. Journal thread only.
 */
import { isNoRoom, systemCode } from "./errors.ts";
import type { LogDirectory, LogFile } from "./log-directory.ts";
import { listSegments, segmentName } from "./segments.ts";

/**
 * Bytes zero-filled at a time; with its sync it delays a commit by about as much as a commit takes.
 */
export const FILL_SLICE_BYTES = 256 * 1024;

interface NextSegment {
  readonly start: number;
  readonly file: LogFile;
  filledBytes: number;
}

export interface SegmentWriterOptions {
  /** Size of new segments in bytes, a multiple of 8. */
  readonly segmentBytes: number;
  /** Whether zeros are synced before a segment is used (`durability: disk`). */
  readonly sync: boolean;
  /** Where the log goes on, as recovery said. */
  readonly nextOffset: number;
}

export class SegmentWriter {
  readonly #directory: LogDirectory;
  readonly #segmentBytes: number;
  readonly #sync: boolean;
  readonly #zeros: Uint8Array;
  /** Starts of all segments that hold blocks, the active one last. */
  readonly #starts: number[];
  #active: LogFile;
  #activeStart: number;
  #activeEnd: number;
  #offset: number;
  #next: NextSegment | null = null;
  #trouble: string | null = null;

  /**
   * Opens the segment that `nextOffset` lies in, or makes the first one. Throws what the directory
   * throws.
   */
  constructor(directory: LogDirectory, options: SegmentWriterOptions) {
    this.#directory = directory;
    this.#segmentBytes = options.segmentBytes;
    this.#sync = options.sync;
    this.#offset = options.nextOffset;
    this.#zeros = new Uint8Array(Math.min(FILL_SLICE_BYTES, options.segmentBytes));
    this.#starts = listSegments(directory);
    const last = this.#starts.at(-1);
    if (last === undefined) {
      this.#active = this.#makeFirst(options.nextOffset);
      this.#activeStart = options.nextOffset;
      this.#activeEnd = options.nextOffset + options.segmentBytes;
      return;
    }
    this.#active = directory.open(segmentName(last), false);
    this.#activeStart = last;
    this.#activeEnd = last + this.#active.sizeBytes();
    if (options.nextOffset < last || options.nextOffset > this.#activeEnd) {
      throw new RangeError(`log offset ${options.nextOffset} is not in the last segment`);
    }
  }

  /** Log offset of the next block. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes left in the active segment. */
  get roomBytes(): number {
    return this.#activeEnd - this.#offset;
  }

  /** Start of the oldest segment that was not given up. */
  get oldest(): number {
    return this.#starts[0] as number;
  }

  /** Why the next segment cannot be made (ENOSPC, EDQUOT), or null. */
  get trouble(): string | null {
    return this.#trouble;
  }

  get nextReady(): boolean {
    return this.#next !== null && this.#next.filledBytes >= this.#segmentBytes;
  }

  /** Whether the next segment is filled far enough for what the active one has left. */
  get nextOnSchedule(): boolean {
    const filled = this.#next === null ? -1 : this.#next.filledBytes;
    const wanted = 1.25 * (this.#offset - this.#activeStart) + FILL_SLICE_BYTES;
    return filled >= Math.min(this.#segmentBytes, wanted);
  }

  /** Appends a block of `length` ≤ `roomBytes` bytes. */
  write(bytes: Uint8Array, length: number): void {
    this.#active.write(bytes, length, this.#offset - this.#activeStart);
    this.#offset += length;
  }

  /** Makes what was written to the active segment durable. */
  dataSync(): void {
    this.#active.dataSync();
  }

  /**
   * Makes the next segment, or its next slice. Returns the bytes filled; 0 if there was no need or
   * no room.
   */
  fillSlice(): number {
    if (this.nextReady) return 0;
    try {
      this.#next ??= this.#makeNext();
      const next = this.#next;
      const slice = Math.min(this.#zeros.length, this.#segmentBytes - next.filledBytes);
      next.file.write(this.#zeros, slice, next.filledBytes);
      if (this.#sync) this.#syncSlice(next);
      next.filledBytes += slice;
      this.#trouble = null;
      return slice;
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      this.#trouble = systemCode(error);
      return 0;
    }
  }

  /**
   * Goes on in the next segment, which must be ready. What is left of the active one stays zero.
   */
  switchToNext(): void {
    const next = this.#next as NextSegment;
    this.#active.close();
    this.#active = next.file;
    this.#activeStart = next.start;
    this.#activeEnd = next.start + this.#segmentBytes;
    this.#offset = next.start;
    this.#starts.push(next.start);
    this.#next = null;
  }

  /**
   * Gives up the segments that end at or below `releasable`: their files are removed elsewhere
   * (segment-removal.ts). Returns the start of the oldest one that is left.
   */
  release(releasable: number): number {
    while ((this.#starts[1] ?? Number.POSITIVE_INFINITY) <= releasable) this.#starts.shift();
    return this.oldest;
  }

  close(): void {
    this.#active.close();
    this.#next?.file.close();
    this.#next = null;
  }

  #makeFirst(start: number): LogFile {
    const file = this.#directory.open(segmentName(start), true);
    this.#directory.sync();
    for (let filled = 0; filled < this.#segmentBytes; filled += this.#zeros.length) {
      file.write(this.#zeros, Math.min(this.#zeros.length, this.#segmentBytes - filled), filled);
    }
    if (this.#sync) file.dataSync();
    this.#starts.push(start);
    return file;
  }

  #makeNext(): NextSegment {
    const start = this.#activeEnd;
    const file = this.#directory.open(segmentName(start), true);
    try {
      this.#directory.sync();
    } catch (error) {
      file.close();
      throw error;
    }
    return { start, file, filledBytes: 0 };
  }

  /**
   * A file whose sync failed is never synced again: for want of room it is given up and made anew.
   */
  #syncSlice(next: NextSegment): void {
    try {
      next.file.dataSync();
    } catch (error) {
      if (isNoRoom(error)) {
        this.#next = null;
        next.file.close();
        this.#directory.remove(segmentName(next.start));
        this.#directory.sync();
      }
      throw error;
    }
  }
}
