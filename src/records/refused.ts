/**
 * REFUSED: a call that was turned away before anything was accepted; staged only where CDR rows of
 * refusals are configured.
 *
 *   0  header        8 at f64 (wall ms)   16 app_id u32   20 HTTP status u16
 *   22 code length u8  23 to length u8  24 from length u8  25 reference length u8
 *   26 campaign length u8  27 state length u8   28 pool_id u32 (0: none was found)
 *   32 code (error table), to, from, reference, campaign, state (a policy block's), back to back
 *
 * It concerns no message: it is outside the books. ASCII but for reference and campaign (UTF-8).
 */
import { RecordType } from "./types.ts";

export const Refused = {
  AT: 8,
  APP_ID: 16,
  HTTP_STATUS: 20,
  CODE_LENGTH: 22,
  TO_LENGTH: 23,
  FROM_LENGTH: 24,
  REFERENCE_LENGTH: 25,
  CAMPAIGN_LENGTH: 26,
  STATE_LENGTH: 27,
  POOL_ID: 28,
  TEXTS: 32,
} as const;
export const REFUSED_TYPE = RecordType.REFUSED;
