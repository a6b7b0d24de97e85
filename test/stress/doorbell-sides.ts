/** The two sides of a doorbell in a thread: see doorbell.test.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { Doorbell, DoorbellOwner, waitingDoorbell } from "../../src/ring/doorbell.ts";

export interface SidesData {
  readonly role: "ringer" | "sleeper" | "echo";
  readonly bells: SharedArrayBuffer;
  readonly work: SharedArrayBuffer;
  readonly barrier: SharedArrayBuffer;
  readonly rounds: number;
}

const { role, bells, work, barrier, rounds } = workerData as SidesData;
const barrierWords = new Int32Array(barrier);
const bellWords = new Int32Array(bells);
const workWords = new Int32Array(work);
/** Cells lie in different cache lines, and so do the words where each side says how far it is. */
const CELL_WORDS = 16;
const RINGER_AT = 32;
const SLEEPER_AT = 64;
const SPINS_MAX = 2000;
const cells = workWords.length / CELL_WORDS;

/** Waits until both threads are here. */
function meet(round: number): void {
  const words = barrierWords;
  Atomics.add(words, 0, 1);
  Atomics.notify(words, 0);
  for (;;) {
    const here = Atomics.load(words, 0);
    if (here >= 2 * (round + 1)) return;
    Atomics.wait(words, 0, here, 1000);
  }
}

let notifiedCells: Uint8Array = new Uint8Array(cells);
const ringers = Array.from(
  { length: cells },
  (_, i) =>
    new Doorbell(bellWords, i * CELL_WORDS, () => {
      notifiedCells[i] = 1;
    }),
);
const owners = Array.from(
  { length: cells },
  (_, i) => new DoorbellOwner(bellWords, i * CELL_WORDS),
);

/**
 * Lets both sides come to a cell at about the same moment; not longer than it takes if both run.
 */
function line(i: number, own: number, other: number): void {
  Atomics.store(barrierWords, own, i);
  for (let spins = 0; spins < SPINS_MAX && Atomics.load(barrierWords, other) < i; spins++);
}

/** Each cell is a race of its own: make work visible and ring; was the owner notified? */
function ringAll(seen: Uint8Array): void {
  notifiedCells = seen;
  for (let i = 0; i < cells; i++) {
    line(i, RINGER_AT, SLEEPER_AT);
    Atomics.store(workWords, i * CELL_WORDS, 1);
    (ringers[i] as Doorbell).ring();
  }
}

/** The other side: arm and look once more; was the work seen? */
function armAll(seen: Uint8Array): void {
  for (let i = 0; i < cells; i++) {
    line(i, SLEEPER_AT, RINGER_AT);
    (owners[i] as DoorbellOwner).arm();
    seen[i] = Atomics.load(workWords, i * CELL_WORDS);
  }
}

/** Answers each number with the next one, sleeping without end in between. */
function echo(): void {
  const owner = new DoorbellOwner(bellWords, 0);
  const other = waitingDoorbell(bellWords, 1);
  for (let last = 0; last < rounds; ) {
    owner.arm();
    const now = Atomics.load(workWords, 0);
    if (now === last || now % 2 === 0) {
      owner.sleep(Number.POSITIVE_INFINITY);
      continue;
    }
    owner.disarm();
    last = now + 1;
    Atomics.store(workWords, 0, last);
    other.ring();
  }
}

if (role === "echo") {
  echo();
  parentPort?.postMessage(null);
} else {
  const outcomes: Uint8Array[] = [];
  for (let round = 0; round < rounds; round++) {
    const seen = new Uint8Array(cells);
    meet(3 * round);
    if (role === "ringer") ringAll(seen);
    else armAll(seen);
    meet(3 * round + 1);
    outcomes.push(seen);
    if (role === "ringer") {
      bellWords.fill(0);
      workWords.fill(0);
      barrierWords.fill(0, RINGER_AT);
    }
    meet(3 * round + 2);
  }
  parentPort?.postMessage(outcomes);
}
