/**
 * Preloaded into a gateway under test (node --import): breaks one of its threads from within, as a
 * mistake of ours would.
 *
 *   BREAK_THREAD=<entry>   main, or a file of src/workers/ without its ending: ledger-thread, …
 *   BREAK_HOW=throw | spin an error that nobody catches, or a loop that never ends
 *   BREAK_AFTER_MS=<n>     after the thread began to run
 *
 * In every thread of the gateway, before its own modules.
 */
import { basename } from "node:path";
import { isMainThread } from "node:worker_threads";

const { BREAK_THREAD, BREAK_HOW, BREAK_AFTER_MS } = process.env;
const entry = isMainThread ? "main" : basename(process.argv[1] ?? "", ".js");

if (entry === BREAK_THREAD) {
  const atMs = performance.now() + Number(BREAK_AFTER_MS);
  if (entry === "journal-thread") breakWithin(Atomics, atMs);
  else setTimeout(breakNow, Number(BREAK_AFTER_MS));
}

/** The journal has no timers: each of its rounds adds a tick. */
function breakWithin(atomics: Pick<Atomics, "add">, atMs: number): void {
  const add = atomics.add.bind(atomics) as (...args: unknown[]) => number;
  Object.assign(atomics, {
    add: (...args: unknown[]): number => {
      if (performance.now() > atMs) breakNow();
      return add(...args);
    },
  });
}

function breakNow(): never {
  if (BREAK_HOW === "throw") throw new Error("broken on purpose");
  for (;;);
}
