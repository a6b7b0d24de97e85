/**
 * Lines that were made from the last ones, as a block of deflate: what is copied is known.
 *
 *   part's line     copies of the last message's line, but for the bytes of its values that differ
 *   message's line  copies of the part's: its number, its key, and all behind
 *
 * Lines that were made otherwise stand in it byte by byte, which is worth it as long as they are
 * few. Any thread.
 */
import { DeflateBlock } from "./deflate-block.ts";
import type { LineBytes } from "./line-bytes.ts";
import { Place, PLACE_COUNT } from "./line-places.ts";

/** More bytes of other lines, or a greater share of them, and a block is left to zlib. */
const OTHER_BYTES_MAX = 8 * 1024;
const OTHER_SHARE_MAX = 1 / 32;
/** Of 512 KiB of lines, which become about a twentieth of that. */
const DEFLATED_BYTES_MAX = 128 * 1024;
/** The end of a key: the same for all messages of an ingress thread. */
const ORIGIN_DIGITS = 8;
const QUOTE = 0x22;
const COMMA = 0x2c;

export class LineCopies {
  readonly #lines: LineBytes;
  readonly #block = new DeflateBlock(DEFLATED_BYTES_MAX);
  /** Start and end of each value in the part's line that may differ from the last one's. */
  readonly #values = new Int32Array(2 * (PLACE_COUNT + 1));
  #valueCount = 0;
  /** Up to where the block has the lines. */
  #toldTo = 0;
  #otherBytes = 0;

  constructor(lines: LineBytes) {
    this.#lines = lines;
  }

  /** What is told next has its values at other places. */
  otherShape(): void {
    this.#valueCount = 0;
  }

  /**
   * The two lines from `start` to the lines' end were made from those at `last`; their values stand
   * at `places`, from `start` on, and are as long as those.
   */
  tell(start: number, last: number, places: Int32Array): void {
    this.#otherBytes += start - this.#toldTo;
    if (this.#otherBytes > OTHER_BYTES_MAX) return;
    const { out, at: end } = this.#lines;
    const block = this.#block;
    block.literals(out, this.#toldTo, start);
    this.#toldTo = end;
    if (this.#valueCount === 0) this.#findValues(start, places);
    const back = start - last;
    let copied = start;
    for (let i = 0; i < this.#valueCount; i++) {
      const valueEnd = start + (this.#values[2 * i + 1] as number);
      let k = start + (this.#values[2 * i] as number);
      while (k < valueEnd && out[k] === out[k - back]) k++;
      if (k === valueEnd) continue;
      block.copy(out, copied, k, back);
      block.literals(out, k, valueEnd);
      copied = valueEnd;
    }
    const partEnd = start + (places[Place.END] as number);
    block.copy(out, copied, partEnd, back);
    this.#tellMessage(start, partEnd, back, places);
  }

  #tellMessage(start: number, partEnd: number, back: number, places: Int32Array): void {
    const { out, at: end } = this.#lines;
    const block = this.#block;
    const partBytes = partEnd - start;
    // Its number is one more than the part's, which the values begin with.
    const numberEnd = partEnd + (this.#values[1] as number);
    let k = start + (places[Place.ROW_AGAIN] as number);
    while (k < numberEnd && out[k] === out[k - partBytes]) k++;
    block.copy(out, partEnd, k, partBytes);
    block.literals(out, k, numberEnd);
    const key = start + (places[Place.KEY_AGAIN] as number);
    const rest = start + (places[Place.REST_AGAIN] as number);
    block.copy(out, numberEnd, key, back);
    // Behind either key is its quote.
    block.copy(out, key, rest, key - start - (places[Place.KEY] as number));
    block.copy(out, rest, end, rest - start - (places[Place.REST] as number));
  }

  /** All lines so far, as deflate blocks; null if zlib does better. Begins anew. */
  finish(): Uint8Array | null {
    const { out, at } = this.#lines;
    const block = this.#block;
    this.#otherBytes += at - this.#toldTo;
    const isOfUse = this.#otherBytes <= Math.min(OTHER_BYTES_MAX, at * OTHER_SHARE_MAX);
    if (isOfUse) block.literals(out, this.#toldTo, at);
    const deflated = isOfUse ? block.finish() : null;
    block.begin();
    this.#toldTo = 0;
    this.#otherBytes = 0;
    return deflated;
  }

  #findValues(start: number, places: Int32Array): void {
    const { out } = this.#lines;
    for (let place = 0; place < Place.REST; place++) {
      if ((places[place] as number) < 0) continue;
      const at = start + (places[place] as number);
      const isText = out[at] === QUOTE;
      const from = isText ? at + 1 : at;
      const until = out.indexOf(isText || place === Place.KEY ? QUOTE : COMMA, from);
      if (place === Place.KEY) {
        this.#addValue(from - start, until - start - ORIGIN_DIGITS);
        this.#addValue(until - start - ORIGIN_DIGITS, until - start);
      } else {
        // Times end with a letter that all have.
        const isTime = place >= Place.ACCEPTED_AT;
        this.#addValue(from - start, until - start - (isTime ? 1 : 0));
      }
    }
  }

  #addValue(from: number, until: number): void {
    this.#values[2 * this.#valueCount] = from;
    this.#values[2 * this.#valueCount + 1] = until;
    this.#valueCount++;
  }
}
