/**
 * GSM 7-bit text as SMPP carries it: unpacked, one septet an octet, bit 7 zero.
 *
 * A character of the extension takes two octets, 1B and its septet. Pure; any thread may call it.
 */
import { NO_ROOM, NOT_ENCODABLE } from "../pdu/sentinels.ts";
import { ESCAPE, GSM7_DEFAULT, NO_SEPTET, type Gsm7Alphabet } from "./gsm7-alphabet.ts";

/**
 * Encodes `text` into `out` at `at`, one septet an octet. Returns the number of octets written,
 * NOT_ENCODABLE if a character is missing from the alphabet, or NO_ROOM.
 */
export function encodeGsm7(
  text: string,
  out: Uint8Array,
  at: number,
  alphabet: Gsm7Alphabet = GSM7_DEFAULT,
): number {
  const table = alphabet.encode;
  const textLength = text.length;
  const room = out.length;
  let p = at;
  for (let i = 0; i < textLength; i++) {
    const unit = text.charCodeAt(i);
    const septet = unit < table.length ? table[unit]! : NO_SEPTET;
    if (septet < 0x80) {
      if (p >= room) return NO_ROOM;
      out[p++] = septet;
    } else {
      if (septet === NO_SEPTET) return NOT_ENCODABLE;
      if (p + 2 > room) return NO_ROOM;
      out[p] = ESCAPE;
      out[p + 1] = septet;
      p += 2;
    }
  }
  return p - at;
}

/** The number of septets that `text` takes, or NOT_ENCODABLE. */
export function gsm7Length(text: string, alphabet: Gsm7Alphabet = GSM7_DEFAULT): number {
  const table = alphabet.encode;
  let septets = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const septet = unit < table.length ? table[unit]! : NO_SEPTET;
    if (septet >= 0x80) {
      if (septet === NO_SEPTET) return NOT_ENCODABLE;
      septets++;
    }
  }
  return septets;
}

/**
 * Decodes unpacked septets in bytes [start, end). Bit 7 is ignored; an escape before a septet that the
 * extension lacks yields the base character of that septet, and 1B 1B or a last 1B yields a space
 * (TS 23.038, 6.2.1.1).
 */
export function decodeGsm7(
  bytes: Uint8Array,
  start: number,
  end: number,
  alphabet: Gsm7Alphabet = GSM7_DEFAULT,
): string {
  const base = alphabet.base;
  let text = "";
  for (let i = start; i < end; i++) {
    const septet = bytes[i]! & 0x7f;
    if (septet !== ESCAPE) {
      text += base[septet]!;
      continue;
    }
    i++;
    const second = i < end ? bytes[i]! & 0x7f : ESCAPE;
    text += second === ESCAPE ? " " : (alphabet.extension.get(second) ?? base[second]!);
  }
  return text;
}
