/**
 * Stages the ledger's own records: STARTED once, CONCLUDED for messages that it owns and gives up,
 * RESOLVED for held ones that somebody decided about.
 *
 * Staged records come back through the log and change states only then. The ledger's thread only.
 */
import type { Clock } from "../environment.ts";
import type { JournalAppender } from "../journal/appender.ts";
import { Counter, type MetricBlock } from "../metrics/block.ts";
import { CONCLUDED_BYTES, CONCLUDED_TYPE, Concluded } from "../records/concluded.ts";
import { Resolved, RESOLVED_BYTES, RESOLVED_TYPE } from "../records/resolved.ts";
import { Started, STARTED_TYPE } from "../records/started.ts";
import { RING_FULL } from "../ring/layout.ts";

export class Conclusions {
  readonly #appender: JournalAppender;
  readonly #clock: Clock;
  readonly #metrics: MetricBlock;
  #isStaged = false;

  constructor(appender: JournalAppender, clock: Clock, metrics: MetricBlock) {
    this.#appender = appender;
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** Stages STARTED; false if there is no room now. */
  start(node: string, epoch: number): boolean {
    const lengthBytes = Started.NODE + node.length;
    const at = this.#appender.claim(lengthBytes, STARTED_TYPE);
    if (at === RING_FULL) return false;
    const { view, bytes } = this.#appender.memory;
    view.setFloat64(at + Started.AT, this.#clock.wallMs(), true);
    view.setUint32(at + Started.EPOCH, epoch, true);
    view.setUint32(at + Started.NODE_LENGTH, node.length, true);
    for (let i = 0; i < node.length; i++) bytes[at + Started.NODE + i] = node.charCodeAt(i);
    this.#isStaged = true;
    return true;
  }

  /** Stages CONCLUDED; false if there is no room now. */
  conclude(sequence: number, origin: number, verdict: number): boolean {
    const at = this.#appender.claim(CONCLUDED_BYTES, CONCLUDED_TYPE);
    if (at === RING_FULL) return false;
    const { view } = this.#appender.memory;
    view.setFloat64(at + Concluded.SEQUENCE, sequence, true);
    view.setUint32(at + Concluded.ORIGIN, origin, true);
    view.setUint32(at + Concluded.VERDICT, verdict, true);
    view.setFloat64(at + Concluded.AT, this.#clock.wallMs(), true);
    this.#metrics.add(Counter.messagesConcluded, 1);
    this.#isStaged = true;
    return true;
  }

  /** Stages RESOLVED with a `Decision`; false if there is no room now. */
  resolve(sequence: number, origin: number, decision: number): boolean {
    const at = this.#appender.claim(RESOLVED_BYTES, RESOLVED_TYPE);
    if (at === RING_FULL) return false;
    const { view } = this.#appender.memory;
    view.setFloat64(at + Resolved.SEQUENCE, sequence, true);
    view.setUint32(at + Resolved.ORIGIN, origin, true);
    view.setUint32(at + Resolved.DECISION, decision, true);
    view.setFloat64(at + Resolved.AT, this.#clock.wallMs(), true);
    this.#isStaged = true;
    return true;
  }

  /** Hands what was staged to the journal. */
  publish(): void {
    if (!this.#isStaged) return;
    this.#isStaged = false;
    this.#appender.publish();
  }
}
