/**
 * What the ledger needs of the configuration, and what it decides by it: the fate of an ambiguous
 * part.
 *
 * docs/JOURNAL.md has the table; the same rows hold for AMBIGUOUS records in a run and at STARTED.
 * Pure.
 */
import { accountsOf, type PoolPlan } from "../config/derive.ts";
import type { AmbiguousPolicy } from "../config/types.ts";
import { MessageClass } from "../records/types.ts";
import { Decision } from "../records/resolved.ts";
import { EventKind, keepEvent, type MessageState } from "./messages/message-state.ts";
import { finish, hold, mayBeWritten, type PartRecord, PartState } from "./messages/part-state.ts";

export interface LedgerPolicy {
  /** From finality to removal. */
  readonly retentionMs: number;
  /** Live bytes of the store beyond which the oldest final messages go early. */
  readonly bytesMax: number;
  /** Size of a segment of the log. */
  readonly segmentBytes: number;
  /** What the log may take. */
  readonly logBytesMax: number;
  /** Events that an endpoint may have, and for how long. */
  readonly eventsMax: number;
  readonly eventsTtlMs: number;
  /** Whether dead letters keep their text, so that they can be sent anew. */
  readonly keepsDeadTexts: boolean;
  /** From the end of validity to `unknown`. */
  readonly receiptGraceMs: number;
  /** What follows from apps, links and pools; a reload replaces it. */
  plan: LedgerPlan;
}

export interface LedgerPlan {
  /**
   * Pool ids (and link ids with a pool of their own) → pool index, also of those that an earlier
   * configuration of this run had: what is accepted for them waits under that index.
   */
  readonly poolIndexById: ReadonlyMap<number, number>;
  readonly appIndexById: ReadonlyMap<number, number>;
  /** Also of links that an earlier configuration of this run had: their windows may still end. */
  readonly ambiguousByLink: ReadonlyMap<number, AmbiguousPolicy>;
  /**
   * Link id → id of the first link with the same operator account (`accountsOf`): an SMSC sends a
   * receipt to any session of the account, so receipts are matched by account.
   */
  readonly accountByLink: ReadonlyMap<number, number>;
}

/** The ledger's view of a plan; `before` is the view that it replaces. */
export function ledgerPlanOf(plan: PoolPlan, before: LedgerPlan | null): LedgerPlan {
  const links = plan.links.map((link) => link.config);
  return {
    poolIndexById: plan.slots.pools,
    appIndexById: plan.slots.apps,
    ambiguousByLink: new Map([
      ...(before?.ambiguousByLink ?? []),
      ...links.map((link) => [link.id, link.ambiguous] as const),
    ]),
    accountByLink: accountsOf(links, before?.accountByLink),
  };
}

/** Why a hand-over, a failure or waiting came about: a row of the recovery table. */
export const RecoveryRow = {
  ACCEPTED: 0,
  REFUSED: 1,
  KEPT: 2,
  RESEND: 3,
  FAIL: 4,
  HOLD: 5,
  ANSWERED: 6,
  EXPIRED: 7,
  PARKED: 8,
  QUARANTINED: 9,
} as const;

/** Ends a part whose validity is over: `unknown` if it may have been written. `at`: wall ms. */
export function expirePart(part: PartRecord, at: number): void {
  const mayBeOut = mayBeWritten(part) || part.state === PartState.SENDING;
  finish(part, mayBeOut ? PartState.UNKNOWN : PartState.EXPIRED, at);
}

/**
 * Decides about a part whose last attempt got no answer, as noted in its ambiguous attempts: sent
 * again once, failed, or held. `at`: wall ms of the event. Returns the row of the table.
 */
export function decideAmbiguous(
  policy: LedgerPolicy,
  message: MessageState,
  part: PartRecord,
  at: number,
): number {
  if (at >= message.expiresAt) {
    finish(part, PartState.UNKNOWN, message.expiresAt);
    return RecoveryRow.EXPIRED;
  }
  const link = policy.plan.ambiguousByLink.get(part.linkId) ?? "by_class";
  const failsByClass = link === "by_class" && message.messageClass === MessageClass.PROMOTIONAL;
  if (link === "fail" || failsByClass) {
    finish(part, PartState.FAILED, at);
    return RecoveryRow.FAIL;
  }
  const isSecond = part.firstAmbiguous !== part.lastAmbiguous || part.maybeDup;
  if (link === "hold" || isSecond) {
    hold(part);
    return RecoveryRow.HOLD;
  }
  part.state = PartState.AMBIGUOUS;
  part.dueAt = at;
  return RecoveryRow.RESEND;
}

/**
 * Applies a decision about held parts: sent once more or given up. `at`: wall ms. Returns whether
 * any part was held.
 */
export function resolveHeld(message: MessageState, decision: number, at: number): boolean {
  let isChanged = false;
  for (const [index, part] of message.parts.entries()) {
    if (part.state !== PartState.HELD) continue;
    isChanged = true;
    const kind = decision === Decision.RESEND ? EventKind.RESEND_DECIDED : EventKind.FAIL_DECIDED;
    const { attempt, linkId } = part;
    keepEvent(message, { kind, part: index, attempt, at, linkId, commandStatus: 0 });
    if (decision !== Decision.RESEND) {
      finish(part, PartState.FAILED, at);
      continue;
    }
    part.state = PartState.AMBIGUOUS;
    part.dueAt = at;
  }
  return isChanged;
}

/**
 * Ends by time what is over at `at` without any record saying so: receipts that never came, held
 * parts.
 */
export function settleByTime(policy: LedgerPolicy, message: MessageState, at: number): boolean {
  if (at < message.expiresAt) return false;
  let isChanged = false;
  for (const part of message.parts) {
    const grace = part.state === PartState.SENT ? policy.receiptGraceMs : 0;
    if (part.state !== PartState.SENT && part.state !== PartState.HELD) continue;
    if (at < message.expiresAt + grace) continue;
    // The time is the deadline's, not ours, so that a replay comes to the same.
    finish(part, PartState.UNKNOWN, message.expiresAt + grace);
    isChanged = true;
  }
  return isChanged;
}
