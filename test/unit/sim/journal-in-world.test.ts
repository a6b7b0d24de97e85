/**
 * The real journal, recovery and tailer alone in the simulated world: whatever the disk and the
 * process go through, what was published as committed is read back, in order and unchanged.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startEpoch } from "../../../src/journal/data-dir.ts";
import { systemCode } from "../../../src/journal/errors.ts";
import { Journal } from "../../../src/journal/journal.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { recoverLog } from "../../../src/journal/recovery.ts";
import { CONCLUDED_BYTES, CONCLUDED_TYPE } from "../../../src/records/concluded.ts";
import { allocateMetrics, MetricBlock } from "../../../src/metrics/block.ts";
import { ProcessMemory } from "../../sim/process-memory.ts";
import { drawSettings } from "../../sim/configuration.ts";
import { makeWorld } from "./world.ts";

const PLAN = {
  ingressCount: 1,
  workerCount: 1,
  poolCount: 1,
  linkCount: 1,
  sessionCount: 1,
  appCount: 1,
};
const SEGMENT_BYTES = 24 * 1024;
const LIVES = 6;

/** Runs one seed: several lives of a journal; returns how many records were committed in all. */
function runLives(seed: number): number {
  const world = makeWorld(seed);
  const { random, effects, scheduler, disk, directory, clock } = world;
  const settings = drawSettings(random);
  /** Numbers whose commit was seen, by number: log offset. */
  const committed = new Map<number, number>();
  let next = 1;
  for (let life = 0; life < LIVES; life++) {
    effects.revive();
    const isLast = life === LIVES - 1;
    let withPower = false;
    scheduler.setAgents([]);
    if (isLast) disk.clearFailures();
    else if (random.chance(0.3)) disk.failOnce(random.pick(["sync", "write"]), 20, "EIO");
    if (!isLast) {
      effects.armAtRandom(random);
      withPower = random.chance(0.6);
    }
    try {
      const options = { segmentBytes: SEGMENT_BYTES, from: null };
      const recovered = recoverLog(directory, options);
      const { epoch } = startEpoch(directory, "sim-1", recovered.epochSeen);
      const memory = new ProcessMemory(PLAN, [], settings, effects, 0, () => undefined);
      const journal = new Journal(
        {
          directory,
          appenders: memory.appenderEnds((_appender, notices) => notices),
          ledgerBell: memory.bell(1),
          logTable: memory.logTable,
          clock,
          metrics: new MetricBlock(allocateMetrics(4), 3),
        },
        {
          durability: "disk",
          segmentBytes: SEGMENT_BYTES,
          blockBytesMax: 10_000,
          epoch,
          ...recovered,
        },
      );
      const found = readAll(new BlockTailer(directory, memory.logTable, recovered.firstOffset));
      for (const [number, logOffset] of committed) {
        assert.equal(
          found.get(number),
          logOffset,
          `record ${number} of seed ${seed}, life ${life}`,
        );
      }
      if (isLast) return committed.size;
      const appender = memory.appender(0, 3);
      const writer = {
        name: "writer",
        doWork: () => {
          for (let i = random.below(20); i > 0; i--) {
            const at = appender.claim(CONCLUDED_BYTES, CONCLUDED_TYPE);
            if (at < 0) break;
            appender.memory.view.setFloat64(at + 8, next++, true);
          }
          appender.publish();
          return appender.pollCommitted({
            onCommitted: (_type, offset, _length, logOffset) => {
              committed.set(appender.memory.view.getFloat64(offset + 8, true), logOffset);
            },
          });
        },
      };
      scheduler.setAgents([writer, { name: "journal", doWork: () => journal.doWork() }]);
      scheduler.run(() => false, clock.monotonicMs() + 40);
      if (!effects.crashed && random.chance(0.8)) effects.crash("end of a life");
    } catch (error) {
      const code = systemCode(error instanceof Error ? (error.cause ?? error) : error);
      if (!effects.crashed && code !== "EIO") throw error;
    }
    if (withPower) disk.losePower();
  }
  return 0;
}

function readAll(tailer: BlockTailer): Map<number, number> {
  const found = new Map<number, number>();
  const visitor = {
    onRecord: (
      _type: number,
      memory: { view: DataView },
      at: number,
      _l: number,
      logOffset: number,
    ) => {
      found.set(memory.view.getFloat64(at + 8, true), logOffset);
    },
  };
  while (tailer.poll(visitor, 1_000_000) > 0);
  return found;
}

test("what was committed is read back after kills, power losses and failing disks", () => {
  let records = 0;
  for (let seed = 1; seed <= 120; seed++) records += runLives(seed);
  assert.ok(records > 10_000, `${records} records`);
});
