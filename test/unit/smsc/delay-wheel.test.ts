/** The wheel against a sorted list, over turns of its ring and gaps in its ticks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DelayWheel } from "../../../src/smsc/delay-wheel.ts";
import { JOB_NONE, JOB_WORD, JobPool } from "../../../src/smsc/job-pool.ts";

const ascending = (a: number, b: number): number => a - b;

const step = fc.record({
  passMs: fc.oneof(fc.nat(20), fc.nat(5000), fc.nat(200_000)),
  delays: fc.array(fc.oneof(fc.nat(30), fc.nat(70_000), fc.nat(300_000)), { maxLength: 8 }),
});

test("every job fires once, at the first advance at or after its tick, in order", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom(0, 0x7fff_fff0, -5),
      (steps, start) => {
        const pool = new JobPool(10_000);
        const wheel = new DelayWheel(pool, start);
        const waiting: { job: number; due: number; order: number }[] = [];
        let now = 0;
        let order = 0;
        for (const { passMs, delays } of steps) {
          for (const delay of delays) {
            const job = pool.claim();
            wheel.schedule(job, (start + now + delay) | 0);
            waiting.push({ job, due: now + Math.max(delay, 1), order: order++ });
          }
          const next = wheel.ticksUntilNext();
          const soonest = Math.min(...waiting.map(({ due }) => due));
          if (waiting.length === 0) assert.equal(next, -1);
          else assert.ok(next >= 1 && now + next <= soonest, `${now} + ${next} > ${soonest}`);
          now += passMs;
          const fired: number[] = [];
          wheel.advance((start + now) | 0, { onDue: (job) => void fired.push(job) });
          const expected = waiting.filter(({ due }) => due <= now).map(({ job }) => job);
          assert.deepEqual(fired.toSorted(ascending), expected.toSorted(ascending));
          for (const job of fired) {
            waiting.splice(
              waiting.findIndex((one) => one.job === job),
              1,
            );
            pool.release(job);
          }
          assert.equal(wheel.count, waiting.length);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("jobs of one tick fire in the order they came", () => {
  const pool = new JobPool(100);
  const wheel = new DelayWheel(pool, 0);
  const jobs = Array.from({ length: 50 }, () => pool.claim());
  for (const job of jobs) wheel.schedule(job, 7);
  const fired: number[] = [];
  wheel.advance(10, { onDue: (job) => void fired.push(job) });
  assert.deepEqual(fired, jobs);
});

test("a job scheduled while firing waits for a later tick", () => {
  const pool = new JobPool(10);
  const wheel = new DelayWheel(pool, 0);
  wheel.schedule(pool.claim(), 1);
  let count = 0;
  const visitor = {
    onDue: (job: number) => {
      count++;
      wheel.schedule(job, 5);
    },
  };
  wheel.advance(5, visitor);
  assert.equal(count, 1);
  wheel.advance(6, visitor);
  assert.equal(count, 2);
});

test("the pool ends at its maximum and gives jobs back", () => {
  const pool = new JobPool(10_000);
  const jobs = Array.from({ length: 10_000 }, () => pool.claim());
  assert.equal(new Set(jobs).size, 10_000);
  assert.equal(pool.claim(), JOB_NONE);
  for (const job of jobs) {
    pool.setId(job, 2 ** 40 + job);
    pool.set(job, JOB_WORD.STATE, job);
  }
  for (const job of jobs) {
    assert.equal(pool.idOf(job), 2 ** 40 + job);
    assert.equal(pool.get(job, JOB_WORD.STATE), job);
  }
  for (const job of jobs.slice(0, 10)) pool.release(job);
  assert.equal(pool.usedCount, 9990);
  const again = Array.from({ length: 10 }, () => pool.claim());
  assert.deepEqual(again.toSorted(ascending), jobs.slice(0, 10).toSorted(ascending));
});
