/**
 * Proves from a bucket or folder that no CDR row is missing or doubled.
 *
 *   names       files of a series follow each other: [0, a) [a, b) [b, c) …
 *   manifests   each file has one, each one its file
 *   contents    bytes match the manifest's SHA-256; rows are numbered as the name says; a message's
 *               rows stand together, one a part and one whole; no message comes twice
 *
 * It trusts nothing that the gateway counts itself. Any thread with an event loop.
 */
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import {
  type CdrFileName,
  type CdrManifest,
  isManifestPath,
  manifestPath,
  parseDataPath,
} from "./cdr-files.ts";
import { IdSet } from "./id-set.ts";
import type { ObjectReader } from "./object-store.ts";

/** More of them are counted, not kept. */
const PROBLEMS_KEPT = 1000;

export interface VerifyOptions {
  /** Whether to read the files; else only names, sizes and manifests are looked at. */
  readonly isDeep: boolean;
  /** Whether a series may begin later than with row 0: its oldest files were removed on purpose. */
  readonly mayBeginLate: boolean;
  /** Told after each file. */
  readonly onFile?: (done: number, count: number) => void;
}

export interface VerifyReport {
  readonly place: string;
  readonly files: number;
  readonly bytes: number;
  readonly rows: number;
  /** Rows by `record`: as read if deep, else as the manifests say. */
  readonly records: Readonly<Record<string, number>>;
  readonly series: readonly SeriesReport[];
  readonly problem_count: number;
  readonly problems: readonly VerifyProblem[];
  readonly ok: boolean;
}

/** Rows [from, until) of one life of one node's store. */
export interface SeriesReport {
  readonly node: string;
  readonly series: string;
  readonly from: number;
  readonly until: number;
  readonly files: number;
}

export interface VerifyProblem {
  readonly kind:
    | "rows_missing"
    | "rows_doubled"
    | "file_missing"
    | "manifest_missing"
    | "manifest_wrong"
    | "file_damaged"
    | "rows_wrong"
    | "message_incomplete"
    | "message_doubled"
    | "stranger";
  readonly file: string;
  readonly detail: string;
}

interface Found {
  readonly path: string;
  readonly name: CdrFileName;
  readonly bytes: number;
}

/** One row as far as the verifier reads it. */
interface Row {
  readonly row: number;
  readonly record: string;
  readonly message_id: string | null;
  readonly part: number | null;
  readonly parts: number | null;
}

/** Looks at everything below `reader`'s place. Rejects with what reading the place says. */
export async function verifyCdr(
  reader: ObjectReader,
  options: VerifyOptions,
): Promise<VerifyReport> {
  return await new Verification(reader, options).run();
}

class Verification {
  readonly #reader: ObjectReader;
  readonly #options: VerifyOptions;
  readonly #problems: VerifyProblem[] = [];
  readonly #records: Record<string, number> = {};
  readonly #messages = new IdSet();
  #problemCount = 0;
  #rows = 0;
  #bytes = 0;

  constructor(reader: ObjectReader, options: VerifyOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  async run(): Promise<VerifyReport> {
    const files = await this.#find();
    const manifests = new Set<string>();
    for await (const { key } of this.#reader.list("manifest/")) {
      if (isManifestPath(key)) manifests.add(key);
    }
    let done = 0;
    for (const file of files) {
      this.#bytes += file.bytes;
      if (manifests.delete(manifestPath(file.name))) await this.#lookAt(file);
      else this.#report("manifest_missing", file.path, "not uploaded to its end, or removed");
      this.#options.onFile?.(++done, files.length);
    }
    for (const path of manifests) this.#report("file_missing", path, "a manifest without its file");
    const series = this.#followSeries(files);
    return {
      place: this.#reader.place,
      files: files.length,
      bytes: this.#bytes,
      rows: this.#rows,
      records: this.#records,
      series,
      problem_count: this.#problemCount,
      problems: this.#problems,
      ok: this.#problemCount === 0,
    };
  }

  async #find(): Promise<Found[]> {
    const files: Found[] = [];
    for await (const { key, bytes } of this.#reader.list("data/")) {
      const name = parseDataPath(key);
      if (name === null) this.#report("stranger", key, "no name of a CDR file");
      else files.push({ path: key, name, bytes });
    }
    return files.toSorted(
      ({ name: a }, { name: b }) =>
        compare(a.node, b.node) || compare(a.series, b.series) || a.from - b.from,
    );
  }

  #followSeries(files: readonly Found[]): SeriesReport[] {
    const found: SeriesReport[] = [];
    let last: { node: string; series: string; from: number; until: number; files: number } | null =
      null;
    for (const { path, name } of files) {
      if (last === null || last.node !== name.node || last.series !== name.series) {
        last = {
          node: name.node,
          series: name.series,
          from: name.from,
          until: name.from,
          files: 0,
        };
        found.push(last);
        if (name.from > 0 && !this.#options.mayBeginLate) {
          this.#report("rows_missing", path, `rows 0 to ${name.from - 1} before it`);
        }
      }
      if (name.from > last.until) {
        const missing = `rows ${last.until} to ${name.from - 1} before it`;
        this.#report("rows_missing", path, missing);
      } else if (name.from < last.until) {
        this.#report("rows_doubled", path, `rows from ${name.from} are in the file before, too`);
      }
      last.until = Math.max(last.until, name.until);
      last.files += 1;
    }
    return found;
  }

  async #lookAt(file: Found): Promise<void> {
    const manifest = await this.#manifest(file);
    if (manifest === null) return;
    const { name } = file;
    if (
      manifest.file !== file.path ||
      manifest.bytes !== file.bytes ||
      manifest.from !== name.from ||
      manifest.until !== name.until ||
      manifest.rows !== name.until - name.from
    ) {
      this.#report("manifest_wrong", file.path, "name, size or rows are not those of the file");
      return;
    }
    if (!this.#options.isDeep) {
      this.#count(manifest.records);
      return;
    }
    await this.#read(file, manifest);
  }

  async #manifest({ path, name }: Found): Promise<CdrManifest | null> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await this.#reader.read(manifestPath(name))) chunks.push(chunk);
    try {
      return JSON.parse(Buffer.concat(chunks).toString("utf8")) as CdrManifest;
    } catch {
      this.#report("manifest_wrong", path, "its manifest is no JSON");
      return null;
    }
  }

  async #read(file: Found, manifest: CdrManifest): Promise<void> {
    const hash = createHash("sha256");
    const hashed = hashing(await this.#reader.read(file.path), hash);
    const check = new FileCheck(file.name, this.#messages, (kind, detail) =>
      this.#report(kind, file.path, detail),
    );
    try {
      const rows = file.name.format === "parquet" ? parquetRows(hashed) : ndjsonRows(hashed);
      for await (const row of rows) check.add(row);
    } catch (error) {
      this.#report("file_damaged", file.path, (error as Error).message);
      return;
    }
    check.end();
    this.#count(check.records);
    if (hash.digest("hex") !== manifest.sha256) {
      this.#report("file_damaged", file.path, "its SHA-256 is not that of the manifest");
    }
    for (const record of Object.keys({ ...manifest.records, ...check.records })) {
      const said = manifest.records[record] ?? 0;
      const is = check.records[record] ?? 0;
      if (said === is) continue;
      this.#report("manifest_wrong", file.path, `${is} rows of ${record}, not ${said}`);
    }
  }

  #count(records: Readonly<Record<string, number>>): void {
    for (const [record, count] of Object.entries(records)) {
      this.#records[record] = (this.#records[record] ?? 0) + count;
      this.#rows += count;
    }
  }

  #report(kind: VerifyProblem["kind"], file: string, detail: string): void {
    this.#problemCount += 1;
    if (this.#problems.length < PROBLEMS_KEPT) this.#problems.push({ kind, file, detail });
  }
}

/** Checks the rows of one file, in order. */
class FileCheck {
  readonly records: Record<string, number> = {};
  readonly #name: CdrFileName;
  readonly #messages: IdSet;
  readonly #report: (kind: VerifyProblem["kind"], detail: string) => void;
  #next: number;
  /** The message whose parts are being read, and how many came. */
  #id: string | null = null;
  #parts = 0;

  constructor(
    name: CdrFileName,
    messages: IdSet,
    report: (kind: VerifyProblem["kind"], detail: string) => void,
  ) {
    this.#name = name;
    this.#messages = messages;
    this.#report = report;
    this.#next = name.from;
  }

  add({ row, record, message_id: id, part, parts }: Row): void {
    this.records[record] = (this.records[record] ?? 0) + 1;
    if (row !== this.#next) {
      this.#report("rows_wrong", `row ${row} where ${this.#next} should be`);
    }
    this.#next = row + 1;
    if (record === "part") {
      if (this.#id !== null && this.#id !== id) this.#reportIncomplete();
      if (part !== (this.#id === id ? this.#parts : 0)) {
        this.#report("message_incomplete", `row ${row}: part ${part} out of order`);
      }
      this.#parts = this.#id === id ? this.#parts + 1 : 1;
      this.#id = id;
      return;
    }
    if (record === "message" && (this.#id !== id || this.#parts !== parts)) {
      this.#report("message_incomplete", `row ${row}: ${id} has not a row of each part before it`);
    } else if (record !== "message" && this.#id !== null) {
      this.#reportIncomplete();
    }
    this.#id = null;
    this.#parts = 0;
    if (record === "message" && !this.#messages.add(id ?? "")) {
      this.#report("message_doubled", `row ${row}: ${id} has rows elsewhere, too`);
    }
  }

  end(): void {
    if (this.#id !== null) this.#reportIncomplete();
    if (this.#next === this.#name.until) return;
    this.#report("rows_wrong", `it ends with row ${this.#next - 1}, not ${this.#name.until - 1}`);
  }

  #reportIncomplete(): void {
    this.#report("message_incomplete", `${this.#id} has no row of the whole message`);
  }
}

async function* hashing(
  chunks: AsyncIterable<Uint8Array>,
  hash: { update: (bytes: Uint8Array) => unknown },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function* ndjsonRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Row> {
  const gunzip = createGunzip();
  const source = Readable.from(chunks).on("error", (error) => gunzip.destroy(error));
  let failure: Error | null = null;
  gunzip.on("error", (error) => {
    failure = error;
  });
  for await (const line of createInterface({ input: source.pipe(gunzip), crlfDelay: Infinity })) {
    // Columns that are null are left out.
    const found = JSON.parse(line) as Pick<Row, "row" | "record"> & Partial<Row>;
    yield { message_id: null, part: null, parts: null, ...found };
  }
  // The reader of lines ends quietly when its input breaks off.
  if (failure !== null) throw failure as Error;
  if (!gunzip.readableEnded) throw new Error("it breaks off");
}

async function* parquetRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Row> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const bytes = Uint8Array.from(Buffer.concat(parts)).buffer;
  const columns = ["row", "record", "message_id", "part", "parts"];
  for (const row of await parquetReadObjects({ file: bytes, columns })) {
    yield {
      row: Number(row["row"]),
      record: String(row["record"]),
      message_id: (row["message_id"] as string | null) ?? null,
      part: numberOf(row["part"]),
      parts: numberOf(row["parts"]),
    };
  }
}

function numberOf(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
