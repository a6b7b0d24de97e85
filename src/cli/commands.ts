/**
 * The commands of `smsgw`, one file each, loaded when asked for so that small ones start fast.
 */
import type { Command } from "./output.ts";

export interface CommandEntry {
  /** One line of the general help. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** By name, in the order of the help. */
export const COMMANDS: ReadonlyMap<string, CommandEntry> = new Map([
  ["start", { summary: "run the gateway", load: () => import("./start.ts") }],
  [
    "demo",
    {
      summary: "gateway and simulated operator on loopback, one message followed to delivered",
      load: () => import("./demo.ts"),
    },
  ],
  [
    "bench",
    {
      summary: "measure rate, latencies, CPU and memory of a gateway on this machine",
      load: () => import("./bench.ts"),
    },
  ],
  [
    "tune",
    {
      summary: "find thread counts and windows that suit this machine and operator",
      load: () => import("./tune.ts"),
    },
  ],
  ["smsc", { summary: "run a simulated operator", load: () => import("./smsc.ts") }],
  ["token", { summary: "print a development token for an app", load: () => import("./token.ts") }],
  ["top", { summary: "watch a running gateway", load: () => import("./top.ts") }],
  [
    "link",
    { summary: "write the last PDUs of a link as a capture file", load: () => import("./link.ts") },
  ],
  [
    "deadletters",
    {
      summary: "list messages that ended here, and send them anew",
      load: () => import("./deadletters.ts"),
    },
  ],
  ["journal", { summary: "look into the log", load: () => import("./journal.ts") }],
  ["cdr", { summary: "prove that no CDR row is missing", load: () => import("./cdr.ts") }],
  [
    "check-config",
    {
      summary: "validate a configuration and print the effective one, secrets masked",
      load: () => import("./check-config.ts"),
    },
  ],
]);
