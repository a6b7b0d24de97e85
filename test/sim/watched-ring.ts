/**
 * A ring's writing end whose publications are effects: the process may die before or after them,
 * and other threads get turns around them. Publishing nothing new is no effect.
 */
import { RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import type { EffectKind, Effects } from "./effects.ts";

export class WatchedRingProducer extends RingProducer {
  readonly #effects: Effects;
  readonly #kind: EffectKind;
  readonly #name: string;
  #publishedAt: number;

  constructor(buffer: SharedArrayBuffer, effects: Effects, kind: EffectKind, name: string) {
    super(new RingMemory(buffer));
    this.#effects = effects;
    this.#kind = kind;
    this.#name = name;
    this.#publishedAt = this.claimedPosition;
  }

  override publish(): void {
    if (this.claimedPosition === this.#publishedAt) return;
    const bytes = (this.claimedPosition - this.#publishedAt) | 0;
    this.#publishedAt = this.claimedPosition;
    this.#effects.run(this.#kind, `${this.#name} +${bytes}`, () => super.publish());
  }
}
