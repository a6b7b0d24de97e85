/**
 * The built program as child processes: gateway and simulated operator, on ephemeral loopback
 * ports.
 *
 * Every process started here is ended by pid when its test ends, whatever happens, also when the
 * runner ends the test's own process for its time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The built command. */
export const SMSGW = fileURLToPath(new URL("../../src/cli/smsgw.js", import.meta.url));
const START_DEADLINE_MS = 120_000;
export const SECRET = "a secret of the tests, 32 bytes or more";

const living = new Set<ChildProcess>();
const folders = new Set<string>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});
process.once("SIGTERM", () => leave(143));
process.once("SIGINT", () => {
  // A program may have its own way to end.
  if (process.listenerCount("SIGINT") === 0) leave(130);
});

function leave(code: number): never {
  for (const child of living) child.kill("SIGKILL");
  for (const folder of folders) removeFolder(folder);
  process.exit(code);
}

/** A process that is being ended may still write: then some of it stays. */
function removeFolder(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  } catch {
    console.error(`${path} could not be removed`);
  }
}

/** Ends `child`, if it still lives then, when this process ends other than by SIGKILL. */
export function endWithUs(child: ChildProcess): void {
  living.add(child);
  child.once("exit", () => living.delete(child));
}

/** What a command may use at most. */
export interface ProcessLimits {
  /** Open files, by prlimit. */
  readonly descriptorsMax?: number;
  /** The network namespace it runs in, by `ip netns`. */
  readonly namespace?: string;
}

/** A running `smsgw` command. */
export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Lines of standard output so far. */
  readonly lines: string[];
  /** Resolves with the exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
}

/** A folder of its own for one test, removed by `dispose`. */
export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), "smsgw-test-"));
  readonly #children: ChildProcess[] = [];

  constructor() {
    folders.add(this.folder);
  }

  /** Runs `smsgw` with `args` until its output has a line that `isReady` accepts. */
  async run(
    args: readonly string[],
    isReady: (line: string) => boolean,
    env: Readonly<Record<string, string>> = {},
    limits: ProcessLimits = {},
  ): Promise<Running> {
    const { descriptorsMax, namespace } = limits;
    const [program, ...rest] = [
      ...(namespace === undefined ? [] : ["ip", "netns", "exec", namespace]),
      ...(descriptorsMax === undefined ? [] : ["prlimit", `--nofile=${descriptorsMax}`]),
      process.execPath,
      SMSGW,
      ...args,
    ] as [string];
    const child = spawn(program, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
      cwd: this.folder,
    });
    this.#children.push(child);
    endWithUs(child);
    const lines: string[] = [];
    const exited = new Promise<number | string>((resolve) => {
      child.on("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
    });
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`smsgw ${args.join(" ")} is not ready:\n${lines.join("\n")}`)),
        START_DEADLINE_MS,
      );
      const read = (line: string): void => {
        lines.push(line);
        if (isReady(line)) {
          clearTimeout(late);
          resolve();
        }
      };
      createInterface({ input: child.stdout }).on("line", read);
      createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
      void exited.then((code) => {
        clearTimeout(late);
        reject(new Error(`smsgw ${args.join(" ")} ended with ${code}:\n${lines.join("\n")}`));
      });
    });
    return { child, pid: child.pid as number, lines, exited };
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /** Ends every process of this test; its files stay. */
  async end(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }

  /** Ends every process of this test and removes its files. */
  async dispose(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
    folders.delete(this.folder);
  }
}

export interface GatewayProcess extends Running {
  readonly httpPort: number;
  readonly adminPort: number;
}

/** Starts a gateway whose configuration is `yaml`; ports 0 there are resolved here. */
export async function startGateway(
  workspace: Workspace,
  yaml: string,
  limits: ProcessLimits = {},
  env: Readonly<Record<string, string>> = {},
): Promise<GatewayProcess> {
  workspace.write("secrets/jwt", SECRET);
  const path = workspace.write("smsgw.yaml", yaml);
  const isReady = (line: string): boolean => line.includes('"listening"');
  const running = await workspace.run(["start", "-c", path], isReady, env, limits);
  const listening = running.lines.find((line) => line.includes('"listening"')) as string;
  const ports = JSON.parse(listening) as { http_port: number; admin_port: number };
  return { ...running, httpPort: ports.http_port, adminPort: ports.admin_port };
}

/**
 * A configuration with one app, one pool and `links` links to a simulated operator at `smscPort`.
 */
export function gatewayYaml(
  smscPort: number,
  extra: {
    links?: number;
    sessions?: number;
    window?: number;
    lines?: readonly string[];
    /** Apps beside the first one, as YAML. */
    apps?: readonly string[];
  } = {},
): string {
  const links = Array.from({ length: extra.links ?? 2 }, (_, i) => 100 + i);
  return [
    "node: { name: gw-test, data_dir: ./data }",
    "http: { port: 0 }",
    "admin: { port: 0 }",
    "auth: { jwt: { secret_file: ./secrets/jwt } }",
    "apps:",
    "  - { id: 1, name: test, rate_tps: null, burst: 1000, scopes: [send, ops] }",
    ...(extra.apps ?? []).map((app) => `  - ${app}`),
    "links:",
    ...links.map(
      (id) =>
        `  - { id: ${id}, host: 127.0.0.1, port: ${smscPort}, system_id: test-${id}, ` +
        `sessions: ${extra.sessions ?? 1}, window_max: ${extra.window ?? 500}, rate_tps: null }`,
    ),
    `pools: [{ id: 1000, name: main, members: [${links
      .map((id) => `{ link: ${id}, weight: 1 }`)
      .join(", ")}] }]`,
    'routes: [{ prefix: "", to: 1000 }]',
    ...(extra.lines ?? []),
    "",
  ].join("\n");
}

/** RssAnon + RssShmem of a process tree, in bytes. */
export function residentBytes(pid: number): number {
  let sum = 0;
  for (const member of processTree(pid)) {
    const status = readFileSync(`/proc/${member}/status`, "utf8");
    for (const [, kib] of status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm)) {
      sum += Number(kib) * 1024;
    }
  }
  return sum;
}

function processTree(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // The process ended while we looked.
    }
  }
  const tree = [pid];
  for (const member of tree) {
    for (const [child, parent] of parents) if (parent === member) tree.push(child);
  }
  return tree;
}
