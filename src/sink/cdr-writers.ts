/**
 * CDR rows as gzip NDJSON or Parquet, streamed into a file: memory holds some thousand rows.
 *
 * NDJSON leaves out columns that are null. Parquet has them all, nullable, in groups of
 * ROW_GROUP_ROWS rows, compressed with Snappy. Any thread with an event loop.
 */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type ColumnSource, ParquetWriter } from "hyparquet-writer";
import { fileWriter } from "hyparquet-writer/src/node.js";
import { CDR_COLUMNS, CDR_SCHEMA_VERSION, type CdrValue } from "./cdr-columns.ts";

/** Level 6 halves the speed for a tenth less. */
const GZIP_LEVEL = 3;
const LINES_BYTES = 256 * 1024;
const ROW_GROUP_ROWS = 20_000;
/** What JSON has to escape, and what is not ASCII: both go the slow way. */
const NOT_PLAIN = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;

/** Writes rows into one file. After an error it is of no use. */
export interface CdrWriter {
  write(row: readonly CdrValue[]): void;
  /** To be awaited now and then: lets what was written reach the file. */
  flush(): Promise<void>;
  /** Finishes and closes the file. */
  finish(): Promise<void>;
  /** Closes an unfinished file: nothing of it is of use. */
  abandon(): Promise<void>;
}

export class NdjsonWriter implements CdrWriter {
  readonly #gzip = createGzip({ level: GZIP_LEVEL });
  readonly #file: WriteStream;
  readonly #done: Promise<void>;
  #lines = "";

  constructor(path: string) {
    const file = createWriteStream(path, { mode: 0o600 });
    this.#file = file;
    this.#done = finished(this.#gzip.pipe(file));
    this.#gzip.on("error", (error) => file.destroy(error));
    // Its failure is told to whoever awaits flush or finish.
    this.#done.catch(() => undefined);
  }

  write(row: readonly CdrValue[]): void {
    this.#lines += ndjsonLine(row);
  }

  async flush(): Promise<void> {
    if (this.#lines.length < LINES_BYTES) return;
    const lines = this.#lines;
    this.#lines = "";
    if (!this.#gzip.write(lines)) await Promise.race([once(this.#gzip, "drain"), this.#done]);
  }

  async finish(): Promise<void> {
    this.#gzip.end(this.#lines);
    await this.#done;
  }

  async abandon(): Promise<void> {
    this.#gzip.destroy();
    this.#file.destroy();
    await finished(this.#file).catch(() => undefined);
  }
}

const FIRST = CDR_COLUMNS.map(({ name }) => `{"${name}":`);
const FURTHER = CDR_COLUMNS.map(({ name }) => `,"${name}":`);
const IS_TIME = CDR_COLUMNS.map(({ type }) => type === "time");

/** One row as a line of JSON, its end included. */
export function ndjsonLine(row: readonly CdrValue[]): string {
  let line = "";
  for (let i = 0; i < row.length; i++) {
    const value = row[i] as CdrValue;
    if (value === null) continue;
    line += (line === "" ? FIRST : FURTHER)[i] as string;
    if (typeof value === "string") {
      line += NOT_PLAIN.test(value) ? JSON.stringify(value) : `"${value}"`;
    } else if (IS_TIME[i] === true) {
      line += `"${isoTime(value as number)}"`;
    } else {
      line += String(value);
    }
  }
  return `${line}}\n`;
}

const MINUTE_MS = 60_000;
const SECOND_TEXTS = Array.from({ length: 60 }, (_, s) => `${String(s).padStart(2, "0")}.`);
const MILLI_TEXTS = Array.from({ length: 1000 }, (_, ms) => `${String(ms).padStart(3, "0")}Z`);
let minuteOfText = Number.NaN;
let minuteText = "";

/** As Date's toISOString, at a tenth of its cost: times of neighbouring rows share their minute. */
export function isoTime(wallMs: number): string {
  const minute = Math.floor(wallMs / MINUTE_MS);
  if (minute !== minuteOfText) {
    minuteOfText = minute;
    minuteText = new Date(minute * MINUTE_MS).toISOString().slice(0, 17);
  }
  const rest = Math.floor(wallMs) - minute * MINUTE_MS;
  return `${minuteText}${SECOND_TEXTS[Math.floor(rest / 1000)]}${MILLI_TEXTS[rest % 1000]}`;
}

const PARQUET_TYPE = {
  string: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  int: { type: "INT64" },
  bool: { type: "BOOLEAN" },
  time: { type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
} as const;

export class ParquetCdrWriter implements CdrWriter {
  readonly #writer: ParquetWriter;
  #columns: unknown[][] = emptyColumns();

  constructor(path: string) {
    this.#writer = new ParquetWriter({
      writer: fileWriter(path),
      createdBy: "smsgw",
      kvMetadata: [{ key: "smsgw.cdr.schema", value: String(CDR_SCHEMA_VERSION) }],
      schema: [
        { name: "root", num_children: CDR_COLUMNS.length },
        ...CDR_COLUMNS.map(({ name, type }) => ({
          name,
          repetition_type: "OPTIONAL" as const,
          ...PARQUET_TYPE[type],
        })),
      ],
    });
  }

  write(row: readonly CdrValue[]): void {
    for (let i = 0; i < row.length; i++) {
      const value = row[i] as CdrValue;
      const isWide = CDR_COLUMNS[i]?.type === "int" && value !== null;
      (this.#columns[i] as unknown[]).push(isWide ? BigInt(value as number) : value);
    }
  }

  async flush(): Promise<void> {
    if ((this.#columns[0] as unknown[]).length >= ROW_GROUP_ROWS) await this.#writeGroup();
  }

  async finish(): Promise<void> {
    await this.#writeGroup();
    await this.#writer.finish();
  }

  /** Its file is open only while a piece is appended. */
  abandon(): Promise<void> {
    this.#columns = emptyColumns();
    return Promise.resolve();
  }

  async #writeGroup(): Promise<void> {
    const columns = this.#columns;
    const rowGroupSize = (columns[0] as unknown[]).length;
    if (rowGroupSize === 0) return;
    this.#columns = emptyColumns();
    const columnData: ColumnSource[] = CDR_COLUMNS.map(({ name }, i) => ({
      name,
      data: columns[i] as unknown[],
    }));
    await this.#writer.write({ columnData, rowGroupSize });
  }
}

function emptyColumns(): unknown[][] {
  return CDR_COLUMNS.map(() => []);
}
