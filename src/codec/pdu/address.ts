/**
 * What kind of source address a sender has written, by its look alone.
 *
 *   "+998901234567"  international   7 to 15 digits, the first not 0, + optional
 *   "0901234567"     national        7 to 15 digits, one 0 in front
 *   "1234"           short code      3 to 6 digits
 *   "MYBRAND"        alphanumeric    1 to 11 of letters, digits, space . _ & -, at least one a
 *                                    letter, no space at an end: a handset would not show it
 *
 * Control characters never pass: a NUL would end the C-octet string early. Pure; any thread may
 * call it.
 */
import { NPI, TON } from "./field-values.ts";
import { FIELD_ILLEGAL } from "./sentinels.ts";

/** Characters of an alphanumeric sender that reach a handset (TS 23.040, 9.1.2.5). */
export const ALPHANUMERIC_LENGTH_MAX = 11;
export const SHORT_CODE_DIGITS_MAX = 6;
const SPACE = 0x20;

/**
 * Whether `text` from `start` on is `min` to `max` digits, the first not 0 unless `zeroFirst`.
 */
export function areDigits(
  text: string,
  start: number,
  min: number,
  max: number,
  zeroFirst: boolean,
): boolean {
  const count = text.length - start;
  if (count < min || count > max) return false;
  for (let i = start; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x30 || unit > 0x39) return false;
  }
  return zeroFirst || text.charCodeAt(start) !== 0x30;
}

/**
 * The TON of a source address (spec 5.2.5): international, national, alphanumeric, or
 * network_specific for a short code; FIELD_ILLEGAL for what is none of them.
 */
export function tonOfSource(address: string): number {
  const start = address.charCodeAt(0) === 0x2b ? 1 : 0;
  if (areDigits(address, start, 7, 15, false)) return TON.international;
  if (start === 0) {
    if (areDigits(address, 0, 3, SHORT_CODE_DIGITS_MAX, true)) return TON.network_specific;
    const isNational = address.charCodeAt(0) === 0x30 && areDigits(address, 1, 6, 14, false);
    if (isNational) return TON.national;
  }
  return isAlphanumeric(address) ? TON.alphanumeric : FIELD_ILLEGAL;
}

/** The NPI that goes with a TON of `tonOfSource` where no operator says otherwise. */
export function npiOfSource(ton: number): number {
  return ton === TON.international || ton === TON.national ? NPI.isdn : NPI.unknown;
}

function isAlphanumeric(text: string): boolean {
  const last = text.length - 1;
  if (last >= ALPHANUMERIC_LENGTH_MAX) return false;
  let hasLetter = false;
  for (let i = 0; i <= last; i++) {
    const unit = text.charCodeAt(i);
    const letter = unit | 0x20;
    if (letter >= 0x61 && letter <= 0x7a) hasLetter = true;
    else if (unit === SPACE ? i === 0 || i === last : !isDigitOrSign(unit)) return false;
  }
  return hasLetter;
}

/** A digit, or one of . _ & - */
function isDigitOrSign(unit: number): boolean {
  if (unit >= 0x30 && unit <= 0x39) return true;
  return unit === 0x2e || unit === 0x5f || unit === 0x26 || unit === 0x2d;
}
