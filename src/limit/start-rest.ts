/**
 * How long a link's tokens rest after a start: a process does not know what the one before it
 * wrote last, but for how long it has been quiet.
 *
 *   no run before            ── sends at once
 *   a run that drained       ── had sent everything by the instant it noted: a second after that
 *   died, or not comparable  ── may have written until this process could start: a whole second
 *
 * A SENDING says before which instant nothing was written, never after which: what was prepared may
 * leave much later. So after a death nothing in the log bounds the last write, and the lock on the
 * data directory does. Pure; start-up only.
 */
import type { LastSent, SystemInstant } from "../environment.ts";
import { REST_MS } from "./contract.ts";

/**
 * Milliseconds from `now` on in which no token may be used, if everything of the run before left by
 * `last`. Of the two clocks the one that saw less time pass counts: one set forward shortens no
 * rest, and one that went back means a whole rest.
 */
export function restAfterStartMs(last: LastSent, now: SystemInstant): number {
  if (last === "never") return 0;
  if (last === "unknown" || now.boot === null || last.boot !== now.boot) return REST_MS;
  const passedMs = Math.min(now.monotonicMs - last.monotonicMs, now.wallMs - last.wallMs);
  if (!(passedMs >= 0)) return REST_MS;
  return Math.max(0, REST_MS - passedMs);
}
