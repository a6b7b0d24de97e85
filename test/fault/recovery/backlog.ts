/**
 * Many messages that wait: for a link that is down, and for their time. How much memory the process
 * takes (RssAnon + RssShmem) while they come in, over a kill -9, and while they go out; and that
 * each of them reaches the operator once, none before its time.
 *
 *   accept ──► kill -9 ──► start, operator up ──► each submitted once ──► drain, exit 0
 *   └──────────── sampled ────────────────────────────────────────────┘
 *
 * Judged by the operator: its count, and its log where times matter.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { acceptBatches } from "../../support/batch-load.ts";
import { booksOf } from "../../support/client.ts";
import {
  type GatewayProcess,
  gatewayYaml,
  residentBytes,
  type Running,
  startGateway,
  type Workspace,
} from "../../support/processes.ts";
import { destinationOf } from "../../support/witnesses.ts";
import { portOfEndedSmsc } from "./recovery-time.ts";

const SAMPLE_MS = 500;
/** Each process goes by a clock that follows the machine's at its start only. */
const CLOCKS_APART_MS = 100;
const LOOK_MS = 100;
const GOING_OUT_MS_MAX = 3_600_000;
/** Times of the scheduled messages are spread over so many seconds. */
const TIMES = 20;
const LINES = [
  "journal: { bytes_max: 34359738368 }",
  "ledger: { bytes_max: 34359738368 }",
  "cdr: { disk_bytes_max: 34359738368 }",
];

export interface BacklogOptions {
  readonly workspace: Workspace;
  readonly messages: number;
  readonly say?: (line: string) => void;
}

export interface BacklogResult {
  readonly messages: number;
  readonly resident_mb_accepting: number;
  readonly resident_mb_going_out: number;
  readonly accepted_in_s: number;
  readonly listening_ms: number;
  /** From the start after the kill, or the first one's time, until none was open. */
  readonly gone_out_in_s: number;
  readonly submitted: number;
  /** Scheduled ones: submitted before their time, submitted twice, never submitted. */
  readonly early: number;
  readonly twice: number;
  readonly lost: number;
  readonly surprises: readonly string[];
}

/** The greatest of what it sees until it is ended. */
class ResidentWatch {
  maxBytes = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(gateway: GatewayProcess) {
    this.#timer = setInterval(() => {
      try {
        this.maxBytes = Math.max(this.maxBytes, residentBytes(gateway.pid));
      } catch {
        // It has ended; the next one has a watch of its own.
      }
    }, SAMPLE_MS);
  }

  /** In millions of bytes. */
  end(): number {
    clearInterval(this.#timer);
    return Math.round(this.maxBytes / 1e6);
  }
}

/** `messages` wait for a link that nobody answers. */
export async function waitForLinks(options: BacklogOptions): Promise<BacklogResult> {
  const { workspace, messages } = options;
  const port = await portOfEndedSmsc(workspace);
  const message = (i: number): Record<string, unknown> => ({
    to: destinationOf(i),
    from: "TEST",
    text: `Your order ${i} is on its way and arrives today between 14:00 and 16:00.`,
    class: "promotional",
    dlr: "none",
  });
  const args = ["--port", String(port), "--receipts", "none", "--control-port", "0"];
  const run = await runBacklog(options, port, message, args);
  const control = run.smsc.lines
    .find((line) => line.includes("control on"))
    ?.split(":")
    .at(-1);
  const counts = await fetch(`http://127.0.0.1:${control}/counts`);
  const { accepted: submitted } = (await counts.json()) as { accepted: number };
  run.smsc.child.kill("SIGTERM");
  await run.smsc.exited;
  const twice = Math.max(0, submitted - messages);
  const lost = Math.max(0, messages - submitted);
  return { ...run.figures, submitted, early: 0, twice, lost };
}

/** `messages` are to be sent `leadS` seconds from now and later. */
export async function waitForTime(
  options: BacklogOptions & { readonly leadS: number },
): Promise<BacklogResult> {
  const { workspace, messages, leadS } = options;
  const port = await portOfEndedSmsc(workspace);
  const firstMs = Date.now() + leadS * 1000;
  const sendAt = (i: number): number => firstMs + (i % TIMES) * 1000;
  const message = (i: number): Record<string, unknown> => ({
    to: destinationOf(i),
    from: "TEST",
    text: `Your order ${i} is on its way.`,
    send_at: new Date(sendAt(i)).toISOString(),
    dlr: "none",
  });
  const log = join(workspace.folder, "smsc.ndjson");
  const args = ["--port", String(port), "--receipts", "none", "--log", log];
  const run = await runBacklog(options, port, message, args, firstMs);
  run.smsc.child.kill("SIGTERM");
  await run.smsc.exited;
  const submittedAt = await readSubmits(log);
  let early = 0;
  let twice = 0;
  let lost = 0;
  for (let i = 0; i < messages; i++) {
    const times = submittedAt.get(destinationOf(i)) ?? [];
    if (times.length === 0) lost++;
    if (times.length > 1) twice++;
    if (times.some((t) => t < sendAt(i) - CLOCKS_APART_MS)) early++;
  }
  const surprises = [...run.figures.surprises];
  if (run.acceptedAtMs > firstMs) surprises.push("it took longer than the lead to accept them");
  return { ...run.figures, surprises, submitted: submittedAt.size, early, twice, lost };
}

async function runBacklog(
  { workspace, messages, say }: BacklogOptions,
  port: number,
  message: (i: number) => Record<string, unknown>,
  smscArgs: readonly string[],
  firstMs = 0,
): Promise<{
  smsc: Running;
  acceptedAtMs: number;
  figures: Omit<BacklogResult, "submitted" | "early" | "twice" | "lost">;
}> {
  const yaml = gatewayYaml(port, { window: 1000, lines: LINES });
  const first = await startGateway(workspace, yaml);
  const before = new ResidentWatch(first);
  const acceptedFrom = Date.now();
  await acceptBatches({ httpPort: first.httpPort, count: messages, message });
  const acceptedAtMs = Date.now();
  const acceptingMb = before.end();
  say?.(`${messages} accepted, ${acceptingMb} MB`);
  first.child.kill("SIGKILL");
  await first.exited;
  const smsc = await workspace.run(["smsc", ...smscArgs], (line) =>
    line.includes(smscArgs.includes("--control-port") ? "control on" : "listening on"),
  );
  const startedAt = Date.now();
  const second = await startGateway(workspace, yaml);
  const listeningMs = Date.now() - startedAt;
  const after = new ResidentWatch(second);
  await untilNoneIsOpen(second, messages, say);
  const goneOutS = (Date.now() - Math.max(startedAt, firstMs)) / 1000;
  const goingOutMb = after.end();
  say?.(`all went out, ${goingOutMb} MB`);
  second.child.kill("SIGTERM");
  const code = await second.exited;
  return {
    smsc,
    acceptedAtMs,
    figures: {
      messages,
      resident_mb_accepting: acceptingMb,
      resident_mb_going_out: goingOutMb,
      accepted_in_s: (acceptedAtMs - acceptedFrom) / 1000,
      listening_ms: listeningMs,
      gone_out_in_s: goneOutS,
      surprises: code === 0 ? [] : [`drain ended with ${code}`],
    },
  };
}

async function untilNoneIsOpen(
  { adminPort }: GatewayProcess,
  messages: number,
  say?: (line: string) => void,
): Promise<void> {
  let saidAt = Date.now();
  for (const from = Date.now(); Date.now() - from < GOING_OUT_MS_MAX; await sleep(LOOK_MS)) {
    const { open, accepted } = await booksOf(adminPort);
    if (open === 0 && accepted >= messages) return;
    if (Date.now() - saidAt < 30_000) continue;
    saidAt = Date.now();
    say?.(`${open} are still open`);
  }
  throw new Error("messages are still open after an hour");
}

/** When each destination was submitted to the operator, wall ms. */
async function readSubmits(log: string): Promise<Map<string, number[]>> {
  const submits = new Map<string, number[]>();
  for await (const text of createInterface({ input: createReadStream(log) })) {
    if (!text.includes('"event":"submit"')) continue;
    const { destination, t } = JSON.parse(text) as { destination: string; t: number };
    const times = submits.get(destination);
    if (times === undefined) submits.set(destination, [t]);
    else times.push(t);
  }
  return submits;
}
