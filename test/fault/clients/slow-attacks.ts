/**
 * slowhttptest against a real gateway: slow headers, slow bodies, slow reading, overlapping ranges,
 * the first two through TLS as well; with well-behaved senders beside it, who were alone first.
 */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { readPem, TestAuthority } from "../../support/certificates.ts";
import { gatewayYaml, startGateway, type Workspace } from "../../support/processes.ts";
import { GoodClient, type GoodClientResult } from "./good-client.ts";

export const ATTACKS = {
  "slow headers": ["-H", "-i", "5", "-t", "GET", "-x", "24"],
  "slow bodies": ["-B", "-i", "5", "-t", "POST", "-s", "60000", "-x", "10"],
  "slow reading": ["-X", "-w", "8", "-y", "16", "-n", "5", "-z", "8", "-k", "5"],
  ranges: ["-R", "-t", "HEAD", "-a", "10", "-b", "3000"],
  "slow headers by TLS": ["-H", "-i", "5", "-t", "GET", "-x", "24"],
  "slow bodies by TLS": ["-B", "-i", "5", "-t", "POST", "-s", "60000", "-x", "10"],
} as const;

export type AttackName = keyof typeof ATTACKS;

export interface AttackResult extends GoodClientResult {
  readonly attack: AttackName;
  readonly connections: number;
  readonly seconds: number;
  /** How often all connections were opened. */
  readonly rounds: number;
  readonly isAlive: boolean;
  /** Of the same senders in the same gateway before the attack. */
  readonly aloneP99Ms: number;
  readonly aloneFailed: Readonly<Record<string, number>>;
  /** What a gateway that died said last. */
  readonly lastWords: readonly string[];
  /** What the attacker saw at its end. */
  readonly attacker: string;
}

const LANES = 2;
const LAST_LINES = 6;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Whether the attack goes through TLS. */
export function isByTls(attack: AttackName): boolean {
  return attack.endsWith("TLS");
}

/**
 * Runs one attack for `seconds` with so many connections, after the good senders were alone for
 * `aloneSeconds`.
 */
export async function attackSlowly(
  workspace: Workspace,
  attack: AttackName,
  connections: number,
  seconds: number,
  aloneSeconds: number,
): Promise<AttackResult> {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) =>
    line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const ca = isByTls(attack) ? issueCertificate(workspace) : null;
  const plain = gatewayYaml(smscPort);
  const tls = "http: { port: 0, tls: { cert_file: ./gateway.pem, key_file: ./gateway.key } }";
  const yaml = ca === null ? plain : plain.replace("http: { port: 0 }", tls);
  const gateway = await startGateway(workspace, yaml);
  const before = new GoodClient(gateway.httpPort, LANES, ca);
  await sleep(aloneSeconds * 1000);
  const alone = await before.stop();
  const good = new GoodClient(gateway.httpPort, LANES, ca);
  const path = attack.startsWith("slow bodies") ? "v1/messages" : "healthz";
  const url = `http${ca === null ? "" : "s"}://127.0.0.1:${gateway.httpPort}/${path}`;
  const rate = Math.max(50, Math.round(connections / 4));
  const common = ["-c", `${connections}`, "-r", `${rate}`, "-p", "3", "-u", url];
  const endMs = performance.now() + seconds * 1000;
  let rounds = 0;
  let stdout = "";
  // It ends early when all its connections were closed; then they come again.
  for (let leftS = seconds; leftS > 0; leftS = Math.round((endMs - performance.now()) / 1000)) {
    rounds += 1;
    const args = [...ATTACKS[attack], ...common, "-l", `${leftS}`];
    ({ stdout } = await promisify(execFile)("slowhttptest", args, { maxBuffer: OUTPUT_BYTES_MAX }));
  }
  const result = await good.stop();
  const isAlive = gateway.child.exitCode === null && gateway.child.signalCode === null;
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  smsc.child.kill("SIGKILL");
  await smsc.exited;
  const attacker = lastStatus(stdout);
  const lastWords = isAlive ? [] : gateway.lines.slice(-LAST_LINES);
  const about = { attack, connections, seconds, rounds, isAlive, lastWords, attacker };
  return { ...about, aloneP99Ms: alone.p99Ms, aloneFailed: alone.failed, ...result };
}

/** Makes a certificate for the gateway; returns that of its authority. */
function issueCertificate(workspace: Workspace): string {
  const authority = new TestAuthority(workspace.folder);
  authority.issue("gateway", "IP:127.0.0.1");
  return readPem(authority.caFile);
}

/** The last status block: initializing, pending, connected, error, closed, service available. */
function lastStatus(output: string): string {
  // oxlint-disable-next-line no-control-regex
  const plain = output.replaceAll(/\u001b\[[0-9;]*m/g, "");
  const wanted = ["initializing", "pending", "connected", "error", "closed", "service available"];
  return wanted
    .map((name) => {
      const found = [...plain.matchAll(new RegExp(`^${name}:\\s+(\\w+)`, "gm"))].at(-1);
      return `${name} ${found?.[1] ?? "?"}`;
    })
    .join(", ");
}
