/**
 * Gathers what the admin listener shows from all over the process. Main thread only.
 */
import type { AdminSources, SessionRow, WatchedRing } from "../admin/sources.ts";
import type { Clock } from "../environment.ts";
import { MetricBlock } from "../metrics/block.ts";
import { assignSessions } from "../smpp/plan.ts";
import { CreditTable } from "../tables/credit-table.ts";
import { LogTable } from "../tables/log-table.ts";
import { type SharedPlan, threadCount } from "../tables/plan.ts";
import { ProducerWord, producerWord } from "../tables/producer-table.ts";
import type { LinkDumps } from "./link-dumps.ts";
import type { SharedMemory } from "./shared-memory.ts";
import type { Reloader } from "./reloader.ts";
import { threadCpu } from "./thread-cpu.ts";
import type { LedgerQuestions } from "./threads.ts";

export interface AdminParts {
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
  return {
    get config() {
      return reloader.config;
    },
    plan,
    get pools() {
      return reloader.plan;
    },
    get sessions() {
      return sessionRows(assignSessions(reloader.plan.links, plan.workerCount));
    },
    reload: () => ({ generation: reloader.generation, last: reloader.last }),
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
