/**
 * tcpdump as a witness of loopback traffic, and tshark that reads it back as SMPP.
 *
 *   mark (UDP) ─► what is captured is written ─► mark ─► the capture is whole
 *
 * A datagram of our own that is found in the file says that everything before it is there too, so
 * nobody waits for a time that a busy machine exceeds.
 */
import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const LOOK_MS = 20;
const DEADLINE_MS = 60_000;

/** Captures traffic of `ports` into `file`; resolves, when tcpdump listens, with what ends it. */
export async function startCapture(
  ports: readonly number[],
  file: string,
): Promise<() => Promise<void>> {
  const marker = createSocket("udp4").unref().bind(0, "127.0.0.1");
  await once(marker, "listening");
  const { port: markPort } = marker.address();
  const filter = [...ports.map((port) => `tcp port ${port}`), `udp port ${markPort}`].join(" or ");
  const args = ["-i", "lo", "-n", "-U", "--immediate-mode", "-B", "16384", "-w", file, filter];
  const child = spawn("tcpdump", args, { stdio: "ignore" });
  // A test that fails before it ends the capture ends nevertheless, and so does tcpdump.
  child.unref();
  process.once("exit", () => child.kill("SIGKILL"));
  let fault: string | null = null;
  child.on("error", () => (fault = "tcpdump is missing: apt-get install tcpdump"));
  const ended = new Promise<void>((resolve) => {
    child.on("exit", (code) => {
      fault ??= `tcpdump ended with ${code}: may this user capture on lo?`;
      resolve();
    });
  });
  const passMark = async (name: string): Promise<void> => {
    const mark = `mark ${name} ${process.pid} ${markPort}`;
    const deadline = Date.now() + DEADLINE_MS;
    while (!existsSync(file) || !readFileSync(file).includes(mark)) {
      if (fault !== null || Date.now() > deadline)
        throw new Error(fault ?? `no ${mark} in ${file}`);
      // Again and again: the first ones come before tcpdump listens.
      marker.send(mark, markPort, "127.0.0.1");
      await sleep(LOOK_MS);
    }
  };
  try {
    await passMark("first");
  } catch (error) {
    marker.close();
    child.kill("SIGKILL");
    throw error;
  }
  return async () => {
    await passMark("last");
    marker.close();
    child.ref();
    child.kill("SIGINT");
    await ended;
  };
}

/**
 * sequence_number of each PDU in the packets that `filter` selects, with `port` read as SMPP. One
 * element for each PDU of a packet, so also for those beside the one that was asked for.
 */
export async function readPackets(file: string, port: number, filter: string): Promise<string[]> {
  const numbers = (await readFields(file, port, filter, ["smpp.sequence_number"])).flat();
  return numbers.flatMap((number) => number.split(",")).filter((number) => number !== "");
}

/**
 * The named fields of each packet of `port` that `filter` selects, with `port` read as SMPP; values
 * of one field that occurs several times in a packet are joined by commas.
 */
export async function readFields(
  file: string,
  port: number,
  filter: string,
  fields: readonly string[],
): Promise<string[][]> {
  const ours = `tcp.port == ${port} && (${filter})`;
  const args = ["-r", file, "-d", `tcp.port==${port},smpp`, "-Y", ours, "-T", "fields"];
  const all = [...args, ...fields.flatMap((field) => ["-e", field])];
  // Not in one go: connections that are kept open meanwhile are closed by the other side.
  const { stdout } = await promisify(execFile)("tshark", all, { maxBuffer: 1 << 26 });
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => line.split("\t"));
}
