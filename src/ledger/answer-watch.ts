/**
 * Callers that wait for an operator's answer to one message (`Prefer: wait`).
 *
 *   await ─► watched by key ─► status changes ─► every part answered or final? ─► told
 *                        └───► its time is over ─────────────────────────────────► told null
 *
 * An observer of outcomes: a message that nobody waits for costs a look at an empty map. Bounded;
 * the ledger's thread only.
 */
import type { MessageKey } from "../records/message-key.ts";
import { type MessageState } from "./message-state.ts";
import type { OutcomeObserver } from "./outcomes.ts";
import { isFinal, PartState } from "./part-state.ts";

/** Messages that are watched at once. */
export const WATCHES_MAX = 16_384;
/** Between two looks for those whose time is over. */
const LOOK_MS = 50;

interface Watch {
  readonly key: MessageKey;
  readonly untilMs: number;
  readonly done: (isAnswered: boolean) => void;
}

export class AnswerWatch implements OutcomeObserver {
  readonly #watches = new Map<string, Watch>();
  #answered: Watch[] = [];
  #nextLookMs = 0;

  /**
   * Calls `done` once, later: with true when every part of the message is answered, with false when
   * wall ms `untilMs` has passed. False: too many are watched, and it will not be called. Only one
   * caller may wait for a message.
   */
  add(key: MessageKey, untilMs: number, done: (isAnswered: boolean) => void): boolean {
    if (this.#watches.size >= WATCHES_MAX) return false;
    this.#watches.set(textOf(key), { key, untilMs, done });
    return true;
  }

  onPartFinal(): void {}

  onStatus(message: MessageState): void {
    if (this.#watches.size === 0 || !isAnswered(message)) return;
    const name = textOf(message);
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    this.#watches.delete(name);
    this.#answered.push(watch);
  }

  onDuplicate(): void {}

  onRefused(): void {}

  onKeyed(): void {}

  beforeCommit(): void {}

  /** Tells those that have waited enough; changes nothing in the store. */
  doWork(now: number): boolean {
    for (const watch of this.#answered.splice(0)) watch.done(true);
    if (this.#watches.size === 0 || now < this.#nextLookMs) return false;
    this.#nextLookMs = now + LOOK_MS;
    for (const [name, watch] of this.#watches) {
      if (now < watch.untilMs) continue;
      this.#watches.delete(name);
      watch.done(false);
    }
    return false;
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
