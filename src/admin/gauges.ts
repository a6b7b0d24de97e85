/**
 * Reads every gauge of the table out of shared memory. Main thread.
 */
import type { GaugeName } from "../metrics/table.ts";
import type { GaugeSample, HistogramSample } from "../metrics/prometheus.ts";
import { RING_HEADER_BYTES, ringUsedBytes } from "../ring/layout.ts";
import { SESSION_STATE_NAMES } from "../tables/link-table.ts";
import { LEDGER_LAG_BYTES_MAX, LogWord } from "../tables/log-table.ts";
import { WAIT_BUCKETS, waitBoundMs } from "../tables/queue-table.ts";
import { linkStatuses, poolStatuses } from "./link-status.ts";
import type { AdminSources } from "./sources.ts";

/** Priorities that credits are counted for. */
const PRIORITIES = [0, 1, 2, 3] as const;

type Add = (name: GaugeName, value: number, ...labels: (string | number)[]) => void;

export function readGauges(sources: AdminSources): GaugeSample[] {
  const samples: GaugeSample[] = [];
  const add: Add = (name, value, ...labels) => samples.push({ name, labels, value });
  add("ready", sources.unreadiness().length === 0 ? 1 : 0);
  addLog(sources, add);
  add("waitingMessages", sources.waitingMessages());
  add("pendingCalls", sources.pendingCalls());
  addPools(sources, add);
  addLinks(sources, add);
  for (const ring of sources.rings) {
    add("ringUsed", ringUsedBytes(ring.buffer), ring.name);
    add("ringSize", ring.buffer.byteLength - RING_HEADER_BYTES, ring.name);
  }
  const usage = sources.usage();
  add("resident", usage.residentBytes);
  add("heap", usage.heapUsedBytes);
  add("external", usage.externalBytes);
  add("cpu", usage.cpuSeconds);
  for (const { thread, seconds } of usage.threads) add("threadCpu", seconds, thread);
  for (const { thread, seconds } of usage.loops) add("loopBusy", seconds, thread);
  return samples;
}

function addLog(sources: AdminSources, add: Add): void {
  const { logTable, config } = sources;
  const committed = logTable.load(LogWord.COMMITTED);
  const applied = logTable.load(LogWord.LEDGER_APPLIED);
  add("logOnDisk", logTable.onDiskBytes());
  add("logMax", config.journal.bytesMax);
  add("logUnsynced", Math.max(0, committed - logTable.load(LogWord.SYNCED)));
  add("shortOfSpace", logTable.load(LogWord.SHORT_OF_SPACE));
  add("storeFull", logTable.load(LogWord.STORE_FULL));
  add("ledgerLag", Math.max(0, committed - applied));
  add("ledgerLagMax", LEDGER_LAG_BYTES_MAX);
  add("movedBodies", logTable.load(LogWord.MOVED_BYTES));
  add("ledgerUnflushed", Math.max(0, applied - logTable.load(LogWord.LEDGER_FLUSHED)));
  add("cdrStore", logTable.load(LogWord.CDR_STORE_BYTES));
  add("cdrFiles", logTable.load(LogWord.CDR_FILES));
  add("cdrFileBytes", logTable.load(LogWord.CDR_FILE_BYTES));
  add("cdrDiskMax", config.cdr.diskBytesMax);
  add("cdrLevel", logTable.load(LogWord.CDR_LEVEL));
  const oldest = logTable.load(LogWord.CDR_OLDEST_AT);
  const age = oldest === 0 ? 0 : Math.max(0, sources.clock.wallMs() - oldest);
  add("cdrOldest", age / 1000);
  add("idempotencyKeys", sources.idempotency.keptCount);
  add("openMessages", logTable.load(LogWord.OPEN_COUNT));
  add("openLife", logTable.load(LogWord.OPEN_LIFE_BYTES));
}

function addPools(sources: AdminSources, add: Add): void {
  for (const { id, weight, queued, queues } of poolStatuses(sources)) {
    add("poolWeight", weight, id);
    add("poolQueued", queued, id);
    for (const priority of PRIORITIES) {
      const queue = queues.find((found) => found.priority === priority);
      add("queueDepth", queue?.queued ?? 0, id, priority);
      add("queueAge", queue?.oldest_age_s ?? 0, id, priority);
    }
  }
  for (const { poolIndex, id } of sources.pools.pools) {
    for (const priority of PRIORITIES) {
      add("credits", sources.credits(poolIndex, priority), id, priority);
    }
  }
}

function addLinks(sources: AdminSources, add: Add): void {
  for (const link of linkStatuses(sources)) {
    if (link.effective_rate !== null) add("linkRate", link.effective_rate, link.id);
    if (link.contract_rate !== null) add("linkContract", link.contract_rate, link.id);
    add("linkUp", link.up ? 1 : 0, link.id);
    add("linkQueued", link.queued, link.id);
    add("linkStalls", link.stalls, link.id);
    add("linkPrepared", link.prepared, link.id);
    add("linkWritten", link.written, link.id);
    for (const session of link.sessions) {
      for (const state of SESSION_STATE_NAMES) {
        add("sessionState", session.state === state ? 1 : 0, link.id, session.session, state);
      }
      add("sessionWindow", session.window_used, link.id, session.session);
      add("sessionWindowMax", link.window_max, link.id, session.session);
      add("sessionBinds", session.binds, link.id, session.session);
      add("sessionLost", session.lost, link.id, session.session);
      add("sessionSent", session.sent, link.id, session.session);
      for (const answer of ["accepted", "refused", "throttled", "ambiguous"] as const) {
        add("sessionAnswers", session[answer], link.id, session.session, answer);
      }
      add("sessionReceipts", session.receipts, link.id, session.session);
    }
  }
}

/** How long what went out had waited, by pool and priority; only where something did. */
export function readWaits({ pools, queueTable }: AdminSources): HistogramSample[] {
  const samples: HistogramSample[] = [];
  for (const { poolIndex, id } of pools.pools) {
    for (const priority of PRIORITIES) {
      const counts = Array.from({ length: WAIT_BUCKETS }, (_, bucket) =>
        queueTable.waits(poolIndex, priority, bucket),
      );
      if (counts.every((count) => count === 0)) continue;
      samples.push({ labels: [id, priority], counts, boundMs: waitBoundMs });
    }
  }
  return samples;
}
