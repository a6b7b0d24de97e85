/**
 * User data headers for concatenation (3GPP TS 23.040, 9.2.3.24.1 and .8).
 *
 *   8-bit reference    05 00 03 ref total seq
 *   16-bit reference   06 08 04 ref ref total seq
 *
 * The first octet counts those after it. Pure; any thread may call it.
 */

/** Octets of each header, its length octet included. */
export const CONCAT_UDH8_LENGTH = 6;
export const CONCAT_UDH16_LENGTH = 7;

/** Information element identifiers (TS 23.040, 9.2.3.24). */
export const UDH_IE = {
  concat_8: 0x00,
  port_8: 0x04,
  port_16: 0x05,
  concat_16: 0x08,
  national_single_shift: 0x24,
  national_locking_shift: 0x25,
} as const;

/** Writes the 8-bit header to out[0..6) and returns 6; `sequence` counts from 1 to `total`. */
export function writeConcatUdh8(
  out: Uint8Array,
  reference: number,
  total: number,
  sequence: number,
): number {
  out[0] = 5;
  out[1] = UDH_IE.concat_8;
  out[2] = 3;
  out[3] = reference;
  out[4] = total;
  out[5] = sequence;
  return CONCAT_UDH8_LENGTH;
}

/** Writes the 16-bit header to out[0..7) and returns 7; `sequence` counts from 1 to `total`. */
export function writeConcatUdh16(
  out: Uint8Array,
  reference: number,
  total: number,
  sequence: number,
): number {
  out[0] = 6;
  out[1] = UDH_IE.concat_16;
  out[2] = 4;
  out[3] = reference >>> 8;
  out[4] = reference;
  out[5] = total;
  out[6] = sequence;
  return CONCAT_UDH16_LENGTH;
}

/**
 * Writes a whole header to `out`: its length octet, a concatenation element (8-bit, or 16-bit if
 * `is16Bit`; left out if `total` is 1), then `extraLength` octets of other elements from `extra`:
 * ports, national shifts. Returns its length with the length octet, 0 for an empty one. The caller
 * gives room for 8 + extraLength octets, at most 140 (TS 23.040, 9.2.3.24).
 */
export function writeUdh(
  out: Uint8Array,
  is16Bit: boolean,
  reference: number,
  total: number,
  sequence: number,
  extra: Uint8Array | null,
  extraLength: number,
): number {
  let at = 1;
  if (total > 1) {
    at = is16Bit
      ? writeConcatUdh16(out, reference, total, sequence)
      : writeConcatUdh8(out, reference, total, sequence);
  }
  if (extra !== null) {
    for (let i = 0; i < extraLength; i++) out[at + i] = extra[i]!;
    at += extraLength;
  }
  if (at === 1) return 0;
  out[0] = at - 1;
  return at;
}
