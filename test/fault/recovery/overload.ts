/**
 * More than the links take, until the queue is full, by clients that never back off.
 *
 *   clients ──► gateway: journal of `bytesMax` ──► link at its contract ──► operator's log
 *   a message that is refused is posted again at once
 *
 * L4: how full it gets, and that it drains in order. L10: what goes out during such a storm, and
 * how soon a client that keeps to the contract is served after it. Judged from what the clients
 * were told and the operator's log and count; how many bytes the log has is the gateway's word.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LIFE_BYTES_PER_PART } from "../../../src/journal/space.ts";
import { testToken } from "../../support/client.ts";
import { type Load, startLoad } from "../../support/http-load.ts";
import {
  type GatewayProcess,
  gatewayYaml,
  startGateway,
  type Workspace,
} from "../../support/processes.ts";
import { destinationOf, seenSubmits } from "../../support/witnesses.ts";

/** One app may fill so much of `journal.bytes_max`; the rest is for others. */
const APP_SHARE = 7 / 8;
/**
 * How full it is at least when it refuses; and at most: SENDING records of messages under way come
 * on top of what these were charged until they are answered.
 */
const FULL_SHARE_MIN = 0.99;
const FULL_SHARE_MAX = 1.01;
const SEGMENT_BYTES = 65_536;
const CONNECTIONS = 32;
const LOOK_MS = 20;
const DEADLINE_MS = 600_000;
/** Of the contract. */
const CALM_SHARE = 0.5;

export interface OverloadOptions {
  readonly workspace: Workspace;
  readonly trials: number;
  /** How long the clients go on after the first refusal. */
  readonly seconds: number;
  /** How long a client at half the contract is tried after that. */
  readonly calmSeconds: number;
  readonly bytesMax: number;
  readonly ratePerS: number;
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
}

export interface OverloadTrial {
  readonly promised: number;
  readonly refusals: number;
  /** Refusals other than 503 and 429, or without Retry-After. */
  readonly odd_refusals: number;
  /** The fullest it was seen, as a share of what one app may fill. */
  readonly fullest: number;
  /** Submitted out of the order in which they were accepted. */
  readonly overtaken: number;
  readonly lost: number;
  readonly twice: number;
  /** Submitted though their client was never promised them. */
  readonly strangers: number;
  /** From the first refusal to the end of the storm: what the operator got, of the contract. */
  readonly goodput: number;
  /** From the end of the storm to the last refusal of a client at half the contract, ms. */
  readonly recovered_ms: number;
}

/** Posts every message until it is accepted. */
class Storm {
  readonly ids = new Map<string, string>();
  refusals = 0;
  oddRefusals = 0;
  firstRefusalAt = 0;
  lastRefusalAt = 0;
  readonly #again: Record<string, unknown>[] = [];
  #next = 0;

  start({ httpPort }: GatewayProcess): Load {
    return startLoad({
      host: "127.0.0.1",
      port: httpPort,
      token: testToken(),
      appId: 1,
      connections: CONNECTIONS,
      next: () => this.#again.pop() ?? this.#message(),
      onAnswer: (message, status, body, head) => {
        const retryAfter = /\r\nretry-after: *(\d+)/i.exec(head)?.[1] ?? null;
        if (!this.#take(message, status, body, retryAfter)) this.#again.push(message);
      },
    });
  }

  /** Posts for some seconds as often as was agreed, and nothing again. */
  async keepTo(perS: number, seconds: number, { httpPort }: GatewayProcess): Promise<void> {
    const headers = {
      Authorization: `Bearer ${testToken()}`,
      "X-App-ID": "1",
      "Content-Type": "application/json",
    };
    const post = async (): Promise<void> => {
      const message = this.#message();
      const body = JSON.stringify(message);
      const url = `http://127.0.0.1:${httpPort}/v1/messages`;
      const answer = await fetch(url, { method: "POST", headers, body });
      this.#take(message, answer.status, await answer.text(), answer.headers.get("retry-after"));
    };
    const calls: Promise<void>[] = [];
    for (let i = 0; i < perS * seconds; i++) {
      calls.push(post());
      await sleep(1000 / perS);
    }
    await Promise.all(calls);
  }

  /** Whether it was accepted. */
  #take(
    { to }: Record<string, unknown>,
    status: number,
    body: string,
    retryAfter: string | null,
  ): boolean {
    if (status === 202) {
      this.ids.set(to as string, (JSON.parse(body) as { id: string }).id);
      return true;
    }
    this.refusals += 1;
    this.lastRefusalAt = Date.now();
    if (this.firstRefusalAt === 0) this.firstRefusalAt = this.lastRefusalAt;
    if ((status !== 503 && status !== 429) || retryAfter === null) this.oddRefusals += 1;
    return false;
  }

  #message(): Record<string, unknown> {
    return { to: destinationOf(this.#next++), from: "TEST", text: "wait", dlr: "none" };
  }
}

/** What did not go as it should, apart from times. */
export function faultsOf(trial: OverloadTrial): string[] {
  const { promised, fullest, overtaken, lost, twice, strangers, odd_refusals: odd } = trial;
  return [
    ...(fullest > FULL_SHARE_MAX ? [`fuller than it may be: ${fullest}`] : []),
    ...(fullest < FULL_SHARE_MIN ? [`refused when it was not full: ${fullest}`] : []),
    ...(overtaken + lost + twice + strangers + odd === 0
      ? []
      : [`of ${promised}: ${JSON.stringify({ overtaken, lost, twice, strangers, odd })}`]),
  ];
}

/** One gateway and operator a trial. */
export async function overload(options: OverloadOptions): Promise<OverloadTrial[]> {
  const trials: OverloadTrial[] = [];
  while (trials.length < options.trials && options.signal?.aborted !== true) {
    const trial = await runTrial(options, trials.length + 1);
    trials.push(trial);
    options.say?.(JSON.stringify(trial));
  }
  return trials;
}

async function runTrial(options: OverloadOptions, number: number): Promise<OverloadTrial> {
  const { workspace, seconds, calmSeconds, bytesMax, ratePerS } = options;
  const log = join(workspace.folder, `smsc-${number}.ndjson`);
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--receipts", "none", "--log", log, "--control-port", "0"],
    (line) => line.includes("control on"),
  );
  const control = smsc.lines
    .find((line) => line.includes("control on"))
    ?.split(":")
    .at(-1);
  const submitted = async (): Promise<number> => {
    const counts = await fetch(`http://127.0.0.1:${control}/counts`);
    return ((await counts.json()) as { accepted: number }).accepted;
  };
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const yamlOf = (rate: number | null): string =>
    gatewayYaml(smscPort, {
      links: 1,
      window: 100,
      lines: [`journal: { segment_bytes: ${SEGMENT_BYTES}, bytes_max: ${bytesMax} }`],
    })
      .replace("./data", `./data-${number}`)
      .replace("window_max: 100, rate_tps: null", `window_max: 100, rate_tps: ${rate}`);
  const gateway = await startGateway(workspace, yamlOf(ratePerS));
  const storm = new Storm();
  const load = storm.start(gateway);
  const fullest = await watchFill(gateway, storm, submitted, { seconds, bytesMax });
  load.stop();
  await load.done;
  const stormEndedAt = Date.now();
  storm.lastRefusalAt = stormEndedAt;
  await storm.keepTo(CALM_SHARE * ratePerS, calmSeconds, gateway);
  const recoveredMs = storm.lastRefusalAt - stormEndedAt;
  workspace.write("smsgw.yaml", yamlOf(null));
  gateway.child.kill("SIGHUP");
  await untilSubmitted(submitted, storm.ids.size);
  gateway.child.kill("SIGTERM");
  const code = await gateway.exited;
  if (code !== 0) throw new Error(`drain ended with ${code}`);
  smsc.child.kill("SIGTERM");
  await smsc.exited;
  const found = judgeLog(log, storm, stormEndedAt, ratePerS);
  const { refusals, oddRefusals: odd_refusals } = storm;
  return { ...found, refusals, odd_refusals, fullest, recovered_ms: recoveredMs };
}

/** The greatest share of what one app may fill, while the storm lasts. */
async function watchFill(
  { adminPort }: GatewayProcess,
  storm: Storm,
  submitted: () => Promise<number>,
  { seconds, bytesMax }: { seconds: number; bytesMax: number },
): Promise<number> {
  let fullest = 0;
  const isOver = (): boolean =>
    storm.firstRefusalAt > 0 && Date.now() - storm.firstRefusalAt > seconds * 1000;
  for (const from = Date.now(); !isOver(); await sleep(LOOK_MS)) {
    if (Date.now() - from > DEADLINE_MS) throw new Error("it is never full");
    // Read before the others: what is promised meanwhile would look like more than there was.
    const promised = storm.ids.size;
    const response = await fetch(`http://127.0.0.1:${adminPort}/status`);
    const status = (await response.json()) as {
      log: { committed: number; oldest: number; moved_bytes: number };
    };
    const { committed, oldest, moved_bytes: moved } = status.log;
    const open = promised - (await submitted());
    const filled = committed - oldest + moved + open * LIFE_BYTES_PER_PART;
    fullest = Math.max(fullest, filled / (bytesMax * APP_SHARE));
  }
  return fullest;
}

async function untilSubmitted(submitted: () => Promise<number>, count: number): Promise<void> {
  for (const from = Date.now(); Date.now() - from < DEADLINE_MS; await sleep(10 * LOOK_MS)) {
    if ((await submitted()) >= count) return;
  }
  throw new Error(`${await submitted()} of ${count} were submitted`);
}

function judgeLog(
  log: string,
  { ids, firstRefusalAt }: Storm,
  stormEndedAt: number,
  ratePerS: number,
): Pick<OverloadTrial, "promised" | "overtaken" | "lost" | "twice" | "strangers" | "goodput"> {
  const seen = new Set<string>();
  let twice = 0;
  let strangers = 0;
  let overtaken = 0;
  let inStorm = 0;
  let greatest = "";
  for (const { destination, t } of seenSubmits(log)) {
    if (seen.has(destination)) twice += 1;
    seen.add(destination);
    if (t >= firstRefusalAt && t < stormEndedAt) inStorm += 1;
    const id = ids.get(destination);
    if (id === undefined) strangers += 1;
    // Ids of one ingress thread sort by the order of acceptance.
    else if (id < greatest) overtaken += 1;
    else greatest = id;
  }
  let lost = 0;
  for (const to of ids.keys()) if (!seen.has(to)) lost += 1;
  const goodput = (inStorm * 1000) / Math.max(1, stormEndedAt - firstRefusalAt) / ratePerS;
  return { promised: ids.size, overtaken, lost, twice, strangers, goodput };
}
