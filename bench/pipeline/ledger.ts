/**
 * What a message costs the ledger with few and with many messages stored.
 *
 *   npm run bench:ledger -- [--stored 100000,10000000] [--sample 100000] [--open 4000]
 *   [--waiting 0] [--directory DIR] [--out FILE]
 *
 * `--waiting`: so many more were accepted before, and are never sent. Prints a line a number of
 * stored messages; `--out` writes a result file. The directory (a new temporary one) must be on the
 * kind of disk that is meant. Asserts nothing but the books.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFlags } from "../../test/support/flags.ts";
import { describeOrigin, origin } from "../load/machine.ts";
import { type LedgerPoint, runLedgerBench } from "./ledger-run.ts";

const PROGRESS_MS = 5000;

const { values } = readFlags({
  options: {
    stored: { type: "string", default: "100000,10000000" },
    sample: { type: "string", default: "100000" },
    open: { type: "string", default: "4000" },
    waiting: { type: "string", default: "0" },
    directory: { type: "string", default: tmpdir() },
    out: { type: "string" },
  },
});
const stored = values.stored.split(",").map(Number);
const sample = Number(values.sample);
const open = Number(values.open);
const waiting = Number(values.waiting);
if (![...stored, sample, open / 2].every((count) => Number.isSafeInteger(count) && count > 0)) {
  console.error("bench:ledger: --stored, --sample take positive whole numbers, --open an even one");
  process.exit(2);
}
if (!Number.isSafeInteger(waiting) || waiting < 0) {
  console.error("bench:ledger: --waiting takes a whole number");
  process.exit(2);
}
stored.sort((a, b) => a - b);
const directory = mkdtempSync(join(values.directory, "smsgw-ledger-bench-"));
const about = origin();
console.log(describeOrigin(about));
let nextProgressAt = performance.now() + PROGRESS_MS;
try {
  const report = await runLedgerBench({
    directory,
    stored,
    sample,
    open,
    waiting,
    onProgress: tell,
  });
  for (const point of report.points) console.log(lineOf(point));
  if (!report.booksAgree) throw new Error("the books do not agree with the rows");
  if (values.out !== undefined) {
    const result = {
      kind: "ledger",
      origin: about,
      settings: { stored, sample, open, waiting },
      ...report,
    };
    writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
  }
} finally {
  rmSync(directory, { recursive: true });
}

function tell(count: number): void {
  if (performance.now() < nextProgressAt) return;
  nextProgressAt = performance.now() + PROGRESS_MS;
  console.error(`${count} messages stored`);
}

function lineOf(point: LedgerPoint): string {
  const { cpuUsPerMessage, messagesPerS, memoryBytes } = point;
  const { diskBytesPerMessage, liveBytesPerMessage } = point;
  return [
    `${point.stored} stored`,
    `${cpuUsPerMessage.toFixed(2)} µs CPU a message`,
    `${Math.round(messagesPerS)} messages/s`,
    `${Math.round(memoryBytes / 2 ** 20)} MiB`,
    `${Math.round(diskBytesPerMessage)} bytes of disk a message`,
    `${Math.round(liveBytesPerMessage)} of them live`,
  ].join(", ");
}
