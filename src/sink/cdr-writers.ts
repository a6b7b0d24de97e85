/**
 * Chunks of CDR rows as a gzip NDJSON or a Parquet file: memory holds some thousand rows.
 *
 * NDJSON leaves out columns that are null. Parquet has them all, nullable, in groups of
 * ROW_GROUP_ROWS rows, compressed with Snappy. Any thread with an event loop.
 */
import { type ColumnSource, ParquetWriter } from "hyparquet-writer";
import { fileWriter } from "hyparquet-writer/src/node.js";
import { CDR_COLUMNS, CDR_RECORDS, CDR_SCHEMA_VERSION, CdrField } from "./cdr-columns.ts";
import type { CdrValue } from "./cdr-columns.ts";
import { CdrDecoder } from "./cdr-decode.ts";
import { GzipFile } from "./gzip-file.ts";
import { NdjsonRows } from "./ndjson-rows.ts";

const ROW_GROUP_ROWS = 20_000;

/** Writes rows into one file. After an error only `abandon` may be called. */
export interface CdrWriter {
  /** Rows written, by `record`. */
  readonly records: Readonly<Record<string, number>>;
  /**
   * Adds the rows of a chunk, the first of which is number `first`; resolves with the number behind
   * its last.
   */
  add(chunk: Uint8Array, first: number): Promise<number>;
  /** Finishes and closes the file. */
  finish(): Promise<void>;
  /** Closes an unfinished file: nothing of it is of use. */
  abandon(): void;
}

export class NdjsonWriter implements CdrWriter {
  readonly #file: GzipFile;
  readonly #rows: NdjsonRows;
  #isOpen = true;

  constructor(path: string, node: string) {
    const file = new GzipFile(path);
    this.#file = file;
    this.#rows = new NdjsonRows(node, (lines, deflated) => file.add(lines, deflated));
  }

  get records(): Readonly<Record<string, number>> {
    return this.#rows.records;
  }

  add(chunk: Uint8Array, first: number): Promise<number> {
    return Promise.resolve(this.#rows.add(chunk, first));
  }

  finish(): Promise<void> {
    this.#rows.finish();
    this.#isOpen = false;
    this.#file.finish();
    return Promise.resolve();
  }

  abandon(): void {
    if (this.#isOpen) this.#file.close();
  }
}

const PARQUET_TYPE = {
  string: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  int: { type: "INT64" },
  bool: { type: "BOOLEAN" },
  time: { type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
} as const;

const IS_WIDE = CDR_COLUMNS.map(({ type }) => type === "int" || type === "time");
/** Columns by whose least and greatest values a query may pass over row groups. */
const QUERIED_BY = new Set<string>(["row", "app", "accepted_at", "final_at", "recorded_at"]);
const WIDE_KEPT = 4096;

/** Numbers as Parquet's 64 bits: neighbouring rows have mostly the same. */
class WideNumbers {
  readonly #numbers = new Float64Array(WIDE_KEPT).fill(Number.NaN);
  readonly #wide: bigint[] = Array.from({ length: WIDE_KEPT }, () => 0n);

  /** `value` is whole. */
  of(value: number): bigint {
    const slot = value % WIDE_KEPT;
    if (this.#numbers[slot] !== value) {
      this.#numbers[slot] = value;
      this.#wide[slot] = BigInt(value);
    }
    return this.#wide[slot] as bigint;
  }
}

export class ParquetCdrWriter implements CdrWriter {
  readonly records: Record<string, number> = noRecords();
  readonly #writer: ParquetWriter;
  readonly #decoder: CdrDecoder;
  readonly #wide = new WideNumbers();
  #columns: unknown[][] = emptyColumns();

  constructor(path: string, node: string) {
    this.#decoder = new CdrDecoder(node, (row) => this.#write(row));
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

  async add(chunk: Uint8Array, first: number): Promise<number> {
    const next = this.#decoder.decode(chunk, first);
    if ((this.#columns[0] as unknown[]).length >= ROW_GROUP_ROWS) await this.#writeGroup();
    return next;
  }

  async finish(): Promise<void> {
    await this.#writeGroup();
    await this.#writer.finish();
  }

  /** Its file is open only while a piece is appended. */
  abandon(): void {
    this.#columns = emptyColumns();
  }

  #write(row: readonly CdrValue[]): void {
    const record = row[CdrField.record] as string;
    this.records[record] = (this.records[record] as number) + 1;
    for (let i = 0; i < row.length; i++) {
      const value = row[i] as CdrValue;
      const isWide = IS_WIDE[i] === true && value !== null;
      (this.#columns[i] as unknown[]).push(isWide ? this.#wide.of(value as number) : value);
    }
  }

  async #writeGroup(): Promise<void> {
    const columns = this.#columns;
    const rowGroupSize = (columns[0] as unknown[]).length;
    if (rowGroupSize === 0) return;
    this.#columns = emptyColumns();
    const columnData: ColumnSource[] = CDR_COLUMNS.map(({ name }, i) => ({
      name,
      data: columns[i] as unknown[],
      statistics: QUERIED_BY.has(name),
    }));
    await this.#writer.write({ columnData, rowGroupSize });
  }
}

function emptyColumns(): unknown[][] {
  return CDR_COLUMNS.map(() => []);
}

function noRecords(): Record<string, number> {
  return Object.fromEntries(CDR_RECORDS.map((record) => [record, 0]));
}
