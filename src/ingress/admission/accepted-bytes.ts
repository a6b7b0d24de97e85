/**
 * The JSON of an accepted message as bytes, of which only what is in brackets is written anew:
 *
 *   {"id":"gw-1-[digits]","status":"accepted","segments":1,"encoding":"gsm7"[,"reference":"…"]}
 *
 * The rest stands in a frame per status, segments, encoding and whether there is a reference. What
 * is no plain reference is left to AcceptedTexts. One instance per ingress thread.
 */
import { ID_HEX_DIGITS, writeIdDigits } from "../../records/message-key.ts";
import type { PendingMessage } from "../calls/pending-messages.ts";
import { writeAscii } from "../http/text-bytes.ts";
import type { AcceptedTexts } from "./accepted-texts.ts";

/** Longest reference that is written as bytes. */
const REFERENCE_LENGTH_MAX = 255;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE = 0x7d;

/** Bytes that never change but for the digits of an id, and what is written behind them. */
export class IdFrame {
  readonly bytes: Uint8Array;
  readonly digitsAt: number;
  /** Where what never changes ends. */
  readonly end: number;
  /** By their length: a view costs more to make than to keep. */
  readonly #views: Uint8Array[] = [];

  constructor(start: string, end: string, roomBytes: number) {
    this.digitsAt = start.length;
    this.end = start.length + ID_HEX_DIGITS + end.length;
    this.bytes = new Uint8Array(this.end + roomBytes);
    writeAscii(start, 0, this.bytes, 0);
    writeAscii(end, 0, this.bytes, this.digitsAt + ID_HEX_DIGITS);
  }

  /** The first `length` bytes; valid until they are written anew. */
  upTo(length: number): Uint8Array {
    return (this.#views[length] ??= this.bytes.subarray(0, length));
  }
}

export class AcceptedBytes {
  readonly #texts: AcceptedTexts;
  readonly #start: string;
  readonly #frames: IdFrame[] = [];

  /** `texts` and these bytes tell ids of `node`. */
  constructor(texts: AcceptedTexts, node: string) {
    this.#texts = texts;
    this.#start = `{"id":"${node}-`;
  }

  /**
   * The object that tells of a message, valid until this is called again; null: its text must be
   * asked for.
   */
  object(message: PendingMessage): Uint8Array | null {
    const { reference, transliterated, sequence, origin } = message;
    if (transliterated !== "" || reference.length > REFERENCE_LENGTH_MAX) return null;
    const frame = this.#frameOf(message);
    const { bytes } = frame;
    let at = frame.end;
    if (reference !== "") {
      at = writeQuotable(reference, bytes, at);
      if (at < 0) return null;
      bytes[at++] = QUOTE;
      bytes[at++] = CLOSE;
    }
    writeIdDigits(sequence, origin, bytes, frame.digitsAt);
    return frame.upTo(at);
  }

  #frameOf(message: PendingMessage): IdFrame {
    const kind = 2 * this.#texts.kindOf(message) + Number(message.reference !== "");
    return (this.#frames[kind] ??= this.#makeFrame(message));
  }

  #makeFrame(message: PendingMessage): IdFrame {
    const plain = this.#texts.plainTail(message);
    const hasReference = message.reference !== "";
    const end = hasReference ? `${plain},"reference":"` : `${plain}}`;
    return new IdFrame(this.#start, end, hasReference ? REFERENCE_LENGTH_MAX + 2 : 0);
  }
}

/**
 * Writes `text` if it is ASCII that stands in a JSON string as it is; the offset behind it, or -1.
 * It has no control characters.
 */
function writeQuotable(text: string, out: Uint8Array, at: number): number {
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7e || unit === QUOTE || unit === BACKSLASH) return -1;
    out[at + i] = unit;
  }
  return at + length;
}
