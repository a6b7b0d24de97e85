/** The process ends when its threads are gone, or is killed when one does not go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { allocateBells, systemIdIndex } from "../../../src/tables/thread-table.ts";
import { ProcessEnd } from "../../../src/workers/process-end.ts";
import type { ThreadEntry } from "../../../src/workers/threads.ts";

const CLOSES = "parentPort.on('message', () => parentPort.postMessage({ kind: 'closed' }))";
const LIMITS = { loadMs: 60_000, closeMs: 60_000, terminateMs: 60_000 };
/** A thread that may go without is given up on after 2 s. */
const HANGING = { ...LIMITS, closeMs: 2500 };
const SPINS = "for (;;) {}";

function ending(entry: ThreadEntry, body: string, isLoaded = true, limits = LIMITS) {
  const bells = new Int32Array(allocateBells(1));
  const events: string[] = [];
  const end = new ProcessEnd({
    bells,
    log: {
      write: (_level, operation, fields) => events.push(`${operation} ${String(fields?.cause)}`),
    },
    exit: (code) => events.push(`exit ${code}`),
    kill: () => events.push("kill"),
    limits,
    startingLimits: LIMITS,
  });
  const source = `const { parentPort } = require("node:worker_threads"); ${body}`;
  const worker = new Worker(source, { eval: true });
  worker.on("exit", () => events.push("gone"));
  const loaded = (): number => Atomics.store(bells, systemIdIndex(0), 1);
  if (isLoaded) loaded();
  end.add({ entry, index: 0, worker });
  return { end, events, worker, loaded };
}

async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 4800 && !isDone(); i++) await sleep(25);
  assert.ok(isDone());
}

const isEnded = (events: readonly string[]) => () =>
  events.some((event) => /exit|kill/.test(event));

test("threads close and go before the process exits, and what came first counts", async () => {
  const { end, events } = ending("ledger-thread", CLOSES);
  end.end(75);
  end.end(0);
  await until(isEnded(events));
  assert.deepEqual(events, ["gone", "exit 75"]);
});

test("a thread that is loading its modules is waited for", async () => {
  const { end, events, loaded } = ending("journal-thread", "setInterval(() => 0, 1000)", false);
  end.end(0);
  await sleep(300);
  assert.deepEqual(events, []);
  loaded();
  await until(isEnded(events));
  assert.deepEqual(events, ["gone", "exit 0"]);
});

test("a start may load for long, unless somebody asks again", async () => {
  const impatient = { ...LIMITS, loadMs: 50 };
  const patient = ending("ledger-thread", CLOSES, false, impatient);
  patient.end.end(0, true);
  await sleep(300);
  assert.deepEqual(patient.events, []);
  patient.loaded();
  await until(isEnded(patient.events));
  assert.deepEqual(patient.events, ["gone", "exit 0"]);
  const asked = ending("ledger-thread", CLOSES, false, impatient);
  asked.end.end(0, true);
  asked.end.end(0);
  await until(isEnded(asked.events));
  assert.deepEqual(asked.events, ["end threads do not load: SIGKILL", "kill"]);
  asked.loaded();
  await until(() => asked.events.includes("exit 0"));
});

test("a worker that hangs is ended, a ledger that hangs takes the process along", async () => {
  const worker = ending("smpp-thread", SPINS, true, HANGING);
  const ledger = ending("ledger-thread", SPINS, true, HANGING);
  worker.end.end(75);
  ledger.end.end(75);
  await until(isEnded(worker.events));
  assert.deepEqual(worker.events, ["gone", "exit 75"]);
  await until(isEnded(ledger.events));
  assert.deepEqual(ledger.events, ["end threads do not close: SIGKILL", "kill"]);
  await ledger.worker.terminate();
});
