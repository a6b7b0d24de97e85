/**
 * Takes away the log's hourly files when their hour is over: compressed, uploaded where there is a
 * bucket, the oldest dropped beyond a bound.
 *
 *   log/log-2026-11-22T03.ndjson ─► log/dt=2026-11-22/hour=03/gw-1-5f0c12ab.ndjson.gz ─► bucket
 *                                                                  first digits of its SHA-256
 *
 * The name follows from the content, so what is done twice replaces itself, and two runs in one
 * hour do not meet. The sink thread only.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Clock, Log } from "../environment.ts";
import { digestFile, type FoundFile, listFiles, publishFile } from "./durable-file.ts";
import type { ObjectStore } from "./object-store.ts";

const LOG_FOLDER = "log";
const OPEN_NAME = /^log\/log-(\d{4}-\d\d-\d\d)T(\d\d)\.ndjson$/;
const CLOSED = /^log\/dt=/;
/** A thread may still write the last line of its hour. */
const SETTLE_MS = 60_000;
const LOOK_INTERVAL_MS = 30_000;
const RETRY_MS = 60_000;

/** File of the hour that `wallMs` lies in, below `data_dir`. */
export function logFileName(wallMs: number): string {
  return `${LOG_FOLDER}/log-${new Date(wallMs).toISOString().slice(0, 13)}.ndjson`;
}

export interface LogArchiveOptions {
  readonly node: string;
  /** `data_dir`, absolute. */
  readonly folder: string;
  /** Null: compressed files stay in the folder. */
  readonly store: ObjectStore | null;
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class LogArchive {
  readonly #options: LogArchiveOptions;
  #nextAt = 0;
  #isBusy = false;

  constructor(options: LogArchiveOptions) {
    this.#options = options;
  }

  /** Does what is due; to be called every second or so. Resolves when it is done. */
  async onTick(): Promise<void> {
    const now = this.#options.clock.wallMs();
    if (this.#isBusy || now < this.#nextAt) return;
    this.#isBusy = true;
    this.#nextAt = now + LOOK_INTERVAL_MS;
    try {
      await this.#closeHours(now);
      await this.#dropOldest();
      await this.#upload();
    } catch (error) {
      this.#nextAt = now + RETRY_MS;
      const cause = error instanceof Error ? error.message : String(error);
      this.#options.log.write("warn", "archive the log", { cause });
    }
    this.#isBusy = false;
  }

  /** Compresses the files of hours that are over. */
  async #closeHours(now: number): Promise<void> {
    const { folder, node } = this.#options;
    const current = logFileName(now - SETTLE_MS);
    for (const { path } of await listFiles(folder, LOG_FOLDER)) {
      const match = OPEN_NAME.exec(path);
      if (match === null || path >= current) continue;
      const [, date, hour] = match;
      const source = join(folder, path);
      const packed = join(folder, `${path}.gz.tmp`);
      await pipeline(createReadStream(source), createGzip(), createWriteStream(packed));
      const { sha256 } = await digestFile(packed);
      const name = `${LOG_FOLDER}/dt=${date}/hour=${hour}/${node}-${sha256.slice(0, 8)}.ndjson.gz`;
      await publishFile(folder, packed, name);
      await rm(source);
    }
  }

  async #dropOldest(): Promise<void> {
    const { folder, bytesMax, log } = this.#options;
    const files = await this.#closed();
    let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    for (const file of files) {
      if (bytes <= bytesMax) return;
      await rm(join(folder, file.path));
      bytes -= file.bytes;
      log.write("warn", "archive the log", { cause: "no more disk for it", dropped: file.path });
    }
  }

  async #upload(): Promise<void> {
    const { folder, store } = this.#options;
    if (store === null) return;
    for (const { path } of await this.#closed()) {
      const { sha256 } = await digestFile(join(folder, path));
      await store.putFile(path, join(folder, path), { sha256, rowsSha256: sha256 });
      await rm(join(folder, path));
    }
  }

  /** Compressed files, oldest first. */
  async #closed(): Promise<FoundFile[]> {
    const files = await listFiles(this.#options.folder, LOG_FOLDER);
    return files.filter(({ path }) => CLOSED.test(path));
  }
}
