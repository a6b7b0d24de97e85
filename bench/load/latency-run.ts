/** What one run of the latency bench came to. */
import type { OpenLoopResult } from "./open-loop.ts";

export interface LatencyRun {
  /** Of a 64 KB write + fdatasync, before the load. */
  readonly diskP50Ms: number;
  readonly diskP99Ms: number;
  readonly saturationPerS: number;
  readonly ratePerS: number;
  readonly openLoop: OpenLoopResult;
  /** Acceptance to submit_sm written, upper bounds of histogram buckets. */
  readonly submitMs: { readonly p50: number; readonly p99: number };
}
