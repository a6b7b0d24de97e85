/**
 * Space of the log: what a message is charged when it is accepted, so that everything accepted can
 * finish.
 *
 *   bytes_max ≥ log on disk + bodies moved out of it + life of open messages
 *               + what is not counted yet + the new message
 *
 * Pure arithmetic over the shared words of the log; any thread.
 */
import { ATTEMPT_BYTES, SMSC_ID_BYTES_MAX } from "../records/attempt.ts";
import { Receipt, RECEIPT_ERROR_BYTES_MAX } from "../records/receipt.ts";
import { alignRecord } from "../ring/layout.ts";
import { LogWord, type LogTable } from "../tables/log-table.ts";
import { BLOCK_HEADER_BYTES, RUN_HEADER_BYTES } from "./block.ts";

/** What a record costs beside itself when it stands alone in a block. */
const BLOCK_SHARE_BYTES = BLOCK_HEADER_BYTES + RUN_HEADER_BYTES;
const SENDING_LIFE_BYTES = alignRecord(ATTEMPT_BYTES) + BLOCK_SHARE_BYTES;
const ANSWER_LIFE_BYTES = alignRecord(ATTEMPT_BYTES + SMSC_ID_BYTES_MAX) + BLOCK_SHARE_BYTES;
const RECEIPT_LIFE_BYTES =
  alignRecord(Receipt.TEXTS + SMSC_ID_BYTES_MAX + RECEIPT_ERROR_BYTES_MAX) + BLOCK_SHARE_BYTES;

/**
 * Log bytes that one open part may still need: SENDING, ANSWER and RECEIPT at their longest, each
 * in a block of its own. Records of the usual size and in company leave room for several more
 * attempts. CONCLUDED needs less than the parts it ends.
 */
export const LIFE_BYTES_PER_PART = SENDING_LIFE_BYTES + ANSWER_LIFE_BYTES + RECEIPT_LIFE_BYTES;

/**
 * Life bytes for each byte of log that the ledger has not counted yet, if it were all ACCEPTs of
 * the shortest message: one part, 88 bytes.
 */
const UNCOUNTED_LIFE_FACTOR = Math.ceil(LIFE_BYTES_PER_PART / 88);

/**
 * Log bytes that a message takes over its whole life, by its ACCEPT's length and its number of
 * parts.
 */
export function lifeCharge(acceptBytes: number, partCount: number): number {
  return alignRecord(acceptBytes) + BLOCK_SHARE_BYTES + partCount * LIFE_BYTES_PER_PART;
}

/**
 * Whether a message charged `chargeBytes` (`lifeCharge`) may be accepted into a log of at most
 * `bytesMax`, by a thread with `pendingBytes` staged and not yet committed. Never while the disk is
 * short of space.
 */
export function admissionFits(
  table: LogTable,
  bytesMax: number,
  chargeBytes: number,
  pendingBytes: number,
): boolean {
  return promisedBytes(table, pendingBytes) + chargeBytes <= bytesMax;
}

/**
 * What of a log's bytes is taken: on disk, moved out of it, and what everything accepted may still
 * need, with `pendingBytes` staged and not yet committed. Infinity while the disk is short of
 * space.
 */
export function promisedBytes(table: LogTable, pendingBytes: number): number {
  if (table.load(LogWord.SHORT_OF_SPACE) !== 0 || table.load(LogWord.STORE_FULL) !== 0) {
    return Number.POSITIVE_INFINITY;
  }
  const committed = table.load(LogWord.COMMITTED);
  const onDisk = table.onDiskBytes() + table.load(LogWord.MOVED_BYTES);
  const uncounted = Math.max(0, committed - table.load(LogWord.LEDGER_APPLIED)) + pendingBytes;
  const life = table.load(LogWord.OPEN_LIFE_BYTES) + uncounted * UNCOUNTED_LIFE_FACTOR;
  return onDisk + pendingBytes + life;
}
