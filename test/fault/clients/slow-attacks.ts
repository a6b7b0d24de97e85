/**
 * slowhttptest against a real gateway: slow headers, slow bodies, slow reading, overlapping ranges,
 * with well-behaved senders beside it.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { gatewayYaml, startGateway, type Workspace } from "../../support/processes.ts";
import { GoodClient, type GoodClientResult } from "./good-client.ts";

export const ATTACKS = {
  "slow headers": ["-H", "-i", "5", "-t", "GET", "-x", "24"],
  "slow bodies": ["-B", "-i", "5", "-t", "POST", "-s", "60000", "-x", "10"],
  "slow reading": ["-X", "-w", "8", "-y", "16", "-n", "5", "-z", "8", "-k", "5"],
  ranges: ["-R", "-t", "HEAD", "-a", "10", "-b", "3000"],
} as const;

export type AttackName = keyof typeof ATTACKS;

export interface AttackResult extends GoodClientResult {
  readonly attack: AttackName;
  readonly connections: number;
  readonly seconds: number;
  readonly isAlive: boolean;
  /** What the attacker saw at its end. */
  readonly attacker: string;
}

/** Runs one attack for `seconds` with so many connections. */
export async function attackSlowly(
  workspace: Workspace,
  attack: AttackName,
  connections: number,
  seconds: number,
): Promise<AttackResult> {
  const smsc = await workspace.run(["smsc", "--port", "0"], (line) =>
    line.includes("listening on"),
  );
  const smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const gateway = await startGateway(workspace, gatewayYaml(smscPort));
  const good = new GoodClient(gateway.httpPort, 2);
  const path = attack === "slow bodies" ? "v1/messages" : "healthz";
  const url = `http://127.0.0.1:${gateway.httpPort}/${path}`;
  const rate = Math.max(50, Math.round(connections / 4));
  const common = [
    "-c",
    `${connections}`,
    "-r",
    `${rate}`,
    "-l",
    `${seconds}`,
    "-p",
    "3",
    "-u",
    url,
  ];
  const { stdout } = await promisify(execFile)("slowhttptest", [...ATTACKS[attack], ...common], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const result = await good.stop();
  const isAlive = gateway.child.exitCode === null;
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  smsc.child.kill("SIGKILL");
  await smsc.exited;
  return { attack, connections, seconds, isAlive, attacker: lastStatus(stdout), ...result };
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
