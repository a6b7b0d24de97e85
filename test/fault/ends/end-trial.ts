/**
 * One end of a gateway at a chosen moment, and what came of it: signals at any time of its life,
 * a thread that throws or hangs.
 *
 *   started ── boot ── recovery ── threads load ── listening, load ──►
 *        ▲ once, twice or a broken thread, `atMs` after the process was started
 *
 * The gateways of all trials share a data_dir, an operator and a client's record, from which the
 * last one is judged: what was promised in any trial reached the operator.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { booksOf, Client, testToken } from "../../support/client.ts";
import { startLoad } from "../../support/http-load.ts";
import {
  endWithUs,
  type GatewayProcess,
  SECRET,
  startGateway,
  Workspace,
} from "../../support/processes.ts";
import { acceptedByDestination, destinationOf } from "../../support/witnesses.ts";

const SMSGW = fileURLToPath(new URL("../../../src/cli/smsgw.js", import.meta.url));
const PRELOAD = new URL("./break-thread.js", import.meta.url).href;
/** Threads that must close before the process may exit: if they hang, it is killed. */
const UNASKED = new Set(["main", "ledger-thread", "ingress-thread"]);
/** An end that takes longer is a hang: a drain may take 30 s, a stall is seen after 10. */
const END_MS_MAX = 60_000;
/** A thread that hangs has stalled after 10 s of CPU, which takes minutes on a busy machine. */
const SPIN_MS_MAX = 240_000;
const CONNECTIONS = 8;
const LOOK_INTERVAL_MS = 250;
const STILL_LOOKS = 20;

/** Threads that can be broken, by their entries. */
export const THREADS = [
  "main",
  "ledger-thread",
  "journal-thread",
  "smpp-thread",
  "ingress-thread",
  "sink-thread",
] as const;

export interface EndTrial {
  /**
   * SIGTERM once; twice, `gapMs` apart; once to a parent that started it with --respawn; or a
   * thread breaks.
   */
  readonly kind: "once" | "twice" | "respawned" | "throw" | "spin";
  /** Whether `atMs` counts from the start of the process, or from its first line of log. */
  readonly since: "start" | "log";
  /** For a thread that breaks: after it was started. */
  readonly atMs: number;
  readonly gapMs: number;
  readonly thread: (typeof THREADS)[number];
}

export interface EndOutcome extends EndTrial {
  readonly code: number | string;
  /** From the (first) signal to the end; from the start for a thread that breaks. */
  readonly tookMs: number;
  readonly wasListening: boolean;
  /** What is wrong with this end, or null. */
  readonly problem: string | null;
  readonly lines: readonly string[];
}

/** Data, operator and client that all trials share. */
export class EndsRig {
  readonly #workspace: Workspace;
  readonly #log: string;
  readonly #yaml: string;
  readonly #config: string;
  readonly #promised = new Map<string, string>();
  #next = 0;

  private constructor(workspace: Workspace, yaml: (smscPort: number) => string, smscPort: number) {
    this.#workspace = workspace;
    this.#log = join(workspace.folder, "smsc.ndjson");
    this.#yaml = yaml(smscPort);
    this.#config = workspace.write("smsgw.yaml", this.#yaml);
    workspace.write("secrets/jwt", SECRET);
  }

  /** Starts the operator. */
  static async open(workspace: Workspace, yaml: (smscPort: number) => string): Promise<EndsRig> {
    const log = join(workspace.folder, "smsc.ndjson");
    const smsc = await workspace.run(
      ["smsc", "--port", "0", "--latency-ms", "2:20", "--receipt-delay-ms", "20:60", "--log", log],
      (line) => line.includes("listening on"),
    );
    return new EndsRig(workspace, yaml, Number(smsc.lines[0]?.split(":").at(-1)));
  }

  get promisedCount(): number {
    return this.#promised.size;
  }

  /** Runs a gateway to its end. */
  async run(trial: EndTrial): Promise<EndOutcome> {
    const { kind, since, atMs, gapMs, thread } = trial;
    const isBreak = kind === "throw" || kind === "spin";
    const child = spawn(
      process.execPath,
      [SMSGW, "start", "-c", this.#config, ...(kind === "respawned" ? ["--respawn"] : [])],
      {
        stdio: ["ignore", "pipe", "pipe"],
        cwd: this.#workspace.folder,
        // A group of its own: a hanging parent and its child are killed together.
        detached: true,
        env: { ...process.env, ...(isBreak ? breakEnvironment(trial) : {}) },
      },
    );
    endWithUs(child);
    const lines: string[] = [];
    const loads: Promise<void>[] = [];
    let noteBegun = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      noteBegun = resolve;
    });
    const read = (line: string): void => {
      lines.push(line);
      noteBegun();
      if (!line.includes('"listening"')) return;
      loads.push(this.#load((JSON.parse(line) as { http_port: number }).http_port));
    };
    createInterface({ input: child.stdout }).on("line", read);
    createInterface({ input: child.stderr }).on("line", read);
    let ended: number | string | null = null;
    const exited = new Promise<void>((resolve) => {
      child.on("close", (code, signal) => {
        ended = code ?? signal ?? "unknown";
        resolve();
      });
    });
    let from = performance.now();
    if (!isBreak) {
      if (since === "log") await Promise.race([begun, exited]);
      await Promise.race([sleep(atMs), exited]);
      from = performance.now();
      child.kill("SIGTERM");
      if (kind === "twice") {
        await Promise.race([sleep(gapMs), exited]);
        child.kill("SIGINT");
      }
    }
    await Promise.race([exited, sleep(kind === "spin" ? SPIN_MS_MAX : END_MS_MAX)]);
    const tookMs = performance.now() - from;
    const code = ended ?? "hangs";
    if (ended === null) process.kill(-(child.pid as number), "SIGKILL");
    await exited;
    const wasListening = loads.length > 0;
    await Promise.all(loads);
    const problem = this.#problemOf(trial, code, lines, thread);
    return { ...trial, code, tookMs: Math.round(tookMs), wasListening, problem, lines };
  }

  /** Starts a gateway that stays, waits until it is at rest, and counts what was lost. */
  async judge(): Promise<{ promised: number; lost: number; doubled: number; unflagged: number }> {
    const gateway = await startGateway(this.#workspace, this.#yaml);
    await atRest(gateway, this.#promised.size);
    const accepted = acceptedByDestination(this.#log);
    const client = new Client(gateway.httpPort);
    let lost = 0;
    let doubled = 0;
    let unflagged = 0;
    for (const [to, id] of this.#promised) {
      const count = accepted.get(to) ?? 0;
      if (count === 0) lost += 1;
      if (count <= 1) continue;
      doubled += 1;
      if ((await client.get(id)).body.maybe_dup !== true) unflagged += 1;
    }
    gateway.child.kill("SIGTERM");
    await gateway.exited;
    return { promised: this.#promised.size, lost, doubled, unflagged };
  }

  #problemOf(
    { kind, atMs }: EndTrial,
    code: number | string,
    lines: readonly string[],
    thread: string,
  ): string | null {
    if (kind === "throw" || kind === "spin") {
      if (thread === "main" && !lines.some(isOurs)) return null;
      const isKilled = kind === "spin" && code === "SIGKILL" && UNASKED.has(thread);
      if (code !== 75 && !isKilled) return `ended with ${code}`;
      const path = join(this.#workspace.folder, "data/last-exit.json");
      const last = JSON.parse(readFileSync(path, "utf8")) as { code: number; at: number };
      if (last.code !== 75 || Date.now() - last.at > END_MS_MAX) return `last-exit of ${thread}`;
      return null;
    }
    if (code === 0) return null;
    // Before any of its own code ran; nothing was begun then.
    if ((code === "SIGTERM" || code === "SIGINT") && lines.length === 0) return null;
    return `ended with ${code} after ${atMs} ms`;
  }

  #load(port: number): Promise<void> {
    const load = startLoad({
      host: "127.0.0.1",
      port,
      token: testToken(),
      appId: 1,
      connections: CONNECTIONS,
      next: () => ({ to: destinationOf(this.#next++), from: "TEST", text: "until the end" }),
      onAnswer: (message, status, body) => {
        if (status !== 202) return;
        this.#promised.set(message.to as string, (JSON.parse(body) as { id: string }).id);
      },
    });
    return load.done;
  }
}

function breakEnvironment({ kind, atMs, thread }: EndTrial): Record<string, string> {
  return {
    NODE_OPTIONS: `--import ${PRELOAD}`,
    BREAK_THREAD: thread,
    BREAK_HOW: kind,
    BREAK_AFTER_MS: String(atMs),
  };
}

/** Whether a line is of the gateway's log. */
function isOurs(line: string): boolean {
  return line.startsWith('{"level"');
}

/**
 * Waits until the ledger has read what was promised, and no message is open or their number stands
 * still: those are held. Gives up on the former after a minute, for then it was lost.
 */
async function atRest({ adminPort }: GatewayProcess, promised: number): Promise<void> {
  let open = -1;
  const deadline = performance.now() + END_MS_MAX;
  for (let still = 0; still < STILL_LOOKS && open !== 0; ) {
    await sleep(LOOK_INTERVAL_MS);
    const books = await booksOf(adminPort);
    if (books.accepted < promised && performance.now() < deadline) continue;
    still = books.open === open ? still + 1 : 0;
    open = books.open;
  }
}
