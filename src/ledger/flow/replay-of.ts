/**
 * Which dead letter a message sends anew, as its head says.
 *
 *   head: ACCEPT [8, 72) │ to, from, reference, campaign │ key of the replayed one, or nothing
 *
 * Pure; the ledger's thread only.
 */
import { Accept, REPLAY_BYTES } from "../../records/accept.ts";
import type { MessageKey } from "../../records/message-key.ts";
import type { MessageState } from "../messages/message-state.ts";
import { Row, ROW_TEXTS, rowOffset } from "../messages/row-layout.ts";

const TEXT_LENGTHS = [
  Accept.TO_LENGTH,
  Accept.FROM_LENGTH,
  Accept.REFERENCE_LENGTH,
  Accept.CAMPAIGN_LENGTH,
];

/** Key of the message that this one replays, or null. */
export function replayOf({ row, headLength }: MessageState): MessageKey | null {
  let at = ROW_TEXTS;
  for (const field of TEXT_LENGTHS) at += row[rowOffset(field)] as number;
  if (Row.HEAD + headLength < at + REPLAY_BYTES) return null;
  return { sequence: row.readDoubleLE(at), origin: row.readUInt32LE(at + 8) };
}
