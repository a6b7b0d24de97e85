/**
 * `smsgw tune`: measures this machine with different thread counts, windows and batches, and says
 * which to take and why.
 *
 *   threads ─► workers ─► window ─► commit ─► batch
 *
 * One is swept, the others keep what was found best so far.
 *
 * Against a simulated operator, or a given SMSC, which then really gets the messages.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseConfig } from "../config/parse.ts";
import { EXIT_CODES } from "../errors.ts";
import { countOf, wordOf } from "./bench.ts";
import { type Dimension, type Recommendation, recommend, tunedYaml } from "./load/knee.ts";
import { LoadStand, type OperatorAddress } from "./load/load-stand.ts";
import { type Measurement, measurePoint } from "./load/point.ts";
import { numbersFrom, PREFIX } from "./load/requests.ts";
import { stopAtSignals } from "./load/stop-at-signals.ts";
import { type CliIo, UsageError } from "./output.ts";

export const usage = `Usage: smsgw tune [options]

Loads a gateway on this machine with different settings and recommends the least that bring the
most, with reasons. Everything is ended and removed afterwards.

Options:
  --seconds N          of load at each point, after a second of warm-up (4)
  --runs N             times each point is measured, of which the median counts (3)
  --sweep NAME[=V,V…]  what to sweep: threads (http.threads), workers (workers.count), window
                       (window_max), commit (journal.commit_interval_us), batch; may be given more
                       than once (all; threads and workers up to the number of cores)
  --connections N      HTTP connections (64)
  --links N            links to the operator (2)
  --sessions N         sessions of each link (1)
  --window-max N       the largest window to try (1000)
  --durability MODE    disk, process or none (disk)
  --dir FOLDER         a folder on the disk to measure (the system's for temporary files)
  --write FILE         write the recommended keys as YAML
  --json FILE          write all measurements and reasons

The operator:
  --latency-ms DELAY   how long the simulated one takes to answer, as for smsgw smsc (0)
  --smsc HOST:PORT     a given SMSC instead. It gets every message, as fast as it answers: ask its
                       owner first. Needs:
  --system-id ID       the account
  --password-file FILE its password (none)
  --to NUMBER          destination of every message, as +998901234567
`;

const OPTIONS = {
  seconds: { type: "string", default: "4" },
  runs: { type: "string", default: "3" },
  sweep: { type: "string", multiple: true },
  connections: { type: "string", default: "64" },
  links: { type: "string", default: "2" },
  sessions: { type: "string", default: "1" },
  "window-max": { type: "string", default: "1000" },
  durability: { type: "string", default: "disk" },
  dir: { type: "string", default: tmpdir() },
  write: { type: "string" },
  json: { type: "string" },
  "latency-ms": { type: "string" },
  smsc: { type: "string" },
  "system-id": { type: "string" },
  "password-file": { type: "string" },
  to: { type: "string" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

const DIMENSIONS: readonly Dimension[] = ["threads", "workers", "window", "commit", "batch"];
const WINDOWS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
const COMMITS_US = [0, 500, 1000, 2000, 4000];
const BATCHES = [1, 10, 100];
const LIMITS: Readonly<Record<Dimension, number>> = {
  threads: 64,
  workers: 64,
  window: 10_000,
  commit: 100_000,
  batch: 1000,
};
/** Start, warm-up and end of a point. */
const POINT_S = 4;

interface Sweep {
  readonly dimension: Dimension;
  readonly values: readonly number[];
}

type Settings = Record<Dimension, number>;

/** The median run, and the rates of all. */
interface Measured {
  readonly measured: Measurement;
  readonly runsPerS: readonly number[];
}

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const cores = availableParallelism();
  const windowMax = countOf("window-max", values["window-max"], LIMITS.window);
  const sweeps = sweepsOf(values.sweep ?? [], cores, windowMax);
  const points = sweeps.reduce((sum, sweep) => sum + sweep.values.length, 0) - sweeps.length + 1;
  const runs = countOf("runs", values.runs, 100);
  const seconds = points * runs * (countOf("seconds", values.seconds, 3600) + POINT_S);
  const tuner = new Tuner(values, io, windowMax);
  io.stdout(
    `${points} points, ${runs} runs each, about ${Math.ceil(seconds / 60)} min ` +
      `on ${machineText()}\n`,
  );
  try {
    await tuner.begin();
    for (const sweep of sweeps) await tuner.sweep(sweep, cores);
  } finally {
    await tuner.end();
  }
  const origin = `smsgw tune, ${new Date(io.wallMs()).toISOString()}, ${machineText()}`;
  const yaml = tunedYaml(tuner.found, origin);
  checkYaml(yaml);
  io.stdout(`\n${yaml}`);
  if (values.write !== undefined) writeFileSync(resolve(io.cwd, values.write), yaml);
  if (values.json !== undefined) {
    const result = { origin, recommendations: tuner.found, measurements: tuner.measurements };
    writeFileSync(resolve(io.cwd, values.json), `${JSON.stringify(result, null, 2)}\n`);
  }
  return EXIT_CODES.ok.code;
}

/** Measures points, each set of settings once. */
class Tuner {
  readonly found: Recommendation[] = [];
  readonly #values: Values;
  readonly #io: CliIo;
  readonly #stand: LoadStand;
  readonly #release: () => void;
  readonly #settings: Settings;
  readonly #measured = new Map<string, Measured>();
  #operator: OperatorAddress | null;

  constructor(values: Values, io: CliIo, windowMax: number) {
    this.#values = values;
    this.#io = io;
    this.#settings = { threads: 1, workers: 1, window: windowMax, commit: 1000, batch: 1 };
    this.#operator = givenOperator(values, io.cwd);
    this.#stand = new LoadStand(resolve(io.cwd, values.dir), io.env, io.wallMs());
    this.#release = stopAtSignals(this.#stand);
  }

  get measurements(): readonly Measured[] {
    return [...this.#measured.values()];
  }

  async begin(): Promise<void> {
    if (this.#operator !== null) return;
    const delay = this.#values["latency-ms"];
    const latency = delay === undefined ? [] : ["--latency-ms", delay];
    this.#operator = await this.#stand.startOperator(["--receipts", "none", ...latency]);
  }

  async end(): Promise<void> {
    await this.#stand.stop();
    this.#release();
  }

  async sweep({ dimension, values }: Sweep, cores: number): Promise<void> {
    const points = [];
    for (const value of values) {
      points.push({ value, ...(await this.#measure({ ...this.#settings, [dimension]: value })) });
    }
    const recommendation = recommend(dimension, points, cores);
    this.#settings[dimension] = recommendation.value;
    this.found.push(recommendation);
    const reasons = recommendation.reasons.map((reason) => `  ${reason}\n`);
    this.#io.stdout(`\n${dimension}: ${recommendation.value}\n${reasons.join("")}`);
  }

  async #measure(settings: Settings): Promise<Measured> {
    const { threads, workers, window, commit, batch } = settings;
    const key = `${threads} ${workers} ${window} ${commit} ${batch}`;
    const known = this.#measured.get(key);
    if (known !== undefined) return known;
    const values = this.#values;
    const shape = {
      ingressThreads: threads,
      workers,
      links: countOf("links", values.links, 64),
      sessions: countOf("sessions", values.sessions, 64),
      window,
      commitIntervalUs: commit,
      durability: wordOf("durability", values.durability, ["disk", "process", "none"]),
    };
    const { to } = values;
    const load = {
      seconds: countOf("seconds", values.seconds, 3600),
      connections: countOf("connections", values.connections, 10_000),
      batch,
      rate: null,
      hasReceipts: false,
      numberOf: to === undefined ? numbersFrom(PREFIX) : (): string => to,
    };
    const operator = this.#operator as OperatorAddress;
    const runs: Measurement[] = [];
    while (runs.length < countOf("runs", values.runs, 100)) {
      runs.push(await measurePoint(this.#stand, operator, shape, load));
    }
    runs.sort((a, b) => a.perS - b.perS);
    const measured = runs[runs.length >> 1] as Measurement;
    const point = { measured, runsPerS: runs.map(({ perS }) => perS) };
    this.#measured.set(key, point);
    this.#io.stderr(
      `threads ${threads}, workers ${workers}, window ${window}, commit ${commit} µs, ` +
        `batch ${batch}: ` +
        `${Math.round(measured.perS)}/s\n`,
    );
    return point;
  }
}

function sweepsOf(asked: readonly string[], cores: number, windowMax: number): Sweep[] {
  const powers: number[] = [];
  for (let value = 1; value < cores; value *= 2) powers.push(value);
  powers.push(cores);
  const usual: Readonly<Record<Dimension, readonly number[]>> = {
    threads: powers,
    workers: powers,
    window: [...WINDOWS.filter((value) => value < windowMax), windowMax],
    commit: COMMITS_US,
    batch: BATCHES,
  };
  const given = new Map(asked.map((text) => sweepOf(text, usual)));
  return DIMENSIONS.flatMap((dimension) => {
    const values = asked.length === 0 ? usual[dimension] : given.get(dimension);
    return values === undefined ? [] : [{ dimension, values }];
  });
}

function sweepOf(
  text: string,
  usual: Readonly<Record<Dimension, readonly number[]>>,
): [Dimension, readonly number[]] {
  const [name = "", list] = text.split("=");
  const dimension = DIMENSIONS.find((known) => known === name);
  if (dimension === undefined) {
    throw new UsageError(`--sweep takes ${DIMENSIONS.join(", ")}, not ${JSON.stringify(name)}`);
  }
  if (list === undefined) return [dimension, usual[dimension]];
  const values = list
    .split(",")
    .map((value) => countOf("sweep", value, LIMITS[dimension], leastOf(dimension)));
  return [dimension, [...new Set(values)].sort((a, b) => a - b)];
}

function leastOf(dimension: Dimension): number {
  return dimension === "commit" ? 0 : 1;
}

/** The SMSC of the command line; null: the simulated one. */
function givenOperator(values: Values, cwd: string): OperatorAddress | null {
  const { smsc, to } = values;
  const systemId = values["system-id"];
  const passwordFile = values["password-file"];
  if (smsc === undefined) {
    if (systemId !== undefined || passwordFile !== undefined || to !== undefined) {
      throw new UsageError("--system-id, --password-file and --to go with --smsc");
    }
    return null;
  }
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(smsc) ?? [];
  if (host === undefined || port === undefined) throw new UsageError("--smsc takes HOST:PORT");
  if (systemId === undefined || to === undefined) {
    throw new UsageError("--smsc needs --system-id and --to, where every message goes");
  }
  if (values["latency-ms"] !== undefined) {
    throw new UsageError("--latency-ms is for the simulated operator");
  }
  if (!/^\+[1-9]\d{6,14}$/.test(to)) throw new UsageError("--to takes a number as +998901234567");
  return {
    host: host.replace(/^\[(.*)\]$/, "$1"),
    port: countOf("smsc", port, 65_535),
    systemId,
    passwordFile: passwordFile === undefined ? null : resolve(cwd, passwordFile),
  };
}

/** What is written must be keys that a configuration takes. Throws ConfigError. */
function checkYaml(yaml: string): void {
  const rest = [
    "auth: { jwt: { secret_file: secret } }",
    "apps: [{ id: 1, name: any }]",
    "links: [{ id: 1, host: 127.0.0.1, port: 2775, system_id: any }]",
    'routes: [{ prefix: "", to: 1 }]',
  ];
  const secret = new TextEncoder().encode("x".repeat(32));
  parseConfig(`${yaml}${rest.join("\n")}\n`, "/", {}, () => secret);
}

function machineText(): string {
  return `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}`;
}
