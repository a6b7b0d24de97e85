/**
 * Breaks one thread of the gateway at a chosen time after it was started: preloaded by
 * `NODE_OPTIONS=--import`, it runs in every thread of the gateway, before its own modules.
 *
 *   BREAK_AFTER_MS   so long after the thread was started, the thread BREAK_THREAD as BREAK_HOW
 *   BREAK_FILE       when that file is there; its text is "THREAD HOW"
 */
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { isMainThread } from "node:worker_threads";

const LOOK_MS = 5;
const LARGE_COUNT = 1 << 20;
const { BREAK_THREAD, BREAK_HOW, BREAK_AFTER_MS, BREAK_FILE } = process.env;
const entry = isMainThread ? "main" : basename(process.argv[1] ?? "", ".js");
let how = BREAK_HOW ?? "";

if (BREAK_FILE !== undefined) {
  let lookAgainMs = 0;
  breakWhen(() => {
    if (performance.now() < lookAgainMs) return false;
    lookAgainMs = performance.now() + LOOK_MS;
    if (!existsSync(BREAK_FILE)) return false;
    const [thread, wanted] = readFileSync(BREAK_FILE, "utf8").split(" ");
    how = wanted ?? "";
    return thread === entry;
  });
} else if (entry === BREAK_THREAD) {
  const atMs = performance.now() + Number(BREAK_AFTER_MS);
  breakWhen(() => performance.now() > atMs);
}

function breakWhen(isTime: () => boolean): void {
  if (entry === "journal-thread") breakWithin(Atomics, isTime);
  else setInterval(() => isTime() && breakNow(), LOOK_MS).unref();
}

/** The journal has no timers: each of its rounds adds a tick. */
function breakWithin(atomics: Pick<Atomics, "add">, isTime: () => boolean): void {
  const add = atomics.add.bind(atomics) as (...args: unknown[]) => number;
  Object.assign(atomics, {
    add: (...args: unknown[]): number => {
      if (isTime()) breakNow();
      return add(...args);
    },
  });
}

function breakNow(): never {
  if (how === "throw") throw new Error("broken on purpose");
  if (how === "exit") process.exit(1);
  const kept: unknown[] = [];
  // Few and large: with small ones the collector would be at it for minutes before it gives up.
  for (;;) if (how === "memory") kept.push(Array.from({ length: LARGE_COUNT }, () => 0.5));
}
