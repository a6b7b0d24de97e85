/**
 * Takes a new configuration while the gateway runs: all of it or nothing.
 *
 *   load ─► merge with what needs a restart ─► room in the shared tables? ─► plan
 *        └─ refused: nothing changes, the log and /status say why
 *   buckets of apps ─► apply: workers and ledger, then ingress
 *
 * One reload at a time; those asked for meanwhile come to one more. Main thread only.
 */
import { derivePools, type PoolPlan } from "../config/derive.ts";
import { ConfigError, problemLine } from "../config/problems.ts";
import { mergeForReload, type MergedConfig } from "../config/reload.ts";
import { beyondSlots, type SlotCounts } from "../config/slots.ts";
import type { GatewayConfig } from "../config/types.ts";
import type { Clock, Log } from "../environment.ts";
import { carryBuckets } from "../ingress/admission/carry-buckets.ts";

export const ReloadOutcome = {
  APPLIED: "applied",
  UNCHANGED: "unchanged",
  REFUSED: "refused",
} as const;

/** What the last reload came to. */
export interface ReloadReport {
  readonly at: string;
  readonly outcome: (typeof ReloadOutcome)[keyof typeof ReloadOutcome];
  /** Paths of keys that were taken over. */
  readonly changed: readonly string[];
  /** Paths of keys that stay as they run until a restart. */
  readonly needs_restart: readonly string[];
  /** Why it was refused. */
  readonly problems: readonly string[];
}

const PATHS_SHOWN_MAX = 50;

export interface ReloadParts {
  readonly config: GatewayConfig;
  readonly plan: PoolPlan;
  readonly slots: SlotCounts;
  /** Shared words of the apps' buckets and the node's. */
  readonly bucketWords: Int32Array;
  readonly clock: Clock;
  readonly log: Log;
  /** Reads the configuration anew; throws ConfigError. */
  readonly load: () => GatewayConfig;
  /** Resolves when every thread goes by this configuration. */
  readonly apply: (config: GatewayConfig, plan: PoolPlan) => Promise<unknown>;
}

export class Reloader {
  /** What runs. */
  config: GatewayConfig;
  plan: PoolPlan;
  /** Counts configurations: 1 is the one of the start. */
  generation = 1;
  last: ReloadReport | null = null;
  readonly #parts: ReloadParts;
  #running: Promise<void> | null = null;
  #isAskedAgain = false;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.config = parts.config;
    this.plan = parts.plan;
  }

  /** Reloads, now or after the reload under way; resolves when that is done. Never rejects. */
  reload(): Promise<void> {
    if (this.#running !== null) {
      this.#isAskedAgain = true;
      return this.#running;
    }
    this.#running = this.#reloadAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #reloadAll(): Promise<void> {
    do {
      this.#isAskedAgain = false;
      await this.#reloadOnce();
    } while (this.#isAskedAgain);
  }

  async #reloadOnce(): Promise<void> {
    let merged: MergedConfig;
    try {
      merged = mergeForReload(this.config, this.#parts.load());
    } catch (error) {
      this.#refuse(error instanceof ConfigError ? error.problems.map(problemLine) : [text(error)]);
      return;
    }
    const { config, changed, needsRestart } = merged;
    if (changed.length === 0) {
      this.#report(ReloadOutcome.UNCHANGED, changed, needsRestart);
      return;
    }
    const plan = derivePools(config, this.plan);
    const beyond = beyondSlots(plan, this.#parts.slots);
    if (beyond !== null) {
      this.#refuse([`${beyond}: this change needs a restart`]);
      return;
    }
    carryBuckets(this.#parts.bucketWords, this.plan, plan, this.#parts.clock.monotonicMs());
    await this.#parts.apply(config, plan);
    this.config = config;
    this.plan = plan;
    this.generation++;
    this.#report(ReloadOutcome.APPLIED, changed, needsRestart);
  }

  #refuse(problems: readonly string[]): void {
    this.#note({ outcome: ReloadOutcome.REFUSED, changed: [], needs_restart: [], problems });
    for (const cause of problems) this.#parts.log.write("error", "reload", { cause });
  }

  #report(
    outcome: ReloadReport["outcome"],
    changed: readonly string[],
    needsRestart: readonly string[],
  ): void {
    const paths = { changed: shown(changed), needs_restart: shown(needsRestart) };
    this.#note({ outcome, ...paths, problems: [] });
    const level = needsRestart.length === 0 ? "info" : "warn";
    const { generation } = this;
    this.#parts.log.write(level, "reload", { outcome, generation, ...paths });
  }

  #note(report: Omit<ReloadReport, "at">): void {
    this.last = { at: new Date(this.#parts.clock.wallMs()).toISOString(), ...report };
  }
}

/** Lists may be long: the first names, and how many there are more. */
function shown(paths: readonly string[]): readonly string[] {
  if (paths.length <= PATHS_SHOWN_MAX) return paths;
  const more = paths.length - PATHS_SHOWN_MAX;
  return [...paths.slice(0, PATHS_SHOWN_MAX), `and ${more} more`];
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
