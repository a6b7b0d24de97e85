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

const TEXT_NAMES = ["to", "from", "text", "reference", "campaign", "class", "dlr", "encoding"];
const NUMBER_NAMES = ["priority", "route", "ttl_s", "max_parts"];
const NAMES = [...TEXT_NAMES, ...NUMBER_NAMES];
const FIRST_NUMBER = TEXT_NAMES.length;
const NAME_LENGTH_MAX = 15;

const NAME_BYTES: readonly Uint8Array[] = NAMES.map((name) => new TextEncoder().encode(name));

/** Field by the length of its name and the low bits of its first letter, no two alike; or -1. */
const FIELD_BY_LOOK = new Int8Array((NAME_LENGTH_MAX + 1) << 5).fill(-1);
for (const [field, name] of NAME_BYTES.entries()) {
  FIELD_BY_LOOK[lookOf(name.length, name[0] as number)] = field;
}

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
  messageClass = "";
  dlr = "";
  encoding = "";
  priority = NOT_GIVEN;
  route = NOT_GIVEN;
  ttlS = NOT_GIVEN;
  partsMax = NOT_GIVEN;

  /** By field: where its text starts and ends, or its number. */
  readonly #starts = new Int32Array(NAMES.length);
  readonly #ends = new Int32Array(NAMES.length);
  /** Bit per field that was given. */
  #given = 0;
  /** Where the object itself starts and ends. */
  #start = 0;
  #end = 0;
  #source = "";

  /** Takes the message that all of `bytes` are; false if it is not plain. */
  read(bytes: Buffer): boolean {
    const end = this.scan(bytes, skipSpace(bytes, 0));
    if (end === NOT_PLAIN || skipSpace(bytes, end) !== bytes.length) return false;
    this.take(bytes.toString("latin1"));
    return true;
  }

  /**
   * Finds the members of the object that starts at `start`; the offset behind it, or NOT_PLAIN.
   */
  scan(bytes: Uint8Array, start: number): number {
    const end = bytes.length;
    this.#given = 0;
    let at = start;
    if (at >= end || bytes[at] !== OPEN) return NOT_PLAIN;
    do {
      at = skipSpace(bytes, at + 1);
      const name = at + 1;
      at = this.#endOfText(bytes, at);
      if (at === NOT_PLAIN) return NOT_PLAIN;
      const field = fieldOf(bytes, name, at);
      if (field < 0 || (this.#given & (1 << field)) !== 0) return NOT_PLAIN;
      this.#given |= 1 << field;
      at = skipSpace(bytes, at + 1);
      if (at >= end || bytes[at] !== COLON) return NOT_PLAIN;
      at = skipSpace(bytes, at + 1);
      at =
        field < FIRST_NUMBER
          ? this.#scanText(bytes, at, field)
          : this.#scanNumber(bytes, at, field);
      if (at === NOT_PLAIN) return NOT_PLAIN;
      at = skipSpace(bytes, at);
      if (at >= end) return NOT_PLAIN;
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE) return NOT_PLAIN;
    this.#start = start;
    this.#end = at + 1;
    return this.#end;
  }

  /** Takes the members that `scan` found; `source` is all of its bytes as Latin-1. */
  take(source: string): void {
    this.#source = source;
    this.to = this.#textOf(0);
    this.from = this.#textOf(1);
    this.text = this.#textOf(2);
    this.reference = this.#textOf(3);
    this.campaign = this.#textOf(4);
    this.messageClass = this.#textOf(5);
    this.dlr = this.#textOf(6);
    this.encoding = this.#textOf(7);
    this.priority = this.#numberOf(FIRST_NUMBER);
    this.route = this.#numberOf(FIRST_NUMBER + 1);
    this.ttlS = this.#numberOf(FIRST_NUMBER + 2);
    this.partsMax = this.#numberOf(FIRST_NUMBER + 3);
  }

  /** The object that JSON.parse makes of it. */
  toObject(): unknown {
    return JSON.parse(this.#source.substring(this.#start, this.#end));
  }

  #textOf(field: number): string {
    if ((this.#given & (1 << field)) === 0) return "";
    return this.#source.substring(this.#starts[field] as number, this.#ends[field]);
  }

  #numberOf(field: number): number {
    return (this.#given & (1 << field)) === 0 ? NOT_GIVEN : (this.#starts[field] as number);
  }

  /** The offset behind the text that starts at `at`; an empty one is for JSON to refuse. */
  #scanText(bytes: Uint8Array, at: number, field: number): number {
    const last = this.#endOfText(bytes, at);
    if (last <= at + 1) return NOT_PLAIN;
    this.#starts[field] = at + 1;
    this.#ends[field] = last;
    return last + 1;
  }

  /** Offset of the quote that ends the string that starts at `at`. */
  #endOfText(bytes: Uint8Array, at: number): number {
    const end = bytes.length;
    if (at >= end || bytes[at] !== QUOTE) return NOT_PLAIN;
    const isPlain = IS_PLAIN;
    let i = at + 1;
    while (i < end && isPlain[bytes[i] as number] !== 0) i++;
    return i < end && bytes[i] === QUOTE ? i : NOT_PLAIN;
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
    this.#starts[field] = value;
    return at;
  }
}

/** The field with the name in bytes [start, end), or -1. */
function fieldOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0 || length > NAME_LENGTH_MAX) return -1;
  const field = FIELD_BY_LOOK[lookOf(length, bytes[start] as number)] as number;
  if (field < 0) return -1;
  const name = NAME_BYTES[field] as Uint8Array;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== name[i]) return -1;
  return field;
}
