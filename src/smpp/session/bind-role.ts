/**
 * How a session binds, and what a refused bind says about the way it was asked.
 *
 *   TRANSCEIVER            one connection for both ways
 *   TRANSMITTER, RECEIVER  a pair of connections: one for submits, the other for receipts
 *
 * An SMSC that does not know bind_transceiver refuses it (spec 4.1: ESME_RINVCMDID, or a
 * generic_nack from one that speaks v3.3); then the pair is tried. Pure.
 */
import { COMMAND_ID, COMMAND_STATUS } from "../../codec/index.ts";

export const BindRole = { TRANSCEIVER: 0, TRANSMITTER: 1, RECEIVER: 2 } as const;

export const BIND_ROLE_NAMES = ["transceiver", "transmitter", "receiver"] as const;

const BIND_IDS = [
  COMMAND_ID.bind_transceiver,
  COMMAND_ID.bind_transmitter,
  COMMAND_ID.bind_receiver,
] as const;

/** command_id of the bind request of a role. */
export function bindIdOf(role: number): number {
  return BIND_IDS[role] as number;
}

/** What came of a bind. */
export interface BindRefusal {
  readonly commandStatus: number;
  /** Answered with generic_nack. */
  readonly isNack: boolean;
}

/**
 * The role that the next bind of a session's main connection takes after a refusal.
 *
 *   transceiver, command unknown       transmitter (and a receiver beside it)
 *   transceiver, ESME_RBINDFAIL        the same for one try, unless the transceiver worked before
 *   transmitter, either of these       transceiver again
 *   anything else                      as it was
 *
 * ESME_RBINDFAIL means anything, so the two ways take turns, each after its slow delay. A link
 * configured as a pair stays one.
 */
export function roleAfterRefusal(
  role: number,
  refusal: BindRefusal,
  isPairConfigured: boolean,
  transceiverHasWorked: boolean,
): number {
  if (isPairConfigured) return role;
  const isUnknown = isCommandUnknown(refusal);
  const isVague = refusal.commandStatus === COMMAND_STATUS.ESME_RBINDFAIL;
  if (!isUnknown && !isVague) return role;
  if (role === BindRole.TRANSMITTER) return BindRole.TRANSCEIVER;
  return isVague && transceiverHasWorked ? role : BindRole.TRANSMITTER;
}

/** Whether the SMSC does not know the command that it was asked with. */
export function isCommandUnknown({ commandStatus, isNack }: BindRefusal): boolean {
  return isNack || commandStatus === COMMAND_STATUS.ESME_RINVCMDID;
}
