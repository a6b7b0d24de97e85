/**
 * Patterns of source addresses: `*` is any text, `?` any character, `#` any digit, the rest itself.
 *
 * Matching goes back to the last `*` only, so it takes at most |pattern| × |text| steps whatever
 * the pattern: no pattern of the configuration can make admission slow. Pure; any thread.
 */
const ANY_TEXT = 0x2a;
const ANY_CHARACTER = 0x3f;
const ANY_DIGIT = 0x23;

/** Whether the pattern matches all of `text`. */
export function matchesPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let starText = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern.charCodeAt(p) === ANY_TEXT) {
      starAt = p++;
      starText = t;
    } else if (p < pattern.length && matchesOne(pattern.charCodeAt(p), text.charCodeAt(t))) {
      p++;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++starText;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern.charCodeAt(p) === ANY_TEXT) p++;
  return p === pattern.length;
}

function matchesOne(pattern: number, unit: number): boolean {
  if (pattern === ANY_CHARACTER) return true;
  if (pattern === ANY_DIGIT) return unit >= 0x30 && unit <= 0x39;
  return pattern === unit;
}

/** `allow` compares letters as they are written, `deny` in any case: both err towards refusing. */
export interface SenderPatterns {
  readonly allow: readonly string[] | null;
  readonly deny: readonly string[];
}

/**
 * Patterns split so that most addresses cost two look-ups: those without wildcards are sets.
 */
export class SenderFilter {
  readonly #allowExact: ReadonlySet<string> | null;
  readonly #allow: readonly string[];
  readonly #denyExact: ReadonlySet<string>;
  readonly #deny: readonly string[];

  constructor(patterns: SenderPatterns) {
    const deny = patterns.deny.map((pattern) => pattern.toLowerCase());
    const allow = patterns.allow ?? [];
    this.#allowExact = patterns.allow === null ? null : new Set(allow.filter(isExact));
    this.#allow = allow.filter((pattern) => !isExact(pattern));
    this.#denyExact = new Set(deny.filter(isExact));
    this.#deny = deny.filter((pattern) => !isExact(pattern));
  }

  /** Whether nothing is refused: no address needs to be looked at. */
  get passesAll(): boolean {
    return this.#allowExact === null && this.#denyExact.size === 0 && this.#deny.length === 0;
  }

  /** Whether a message needs a source address at all. */
  get needsSender(): boolean {
    return this.#allowExact !== null;
  }

  /** Whether this source address, without a leading +, may be used. */
  passes(address: string): boolean {
    const folded = address.toLowerCase();
    if (this.#denyExact.has(folded)) return false;
    if (this.#deny.some((pattern) => matchesPattern(pattern, folded))) return false;
    if (this.#allowExact === null || this.#allowExact.has(address)) return true;
    return this.#allow.some((pattern) => matchesPattern(pattern, address));
  }
}

function isExact(pattern: string): boolean {
  return !/[*?#]/u.test(pattern);
}
