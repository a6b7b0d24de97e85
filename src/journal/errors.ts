/**
 * What can be wrong with the log or its directory, as types: who catches one knows how the program
 * must end.
 *
 * `exit` names the row of EXIT_CODES. None of these is for the hot path, and any thread may throw
 * them.
 */
import type { ExitName } from "../errors.ts";

/** Codes of the system that mean "no room", the only ones that are waited out. */
const NO_ROOM_CODES: readonly string[] = ["ENOSPC", "EDQUOT"];

/** The log is damaged where it must not be. `offset` is a log offset. */
export class LogCorruptionError extends Error {
  readonly exit: ExitName = "dataDir";
  readonly segment: string;
  readonly offset: number;
  readonly reason: string;

  constructor(segment: string, offset: number, reason: string) {
    super(`log is damaged: ${segment}, log offset ${offset}: ${reason}`);
    this.name = "LogCorruptionError";
    this.segment = segment;
    this.offset = offset;
    this.reason = reason;
  }
}

/**
 * A write or sync of the log failed: nothing was published, and this journal accepts nothing any
 * more.
 */
export class JournalFailedError extends Error {
  readonly exit: ExitName = "invariant";
  /** `code` of the system's error (EIO, ENOSPC, …), or its name. */
  readonly code: string;

  constructor(cause: unknown) {
    const code = systemCode(cause);
    super(`journal failed: ${code}: ${cause instanceof Error ? cause.message : "unknown"}`, {
      cause,
    });
    this.name = "JournalFailedError";
    this.code = code;
  }
}

/** The data directory cannot be used: another process holds it, or a file in it is unreadable. */
export class DataDirError extends Error {
  readonly exit: ExitName = "dataDir";
  readonly reason: "in use" | "damaged";

  constructor(reason: "in use" | "damaged", message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "DataDirError";
    this.reason = reason;
  }
}

/** `code` of a system error, or the error's name. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error)) return "UNKNOWN";
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

/** Whether `error` says that the disk or the quota is full. */
export function isNoRoom(error: unknown): boolean {
  return NO_ROOM_CODES.includes(systemCode(error));
}
