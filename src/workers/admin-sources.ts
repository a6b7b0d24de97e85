/**
 * Gathers what the admin listener shows from all over the process. Main thread only.
 */
import type { AdminSources, SessionRow, WatchedRing } from "../admin/sources.ts";
import { derivePools } from "../config/derive.ts";
import type { GatewayConfig } from "../config/types.ts";
import type { Clock } from "../environment.ts";
import type { Ingress } from "../ingress/ingress.ts";
import { MetricBlock } from "../metrics/block.ts";
import { assignSessions } from "../smpp/plan.ts";
import { CreditTable } from "../tables/credit-table.ts";
import { LogTable } from "../tables/log-table.ts";
import { threadCount } from "../tables/plan.ts";
import type { SharedMemory } from "./shared-memory.ts";
import type { LedgerQuestions } from "./threads.ts";

export interface AdminParts {
  readonly config: GatewayConfig;
  readonly memory: SharedMemory;
  readonly clock: Clock;
  readonly ingress: Ingress;
  readonly questions: LedgerQuestions;
  readonly unreadiness: () => readonly string[];
}

export function adminSources(parts: AdminParts): AdminSources {
  const { config, memory, ingress, questions } = parts;
  const { plan } = memory;
  const pools = derivePools(config);
  const credits = new CreditTable(memory.credits, plan);
  return {
    config,
    plan,
    pools,
    sessions: sessionRows(assignSessions(pools.links, plan.workerCount)),
    clock: parts.clock,
    blocks: Array.from(
      { length: threadCount(plan) },
      (_, thread) => new MetricBlock(memory.metrics, thread),
    ),
    logTable: new LogTable(memory.log),
    linkWords: new Int32Array(memory.links),
    sessionWords: new Int32Array(memory.sessions),
    poolWeight: (worker, poolIndex) => credits.weight(worker, poolIndex),
    rings: watchedRings(memory),
    producer: ingress.dispatcher,
    pendingCount: () => ingress.pendingCount,
    usage: () => {
      const { rss, heapUsed, external } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      return {
        residentBytes: rss,
        heapUsedBytes: heapUsed,
        externalBytes: external,
        cpuSeconds: (user + system) / 1e6,
      };
    },
    unreadiness: parts.unreadiness,
    ledgerStatus: (done) => {
      const isAsked = questions.ask({ kind: "status" }, (status) => done(status as object));
      if (!isAsked) done("late");
    },
  };
}

function sessionRows(byWorker: ReturnType<typeof assignSessions>): SessionRow[] {
  return byWorker.flatMap((sessions, worker) => sessions.map((row) => ({ ...row, worker })));
}

function watchedRings(memory: SharedMemory): WatchedRing[] {
  return [
    ...memory.staging.map((buffer, appender) => ({ name: `staging-${appender}`, buffer })),
    ...memory.submit.flatMap((byWorker, producer) =>
      byWorker.map((buffer, worker) => ({ name: `submit-${producer}-${worker}`, buffer })),
    ),
  ];
}
