/**
 * Questions of one ingress thread to the ledger thread, over a port, and the ledger's orders to it.
 *
 *   ask ─► port ─► answered              ─► done(answer)
 *            └───► its time is over      ─► done("late") ─► answered after all ─► tooLate(answer)
 *
 * Bounded in number: what is late counts until the ledger has answered it, so a ledger that stands
 * still is soon asked nothing more. One instance per ingress thread, used by it only.
 */
import type { MessagePort } from "node:worker_threads";
import type { Clock } from "../environment.ts";
import type { CancelOrder } from "../ledger/flow/cancels.ts";
import type { LedgerAnswer, LedgerOrder, LedgerQuestion } from "./thread-data.ts";

/** Questions that may wait for the ledger at once. */
export const QUESTIONS_MAX = 4096;
/**
 * Longest that a caller waits for the ledger, beyond what it asked to wait: more than a list or a
 * commit on a slow disk takes, and less than clients wait for an answer as a rule.
 */
export const QUESTION_MS_MAX = 5000;
const LOOK_MS = 250;

type Asked = Extract<LedgerQuestion, { question: number }>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

interface Waiting {
  readonly done: (document: unknown) => void;
  readonly tooLate: (document: unknown) => void;
  /** Monotonic. */
  readonly deadlineMs: number;
  /** Whether it waits for the operator, not for the ledger. */
  readonly isPatient: boolean;
  isLate: boolean;
}

const NOTHING = (): void => undefined;

export class LedgerQuestions {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #onCancel: (order: CancelOrder) => void = (order) => this.refuseCancel(order);
  #last = 0;

  constructor(port: MessagePort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
    port.on("message", (answer: LedgerAnswer | LedgerOrder) => {
      if ("cancel" in answer) {
        this.#onCancel(answer.cancel);
        return;
      }
      const asked = this.#waiting.get(answer.question);
      this.#waiting.delete(answer.question);
      if (asked?.isLate === true) asked.tooLate(answer.document);
      else asked?.done(answer.document);
    });
    setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Whether nobody waits for an answer that the ledger could give now. */
  get isQuiet(): boolean {
    for (const { isLate, isPatient } of this.#waiting.values()) {
      if (!isLate && !isPatient) return false;
    }
    return true;
  }

  /** Who takes messages back that this thread owns. */
  onCancel(cancel: (order: CancelOrder) => void): void {
    this.#onCancel = cancel;
  }

  /** Tells the ledger that this thread does not give a message up. */
  refuseCancel({ sequence, origin }: CancelOrder): void {
    this.#port.postMessage({ kind: "cancel_refused", sequence, origin } satisfies LedgerQuestion);
  }

  /**
   * Asks, unless `QUESTIONS_MAX` wait already: then false, and `done` is never called. Else `done`
   * is called once, with the answer, or with "late" after `QUESTION_MS_MAX`; `tooLate` with an
   * answer that comes after that.
   */
  ask(
    question: DistributiveOmit<Asked, "question">,
    done: (document: unknown) => void,
    tooLate: (document: unknown) => void = NOTHING,
  ): boolean {
    if (this.#waiting.size >= QUESTIONS_MAX) return false;
    const isPatient = question.kind === "answer";
    const waitMs = QUESTION_MS_MAX + (question.kind === "answer" ? question.waitMs : 0);
    const deadlineMs = this.#clock.monotonicMs() + waitMs;
    this.#last += 1;
    this.#waiting.set(this.#last, { done, tooLate, deadlineMs, isPatient, isLate: false });
    this.#port.postMessage({ ...question, question: this.#last });
    return true;
  }

  /** Tells those whose time is over. */
  look(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const asked of this.#waiting.values()) {
      if (asked.isLate || nowMs < asked.deadlineMs) continue;
      asked.isLate = true;
      asked.done("late");
    }
  }
}
