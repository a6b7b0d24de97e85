/** What one run of the latency bench came to. */
import type { Latencies, LoadResult } from "../../src/cli/load/generator.ts";

/** Percentiles in milliseconds of how long messages took from acceptance. */
export interface StagePercentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface StageLatencies {
  /** To submit_sm. */
  readonly sentMs: StagePercentiles;
  /** To submit_sm_resp. */
  readonly answeredMs: StagePercentiles;
  /** To the final state. */
  readonly finalMs: StagePercentiles;
}

export interface LatencyRun {
  /** Of a 64 KB write + fdatasync, before the load. */
  readonly diskP50Ms: number;
  readonly diskP99Ms: number;
  readonly saturationPerS: number;
  readonly ratePerS: number;
  readonly openLoop: Omit<LoadResult, "samples">;
  /** What the same generator sees at the same rate of the bare server. */
  readonly bare: Latencies;
  /** Of messages that were asked for by GET afterwards; whole milliseconds. */
  readonly stages: StageLatencies;
  /** Acceptance to submit_sm written, upper bounds of histogram buckets. */
  readonly submitMs: { readonly p50: number; readonly p99: number };
}
