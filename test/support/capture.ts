/**
 * tshark as a witness: captures loopback traffic of a port, and reads it back as SMPP.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 50;
const LOOKS_MAX = 100;
/** tshark writes its file before it listens, and reads on a little after the last packet. */
const SETTLE_MS = 300;

/** Captures traffic of `port` into `file`; resolves, when tshark listens, with what ends it. */
export async function startCapture(port: number, file: string): Promise<() => Promise<void>> {
  const child = spawn("tshark", ["-q", "-i", "lo", "-f", `tcp port ${port}`, "-w", file], {
    stdio: "ignore",
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", () => reject(new Error("tshark is missing: apt-get install tshark")));
    child.on("exit", () => resolve());
  });
  for (let i = 0; i < LOOKS_MAX && !(existsSync(file) && statSync(file).size > 0); i++) {
    await sleep(LOOK_MS);
  }
  await sleep(SETTLE_MS);
  return async () => {
    await sleep(SETTLE_MS);
    child.kill("SIGINT");
    await ended;
  };
}

/**
 * sequence_number of each PDU in the packets that `filter` selects, with `port` read as SMPP. One
 * element for each PDU of a packet, so also for those beside the one that was asked for.
 */
export function readPackets(file: string, port: number, filter: string): string[] {
  const numbers = readFields(file, port, filter, ["smpp.sequence_number"]).flat();
  return numbers.flatMap((number) => number.split(",")).filter((number) => number !== "");
}

/**
 * The named fields of each packet that `filter` selects, with `port` read as SMPP; values of one
 * field that occurs several times in a packet are joined by commas.
 */
export function readFields(
  file: string,
  port: number,
  filter: string,
  fields: readonly string[],
): string[][] {
  const args = ["-r", file, "-d", `tcp.port==${port},smpp`, "-Y", filter, "-T", "fields"];
  const output = execFileSync("tshark", [...args, ...fields.flatMap((field) => ["-e", field])], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const lines = output.split("\n").filter((line) => line !== "");
  return lines.map((line) => line.split("\t"));
}
