/** Files of CDR rows: both formats say the same, twice the same, and the verifier sees damage. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import type { CdrCut } from "../../../src/ledger/cdr/cdr-format.ts";
import { CDR_COLUMNS } from "../../../src/sink/cdr-columns.ts";
import { type CdrManifest, manifestPath, parseDataPath } from "../../../src/sink/cdr-files.ts";
import { packCut } from "../../../src/sink/cdr-pack.ts";
import { verifyCdr } from "../../../src/sink/cdr-verify.ts";
import { clearTemporary } from "../../../src/sink/durable-file.ts";
import { FolderReader } from "../../../src/sink/folder-store.ts";
import { CutRig } from "./cut-rig.ts";

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function folderOf(rig: CutRig): Promise<{ folder: string; manifests: CdrManifest[] }> {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-cdr-"));
  folders.push(folder);
  await clearTemporary(folder);
  const manifests: CdrManifest[] = [];
  for (const cut of rig.cuts) manifests.push(await pack(rig, folder, cut));
  return { folder, manifests };
}

function pack(rig: CutRig, folder: string, cut: CdrCut): Promise<CdrManifest> {
  return packCut({ node: "gw-1", region: "here", folder, cut }, rig.chunks(cut));
}

function linesOf(path: string): Record<string, unknown>[] {
  const text = gunzipSync(readFileSync(path)).toString();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function problems(folder: string): Promise<string[]> {
  const report = await verifyCdr(new FolderReader(folder), { isDeep: true, mayBeginLate: false });
  return report.problems.map(({ kind }) => kind);
}

test("a file that cannot be made leaves nothing open and nothing behind", async () => {
  for (const format of ["ndjson", "parquet"] as const) {
    const rig = new CutRig([30], format);
    const folder = mkdtempSync(join(tmpdir(), "smsgw-cdr-"));
    folders.push(folder);
    await clearTemporary(folder);
    const [cut] = rig.cuts as [CdrCut];
    for (const chunks of [[], rig.chunks(cut)]) {
      const task = { node: "gw-1", region: "here", folder, cut: { ...cut, until: cut.until + 1 } };
      await assert.rejects(packCut(task, chunks), /are not in the store/);
    }
    const open = readdirSync("/proc/self/fd").map(targetOf);
    assert.deepEqual(
      open.filter((path) => path.startsWith(folder)),
      [],
    );
    assert.deepEqual(readdirSync(join(folder, "tmp")), []);
  }
});

/** The file behind a descriptor; empty if it is closed by now. */
function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return "";
  }
}

test("NDJSON and Parquet carry the same rows", async () => {
  const reference = 'Bestellung "17" \\ żółć 🙂\u2028\n';
  const lines = new CutRig([30, 20], "ndjson", reference);
  const columns = new CutRig([30, 20], "parquet", reference);
  const ndjson = await folderOf(lines);
  const parquet = await folderOf(columns);
  for (const [i, { file }] of ndjson.manifests.entries()) {
    const rows = linesOf(join(ndjson.folder, file));
    const other = parquet.manifests[i] as CdrManifest;
    const bytes = Uint8Array.from(readFileSync(join(parquet.folder, other.file))).buffer;
    const same = (await parquetReadObjects({ file: bytes })).map((row) => plain(row));
    assert.deepEqual(same, rows);
    assert.equal(rows[0]?.["reference"], reference);
    assert.equal(other.rows_sha256, ndjson.manifests[i]?.rows_sha256);
  }
});

/** A Parquet row as NDJSON would have it. */
function plain(row: Record<string, unknown>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const { name } of CDR_COLUMNS) {
    const value = row[name];
    if (value === null || value === undefined) continue;
    if (typeof value === "bigint") found[name] = Number(value);
    else found[name] = value instanceof Date ? value.toISOString() : value;
  }
  return found;
}

for (const format of ["ndjson", "parquet"] as const) {
  test(`a ${format} file made anew is the same, and the folder is whole`, async () => {
    const rig = new CutRig([40, 1, 25], format);
    const { folder, manifests } = await folderOf(rig);
    const [first] = manifests as [CdrManifest];
    const before = readFileSync(join(folder, first.file));
    assert.equal(first.sha256, createHash("sha256").update(before).digest("hex"));
    assert.deepEqual(await pack(rig, folder, rig.cuts[0] as CdrCut), first);
    assert.ok(readFileSync(join(folder, first.file)).equals(before));
    assert.match(first.file, /^data\/dt=2026-11-22\/hour=00\/gw-1-40000000-e3-0{12}-0{9}120\./);
    const report = await verifyCdr(new FolderReader(folder), {
      isDeep: true,
      mayBeginLate: false,
    });
    assert.deepEqual(report.problems, []);
    assert.equal(report.ok, true);
    assert.equal(report.rows, 3 * 66);
    assert.equal(report.records["message"], 66);
    assert.deepEqual(report.series, [
      { node: "gw-1", series: "40000000", from: 0, until: 198, files: 3 },
    ]);
  });
}

test("a cut whose rows are not all there makes no file", async () => {
  const rig = new CutRig([10]);
  const { folder } = await folderOf(new CutRig([]));
  const cut = rig.cuts[0] as CdrCut;
  await assert.rejects(
    packCut({ node: "gw-1", region: "r", folder, cut: { ...cut, until: cut.until + 3 } }, [
      ...rig.chunks(cut),
    ]),
    /are not in the store/,
  );
  assert.deepEqual(await problems(folder), []);
});

test("the verifier sees what is missing, doubled, damaged or strange", async () => {
  const cases: [string, (folder: string, manifests: CdrManifest[]) => void][] = [
    ["rows_missing", (folder, [, second]) => remove(folder, second as CdrManifest)],
    ["rows_missing", (folder, [first]) => remove(folder, first as CdrManifest)],
    ["file_missing", (folder, [first]) => rmSync(join(folder, (first as CdrManifest).file))],
    [
      "manifest_missing",
      (folder, [first]) => rmSync(join(folder, manifestPath(first as CdrManifest))),
    ],
    ["file_damaged", (folder, [first]) => flipByte(join(folder, (first as CdrManifest).file))],
    ["stranger", (folder) => writeFileSync(join(folder, "data/notes.txt"), "x")],
    ["rows_wrong", (folder, [first]) => edit(folder, first as CdrManifest, (l) => l.slice(0, -1))],
    [
      "message_incomplete",
      (folder, [first]) => edit(folder, first as CdrManifest, (l) => l.toSpliced(1, 1)),
    ],
    [
      "message_doubled",
      (folder, [first]) =>
        edit(folder, first as CdrManifest, (l) => [
          ...l.slice(0, 3),
          ...l.slice(0, 3).map((line, i) => line.replace(`"row":${i}`, `"row":${i + 3}`)),
          ...l.slice(6),
        ]),
    ],
  ];
  for (const [kind, damage] of cases) {
    const { folder, manifests } = await folderOf(new CutRig([5, 5, 5]));
    assert.deepEqual(await problems(folder), []);
    damage(folder, manifests);
    const found = await problems(folder);
    assert.ok(found.includes(kind), `${kind}: found ${found.join(", ")}`);
  }
});

test("a file uploaded under two names is doubled", async () => {
  const { folder, manifests } = await folderOf(new CutRig([5, 5]));
  const first = manifests[0] as CdrManifest;
  const file = first.file.replace("-e3-", "-e4-");
  writeFileSync(join(folder, file), readFileSync(join(folder, first.file)));
  const name = parseDataPath(file);
  assert.ok(name !== null);
  const manifest = { ...first, ...name, file };
  writeFileSync(join(folder, manifestPath(name)), JSON.stringify(manifest));
  const found = await problems(folder);
  assert.ok(found.includes("rows_doubled") && found.includes("message_doubled"));
});

function remove(folder: string, manifest: CdrManifest): void {
  rmSync(join(folder, manifest.file));
  rmSync(join(folder, manifestPath(manifest)));
}

function flipByte(path: string): void {
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] as number) ^ 1;
  writeFileSync(path, bytes);
}

/** Rewrites the lines of a file, with a manifest that fits its bytes. */
function edit(
  folder: string,
  manifest: CdrManifest,
  change: (lines: string[]) => readonly string[],
): void {
  const path = join(folder, manifest.file);
  const lines = gunzipSync(readFileSync(path)).toString().trimEnd().split("\n");
  const bytes = gzipSync(`${change(lines).join("\n")}\n`);
  writeFileSync(path, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const fits = { ...manifest, bytes: bytes.length, sha256 };
  writeFileSync(join(folder, manifestPath(manifest)), JSON.stringify(fits));
}
