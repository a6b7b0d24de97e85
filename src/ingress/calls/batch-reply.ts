/**
 * The body of a batch's answer, put together as its results come.
 *
 *   [room for its head] result 0 , result 1 , …        results that come early wait in `#early`
 *
 * Results of messages that were staged come in their order, and go straight to their place; one
 * that was refused at once, or is a replay, may come before those in front of it. The memory is
 * used again for further batches. One thread only.
 */
import { writeAscii } from "../http/text-bytes.ts";

/** Room for `{"accepted":1000,"results":[`, and more. */
const HEAD_BYTES = 40;
const BYTES_AT_START = 16 * 1024;
/** Longer ones are not kept for another batch. */
const KEPT_BYTES_MAX = 256 * 1024;
const UTF8_PER_UNIT_MAX = 3;
const COMMA = 0x2c;
const CLOSE_LIST = 0x5d;
const CLOSE = 0x7d;

export class BatchReply {
  #bytes = Buffer.allocUnsafeSlow(BYTES_AT_START);
  /** Behind the last result that is in its place, and its number. */
  #end = HEAD_BYTES;
  #next = 0;
  readonly #early = new Map<number, string>();

  /** Whether it may be kept for another batch. */
  get isKept(): boolean {
    return this.#bytes.length <= KEPT_BYTES_MAX;
  }

  reset(): void {
    this.#end = HEAD_BYTES;
    this.#next = 0;
    this.#early.clear();
  }

  /** Whether the result of `item` would go straight to its place. */
  isNext(item: number): boolean {
    return item === this.#next;
  }

  /** The result of the next item, as JSON. */
  add(result: Uint8Array): void {
    this.#claim(result.length);
    this.#bytes.set(result, this.#end);
    this.#end += result.length;
    if (this.#early.size > 0) this.#addEarly();
  }

  /** The result of any item, as JSON. */
  addText(item: number, result: string): void {
    this.#early.set(item, result);
    this.#addEarly();
  }

  /** The whole body, valid until `reset`; `accepted`: how many messages were. */
  body(accepted: number): Uint8Array {
    this.#claimRoom(2);
    const bytes = this.#bytes;
    bytes[this.#end] = CLOSE_LIST;
    bytes[this.#end + 1] = CLOSE;
    const head = `{"accepted":${accepted},"results":[`;
    const start = HEAD_BYTES - head.length;
    writeAscii(head, 0, bytes, start);
    return bytes.subarray(start, this.#end + 2);
  }

  #addEarly(): void {
    for (;;) {
      const text = this.#early.get(this.#next);
      if (text === undefined) return;
      this.#early.delete(this.#next);
      this.#claim(text.length * UTF8_PER_UNIT_MAX);
      this.#end += this.#bytes.write(text, this.#end);
    }
  }

  /** Starts the next result, of at most `bytes`. */
  #claim(bytes: number): void {
    this.#claimRoom(bytes + 1);
    if (this.#next++ > 0) this.#bytes[this.#end++] = COMMA;
  }

  #claimRoom(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }
}
