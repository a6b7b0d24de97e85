/**
 * Draws the concatenation reference of a message when its first part is about to be sent.
 *
 *   table.concatReference   0 ──first part──► drawn ──► in every SENDING of its parts, wherever
 *                                                       they are sent from later
 *
 * Messages may wait for hours between acceptance and this; only what is under way at once has to
 * differ. Words are shared by all workers. One thread.
 */
import {
  hashAddressBytes,
  NO_REFERENCE,
  referenceBits,
  type ReferenceTables,
} from "../codec/index.ts";
import { Accept, acceptFromOffset, acceptToOffset } from "../records/accept.ts";
import type { MessageTable } from "./message-table.ts";

/**
 * Makes sure that a message of several parts, whose body is at hand, has a reference. False: all
 * of them were drawn towards this handset within the reassembly time.
 */
export function drawReference(
  table: MessageTable,
  entry: number,
  references: ReferenceTables,
  wallMs: number,
): boolean {
  if (table.concatReference[entry] !== NO_REFERENCE) return true;
  const { bytes, view } = table.memoryOf(entry);
  const record = table.recordOf(entry);
  if (view.getUint8(record + Accept.PART_COUNT) === 1) return true;
  const from = record + acceptFromOffset(view, record);
  const fromEnd = from + view.getUint8(record + Accept.FROM_LENGTH);
  const to = record + acceptToOffset(view, record);
  const toEnd = to + view.getUint8(record + Accept.TO_LENGTH);
  const hash = hashAddressBytes(bytes, from, fromEnd, to, toEnd);
  const isWide = referenceBits(view.getUint8(record + Accept.CONCAT_METHOD)) === 16;
  const drawn = (isWide ? references.wide : references.narrow).take(hash, wallMs);
  if (drawn < 0) return false;
  table.concatReference[entry] = drawn;
  return true;
}
