/**
 * A message as nearly all are written: one flat object of printable ASCII and small whole numbers.
 *
 *   {"to":"+998901234567","text":"…","priority":2} ─► one pass over the bytes ─► its fields
 *   an escape, another alphabet, an unknown or repeated name, anything else ─► NOT_PLAIN
 *
 * What is not plain is no error: it is for `readJson`, which understands all of JSON and says what
 * is wrong. Whatever passes here means the same there. Values are not checked here. An instance is
 * used again for each message; one thread only.
 */
import { DLR_MODE_NAMES, MESSAGE_CLASS_NAMES } from "../../records/types.ts";

/** Not a plain message; it may still be a good one. */
export const NOT_PLAIN = -1;
/** Value of a number that was not given. */
export const NOT_GIVEN = -1;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const SPACE = 0x20;
const ZERO = 0x30;
/** More digits may not fit what follows; no field needs them. */
const DIGITS_MAX = 9;

const TEXT_NAMES = ["to", "from", "text", "reference", "campaign", "encoding"];
const NUMBER_NAMES = ["priority", "route", "ttl_s", "max_parts"];
const NAMES = [...TEXT_NAMES, ...NUMBER_NAMES, "class", "dlr"];
const FIRST_NUMBER = TEXT_NAMES.length;
const CLASS_FIELD = FIRST_NUMBER + NUMBER_NAMES.length;
const DLR_FIELD = CLASS_FIELD + 1;
const WORD_LENGTH_MAX = 15;

/** A few words, told apart by their length and the low bits of their first letter. */
class WordSet {
  readonly #words: readonly Uint8Array[];
  readonly #byLook = new Int8Array((WORD_LENGTH_MAX + 1) << 5).fill(-1);

  constructor(words: readonly string[]) {
    this.#words = words.map((word) => new TextEncoder().encode(word));
    for (const [index, word] of this.#words.entries()) {
      this.#byLook[lookOf(word.length, word[0] as number)] = index;
    }
  }

  /** Which word the bytes [start, end) are, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length <= 0 || length > WORD_LENGTH_MAX) return -1;
    const index = this.#byLook[lookOf(length, bytes[start] as number)] as number;
    if (index < 0) return -1;
    const word = this.#words[index] as Uint8Array;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== word[i]) return -1;
    return index;
  }
}

const FIELDS = new WordSet(NAMES);
const CLASSES = new WordSet(MESSAGE_CLASS_NAMES);
const DLR_MODES = new WordSet(DLR_MODE_NAMES);

/** Where a message's members are: by field its start or number, and its end; then the rest. */
const ENDS = NAMES.length;
const GIVEN = 2 * NAMES.length;
const START = GIVEN + 1;
const END = START + 1;
const SPAN_WORDS = END + 1;

/** Whether a byte may stand in a plain string. */
const IS_PLAIN = new Uint8Array(256);
for (let byte = SPACE; byte < 0x7f; byte++) {
  IS_PLAIN[byte] = Number(byte !== QUOTE && byte !== 0x5c);
}

function lookOf(length: number, first: number): number {
  return (length << 5) | (first & 0x1f);
}

/** Offset of the next byte that is no white space. */
export function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    if (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}

export class PlainMessage {
  /** Texts are empty where they were not given. */
  to = "";
  from = "";
  text = "";
  reference = "";
  campaign = "";
  encoding = "";
  /** MessageClass and DlrMode. */
  messageClass = NOT_GIVEN;
  dlr = NOT_GIVEN;
  priority = NOT_GIVEN;
  route = NOT_GIVEN;
  ttlS = NOT_GIVEN;
  partsMax = NOT_GIVEN;

  /** SPAN_WORDS per message. */
  #spans = new Int32Array(SPAN_WORDS);
  /** Where those of the message at hand start. */
  #base = 0;
  #source = "";

  /** Takes the message that all of `bytes` are; false if it is not plain. */
  read(bytes: Buffer): boolean {
    const end = this.scan(bytes, skipSpace(bytes, 0), 0);
    if (end === NOT_PLAIN || skipSpace(bytes, end) !== bytes.length) return false;
    this.take(bytes.toString("latin1"), 0);
    return true;
  }

  /**
   * Finds the members of the object that starts at `start`, and keeps them as message `index`; the
   * offset behind it, or NOT_PLAIN.
   */
  scan(bytes: Uint8Array, start: number, index: number): number {
    const end = bytes.length;
    this.#base = index * SPAN_WORDS;
    if (this.#base >= this.#spans.length) this.#growSpans();
    let given = 0;
    let at = start;
    if (at >= end || bytes[at] !== OPEN) return NOT_PLAIN;
    do {
      at = skipSpace(bytes, at + 1);
      const name = at + 1;
      at = endOfText(bytes, at);
      if (at === NOT_PLAIN) return NOT_PLAIN;
      const field = FIELDS.find(bytes, name, at);
      if (field < 0 || (given & (1 << field)) !== 0) return NOT_PLAIN;
      given |= 1 << field;
      at = skipSpace(bytes, at + 1);
      if (at >= end || bytes[at] !== COLON) return NOT_PLAIN;
      at = skipSpace(bytes, at + 1);
      at = this.#scanValue(bytes, at, field);
      if (at === NOT_PLAIN) return NOT_PLAIN;
      at = skipSpace(bytes, at);
      if (at >= end) return NOT_PLAIN;
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE) return NOT_PLAIN;
    const spans = this.#spans;
    const base = this.#base;
    spans[base + GIVEN] = given;
    spans[base + START] = start;
    spans[base + END] = at + 1;
    return at + 1;
  }

  /**
   * Takes the members that `scan` found of message `index`; `source` is all of its bytes as
   * Latin-1.
   */
  take(source: string, index: number): void {
    this.#base = index * SPAN_WORDS;
    this.#source = source;
    this.to = this.#textOf(0);
    this.from = this.#textOf(1);
    this.text = this.#textOf(2);
    this.reference = this.#textOf(3);
    this.campaign = this.#textOf(4);
    this.encoding = this.#textOf(5);
    this.messageClass = this.#numberOf(CLASS_FIELD);
    this.dlr = this.#numberOf(DLR_FIELD);
    this.priority = this.#numberOf(FIRST_NUMBER);
    this.route = this.#numberOf(FIRST_NUMBER + 1);
    this.ttlS = this.#numberOf(FIRST_NUMBER + 2);
    this.partsMax = this.#numberOf(FIRST_NUMBER + 3);
  }

  /** The object that JSON.parse makes of it. */
  toObject(): unknown {
    const spans = this.#spans;
    const base = this.#base;
    return JSON.parse(this.#source.substring(spans[base + START] as number, spans[base + END]));
  }

  #isGiven(field: number): boolean {
    return ((this.#spans[this.#base + GIVEN] as number) & (1 << field)) !== 0;
  }

  #textOf(field: number): string {
    if (!this.#isGiven(field)) return "";
    const at = this.#base + field;
    return this.#source.substring(this.#spans[at] as number, this.#spans[at + ENDS]);
  }

  #numberOf(field: number): number {
    return this.#isGiven(field) ? (this.#spans[this.#base + field] as number) : NOT_GIVEN;
  }

  #growSpans(): void {
    const grown = new Int32Array(2 * this.#spans.length);
    grown.set(this.#spans);
    this.#spans = grown;
  }

  /** The offset behind the value that starts at `at`. */
  #scanValue(bytes: Uint8Array, at: number, field: number): number {
    if (field >= FIRST_NUMBER && field < CLASS_FIELD) return this.#scanNumber(bytes, at, field);
    const last = endOfText(bytes, at);
    // An empty text is for JSON to refuse.
    if (last <= at + 1) return NOT_PLAIN;
    const span = this.#base + field;
    if (field < FIRST_NUMBER) {
      this.#spans[span] = at + 1;
      this.#spans[span + ENDS] = last;
      return last + 1;
    }
    const word = (field === CLASS_FIELD ? CLASSES : DLR_MODES).find(bytes, at + 1, last);
    if (word < 0) return NOT_PLAIN;
    this.#spans[span] = word;
    return last + 1;
  }

  /** The offset behind the whole number that starts at `start`. */
  #scanNumber(bytes: Uint8Array, start: number, field: number): number {
    const end = Math.min(bytes.length, start + DIGITS_MAX + 1);
    let value = 0;
    let at = start;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const length = at - start;
    if (length === 0 || length > DIGITS_MAX || (length > 1 && bytes[start] === ZERO)) {
      return NOT_PLAIN;
    }
    this.#spans[this.#base + field] = value;
    return at;
  }
}

/** Offset of the quote that ends the string that starts at `at`. */
function endOfText(bytes: Uint8Array, at: number): number {
  const end = bytes.length;
  if (at >= end || bytes[at] !== QUOTE) return NOT_PLAIN;
  const isPlain = IS_PLAIN;
  let i = at + 1;
  while (i < end && isPlain[bytes[i] as number] !== 0) i++;
  return i < end && bytes[i] === QUOTE ? i : NOT_PLAIN;
}
