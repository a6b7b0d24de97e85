/**
 * `smsgw bench`: what this machine's gateway does, against a simulated operator, in one command.
 *
 * Gateway, operator and load share the machine and its disk; the figures are that machine's.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXIT_CODES } from "../errors.ts";
import { measureDisk } from "./load/disk-speed.ts";
import { LoadStand } from "./load/load-stand.ts";
import { type Measurement, measurePoint } from "./load/point.ts";
import { numbersFrom, PREFIX } from "./load/requests.ts";
import { stopAtSignals } from "./load/stop-at-signals.ts";
import { type CliIo, UsageError } from "./output.ts";

export const usage = `Usage: smsgw bench [options]

Starts a gateway and a simulated operator on loopback, loads them from this process, and prints
rate, latencies, CPU by thread and memory. Everything is ended and removed afterwards.

Options:
  --seconds N        of load, after a second of warm-up (20)
  --rate N           requests a second, latencies from when each was due (as fast as answered)
  --connections N    HTTP connections (64)
  --batch N          messages a request, 1 to 1000 (1)
  --threads N        ingress threads, http.threads (1)
  --workers N        SMPP workers, workers.count (1)
  --links N          links to the operator (2)
  --window N         window_max of each session (1000)
  --commit-interval-us N  journal.commit_interval_us (1000)
  --durability MODE  disk, process or none (disk)
  --receipts MODE    none or final (none)
  --dir FOLDER       a folder on the disk to measure (the system's for temporary files)
  --out FILE         also write everything as JSON
`;

const OPTIONS = {
  seconds: { type: "string", default: "20" },
  rate: { type: "string" },
  connections: { type: "string", default: "64" },
  batch: { type: "string", default: "1" },
  threads: { type: "string", default: "1" },
  workers: { type: "string", default: "1" },
  links: { type: "string", default: "2" },
  window: { type: "string", default: "1000" },
  "commit-interval-us": { type: "string", default: "1000" },
  durability: { type: "string", default: "disk" },
  receipts: { type: "string", default: "none" },
  dir: { type: "string", default: tmpdir() },
  out: { type: "string" },
} as const;

/** A generator so busy may be what limits the figures. */
const GENERATOR_BUSY_MAX = 0.9;
/** Of all CPUs; beside more the figures say little. */
const OTHERS_SHARE_MAX = 0.1;

/** Reads a whole number. Throws UsageError. */
export function countOf(name: string, text: string, max: number, min: number = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`--${name} takes ${min} to ${max}, not ${JSON.stringify(text)}`);
}

/** Reads one of some words. Throws UsageError. */
export function wordOf<A extends string>(name: string, text: string, words: readonly A[]): A {
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw new UsageError(`--${name} takes ${words.join(" or ")}, not ${JSON.stringify(text)}`);
}

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const shape = {
    ingressThreads: countOf("threads", values.threads, 64),
    workers: countOf("workers", values.workers, 64),
    links: countOf("links", values.links, 64),
    sessions: 1,
    window: countOf("window", values.window, 10_000),
    commitIntervalUs: countOf("commit-interval-us", values["commit-interval-us"], 100_000, 0),
    durability: wordOf("durability", values.durability, ["disk", "process", "none"]),
  };
  const receipts = wordOf("receipts", values.receipts, ["none", "final"]);
  const load = {
    seconds: countOf("seconds", values.seconds, 86_400),
    connections: countOf("connections", values.connections, 10_000),
    batch: countOf("batch", values.batch, 1000),
    rate: values.rate === undefined ? null : countOf("rate", values.rate, 10_000_000),
    hasReceipts: receipts === "final",
    numberOf: numbersFrom(PREFIX),
  };
  const stand = new LoadStand(resolve(io.cwd, values.dir), io.env, io.wallMs());
  const release = stopAtSignals(stand);
  try {
    const disk = measureDisk(stand.folder);
    const operator = await stand.startOperator(["--receipts", receipts]);
    const measured = await measurePoint(stand, operator, shape, load);
    io.stdout(reportText(measured, disk.p50Ms));
    if (values.out !== undefined) {
      const { numberOf: _, ...settings } = load;
      const machine = { cpu: cpus()[0]?.model ?? "", cpus: availableParallelism() };
      const at = new Date(io.wallMs()).toISOString();
      const result = { at, node: process.version, machine, settings, disk, measured };
      writeFileSync(resolve(io.cwd, values.out), `${JSON.stringify(result, null, 2)}\n`);
    }
    return EXIT_CODES.ok.code;
  } finally {
    await stand.stop();
    release();
  }
}

function reportText(measured: Measurement, diskP50Ms: number): string {
  const { accepted, cpuUs, busy, generatorBusy, refused, unanswered } = measured;
  const ms = (us: number): string => `${(us / 1000).toFixed(2)} ms`;
  const total = Object.values(cpuUs).reduce((sum, us) => sum + us, 0);
  const lines = [
    `${Math.round(measured.perS).toLocaleString("en")} segments/s to submit_sm_resp, ` +
      `${measured.messagesAccepted.toLocaleString("en")} messages in all, ` +
      `every one final after ${measured.toLastFinalS.toFixed(1)} s`,
    `request to 202   p50 ${ms(accepted.p50)}  p99 ${ms(accepted.p99)}  ` +
      `p99.9 ${ms(accepted.p999)}  max ${ms(accepted.max)}`,
    `64 KB on disk    p50 ${diskP50Ms.toFixed(2)} ms (write + fdatasync); one commit ` +
      `${(measured.bytesPerCommit / 1024).toFixed(0)} KiB, p50 at most ` +
      `${measured.commitP50Ms?.toFixed(2) ?? "–"} ms`,
    `CPU a message    ${total.toFixed(1)} µs: ` +
      Object.entries(cpuUs)
        .map(([thread, us]) => `${thread} ${us.toFixed(1)}`)
        .join(", "),
    `busy, of a core  ${Object.entries(busy)
      .map(([thread, share]) => `${thread} ${share.toFixed(2)}`)
      .join(", ")}, the load itself ${generatorBusy.toFixed(2)}`,
    `memory           ${(measured.residentBytes / 2 ** 20).toFixed(0)} MiB (RssAnon + RssShmem)`,
  ];
  if (refused + unanswered > 0) lines.push(`${refused} refused, ${unanswered} unanswered`);
  if (generatorBusy > GENERATOR_BUSY_MAX) {
    lines.push("The load itself was busy all the time: the gateway may be able to do more.");
  }
  if (measured.othersShare > OTHERS_SHARE_MAX) {
    lines.push(
      `Other programs took ${(measured.othersShare * 100).toFixed(0)} % of all CPUs meanwhile: ` +
        "repeat it when the machine is quiet.",
    );
  }
  return `${lines.join("\n")}\n`;
}
