/**
 * Makes the file of a cut: decodes its chunks, writes rows, syncs, renames, then its manifest.
 *
 *   chunks ─► rows ─► tmp/… ─► data/… ─► manifest/…      the manifest says that the file is whole
 *
 * May be done again at any time with the same result. A task of the pool; any thread.
 */
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { type CdrCut, chunkRecordedAt } from "../ledger/cdr/cdr-format.ts";
import { CDR_SCHEMA_VERSION } from "./cdr-columns.ts";
import { type CdrManifest, dataPath, fileNameOf, manifestPath } from "./cdr-files.ts";
import { type CdrWriter, NdjsonWriter, ParquetCdrWriter } from "./cdr-writers.ts";
import { digestFile, publishFile, publishText, temporaryOf } from "./durable-file.ts";

/** A chunk of the ledger's store and the number of its first row. */
export interface CdrChunk {
  readonly row: number;
  readonly bytes: Uint8Array;
}

export interface PackTask {
  readonly node: string;
  readonly region: string;
  /** Absolute: where `data/` and `manifest/` are. */
  readonly folder: string;
  readonly cut: CdrCut;
}

/**
 * Makes the file of `task.cut` from its chunks, in order. Throws if they are not exactly the rows
 * of the cut, and what the file system says; then there is no new file.
 */
export async function packCut(task: PackTask, chunks: Iterable<CdrChunk>): Promise<CdrManifest> {
  const { cut, folder, node, region } = task;
  const name = fileNameOf(node, cut);
  const file = dataPath(name);
  const temporary = temporaryOf(folder, file);
  try {
    const found = await writeFile(task, chunks, temporary);
    const digest = await digestFile(temporary);
    await publishFile(folder, temporary, file);
    const manifest = {
      schema: CDR_SCHEMA_VERSION,
      ...name,
      region,
      file,
      ...digest,
      ...found,
    };
    await publishText(folder, manifestPath(name), `${JSON.stringify(manifest, null, 1)}\n`);
    return manifest;
  } finally {
    await rm(temporary, { force: true });
  }
}

type Written = Pick<
  CdrManifest,
  "rows_sha256" | "rows" | "records" | "recorded_from" | "recorded_until"
>;

async function writeFile(
  task: PackTask,
  chunks: Iterable<CdrChunk>,
  temporary: string,
): Promise<Written> {
  const { cut, node } = task;
  const Writer = cut.format === "parquet" ? ParquetCdrWriter : NdjsonWriter;
  const writer = new Writer(temporary, node);
  try {
    return await writeRows(cut, chunks, writer);
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

async function writeRows(
  cut: CdrCut,
  chunks: Iterable<CdrChunk>,
  writer: CdrWriter,
): Promise<Written> {
  const hash = createHash("sha256");
  let next = cut.from;
  let last = cut.at;
  for (const { row, bytes } of chunks) {
    if (row !== next) throw new Error(`CDR rows ${next} to ${row} are not in the store`);
    hash.update(bytes);
    next = await writer.add(bytes, row);
    last = chunkRecordedAt(bytes);
  }
  if (next !== cut.until) throw new Error(`CDR rows ${next} to ${cut.until} are not in the store`);
  await writer.finish();
  return {
    rows_sha256: hash.digest("hex"),
    rows: cut.until - cut.from,
    records: writer.records,
    recorded_from: new Date(cut.at).toISOString(),
    recorded_until: new Date(last).toISOString(),
  };
}
