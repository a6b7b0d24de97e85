/**
 * The whole gateway with few and with many messages in its ledger: what a message costs, and what
 * the process tree holds in memory all the way.
 *
 *   npm run bench:stored -- [--stored 100000,300000,10000000] [--seconds 10] [--batch 100]
 *                           [--receipts final|none] [--minutes-max 60] [--json FILE]
 *
 *   fill: batches as fast as they are taken, until so many are stored ─► turn: single POSTs
 *   └───────────── memory of the tree every second ──────────────────────────────────────┘
 *
 * Every message goes to the simulated operator and is final before the next turn; all of them stay
 * stored (`ledger.retention_h` is a day). A turn has its number of stored messages in its middle,
 * and is shorter where ten seconds would store more than half of it. Up to the first one the
 * program is filled by single POSTs: until code is compiled a message costs more, and the first
 * turn may still show it. So the last turn is compared with the cheapest of those before it.
 * Ten million take about 6 GB under TMPDIR, which must be on the disk that is meant. Exit code 1 if
 * memory was ever above 400 MB, or if a message costs more than 1.3 times as much at the end.
 */
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { readFlags } from "../../test/support/flags.ts";
import { residentBytes } from "../../test/support/processes.ts";
import { type LoadSettings, LOAD_DEFAULTS, type Standing } from "./contenders/contender.ts";
import { GATEWAY } from "./contenders/gateway.ts";
import { describeOrigin, origin } from "./machine.ts";
import { cpuSeconds } from "./process-figures.ts";
import { type Measure, writeFigures } from "./results.ts";
import { runWrk } from "./wrk.ts";

const MEMORY_BYTES_MAX = 400e6;
const COST_RATIO_MAX = 1.3;
/** Longer fills end in a backlog that the turn after has to wait for. */
const FILL_S_MAX = 20;
const TURN_S_MIN = 2;
const FILE_BLOCK_BYTES = 512;

const { values: flags } = readFlags({
  options: {
    stored: { type: "string", default: "100000,300000,10000000" },
    seconds: { type: "string", default: "10" },
    batch: { type: "string", default: "100" },
    receipts: { type: "string", default: "final" },
    "minutes-max": { type: "string", default: "60" },
    json: { type: "string" },
  },
});

/** What a turn at one number of stored messages came to. */
interface StoredPoint {
  /** Messages that were to be stored, and that were. */
  readonly goal: number;
  readonly stored: number;
  readonly messagesPerS: number;
  /** Of the whole tree, and of its ledger thread. */
  readonly cpuUsPerMessage: number;
  readonly ledgerUsPerMessage: number;
  /** RssAnon + RssShmem of the tree at the end of the turn, and the most since the start. */
  readonly memoryBytes: number;
  readonly memoryBytesMost: number;
  /** The ledger's store on the disk, by message. */
  readonly storeBytesPerMessage: number;
}

/** Looks at the memory of a process tree once a second. */
class MemoryWatch {
  readonly everySecond: number[] = [];
  most = 0;
  readonly #pids: readonly number[];
  readonly #timer: NodeJS.Timeout;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#timer = setInterval(() => this.look(), 1000);
  }

  look(): number {
    const bytes = this.#pids.reduce((sum, pid) => sum + residentBytes(pid), 0);
    this.everySecond.push(bytes);
    this.most = Math.max(this.most, bytes);
    return bytes;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

await main();

async function main(): Promise<void> {
  const points = flags.stored.split(",").map((text) => count("stored", text));
  const settings: LoadSettings = {
    ...LOAD_DEFAULTS,
    seconds: count("seconds", flags.seconds),
    receipts: flags.receipts === "none" ? "none" : "final",
  };
  const batch = count("batch", flags.batch);
  const deadline = performance.now() + 60_000 * count("minutes-max", flags["minutes-max"]);
  const from = origin();
  console.log(describeOrigin(from));
  const standing = await GATEWAY.start(settings);
  const watch = new MemoryWatch(standing.pids);
  try {
    const found: StoredPoint[] = [];
    let stored = 0;
    let perS = 0;
    for (const goal of points.sort((a, b) => a - b)) {
      const batchOf = found.length === 0 ? 1 : batch;
      while (stored + (perS * turnSeconds(goal, perS, settings)) / 2 < goal) {
        if (performance.now() > deadline) throw new Error(`${stored} stored: out of time`);
        const seconds = stored === 0 ? 1 : Math.min(FILL_S_MAX, fillSeconds(goal - stored, perS));
        const filled = await load(standing, { ...settings, seconds, batch: batchOf });
        stored += filled.messages;
        perS = filled.messages / filled.seconds;
        console.error(`${stored} stored, ${mib(watch.look())} MiB`);
      }
      const turn = await load(standing, {
        ...settings,
        seconds: turnSeconds(goal, perS, settings),
      });
      stored += turn.messages;
      found.push({ goal, ...pointOf(stored, turn, watch, standing) });
      console.log(lineOf(found.at(-1) as StoredPoint));
    }
    conclude(found, from, watch);
  } finally {
    watch.end();
    await standing.stop();
  }
}

interface Turn {
  readonly messages: number;
  readonly seconds: number;
  readonly cpuS: number;
  readonly ledgerS: number;
}

/** One turn of load; ends when everything of it is final. */
async function load(standing: Standing, settings: LoadSettings): Promise<Turn> {
  const before = cpuSeconds(standing.pids);
  const settle = standing.watch();
  await runWrk(standing, settings);
  const settled = await settle();
  if (settled === null || settled.messages === 0) throw new Error("no message was sent");
  const { messages, seconds, cpuByThread } = settled;
  const cpuS = cpuSeconds(standing.pids) - before;
  return { messages, seconds, cpuS, ledgerS: cpuByThread["ledger"] ?? 0 };
}

/** Of a turn that stores no more than half of `goal`. */
function turnSeconds(goal: number, perS: number, { seconds }: LoadSettings): number {
  return Math.min(seconds, Math.max(TURN_S_MIN, Math.floor(goal / 2 / Math.max(1, perS))));
}

/** Half of what it would take: rates grow while the program is new. */
function fillSeconds(missing: number, perS: number): number {
  return Math.max(1, Math.floor(missing / perS / 2));
}

function pointOf(
  stored: number,
  { messages, seconds, cpuS, ledgerS }: Turn,
  watch: MemoryWatch,
  { pids }: Standing,
): Omit<StoredPoint, "goal"> {
  return {
    stored,
    messagesPerS: messages / seconds,
    cpuUsPerMessage: (cpuS * 1e6) / messages,
    ledgerUsPerMessage: (ledgerS * 1e6) / messages,
    memoryBytes: watch.look(),
    memoryBytesMost: watch.most,
    storeBytesPerMessage: storeBytes(pids[0] as number) / stored,
  };
}

/** Bytes on the disk of the ledger's store; a gateway's working directory is its workspace. */
function storeBytes(pid: number): number {
  const path = join(readlinkSync(`/proc/${pid}/cwd`), "data", "ledger");
  const blocks = readdirSync(path).map((name) => statSync(join(path, name)).blocks);
  return blocks.reduce((sum, each) => sum + FILE_BLOCK_BYTES * each, 0);
}

function conclude(
  found: readonly StoredPoint[],
  from: ReturnType<typeof origin>,
  watch: MemoryWatch,
): void {
  const last = found.at(-1) as StoredPoint;
  const before = found.slice(0, -1).sort((a, b) => a.cpuUsPerMessage - b.cpuUsPerMessage);
  const least = before[0] ?? last;
  const ratio = last.cpuUsPerMessage / least.cpuUsPerMessage;
  console.log(
    `CPU a message with ${last.stored} stored ÷ with ${least.stored}: ${ratio.toFixed(2)} ` +
      `(at most ${COST_RATIO_MAX}); most memory ${(watch.most / 1e6).toFixed(0)} MB ` +
      `(at most ${MEMORY_BYTES_MAX / 1e6})`,
  );
  if (ratio > COST_RATIO_MAX || watch.most > MEMORY_BYTES_MAX) process.exitCode = 1;
  if (flags.json === undefined) return;
  const each = (name: string, unit: string, pick: (point: StoredPoint) => number): Measure[] =>
    found.map((point) => ({
      name: `${name}, ${point.goal} stored`,
      unit,
      better: "lower",
      values: [pick(point)],
    }));
  const measures: Measure[] = [
    { name: "CPU, many ÷ few stored", unit: "×", better: "lower", values: [ratio] },
    { name: "most memory", unit: "MB", better: "lower", values: [watch.most / 1e6] },
    ...each("CPU a message", "µs", (point) => point.cpuUsPerMessage),
    ...each("disk of the store a message", "bytes", (point) => point.storeBytesPerMessage),
  ];
  const run = { points: found, memory_bytes_every_second: watch.everySecond };
  writeFigures(flags.json, "stored", from, flags, measures, [run]);
}

function lineOf(point: StoredPoint): string {
  return [
    `${point.stored} stored`,
    `${point.cpuUsPerMessage.toFixed(1)} µs CPU a message`,
    `${point.ledgerUsPerMessage.toFixed(1)} of them the ledger's`,
    `${point.messagesPerS.toFixed(0)} messages/s`,
    `${mib(point.memoryBytes)} MiB (most so far ${mib(point.memoryBytesMost)})`,
    `${point.storeBytesPerMessage.toFixed(0)} bytes of the store a message`,
  ].join(", ");
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} takes a number`);
  return value;
}
