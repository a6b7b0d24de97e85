/**
 * Bounds how often this process dials one host: a burst, then one dial each interval, over all
 * links to that host and all workers.
 *
 *   words[hash of the host]   token bucket (limit/bucket.ts), any worker, compare-and-exchange
 *
 * An SMSC that comes back after a restart is not met by all sessions at once. Two hosts with the
 * same hash share a bucket: each then waits a little longer, and no table has to know the hosts.
 */
import { bucketNow, tryAcquire, UNITS_PER_TOKEN } from "../../limit/bucket.ts";
import { DIAL_WORDS } from "../../tables/link-table.ts";
import { DIAL_BURST, DIAL_INTERVAL_MS } from "../pace/limits.ts";

const DIALS_PER_S = 1000 / DIAL_INTERVAL_MS;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class DialLimiter {
  readonly #words: Int32Array;

  /** `words` is memory of `allocateDials`, shared by all workers. */
  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Takes one dial; false if it has to wait. */
  tryDial(host: string, nowMs: number): boolean {
    const now = bucketNow(nowMs, DIALS_PER_S);
    const burst = DIAL_BURST * UNITS_PER_TOKEN;
    return tryAcquire(this.#words, wordOf(host), now, UNITS_PER_TOKEN, burst) === 0;
  }
}

/** FNV-1a over the host's UTF-16 units, lower case. */
function wordOf(host: string): number {
  const name = host.toLowerCase();
  let hash = FNV_OFFSET;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), FNV_PRIME);
  }
  return (hash >>> 0) % DIAL_WORDS;
}
