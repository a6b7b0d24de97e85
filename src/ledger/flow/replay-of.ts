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
import { Row, ROW_TEXTS } from "../messages/row-layout.ts";

const TEXT_LENGTHS = [
  Accept.TO_LENGTH,
  Accept.FROM_LENGTH,
  Accept.REFERENCE_LENGTH,
  Accept.CAMPAIGN_LENGTH,
];

/** Key of the message that this one replays, or null. */
export function replayOf(message: MessageState): MessageKey | null {
  let offset = ROW_TEXTS;
  for (const field of TEXT_LENGTHS) offset += message.acceptByte(field);
  if (Row.HEAD + message.headLength < offset + REPLAY_BYTES) return null;
  const { view } = message;
  const at = message.at + offset;
  return { sequence: view.getFloat64(at, true), origin: view.getUint32(at + 8, true) };
}
