/**
 * Says where a UTF-16BE text must not be cut if a reader is to see whole symbols.
 *
 * The rules are the part of Unicode's extended grapheme clusters (UAX #29) that texts in SMS use:
 * marks and selectors follow their base, a zero width joiner binds both neighbours, skin tones
 * follow an emoji, regional indicators pair up. CR LF stays together. Pure; any thread may call it.
 */

const ZERO_WIDTH_JOINER = 0x200d;

function unitAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Marks in the basic plane that belong to the character before them. */
function isExtendingUnit(unit: number): boolean {
  if (unit < 0x0300) return false;
  return (
    unit <= 0x036f || // combining diacritical marks
    unit === ZERO_WIDTH_JOINER ||
    (unit >= 0xfe00 && unit <= 0xfe0f) || // variation selectors
    (unit >= 0x20d0 && unit <= 0x20ff) || // combining marks for symbols, keycap
    (unit >= 0x0483 && unit <= 0x0489) || // Cyrillic
    (unit >= 0x0591 && unit <= 0x05bd) || // Hebrew points
    (unit >= 0x064b && unit <= 0x065f) || // Arabic
    unit === 0x0670 ||
    isIndicMark(unit) ||
    unit === 0x0e31 ||
    (unit >= 0x0e34 && unit <= 0x0e3a) || // Thai
    (unit >= 0x0e47 && unit <= 0x0e4e) ||
    (unit >= 0x1ab0 && unit <= 0x1aff) ||
    (unit >= 0x1dc0 && unit <= 0x1dff) ||
    (unit >= 0xfe20 && unit <= 0xfe2f)
  );
}

/** Vowel signs, viramas and nuktas: the same places in each of the nine Indic blocks of 128. */
function isIndicMark(unit: number): boolean {
  if (unit < 0x0900 || unit > 0x0d7f) return false;
  const place = unit & 0x7f;
  return place <= 0x03 || place === 0x3c || (place >= 0x3e && place <= 0x4d);
}

/** True if the pair at `at` is an emoji modifier (U+1F3FB…F) or a tag character (U+E0020…7F). */
function isExtendingPair(high: number, low: number): boolean {
  return (
    (high === 0xd83c && low >= 0xdffb && low <= 0xdfff) ||
    (high === 0xdb40 && low >= 0xdc20 && low <= 0xdc7f) ||
    (high === 0xdb40 && low >= 0xdd00 && low <= 0xddef)
  );
}

function isRegionalIndicator(high: number, low: number): boolean {
  return high === 0xd83c && low >= 0xdde6 && low <= 0xddff;
}

/**
 * True if the unit at `at` belongs to the symbol that ends before it, so that a cut at `at` would
 * show. `from` is where the segment starts, `end` where the text ends; `at` lies strictly between
 * them.
 */
export function unitJoinsBefore(bytes: Uint8Array, from: number, at: number, end: number): boolean {
  if (at >= end || at - 2 < from) return false;
  const unit = unitAt(bytes, at);
  const before = unitAt(bytes, at - 2);
  if ((unit & 0xfc00) === 0xdc00 && (before & 0xfc00) === 0xd800) return true;
  if (before === ZERO_WIDTH_JOINER || isExtendingUnit(unit)) return true;
  if (before === 0x0d && unit === 0x0a) return true;
  if ((unit & 0xfc00) !== 0xd800 || at + 4 > end) return false;
  const low = unitAt(bytes, at + 2);
  if (isExtendingPair(unit, low)) return true;
  if (!isRegionalIndicator(unit, low)) return false;
  // Flags: an indicator joins the one before it if it is the second of a pair, counted from the
  // run's start.
  let run = 0;
  for (let p = at - 4; p >= from; p -= 4) {
    if (!isRegionalIndicator(unitAt(bytes, p), unitAt(bytes, p + 2))) break;
    run++;
  }
  return (run & 1) === 1;
}
