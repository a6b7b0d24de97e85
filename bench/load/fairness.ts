/**
 * Who waits for whom: latencies beside a million promotions of app 1 that wait for their pool, each
 * as a multiple of the same without them, in turns of one run; and how fast messages are accepted
 * while all links are stopped, beside the same with links.
 *
 *   app 1, promotions, a million ─┐
 *   app 1, otp             50/s ──┼─► pool A, its rate used up by the promotions
 *   app 2, promotions      50/s ──┘
 *   app 2, transactional   50/s ────► pool B, a link of its own
 *
 *   npm run bench:fairness -- [--seconds 30] [--runs 3] [--waiting 1000000] [--rate 1000]
 *                             [--json FILE]
 *
 * Latencies count from when a message was due: until its 202, and until the operator has it by its
 * own log. Generator and operator are on the same machine and read the same clock.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { readFlags } from "../../test/support/flags.ts";
import { acceptBatches } from "../../test/support/batch-load.ts";
import {
  type GatewayProcess,
  gatewayYaml,
  startGateway,
  Workspace,
} from "../../test/support/processes.ts";
import { LOAD_DEFAULTS } from "./contenders/contender.ts";
import { benchToken } from "./contenders/gateway.ts";
import { describeOrigin, origin } from "./machine.ts";
import { type Measure, writeFigures } from "./results.ts";
import { median, percentile } from "./statistics.ts";
import { runWrk } from "./wrk.ts";

const FLOW_PER_S = 50;
/** Until code is compiled and connections are up; not counted. */
const WARM_UP_S_MAX = 4;
const SETTLE_MS = 2000;
const WINDOW = 1000;
const OTHER_APP = 2;
const OTHER_LINK = 9001;
const OTHER_PREFIX = "8888";
const PROMOTION_PREFIX = "9987";
const BYTES_MAX = 32 * 2 ** 30;

const FLOWS = [
  { name: "otp", appId: 1, class: "otp", prefix: "9981" },
  { name: "app B", appId: OTHER_APP, class: "promotional", prefix: "9982" },
  { name: "pool B", appId: OTHER_APP, class: "transactional", prefix: OTHER_PREFIX },
] as const;

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "30" },
    runs: { type: "string", default: "3" },
    waiting: { type: "string", default: "1000000" },
    rate: { type: "string", default: "1000" },
    json: { type: "string" },
  },
});

/** 99th percentiles of one flow, ms. */
interface FlowFigures {
  readonly acceptMs: number;
  readonly submitMs: number;
  readonly count: number;
}

type Turn = Readonly<Record<string, FlowFigures>>;

interface FairnessRun {
  readonly without: Turn;
  readonly beside: Turn;
  /** Requests a second that were accepted: with links, and with all of them stopped. */
  readonly acceptedPerS: number;
  readonly acceptedStoppedPerS: number;
}

async function main(): Promise<void> {
  const from = origin();
  console.log(describeOrigin(from));
  const runs: FairnessRun[] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    // Which comes first changes from run to run.
    const isReversed = run % 2 === 1;
    const waiting = Number(flags.waiting);
    const first = await takeTurn(isReversed ? waiting : 0);
    const second = await takeTurn(isReversed ? 0 : waiting);
    const one = await acceptRate(isReversed);
    const other = await acceptRate(!isReversed);
    const figures = {
      without: isReversed ? second : first,
      beside: isReversed ? first : second,
      acceptedPerS: isReversed ? other : one,
      acceptedStoppedPerS: isReversed ? one : other,
    };
    console.log(JSON.stringify(figures));
    runs.push(figures);
  }
  const measures = measuresOf(runs);
  for (const { name, unit, values } of measures) {
    console.log(`median ${name}: ${median(values).toPrecision(4)} ${unit}`);
  }
  if (flags.json !== undefined) writeFigures(flags.json, "fairness", from, flags, measures, runs);
}

function fairnessYaml(smscPort: number): string {
  const otherLink =
    `{ id: ${OTHER_LINK}, host: 127.0.0.1, port: ${smscPort}, system_id: other, ` +
    "rate_tps: null }";
  return gatewayYaml(smscPort, {
    links: 1,
    window: WINDOW,
    lines: [`journal: { bytes_max: ${BYTES_MAX} }`],
    apps: [`{ id: ${OTHER_APP}, name: other, rate_tps: null, burst: 1000, scopes: [send] }`],
  })
    .replace(
      `window_max: ${WINDOW}, rate_tps: null`,
      `window_max: ${WINDOW}, rate_tps: ${flags.rate}`,
    )
    .replace("\nlinks:\n", `\nlinks:\n  - ${otherLink}\n`)
    .replace("\nroutes: [", `\nroutes: [{ prefix: "${OTHER_PREFIX}", to: ${OTHER_LINK} }, `);
}

/** All flows at once, with `waiting` promotions of app 1 accepted before. */
async function takeTurn(waiting: number): Promise<Turn> {
  const workspace = new Workspace();
  try {
    const log = join(workspace.folder, "smsc.ndjson");
    const smsc = await workspace.run(
      ["smsc", "--port", "0", "--receipts", "none", "--latency-ms", "5", "--log", log],
      (line) => line.includes("listening on"),
    );
    const port = Number(smsc.lines[0]?.split(":").at(-1));
    const gateway = await startGateway(workspace, fairnessYaml(port));
    await acceptBatches({
      httpPort: gateway.httpPort,
      count: waiting,
      message: (i) => ({
        to: `${PROMOTION_PREFIX}${String(i).padStart(8, "0")}`,
        from: "TEST",
        text: "twenty per cent off",
        class: "promotional",
        dlr: "none",
      }),
    });
    const seconds = Number(flags.seconds);
    const warmUpS = Math.min(WARM_UP_S_MAX, seconds);
    const flows = FLOWS.map((flow) => new Flow(gateway, flow, warmUpS * FLOW_PER_S));
    await Promise.all(flows.map((flow) => flow.run(warmUpS + seconds)));
    await sleep(SETTLE_MS);
    gateway.child.kill("SIGKILL");
    await gateway.exited;
    smsc.child.kill("SIGTERM");
    await smsc.exited;
    const submits = await readSubmits(log);
    return Object.fromEntries(flows.map((flow) => [flow.name, flow.figures(submits)]));
  } finally {
    await workspace.dispose();
  }
}

/** One message every 20 ms, each in a call of its own. */
class Flow {
  readonly name: string;
  readonly #flow: (typeof FLOWS)[number];
  readonly #skip: number;
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  /** By message: when it was due, and how long it took to its 202, ms. */
  readonly #dueAt: number[] = [];
  readonly #acceptMs: number[] = [];

  /** The first `skip` messages do not count. */
  constructor({ httpPort }: GatewayProcess, flow: (typeof FLOWS)[number], skip: number) {
    this.name = flow.name;
    this.#flow = flow;
    this.#skip = skip;
    this.#url = `http://127.0.0.1:${httpPort}/v1/messages`;
    this.#headers = {
      Authorization: `Bearer ${benchToken(flow.appId)}`,
      "X-App-ID": String(flow.appId),
      "Content-Type": "application/json",
    };
  }

  async run(seconds: number): Promise<void> {
    const startMs = Date.now();
    const calls: Promise<void>[] = [];
    for (let i = 0; i < seconds * FLOW_PER_S; i++) {
      const dueAt = startMs + (i * 1000) / FLOW_PER_S;
      const waitMs = dueAt - Date.now();
      if (waitMs > 0) await sleep(waitMs);
      this.#dueAt[i] = dueAt;
      calls.push(this.#post(i, dueAt));
    }
    await Promise.all(calls);
  }

  figures(submits: ReadonlyMap<string, number>): FlowFigures {
    const submitMs: number[] = [];
    for (let i = this.#skip; i < this.#dueAt.length; i++) {
      const at = submits.get(this.#to(i));
      if (at === undefined) throw new Error(`${this.name}: ${this.#to(i)} never went out`);
      submitMs.push(at - (this.#dueAt[i] as number));
    }
    return {
      acceptMs: percentile(this.#acceptMs.slice(this.#skip), 99),
      submitMs: percentile(submitMs, 99),
      count: submitMs.length,
    };
  }

  #to(i: number): string {
    return `${this.#flow.prefix}${String(i).padStart(8, "0")}`;
  }

  async #post(i: number, dueAt: number): Promise<void> {
    const message = { to: this.#to(i), from: "TEST", text: "now", class: this.#flow.class };
    const response = await fetch(this.#url, {
      method: "POST",
      headers: this.#headers,
      body: JSON.stringify({ ...message, dlr: "none" }),
    });
    await response.arrayBuffer();
    if (response.status !== 202) throw new Error(`${this.name} got ${response.status}`);
    this.#acceptMs[i] = Date.now() - dueAt;
  }
}

/** When the messages of the flows reached the operator, wall ms. */
async function readSubmits(log: string): Promise<Map<string, number>> {
  const submits = new Map<string, number>();
  for await (const text of createInterface({ input: createReadStream(log) })) {
    if (!text.includes('"event":"submit"')) continue;
    const { destination, t } = JSON.parse(text) as { destination: string; t: number };
    if (!destination.startsWith(PROMOTION_PREFIX)) submits.set(destination, t);
  }
  return submits;
}

/** Single posts as fast as they are answered, by wrk. */
async function acceptRate(isStopped: boolean): Promise<number> {
  const workspace = new Workspace();
  try {
    const smsc = await workspace.run(["smsc", "--port", "0", "--receipts", "none"], (line) =>
      line.includes("listening on"),
    );
    const port = Number(smsc.lines[0]?.split(":").at(-1));
    if (isStopped) {
      smsc.child.kill("SIGKILL");
      await smsc.exited;
    }
    const lines = [`journal: { bytes_max: ${BYTES_MAX} }`];
    const gateway = await startGateway(workspace, gatewayYaml(port, { window: WINDOW, lines }));
    const target = {
      port: gateway.httpPort,
      token: benchToken(),
      tokensFile: null,
      dialect: "json",
    } as const;
    const seconds = Number(flags.seconds);
    const warmUp = Math.min(WARM_UP_S_MAX, seconds);
    await runWrk(target, { ...LOAD_DEFAULTS, seconds: warmUp });
    const { requests, status_errors, duration_us } = await runWrk(target, {
      ...LOAD_DEFAULTS,
      seconds,
    });
    return ((requests - status_errors) * 1e6) / duration_us;
  } finally {
    await workspace.dispose();
  }
}

function measuresOf(runs: readonly FairnessRun[]): readonly Measure[] {
  const stopped = {
    name: "accept rate, links stopped ÷ normal",
    unit: "",
    better: "higher",
    values: runs.map((run) => run.acceptedStoppedPerS / run.acceptedPerS),
  } as const;
  const of = (turn: Turn, name: string): FlowFigures => turn[name] as FlowFigures;
  const lower = (name: string, unit: string, pick: (run: FairnessRun) => number): Measure => ({
    name,
    unit,
    better: "lower",
    values: runs.map(pick),
  });
  const latencies = FLOWS.flatMap(({ name }) => [
    lower(
      `${name}, due → submit_sm p99, beside ÷ without`,
      "",
      ({ beside, without }) => of(beside, name).submitMs / of(without, name).submitMs,
    ),
    lower(
      `${name}, due → 202 p99, beside ÷ without`,
      "",
      ({ beside, without }) => of(beside, name).acceptMs / of(without, name).acceptMs,
    ),
    lower(`${name}, due → submit_sm p99 beside`, "ms", ({ beside }) => of(beside, name).submitMs),
    lower(`${name}, due → submit_sm p99 without`, "ms", (run) => of(run.without, name).submitMs),
  ]);
  return [...latencies, stopped];
}

await main();
