/**
 * Draws the concatenation reference of a message when its first part is about to be sent.
 *
 *   table.concatReference   0 ──first part──► drawn ──► in every SENDING of its parts, wherever
 *                                                       they are sent from later
 *
 * Messages may wait for hours between acceptance and this; only what is under way at once has to
 * differ. One that the SMSC surely has no part of may wait for hours again, throttled or cut off:
 * then another is drawn, lest its number is given out anew beside it. Words are shared by all
 * workers. One thread.
 */
import {
  hashAddressBytes,
  NO_REFERENCE,
  REASSEMBLY_MS,
  referenceBits,
  type ReferenceTables,
} from "../codec/index.ts";
import { Accept, acceptFromOffset, acceptToOffset } from "../records/accept.ts";
import { allParts } from "../records/hand-over.ts";
import type { MessageTable } from "./queue/message-table.ts";

/**
 * A reference that no part went out with serves so long. Long against a throttled message's pace,
 * which would use up its handset's numbers otherwise.
 */
export const REDRAW_AFTER_MS = REASSEMBLY_MS / 4;

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
  const { bytes, view } = table.memoryOf(entry);
  const record = table.recordOf(entry);
  const partCount = view.getUint8(record + Accept.PART_COUNT);
  if (partCount === 1) return true;
  if (table.concatReference[entry] !== NO_REFERENCE) {
    // With all parts here, and none that may arrive twice, none of them is anywhere else.
    const isWhole = table.parts[entry] === allParts(partCount) && table.flags[entry] === 0;
    const isOld = wallMs - (table.drawnAt[entry] as number) > REDRAW_AFTER_MS;
    if (!isWhole || !isOld) return true;
  }
  const from = record + acceptFromOffset(view, record);
  const fromEnd = from + view.getUint8(record + Accept.FROM_LENGTH);
  const to = record + acceptToOffset(view, record);
  const toEnd = to + view.getUint8(record + Accept.TO_LENGTH);
  const hash = hashAddressBytes(bytes, from, fromEnd, to, toEnd);
  const isWide = referenceBits(view.getUint8(record + Accept.CONCAT_METHOD)) === 16;
  const drawn = (isWide ? references.wide : references.narrow).take(hash, wallMs);
  if (drawn < 0) return false;
  table.concatReference[entry] = drawn;
  table.drawnAt[entry] = wallMs;
  return true;
}
