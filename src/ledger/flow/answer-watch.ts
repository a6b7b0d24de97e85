/**
 * Callers that wait for an operator's answer to one message (`Prefer: wait`).
 *
 *   await ─► watched by key ─► status changes ─► every part answered or final? ─► told
 *                        └───► its time is over ─────────────────────────────────► told null
 *
 * Several may wait for one message: calls repeated by Idempotency-Key. An observer of outcomes: a
 * message that nobody waits for costs a look at an empty map. Bounded; the ledger's thread only.
 */
import type { MessageKey } from "../../records/message-key.ts";
import { type MessageState } from "../messages/message-state.ts";
import type { OutcomeObserver } from "../outcomes.ts";
import { isFinal, PartState } from "../messages/part-state.ts";

/** Callers that wait at once. */
export const WATCHES_MAX = 16_384;
/** Between two looks for those whose time is over. */
const LOOK_MS = 50;

interface Watch {
  readonly untilMs: number;
  readonly done: (isAnswered: boolean) => void;
}

export class AnswerWatch implements OutcomeObserver {
  /** By message; none is empty. */
  readonly #watches = new Map<string, Watch[]>();
  #count = 0;
  #answered: Watch[] = [];
  #nextLookMs = 0;

  /**
   * Calls `done` once, later: with true when every part of the message is answered, with false when
   * wall ms `untilMs` has passed. False: too many wait, and it will not be called.
   */
  add(key: MessageKey, untilMs: number, done: (isAnswered: boolean) => void): boolean {
    if (this.#count >= WATCHES_MAX) return false;
    this.#count += 1;
    const name = textOf(key);
    const watches = this.#watches.get(name);
    if (watches === undefined) this.#watches.set(name, [{ untilMs, done }]);
    else watches.push({ untilMs, done });
    return true;
  }

  /** How many wait. */
  get count(): number {
    return this.#count;
  }

  onPartFinal(): void {}

  onStatus(message: MessageState): void {
    if (this.#watches.size === 0 || !isAnswered(message)) return;
    const name = textOf(message);
    const watches = this.#watches.get(name);
    if (watches === undefined) return;
    this.#watches.delete(name);
    this.#answered.push(...watches);
  }

  onDuplicate(): void {}

  onRefused(): void {}

  onKeyed(): void {}

  beforeCommit(): void {}

  /** Tells those that have waited enough; changes nothing in the store. */
  doWork(now: number): boolean {
    for (const watch of this.#answered.splice(0)) this.#tell(watch, true);
    if (this.#watches.size === 0 || now < this.#nextLookMs) return false;
    this.#nextLookMs = now + LOOK_MS;
    for (const [name, watches] of this.#watches) {
      const left = watches.filter(({ untilMs }) => now < untilMs);
      if (left.length === watches.length) continue;
      if (left.length === 0) this.#watches.delete(name);
      else this.#watches.set(name, left);
      for (const watch of watches) if (now >= watch.untilMs) this.#tell(watch, false);
    }
    return false;
  }

  #tell(watch: Watch, isAnswered: boolean): void {
    this.#count -= 1;
    watch.done(isAnswered);
  }
}

/** Whether an operator, or the gateway, has said something final about every part. */
export function isAnswered(message: MessageState): boolean {
  for (const part of message.parts) {
    if (part.state !== PartState.SENT && !isFinal(part.state)) return false;
  }
  return true;
}

function textOf({ sequence, origin }: MessageKey): string {
  return `${sequence}/${origin}`;
}
