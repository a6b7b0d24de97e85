/**
 * The simulated disk keeps what POSIX promises and, over many seeds, loses everything else at least
 * once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SECTOR_BYTES } from "../../sim/simulated-directory.ts";
import { makeWorld } from "./world.ts";

const ONES = new Uint8Array(4 * SECTOR_BYTES).fill(1);
const TWOS = new Uint8Array(4 * SECTOR_BYTES).fill(2);

test("what is synced, name included, survives every power loss", () => {
  for (let seed = 0; seed < 50; seed++) {
    const { directory, disk } = makeWorld(seed);
    const file = directory.open("a", true);
    file.write(ONES, ONES.length, 0);
    file.dataSync();
    directory.sync();
    disk.losePower();
    const again = directory.open("a", false);
    const read = new Uint8Array(ONES.length);
    assert.equal(again.read(read, 0, read.length, 0), ONES.length);
    assert.deepEqual(read, ONES);
  }
});

test("unsynced sectors survive in any subset, torn ones among them", () => {
  const pictures = new Set<string>();
  let torn = 0;
  for (let seed = 0; seed < 300; seed++) {
    const { directory, disk } = makeWorld(seed);
    const file = directory.open("a", true);
    file.write(ONES, ONES.length, 0);
    file.dataSync();
    directory.sync();
    file.write(TWOS, TWOS.length, 0);
    disk.losePower();
    const read = new Uint8Array(TWOS.length);
    directory.open("a", false).read(read, 0, read.length, 0);
    let picture = "";
    for (let at = 0; at < read.length; at += SECTOR_BYTES) {
      const sector = read.subarray(at, at + SECTOR_BYTES);
      if (sector.includes(1) && sector.includes(2)) torn++;
      picture += sector[0];
    }
    pictures.add(picture);
  }
  assert.equal(pictures.size, 16);
  assert.ok(torn > 0);
});

test("a name that no directory sync covered may vanish, a removed one may come back", () => {
  const found = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const { directory, disk } = makeWorld(seed);
    directory.open("old", true);
    directory.sync();
    directory.remove("old");
    directory.open("new", true);
    disk.losePower();
    found.add(directory.list().sort().join());
  }
  assert.deepEqual([...found].sort(), ["", "new", "new,old", "old"]);
});

test("death by kill keeps everything written", () => {
  const { directory, effects } = makeWorld(1);
  directory.open("a", true).write(ONES, ONES.length, 0);
  assert.throws(() => effects.crash("here"));
  assert.throws(() => directory.sync(), /dead/);
  effects.revive();
  assert.equal(directory.open("a", false).sizeBytes(), ONES.length);
});

test("after a sync that failed, a later sync does not make its sectors safe", () => {
  let lost = 0;
  for (let seed = 0; seed < 40; seed++) {
    const { directory, disk } = makeWorld(seed);
    const file = directory.open("a", true);
    directory.sync();
    file.write(ONES, ONES.length, 0);
    disk.failOnce("sync", 1, "EIO");
    assert.throws(() => file.dataSync(), { code: "EIO" });
    assert.throws(() => file.dataSync(), /second sync/);
    directory.open("a", false).dataSync();
    disk.losePower();
    const read = new Uint8Array(ONES.length);
    directory.open("a", false).read(read, 0, read.length, 0);
    if (read.includes(0)) lost++;
  }
  assert.ok(lost > 30);
});

test("a full disk refuses what would grow a file and nothing else", () => {
  const { directory, disk } = makeWorld(1);
  const file = directory.open("a", true);
  file.write(ONES, ONES.length, 0);
  disk.full = true;
  assert.throws(() => file.write(ONES, ONES.length, SECTOR_BYTES), { code: "ENOSPC" });
  assert.throws(() => directory.open("b", true), { code: "ENOSPC" });
  file.write(TWOS, TWOS.length, 0);
  disk.full = false;
  file.write(ONES, ONES.length, SECTOR_BYTES);
  assert.equal(file.sizeBytes(), 5 * SECTOR_BYTES);
});
