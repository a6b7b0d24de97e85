/**
 * National language tables (3GPP TS 23.038, annex A): Turkish, Spanish, Portuguese.
 *
 * A locking table replaces the base alphabet, a single shift table the extension; each costs three
 * octets of user data header in every segment. Off unless a route asks for it: handsets and SMSCs
 * support them unevenly. Only tables that two independent sources agree on are here, so Bengali to
 * Urdu (ids 4 to 13) are not. Tables are built at load; any thread may read its own copy.
 */
import {
  createAlphabet,
  DEFAULT_EXTENSION,
  GSM7_DEFAULT,
  type Gsm7Alphabet,
} from "./gsm7-alphabet.ts";
import { gsm7Length } from "./gsm7.ts";
import { UDH_IE } from "./udh.ts";

/** National language identifiers (TS 23.038, 6.2.1.2.4); 0 stands for the default alphabet. */
export const NATIONAL_LANGUAGE = { none: 0, turkish: 1, spanish: 2, portuguese: 3 } as const;

/** Octets of one shift information element. */
export const NATIONAL_IE_LENGTH = 3;

/** "04€ 07ı": hex septet and character, separated by blanks. */
function parseTable(table: string): Map<number, string> {
  return new Map(
    table
      .trim()
      .split(/\s+/)
      .map((entry) => [Number.parseInt(entry.slice(0, 2), 16), entry.slice(2)]),
  );
}

const NOTHING: ReadonlyMap<number, string> = new Map();

/** Changes of the base alphabet. Spanish has none. */
const LOCKING: readonly ReadonlyMap<number, string>[] = [
  NOTHING,
  parseTable("04€ 07ı 0BĞ 0Cğ 1CŞ 1Dş 40İ 60ç"),
  NOTHING,
  parseTable(
    "04ê 05é 06ú 07í 08ó 09ç 0BÔ 0Cô 0EÁ 0Fá 12ª 13Ç 14À 15∞ 16^ 17\\ 18€ 19Ó 1A| " +
      "1CÂ 1Dâ 1EÊ 1FÉ 24º 40Í 5BÃ 5CÕ 5DÚ 60~ 7Bã 7Cõ 7D` 7Eü 7Fà",
  ),
];

/** Additions to the default extension, which every single shift table keeps. */
const SINGLE: readonly ReadonlyMap<number, string>[] = [
  NOTHING,
  parseTable("47Ğ 49İ 53Ş 63ç 65€ 67ğ 69ı 73ş"),
  parseTable("09ç 41Á 49Í 4FÓ 55Ú 61á 65€ 69í 6Fó 75ú"),
  parseTable(
    "05ê 09ç 0BÔ 0Cô 0EÁ 0Fá 12Φ 13Γ 15Ω 16Π 17Ψ 18Σ 19Θ 1FÊ 41À 49Í 4FÓ 55Ú 5BÃ 5CÕ 61Â 65€ 69í " +
      "6Fó 75ú 7Bã 7Cõ 7Fâ",
  ),
];

const alphabets = new Map<number, Gsm7Alphabet>();
for (const locking of [0, 1, 3]) {
  for (const single of [0, 1, 2, 3]) {
    const extension = new Map([...DEFAULT_EXTENSION, ...SINGLE[single]!]);
    const alphabet =
      locking === 0 && single === 0 ? GSM7_DEFAULT : createAlphabet(LOCKING[locking]!, extension);
    alphabets.set(locking * 16 + single, alphabet);
  }
}

/**
 * The alphabet under a locking and a single shift (NATIONAL_LANGUAGE values, 0 for none), or
 * undefined for a language whose tables are not here. Spanish has no locking table.
 */
export function nationalAlphabet(locking: number, single: number): Gsm7Alphabet | undefined {
  return alphabets.get(locking * 16 + single);
}

/** How a text is written with shifts. */
export interface NationalShift {
  readonly locking: number;
  readonly single: number;
  readonly alphabet: Gsm7Alphabet;
  /** Length of the text in septets. */
  readonly septets: number;
  /** Octets of information elements for `planByMethod`'s extraUdhLength. */
  readonly udhLength: number;
}

/**
 * Finds the cheapest use of one language's tables for `text`: none, single, locking or both, by
 * septets and the header's price. Returns undefined if even both tables lack a character.
 */
export function chooseNationalShift(text: string, language: number): NationalShift | undefined {
  let best: NationalShift | undefined;
  for (const locking of new Set([0, language])) {
    for (const single of new Set([0, language])) {
      const alphabet = nationalAlphabet(locking, single);
      if (alphabet === undefined) continue;
      const septets = gsm7Length(text, alphabet);
      if (septets < 0) continue;
      const count = (locking > 0 ? 1 : 0) + (single > 0 ? 1 : 0);
      const shift = { locking, single, alphabet, septets, udhLength: count * NATIONAL_IE_LENGTH };
      if (best === undefined || price(shift) < price(best)) best = shift;
    }
  }
  return best;
}

/**
 * Septets of text and header in one SMS; the header's own length octet comes with its first
 * element.
 */
function price(shift: NationalShift): number {
  const octets = shift.udhLength === 0 ? 0 : shift.udhLength + 1;
  return shift.septets + Math.ceil((octets * 8) / 7);
}

/** Writes the information elements of a shift to `out` at `at`; returns the offset after them. */
export function writeNationalShift(
  out: Uint8Array,
  at: number,
  locking: number,
  single: number,
): number {
  let p = at;
  if (single > 0) {
    out[p] = UDH_IE.national_single_shift;
    out[p + 1] = 1;
    out[p + 2] = single;
    p += NATIONAL_IE_LENGTH;
  }
  if (locking > 0) {
    out[p] = UDH_IE.national_locking_shift;
    out[p + 1] = 1;
    out[p + 2] = locking;
    p += NATIONAL_IE_LENGTH;
  }
  return p;
}
