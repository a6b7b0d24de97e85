/**
 * How many tokens may be verified at once, and how often one address may be wrong, so that a flood
 * of bad tokens leaves time and room for good ones. Cached tokens never come here.
 *
 * Bounded by count; one instance per ingress thread.
 */
import type { Clock } from "../../environment.ts";

/** Tokens that are being verified at once: in all, and from one address. */
export const VERIFYING_MAX = 256;
export const VERIFYING_PER_PEER_MAX = 64;
/** Wrong signatures and unknown keys from one address in a second. */
export const FAILURES_PER_S_MAX = 100;
const PEERS_MAX = 4096;

interface Peer {
  verifying: number;
  failures: number;
  secondStartMs: number;
}

export class VerificationLimit {
  readonly #clock: Clock;
  readonly #peers = new Map<string, Peer>();
  #verifying = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a verification for `address` may begin; if so it must `leave`. */
  enter(address: string): boolean {
    if (this.#verifying >= VERIFYING_MAX) return false;
    const peer = this.#peerOf(address);
    if (peer.verifying >= VERIFYING_PER_PEER_MAX || peer.failures >= FAILURES_PER_S_MAX) {
      return false;
    }
    peer.verifying += 1;
    this.#verifying += 1;
    return true;
  }

  leave(address: string, isGood: boolean): void {
    const peer = this.#peerOf(address);
    peer.verifying -= 1;
    this.#verifying -= 1;
    if (!isGood) peer.failures += 1;
  }

  #peerOf(address: string): Peer {
    const nowMs = this.#clock.monotonicMs();
    let peer = this.#peers.get(address);
    if (peer === undefined) {
      if (this.#peers.size >= PEERS_MAX) this.#forgetIdle();
      peer = { verifying: 0, failures: 0, secondStartMs: nowMs };
      this.#peers.set(address, peer);
    } else if (nowMs - peer.secondStartMs >= 1000) {
      peer.secondStartMs = nowMs;
      peer.failures = 0;
    }
    return peer;
  }

  /** At most VERIFYING_MAX peers are not idle. */
  #forgetIdle(): void {
    for (const [address, { verifying }] of this.#peers) {
      if (verifying === 0) this.#peers.delete(address);
    }
  }
}
