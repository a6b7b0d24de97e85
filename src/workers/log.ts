/**
 * The process log: one JSON line an event on standard output, written by whichever thread has
 * something to say; with `log.archive` also in a file an hour, which the sink thread takes away
 * when its hour is over.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { pino } from "pino";
import type { GatewayConfig } from "../config/types.ts";
import type { Log } from "../environment.ts";
import { logFileName } from "../sink/log-archive.ts";

/** Log of thread `thread`; lines below the configured level are dropped. */
export function threadLog(thread: string, config: Pick<GatewayConfig, "log" | "node">): Log {
  const { level, archive } = config.log;
  const output = pino.destination({ fd: 1, sync: true });
  const file = archive ? new HourlyFile(config.node.dataDir) : null;
  const logger = pino(
    { level, base: { thread }, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "operation" },
    file === null
      ? output
      : {
          write: (line) => {
            output.write(line);
            file.write(line);
          },
        },
  );
  return {
    write(at, operation, fields) {
      logger[at](fields ?? {}, operation);
    },
  };
}

/** Appends whole lines to the file of the hour; every thread has the same one open. */
class HourlyFile {
  readonly #dataDir: string;
  #name = "";
  #file = -1;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  write(line: string): void {
    try {
      const name = logFileName(Date.now());
      if (name !== this.#name) this.#open(name);
      writeSync(this.#file, line);
    } catch {
      // A full disk must not end a thread for its log: the line is on standard output.
      this.#name = "";
    }
  }

  #open(name: string): void {
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = -1;
    const path = join(this.#dataDir, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#file = openSync(path, "a", 0o600);
    this.#name = name;
  }
}
