/**
 * From a text to the octets of its segments, as one SMSC wants them: which alphabet, which national
 * tables, where to cut, and how the septets are spelled.
 *
 *   text ─► GSM 7-bit? ─► with a national table? ─► else UCS-2
 *              └── cut in septets ─► as they are | packed | as Latin-1 or ASCII
 *
 * What data_coding 0 means is the SMSC's choice. Where it means Latin-1 or ASCII, the SMSC turns
 * the octets into GSM 7-bit itself: the text is cut by the septets it will have there, and what
 * GSM 7-bit or that alphabet lacks goes as UCS-2. Pure; a TextPlan belongs to one thread, which
 * uses it again for each text. Nothing is allocated for a text without national tables.
 */
import { DATA_CODING } from "../pdu/field-values.ts";
import { NOT_ENCODABLE, TOO_MANY_SEGMENTS } from "../pdu/sentinels.ts";
import { dataCodingOf, ENCODING, encodeText } from "./encoding.ts";
import { encodeGsm7 } from "./gsm7.ts";
import { ESCAPE, GSM7_DEFAULT } from "./gsm7-alphabet.ts";
import { packedFillBits, packSeptets } from "./gsm7-packed.ts";
import { chooseNationalShift, type NationalShift, writeNationalShift } from "./national.ts";
import { CONCAT_METHOD, concatHeaderLength, isSar, planByMethod, SEGMENTS_MAX } from "./segment.ts";

/** Let the text decide: GSM 7-bit if it fits, with national tables if they save, else UCS-2. */
export const ENCODING_AUTO = -1;

/** What an SMSC makes of data_coding 0, and what the handsets behind it know. */
export interface TextProfile {
  /** ENCODING gsm7, gsm7_packed, latin1 or ascii. */
  readonly defaultEncoding: number;
  /** NATIONAL_LANGUAGE values; they need septets and a method with a user data header. */
  readonly languages: readonly number[];
}

/** Octets of the longest header of national tables, with its length octet. */
const NATIONAL_UDH_LENGTH_MAX = 7;

export class TextPlan {
  /** The octets as they go out, part after part: [0, length). */
  readonly bytes: Uint8Array;
  /** Where each part ends in `bytes`. */
  readonly ends = new Uint16Array(SEGMENTS_MAX);
  length = 0;
  /** Messages to submit. */
  partCount = 0;
  /** What reaches the handset; with message_payload the SMSC makes it of one part. */
  segmentCount = 0;
  /** How the octets are laid out. */
  encoding: number = ENCODING.gsm7;
  /** The alphabet that the segments are counted in: ENCODING gsm7, ucs2 or latin1. */
  alphabet: number = ENCODING.gsm7;
  dataCoding = 0;
  /** A whole user data header that names national tables, without concatenation; [0, udhLength). */
  readonly udh = new Uint8Array(NATIONAL_UDH_LENGTH_MAX);
  udhLength = 0;

  /** `textLengthMax` is the longest text to come, in UTF-16 units. */
  constructor(textLengthMax: number) {
    this.bytes = new Uint8Array(2 * textLengthMax);
  }
}

/**
 * Plans `text` into `plan`. `requested` is ENCODING gsm7, ucs2 or latin1, or ENCODING_AUTO;
 * `method` a CONCAT_METHOD. Returns the number of parts, NOT_ENCODABLE if the requested alphabet
 * lacks a character, TOO_MANY_SEGMENTS beyond `segmentsMax`, or NO_ROOM.
 */
export function planText(
  plan: TextPlan,
  text: string,
  requested: number,
  profile: TextProfile,
  method: number,
  segmentsMax: number,
): number {
  plan.udhLength = 0;
  if (requested === ENCODING.ucs2 || requested === ENCODING.latin1) {
    return planOctets(plan, text, requested, method, segmentsMax);
  }
  const isOpen = requested === ENCODING_AUTO;
  let length = encodeGsm7(text, plan.bytes, 0);
  if (length === NOT_ENCODABLE && profile.languages.length > 0) {
    const shift = cheapestShift(text, profile.languages);
    if (shift !== undefined && !(isOpen && isNoShorter(plan, text, shift, method))) {
      takeShift(plan, shift);
      length = encodeGsm7(text, plan.bytes, 0, shift.alphabet);
    }
  }
  if (length >= 0) {
    const count = planSeptets(plan, length, profile.defaultEncoding, method, segmentsMax);
    if (count !== NOT_ENCODABLE) return count;
  } else if (length !== NOT_ENCODABLE) {
    return length;
  }
  if (!isOpen) return NOT_ENCODABLE;
  plan.udhLength = 0;
  return planOctets(plan, text, ENCODING.ucs2, method, segmentsMax);
}

/** An encoding of whole octets, announced by its own data_coding. */
function planOctets(
  plan: TextPlan,
  text: string,
  encoding: number,
  method: number,
  segmentsMax: number,
): number {
  const length = encodeText(encoding, text, plan.bytes, 0);
  if (length < 0) return length;
  plan.encoding = plan.alphabet = encoding;
  plan.dataCoding = dataCodingOf(encoding);
  return cut(plan, length, method, segmentsMax);
}

/** The septets in `bytes` [0, length): cuts them, then spells them as the SMSC wants them. */
function planSeptets(
  plan: TextPlan,
  length: number,
  defaultEncoding: number,
  method: number,
  segmentsMax: number,
): number {
  plan.encoding = plan.alphabet = ENCODING.gsm7;
  plan.dataCoding = DATA_CODING.smsc_default;
  const count = cut(plan, length, method, segmentsMax);
  if (count < 0 || defaultEncoding === ENCODING.gsm7) return count;
  if (defaultEncoding === ENCODING.gsm7_packed) {
    pack(plan, method);
  } else {
    const highest = defaultEncoding === ENCODING.ascii ? 0x7f : 0xff;
    if (!respell(plan, highest)) return NOT_ENCODABLE;
  }
  plan.encoding = defaultEncoding;
  return count;
}

/** Cuts the octets [0, length) of the plan into parts; returns their number. */
function cut(plan: TextPlan, length: number, method: number, segmentsMax: number): number {
  const { alphabet, bytes, ends } = plan;
  const extra = plan.udhLength === 0 ? 0 : plan.udhLength - 1;
  // What the SMSC makes of a message_payload is at least counted: it cuts as anybody would.
  const by = method === CONCAT_METHOD.payload ? CONCAT_METHOD.udh8 : method;
  const count = planByMethod(alphabet, bytes, 0, length, by, extra, segmentsMax, ends);
  if (count < 0) return count;
  plan.length = length;
  plan.segmentCount = plan.partCount = count;
  if (method === CONCAT_METHOD.payload && count > 1) {
    if (length > 0xffff) return TOO_MANY_SEGMENTS;
    ends[0] = length;
    plan.partCount = 1;
  }
  return plan.partCount;
}

/** Packs each part in place, behind the fill bits that its header asks for. */
function pack(plan: TextPlan, method: number): void {
  const { bytes, ends } = plan;
  let udhLength = plan.udhLength;
  if (plan.partCount > 1 && !isSar(method)) {
    udhLength = concatHeaderLength(method) + Math.max(0, udhLength - 1);
  }
  const fillBits = udhLength === 0 ? 0 : packedFillBits(udhLength);
  let from = 0;
  let at = 0;
  for (let part = 0; part < plan.partCount; part++) {
    const end = ends[part]!;
    // Packed octets never overtake the septets they are read from.
    at += packSeptets(bytes, from, end, fillBits, bytes, at);
    ends[part] = at;
    from = end;
  }
  plan.length = at;
}

/**
 * Spells the septets in place as characters up to `highest`, one octet each; false if one lies
 * beyond.
 */
function respell(plan: TextPlan, highest: number): boolean {
  const { bytes, ends } = plan;
  let at = 0;
  let i = 0;
  for (let part = 0; part < plan.partCount; part++) {
    for (const end = ends[part]!; i < end; i++) {
      const septet = bytes[i]!;
      const character =
        septet === ESCAPE ? GSM7_DEFAULT.extension.get(bytes[++i]!)! : GSM7_DEFAULT.base[septet]!;
      const unit = character.charCodeAt(0);
      if (unit > highest) return false;
      bytes[at++] = unit;
    }
    ends[part] = at;
  }
  plan.length = at;
  return true;
}

function cheapestShift(text: string, languages: readonly number[]): NationalShift | undefined {
  let best: NationalShift | undefined;
  for (const language of languages) {
    const shift = chooseNationalShift(text, language);
    if (shift === undefined) continue;
    if (best === undefined || shift.septets + shift.udhLength < best.septets + best.udhLength) {
      best = shift;
    }
  }
  return best;
}

/**
 * Whether the text takes no fewer segments with the tables than as UCS-2, which every handset
 * knows.
 */
function isNoShorter(plan: TextPlan, text: string, shift: NationalShift, method: number): boolean {
  const { bytes, ends } = plan;
  const count = (encoding: number, length: number, extra: number): number => {
    const segments = planByMethod(encoding, bytes, 0, length, method, extra, SEGMENTS_MAX, ends);
    return segments < 0 ? SEGMENTS_MAX + 1 : segments;
  };
  const wide = count(ENCODING.ucs2, encodeText(ENCODING.ucs2, text, bytes, 0), 0);
  const septets = encodeGsm7(text, bytes, 0, shift.alphabet);
  return count(ENCODING.gsm7, septets, shift.udhLength) >= wide;
}

function takeShift(plan: TextPlan, shift: NationalShift): void {
  const end = writeNationalShift(plan.udh, 1, shift.locking, shift.single);
  plan.udh[0] = end - 1;
  plan.udhLength = end;
}
