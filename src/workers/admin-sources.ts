/**
 * Gathers what the admin listener shows from all over the process. Main thread only.
 */
import type { Performance } from "node:perf_hooks";
import type { LinkSources, SessionRow } from "../admin/link-status.ts";
import type { AdminSources, WatchedRing } from "../admin/sources.ts";
import type { PoolPlan } from "../config/derive.ts";
import type { Clock } from "../environment.ts";
import { MetricBlock } from "../metrics/block.ts";
import { assignSessions } from "../smpp/plan.ts";
import { CreditTable } from "../tables/credit-table.ts";
import { IdempotencyTable } from "../tables/idempotency-table.ts";
import { LogTable } from "../tables/log-table.ts";
import { type SharedPlan, threadCount } from "../tables/plan.ts";
import { QueueTable } from "../tables/queue-table.ts";
import { SessionNotes } from "../tables/session-notes.ts";
import { ProducerWord, producerWord } from "../tables/producer-table.ts";
import type { LinkDumps } from "./link-dumps.ts";
import type { SharedMemory } from "./shared-memory.ts";
import type { Reloader } from "./reloader.ts";
import { threadCpu } from "./thread-cpu.ts";
import type { LedgerQuestions } from "./ledger-questions.ts";

/** What tells how busy an event loop is: of this thread, or of one that it started. */
export type LoopWatch = Pick<Performance, "eventLoopUtilization">;

export interface AdminParts {
  /** The event loops to watch, by their threads' names. */
  readonly loops: ReadonlyMap<string, LoopWatch>;
  readonly reloader: Reloader;
  readonly memory: SharedMemory;
  readonly clock: Clock;
  readonly questions: LedgerQuestions;
  readonly dumps: LinkDumps;
  readonly unreadiness: () => readonly string[];
}

export function adminSources(parts: AdminParts): AdminSources {
  const { reloader, memory, questions } = parts;
  const { plan } = memory;
  const credits = new CreditTable(memory.credits, plan);
  const bells = new Int32Array(memory.bells);
  const links = linkSources(memory, () => reloader.plan, parts.clock);
  return {
    get config() {
      return reloader.config;
    },
    get pools() {
      return links.pools;
    },
    get sessions() {
      return links.sessions;
    },
    plan,
    linkWords: links.linkWords,
    sessionWords: links.sessionWords,
    sessionNotes: links.sessionNotes,
    creditTable: links.creditTable,
    queueTable: links.queueTable,
    reload: () => ({ generation: reloader.generation, last: reloader.last }),
    clock: parts.clock,
    blocks: Array.from(
      { length: threadCount(plan) },
      (_, thread) => new MetricBlock(memory.metrics, thread),
    ),
    logTable: new LogTable(memory.log),
    idempotency: new IdempotencyTable(memory.idempotency),
    rings: watchedRings(memory),
    waitingMessages: () => sumOf(memory, ProducerWord.WAITING_MESSAGES),
    pendingCalls: () => sumOf(memory, ProducerWord.PENDING_CALLS),
    credits: (poolIndex, priority) => creditsLeft(credits, plan, poolIndex, priority),
    usage: () => {
      const { rss, heapUsed, external } = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      return {
        residentBytes: rss,
        heapUsedBytes: heapUsed,
        externalBytes: external,
        cpuSeconds: (user + system) / 1e6,
        threads: threadCpu(bells, plan),
        loops: [...parts.loops].map(([thread, loop]) => ({
          thread,
          seconds: loop.eventLoopUtilization().active / 1000,
        })),
      };
    },
    unreadiness: parts.unreadiness,
    ledgerStatus: (done) => {
      const isAsked = questions.ask({ kind: "status" }, (status) => done(status as object));
      if (!isAsked) done("late");
    },
    recordings: (linkId, done) => parts.dumps.ask(linkId, done),
  };
}

/** What tells how links and pools are, with the plan of now. Any thread. */
export function linkSources(
  memory: SharedMemory,
  planOfNow: () => PoolPlan,
  clock: Clock,
): LinkSources {
  const { plan } = memory;
  const sessionWords = new Int32Array(memory.sessions);
  return {
    plan,
    get pools() {
      return planOfNow();
    },
    get sessions() {
      return sessionRows(assignSessions(planOfNow().links, plan.workerCount));
    },
    linkWords: new Int32Array(memory.links),
    sessionWords,
    sessionNotes: new SessionNotes(sessionWords),
    creditTable: new CreditTable(memory.credits, plan),
    queueTable: new QueueTable(memory.queues, plan),
    clock,
  };
}

/** Sum of a word over the ingress threads. */
function sumOf(memory: SharedMemory, word: number): number {
  const words = new Int32Array(memory.producers);
  let sum = 0;
  for (let producer = 0; producer < memory.plan.ingressCount; producer++) {
    sum += Atomics.load(words, producerWord(producer, word));
  }
  return sum;
}

function creditsLeft(
  credits: CreditTable,
  plan: SharedPlan,
  poolIndex: number,
  priority: number,
): number {
  let sum = 0;
  for (let worker = 0; worker < plan.workerCount; worker++) {
    const cell = credits.cell(worker, poolIndex, priority);
    for (let producer = 0; producer < plan.ingressCount; producer++) {
      sum += credits.left(producer, cell);
    }
  }
  return sum;
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
