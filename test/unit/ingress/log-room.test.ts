/** Room in the log: one app's backlog leaves the last eighth to others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogRoom } from "../../../src/ingress/admission/log-room.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";

const BYTES_MAX = 16 * 1024 * 1024;
const CHARGE = 1000;
const HOG = 0;
const OTHER = 1;

function rig(waitingMax = 1_000_000) {
  const logTable = new LogTable(allocateLogTable(1));
  const waiting = {
    waitingMax,
    waitingRoom: waitingMax,
    byApp: [0, 0],
    waitingOfApp: (appIndex: number): number => waiting.byApp[appIndex] as number,
  };
  const room = new LogRoom({
    logTable,
    journalBytesMax: BYTES_MAX,
    ingressCount: 1,
    pendingBytes: () => 0,
    waiting: () => waiting,
  });
  const fill = (bytes: number): void => {
    logTable.store(LogWord.OPEN_LIFE_BYTES, bytes);
    room.refresh();
  };
  return { room, waiting, fill };
}

test("an app with much waiting ends at seven eighths of the log, others go on to its end", () => {
  const { room, waiting, fill } = rig();
  waiting.byApp[HOG] = 20_000;
  fill((BYTES_MAX * 7) / 8 - CHARGE);
  assert.equal(room.take(HOG, CHARGE), true);
  fill((BYTES_MAX * 7) / 8 - CHARGE + 1);
  assert.equal(room.take(HOG, CHARGE), false);
  assert.equal(room.take(OTHER, CHARGE), true);
  fill(BYTES_MAX - CHARGE);
  assert.equal(room.take(OTHER, CHARGE), true);
  fill(BYTES_MAX - CHARGE + 1);
  assert.equal(room.take(OTHER, CHARGE), false);
});

test("what is kept back is for few messages of each: a backlog there ends it", () => {
  const { room, waiting, fill } = rig();
  fill((BYTES_MAX * 15) / 16);
  assert.equal(room.take(OTHER, CHARGE), true);
  waiting.byApp[OTHER] = BYTES_MAX / 8 / 16 / 100;
  assert.equal(room.take(OTHER, CHARGE), false);
});

test("a step that was found free for one app is not looked up again, and ends", () => {
  const { room, waiting, fill } = rig();
  waiting.byApp[HOG] = 20_000;
  fill((BYTES_MAX * 7) / 8 - 2 * 1024 * 1024);
  let taken = 0;
  while (taken < 1048 && room.take(HOG, CHARGE)) taken++;
  assert.equal(taken, 1048);
  fill((BYTES_MAX * 7) / 8);
  assert.equal(room.take(HOG, CHARGE), false);
});

test("of the messages that may wait, the last eighth is kept back as well", () => {
  const { room, waiting } = rig(8000);
  waiting.byApp[HOG] = 6000;
  waiting.waitingRoom = 1001;
  assert.equal(room.mayWait(HOG), true);
  waiting.waitingRoom = 1000;
  assert.equal(room.mayWait(HOG), false);
  assert.equal(room.mayWait(OTHER), true);
});
