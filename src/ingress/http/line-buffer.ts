/**
 * Bytes that come in pieces, as lines: JSON texts that end with a line feed (NDJSON).
 *
 *   start ......... end                  what was read is dropped when more is added
 *     |  unread, its last line not ended |
 *
 * A line longer than the bound is told once, and its bytes are dropped as they come. One instance
 * per stream.
 */

/** No whole line is there. */
export const NO_LINE = -1;
/** A line is longer than the bound; the rest of it is dropped. */
export const LINE_TOO_LONG = -2;

const LINE_FEED = 0x0a;
/** Less memory than this is not given back before the end. */
const TRIM_BYTES_MIN = 4096;
const EMPTY = Buffer.alloc(0);

export class LineBuffer {
  readonly #lineBytesMax: number;
  #bytes: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  #isEnded = false;
  #isSkipping = false;
  /** The line that `next` found: bytes [start, end) without their line feed. */
  lineStart = 0;
  lineEnd = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Memory that is held. */
  get capacityBytes(): number {
    return this.#bytes.length;
  }

  /** Memory that would be held after `add` of so many bytes. */
  capacityFor(bytes: number): number {
    const needed = this.#end - this.#start + bytes;
    if (needed <= this.#bytes.length) return this.#bytes.length;
    return Math.max(needed, 2 * (this.#end - this.#start));
  }

  /** Whether everything was read and nothing will come. */
  get isDrained(): boolean {
    return this.#isEnded && this.#start === this.#end;
  }

  /** Copies a piece in. */
  add(piece: Uint8Array): void {
    const unread = this.#end - this.#start;
    const capacity = this.capacityFor(piece.length);
    if (capacity > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(capacity);
      this.#bytes.copy(grown, 0, this.#start, this.#end);
      this.#bytes = grown;
    } else if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#bytes.set(piece, unread);
    this.#end = unread + piece.length;
  }

  /**
   * Gives the memory back that what is unread does not need, if that is worth it; returns how many
   * bytes.
   */
  trim(): number {
    const unread = this.#end - this.#start;
    const spare = this.#bytes.length - unread;
    if (spare < TRIM_BYTES_MIN) return 0;
    const left = unread === 0 ? EMPTY : Buffer.allocUnsafeSlow(unread);
    this.#bytes.copy(left, 0, this.#start, this.#end);
    this.#bytes = left;
    this.#start = 0;
    this.#end = unread;
    return spare;
  }

  /** Nothing follows: what is left is the last line, ended or not. */
  end(): void {
    this.#isEnded = true;
  }

  /** Gives the memory back; nothing may be added any more. */
  drop(): void {
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    this.#isEnded = true;
  }

  /**
   * Finds the next line: 0, and `line` gives it until the next call; NO_LINE; or LINE_TOO_LONG,
   * once a line.
   */
  next(): number {
    for (;;) {
      const feed = this.#feed();
      if (this.#isSkipping) {
        this.#isSkipping = feed < 0 && !this.#isEnded;
        this.#start = feed < 0 ? this.#end : feed + 1;
        if (feed < 0) return NO_LINE;
        continue;
      }
      const lineEnd = feed < 0 ? this.#end : feed;
      if (lineEnd - this.#start > this.#lineBytesMax) {
        this.#isSkipping = feed < 0 && !this.#isEnded;
        this.#start = feed < 0 ? this.#end : feed + 1;
        return LINE_TOO_LONG;
      }
      if (feed < 0 && !(this.#isEnded && this.#start < this.#end)) return NO_LINE;
      this.lineStart = this.#start;
      this.lineEnd = lineEnd;
      this.#start = feed < 0 ? this.#end : feed + 1;
      return 0;
    }
  }

  /** The line that `next` found last. */
  line(): Buffer {
    return this.#bytes.subarray(this.lineStart, this.lineEnd);
  }

  #feed(): number {
    const feed = this.#bytes.indexOf(LINE_FEED, this.#start);
    return feed < this.#end ? feed : -1;
  }
}
