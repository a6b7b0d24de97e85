/** The log's hourly files: compressed when their hour is over, uploaded, bounded. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { listFiles } from "../../../src/sink/durable-file.ts";
import { LogArchive, logFileName } from "../../../src/sink/log-archive.ts";
import type { ObjectStore } from "../../../src/sink/object-store.ts";
import { randomBytes } from "node:crypto";

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 10, 22, 3, 30);
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), "smsgw-log-"));
  readonly objects = new Map<string, Buffer>();
  readonly warnings: string[] = [];
  readonly archive: LogArchive;
  isDown = false;
  now = START;

  constructor(hasBucket: boolean, bytesMax = 1 << 20) {
    folders.push(this.folder);
    const store: Pick<ObjectStore, "putFile"> = {
      putFile: async (key, path) => {
        if (this.isDown) throw new Error("no route to host");
        this.objects.set(key, readFileSync(path));
      },
    };
    this.archive = new LogArchive({
      node: "gw-1",
      folder: this.folder,
      store: hasBucket ? (store as ObjectStore) : null,
      bytesMax,
      clock: { wallMs: () => this.now, monotonicMs: () => this.now },
      log: {
        write: (_level, _operation, fields) => this.warnings.push(String(fields?.["cause"])),
      },
    });
  }

  append(text: string): void {
    const path = join(this.folder, logFileName(this.now));
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text, { flag: "a" });
  }

  async files(): Promise<string[]> {
    return (await listFiles(this.folder, "log")).map(({ path }) => path);
  }
}

test("an hour that is over is compressed, the one that runs is left alone", async () => {
  const rig = new Rig(false);
  rig.append('{"a":1}\n');
  await rig.archive.onTick();
  assert.deepEqual(await rig.files(), ["log/log-2026-11-22T03.ndjson"]);
  rig.now += HOUR_MS;
  rig.append('{"b":2}\n');
  await rig.archive.onTick();
  const [closed, open] = await rig.files();
  assert.match(closed as string, /^log\/dt=2026-11-22\/hour=03\/gw-1-[0-9a-f]{8}\.ndjson\.gz$/);
  assert.equal(open, "log/log-2026-11-22T04.ndjson");
  const text = gunzipSync(readFileSync(join(rig.folder, closed as string))).toString();
  assert.equal(text, '{"a":1}\n');
});

test("with a bucket files go up, and wait while it is down", async () => {
  const rig = new Rig(true);
  rig.append("one\n");
  rig.now += HOUR_MS;
  rig.isDown = true;
  await rig.archive.onTick();
  assert.deepEqual(rig.warnings, ["no route to host"]);
  assert.equal((await rig.files()).length, 1);
  rig.isDown = false;
  rig.now += HOUR_MS;
  await rig.archive.onTick();
  assert.deepEqual(await rig.files(), []);
  assert.equal([...rig.objects.values()].map((bytes) => gunzipSync(bytes).toString())[0], "one\n");
});

test("beyond their disk the oldest are dropped, and that is said", async () => {
  const rig = new Rig(false, 10_000);
  for (let hour = 0; hour < 3; hour++) {
    rig.append(randomBytes(6000).toString("base64"));
    rig.now += HOUR_MS;
    await rig.archive.onTick();
  }
  const files = await rig.files();
  assert.equal(files.length, 1);
  assert.match(files[0] as string, /hour=05/);
  assert.equal(rig.warnings.length, 2);
});
