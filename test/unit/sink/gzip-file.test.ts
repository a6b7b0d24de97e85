/** A gzip file of blocks is one member that this and other people's programs read back. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { DeflateBlock } from "../../../src/sink/deflate-block.ts";
import { GzipFile } from "../../../src/sink/gzip-file.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const folder = mkdtempSync(join(tmpdir(), "smsgw-gzip-"));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

function fileOf(blocks: readonly Buffer[]): string {
  const path = join(folder, "some.gz");
  const file = new GzipFile(path);
  for (const block of blocks) file.add(block);
  file.finish();
  return path;
}

test("blocks of any size come back as they were", () => {
  const random = seededRandom(5);
  const noise = Buffer.from(Array.from({ length: 300_000 }, () => random() * 256));
  const lines = Buffer.from(Array.from({ length: 9000 }, (_, i) => `{"row":${i}}\n`).join(""));
  const cases = [[], [Buffer.alloc(0)], [Buffer.from("x")], [noise], [lines, noise, lines, lines]];
  for (const blocks of cases) {
    const path = fileOf(blocks);
    const all = Buffer.concat(blocks);
    assert.ok(gunzipSync(readFileSync(path)).equals(all));
    const other = execFileSync("gzip", ["-dc", path], { maxBuffer: 16 * 1024 * 1024 });
    assert.ok(other.equals(all), "gzip reads the same");
  }
});

test("blocks that come deflated stand between those that do not", () => {
  const path = join(folder, "mixed.gz");
  const texts = ["of zlib\n", "of their own\n", "of zlib again\n", "last\n"].map((text) =>
    Buffer.from(text.repeat(50)),
  );
  const own = new DeflateBlock(4096);
  const file = new GzipFile(path);
  for (const [i, bytes] of texts.entries()) {
    own.begin();
    own.literals(bytes, 0, bytes.length);
    file.add(bytes, i % 2 === 1 ? own.finish() : null);
  }
  file.finish();
  const all = Buffer.concat(texts);
  assert.ok(gunzipSync(readFileSync(path)).equals(all));
  assert.ok(execFileSync("gzip", ["-dc", path]).equals(all), "gzip reads the same");
});

test("a damaged file is noticed by its checksum", () => {
  const path = fileOf([Buffer.from("some rows\n".repeat(100))]);
  const bytes = readFileSync(path);
  const trailer = bytes.length - 8;
  bytes[trailer] = (bytes[trailer] as number) ^ 1;
  assert.throws(() => gunzipSync(bytes), /incorrect data check/);
});

/** Takes no byte, as a full disk does. */
const FULL = "/dev/full";

test("a file that cannot be begun is closed", () => {
  assert.throws(() => new GzipFile(FULL), { code: "ENOSPC" });
  const open = readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === FULL;
    } catch {
      return false;
    }
  });
  assert.deepEqual(open, []);
});
