/**
 * How many apps, links, pools and sessions there is room for in the shared tables: what the process
 * starts with, and spare slots for what reloads add.
 *
 *   slots = count + spare      spare: as many again, within bounds; an id keeps its slot
 *
 * Pure; any thread.
 */
import type { PoolPlan } from "./derive.ts";
import type { GatewayConfig } from "./types.ts";

const SPARE_MIN = 16;
const SPARE_MAX = 256;
/** A link has up to 64 sessions. */
const SPARE_SESSIONS_MIN = 64;
const SPARE_SESSIONS_MAX = 1024;

/** Sizes of the shared tables, by what they hold. */
export interface SlotCounts {
  readonly appCount: number;
  readonly linkCount: number;
  readonly poolCount: number;
  readonly sessionCount: number;
}

/** The slots of a process that starts with this configuration and its plan. */
export function slotCounts(config: GatewayConfig, plan: PoolPlan): SlotCounts {
  return {
    appCount: slotsFor(config.apps.length),
    linkCount: slotsFor(config.links.length),
    // Any link may come to have a pool of its own.
    poolCount: slotsFor(config.pools.length + config.links.length),
    sessionCount: withSpare(plan.slots.sessionCount, SPARE_SESSIONS_MIN, SPARE_SESSIONS_MAX),
  };
}

/** What of `plan` there is no room for, in words, or null if it fits. */
export function beyondSlots(plan: PoolPlan, slots: SlotCounts): string | null {
  const { apps, links, pools, sessionCount } = plan.slots;
  const needs: readonly (readonly [string, number, number])[] = [
    ["apps", apps.size, slots.appCount],
    ["links", links.size, slots.linkCount],
    ["pools and routes to single links", pools.size, slots.poolCount],
    ["sessions", sessionCount, slots.sessionCount],
  ];
  for (const [what, needed, room] of needs) {
    if (needed > room) {
      return `${what}: ${needed} with earlier ones, and there is room for ${room}`;
    }
  }
  return null;
}

function slotsFor(count: number): number {
  return withSpare(count, SPARE_MIN, SPARE_MAX);
}

function withSpare(count: number, min: number, max: number): number {
  return count + Math.min(Math.max(count, min), max);
}
