/** Slices of CPU: what the kernel has taken, whom it is asked for, and what is left as it was. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { getPriority, release, setPriority } from "node:os";
import { test } from "node:test";
import type { GatewayConfig } from "../../../src/config/types.ts";
import {
  journalThreadIndex,
  packThreadIndex,
  promptThreads,
  relayThreadIndex,
  sinkThreadIndex,
} from "../../../src/tables/plan.ts";
import { leaveSystemId } from "../../../src/workers/thread-cpu.ts";
import { shortenSlices, TimeSlices } from "../../../src/workers/time-slices.ts";

const NOBODY = 2 ** 30;
const sizes = { poolCount: 1, linkCount: 1, sessionCount: 1, appCount: 1 };
const PLAN = { ingressCount: 2, workerCount: 1, ...sizes };

/** SCHED_OTHER and SCHED_BATCH: threads of other policies have no slices. */
const POLICIES_WITH_SLICES = [0, 3];
/** Field 41 of /proc/PID/stat, counted from the one behind the name. */
const POLICY_FIELD = 41 - 3;

/** Whether the kernel takes slices of this process's threads: since 6.12, of the usual policies. */
function doesKernelTakeThem(): boolean {
  if (process.platform !== "linux") return false;
  const [major = 0, minor = 0] = release().split(".").map(Number);
  const stat = readFileSync("/proc/self/stat", "latin1");
  const policy = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[POLICY_FIELD];
  const isNew = major > 6 || (major === 6 && minor >= 12);
  return isNew && POLICIES_WITH_SLICES.includes(Number(policy));
}

const takes = doesKernelTakeThem();
const slices = await TimeSlices.open();
const isThere = slices !== null;

test("they can be asked for on the systems that are built for", () => {
  const isBuiltFor = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);
  // Not of musl.
  const usesGlibc = (): boolean => /libc\.so\.6/.test(readFileSync("/proc/self/maps", "latin1"));
  assert.equal(isThere, isBuiltFor && usesGlibc());
});

test("a thread has the slice that was asked for, and the niceness it had", {
  skip: !isThere,
}, () => {
  const niceness = Math.min(19, getPriority() + 1);
  setPriority(niceness);
  assert.equal(slices?.set(0, 700), takes);
  assert.equal(slices?.sliceUs(0) === 700, takes);
  assert.equal(getPriority(), niceness);
});

test("less than the kernel gives counts as the least it gives", { skip: !isThere }, () => {
  assert.equal(slices?.set(0, 3), takes);
  assert.equal(slices?.sliceUs(0) === 100, takes);
});

test("a thread that is not there takes none", { skip: !isThere }, () => {
  assert.equal(slices?.set(NOBODY, 500), false);
  assert.equal(slices?.sliceUs(NOBODY), 0);
});

test("those that clients and operators wait for are asked for, nobody else", () => {
  const prompt = promptThreads(PLAN, true);
  assert.deepEqual(prompt, [0, 1, 3, journalThreadIndex(PLAN), relayThreadIndex(PLAN)]);
  assert.ok(!promptThreads(PLAN, false).includes(relayThreadIndex(PLAN)));
  assert.ok(!prompt.includes(sinkThreadIndex(PLAN)) && !prompt.includes(packThreadIndex(PLAN)));
});

test("it waits for threads that still load, and says how many took them", async () => {
  const bells = new Int32Array(new SharedArrayBuffer(4096));
  const lines: unknown[] = [];
  const log = { write: (...line: readonly unknown[]) => void lines.push(line.slice(1)) };
  const http = { proxyProtocolFrom: [], tls: null };
  const config = { node: { timeSliceUs: 900 }, http } as unknown as GatewayConfig;
  const [first, ...others] = promptThreads(PLAN, false);
  leaveSystemId(bells, first as number);
  const done = shortenSlices(config, bells, PLAN, log);
  for (const thread of others) leaveSystemId(bells, thread);
  await done;
  const threads = takes ? 4 : 0;
  assert.deepEqual(lines, [["shorten time slices", { us: 900, threads, of: 4 }]]);
  assert.equal(slices?.sliceUs(0) === 900, takes);
});

test("0 leaves the kernel's, and says nothing", async () => {
  const bells = new Int32Array(new SharedArrayBuffer(4096));
  const write = (): void => assert.fail("a line in the log");
  const config = { node: { timeSliceUs: 0 } } as GatewayConfig;
  await shortenSlices(config, bells, PLAN, { write });
});
