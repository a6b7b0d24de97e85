/**
 * The fast way for texts of plain ASCII, whose GSM 7-bit octets are mostly the ASCII ones.
 *
 *   same octet in both: 0x20-0x3F except $, A-Z, a-z
 *   other ones: @ $ _ change; [ \ ] ^ { | } ~ escape; backquote and controls are missing
 *
 * TextEncoder writes the text into a scratch buffer natively; four octets at a time are then
 * checked against that set with integer arithmetic, and if none falls out the octets are copied
 * natively too. The scratch belongs to the thread (one module instance each); nothing is allocated
 * per call.
 */

/** Longer texts take the ordinary way. */
export const ASCII_TEXT_LENGTH_MAX = 4096;
/** Shorter ones too: the native call costs more than their loop. */
export const ASCII_TEXT_LENGTH_MIN = 24;

const encoder = new TextEncoder();
const scratchBuffer = new ArrayBuffer(ASCII_TEXT_LENGTH_MAX * 3 + 4);
/** The text's octets after `fillScratch`. */
export const scratch = new Uint8Array(scratchBuffer);
const words = new Int32Array(scratchBuffer, 0, (ASCII_TEXT_LENGTH_MAX + 4) >> 2);
/** Views of the scratch by length, made once each: `subarray` on every call would allocate. */
const views: (Uint8Array | undefined)[] = [];

/**
 * Writes `text` to the scratch; true if all of it is ASCII. It must be ASCII_TEXT_LENGTH_MAX at
 * most.
 */
export function fillScratch(text: string): boolean {
  return encoder.encodeInto(text, scratch).written === text.length;
}

/**
 * True if the first `length` octets of the scratch, which are ASCII, are the same in GSM 7-bit.
 *
 * Per octet x, where no sum carries into the next one:
 *   letters (bit 6 set)  the low five bits are 1..26: less one and plus six they leave bit 5 clear
 *   others               bit 5 is set: no control character
 *   all                  (x ^ 0x24) + 0x7F sets bit 7: no dollar
 */
export function isSameInGsm7(length: number): boolean {
  scratch[length] = scratch[length + 1] = scratch[length + 2] = 0x20;
  const checked = words;
  const count = (length + 3) >> 2;
  let badLetters = 0;
  let noControls = -1;
  let noDollars = -1;
  for (let i = 0; i < count; i++) {
    const word = checked[i]!;
    const letters = word >>> 1;
    badLetters |= (((word + 0x1f1f1f1f) & 0x1f1f1f1f) + 0x06060606) & letters;
    noControls &= word | letters;
    noDollars &= (word ^ 0x24242424) + 0x7f7f7f7f;
  }
  return (
    (badLetters & 0x20202020) === 0 &&
    (noControls & 0x20202020) === 0x20202020 &&
    (noDollars & 0x80808080) === (0x80808080 | 0)
  );
}

/**
 * Copies the first `length` octets of the scratch to `out` at `at`; the caller has checked the
 * room.
 */
export function copyScratch(length: number, out: Uint8Array, at: number): void {
  const view = (views[length] ??= scratch.subarray(0, length));
  out.set(view, at);
}
