/**
 * A buffer that lines of JSON are written into: pieces, numbers, times and texts, straight as
 * bytes.
 *
 *   out  [ lines so far | line being written ...          ]      used = at
 *
 * Nothing here checks for room: whoever writes a line reserves what it may take at most. No
 * allocation but for texts that need JSON's escapes or are not ASCII. Any thread.
 */
import { Buffer } from "node:buffer";

const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const QUESTION_MARK = 0x3f;
const LETTER_Z = 0x5a;
const SPACE = 0x20;
const TILDE = 0x7e;
const DELETE = 0x7f;
const HEX = Buffer.from("0123456789abcdef");
/** Shorter pieces are copied byte by byte: a call costs as much as so many of them. */
const CALL_BYTES = 24;
/** Of `2026-11-22T03:00:00.`: what times share within a second. */
const SECOND_BYTES = 20;
/** Where the milliseconds of a time stand, from its quote on. */
export const MS_OFFSET = 1 + SECOND_BYTES;
/** Seconds whose text is kept; a power of two. */
const SECONDS_KEPT = 64;
const BILLION = 1_000_000_000;

export class LineBytes {
  at = 0;
  readonly out: Buffer;
  readonly #seconds = new Float64Array(SECONDS_KEPT).fill(Number.NaN);
  readonly #secondTexts = Buffer.alloc(SECONDS_KEPT * SECOND_BYTES);

  constructor(bytes: number) {
    this.out = Buffer.allocUnsafeSlow(bytes);
  }

  /** Bytes that are there for further lines. */
  get room(): number {
    return this.out.length - this.at;
  }

  /** A piece that was made before. */
  piece(bytes: Uint8Array): void {
    const { out, at } = this;
    const length = bytes.length;
    if (length > CALL_BYTES) out.set(bytes, at);
    else for (let i = 0; i < length; i++) out[at + i] = bytes[i] as number;
    this.at = at + length;
  }

  /** What was written before between these places. */
  again(start: number, end: number): void {
    this.out.copyWithin(this.at, start, end);
    this.at += end - start;
  }

  /** A whole number from 0 to 2^53 - 1. */
  int(value: number): void {
    if (value < BILLION) {
      this.#digits(value, digitCount(value));
      return;
    }
    const high = Math.floor(value / BILLION);
    this.int(high);
    this.#digits(value - high * BILLION, 9);
  }

  #digits(value: number, count: number): void {
    const { out } = this;
    let rest = value | 0;
    for (let i = this.at + count - 1; i >= this.at; i--) {
      const tenth = (rest / 10) | 0;
      out[i] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.at += count;
  }

  /** The lowest `digits` hexadecimal digits of a 32-bit word. */
  hex(word: number, digits: number): void {
    const { out } = this;
    let rest = word;
    for (let i = this.at + digits - 1; i >= this.at; i--) {
      out[i] = HEX[rest & 0xf] as number;
      rest >>>= 4;
    }
    this.at += digits;
  }

  /** The digits of a message's key, sequence f64 and origin u32, that stands at `at` of a row. */
  key(view: DataView, at: number): void {
    const sequence = view.getFloat64(at, true);
    this.hex(Math.floor(sequence / 0x100000000), 6);
    this.hex(sequence >>> 0, 8);
    this.hex(view.getUint32(at + 8, true), 8);
  }

  /** A time (wall ms, years 1970 to 9999) in quotes: RFC 3339 in UTC with milliseconds. */
  time(wallMs: number): void {
    const second = Math.floor(wallMs / 1000);
    const slot = second & (SECONDS_KEPT - 1);
    if (this.#seconds[slot] !== second) this.#keepSecond(second, slot);
    const { out } = this;
    const texts = this.#secondTexts;
    const start = slot * SECOND_BYTES;
    let at = this.at;
    out[at++] = QUOTE;
    for (let i = start; i < start + SECOND_BYTES; i++) out[at++] = texts[i] as number;
    this.milliseconds(at, Math.floor(wallMs) - second * 1000);
    out[at + 3] = LETTER_Z;
    out[at + 4] = QUOTE;
    this.at = at + 5;
  }

  /** Three digits at `to`, whatever `at` is. */
  milliseconds(to: number, ms: number): void {
    const { out } = this;
    const tens = (ms / 10) | 0;
    const hundreds = (tens / 10) | 0;
    out[to] = ZERO + hundreds;
    out[to + 1] = ZERO + tens - hundreds * 10;
    out[to + 2] = ZERO + ms - tens * 10;
  }

  #keepSecond(second: number, slot: number): void {
    const text = new Date(second * 1000).toISOString();
    this.#secondTexts.write(text.slice(0, SECOND_BYTES), slot * SECOND_BYTES, "latin1");
    this.#seconds[slot] = second;
  }

  /** UTF-8 in quotes. What is no UTF-8 becomes U+FFFD, as Buffer's toString has it. */
  text(from: Uint8Array, start: number, end: number): void {
    const { out } = this;
    let at = this.at;
    out[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = from[i] as number;
      if (byte < SPACE || byte === QUOTE || byte === BACKSLASH || byte > DELETE) {
        this.#escaped(from, start, end);
        return;
      }
      out[at++] = byte;
    }
    out[at] = QUOTE;
    this.at = at + 1;
  }

  #escaped(from: Uint8Array, start: number, end: number): void {
    const text = Buffer.from(from.buffer, from.byteOffset + start, end - start).toString();
    this.at += this.out.write(JSON.stringify(text), this.at);
  }

  /** Bytes of an SMSC in quotes: what is not printable ASCII shows as a question mark. */
  printable(from: Uint8Array, start: number, end: number): void {
    const { out } = this;
    let at = this.at;
    out[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = from[i] as number;
      if (byte === QUOTE || byte === BACKSLASH) out[at++] = BACKSLASH;
      out[at++] = byte < SPACE || byte > TILDE ? QUESTION_MARK : byte;
    }
    out[at] = QUOTE;
    this.at = at + 1;
  }

  /**
   * Bytes without quotes, to `to` whatever `at` is; false if some of them are not as they would
   * stand in a text, and then those at `to` are of no use.
   */
  plain(to: number, from: Uint8Array, start: number, end: number): boolean {
    const { out } = this;
    for (let i = start; i < end; i++) {
      const byte = from[i] as number;
      if (byte < SPACE || byte === QUOTE || byte === BACKSLASH || byte > TILDE) return false;
      out[to + i - start] = byte;
    }
    return true;
  }

  /** A line made elsewhere. Throws if there is no room for it. */
  string(line: string): void {
    if (Buffer.byteLength(line) > this.room) throw new RangeError("CDR line without room");
    this.at += this.out.write(line, this.at);
  }
}

/** Decimal digits of a whole number. */
export function digitCount(value: number): number {
  let count = 1;
  for (let most = 10; value >= most; most *= 10) count += 1;
  return count;
}
