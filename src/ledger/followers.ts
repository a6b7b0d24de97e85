/**
 * What the ledger itself keeps beside the states: the index of each app, the order of endings, the
 * events, dead letters, and which messages are held. The ledger's thread only.
 */
import type { DeadLetters } from "./flow/dead-letters.ts";
import type { Endings } from "./endings.ts";
import type { HeldMessages } from "./flow/held.ts";
import type { MessageIndex } from "./messages/message-index.ts";
import type { MessageState } from "./messages/message-state.ts";
import type { PartRecord } from "./messages/part-state.ts";
import type { OutcomeObserver } from "./outcomes.ts";
import type { Outbox } from "./outbox.ts";

export class Followers implements OutcomeObserver {
  readonly #endings: Endings;
  readonly #index: MessageIndex;
  readonly #outbox: Outbox;
  readonly #held: HeldMessages;
  readonly #deadLetters: DeadLetters;

  constructor(
    endings: Endings,
    index: MessageIndex,
    outbox: Outbox,
    held: HeldMessages,
    deadLetters: DeadLetters,
  ) {
    this.#endings = endings;
    this.#index = index;
    this.#outbox = outbox;
    this.#held = held;
    this.#deadLetters = deadLetters;
  }

  onPartFinal(message: MessageState, part: number): void {
    this.#deadLetters.notePart(message, message.parts[part] as PartRecord);
  }

  onStatus(message: MessageState, before: number): void {
    if (before < 0) this.#index.note(message);
    if (message.finalAt !== 0) this.#endings.note(message);
    this.#outbox.note(message);
    this.#held.note(message, before);
  }

  onDuplicate(): void {}

  onRefused(): void {}

  onKeyed(): void {}

  beforeCommit(): void {
    this.#index.write();
    this.#endings.write();
    this.#outbox.write();
    this.#deadLetters.beforeCommit();
  }

  doWork(now: number): boolean {
    const removed = this.#index.tidy(now);
    return this.#outbox.age(now) || removed > 0;
  }
}
