/**
 * SMSC ids as operators garble them between submit_sm_resp and receipt, and what makes two of them
 * the same.
 *
 *   spelling   exact │ letter case │ leading zeros      normal form: lower case, no zeros
 *   base       same │ receipt decimal of a hexadecimal id │ receipt hexadecimal of a decimal id
 *
 * The index holds normal forms of ids as answered. A receipt's id is looked up in one of three
 * bases, so one look-up hits once the link's base is known. Ids are text of one character a byte.
 * Pure; any thread.
 */

/** In which base a receipt's id is, compared to the answer's. */
export const IdBase = { SAME: 0, DECIMAL_OF_HEX: 1, HEX_OF_DECIMAL: 2 } as const;
export const ID_BASE_COUNT = 3;

/** By which transform an id matched; the order is that of trust. */
export const IdTransform = {
  EXACT: 0,
  LETTER_CASE: 1,
  LEADING_ZEROS: 2,
  DECIMAL_OF_HEX: 3,
  HEX_OF_DECIMAL: 4,
} as const;

const DECIMAL = /^[0-9]+$/;
const HEX = /^[0-9a-f]+$/;
const SAFE_DECIMAL_DIGITS = 15;
const SAFE_HEX_DIGITS = 13;

/** Lower case (ASCII), without leading zeros; an id of zeros only is "0". */
export function normaliseId(id: string): string {
  let start = 0;
  while (start < id.length - 1 && id.charCodeAt(start) === 0x30) start++;
  for (let i = start; i < id.length; i++) {
    const code = id.charCodeAt(i);
    // Other letters than ASCII's are bytes of an unknown alphabet: they stay as they are.
    if (code >= 0x41 && code <= 0x5a) return lowerAscii(id.slice(start));
  }
  return start === 0 ? id : id.slice(start);
}

/**
 * The normal form that the answer had, if the receipt's id `normal` is in `base`; null if it cannot
 * be.
 */
export function inAnswersBase(normal: string, base: number): string | null {
  if (base === IdBase.SAME) return normal;
  if (base === IdBase.DECIMAL_OF_HEX) {
    if (!DECIMAL.test(normal)) return null;
    if (normal.length <= SAFE_DECIMAL_DIGITS) return Number(normal).toString(16);
    return BigInt(normal).toString(16);
  }
  if (!HEX.test(normal)) return null;
  if (normal.length <= SAFE_HEX_DIGITS) return Number.parseInt(normal, 16).toString(10);
  return BigInt(`0x${normal}`).toString(10);
}

/**
 * The normal form that a receipt has in `base` for the answer's `normal`: the inverse of
 * `inAnswersBase`.
 */
export function inReceiptsBase(normal: string, base: number): string | null {
  if (base === IdBase.DECIMAL_OF_HEX) return inAnswersBase(normal, IdBase.HEX_OF_DECIMAL);
  if (base === IdBase.HEX_OF_DECIMAL) return inAnswersBase(normal, IdBase.DECIMAL_OF_HEX);
  return normal;
}

/** Which transform makes a receipt's `receiptId` the `answerId`, in `base`; -1 if none does. */
export function matchingTransform(answerId: string, receiptId: string, base: number): number {
  if (base === IdBase.SAME) {
    if (answerId === receiptId) return IdTransform.EXACT;
    if (lowerAscii(answerId) === lowerAscii(receiptId)) return IdTransform.LETTER_CASE;
    return normaliseId(answerId) === normaliseId(receiptId) ? IdTransform.LEADING_ZEROS : -1;
  }
  if (inAnswersBase(normaliseId(receiptId), base) !== normaliseId(answerId)) return -1;
  return base === IdBase.DECIMAL_OF_HEX ? IdTransform.DECIMAL_OF_HEX : IdTransform.HEX_OF_DECIMAL;
}

/** Base that a transform belongs to. */
export function baseOfTransform(transform: number): number {
  return transform < IdTransform.DECIMAL_OF_HEX ? IdBase.SAME : transform - 2;
}

/** Half of a 64-bit hash of (link, normal form); different `seed`s give independent halves. */
export function hashId(linkId: number, normal: string, seed: number): number {
  let hash = Math.imul(linkId ^ seed, 0x9e3779b1) ^ normal.length;
  for (let i = 0; i < normal.length; i++) {
    hash = Math.imul(hash ^ normal.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
