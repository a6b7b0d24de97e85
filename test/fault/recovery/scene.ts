/**
 * A gateway, an operator and a client for trials of recovery: one data directory through many lives
 * of the gateway, and the three witnesses for the judge.
 *
 *   client (1 of 5 messages has 3 parts) ─► gateway ─► operator: refuses 10 %, sends receipts
 *                 client.ndjson             data/cdr     smsc.ndjson
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Books, booksOf, testToken } from "../../support/client.ts";
import { type Load, startLoad } from "../../support/http-load.ts";
import {
  type GatewayProcess,
  gatewayYaml,
  type Running,
  startGateway,
  type Workspace,
} from "../../support/processes.ts";
import { ClientLog } from "./client-log.ts";
import { judge, type Verdict } from "./judge.ts";

const LOOK_MS = 20;
const DEADLINE_MS = 60_000;
/** A message in 100,000 is refused for now five times in a row, and waits minutes in the end. */
const SETTLE_DEADLINE_MS = 600_000;
/** Every look at which the books stand still counts; so many say that only held ones are left. */
const STILL_LOOKS = 25;
const ONE_PART = "one part";
const THREE_PARTS = "three parts ".repeat(34);
/** ESME_RINVDSTADR. */
const PERMANENT = 0x0b;
/** Temporary: ESME_RSYSERR (sent again after 5 s and more), ESME_RMSGQFUL (kept); and the above. */
const REFUSALS = "0x08=1%,0x14=4%,0x0b=5%";
const BEHAVIOUR = `--latency-ms 2:20 --receipt-delay-ms 20:100 --refuse ${REFUSALS}`.split(" ");

export interface SceneOptions {
  readonly workspace: Workspace;
  /** Further lines of the gateway's configuration. */
  readonly lines?: readonly string[];
  /** For the gateway: see fault-shim.ts. */
  readonly env?: Readonly<Record<string, string>>;
  readonly connections?: number;
  /** Arguments of the operator in place of those above. */
  readonly smsc?: readonly string[];
  readonly window?: number;
  readonly dataDir?: string;
  readonly httpThreads?: number;
}

/** Started by `openScene`. */
export class Scene {
  readonly client = new ClientLog();
  readonly workspace: Workspace;
  readonly dataDir: string;
  /** Answers other than 202, by status. */
  readonly refusals = new Map<number, number>();
  /** 503s that did not say when to try again. */
  withoutRetryAfter = 0;
  /** Kill to listening, ms, the greatest. */
  restartMsMax = 0;
  readonly #options: SceneOptions;
  readonly #smsc: Running;
  readonly #yaml: string;
  #gateway: GatewayProcess | null = null;
  #load: Load | null = null;
  #endedAt = 0;
  #count = 0;

  constructor(options: SceneOptions, smsc: Running) {
    this.#options = options;
    this.#smsc = smsc;
    this.workspace = options.workspace;
    this.dataDir = options.dataDir ?? join(options.workspace.folder, "data");
    const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)), {
      window: options.window ?? 100,
      lines: ["cdr: { roll_interval_s: 1 }", ...(options.lines ?? [])],
    });
    this.#yaml = yaml
      .replace("data_dir: ./data", `data_dir: ${this.dataDir}`)
      .replace("http: { port: 0 }", `http: { port: 0, threads: ${options.httpThreads ?? 1} }`);
  }

  get gateway(): GatewayProcess {
    return this.#gateway as GatewayProcess;
  }

  /** The load since the last start. */
  get load(): Load {
    return this.#load as Load;
  }

  async start(): Promise<void> {
    const { workspace, env } = this.#options;
    this.#gateway = await startGateway(workspace, this.#yaml, {}, env ?? {});
    if (this.#endedAt > 0) {
      this.restartMsMax = Math.max(this.restartMsMax, Date.now() - this.#endedAt);
    }
  }

  /** Posts until the gateway is gone or `stop` of the load is called. */
  startLoad(): void {
    this.#load = startLoad({
      host: "127.0.0.1",
      port: this.gateway.httpPort,
      token: testToken(),
      appId: 1,
      connections: this.#options.connections ?? 8,
      next: () => this.#nextMessage(),
      onAnswer: ({ to }, status, body, head) => {
        this.client.answered(to as string, status, body);
        if (status === 503 && !/\r\nretry-after: *\d/i.test(head)) this.withoutRetryAfter += 1;
        if (status !== 202) this.refusals.set(status, (this.refusals.get(status) ?? 0) + 1);
      },
    });
  }

  /** Waits until so many more were promised, or the gateway has ended. */
  async untilPromised(count: number): Promise<void> {
    const wanted = this.client.promised + count;
    await this.until(() => this.client.promised >= wanted || this.isGone, "messages are promised");
  }

  get isGone(): boolean {
    const { exitCode, signalCode } = this.gateway.child;
    return exitCode !== null || signalCode !== null;
  }

  /** Waits for the gateway to end by itself; returns its exit code, or the signal's name. */
  async untilGone(deadlineMs = DEADLINE_MS): Promise<number | string> {
    await this.until(() => this.isGone, "the gateway ends", deadlineMs);
    this.#endedAt = Date.now();
    await this.#load?.done;
    return await this.gateway.exited;
  }

  /** For instance SIGSTOP: an operator that holds its connections and does nothing. */
  signalSmsc(signal: NodeJS.Signals): void {
    this.#smsc.child.kill(signal);
  }

  async kill(): Promise<void> {
    this.gateway.child.kill("SIGKILL");
    await this.untilGone();
  }

  /** Waits for a condition; fails with what the gateway said last. */
  async until(isSo: () => boolean, what: string, deadlineMs = DEADLINE_MS): Promise<void> {
    for (const from = Date.now(); !isSo(); await sleep(LOOK_MS)) {
      if (Date.now() - from < deadlineMs) continue;
      const said = this.#gateway?.lines.slice(-5).join("\n") ?? "";
      throw new Error(`not within ${deadlineMs / 1000} s: ${what}\n${said}`);
    }
  }

  /**
   * Starts the gateway if need be, has every held message sent once more, waits until all are
   * final, stops everything, and judges.
   */
  async conclude(): Promise<Verdict> {
    if (this.#gateway === null || this.isGone) await this.start();
    await this.#settle();
    this.gateway.child.kill("SIGTERM");
    const code = await this.gateway.exited;
    if (code !== 0) {
      throw new Error(`drain ended with ${code}:\n${this.gateway.lines.slice(-5).join("\n")}`);
    }
    this.#smsc.child.kill("SIGTERM");
    await this.#smsc.exited;
    const clientLog = join(this.workspace.folder, "client.ndjson");
    this.client.save(clientLog);
    return judge({
      clientLog,
      smscLog: smscLogOf(this.workspace),
      cdrFolder: join(this.dataDir, "cdr"),
      permanent: [PERMANENT],
    });
  }

  async #settle(): Promise<void> {
    const { adminPort } = this.gateway;
    let before: Books | null = null;
    let still = 0;
    for (const from = Date.now(); ; await sleep(4 * LOOK_MS)) {
      const books = await booksOf(adminPort);
      if (books.open === 0 && (await this.#rowsAreFiled())) return;
      still = before?.open === books.open ? still + 1 : 0;
      before = books;
      if (still >= STILL_LOOKS) {
        still = 0;
        await this.#resendHeld();
      }
      if (Date.now() - from < SETTLE_DEADLINE_MS) continue;
      throw new Error(`messages are still open: ${JSON.stringify(books)}`);
    }
  }

  /** The ledger may still hold rows of what ended last; a drain leaves them to the next start. */
  async #rowsAreFiled(): Promise<boolean> {
    const response = await fetch(`http://127.0.0.1:${this.gateway.adminPort}/status`);
    const { cdr } = (await response.json()) as { cdr: { store_bytes: number } };
    return cdr.store_bytes === 0;
  }

  async #resendHeld(): Promise<void> {
    const url = `http://127.0.0.1:${this.gateway.httpPort}/v1/held`;
    const headers = {
      Authorization: `Bearer ${testToken(["send", "ops"])}`,
      "X-App-ID": "1",
      "Content-Type": "application/json",
    };
    const listed = await fetch(`${url}?limit=100`, { headers });
    const { data } = (await listed.json()) as { data: { id: string; to: string }[] };
    if (data.length === 0) return;
    // Noted before it is asked for: a resend that was not noted would look like one too many.
    for (const { id, to } of data) this.client.resent(id, to);
    const body = JSON.stringify({ ids: data.map(({ id }) => id), decision: "resend" });
    const answer = await fetch(`${url}:resolve`, { method: "POST", headers, body });
    if (answer.status !== 200) throw new Error(`held:resolve answered ${answer.status}`);
  }

  #nextMessage(): Record<string, unknown> {
    const number = this.#count++;
    const to = `99891${String(number).padStart(8, "0")}`;
    const isLong = number % 5 === 0;
    this.client.asked(to, isLong ? 3 : 1);
    return { to, from: "TEST", text: isLong ? THREE_PARTS : ONE_PART, class: "transactional" };
  }
}

/** Starts the operator of a scene. */
export async function openScene(options: SceneOptions): Promise<Scene> {
  const { workspace } = options;
  const behaviour = options.smsc ?? BEHAVIOUR;
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--seed", "1", ...behaviour, "--log", smscLogOf(workspace)],
    (line) => line.includes("listening on"),
  );
  return new Scene(options, smsc);
}

function smscLogOf(workspace: Workspace): string {
  return join(workspace.folder, "smsc.ndjson");
}
