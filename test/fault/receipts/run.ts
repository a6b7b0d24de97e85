/**
 * The storm of receipts at full size over the real store: `npm run fault:receipts -- [--messages N]
 * [--seed S] [--out file.json]`.
 *
 * Prints the report; `--out` writes it with commit, date and machine. Exit code 1 if any message
 * ended otherwise than its own receipt said. Entry point.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { readFlags } from "../../support/flags.ts";
import { openLmdbStore } from "../../../src/ledger/store/lmdb-store.ts";
import { runStorm } from "./storm.ts";

const { values } = readFlags({
  options: {
    messages: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    out: { type: "string" },
  },
});
const path = mkdtempSync(join(tmpdir(), "smsgw-storm-"));
const store = openLmdbStore(path, 1e11);
try {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const report = await runStorm(Number(values.messages), Number(values.seed), store, turn);
  console.log(JSON.stringify(report, null, 2));
  if (values.out !== undefined) {
    const about = {
      command: `npm run fault:receipts -- --messages ${values.messages} --seed ${values.seed}`,
      commit: execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).trim(),
      date: new Date().toISOString(),
      machine: {
        cpus: cpus().length,
        model: cpus()[0]?.model,
        memory_bytes: totalmem(),
        kernel: release(),
        node: process.version,
      },
    };
    writeFileSync(values.out, `${JSON.stringify({ ...about, report }, null, 2)}\n`);
  }
  if (report.wrong > 0 || !report.booksAgree) process.exitCode = 1;
} finally {
  await store.close();
  rmSync(path, { recursive: true });
}
