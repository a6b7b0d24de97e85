/**
 * The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1) as lookup tables.
 *
 *   decode: septet → character;  1B + septet → character of the extension
 *   encode: UTF-16 unit → septet, or 1Bxx for "escape, then xx", or NO_SEPTET
 *
 * Tables are built once at load and only read afterwards; any thread may read its own copy.
 */

/** The septet that announces a character of the extension table. */
export const ESCAPE = 0x1b;
/** Entry of `encode` for a character that the alphabet does not have. */
export const NO_SEPTET = 0xffff;

/** One alphabet: the base table (128 characters, 0x1B unused), and what follows an escape. */
export interface Gsm7Alphabet {
  readonly base: readonly string[];
  readonly extension: ReadonlyMap<number, string>;
  /** Indexed by UTF-16 unit; everything beyond its length is NO_SEPTET. */
  readonly encode: Uint16Array;
}

const DEFAULT_BASE =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ" +
  " !\"#¤%&'()*+,-./0123456789:;<=>?" +
  "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§" +
  "¿abcdefghijklmnopqrstuvwxyzäöñüà";

/**
 * The default extension, which every national single shift table keeps (except where it redefines
 * it).
 */
export const DEFAULT_EXTENSION: ReadonlyMap<number, string> = new Map([
  [0x0a, "\f"],
  [0x14, "^"],
  [0x28, "{"],
  [0x29, "}"],
  [0x2f, "\\"],
  [0x3c, "["],
  [0x3d, "~"],
  [0x3e, "]"],
  [0x40, "|"],
  [0x65, "€"],
]);

/**
 * Builds an alphabet from a base table with changes and an extension table. Base beats extension.
 */
export function createAlphabet(
  baseChanges: ReadonlyMap<number, string>,
  extension: ReadonlyMap<number, string>,
): Gsm7Alphabet {
  const base = Array.from(DEFAULT_BASE);
  for (const [septet, character] of baseChanges) base[septet] = character;
  const encode = new Uint16Array(0x2220).fill(NO_SEPTET);
  for (const [septet, character] of extension) {
    encode[character.charCodeAt(0)] = (ESCAPE << 8) | septet;
  }
  base.forEach((character, septet) => {
    if (septet !== ESCAPE) encode[character.charCodeAt(0)] = septet;
  });
  return { base, extension, encode };
}

/** GSM 03.38 as every handset knows it. */
export const GSM7_DEFAULT: Gsm7Alphabet = createAlphabet(new Map(), DEFAULT_EXTENSION);
