/**
 * One measured point: a gateway started for it, loaded at saturation or at a rate, looked at over
 * its admin port, and ended.
 *
 *   start ─► warm up ─► look ─► load, a look each quarter second ─► look ─► all final ─► end
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import {
  byLabel,
  type MetricSamples,
  percentileSince,
  readPrometheus,
  sumOf,
} from "../prometheus-read.ts";
import { type Latencies, type LoadResult, runLoad } from "./generator.ts";
import type { GatewayShape, LoadStand, OperatorAddress, StandingGateway } from "./load-stand.ts";
import { MachineLoad } from "./machine-load.ts";
import { makeRequests } from "./requests.ts";

const WARM_UP_S = 1;
const LOOK_MS = 250;
const FINAL_MS_MAX = 120_000;

/** What a point is loaded with. */
export interface PointLoad {
  readonly seconds: number;
  readonly connections: number;
  readonly batch: number;
  /** Requests a second; null: as many as are answered. */
  readonly rate: number | null;
  readonly hasReceipts: boolean;
  readonly numberOf: (i: number) => string;
}

/** What a point came to. Rates and shares are of the load without its warm-up. */
export interface Measurement {
  readonly shape: GatewayShape;
  readonly batch: number;
  /** Segments that the operator answered, a second. */
  readonly perS: number;
  readonly messagesAccepted: number;
  /** From the start of the load until every message was final. */
  readonly toLastFinalS: number;
  readonly accepted: Latencies;
  readonly refused: number;
  readonly unanswered: number;
  /** submit_sm to submit_sm_resp; null: none was answered. */
  readonly answerP50Ms: number | null;
  readonly answerP99Ms: number | null;
  readonly commitP50Ms: number | null;
  readonly bytesPerCommit: number;
  /** Shares of a core by thread. */
  readonly busy: Readonly<Record<string, number>>;
  /** Utilisation of event loops by thread. */
  readonly loopBusy: Readonly<Record<string, number>>;
  /** CPU µs a message by thread, `others` included. */
  readonly cpuUs: Readonly<Record<string, number>>;
  /** The fullest each ring was seen, as a share. */
  readonly rings: Readonly<Record<string, number>>;
  /** Mean use of all windows, as a share. */
  readonly windowShare: number;
  /** Sessions that were bound. */
  readonly sessions: number;
  /** RssAnon + RssShmem at the end of the load. */
  readonly residentBytes: number;
  /** Share of a core that the load generator's thread was busy. */
  readonly generatorBusy: number;
  /** Of all CPUs, what programs other than load, gateway and operator took meanwhile. */
  readonly othersShare: number;
}

interface Look {
  readonly atMs: number;
  readonly metrics: MetricSamples;
}

export async function measurePoint(
  stand: LoadStand,
  operator: OperatorAddress,
  shape: GatewayShape,
  load: PointLoad,
): Promise<Measurement> {
  const gateway = await stand.startGateway(shape, operator);
  try {
    const sessions = await untilBound(gateway);
    const requests = makeRequests({ ...load, token: stand.token, appId: 1 });
    const run = (seconds: number): Promise<LoadResult> =>
      runLoad({ ...load, port: gateway.httpPort, requests, seconds });
    const startedMs = performance.now();
    await run(WARM_UP_S);
    const before = await lookAt(gateway);
    const watch = new Watch(gateway);
    const machine = new MachineLoad(stand.pids);
    const loaded = await run(load.seconds);
    const othersShare = machine.othersShare();
    watch.end();
    const after = await lookAt(gateway);
    const residentBytes = residentOf(gateway.pid);
    await untilFinal(gateway);
    const toLastFinalS = (performance.now() - startedMs) / 1000;
    const done = await lookAt(gateway);
    return {
      shape,
      batch: load.batch,
      ...ratesOf(before, after),
      messagesAccepted: sumOf(done.metrics, "messages_accepted_total"),
      cpuUs: cpuOf(done.metrics),
      toLastFinalS,
      accepted: loaded.accepted,
      refused: loaded.refused.count,
      unanswered: loaded.unanswered,
      rings: watch.rings,
      windowShare: watch.windowShare,
      sessions,
      residentBytes,
      generatorBusy: loaded.busy,
      othersShare,
    };
  } finally {
    await gateway.stop();
  }
}

/** Looks at rings and windows while a load runs. */
class Watch {
  readonly rings: Record<string, number> = {};
  readonly #timer: NodeJS.Timeout;
  #windowShares = 0;
  #looks = 0;

  constructor(gateway: StandingGateway) {
    this.#timer = setInterval(() => {
      lookAt(gateway)
        .then(({ metrics }) => this.#take(metrics))
        .catch(() => undefined);
    }, LOOK_MS);
  }

  get windowShare(): number {
    return this.#looks === 0 ? 0 : this.#windowShares / this.#looks;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #take(metrics: MetricSamples): void {
    const sizes = byLabel(metrics, "ring_size_bytes", "ring");
    for (const [ring, used] of byLabel(metrics, "ring_used_bytes", "ring")) {
      const share = used / (sizes.get(ring) ?? 1);
      this.rings[ring] = Math.max(this.rings[ring] ?? 0, share);
    }
    const most = sumOf(metrics, "session_window_max");
    if (most === 0) return;
    this.#windowShares += sumOf(metrics, "session_window_used") / most;
    this.#looks++;
  }
}

function ratesOf(before: Look, after: Look) {
  const seconds = (after.atMs - before.atMs) / 1000;
  const since = (name: string): number => sumOf(after.metrics, name) - sumOf(before.metrics, name);
  const percentile = (name: string, p: number): number | null =>
    percentileSince(before.metrics, after.metrics, name, p);
  const shares = (name: string): Record<string, number> => {
    const then = byLabel(before.metrics, name, "thread");
    const now = [...byLabel(after.metrics, name, "thread")];
    return Object.fromEntries(
      now.map(([thread, value]) => [thread, (value - (then.get(thread) ?? 0)) / seconds]),
    );
  };
  return {
    perS: since("segments_accepted_total") / seconds,
    answerP50Ms: percentile("answer_duration_ms", 50),
    answerP99Ms: percentile("answer_duration_ms", 99),
    commitP50Ms: percentile("journal_commit_duration_ms", 50),
    bytesPerCommit:
      since("journal_committed_bytes_total") / Math.max(1, since("journal_commits_total")),
    busy: shares("thread_cpu_seconds_total"),
    loopBusy: shares("thread_loop_busy_seconds_total"),
  };
}

/** CPU µs a message since the gateway's start. */
function cpuOf(metrics: MetricSamples): Record<string, number> {
  const messages = Math.max(1, sumOf(metrics, "messages_accepted_total"));
  const threads = byLabel(metrics, "thread_cpu_seconds_total", "thread");
  let others = sumOf(metrics, "process_cpu_seconds_total");
  const cpuUs: Record<string, number> = {};
  for (const [thread, seconds] of threads) {
    others -= seconds;
    cpuUs[thread] = (seconds * 1e6) / messages;
  }
  return { ...cpuUs, others: (Math.max(0, others) * 1e6) / messages };
}

async function lookAt({ adminPort }: StandingGateway): Promise<Look> {
  const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  return { metrics: readPrometheus(await response.text()), atMs: performance.now() };
}

/** Waits until a session is bound and no further one came for a second; returns their number. */
async function untilBound(gateway: StandingGateway): Promise<number> {
  const deadline = performance.now() + FINAL_MS_MAX / 4;
  let bound = 0;
  let sinceMs = performance.now();
  while (performance.now() < deadline) {
    const { metrics } = await lookAt(gateway);
    let count = 0;
    for (const [labels, value] of metrics.get("session_state") ?? []) {
      if (labels.includes('state="bound"')) count += value;
    }
    if (count !== bound) sinceMs = performance.now();
    bound = count;
    const wanted = metrics.get("session_window_max")?.size ?? 0;
    if (bound > 0 && (bound >= wanted || performance.now() - sinceMs > 1000)) return bound;
    await sleep(50);
  }
  throw new Error("no session could be bound; is the SMSC there, and are the credentials right?");
}

async function untilFinal({ adminPort }: StandingGateway): Promise<void> {
  const deadline = performance.now() + FINAL_MS_MAX;
  while (performance.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/status`);
    const { books } = (await response.json()) as { books: { accepted: number; open: number } };
    if (books.open === 0) return;
    await sleep(50);
  }
  throw new Error(`messages are still open ${FINAL_MS_MAX / 1000} s after the load`);
}

function residentOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  let bytes = 0;
  for (const [, kib] of status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)) {
    bytes += Number(kib) * 1024;
  }
  return bytes;
}
