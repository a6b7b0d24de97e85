/** tshark as witness: how often each SMPP command is in a capture, by somebody else's decoder. */
import { execFileSync } from "node:child_process";
import { COMMAND_ID } from "../../../src/codec/index.ts";

const FIRST_RESPONSE = 0x80000000;

export interface WitnessedCommands {
  /** By command_id. */
  readonly counts: ReadonlyMap<number, number>;
  /** command_status of each generic_nack. */
  readonly nacks: readonly number[];
  /** Frames that the dissector calls malformed. */
  readonly malformed: number;
}

/** Reads a capture file whose SMPP goes over `port`. */
export function readCommands(file: string, port: number): WitnessedCommands {
  const ask = (...args: string[]): string =>
    execFileSync("tshark", ["-r", file, "-d", `tcp.port==${port},smpp`, ...args], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
      stdio: ["ignore", "pipe", "ignore"],
    });
  const counts = new Map<number, number>();
  const nacks: number[] = [];
  const fields = ["-e", "smpp.command_id", "-e", "smpp.command_status"];
  for (const line of ask("-Y", "smpp", "-T", "fields", ...fields).split("\n")) {
    // A frame has one of each PDU in it; requests have no status.
    const [ids = "", statuses = ""] = line.split("\t");
    const left = statuses.split(",");
    for (const id of ids.split(",").filter(Boolean).map(Number)) {
      counts.set(id, (counts.get(id) ?? 0) + 1);
      const status = id >= FIRST_RESPONSE ? Number(left.shift()) : 0;
      if (id === COMMAND_ID.generic_nack) nacks.push(status);
    }
  }
  const malformed = ask("-Y", "smpp && _ws.malformed").split("\n").filter(Boolean).length;
  return { counts, nacks, malformed };
}
