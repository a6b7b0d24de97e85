/**
 * Lines of a message of one part, made from the last ones like them: a copy, and its own values.
 *
 *   part's line     {"schema" … row … key … texts … link … session … SMSC id … times … }
 *   message's line  {"schema" … row … key … │ the rest is that of the part's line          }
 *
 * Like are messages whose rows differ in nothing but such values, each as long as the other's, so
 * that all stand at the same places. A copy and some hundred bytes cost half of writing every piece
 * anew. Any thread.
 */
import { Buffer } from "node:buffer";
import { readUint48, Row, ROW_ID_BYTES, ROW_TEXTS } from "../ledger/messages/row-layout.ts";
import { rowOffset, RowPart } from "../ledger/messages/row-layout.ts";
import { Accept } from "../records/accept.ts";
import { digitCount, type LineBytes, MS_OFFSET } from "./line-bytes.ts";
import { LineCopies } from "./line-copies.ts";
import { Place, PLACE_COUNT } from "./line-places.ts";

const TEXT_COUNT = 4;
/** Row, part and its texts of most messages; longer ones are not kept. */
const KEPT_BYTES = 2048;
const NOWHERE = -1;
/** Words of a row that are the same in rows alike; `ROW_BYTES` single bytes. */
const ROW_WORDS = [
  Row.VERSION,
  Row.EVENT_COUNT,
  rowOffset(Accept.APP_ID),
  rowOffset(Accept.POOL_ID),
  rowOffset(Accept.PRIORITY),
  rowOffset(Accept.TO_LENGTH),
  rowOffset(Accept.SEND_DELAY_S),
] as const;
const ROW_BYTES = [rowOffset(Accept.DATA_CODING), rowOffset(Accept.SEGMENTS)] as const;
/** Bytes of a part that are; its command_status is a word. */
const PART_BYTES = [
  RowPart.STATE,
  RowPart.ATTEMPT,
  RowPart.FLAGS,
  RowPart.RECEIPT_STATE,
  RowPart.ERROR_LENGTH,
  RowPart.ID_COUNT,
] as const;
const PART_TIMES = [
  RowPart.SENDING_AT,
  RowPart.ANSWERED_AT,
  RowPart.RECEIPT_AT,
  RowPart.FINAL_AT,
] as const;

export class RepeatedLines {
  /** Where what stands in the lines being written: to be filled in by who writes them. */
  readonly places = new Int32Array(PLACE_COUNT);
  readonly #lines: LineBytes;
  readonly #copies: LineCopies;
  /** Of the lines to be copied: where they start, and from there what stands where. */
  #start = NOWHERE;
  readonly #from = new Int32Array(PLACE_COUNT);
  /** The row that they are of, its part in it, their first number, and the second of each time. */
  readonly #row = Buffer.alloc(KEPT_BYTES);
  readonly #view = new DataView(this.#row.buffer, this.#row.byteOffset, KEPT_BYTES);
  #part = 0;
  #number = 0;
  readonly #seconds = new Float64Array(PLACE_COUNT);

  constructor(lines: LineBytes) {
    this.#lines = lines;
    this.#copies = new LineCopies(lines);
  }

  /** The next lines are like none so far. */
  forget(): void {
    this.#start = NOWHERE;
  }

  /**
   * To be called when the lines written so far are to go: what they are as deflate blocks that end
   * at a byte, none the last, valid until lines are written; null if zlib does better.
   */
  finish(): Uint8Array | null {
    this.forget();
    return this.#copies.finish();
  }

  /**
   * Keeps the lines from `start` on, of which `places` tells, for messages to come. They are of row
   * `number`, made from a row and part at these places of a chunk, and must be as long as their
   * values: nothing escaped in them.
   */
  learn(start: number, number: number, bytes: Uint8Array, row: number, part: number): void {
    const idBytes = this.#idLength(bytes, part);
    const end = part + RowPart.FIXED + (bytes[part + RowPart.ERROR_LENGTH] as number) + idBytes;
    this.forget();
    this.#copies.otherShape();
    if (end - row > KEPT_BYTES) return;
    for (let i = row; i < end; i++) this.#row[i - row] = bytes[i] as number;
    this.#part = part - row;
    this.#number = number;
    this.#start = start;
    for (let i = 0; i < PLACE_COUNT; i++) this.#from[i] = (this.places[i] as number) - start;
    this.#seconds.fill(Number.NaN);
  }

  /**
   * Writes the lines of a message of one part, the first of which is row `number`; false, and
   * nothing is written, if it is not like the last ones.
   */
  write(
    number: number,
    recordedAt: number,
    bytes: Uint8Array,
    view: DataView,
    row: number,
    part: number,
  ): boolean {
    if (this.#start < 0 || !this.#isAlike(number, bytes, view, row, part)) return false;
    const lines = this.#lines;
    const from = this.#from;
    const start = lines.at;
    const last = this.#start;
    const end = from[Place.END] as number;
    lines.again(last, last + end);
    if (!this.#writeTexts(start, bytes, row) || !this.#writeSmscId(start, bytes, part)) {
      lines.at = start;
      this.forget();
      return false;
    }
    this.#writeInt(start + (from[Place.ROW] as number), number);
    this.#writeKey(start + (from[Place.KEY] as number), view, row);
    if (bytes[part + RowPart.ATTEMPT] !== 0) {
      this.#writeInt(start + (from[Place.LINK] as number), view.getUint32(part + RowPart.LINK_ID));
      const session = bytes[part + RowPart.SESSION] as number;
      this.#writeInt(start + (from[Place.SESSION] as number), session);
    }
    this.#writeTimes(start, recordedAt, bytes, view, row, part);
    lines.at = start + end;
    // The message's line.
    lines.again(last + end, last + (from[Place.REST_AGAIN] as number));
    const after = lines.at;
    this.#writeInt(start + (from[Place.ROW_AGAIN] as number), number + 1);
    this.#writeKey(start + (from[Place.KEY_AGAIN] as number), view, row);
    lines.at = after;
    lines.again(start + (from[Place.REST] as number), start + end);
    this.#copies.tell(start, last, from);
    this.#start = start;
    return true;
  }

  #isAlike(number: number, bytes: Uint8Array, view: DataView, row: number, part: number): boolean {
    const lastPart = this.#part;
    const last = this.#view;
    if (part - row !== lastPart) return false;
    for (let i = 0; i < ROW_WORDS.length; i++) {
      const at = ROW_WORDS[i] as number;
      if (view.getUint32(row + at) !== last.getUint32(at)) return false;
    }
    for (let i = 0; i < ROW_BYTES.length; i++) {
      const at = ROW_BYTES[i] as number;
      if (bytes[row + at] !== this.#row[at]) return false;
    }
    for (let i = 0; i < PART_BYTES.length; i++) {
      const at = PART_BYTES[i] as number;
      if (bytes[part + at] !== this.#row[lastPart + at]) return false;
    }
    const status = last.getUint32(lastPart + RowPart.COMMAND_STATUS);
    if (view.getUint32(part + RowPart.COMMAND_STATUS) !== status) return false;
    return this.#hasSameLengths(number, bytes, view, part) && this.#hasSameTimes(view, row, part);
  }

  /** Whether numbers and texts of unequal value are as long, and errors the same. */
  #hasSameLengths(number: number, bytes: Uint8Array, view: DataView, part: number): boolean {
    const lastPart = this.#part;
    const digits = digitCount(this.#number);
    if (digitCount(number) !== digits || digitCount(number + 1) !== digits) return false;
    const lastLink = this.#view.getUint32(lastPart + RowPart.LINK_ID);
    const link = view.getUint32(part + RowPart.LINK_ID);
    if (link !== lastLink && digitCount(link) !== digitCount(lastLink)) return false;
    const lastSession = this.#row[lastPart + RowPart.SESSION] as number;
    const session = bytes[part + RowPart.SESSION] as number;
    if (session !== lastSession && digitCount(session) !== digitCount(lastSession)) return false;
    const errorLength = bytes[part + RowPart.ERROR_LENGTH] as number;
    for (let i = RowPart.FIXED; i < RowPart.FIXED + errorLength; i++) {
      if (bytes[part + i] !== this.#row[lastPart + i]) return false;
    }
    return this.#idLength(bytes, part) === this.#idLength(this.#row, lastPart);
  }

  /** Whether the same times are set, and the message ended with its part. */
  #hasSameTimes(view: DataView, row: number, part: number): boolean {
    const last = this.#view;
    for (let i = 0; i < PART_TIMES.length; i++) {
      const at = PART_TIMES[i] as number;
      if (isTime(view, part + at) !== isTime(last, this.#part + at)) return false;
    }
    const final = part + RowPart.FINAL_AT;
    return (
      view.getUint32(row + Row.FINAL_AT) === view.getUint32(final) &&
      view.getUint16(row + Row.FINAL_AT + 4) === view.getUint16(final + 4)
    );
  }

  /** Bytes of the first id, with what stands before them; 0: there is none. */
  #idLength(bytes: Uint8Array, part: number): number {
    if (bytes[part + RowPart.ID_COUNT] === 0) return 0;
    const id = part + RowPart.FIXED + (bytes[part + RowPart.ERROR_LENGTH] as number);
    return ROW_ID_BYTES + (bytes[id + ROW_ID_BYTES - 1] as number);
  }

  #writeInt(at: number, value: number): void {
    this.#lines.at = at;
    this.#lines.int(value);
  }

  #writeKey(at: number, view: DataView, row: number): void {
    this.#lines.at = at;
    this.#lines.key(view, row + rowOffset(Accept.SEQUENCE));
  }

  #writeTexts(start: number, bytes: Uint8Array, row: number): boolean {
    let at = row + ROW_TEXTS;
    for (let i = 0; i < TEXT_COUNT; i++) {
      const end = at + (bytes[row + rowOffset(Accept.TO_LENGTH) + i] as number);
      // Behind the quote.
      const to = start + (this.#from[Place.TEXTS + i] as number) + 1;
      if (end > at && !this.#lines.plain(to, bytes, at, end)) return false;
      at = end;
    }
    return true;
  }

  #writeSmscId(start: number, bytes: Uint8Array, part: number): boolean {
    const length = this.#idLength(bytes, part);
    if (length === 0) return true;
    const id = part + RowPart.FIXED + (bytes[part + RowPart.ERROR_LENGTH] as number);
    const to = start + (this.#from[Place.SMSC_ID] as number) + 1;
    return this.#lines.plain(to, bytes, id + ROW_ID_BYTES, id + length);
  }

  #writeTimes(
    start: number,
    recordedAt: number,
    bytes: Uint8Array,
    view: DataView,
    row: number,
    part: number,
  ): void {
    const acceptedAt = view.getFloat64(row + rowOffset(Accept.ACCEPTED_AT), true);
    this.#writeTime(start, Place.ACCEPTED_AT, Math.floor(acceptedAt));
    for (let i = 0; i < PART_TIMES.length; i++) {
      const place = Place.SENT_AT + i;
      const at = part + (PART_TIMES[i] as number);
      // Of an attempt that was not begun the answer is not told, though there is a time.
      const isTold = (this.#from[place] as number) >= 0;
      if (isTold && isTime(view, at)) this.#writeTime(start, place, readUint48(bytes, at));
    }
    this.#writeTime(start, Place.RECORDED_AT, recordedAt);
  }

  #writeTime(start: number, place: number, wallMs: number): void {
    const at = start + (this.#from[place] as number);
    const second = Math.floor(wallMs / 1000);
    if (second === this.#seconds[place]) {
      this.#lines.milliseconds(at + MS_OFFSET, wallMs - second * 1000);
      return;
    }
    this.#seconds[place] = second;
    this.#lines.at = at;
    this.#lines.time(wallMs);
  }
}

function isTime(view: DataView, at: number): boolean {
  return view.getUint32(at) !== 0 || view.getUint16(at + 4) !== 0;
}
