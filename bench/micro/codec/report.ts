/**
 * Measuring a comparison, and printing it as a table of ratios.
 *
 * All contenders of a row run in one process' lifetime, one after the other; the JavaScript ones by
 * mitata, which also counts allocated bytes, the C ones by their own clock. Checksums must agree.
 */
import { measure } from "mitata";
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

/** The median nanoseconds of one call. */
export async function medianNs(run: () => number): Promise<number> {
  const stats = await measure(run, { min_cpu_time: 300e6, gc: false, inner_gc: false });
  return stats.p50;
}

/**
 * Bytes that one call of `run` leaves on the heap, from the growth of the used heap over many calls with
 * the collector at rest; what one measurement itself costs is taken off by measuring an empty call.
 */
export function allocatedBytes(run: () => number, calls: number): number {
  const sample = (f: () => number): number => {
    let least = Infinity;
    for (let round = 0; round < 7; round++) {
      globalThis.gc?.();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < calls; i++) f();
      least = Math.min(least, process.memoryUsage().heapUsed - before);
    }
    return least;
  };
  return Math.max(0, sample(run) - sample(() => 0)) / calls;
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
    oursAllocated: allocatedBytes(contenders.ours, 20) / count,
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
    const c = row.minimalNs === null ? "-" : (row.minimalNs / row.oursNs).toFixed(2);
    lines.push(
      `| ${row.name} | ${row.bytesPerPdu.toFixed(0)} | ${row.oursNs.toFixed(1)} | ` +
        `${times(row.npmNs / row.oursNs)} | ${times(lib)} | ${c} | ${row.oursAllocated.toFixed(2)} |`,
    );
  }
  return lines.join("\n");
}
