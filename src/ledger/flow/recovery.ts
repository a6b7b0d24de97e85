/**
 * What STARTED means for an open message of an earlier run: the recovery table of docs/JOURNAL.md,
 * row by row.
 *
 * It is applied to a message when it is next touched, from its state in the store and the time of
 * STARTED alone, so it does not matter when that is. A message that slept through several starts
 * sees them in order. The ledger's thread only.
 */
import type { MessageState } from "../messages/message-state.ts";
import type { Start } from "../store/meta.ts";
import { isFinal, mergeAmbiguous, type PartRecord, PartState } from "../messages/part-state.ts";
import { decideAmbiguous, expirePart, type LedgerPolicy, RecoveryRow } from "../policy.ts";

/** The rows of the table, by RecoveryRow. */
export const RECOVERY_ROWS = [
  "accepted",
  "refused",
  "kept",
  "resend",
  "fail",
  "hold",
  "answered",
  "expired",
  "parked",
  "quarantined",
] as const;
export type RecoveryRowName = (typeof RECOVERY_ROWS)[number];

/** How often each row was met since start: parts, or receipts for `parked`. */
export class RecoveryHits {
  readonly counts = new Float64Array(RECOVERY_ROWS.length);

  count(row: number, amount = 1): void {
    this.counts[row] = (this.counts[row] as number) + amount;
  }

  /** Hits by the names of the table. */
  byName(): Record<RecoveryRowName, number> {
    const entries = RECOVERY_ROWS.map((name, row) => [name, this.counts[row] as number]);
    return Object.fromEntries(entries) as Record<RecoveryRowName, number>;
  }
}

/** Whether a message is open and no STARTED up to that of `epoch` has been applied to it yet. */
export function isUnresolved(message: MessageState, epoch: number): boolean {
  return message.resolvedEpoch < epoch && message.finalAt === 0;
}

/**
 * Applies a STARTED record to a message that has not seen it. Returns whether any part changed; the
 * caller folds the message then.
 */
export function resolveStarted(
  policy: LedgerPolicy,
  hits: RecoveryHits,
  message: MessageState,
  start: Start,
): boolean {
  message.resolvedEpoch = start.epoch;
  const { parts } = message;
  let isUntouched = true;
  for (let i = 0; i < parts.length; i++) {
    if ((parts[i] as PartRecord).state !== PartState.WAITING) isUntouched = false;
  }
  let isChanged = false;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as PartRecord;
    if (isFinal(part.state)) continue;
    const before = part.state;
    const dueBefore = part.dueAt;
    hits.count(resolvePart(policy, message, part, start.at, isUntouched));
    if (part.state !== before || part.dueAt !== dueBefore) isChanged = true;
  }
  return isChanged;
}

/** Applies the table to one open part and returns the row. */
function resolvePart(
  policy: LedgerPolicy,
  message: MessageState,
  part: PartRecord,
  at: number,
  isUntouched: boolean,
): number {
  if (part.state === PartState.SENT) return RecoveryRow.ANSWERED;
  if (at >= message.expiresAt) {
    expirePart(part, message.expiresAt);
    return RecoveryRow.EXPIRED;
  }
  switch (part.state) {
    case PartState.WAITING:
      // A message that no worker has begun is put back as a whole; else this part follows the
      // others.
      if (!isUntouched) part.dueAt ||= at;
      return RecoveryRow.ACCEPTED;
    case PartState.SCHEDULED:
      return RecoveryRow.ACCEPTED;
    case PartState.KEPT:
      part.dueAt ||= at;
      return RecoveryRow.KEPT;
    case PartState.RETRYING:
      return RecoveryRow.REFUSED;
    case PartState.SENDING:
      mergeAmbiguous(part, part.attempt);
      return decideAmbiguous(policy, message, part, at);
    case PartState.AMBIGUOUS:
      return RecoveryRow.RESEND;
    default:
      return RecoveryRow.HOLD;
  }
}
