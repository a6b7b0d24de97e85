/**
 * The negative numbers that codec functions return instead of throwing; every non-negative result
 * is a length, an offset or 0 for success.
 *
 *    -1 …  -9   framing: wait, or the stream is lost
 *   -10 … -19   decoding: one PDU is defective, the session lives
 *   -20 … -29   encoding: the caller's fields or buffer are at fault
 *   -30 … -39   text and segments
 *
 * Pure data; any thread may read it.
 */

/** Fewer bytes than a whole PDU have arrived; read on. */
export const NEED_MORE = -1;
/** command_length below 16: the stream is out of step, close after a generic_nack. */
export const LENGTH_TOO_SMALL = -2;
/** command_length above the cap: close after a generic_nack. */
export const LENGTH_TOO_LARGE = -3;

/** A C-octet string has no NUL before the PDU's end. */
export const DEFECT_UNTERMINATED = -10;
/** A fixed-size field lies beyond the PDU's end. */
export const DEFECT_TRUNCATED = -11;
/** sm_length reaches beyond the PDU's end. */
export const DEFECT_SM_LENGTH = -12;
/** A TLV's length reaches beyond the PDU's end; everything before it was decoded. */
export const DEFECT_TLV_STREAM = -13;
/** A dest_flag of submit_multi is neither 1 nor 2. */
export const DEFECT_DEST_FLAG = -14;
/** The command id is not one that this function decodes. */
export const DEFECT_COMMAND_ID = -16;
/** A delivery receipt names neither a message id nor a state. */
export const RECEIPT_UNREADABLE = -17;

/** The output buffer has no room for the whole PDU. */
export const NO_ROOM = -20;
/** A field is longer than the spec allows. */
export const FIELD_TOO_LONG = -21;
/** A field holds a value that must not go on the wire (NUL in a string, integer out of range). */
export const FIELD_ILLEGAL = -22;
/** User data header and text together exceed 254 octets. */
export const SHORT_MESSAGE_TOO_LONG = -23;
/** short_message and the TLV message_payload are both present. */
export const PAYLOAD_CONFLICT = -24;

/** The text holds a character that the alphabet does not have. */
export const NOT_ENCODABLE = -30;
/** The text needs more segments than allowed. */
export const TOO_MANY_SEGMENTS = -31;
/** The segment sizes leave no room for a single character. */
export const SEGMENT_TOO_SMALL = -32;

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  [NEED_MORE]: "the PDU has not arrived completely",
  [LENGTH_TOO_SMALL]: "command_length is below 16",
  [LENGTH_TOO_LARGE]: "command_length is above the cap",
  [DEFECT_UNTERMINATED]: "a C-octet string has no NUL before the end of the PDU",
  [DEFECT_TRUNCATED]: "a mandatory field lies beyond the end of the PDU",
  [DEFECT_SM_LENGTH]: "sm_length reaches beyond the end of the PDU",
  [DEFECT_TLV_STREAM]: "a TLV reaches beyond the end of the PDU",
  [DEFECT_DEST_FLAG]: "a dest_flag is neither 1 nor 2",
  [DEFECT_COMMAND_ID]: "the command id does not fit",
  [RECEIPT_UNREADABLE]: "the receipt names neither an id nor a state",
  [NO_ROOM]: "the output buffer is too small",
  [FIELD_TOO_LONG]: "a field is longer than the specification allows",
  [FIELD_ILLEGAL]: "a field holds an illegal value",
  [SHORT_MESSAGE_TOO_LONG]: "short_message is longer than 254 octets",
  [PAYLOAD_CONFLICT]: "short_message and message_payload are both present",
  [NOT_ENCODABLE]: "the text holds a character outside the alphabet",
  [TOO_MANY_SEGMENTS]: "the text needs more segments than allowed",
  [SEGMENT_TOO_SMALL]: "the headers leave no room for text",
};

/** A sentence fragment for logs that names a sentinel. */
export function describeSentinel(sentinel: number): string {
  return DESCRIPTIONS[sentinel] ?? `unknown codec result ${sentinel}`;
}

/**
 * The command_status with which to answer a request that failed to decode with `sentinel`:
 * 0xC0 for a broken TLV stream, 0x01 for sm_length, 0x40 for dest_flag, 0x03 for the id, else 0x02.
 */
export function statusForDefect(sentinel: number): number {
  if (sentinel === DEFECT_TLV_STREAM) return 0xc0;
  if (sentinel === DEFECT_SM_LENGTH) return 0x01;
  if (sentinel === DEFECT_DEST_FLAG) return 0x40;
  if (sentinel === DEFECT_COMMAND_ID) return 0x03;
  return 0x02;
}
