/**
 * Measuring a comparison, and printing it as a table of ratios.
 *
 * All contenders of a row run in one process' lifetime, one after the other; the JavaScript ones by
 * mitata, which also counts allocated bytes, the C ones by their own clock. Checksums must agree.
 */
import { measure } from "mitata";
import { readFlags } from "../../../test/support/flags.ts";
import type { NativeResult } from "./native.ts";

export interface Contenders {
  ours: () => number;
  npm: () => number;
  libsmpp34: () => NativeResult | null;
  minimal: () => NativeResult | null;
}

export interface Comparison {
  name: string;
  bytesPerPdu: number;
  /** Nanoseconds per PDU. */
  oursNs: number;
  npmNs: number;
  libsmpp34Ns: number | null;
  minimalNs: number | null;
  /** Bytes of garbage per PDU on our side. */
  oursAllocated: number;
  checksum: number;
}

/** Calls a round for `allocatedBytes` of single functions. */
export const ALLOCATION_CALLS = 1000;

/** CPU time of each measurement, as the program was told. */
const CPU_NS =
  Number(readFlags({ options: { seconds: { type: "string", default: "0.3" } } }).values.seconds) *
  1e9;
/** Whether the figures do not matter, only that there are some. */
const IS_TRIAL = CPU_NS < 50e6;
const ALLOCATION_ROUNDS = IS_TRIAL ? 3 : 21;
/** PDUs of a corpus. */
export const CORPUS_COUNT = IS_TRIAL ? 50 : 2000;

/** The median nanoseconds of one call. */
export async function medianNs(run: () => number): Promise<number> {
  const size = IS_TRIAL ? { batch_samples: 8 } : {};
  const span = { min_cpu_time: CPU_NS, gc: false, inner_gc: false } as const;
  const stats = await measure(run, { ...span, ...size });
  return stats.p50;
}

/**
 * Bytes that one call of `run` leaves on the heap: the growth of the used heap over `calls` calls,
 * the median of many rounds, each after a collection; an empty call is measured the same way and
 * taken off. Keep `calls` so few that no collection falls inside a round.
 */
export function allocatedBytes(run: () => number, calls: number): number {
  const sample = (f: () => number): number => {
    const growth: number[] = [];
    for (let round = 0; round < ALLOCATION_ROUNDS; round++) {
      globalThis.gc?.();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < calls; i++) f();
      growth.push(process.memoryUsage().heapUsed - before);
    }
    return growth.toSorted((a, b) => a - b)[ALLOCATION_ROUNDS >> 1]!;
  };
  return Math.max(0, sample(run) - sample(() => 0)) / calls;
}

/**
 * What `allocatedBytes` says of a call that does allocate; without --expose-gc it cannot be
 * trusted.
 */
export function allocationCanary(): number {
  const kept: object[] = [];
  let calls = 0;
  return allocatedBytes(() => {
    kept[calls & 7] = { first: calls, second: 2 };
    return calls++;
  }, ALLOCATION_CALLS);
}

export async function compare(
  name: string,
  count: number,
  bytesPerPdu: number,
  contenders: Contenders,
): Promise<Comparison> {
  const checksum = contenders.ours() >>> 0;
  const npm = contenders.npm() >>> 0;
  if (npm !== checksum) throw new Error(`${name}: npm smpp folds ${npm}, we fold ${checksum}`);
  const oursNs = (await medianNs(contenders.ours)) / count;
  const minimal = contenders.minimal();
  const libsmpp34 = contenders.libsmpp34();
  const npmNs = (await medianNs(contenders.npm)) / count;
  for (const native of [minimal, libsmpp34]) {
    if (native !== null && native.checksum !== checksum) {
      throw new Error(`${name}: a C program folds ${native.checksum}, we fold ${checksum}`);
    }
  }
  return {
    name,
    bytesPerPdu,
    oursNs,
    npmNs,
    libsmpp34Ns: libsmpp34?.nsPerPdu ?? null,
    minimalNs: minimal?.nsPerPdu ?? null,
    oursAllocated: allocatedBytes(contenders.ours, 1) / count,
    checksum,
  };
}

const times = (ratio: number | null): string => (ratio === null ? "-" : `${ratio.toFixed(1)}x`);

/** One Markdown table: nanoseconds and how often faster we are than each contender. */
export function formatComparisons(rows: readonly Comparison[]): string {
  const lines = [
    "| | octets | ours ns | × npm smpp | × libsmpp34 | × minimal C | bytes allocated |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const row of rows) {
    const lib = row.libsmpp34Ns === null ? null : row.libsmpp34Ns / row.oursNs;
    const allocated = row.oursAllocated.toFixed(2);
    const c = row.minimalNs === null ? "-" : (row.minimalNs / row.oursNs).toFixed(2);
    lines.push(
      `| ${row.name} | ${row.bytesPerPdu.toFixed(0)} | ${row.oursNs.toFixed(1)} | ` +
        `${times(row.npmNs / row.oursNs)} | ${times(lib)} | ${c} | ${allocated} |`,
    );
  }
  return lines.join("\n");
}
