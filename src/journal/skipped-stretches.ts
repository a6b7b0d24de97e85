/**
 * Stretches of the log that an operator gave up (`journal skip`), by the copies kept beside it:
 * `skipped-<16 hex digits of the offset>`, as long as the stretch. Any thread.
 */
import type { LogDirectory } from "./log-directory.ts";

const NAME = /^skipped-([0-9a-f]{16})$/;

/** Name of the copy of a stretch that begins at `offset`. */
export function skippedName(offset: number): string {
  return `skipped-${offset.toString(16).padStart(16, "0")}`;
}

/** Whether a log offset lies in a stretch that was given up, as the directory is now. */
export function readSkipped(directory: LogDirectory): (logOffset: number) => boolean {
  const stretches = directory.list().flatMap((name) => {
    const digits = NAME.exec(name)?.[1];
    if (digits === undefined) return [];
    const from = Number.parseInt(digits, 16);
    const file = directory.open(name, false);
    try {
      return [{ from, to: from + file.sizeBytes() }];
    } finally {
      file.close();
    }
  });
  return (logOffset) => stretches.some(({ from, to }) => logOffset >= from && logOffset < to);
}
