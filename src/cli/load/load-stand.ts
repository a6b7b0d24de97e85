/**
 * A gateway and a simulated operator as processes of their own, on free loopback ports, for
 * `smsgw bench` and `smsgw tune`. Everything started here is ended, and its files are removed, by
 * `stop`.
 *
 *   this process: load ──HTTP──► child: smsgw start ──SMPP──► child: smsgw smsc, or a given SMSC
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Environment } from "../../config/env.ts";
import type { Durability } from "../../config/types.ts";
import { signToken } from "../token.ts";

const START_MS_MAX = 30_000;
const ENTRY = fileURLToPath(new URL("../smsgw.js", import.meta.url));
const TOKEN_TTL_S = 86_400;

/** Where the gateway under load sends its messages. */
export interface OperatorAddress {
  readonly host: string;
  readonly port: number;
  readonly systemId: string;
  readonly passwordFile: string | null;
}

/** What of the gateway's configuration a load can vary. */
export interface GatewayShape {
  readonly ingressThreads: number;
  readonly workers: number;
  readonly links: number;
  readonly sessions: number;
  readonly window: number;
  readonly durability: Durability;
  readonly commitIntervalUs: number;
}

export interface StandingGateway {
  readonly pid: number;
  readonly httpPort: number;
  readonly adminPort: number;
  stop(): Promise<void>;
}

interface Child {
  readonly process: ChildProcess;
  readonly ready: string;
  stop(): Promise<void>;
}

export class LoadStand {
  readonly folder: string;
  readonly token: string;
  readonly #secret = randomBytes(32).toString("base64url");
  readonly #env: Record<string, string>;
  readonly #children = new Set<Child>();
  #gateways = 0;

  /** `parent`: folder on the disk that is to be measured. */
  constructor(parent: string, env: Environment, wallMs: number) {
    this.folder = mkdtempSync(join(parent, "smsgw-bench-"));
    // The configuration of the user's own gateway is not this one's.
    this.#env = Object.fromEntries(
      Object.entries(env).flatMap(([name, value]) =>
        value === undefined || name.startsWith("SMSGW_") ? [] : [[name, value]],
      ),
    );
    this.#env.SMSGW_AUTH__JWT__SECRET = this.#secret;
    const claims = {
      appId: 1,
      audience: "smsgw",
      issuer: null,
      scopes: ["send"],
      issuedAtS: Math.floor(wallMs / 1000),
      ttlS: TOKEN_TTL_S,
    };
    this.token = signToken(claims, this.#secret);
  }

  /** This process and everything that it started and that still runs. */
  get pids(): readonly number[] {
    return [process.pid, ...[...this.#children].map((child) => child.process.pid as number)];
  }

  /** Starts a simulated operator with further options of `smsgw smsc`. */
  async startOperator(options: readonly string[]): Promise<OperatorAddress> {
    const isReady = (line: string): boolean => line.startsWith("listening on");
    const child = await this.#start(["smsc", "--port", "0", ...options], isReady);
    const port = Number(child.ready.split(":").at(-1));
    return { host: "127.0.0.1", port, systemId: "bench", passwordFile: null };
  }

  /** Starts a gateway with an empty data_dir. */
  async startGateway(shape: GatewayShape, operator: OperatorAddress): Promise<StandingGateway> {
    const folder = join(this.folder, String(++this.#gateways));
    const path = `${folder}.yaml`;
    writeFileSync(path, JSON.stringify(gatewayConfig(shape, operator, folder)), { mode: 0o600 });
    const isReady = (line: string): boolean => line.includes('"listening"');
    const child = await this.#start(["start", "-c", path], isReady);
    const ports = JSON.parse(child.ready) as { http_port: number; admin_port: number };
    return {
      pid: child.process.pid as number,
      httpPort: ports.http_port,
      adminPort: ports.admin_port,
      stop: async () => {
        await child.stop();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  }

  /** Ends every process started here and removes the files. */
  async stop(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #start(args: readonly string[], isReady: (line: string) => boolean): Promise<Child> {
    const started = fork(ENTRY, args, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: this.#env,
      cwd: this.folder,
    });
    const gone = new Promise<void>((resolve) => started.once("exit", () => resolve()));
    const stop = async (): Promise<void> => {
      if (started.exitCode === null && started.signalCode === null) started.kill("SIGKILL");
      await gone;
      this.#children.delete(child);
    };
    const child: Child = { process: started, ready: "", stop };
    this.#children.add(child);
    const lines: string[] = [];
    const ready = await new Promise<string>((resolve, reject) => {
      const fail = (what: string): void =>
        reject(new Error(`smsgw ${args[0]} ${what}:\n${lines.slice(-10).join("\n")}`));
      const late = setTimeout(() => fail("is not ready"), START_MS_MAX);
      const read = (line: string): void => {
        if (lines.length < 100) lines.push(line);
        if (!isReady(line)) return;
        clearTimeout(late);
        resolve(line);
      };
      for (const stream of [started.stdout, started.stderr]) {
        if (stream !== null) createInterface({ input: stream }).on("line", read);
      }
      void gone.then(() => {
        clearTimeout(late);
        fail("ended");
      });
    });
    return Object.assign(child, { ready });
  }
}

/** The configuration of a gateway under load; JSON is YAML. */
export function gatewayConfig(
  shape: GatewayShape,
  operator: OperatorAddress,
  dataDir: string,
): object {
  const { ingressThreads, workers, links, sessions, window, durability } = shape;
  const { commitIntervalUs } = shape;
  const ids = Array.from({ length: links }, (_, i) => 100 + i);
  return {
    node: { name: "bench", data_dir: dataDir },
    http: { port: 0, threads: ingressThreads },
    admin: { port: 0 },
    workers: { count: workers },
    journal: { durability, commit_interval_us: commitIntervalUs },
    log: { level: "info" },
    apps: [{ id: 1, name: "bench", rate_tps: null, scopes: ["send"] }],
    links: ids.map((id) => ({
      id,
      host: operator.host,
      port: operator.port,
      system_id: operator.systemId,
      password_file: operator.passwordFile,
      sessions,
      window_max: window,
      rate_tps: null,
    })),
    pools: [{ id: 1000, name: "all", members: ids.map((link) => ({ link, weight: 1 })) }],
    routes: [{ prefix: "", to: 1000 }],
  };
}
