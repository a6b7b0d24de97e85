/**
 * One frame of `smsgw top`: two looks at the admin port become lines of text. Pure.
 *
 *   messages   accepted, refused, sent, answered, receipts: per second, and latencies
 *   threads    CPU of each, as a share of one core      rings   how full
 *   links      state, window, rate                      queues  depth, age, wait
 *   log        lag, disk
 */
import { byLabel, type MetricSamples, percentileSince, sumOf } from "./prometheus-read.ts";

/** What the admin port said at one moment. */
export interface Look {
  readonly atMs: number;
  readonly metrics: MetricSamples;
  readonly status: AdminStatus;
}

/** What of GET /status is shown. */
export interface AdminStatus {
  readonly node: string;
  readonly uptime_s: number;
  readonly ready: boolean;
  readonly not_ready_because: readonly string[];
  readonly durability: string;
  readonly links: readonly {
    readonly id: number;
    readonly effective_rate: number | null;
    readonly contract_rate: number | null;
    readonly sessions: readonly { readonly state: string; readonly window_used: number }[];
  }[];
  readonly pools: readonly {
    readonly id: number;
    readonly weight: number;
    /** Highest priority first; only those with messages that wait. */
    readonly queues: readonly {
      readonly priority: number;
      readonly queued: number;
      readonly oldest_age_s: number;
    }[];
  }[];
}

const QUEUES_SHOWN_MAX = 12;
const BAR_CELLS = 20;
const MIB = 2 ** 20;

/** The lines of a frame, none longer than `columns`. */
export function frameLines(before: Look, now: Look, columns: number): string[] {
  const lines = [
    ...headLines(now),
    "",
    ...messageLines(before, now),
    "",
    ...latencyLines(before, now),
    "",
    ...threadLines(before, now),
    ...ringLines(now),
    "",
    ...linkLines(before, now),
    ...queueLines(before, now),
    "",
    ...logLines(now),
  ];
  return lines.map((line) => line.slice(0, columns));
}

/**
 * What of a frame fits into `rows` (null: any number): all of it, or all but its empty lines, or
 * the beginning of that. Where a frame is longer than the terminal, its head scrolls away.
 */
export function fittedLines(lines: readonly string[], rows: number | null): readonly string[] {
  if (rows === null || lines.length <= rows) return lines;
  return lines.filter((line) => line !== "").slice(0, rows);
}

function headLines({ status }: Look): string[] {
  const { node, uptime_s, ready, not_ready_because, durability } = status;
  const state = ready ? "ready" : `NOT READY: ${not_ready_because.join(", ")}`;
  return [`${node}   up ${duration(uptime_s)}   durability ${durability}   ${state}`];
}

function messageLines(before: Look, now: Look): string[] {
  const rate = (name: string): string =>
    perSecond(before, now, (look) => sumOf(look.metrics, name));
  return [
    row("messages/s", [
      ["accepted", rate("messages_accepted_total")],
      ["refused", rate("messages_refused_total")],
      ["receipts", rate("receipts_received_total")],
    ]),
    row("segments/s", [
      ["sent", rate("segments_sent_total")],
      ["answered", rate("segments_accepted_total")],
      ["throttled", rate("segments_throttled_total")],
      ["retried", rate("segments_retried_total")],
    ]),
  ];
}

function latencyLines(before: Look, now: Look): string[] {
  const line = (title: string, name: string): string => {
    const [p50, p99] = [50, 99].map((p) =>
      milliseconds(percentileSince(before.metrics, now.metrics, name, p)),
    );
    return `  ${title.padEnd(26)} ${(p50 ?? "").padStart(10)} ${(p99 ?? "").padStart(10)}`;
  };
  return [
    `latency, at most             ${"p50".padStart(10)} ${"p99".padStart(10)}`,
    line("request to 202", "accept_duration_ms"),
    line("one commit", "journal_commit_duration_ms"),
    line("acceptance to submit_sm", "submit_duration_ms"),
    line("submit_sm to its answer", "answer_duration_ms"),
  ];
}

/** CPU of each thread, and how much of the time its event loop was busy. */
function threadLines(before: Look, now: Look): string[] {
  const seconds = (now.atMs - before.atMs) / 1000;
  const loopsThen = byLabel(before.metrics, "thread_loop_busy_seconds_total", "thread");
  const loops = byLabel(now.metrics, "thread_loop_busy_seconds_total", "thread");
  const then = byLabel(before.metrics, "thread_cpu_seconds_total", "thread");
  const threads = byLabel(now.metrics, "thread_cpu_seconds_total", "thread");
  const process = "process_cpu_seconds_total";
  let others = sumOf(now.metrics, process) - sumOf(before.metrics, process);
  const lines: string[] = [];
  for (const [thread, cpu] of threads) {
    const used = cpu - (then.get(thread) ?? 0);
    others -= used;
    const loop = loops.get(thread);
    const busy = ((loop ?? 0) - (loopsThen.get(thread) ?? 0)) / seconds;
    const text = loop === undefined ? "" : `   loop ${(busy * 100).toFixed(0).padStart(3)} %`;
    lines.push(bar(thread, used / seconds) + text);
  }
  if (threads.size > 0) lines.push(bar("others", Math.max(0, others) / seconds));
  return ["threads, share of one core", ...lines];
}

function ringLines({ metrics }: Look): string[] {
  const sizes = byLabel(metrics, "ring_size_bytes", "ring");
  const full = [...byLabel(metrics, "ring_used_bytes", "ring")]
    .map(([ring, used]) => ({ ring, share: used / (sizes.get(ring) ?? 1) }))
    .filter(({ share }) => share >= 0.01);
  if (full.length === 0) return ["rings: all below 1 %"];
  return ["rings, share used", ...full.map(({ ring, share }) => bar(ring, share))];
}

function linkLines(before: Look, now: Look): string[] {
  const then = byLabel(before.metrics, "link_written_segments_total", "link");
  const written = byLabel(now.metrics, "link_written_segments_total", "link");
  const lines = now.status.links.map((link) => {
    const { id, sessions, effective_rate: effective, contract_rate: contract } = link;
    const key = String(id);
    const seconds = (now.atMs - before.atMs) / 1000;
    const rate = ((written.get(key) ?? 0) - (then.get(key) ?? 0)) / seconds;
    const bound = sessions.filter(({ state }) => state === "bound").length;
    const window = sessions.reduce((sum, { window_used }) => sum + window_used, 0);
    const allowed = contract === null ? "unlimited" : count(contract);
    const slowed = effective !== null && contract !== null && effective < contract;
    return (
      `  ${key.padEnd(8)} ${`${bound}/${sessions.length}`.padStart(7)} ` +
      `${count(window).padStart(8)} ${count(rate).padStart(9)} ${allowed.padStart(10)}` +
      `${slowed ? `  slowed to ${count(effective)}` : ""}${bound === 0 ? "  DOWN" : ""}`
    );
  });
  return ["link         bound   window written/s   contract", ...lines];
}

function queueLines(before: Look, now: Look): string[] {
  const lines = now.status.pools.flatMap(({ id, queues }) =>
    queues.map(({ priority, queued, oldest_age_s: age }) => {
      const labels = `pool="${id}",priority="${priority}"`;
      const p99 = percentileSince(before.metrics, now.metrics, "queue_wait_ms", 99, labels);
      return (
        `  ${String(id).padEnd(8)} ${String(priority).padStart(8)} ${count(queued).padStart(12)} ` +
        `${duration(age).padStart(15)} ${milliseconds(p99).padStart(12)}`
      );
    }),
  );
  if (lines.length === 0) return ["queues: nothing waits"];
  const shown = lines.slice(0, QUEUES_SHOWN_MAX);
  if (lines.length > shown.length) shown.push(`  and ${lines.length - shown.length} more`);
  return ["queue     priority      waiting          oldest     wait p99", ...shown];
}

function logLines({ metrics }: Look): string[] {
  const mib = (name: string): string => `${(sumOf(metrics, name) / MIB).toFixed(1)} MiB`;
  return [
    row("log", [
      ["on disk", mib("journal_disk_bytes")],
      ["of", mib("journal_max_bytes")],
      ["ledger behind", mib("ledger_lag_bytes")],
    ]),
    row("messages", [
      ["open", count(sumOf(metrics, "open_messages"))],
      ["waiting", count(sumOf(metrics, "waiting_messages"))],
      ["calls", count(sumOf(metrics, "pending_calls"))],
    ]),
    row("memory", [["resident", mib("process_resident_memory_bytes")]]),
  ];
}

function row(title: string, cells: readonly (readonly [string, string])[]): string {
  const parts = cells.map(([name, value]) => `${name} ${value}`.padEnd(22));
  return `${title.padEnd(12)}${parts.join("")}`.trimEnd();
}

function bar(name: string, share: number): string {
  const cells = Math.min(BAR_CELLS, Math.max(0, Math.round(share * BAR_CELLS)));
  const filled = "█".repeat(cells) + "░".repeat(BAR_CELLS - cells);
  return `  ${name.padEnd(14)} ${filled} ${(share * 100).toFixed(0).padStart(4)} %`;
}

function perSecond(before: Look, now: Look, pick: (look: Look) => number): string {
  return count(((pick(now) - pick(before)) * 1000) / (now.atMs - before.atMs));
}

function milliseconds(ms: number | null): string {
  if (ms === null) return "-";
  if (ms === Number.POSITIVE_INFINITY) return "> 1 min";
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function duration(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
