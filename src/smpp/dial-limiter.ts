/**
 * Bounds how often one worker dials one host: a burst, then one dial each interval, over all links
 * to that host.
 *
 * An SMSC that comes back after a restart is not met by all sessions at once. One thread; keyed by
 * host, as many entries as the configuration has hosts.
 */
import { DIAL_BURST, DIAL_INTERVAL_MS } from "./limits.ts";

export class DialLimiter {
  /** When the last allowed dial is paid for. */
  readonly #paidAt = new Map<string, number>();

  /** Takes one dial; false if it has to wait. */
  tryDial(host: string, nowMs: number): boolean {
    const from = Math.max(nowMs, this.#paidAt.get(host) ?? nowMs);
    if (from - nowMs > (DIAL_BURST - 1) * DIAL_INTERVAL_MS) return false;
    this.#paidAt.set(host, from + DIAL_INTERVAL_MS);
    return true;
  }
}
