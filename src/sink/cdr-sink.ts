/**
 * Turns cuts into files, and files into objects of a bucket.
 *
 *   cut ─► pool ─► data/ and manifest/ on disk ─► filed ─► (bucket) data, then manifest ─► removed
 *            │ again, later, if it fails                     │ again, later, if it fails
 *
 * Every step may be repeated with the same result, and a file is removed only when both its data
 * and its manifest are surely in the bucket: what a crash, a dead store or a lost reply interrupts
 * is done again at the next chance, by name. Without a bucket files stay where they are. Nothing
 * waits for it but disk (`cdr.disk_bytes_max`). The sink thread only.
 */
import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock, Log, Random } from "../environment.ts";
import type { CdrCut } from "../ledger/cdr/cdr-format.ts";
import { Counter, type MetricBlock } from "../metrics/block.ts";
import { LogWord, type LogTable } from "../tables/log-table.ts";
import {
  type CdrFileName,
  type CdrManifest,
  dataPath,
  fileNameOf,
  isManifestPath,
  manifestPath,
  parseDataPath,
} from "./cdr-files.ts";
import {
  clearTemporary,
  digestFile,
  exists,
  listFiles,
  readJson,
  syncPath,
} from "./durable-file.ts";
import { ObjectConflictError, type ObjectStore } from "./object-store.ts";

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
const UPLOADS_MAX = 4;
/** A line in the log of an outage that goes on, so often. */
const REMIND_MS = 60_000;
/** Files that are somebody else's to move are counted anew so often. */
const RECOUNT_MS = 30_000;

export interface CdrSinkOptions {
  readonly node: string;
  /** Absolute: where `data/` and `manifest/` are. */
  readonly folder: string;
  /** Null: files stay in the folder. */
  readonly store: ObjectStore | null;
  /** Makes a file. */
  readonly pack: (cut: CdrCut) => Promise<CdrManifest>;
  /** Told whether a cut waits behind the one whose file is made. */
  readonly onBehind: (isBehind: boolean) => void;
  /** Told, in order, of every cut that has become a durable file. */
  readonly onFiled: () => void;
  readonly logTable: LogTable;
  readonly metrics: MetricBlock;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Resolves after so many ms. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** A file that waits for its upload. */
interface WaitingFile {
  readonly name: CdrFileName;
  readonly bytes: number;
  readonly since: number;
  /** Not before then: it is in conflict with another. */
  notBefore: number;
}

export class CdrSink {
  readonly #options: CdrSinkOptions;
  readonly #cuts: CdrCut[] = [];
  readonly #waiting = new Map<string, WaitingFile>();
  readonly #underWay = new Set<string>();
  /** Files and bytes in the folder where nothing is uploaded. */
  #kept = { count: 0, bytes: 0, oldest: 0 };
  /** Files that were there at the start without a manifest, to be judged. */
  #orphans: string[] = [];
  #judgeOrphansAt = 0;
  #isPacking = false;
  #isStopped = false;
  #uploadFailures = 0;
  #uploadsRunning = 0;
  #remindAt = 0;
  #recountAt = 0;

  constructor(options: CdrSinkOptions) {
    this.#options = options;
  }

  /** Finds what earlier runs left. To be called once, before anything else. */
  async open(): Promise<void> {
    const { folder, store, clock } = this.#options;
    await clearTemporary(folder);
    await this.#count();
    if (store === null) return;
    const manifests = new Set<string>();
    for (const { path } of await listFiles(folder, "manifest")) manifests.add(path);
    for (const { path, bytes, modifiedAt } of await listFiles(folder, "data")) {
      const name = parseDataPath(path);
      if (name === null) continue;
      if (!manifests.delete(manifestPath(name))) {
        // Either its cut is still in the ledger and makes it again, or it was uploaded.
        this.#orphans.push(path);
        continue;
      }
      this.#waiting.set(path, { name, bytes, since: modifiedAt, notBefore: 0 });
    }
    // Manifests without a file: both were uploaded.
    for (const path of manifests) await rm(join(folder, path), { force: true });
    if (this.#waiting.size > 0) {
      this.#options.log.write("info", "CDR files wait for their upload", {
        files: this.#waiting.size,
      });
    }
    this.#publish(clock.wallMs());
    this.#startUploads();
  }

  /** A cut to make a file of; cuts come in order. */
  take(cut: CdrCut): void {
    this.#cuts.push(cut);
    this.#tellBehind();
    void this.#packAll();
  }

  /** Looks after what waits for its time; to be called every second or so. */
  onTick(): void {
    const now = this.#options.clock.wallMs();
    if (this.#options.store !== null) {
      this.#publish(now);
      this.#startUploads();
      if (this.#orphans.length > 0 && now >= this.#judgeOrphansAt) {
        this.#judgeOrphansAt = now + REMIND_MS;
        void this.#judgeOrphans(this.#options.store);
      }
      return;
    }
    if (now < this.#recountAt) return;
    this.#recountAt = now + RECOUNT_MS;
    this.#count().catch((error: unknown) => this.#warn("count CDR files", error));
  }

  /** Whether every cut is filed, and uploaded where there is a bucket. */
  isDone(): boolean {
    return this.#cuts.length === 0 && this.#waiting.size === 0;
  }

  /** Begins nothing any more. */
  stop(): void {
    this.#isStopped = true;
  }

  async #packAll(): Promise<void> {
    if (this.#isPacking) return;
    this.#isPacking = true;
    const { pack, onFiled, metrics, random, sleep } = this.#options;
    let failures = 0;
    while (this.#cuts.length > 0 && !this.#isStopped) {
      try {
        const cut = this.#cuts[0] as CdrCut;
        if (!(await this.#isFile(cut))) {
          const manifest = await pack(cut);
          metrics.add(Counter.cdrFilesMade, 1);
          metrics.add(Counter.cdrRowsFiled, manifest.rows);
          this.#add(manifest);
        }
        failures = 0;
        this.#cuts.shift();
        this.#tellBehind();
        onFiled();
      } catch (error) {
        if (this.#isStopped) break;
        // The rows stay where they are, counted against the disk: a full disk is the likely cause.
        this.#warn("make a CDR file", error);
        metrics.add(Counter.cdrFileFailures, 1);
        await sleep(retryMs(failures++, random()));
      }
    }
    this.#isPacking = false;
  }

  #tellBehind(): void {
    this.#options.onBehind(this.#cuts.length > 1);
  }

  /** Whether a run before this one has made the file, and the ledger had not noted it yet. */
  async #isFile(cut: CdrCut): Promise<boolean> {
    const { folder, node, store } = this.#options;
    const name = fileNameOf(node, cut);
    // With a bucket every file here is known; making one anew could meet its own upload.
    if (store !== null) return this.#waiting.has(dataPath(name));
    return await exists(join(folder, manifestPath(name)));
  }

  #add(manifest: CdrManifest): void {
    const { store, clock } = this.#options;
    const now = clock.wallMs();
    if (store === null) {
      this.#kept.count += 1;
      this.#kept.bytes += manifest.bytes;
    } else {
      const file = { name: manifest, bytes: manifest.bytes, since: now, notBefore: 0 };
      this.#waiting.set(manifest.file, file);
      this.#startUploads();
    }
    this.#publish(now);
  }

  /** As many uploads as are worth it: one that tries while the bucket fails, several else. */
  #startUploads(): void {
    const max = this.#uploadFailures > 0 ? 1 : UPLOADS_MAX;
    while (this.#uploadsRunning < max && !this.#isStopped) {
      const path = this.#nextFile();
      if (path === null) return;
      this.#uploadsRunning += 1;
      this.#underWay.add(path);
      void this.#uploadOne(path);
    }
  }

  #nextFile(): string | null {
    const now = this.#options.clock.wallMs();
    for (const [path, file] of this.#waiting) {
      if (!this.#underWay.has(path) && now >= file.notBefore) return path;
    }
    return null;
  }

  async #uploadOne(path: string): Promise<void> {
    const { metrics, random, sleep } = this.#options;
    try {
      await this.#upload(path, this.#waiting.get(path) as WaitingFile);
      this.#waiting.delete(path);
      metrics.add(Counter.cdrFilesUploaded, 1);
      this.#noteSuccess();
    } catch (error) {
      metrics.add(Counter.cdrUploadFailures, 1);
      if (error instanceof ObjectConflictError) this.#noteConflict(path, error);
      else if (await this.#isGone(path, error)) this.#forget(path);
      else await this.#noteFailure(path, error, sleep, random());
    }
    this.#underWay.delete(path);
    this.#uploadsRunning -= 1;
    this.#publish(this.#options.clock.wallMs());
    this.#startUploads();
  }

  async #upload(path: string, file: WaitingFile): Promise<void> {
    const { folder } = this.#options;
    const store = this.#options.store as ObjectStore;
    const manifest = manifestPath(file.name);
    const { sha256, rows_sha256 } = (await readJson(join(folder, manifest))) as CdrManifest;
    await store.putFile(path, join(folder, path), { sha256, rowsSha256: rows_sha256 });
    const own = await digestFile(join(folder, manifest));
    const digest = { sha256: own.sha256, rowsSha256: rows_sha256 };
    await store.putFile(manifest, join(folder, manifest), digest);
    // The file goes first: a manifest alone says that both were uploaded.
    await rm(join(folder, path), { force: true });
    await syncPath(dirname(join(folder, path)));
    await rm(join(folder, manifest), { force: true });
  }

  /**
   * Removes files without a manifest that are in the bucket as they are: power went when they were
   * removed. Those of a cut are left to it.
   */
  async #judgeOrphans(store: ObjectStore): Promise<void> {
    const { folder, node, log } = this.#options;
    const rest: string[] = [];
    for (const path of this.#orphans.splice(0)) {
      try {
        if (!(await exists(join(folder, path)))) continue;
        const { sha256 } = await digestFile(join(folder, path));
        const isUploaded = await store.holds(path, sha256);
        const isOfCut = this.#cuts.some((cut) => dataPath(fileNameOf(node, cut)) === path);
        if (!isUploaded || isOfCut || this.#waiting.has(path)) continue;
        // At once: a cut that came in between could have it made anew.
        rmSync(join(folder, path));
        log.write("info", "a CDR file that was uploaded is removed", { file: path });
      } catch {
        rest.push(path);
      }
    }
    this.#orphans.push(...rest);
  }

  #noteSuccess(): void {
    if (this.#uploadFailures === 0) return;
    this.#uploadFailures = 0;
    this.#remindAt = 0;
    const files = this.#waiting.size;
    this.#options.log.write("info", "CDR uploads work again", { files_waiting: files });
  }

  /** Whether the upload failed since its file or manifest is not there any more. */
  async #isGone(path: string, error: unknown): Promise<boolean> {
    // The way to the bucket reads files, too: keys, tokens, certificates.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return false;
    const { folder } = this.#options;
    const manifest = manifestPath((this.#waiting.get(path) as WaitingFile).name);
    return !(await exists(join(folder, path))) || !(await exists(join(folder, manifest)));
  }

  #noteConflict(path: string, error: ObjectConflictError): void {
    const { clock, log } = this.#options;
    const file = this.#waiting.get(path) as WaitingFile;
    file.notBefore = clock.wallMs() + REMIND_MS;
    const cause = `${error.message}: is this data_dir a copy of another's?`;
    log.write("error", "upload a CDR file", { cause });
  }

  #forget(path: string): void {
    this.#waiting.delete(path);
    this.#options.log.write("error", "upload a CDR file", { cause: "it was removed", file: path });
  }

  async #noteFailure(
    path: string,
    error: unknown,
    sleep: (ms: number) => Promise<void>,
    jitter: number,
  ): Promise<void> {
    const { clock, store, log } = this.#options;
    const now = clock.wallMs();
    if (now >= this.#remindAt) {
      this.#remindAt = now + REMIND_MS;
      log.write("warn", "upload a CDR file", {
        to: store?.place,
        cause: causeOf(error),
        files_waiting: this.#waiting.size,
      });
    }
    const ms = retryMs(this.#uploadFailures, jitter);
    this.#uploadFailures += 1;
    // Others get their turn first: it may be this one file that the service dislikes.
    (this.#waiting.get(path) as WaitingFile).notBefore = now + ms;
    await sleep(ms);
  }

  #warn(operation: string, error: unknown): void {
    this.#options.log.write("error", operation, { cause: causeOf(error) });
  }

  /** Counts the files in the folder. */
  async #count(): Promise<void> {
    const { folder, clock } = this.#options;
    const kept = { count: 0, bytes: 0, oldest: 0 };
    for (const { path, bytes, modifiedAt } of await listFiles(folder, ".")) {
      kept.bytes += bytes;
      if (isManifestPath(path)) continue;
      kept.count += 1;
      if (kept.oldest === 0 || modifiedAt < kept.oldest) kept.oldest = modifiedAt;
    }
    this.#kept = kept;
    this.#publish(clock.wallMs());
  }

  #publish(now: number): void {
    const { logTable, store } = this.#options;
    let { count, bytes, oldest } = this.#kept;
    if (store !== null) {
      count = this.#waiting.size;
      bytes = 0;
      oldest = count === 0 ? 0 : now;
      for (const file of this.#waiting.values()) {
        bytes += file.bytes;
        oldest = Math.min(oldest, file.since);
      }
    }
    logTable.store(LogWord.CDR_FILES, count);
    logTable.store(LogWord.CDR_FILE_BYTES, bytes);
    logTable.store(LogWord.CDR_OLDEST_AT, Math.floor(oldest));
  }
}

/** Full jitter over an exponential, at least a tenth of it. */
function retryMs(failures: number, jitter: number): number {
  const most = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures, 10));
  return most * (0.1 + 0.9 * jitter);
}

/** What an error says, with the status of a service's answer. */
function causeOf(error: unknown): string {
  const { name, message, $metadata } = error as {
    name?: string;
    message?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const text = message === undefined || message === "" ? String(error) : message;
  return `${name ?? "Error"}${status === undefined ? "" : ` (${status})`}: ${text}`;
}
