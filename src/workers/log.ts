/**
 * The process log: one JSON line an event on standard output, written by whichever thread has
 * something to say.
 */
import { pino } from "pino";
import type { Log } from "../environment.ts";

/** Log of thread `thread`; lines below `level` are dropped. */
export function threadLog(thread: string, level: string): Log {
  const logger = pino(
    { level, base: { thread }, timestamp: pino.stdTimeFunctions.isoTime, messageKey: "operation" },
    pino.destination({ fd: 1, sync: true }),
  );
  return {
    write(at, operation, fields) {
      logger[at](fields ?? {}, operation);
    },
  };
}
