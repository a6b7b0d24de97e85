/** The sink: every cut becomes an object exactly once, whatever fails, and no file goes before. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { allocateMetrics, Counter, MetricBlock } from "../../../src/metrics/block.ts";
import { packCut } from "../../../src/sink/cdr-pack.ts";
import { CdrSink } from "../../../src/sink/cdr-sink.ts";
import { verifyCdr } from "../../../src/sink/cdr-verify.ts";
import { listFiles } from "../../../src/sink/durable-file.ts";
import { FolderReader } from "../../../src/sink/folder-store.ts";
import {
  ObjectConflictError,
  type ObjectDigest,
  type ObjectEntry,
  type ObjectStore,
} from "../../../src/sink/object-store.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { CutRig } from "./cut-rig.ts";

const LOOKS_MAX = 20_000;
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-sink-"));
  folders.push(folder);
  return folder;
}

/** A bucket in memory whose every call may fail before or after it has done what was asked. */
class FailingBucket implements ObjectStore {
  readonly place = "memory:";
  readonly objects = new Map<string, Buffer>();
  readonly #random: () => number;
  failShare = 0;
  /** So many calls find no file with the token for the service. */
  missingTokens = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  async putFile(key: string, path: string, _digest: ObjectDigest): Promise<void> {
    await turn();
    if (this.missingTokens-- > 0) throw Object.assign(new Error("no token"), { code: "ENOENT" });
    if (this.#random() < this.failShare) throw new Error("connection lost");
    const bytes = readFileSync(path);
    const known = this.objects.get(key);
    if (known !== undefined && !known.equals(bytes)) throw new ObjectConflictError(key);
    this.objects.set(key, bytes);
    if (this.#random() < this.failShare) throw new Error("reply lost");
  }

  async holds(key: string, sha256: string): Promise<boolean> {
    if (this.#random() < this.failShare) throw new Error("connection lost");
    const bytes = this.objects.get(key);
    return bytes !== undefined && createHash("sha256").update(bytes).digest("hex") === sha256;
  }

  async *list(prefix: string): AsyncGenerator<ObjectEntry> {
    for (const [key, bytes] of this.objects) {
      if (key.startsWith(prefix)) yield { key, bytes: bytes.length };
    }
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array>> {
    const bytes = this.objects.get(key) as Buffer;
    return (async function* () {
      yield bytes;
    })();
  }

  close(): void {
    this.objects.clear();
  }
}

class SinkRig {
  readonly logTable = new LogTable(allocateLogTable(4));
  readonly metrics = new MetricBlock(allocateMetrics(1), 0);
  readonly sink: CdrSink;
  readonly cuts: CutRig;
  /** What it was told last. */
  isBehind = false;
  /** Of each file, when it was made. */
  readonly behind: boolean[] = [];
  filed = 0;
  packFailures = 0;
  now = 0;

  constructor(folder: string, store: ObjectStore | null, cuts: CutRig, random: () => number) {
    this.cuts = cuts;
    this.sink = new CdrSink({
      node: "gw-1",
      folder,
      store,
      pack: async (cut) => {
        if (this.packFailures-- > 0) throw new Error("no space left on device");
        const task = { node: "gw-1", region: "r", folder, cut };
        const manifest = await packCut(task, cuts.chunks(cut));
        this.behind.push(this.isBehind);
        return manifest;
      },
      onBehind: (isBehind) => {
        this.isBehind = isBehind;
      },
      onFiled: () => {
        this.filed += 1;
      },
      logTable: this.logTable,
      metrics: this.metrics,
      clock: { wallMs: () => this.now, monotonicMs: () => this.now },
      random,
      log: { write: () => undefined },
      sleep: async (ms) => {
        this.now += ms;
        await turn();
      },
    });
  }

  /** Lets it work until `isDone`, or fails. */
  async until(isDone: () => boolean): Promise<void> {
    for (let i = 0; i < LOOKS_MAX; i++) {
      if (isDone()) return;
      this.sink.onTick();
      await sleep(1);
    }
    throw new Error("the sink does not come to rest");
  }
}

test("a credentials file that is missing for a while drops no file", async () => {
  const bucket = new FailingBucket(seededRandom(1));
  bucket.missingTokens = 3;
  const rig = new SinkRig(newFolder(), bucket, new CutRig([3, 4]), seededRandom(1));
  await rig.sink.open();
  for (const cut of rig.cuts.cuts) rig.sink.take(cut);
  await rig.until(() => rig.sink.isDone());
  assert.equal(bucket.objects.size, 4, "two files, two manifests");
  assert.deepEqual(rig.behind, [true, false], "the second waited for the first");
});

test("a bucket that fails in half of all calls has every row once in the end", async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = seededRandom(seed);
    const bucket = new FailingBucket(random);
    bucket.failShare = 0.5;
    const folder = newFolder();
    const rig = new SinkRig(folder, bucket, new CutRig([3, 4, 5, 6]), random);
    rig.packFailures = 2;
    await rig.sink.open();
    for (const cut of rig.cuts.cuts) rig.sink.take(cut);
    await rig.until(() => rig.sink.isDone());
    assert.equal(rig.filed, 4);
    assert.equal(bucket.objects.size, 8, "four files, four manifests");
    const report = await verifyCdr(bucket, { isDeep: true, mayBeginLate: false });
    assert.deepEqual(report.problems, [], `seed ${seed}`);
    assert.equal(report.records["message"], 18);
    assert.deepEqual(await listFiles(folder, "data"), []);
    assert.deepEqual(await listFiles(folder, "manifest"), []);
    assert.equal(rig.logTable.load(LogWord.CDR_FILES), 0);
    assert.equal(rig.metrics.read(Counter.cdrFileFailures), 2);
  }
});

test("files of a run that died go up at the next start; its cuts may come again", async () => {
  const folder = newFolder();
  const random = seededRandom(1);
  const cuts = new CutRig([3, 4, 5]);
  const bucket = new FailingBucket(random);
  bucket.failShare = 1;
  const first = new SinkRig(folder, bucket, cuts, random);
  await first.sink.open();
  for (const cut of cuts.cuts) first.sink.take(cut);
  await first.until(() => first.filed === 3);
  first.sink.stop();
  // A file without its manifest: the run died in between, and its cut is still in the ledger.
  const manifests = await listFiles(folder, "manifest");
  rmSync(join(folder, manifests[0]?.path as string));
  bucket.failShare = 0;
  const next = new SinkRig(folder, bucket, cuts, random);
  await next.sink.open();
  for (const cut of cuts.cuts) next.sink.take(cut);
  await next.until(() => next.filed === 3 && next.sink.isDone());
  const report = await verifyCdr(bucket, { isDeep: true, mayBeginLate: false });
  assert.deepEqual(report.problems, []);
  assert.equal(report.records["message"], 12);
});

test("a file whose manifest alone is gone goes when it is surely in the bucket", async () => {
  const folder = newFolder();
  const random = seededRandom(6);
  const cuts = new CutRig([3, 4]);
  const kept = newFolder();
  const first = new SinkRig(kept, null, cuts, random);
  await first.sink.open();
  for (const cut of cuts.cuts) first.sink.take(cut);
  await first.until(() => first.filed === 2);
  cpSync(join(kept, "data"), join(folder, "data"), { recursive: true });
  const [uploaded, ours] = (await listFiles(folder, "data")).map(({ path }) => path);
  const bucket = new FailingBucket(random);
  bucket.objects.set(uploaded as string, readFileSync(join(folder, uploaded as string)));
  bucket.failShare = 0.5;
  const rig = new SinkRig(folder, bucket, cuts, random);
  await rig.sink.open();
  const left = async (): Promise<string[]> =>
    (await listFiles(folder, "data")).map(({ path }) => path);
  for (let i = 0; i < LOOKS_MAX && (await left()).length > 1; i++) {
    rig.now += 60_000;
    rig.sink.onTick();
    await turn();
  }
  assert.deepEqual(await left(), [ours], "the bucket has not this one: it waits for its cut");
});

test("another's file under the name is left alone and ours is kept", async () => {
  const folder = newFolder();
  const random = seededRandom(2);
  const cuts = new CutRig([3, 4]);
  const bucket = new FailingBucket(random);
  const rig = new SinkRig(folder, bucket, cuts, random);
  await rig.sink.open();
  rig.sink.take(cuts.cuts[0] as (typeof cuts.cuts)[number]);
  await rig.until(() => rig.sink.isDone());
  const [key] = bucket.objects.keys() as unknown as Iterable<string>;
  bucket.objects.set(key as string, Buffer.from("another's"));
  rig.sink.take(cuts.cuts[0] as (typeof cuts.cuts)[number]);
  rig.sink.take(cuts.cuts[1] as (typeof cuts.cuts)[number]);
  await rig.until(() => rig.filed === 3 && bucket.objects.size === 4);
  await rig.until(() => rig.logTable.load(LogWord.CDR_FILES) === 1);
  assert.equal(bucket.objects.get(key as string)?.toString(), "another's");
  assert.deepEqual(
    (await listFiles(folder, "data")).map(({ path }) => path),
    [key],
  );
});

test("without a bucket files stay, are counted, and are not made twice", async () => {
  const folder = newFolder();
  const random = seededRandom(3);
  const cuts = new CutRig([3, 4]);
  const rig = new SinkRig(folder, null, cuts, random);
  await rig.sink.open();
  for (const cut of cuts.cuts) rig.sink.take(cut);
  await rig.until(() => rig.filed === 2);
  const files = await listFiles(folder, "data");
  assert.equal(files.length, 2);
  const next = new SinkRig(folder, null, cuts, random);
  await next.sink.open();
  assert.equal(next.logTable.load(LogWord.CDR_FILES), 2);
  for (const cut of cuts.cuts) next.sink.take(cut);
  await next.until(() => next.filed === 2);
  assert.equal(next.metrics.read(Counter.cdrFilesMade), 0);
  const options = { isDeep: true, mayBeginLate: false };
  assert.equal((await verifyCdr(new FolderReader(folder), options)).ok, true);
  writeFileSync(join(folder, "tmp", "left"), "by a crash");
  await new SinkRig(folder, null, cuts, random).sink.open();
  assert.deepEqual(await listFiles(folder, "tmp"), []);
});
