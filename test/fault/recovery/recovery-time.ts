/**
 * From the start of the process to the first submit_sm at the operator, with messages that wait:
 * they are accepted while every link is down, then the gateway is killed and started again.
 *
 * The first submit_sm has the SMSC's own time in its log; both processes read the same clock.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { acceptBatches } from "../../support/batch-load.ts";
import {
  type GatewayProcess,
  gatewayYaml,
  startGateway,
  type Workspace,
} from "../../support/processes.ts";
import { destinationOf } from "../../support/witnesses.ts";

const GIB = 2 ** 30;
/**
 * Ten parts, the most there may be: the log grows by such. Shorter ones would come to more messages
 * than one app may have waiting before the log has 10 GiB.
 */
const LONG_TEXT = "A text that fills the log ".repeat(58);
const LONG_BATCH = 500;
/** A message is charged its whole life, of which the text is the lesser part. */
const LOG_BYTES_MAX_FACTOR = 8;
const LOOK_MS = 20;
const DEADLINE_MS = 120_000;

export interface RecoveryTimeOptions {
  readonly workspace: Workspace;
  readonly trials: number;
  readonly pending: number;
  /** The log is to be at least so large; 0: as large as it is by then. */
  readonly logGib: number;
  readonly say?: (line: string) => void;
}

export interface RecoveryTimeResult {
  readonly pending: number;
  readonly log_bytes: number;
  /** Of each trial: start of the process to `listening`, and to the first submit_sm. */
  readonly listening_ms: readonly number[];
  readonly first_submit_ms: readonly number[];
}

/** Every trial starts with at least `pending` messages waiting. */
export async function timeRecovery(options: RecoveryTimeOptions): Promise<RecoveryTimeResult> {
  const { workspace, trials, pending, logGib, say } = options;
  const log = join(workspace.folder, "smsc.ndjson");
  const port = await portOfEndedSmsc(workspace);
  const bytesMax = LOG_BYTES_MAX_FACTOR * Math.max(logGib, 1) * GIB;
  const yaml = gatewayYaml(port, { lines: [`journal: { bytes_max: ${bytesMax} }`] });
  let gateway = await startGateway(workspace, yaml);
  const listening: number[] = [];
  const firstSubmit: number[] = [];
  for (let trial = 1; trial <= trials; trial++) {
    await accept(gateway, trial === 1 ? pending : pending / 10, trial === 1 ? logGib : 0);
    gateway.child.kill("SIGKILL");
    await gateway.exited;
    const smscArgs = ["smsc", "--port", String(port), "--tps", "100", "--log", log];
    const smsc = await workspace.run(smscArgs, (line) => line.includes("listening on"));
    const from = Date.now();
    const seenBefore = sizeOf(log);
    gateway = await startGateway(workspace, yaml);
    listening.push(Date.now() - from);
    firstSubmit.push(Math.round((await firstSubmitAt(log, seenBefore)) - from));
    say?.(`trial ${trial}: ${listening.at(-1)} ms, first submit ${firstSubmit.at(-1)} ms`);
    smsc.child.kill("SIGKILL");
    await smsc.exited;
  }
  const logBytes = await logBytesOf(gateway);
  return { pending, log_bytes: logBytes, listening_ms: listening, first_submit_ms: firstSubmit };
}

/** A port that nothing listens on for now. */
export async function portOfEndedSmsc(workspace: Workspace): Promise<number> {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) =>
    line.includes("listening on"),
  );
  smsc.child.kill("SIGKILL");
  await smsc.exited;
  return Number(smsc.lines[0]?.split(":").at(-1));
}

/** `count` messages, and further ones until the log is as large as is wanted. */
async function accept(gateway: GatewayProcess, count: number, logGib: number): Promise<void> {
  const { httpPort } = gateway;
  const message = (i: number, text: string): Record<string, unknown> => ({
    to: destinationOf(i),
    from: "TEST",
    text,
  });
  await acceptBatches({ httpPort, count, message: (i) => message(i, "wait") });
  let logBytes = 0;
  const look = setInterval(() => {
    void logBytesOf(gateway).then((bytes) => {
      logBytes = bytes;
    });
  }, LOOK_MS * 50);
  try {
    await acceptBatches({
      httpPort,
      count: logGib === 0 ? 0 : Number.MAX_SAFE_INTEGER,
      message: (i) => message(i, LONG_TEXT),
      batch: LONG_BATCH,
      isEnough: () => logBytes >= logGib * GIB,
    });
  } finally {
    clearInterval(look);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Wall ms of the first submit_sm behind byte `from` of the SMSC's log. */
async function firstSubmitAt(log: string, from: number): Promise<number> {
  for (const began = Date.now(); Date.now() - began < DEADLINE_MS; await sleep(LOOK_MS)) {
    if (sizeOf(log) <= from) continue;
    const text = readFileSync(log).subarray(from).toString();
    const line = text.split("\n").find((each) => each.includes('"event":"submit"'));
    if (line?.endsWith("}") === true) return (JSON.parse(line) as { t: number }).t;
  }
  throw new Error("no submit_sm came");
}

async function logBytesOf(gateway: GatewayProcess): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/status`);
  const { log } = (await response.json()) as { log: { on_disk_bytes: number } };
  return log.on_disk_bytes;
}
