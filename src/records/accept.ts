/**
 * ACCEPT: one accepted message, whole; the only record that carries a body.
 *
 *   0  header            8  sequence f64       16 origin u32       20 app_id u32
 *   7  kinds of the tail u8, the header's last byte
 *   24 accepted_at f64   32 expires_at f64 (both wall ms)
 *   40 pool_id u32       44 priority u8  45 class u8  46 dlr u8  47 encoding u8
 *   48 part_count u8  49 source ton << 4 | npi u8  50 reserved u16
 *   52 data_coding u8  53 esm_class u8  54 protocol_id u8  55 udh length u8
 *   56 to u8  57 from u8  58 reference u8  59 campaign u8   (lengths in bytes)
 *   60 body length u16  62 routed_by u8  63 prefix length u8 (digits that the route matched)
 *   64 send_delay_s u32 (after accepted_at; 0: at once)
 *   68 concatenation method u8  69 segments u8  70 reserved u16
 *   72 end of each part in the body, u16 × part_count
 *   .. to, from, reference, campaign, udh, body: back to back, no padding
 *   .. tail, by the bits of its kinds, in this order:
 *      1 idempotency: fingerprint of app and key, 8 bytes; digest of the request, 8 bytes
 *      2 replay: key of the dead letter that it sends anew, sequence f64, origin u32
 *
 * The method is a CONCAT_METHOD of the codec. `segments` is what the sender pays for: the parts,
 * or with message_payload what the SMSC makes of its one part; 0 stands for the parts.
 *
 * `to` is digits, `from` ASCII, `reference` and `campaign` UTF-8; the body is as it goes out, by
 * `encoding`, an ENCODING of the codec. The UDH is a binary's own, or names national tables. The
 * same bytes stand in the staging ring, in the log and in a SUBMIT record.
 */
import { RECORD_FLAGS_PLAIN, RECORD_VERSION, RecordType } from "./types.ts";
import type { RecordMemory } from "./memory.ts";

export const ACCEPT_VERSION = RECORD_VERSION;
export const ACCEPT_FLAGS = RECORD_FLAGS_PLAIN;
export const ACCEPT_TYPE = RecordType.ACCEPT;

/** Offsets from the record's start. */
export const Accept = {
  TAIL_KINDS: 7,
  SEQUENCE: 8,
  ORIGIN: 16,
  APP_ID: 20,
  ACCEPTED_AT: 24,
  EXPIRES_AT: 32,
  POOL_ID: 40,
  PRIORITY: 44,
  CLASS: 45,
  DLR: 46,
  ENCODING: 47,
  PART_COUNT: 48,
  SOURCE_TON_NPI: 49,
  DATA_CODING: 52,
  ESM_CLASS: 53,
  PROTOCOL_ID: 54,
  UDH_LENGTH: 55,
  TO_LENGTH: 56,
  FROM_LENGTH: 57,
  REFERENCE_LENGTH: 58,
  CAMPAIGN_LENGTH: 59,
  BODY_LENGTH: 60,
  ROUTED_BY: 62,
  PREFIX_LENGTH: 63,
  SEND_DELAY_S: 64,
  CONCAT_METHOD: 68,
  SEGMENTS: 69,
  PART_ENDS: 72,
} as const;

/** Values of `ROUTED_BY`: the routing table, or the request's `route`. */
export const RoutedBy = { TABLE: 0, PIN: 1 } as const;

/** Kinds of what a tail holds, a bit each. */
export const TailKind = { IDEMPOTENCY: 1, REPLAY: 2 } as const;
const TAIL_KINDS_KNOWN = TailKind.IDEMPOTENCY | TailKind.REPLAY;
/** Bytes of an idempotency key in a tail. */
export const IDEMPOTENCY_BYTES = 16;
/** Bytes of a replayed message's key in a tail. */
export const REPLAY_BYTES = 12;

/**
 * Length of an ACCEPT with these variable parts, in bytes. `textsLength` is everything from behind
 * the part ends to the end of the body.
 */
export function acceptLength(partCount: number, textsLength: number, tailKinds: number): number {
  return Accept.PART_ENDS + 2 * partCount + textsLength + tailLength(tailKinds);
}

function tailLength(kinds: number): number {
  const idempotency = (kinds & TailKind.IDEMPOTENCY) === 0 ? 0 : IDEMPOTENCY_BYTES;
  return idempotency + ((kinds & TailKind.REPLAY) === 0 ? 0 : REPLAY_BYTES);
}

/** When it could be sent first, in wall ms: its acceptance, or its `send_at`. */
export function sendableFrom(view: DataView, record: number): number {
  const delayMs = view.getUint32(record + Accept.SEND_DELAY_S, true) * 1000;
  return view.getFloat64(record + Accept.ACCEPTED_AT, true) + delayMs;
}

/** Segments the sender pays for. */
export function acceptSegments(view: DataView, record: number): number {
  const segments = view.getUint8(record + Accept.SEGMENTS);
  return segments === 0 ? view.getUint8(record + Accept.PART_COUNT) : segments;
}

/** Offset of `to`, relative to the record. */
export function acceptToOffset(view: DataView, record: number): number {
  return Accept.PART_ENDS + 2 * view.getUint8(record + Accept.PART_COUNT);
}

export function acceptFromOffset(view: DataView, record: number): number {
  return acceptToOffset(view, record) + view.getUint8(record + Accept.TO_LENGTH);
}

export function acceptReferenceOffset(view: DataView, record: number): number {
  return acceptFromOffset(view, record) + view.getUint8(record + Accept.FROM_LENGTH);
}

export function acceptCampaignOffset(view: DataView, record: number): number {
  return acceptReferenceOffset(view, record) + view.getUint8(record + Accept.REFERENCE_LENGTH);
}

export function acceptUdhOffset(view: DataView, record: number): number {
  return acceptCampaignOffset(view, record) + view.getUint8(record + Accept.CAMPAIGN_LENGTH);
}

export function acceptBodyOffset(view: DataView, record: number): number {
  return acceptUdhOffset(view, record) + view.getUint8(record + Accept.UDH_LENGTH);
}

/** Offset of the tail, relative to the record: where the body ends. */
export function acceptTailOffset(view: DataView, record: number): number {
  return acceptBodyOffset(view, record) + view.getUint16(record + Accept.BODY_LENGTH, true);
}

/** Whether the record carries an idempotency key; then it is the first in the tail. */
export function acceptHasKey(view: DataView, record: number): boolean {
  return (view.getUint8(record + Accept.TAIL_KINDS) & TailKind.IDEMPOTENCY) !== 0;
}

/** Offset of the replayed message's key, relative to the record; -1 if it replays none. */
export function acceptReplayOffset(view: DataView, record: number): number {
  const kinds = view.getUint8(record + Accept.TAIL_KINDS);
  if ((kinds & TailKind.REPLAY) === 0) return -1;
  return acceptTailOffset(view, record) + tailLength(kinds & ~TailKind.REPLAY);
}

/** Where part `part` (0-based) starts and ends within the body. */
export function acceptPartStart(view: DataView, record: number, part: number): number {
  return part === 0 ? 0 : view.getUint16(record + Accept.PART_ENDS + 2 * (part - 1), true);
}

export function acceptPartEnd(view: DataView, record: number, part: number): number {
  return view.getUint16(record + Accept.PART_ENDS + 2 * part, true);
}

/**
 * Whether the lengths inside the record agree with its total: the check of every reader of disk
 * bytes.
 */
export function acceptIsConsistent(
  memory: RecordMemory,
  record: number,
  lengthBytes: number,
): boolean {
  if (lengthBytes < Accept.PART_ENDS) return false;
  const { view } = memory;
  const parts = view.getUint8(record + Accept.PART_COUNT);
  const bodyLength = view.getUint16(record + Accept.BODY_LENGTH, true);
  if (parts === 0 || lengthBytes < Accept.PART_ENDS + 2 * parts) return false;
  if (acceptPartEnd(view, record, parts - 1) !== bodyLength) return false;
  const kinds = view.getUint8(record + Accept.TAIL_KINDS);
  if ((kinds & ~TAIL_KINDS_KNOWN) !== 0) return false;
  return acceptTailOffset(view, record) + tailLength(kinds) === lengthBytes;
}
