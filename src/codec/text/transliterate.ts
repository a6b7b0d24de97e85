/**
 * Opt-in transliteration into the GSM 7-bit alphabet: typographic signs by a table, accented
 * letters by their base letter. Never changes a character that the alphabet has, never guesses at
 * other scripts.
 *
 * For the accepting side, which must report what it changed; it allocates. Pure; any thread may
 * call it.
 */
import { gsm7Length } from "./gsm7.ts";

/** Replacements that no decomposition gives; an empty string removes the character. */
const TABLE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "`": "'",
    "´": "'",
    "‘": "'",
    "’": "'",
    "‚": ",",
    "‛": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "‹": "<",
    "›": ">",
    "′": "'",
    "″": '"',
    "‐": "-",
    "‑": "-",
    "‒": "-",
    "–": "-",
    "—": "-",
    "―": "-",
    "−": "-",
    "…": "...",
    "•": "*",
    "·": ".",
    "×": "x",
    "÷": "/",
    "‰": "%o",
    "©": "(c)",
    "®": "(r)",
    "™": "TM",
    "№": "No",
    ł: "l",
    Ł: "L",
    đ: "d",
    Đ: "D",
    ı: "i",
    œ: "oe",
    Œ: "OE",
    ð: "d",
    þ: "th",
    ª: "a",
    º: "o",
    "\t": " ",
    "\u00a0": " ",
    "\u2002": " ",
    "\u2003": " ",
    "\u2009": " ",
    "\u200a": " ",
    "\u202f": " ",
    "\u3000": " ",
    "\u00ad": "",
    "\u200b": "",
    "\u200c": "",
    "\u2060": "",
    "\ufeff": "",
  }),
);

export interface Transliteration {
  readonly text: string;
  /** How many characters were replaced or removed. */
  readonly replacedCount: number;
  /** The distinct characters that were replaced, in order of appearance. */
  readonly replaced: string;
}

/** The base letter of an accented one, if the alphabet has it. */
function baseLetter(character: string): string | undefined {
  const base = character.normalize("NFKD").replaceAll(/\p{M}/gu, "");
  return base !== character && base !== "" && gsm7Length(base) >= 0 ? base : undefined;
}

/**
 * Replaces what the GSM 7-bit alphabet lacks, where a customary equivalent exists; everything else
 * stays, so the result may still need UCS-2. If it would, nothing is gained: the original is
 * returned unchanged.
 */
export function transliterate(text: string): Transliteration {
  const unchanged = { text, replacedCount: 0, replaced: "" };
  if (gsm7Length(text) >= 0) return unchanged;
  let result = "";
  let replacedCount = 0;
  const replaced = new Set<string>();
  for (const character of text.normalize("NFC")) {
    if (gsm7Length(character) >= 0) {
      result += character;
      continue;
    }
    const replacement = TABLE.get(character) ?? baseLetter(character);
    if (replacement === undefined) return unchanged;
    result += replacement;
    replacedCount++;
    replaced.add(character);
  }
  return { text: result, replacedCount, replaced: [...replaced].join("") };
}
