/**
 * Names of CDR files and their manifests, the same in a folder and in a bucket.
 *
 *   data/dt=2026-11-22/hour=03/gw-1-5f0c12ab-e7-000000000120-000000004800.ndjson.gz
 *   manifest/dt=2026-11-22/hour=03/gw-1-5f0c12ab-e7-000000000120-000000004800.json
 *            partition (UTC)       node series epoch first row    row behind the last
 *
 * A name is a function of the cut alone, so what is made or uploaded twice replaces itself. The
 * partition is the hour in which the file's first row was recorded. Pure; any thread.
 */
import type { CdrCut, CdrFormat } from "../ledger/cdr/cdr-format.ts";

const EXTENSIONS = { ndjson: "ndjson.gz", parquet: "parquet" } as const;
const ROW_DIGITS = 12;
const DATA = "data/";
const MANIFEST = "manifest/";
const PARTITION = "dt=\\d{4}-\\d\\d-\\d\\d/hour=\\d\\d";
const ROWS = "(\\d{12,})-(\\d{12,})";
const NAME = new RegExp(`^(${PARTITION})/([a-z0-9-]+)-([0-9a-f]{8})-e(\\d+)-${ROWS}\\.(.+)$`);

/** What a name says. */
export interface CdrFileName {
  readonly partition: string;
  readonly node: string;
  /** Eight hexadecimal digits: the life of one ledger store. */
  readonly series: string;
  readonly epoch: number;
  readonly from: number;
  readonly until: number;
  readonly format: CdrFormat;
}

/** What stands in a file's manifest. */
export interface CdrManifest extends CdrFileName {
  readonly schema: number;
  readonly region: string;
  /** Path of the file, relative to where `data/` is. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Of the rows as the ledger recorded them, whatever the format and its compression. */
  readonly rows_sha256: string;
  readonly rows: number;
  /** Rows by `record`. */
  readonly records: Readonly<Record<string, number>>;
  readonly recorded_from: string;
  readonly recorded_until: string;
}

export function fileNameOf(node: string, cut: CdrCut): CdrFileName {
  const at = new Date(cut.at).toISOString();
  return {
    partition: `dt=${at.slice(0, 10)}/hour=${at.slice(11, 13)}`,
    node,
    series: cut.series.toString(16).padStart(8, "0"),
    epoch: cut.epoch,
    from: cut.from,
    until: cut.until,
    format: cut.format,
  };
}

/** Path of the file, relative to the folder or prefix that holds all. */
export function dataPath(name: CdrFileName): string {
  return `${DATA}${stem(name)}.${EXTENSIONS[name.format]}`;
}

export function manifestPath(name: CdrFileName): string {
  return `${MANIFEST}${stem(name)}.json`;
}

function stem({ partition, node, series, epoch, from, until }: CdrFileName): string {
  const rows = [from, until].map((row) => String(row).padStart(ROW_DIGITS, "0")).join("-");
  return `${partition}/${node}-${series}-e${epoch}-${rows}`;
}

/** Reads a path made by `dataPath`; null if it is none. */
export function parseDataPath(path: string): CdrFileName | null {
  if (!path.startsWith(DATA)) return null;
  const match = NAME.exec(path.slice(DATA.length));
  if (match === null) return null;
  const [, partition, node, series, epoch, from, until, extension] = match as unknown as string[];
  const format = (Object.keys(EXTENSIONS) as CdrFormat[]).find(
    (one) => EXTENSIONS[one] === extension,
  );
  if (format === undefined) return null;
  return {
    partition: partition as string,
    node: node as string,
    series: series as string,
    epoch: Number(epoch),
    from: Number(from),
    until: Number(until),
    format,
  };
}

/** Whether `path` is where manifests are. */
export function isManifestPath(path: string): boolean {
  return path.startsWith(MANIFEST) && path.endsWith(".json");
}
