/**
 * Strings of a request as bytes of a record: what may stand in them, how long they are, and writing
 * them in place.
 *
 * TextEncoder does not write into shared memory, hence this. Pure; any thread.
 */

/** `scanText` found nothing wrong. */
export const TEXT_CLEAN = 0;
/** A control character other than tab, line feed and carriage return. */
export const TEXT_CONTROL = -1;
/** Half of a surrogate pair. */
export const TEXT_LONE_SURROGATE = -2;

/** Looks for what no text of ours may hold. Line breaks and tabs pass only with `allowLines`. */
export function scanText(text: string, allowLines: boolean): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && unit < 0x7f) continue;
    if (unit < 0x20) {
      if (allowLines && (unit === 0x0a || unit === 0x0d || unit === 0x09)) continue;
      return TEXT_CONTROL;
    }
    if (unit < 0xa0) return TEXT_CONTROL;
    if ((unit & 0xf800) !== 0xd800) continue;
    if (unit >= 0xdc00 || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) return TEXT_LONE_SURROGATE;
    i++;
  }
  return TEXT_CLEAN;
}

/** Bytes of well-formed `text` in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // A surrogate pair is two units and four bytes.
    bytes += unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2;
  }
  return bytes;
}

/**
 * Writes well-formed `text` as UTF-8 to `out` at `at`; returns the offset behind it. Needs
 * `utf8Length` room.
 */
export function writeUtf8(text: string, out: Uint8Array, at: number): number {
  let p = at;
  for (let i = 0; i < text.length; i++) {
    let unit = text.charCodeAt(i);
    if (unit < 0x80) {
      out[p++] = unit;
      continue;
    }
    if (unit < 0x800) {
      out[p++] = 0xc0 | (unit >> 6);
      out[p++] = 0x80 | (unit & 0x3f);
      continue;
    }
    if ((unit & 0xfc00) === 0xd800) {
      unit = 0x10000 + ((unit - 0xd800) << 10) + (text.charCodeAt(++i) - 0xdc00);
      out[p++] = 0xf0 | (unit >> 18);
      out[p++] = 0x80 | ((unit >> 12) & 0x3f);
    } else {
      out[p++] = 0xe0 | (unit >> 12);
    }
    out[p++] = 0x80 | ((unit >> 6) & 0x3f);
    out[p++] = 0x80 | (unit & 0x3f);
  }
  return p;
}

/** Writes the ASCII characters of `text` from `start` on; returns the offset behind them. */
export function writeAscii(text: string, start: number, out: Uint8Array, at: number): number {
  const length = text.length - start;
  for (let i = 0; i < length; i++) out[at + i] = text.charCodeAt(start + i);
  return at + length;
}
