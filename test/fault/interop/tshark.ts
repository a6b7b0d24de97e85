/** tshark as witness: how often each SMPP command is in a capture, by somebody else's decoder. */
import { execFileSync } from "node:child_process";

export interface WitnessedCommands {
  /** By command_id. */
  readonly counts: ReadonlyMap<number, number>;
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
  for (const text of ask("-Y", "smpp", "-T", "fields", "-e", "smpp.command_id").split(/[\s,]+/)) {
    if (text === "") continue;
    const id = Number(text);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const malformed = ask("-Y", "smpp && _ws.malformed").split("\n").filter(Boolean).length;
  return { counts, malformed };
}
