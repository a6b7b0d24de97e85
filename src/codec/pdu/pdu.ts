/**
 * A PDU as an object: what the table-driven codec gives and takes.
 *
 * Octets are views of the received bytes, not copies; keep them only as long as those bytes, or
 * copy.
 */

/**
 * One dest_address of submit_multi (spec 4.5.1.1): an SME address, or a distribution list by name.
 */
export type DestAddress =
  | {
      readonly destFlag: 1;
      readonly destAddrTon: number;
      readonly destAddrNpi: number;
      readonly destinationAddr: Uint8Array;
    }
  | { readonly destFlag: 2; readonly dlName: Uint8Array };

/** One unsuccess_sme of submit_multi_resp (spec 4.5.2.1). */
export interface UnsuccessSme {
  readonly destAddrTon: number;
  readonly destAddrNpi: number;
  readonly destinationAddr: Uint8Array;
  readonly errorStatusCode: number;
}

export type FieldValue = number | Uint8Array | readonly DestAddress[] | readonly UnsuccessSme[];

/** One optional parameter; unknown tags keep their octets. */
export interface Tlv {
  readonly tag: number;
  readonly value: Uint8Array;
}

export interface Pdu {
  commandId: number;
  commandStatus: number;
  sequenceNumber: number;
  /**
   * By the spec's field names; strings are octets without the NUL. Empty for a PDU without a body.
   */
  fields: Record<string, FieldValue>;
  tlvs: Tlv[];
  /** PDU_FLAG_… bits: what a lenient decode has let pass. */
  flags: number;
}

/** A C-octet string was longer than the spec allows. */
export const PDU_FLAG_LONG_STRING = 1;
/** sm_length was 255. */
export const PDU_FLAG_LENGTH_255 = 2;
/** The last string of a response had no NUL. */
export const PDU_FLAG_UNTERMINATED = 4;

/**
 * Builds a PDU with defaults: integers 0, strings empty, no TLVs. Strings are written as Latin-1.
 */
export function createPdu(
  commandId: number,
  sequenceNumber: number,
  fields: Readonly<Record<string, FieldValue | string>> = {},
  tlvs: readonly Tlv[] = [],
  commandStatus = 0,
): Pdu {
  const values: Record<string, FieldValue> = {};
  for (const [name, value] of Object.entries(fields)) {
    values[name] = typeof value === "string" ? latin1Octets(value) : value;
  }
  return { commandId, commandStatus, sequenceNumber, fields: values, tlvs: [...tlvs], flags: 0 };
}

/** Latin-1 text as octets; characters beyond U+00FF become '?'. */
export function latin1Octets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.codePointAt(0)!;
    return code > 0xff ? 0x3f : code;
  });
}

/** A TLV with an integer value of 1, 2 or 4 octets. */
export function integerTlv(tag: number, value: number, octets: 1 | 2 | 4): Tlv {
  const bytes = new Uint8Array(octets);
  for (let i = 0; i < octets; i++) bytes[i] = value >>> ((octets - 1 - i) * 8);
  return { tag, value: bytes };
}

/** A TLV with a C-octet string. */
export function cStringTlv(tag: number, text: string): Tlv {
  return { tag, value: latin1Octets(`${text}\0`) };
}
