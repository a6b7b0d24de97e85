/** A journal that commits at once and keeps nothing, for benches of what is around it. */
import { JournalAppender } from "../../src/journal/appender.ts";
import {
  COMMIT_NOTICE_BYTES,
  COMMIT_NOTICE_TYPE,
  CommitNotice,
} from "../../src/records/commit-notice.ts";
import { Doorbell } from "../../src/ring/doorbell.ts";
import { allocateRing, RING_FULL } from "../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";

const RING_BYTES = 1 << 22;

/** One appender, and commits that keep nothing. */
export class InstantJournal {
  readonly #staging = new RingMemory(allocateRing(RING_BYTES));
  readonly #notices = new RingMemory(allocateRing(RING_BYTES));
  readonly #consumer = new RingConsumer(this.#staging);
  readonly #noticeProducer = new RingProducer(this.#notices);
  #logOffset = 0;

  /** To be called once. */
  appender(): JournalAppender {
    const notices = new RingConsumer(this.#notices);
    return new JournalAppender(new RingProducer(this.#staging), notices, silentBell());
  }

  /** Commits whatever is staged. */
  commit(): void {
    for (let run = this.#consumer.takeRun(RING_BYTES); run > 0; ) {
      const at = this.#noticeProducer.claim(COMMIT_NOTICE_BYTES, COMMIT_NOTICE_TYPE, 1, 0);
      if (at === RING_FULL) throw new Error("notice ring is full");
      const { view } = this.#noticeProducer;
      view.setFloat64(at + CommitNotice.LOG_OFFSET, this.#logOffset, true);
      view.setInt32(at + CommitNotice.END_POSITION, this.#consumer.readPosition, true);
      this.#noticeProducer.publish();
      this.#logOffset += run;
      run = this.#consumer.takeRun(RING_BYTES);
    }
  }
}

/** A bell that wakes nobody. */
export function silentBell(): Doorbell {
  return new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0, () => undefined);
}
