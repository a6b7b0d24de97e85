/**
 * How the attempts in a session's window end: answered, overdue, or lost with the session. Each end
 * is one record.
 *
 *   written ──submit_sm_resp──► ANSWER       written ──session lost──► AMBIGUOUS (SESSION_LOST)
 *   written ──response timeout──► AMBIGUOUS (RESPONSE_TIMEOUT), tombstone ──late answer──► ANSWER
 *
 * One thread.
 */
import { Counter, Histogram } from "../../metrics/block.ts";
import { AmbiguousCause, Outcome } from "../../records/attempt.ts";
import { SessionWord } from "../../tables/link-table.ts";
import { classOfAnswer, outcomeOf, retryAfterMs } from "./answer.ts";
import type { WorkerContext } from "../context.ts";
import type { WorkerLink } from "../link.ts";
import type { Sender } from "../record-stager.ts";
import type { SessionTally } from "./session-tally.ts";
import { NO_SLOT, type Window } from "./window.ts";

/** The answer belongs to nothing in the window. */
export const UNMATCHED = -1;

export class OpenAttempts {
  readonly #context: WorkerContext;
  readonly #sender: Sender;
  readonly #link: WorkerLink;
  readonly #window: Window;
  readonly #tally: SessionTally;

  constructor(
    context: WorkerContext,
    sender: Sender,
    link: WorkerLink,
    window: Window,
    tally: SessionTally,
  ) {
    this.#context = context;
    this.#sender = sender;
    this.#link = link;
    this.#window = window;
    this.#tally = tally;
  }

  /** When the segment that this answers was written (monotonic ms), or UNMATCHED. */
  writtenAt(sequenceNumber: number): number {
    const slot = this.#window.find(sequenceNumber);
    return slot === NO_SLOT ? UNMATCHED : (this.#window.writtenAt[slot] as number);
  }

  /**
   * Records an answer; the SMSC's id is bytes [idStart, idEnd). Returns the class of its status
   * (index into STATUS_CLASSES) or UNMATCHED. There must be room in the staging ring.
   */
  answer(
    sequenceNumber: number,
    commandStatus: number,
    isNack: boolean,
    bytes: Uint8Array,
    idStart: number,
    idEnd: number,
  ): number {
    const { stager, queues, table, time, metrics, random } = this.#context;
    const window = this.#window;
    const slot = window.find(sequenceNumber);
    if (slot === NO_SLOT) {
      metrics.add(Counter.answersUnmatched, 1);
      return UNMATCHED;
    }
    const attempt = window.attempt[slot] as number;
    const isLate = window.isTombstone(slot);
    const { statusClasses, attemptsMax } = this.#link.profile;
    const statusClass = classOfAnswer(statusClasses, commandStatus, isNack);
    const mayKeep = !isLate && table.freeCount > 0;
    const outcome = outcomeOf(statusClass, attempt, attemptsMax, mayKeep);
    const retryMs = outcome === Outcome.RETRY ? retryAfterMs(attempt, random()) : 0;
    const end = outcome === Outcome.ACCEPTED ? idEnd : idStart;
    stager.stageAnswer(
      window,
      slot,
      this.#sender,
      time.wall,
      commandStatus,
      outcome,
      retryMs,
      bytes,
      idStart,
      end,
    );
    metrics.record(Histogram.answerLatency, time.now - (window.writtenAt[slot] as number));
    metrics.add(counterOf(outcome), 1);
    this.#tally.add(tallyWordOf(outcome));
    if (isLate) metrics.add(Counter.answersLate, 1);
    if (outcome === Outcome.KEPT) queues.keep(window, slot, this.#link);
    window.release(slot);
    return statusClass;
  }

  /** Records what is overdue as ambiguous, as far as there is room. */
  expire(): void {
    const { stager, time, metrics } = this.#context;
    const { responseTimeoutMs } = this.#link.config;
    const window = this.#window;
    for (let slot = window.oldestWritten(); slot !== NO_SLOT; slot = window.oldestWritten()) {
      const ageMs = time.now - (window.writtenAt[slot] as number);
      if (ageMs < responseTimeoutMs || !stager.hasRoom()) return;
      const cause = AmbiguousCause.RESPONSE_TIMEOUT;
      stager.stageAmbiguous(window, slot, this.#sender, time.wall, cause);
      metrics.add(Counter.segmentsAmbiguous, 1);
      this.#tally.add(SessionWord.AMBIGUOUS);
      window.bury(slot);
    }
  }

  /**
   * Records everything open as ambiguous: the session is lost. False: there was not room for all.
   */
  lose(): boolean {
    const { stager, time, metrics } = this.#context;
    const window = this.#window;
    for (let slot = window.oldestWritten(); slot !== NO_SLOT; slot = window.oldestWritten()) {
      if (!stager.hasRoom()) return false;
      const cause = AmbiguousCause.SESSION_LOST;
      stager.stageAmbiguous(window, slot, this.#sender, time.wall, cause);
      metrics.add(Counter.segmentsAmbiguous, 1);
      this.#tally.add(SessionWord.AMBIGUOUS);
      window.release(slot);
    }
    window.dropTombstones();
    return true;
  }
}

function counterOf(outcome: number): number {
  if (outcome === Outcome.ACCEPTED) return Counter.segmentsAccepted;
  if (outcome === Outcome.REJECTED || outcome === Outcome.EXHAUSTED) {
    return Counter.segmentsRejected;
  }
  return outcome === Outcome.KEPT ? Counter.segmentsThrottled : Counter.segmentsRetried;
}

function tallyWordOf(outcome: number): number {
  if (outcome === Outcome.ACCEPTED) return SessionWord.ACCEPTED;
  return outcome === Outcome.KEPT ? SessionWord.THROTTLED : SessionWord.REFUSED;
}
