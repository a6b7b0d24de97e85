/**
 * Segments: the files of the log, named after the log offset they start at.
 *
 *   log-…00000000   log-…04000000   log-…08000000        each ends where the next one starts
 *   oldest          …               active   (next, being zero-filled)
 *
 * A reader asks `SegmentFiles` which file holds an offset. Each thread has an instance of its own.
 */
import { systemCode } from "./errors.ts";
import type { LogDirectory, LogFile } from "./log-directory.ts";

const NAME = /^log-([0-9a-f]{16})$/;
const HEX_DIGITS = 16;

/** Name of the segment that starts at log offset `start`. */
export function segmentName(start: number): string {
  return `log-${start.toString(16).padStart(HEX_DIGITS, "0")}`;
}

/** Log offset at which the file `name` starts, or -1 if it is no segment. */
export function segmentStart(name: string): number {
  const digits = NAME.exec(name)?.[1];
  if (digits === undefined) return -1;
  const start = Number.parseInt(digits, 16);
  return Number.isSafeInteger(start) ? start : -1;
}

/** Starts of all segments, ascending. */
export function listSegments(directory: LogDirectory): number[] {
  return segmentsAmong(directory.list());
}

/** Starts of the segments among the files with these names, ascending. */
export function segmentsAmong(names: readonly string[]): number[] {
  return names
    .map(segmentStart)
    .filter((start) => start >= 0)
    .sort((a, b) => a - b);
}

interface OpenSegment {
  readonly start: number;
  readonly file: LogFile;
  usedAt: number;
}

/** What `SegmentFiles.locate` found. */
export interface LocatedSegment {
  readonly start: number;
  /** Start of the next segment, or Infinity where there is none yet. */
  readonly end: number;
  readonly file: LogFile;
}

/**
 * A reader's view of the segments: a listing, made again when it is too old, and few open files.
 */
export class SegmentFiles {
  readonly #directory: LogDirectory;
  readonly #filesMax: number;
  #open: OpenSegment[] = [];
  #starts: number[] = [];
  #uses = 0;

  /** At most `filesMax` (≥ 1) files stay open. */
  constructor(directory: LogDirectory, filesMax: number) {
    this.#directory = directory;
    this.#filesMax = filesMax;
  }

  /**
   * The segment that holds log offset `offset`, which is below the committed offset; null if its
   * file is gone. `relist` looks at the directory first: needed when the listing may miss the last
   * segments.
   */
  locate(offset: number, relist: boolean): LocatedSegment | null {
    if (relist || this.#starts.length === 0) this.#starts = listSegments(this.#directory);
    const index = this.#indexOf(offset);
    if (index < 0) return null;
    const start = this.#starts[index] as number;
    const end = this.#starts[index + 1] ?? Number.POSITIVE_INFINITY;
    const file = this.#openFile(start);
    return file === null ? null : { start, end, file };
  }

  /**
   * Closes every file that starts below `oldest`: a removed file takes disk space while it is open.
   */
  closeBelow(oldest: number): void {
    const open = this.#open;
    for (let i = open.length - 1; i >= 0; i--) {
      const segment = open[i] as OpenSegment;
      if (segment.start >= oldest) continue;
      segment.file.close();
      open.splice(i, 1);
    }
  }

  close(): void {
    this.closeBelow(Number.POSITIVE_INFINITY);
  }

  /** Index of the last segment that starts at or below `offset`, or -1. */
  #indexOf(offset: number): number {
    let index = this.#starts.length - 1;
    while (index >= 0 && (this.#starts[index] as number) > offset) index--;
    return index;
  }

  #openFile(start: number): LogFile | null {
    this.#uses++;
    const known = this.#open.find((segment) => segment.start === start);
    if (known !== undefined) {
      known.usedAt = this.#uses;
      return known.file;
    }
    if (this.#open.length >= this.#filesMax) this.#closeLeastUsed();
    try {
      const file = this.#directory.open(segmentName(start), false);
      this.#open.push({ start, file, usedAt: this.#uses });
      return file;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return null;
      throw error;
    }
  }

  #closeLeastUsed(): void {
    let least = 0;
    for (let i = 1; i < this.#open.length; i++) {
      if ((this.#open[i] as OpenSegment).usedAt < (this.#open[least] as OpenSegment).usedAt) {
        least = i;
      }
    }
    this.#open.splice(least, 1)[0]?.file.close();
  }
}
