/**
 * What CDR files cost: lines of JSON, compression by level, Parquet, and the ledger's part.
 *
 *   npm run bench:cdr [-- --seconds 1 --json FILE]
 *
 * One thread; a message has one part: two rows. Each figure is the best of its rounds, which is
 * what the work costs when nothing else runs. Lines by way of objects are there to compare.
 */
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { measure } from "mitata";
import { readFlags } from "../../../test/support/flags.ts";
import { CdrDecoder } from "../../../src/sink/cdr-decode.ts";
import { ParquetCdrWriter } from "../../../src/sink/cdr-writers.ts";
import { ndjsonLine } from "../../../src/sink/ndjson-line.ts";
import { NdjsonRows } from "../../../src/sink/ndjson-rows.ts";
import { MemoryStore } from "../../../test/support/memory-store.ts";
import { origin } from "../../load/machine.ts";
import { chunksOf, finalMessages, newRows, rowCount } from "./chunks.ts";

const NODE = "gw-1";
/** As the files are written. */
const BLOCK_BYTES = 512 * 1024;
const LEVELS = [1, 2, 3, 4, 6, 9];
const COMMIT_MESSAGES = 1000;

/** One line of the table: µs and bytes a message. */
interface Figure {
  readonly what: string;
  readonly us_a_message: number;
  readonly rows_a_s: number;
  readonly bytes_a_message: number;
}

const { values } = readFlags({
  options: { seconds: { type: "string", default: "1" }, json: { type: "string" } },
});
const CPU_NS = Number(values.seconds) * 1e9;
/** So few that a round fits between two turns of other programs; a trial takes fewer still. */
const MESSAGES = CPU_NS < 50e6 ? 200 : 4000;
const messages = finalMessages(MESSAGES);
const chunks = chunksOf(messages, "ndjson");
const rowsAMessage = rowCount(chunks) / MESSAGES;
const folder = mkdtempSync(join(tmpdir(), "smsgw-bench-cdr-"));
const figures: Figure[] = [];

/** Measures `run`, which does all messages and returns the bytes that came of them. */
async function figure(what: string, run: () => number | Promise<number>): Promise<void> {
  let bytes = 0;
  const { min } = await measure(
    async () => {
      bytes = await run();
    },
    { min_cpu_time: CPU_NS, gc: false, inner_gc: false },
  );
  const us = min / 1000 / MESSAGES;
  const made = {
    what,
    us_a_message: Number(us.toFixed(3)),
    rows_a_s: Math.round((rowsAMessage * 1e6) / us),
    bytes_a_message: Number((bytes / MESSAGES).toFixed(1)),
  };
  figures.push(made);
  const columns = [made.us_a_message.toFixed(2), made.rows_a_s, made.bytes_a_message];
  console.log(what.padEnd(36), ...columns.map((value) => String(value).padStart(10)));
}

console.log(["".padEnd(36), "µs/message", "    rows/s", "bytes/mess."].join(" "));
try {
  await figure("ledger: rows into chunks", () => {
    const store = new MemoryStore();
    const rows = newRows(store, "ndjson");
    for (const [i, message] of messages.entries()) {
      rows.onStatus(message);
      if ((i + 1) % COMMIT_MESSAGES === 0) rows.beforeCommit();
    }
    rows.beforeCommit();
    return chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  });
  await figure("lines, by way of objects", () => {
    let lines = "";
    const decoder = new CdrDecoder(NODE, (row) => {
      lines += ndjsonLine(row);
    });
    for (const { bytes, row } of chunks) decoder.decode(bytes, row);
    return Buffer.from(lines).length;
  });
  const all: Buffer[] = [];
  const keep = new NdjsonRows(NODE, (lines) => all.push(Buffer.from(lines)));
  for (const { bytes, row } of chunks) keep.add(bytes, row);
  keep.finish();
  const text = Buffer.concat(all);
  let length = 0;
  const rows = new NdjsonRows(NODE, (lines) => {
    length += lines.length;
  });
  await figure("lines", () => {
    length = 0;
    for (const { bytes, row } of chunks) rows.add(bytes, row);
    rows.finish();
    return length;
  });
  let deflatedBytes = 0;
  const known = new NdjsonRows(NODE, (lines, deflated) => {
    deflatedBytes += (deflated ?? deflateRawSync(lines, { level: 1, memLevel: 8 })).length;
  });
  await figure("lines, deflated", () => {
    deflatedBytes = 0;
    for (const { bytes, row } of chunks) known.add(bytes, row);
    known.finish();
    return deflatedBytes;
  });
  for (const level of LEVELS) {
    await figure(`gzip level ${level}`, () => {
      let size = 0;
      for (let at = 0; at < text.length; at += BLOCK_BYTES) {
        const block = text.subarray(at, at + BLOCK_BYTES);
        size += deflateRawSync(block, { level, memLevel: 8 }).length;
      }
      return size;
    });
  }
  const path = join(folder, "rows.parquet");
  await figure("Parquet, whole", async () => {
    const writer = new ParquetCdrWriter(path, NODE);
    for (const { bytes, row } of chunks) await writer.add(bytes, row);
    await writer.finish();
    return statSync(path).size;
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (values.json !== undefined) {
  const document = { bench: "cdr", origin: origin(), messages: MESSAGES, figures };
  writeFileSync(values.json, `${JSON.stringify(document, null, 2)}\n`);
}
