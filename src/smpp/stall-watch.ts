/**
 * Tells when a link stands still for no reason: messages wait for it, tokens and window are there,
 * and nothing is written for a while.
 *
 * Whatever holds it up then is a fault of ours or of the session. Pure but for what it remembers;
 * one per link and worker.
 */

/** A link that could send, and does not, for so long has stalled. */
export const STALLED_LINK_MS = 10_000;

export class StallWatch {
  #sent = 0;
  #idleSince = -1;

  /**
   * Looks at a link at `now`; `sent` counts the segments it has written. True once for each stall.
   */
  look(now: number, couldSend: boolean, sent: number): boolean {
    if (!couldSend || sent !== this.#sent) {
      this.#sent = sent;
      this.#idleSince = -1;
      return false;
    }
    if (this.#idleSince < 0) this.#idleSince = now;
    if (now - this.#idleSince < STALLED_LINK_MS) return false;
    this.#idleSince = -1;
    return true;
  }
}
