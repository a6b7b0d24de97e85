/**
 * The directory of a removal over a simulated one: each call is made when `defer` runs it.
 */
import type { LogDirectory, LogFile } from "../../src/journal/log-directory.ts";
import {
  type RemovalDirectory,
  type RemovalFile,
  SegmentRemoval,
} from "../../src/journal/segment-removal.ts";
import type { LogTable } from "../../src/tables/log-table.ts";

/** Runs a call on the thread of the removal, later or at once. */
export type Defer = (run: () => void) => void;

/** A removal that is over, whole, when `onTick` returns. */
export function removalAtOnce(directory: LogDirectory, logTable: LogTable): SegmentRemoval {
  return new SegmentRemoval({
    directory: removalDirectory(directory, (run) => run()),
    logTable,
    log: { write: () => undefined },
    after: (_ms, run) => run(),
  });
}

/** Errors with a code of the system are results; whatever else is thrown goes on to the caller. */
export function removalDirectory(directory: LogDirectory, defer: Defer): RemovalDirectory {
  const call = <T>(effect: () => T, onEnd: (error: Error | null, result: T | null) => void): void =>
    defer(() => {
      let result: T;
      try {
        result = effect();
      } catch (error) {
        if (!(error instanceof Error && "code" in error)) throw error;
        onEnd(error, null);
        return;
      }
      onEnd(null, result);
    });
  const fileOf = (file: LogFile): RemovalFile => ({
    sizeBytes: file.sizeBytes(),
    truncate: (lengthBytes, onEnd) => call(() => file.truncate(lengthBytes), onEnd),
    close: (onEnd) => call(() => file.close(), onEnd),
  });
  return {
    list: (onEnd) =>
      call(
        () => directory.list(),
        (error, names) => onEnd(error, names ?? []),
      ),
    open: (name, onEnd) => call(() => fileOf(directory.open(name, false)), onEnd),
    remove: (name, onEnd) => call(() => directory.remove(name), onEnd),
    sync: (onEnd) => call(() => directory.sync(), onEnd),
  };
}
