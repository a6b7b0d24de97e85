/**
 * Why messages of a pool wait now, read off the shared tables: what an idle look cannot tell, the
 * state of its links does.
 *
 *   no link open ─► link_down      some link free ─► nothing: it is on its way
 *   else the first link's: window full ─► window, slowed down ─► throttled, contract used ─► rate
 *
 * Any thread may call it.
 */
import type { DerivedLink, PoolPlan } from "../config/derive.ts";
import type { QueueReason } from "../ledger/queries.ts";
import { isSpent } from "../limit/contract.ts";
import { isPaceIdle } from "../smpp/pace/pace.ts";
import type { CreditTable } from "../tables/credit-table.ts";
import { LinkWord, rowWord, SessionState, SessionWord } from "../tables/link-table.ts";

export interface QueueReasonTables {
  readonly workerCount: number;
  readonly credits: CreditTable;
  readonly linkWords: Int32Array;
  readonly sessionWords: Int32Array;
  /** By linkIndex: the tokens of its contract. */
  readonly contracts: readonly Int32Array[];
}

/** Why a message of this pool that nobody has sent waits; null if nothing holds it up. */
export function queueReasonOf(
  plan: PoolPlan,
  tables: QueueReasonTables,
  poolIndex: number,
  nowMs: number,
): QueueReason | null {
  const pool = plan.pools.find((one) => one.poolIndex === poolIndex);
  let reason: QueueReason | null = null;
  for (const { linkIndex } of pool?.members ?? []) {
    const link = plan.links.find((one) => one.linkIndex === linkIndex);
    if (link === undefined || !isOpen(tables, linkIndex)) continue;
    const held = holdUpOf(link, tables, nowMs);
    if (held === null) return null;
    reason ??= held;
  }
  return reason ?? "link_down";
}

function isOpen({ credits, workerCount }: QueueReasonTables, linkIndex: number): boolean {
  for (let worker = 0; worker < workerCount; worker++) {
    if (credits.openSessions(worker, linkIndex) > 0) return true;
  }
  return false;
}

function holdUpOf(
  { linkIndex, config, sessionRows }: DerivedLink,
  { linkWords, sessionWords, contracts }: QueueReasonTables,
  nowMs: number,
): QueueReason | null {
  const isFull = sessionRows.every((row) => {
    const state = Atomics.load(sessionWords, rowWord(row, SessionWord.STATE));
    const used = Atomics.load(sessionWords, rowWord(row, SessionWord.WINDOW_USED));
    return state !== SessionState.BOUND || used >= config.windowMax;
  });
  if (isFull) return "window";
  const row = rowWord(linkIndex, 0);
  const pace = Atomics.load(linkWords, row + LinkWord.PACE_MILLI);
  const isFree = isPaceIdle(linkWords, row, nowMs);
  if (pace !== 0 && !isFree) return "throttled";
  const tokens = contracts[linkIndex];
  if (config.rateTps === null || tokens === undefined) return null;
  if (config.rateTps === 0 || isSpent(tokens, config.rateTps, nowMs)) return "rate";
  return isFree ? null : "rate";
}
