/**
 * RECEIPT: a delivery receipt as an operator sent it; the ledger finds out whose it is.
 *
 *   0  header    8 at f64 (wall ms)   16 link_id u32
 *   20 message_state u8 (SMPP §5.2.28)  21 smsc_id length u8  22 error text length u8  23 0 u8
 *   24 smsc_id, then error text, both as received
 *
 * deliver_sm is answered after this record is committed.
 */
import { RecordType } from "./types.ts";

export const Receipt = {
  AT: 8,
  LINK_ID: 16,
  MESSAGE_STATE: 20,
  SMSC_ID_LENGTH: 21,
  ERROR_LENGTH: 22,
  TEXTS: 24,
} as const;
export const RECEIPT_TYPE = RecordType.RECEIPT;
/** Error texts ("err:") are cut to this many bytes. */
export const RECEIPT_ERROR_BYTES_MAX = 16;
