/**
 * A batch whose messages are all plain: found out in one pass, then told message by message.
 *
 *   {"messages":[ m0, m1, m2 ]} ─► read: every one is plain ─► next, next, next
 *
 * The pass keeps where the members are, for nothing is admitted of a batch that turns out not to be
 * plain in its last message. An instance is used again for each batch; one thread only.
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
  #source = "";
  /** Messages told so far. */
  #told = 0;

  /**
   * Takes the batch that all of `bytes` are, of at most `countMax` messages; false if it is none.
   */
  read(bytes: Buffer, countMax: number): boolean {
    this.count = 0;
    for (let i = 0; i < START.length; i++) if (bytes[i] !== START[i]) return false;
    let at = START.length - 1;
    do {
      at = this.#message.scan(bytes, skipSpace(bytes, at + 1), this.count);
      if (at === NOT_PLAIN || ++this.count > countMax) return false;
      at = skipSpace(bytes, at);
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE_LIST) return false;
    at = skipSpace(bytes, at + 1);
    if (bytes[at] !== CLOSE || skipSpace(bytes, at + 1) !== bytes.length) return false;
    this.#source = bytes.toString("latin1");
    this.#told = 0;
    return true;
  }

  /** The next message, valid until this is called again; to be called `count` times at once. */
  next(): PlainMessage {
    const message = this.#message;
    message.take(this.#source, this.#told++);
    return message;
  }
}
