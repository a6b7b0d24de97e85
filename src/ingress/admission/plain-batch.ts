/**
 * A batch whose messages are all plain: found out in one pass, then read message by message.
 *
 *   {"messages":[ m0, m1, m2 ]} ─► read: every one is plain ─► next, next, next
 *
 * Nothing is admitted of a batch that turns out not to be plain in its last message, so the first
 * pass keeps nothing. An instance is used again for each batch; one thread only.
 */
import { NOT_PLAIN, PlainMessage, skipSpace } from "./plain-message.ts";

const START = new TextEncoder().encode('{"messages":[');
const COMMA = 0x2c;
const CLOSE_LIST = 0x5d;
const CLOSE = 0x7d;

export class PlainBatch {
  /** Messages that it has. */
  count = 0;
  readonly #message = new PlainMessage();
  #bytes: Uint8Array = new Uint8Array(0);
  #source = "";
  /** Where the next message starts. */
  #at = 0;

  /**
   * Takes the batch that all of `bytes` are, of at most `countMax` messages; false if it is none.
   */
  read(bytes: Buffer, countMax: number): boolean {
    this.count = 0;
    for (let i = 0; i < START.length; i++) if (bytes[i] !== START[i]) return false;
    let at = START.length - 1;
    do {
      at = this.#message.scan(bytes, skipSpace(bytes, at + 1));
      if (at === NOT_PLAIN || ++this.count > countMax) return false;
      at = skipSpace(bytes, at);
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE_LIST) return false;
    at = skipSpace(bytes, at + 1);
    if (bytes[at] !== CLOSE || skipSpace(bytes, at + 1) !== bytes.length) return false;
    this.#bytes = bytes;
    this.#source = bytes.toString("latin1");
    this.#at = START.length;
    return true;
  }

  /** The next message, valid until this is called again; to be called `count` times at once. */
  next(): PlainMessage {
    const message = this.#message;
    const start = skipSpace(this.#bytes, this.#at);
    const end = message.scan(this.#bytes, start);
    this.#at = skipSpace(this.#bytes, end) + 1;
    message.take(this.#source);
    return message;
  }
}
