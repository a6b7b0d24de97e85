/** The disk's own speed, as the limit of every durable answer: 64 KB written and synced. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const BYTES = 65_536;
const FILE_BYTES = 64 * BYTES;
const TRIALS = 300;

/** Median and 99th percentile of a 64 KB write + fdatasync in `folder`, in milliseconds. */
export function measureDisk(folder: string): { readonly p50Ms: number; readonly p99Ms: number } {
  const path = join(folder, "disk-reference");
  const bytes = Buffer.alloc(BYTES, 1);
  const file = openSync(path, "w");
  try {
    for (let at = 0; at < FILE_BYTES; at += BYTES) writeSync(file, bytes, 0, BYTES, at);
    fdatasyncSync(file);
    const times: number[] = [];
    for (let trial = 0; trial < TRIALS; trial++) {
      const startedAt = performance.now();
      writeSync(file, bytes, 0, BYTES, (trial * BYTES) % FILE_BYTES);
      fdatasyncSync(file);
      times.push(performance.now() - startedAt);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): number => times[Math.floor(share * (TRIALS - 1))] as number;
    return { p50Ms: at(0.5), p99Ms: at(0.99) };
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
