/**
 * A thread's way into the journal: stage records, learn when they are committed and where they lie
 * in the log.
 *
 *   staging ring   retired ....... claimed        the journal reads behind a cursor of its own
 *                     |  records whose commit this thread has not seen; their bytes stay readable
 *
 * The journal answers with COMMIT_NOTICEs in order (docs/JOURNAL.md, order rule a). One thread per
 * instance.
 */
import { alignRecord, PADDING_TYPE, RING_EMPTY } from "../ring/layout.ts";
import type { Doorbell } from "../ring/doorbell.ts";
import type { RingConsumer, RingProducer } from "../ring/one-to-one-ring.ts";
import { CommitNotice } from "../records/commit-notice.ts";
import type { RecordMemory } from "../records/memory.ts";
import { RECORD_FLAGS_PLAIN, RECORD_VERSION } from "../records/types.ts";

/** Is told of every committed record of its own thread, in order of staging. */
export interface CommitVisitor {
  /**
   * The record lies at `offset` of the staging memory during the call, and at `logOffset` in the
   * log for good.
   */
  onCommitted(type: number, offset: number, lengthBytes: number, logOffset: number): void;
}

export class JournalAppender {
  /** The staging ring's memory; claimed records are written here. */
  readonly memory: RecordMemory;
  readonly #staging: RingProducer;
  readonly #notices: RingConsumer;
  readonly #bell: Doorbell;
  readonly #mask: number;
  #retired: number;

  constructor(staging: RingProducer, notices: RingConsumer, bell: Doorbell) {
    this.memory = staging;
    this.#staging = staging;
    this.#notices = notices;
    this.#bell = bell;
    this.#mask = staging.capacityBytes - 1;
    this.#retired = staging.claimedPosition;
  }

  /**
   * Claims a record of `lengthBytes`, header included and written. Returns its offset in `memory`,
   * or RING_FULL.
   */
  claim(lengthBytes: number, type: number): number {
    return this.#staging.claim(lengthBytes, type, RECORD_VERSION, RECORD_FLAGS_PLAIN);
  }

  /** Whether records with `footprintBytes` in all would find room now. */
  hasRoom(footprintBytes: number): boolean {
    return this.#staging.hasRoom(footprintBytes);
  }

  /** Hands every claimed record to the journal. */
  publish(): void {
    this.#staging.publish();
    this.#bell.ring();
  }

  /** Bytes that may be staged at once. */
  get stagedBytesMax(): number {
    return this.#mask + 1;
  }

  /** Bytes staged whose commit was not seen yet. */
  pendingBytes(): number {
    return (this.#staging.claimedPosition - this.#retired) | 0;
  }

  /** Whether a commit waits to be seen. */
  hasNotices(): boolean {
    return this.#notices.hasRecords();
  }

  /**
   * Tells `visitor` of every record committed since the last call, frees their room, returns their
   * number.
   */
  pollCommitted(visitor: CommitVisitor): number {
    let count = 0;
    let frees = false;
    for (;;) {
      const notice = this.#notices.next();
      if (notice === RING_EMPTY) break;
      const { view } = this.#notices;
      const end = view.getInt32(notice + CommitNotice.END_POSITION, true);
      const logOffset = view.getFloat64(notice + CommitNotice.LOG_OFFSET, true);
      count += this.#visitRun(end, logOffset, visitor);
      this.#notices.release();
      frees = true;
    }
    // The journal passes by a ring without room for notices; now there may be room.
    if (frees && this.pendingBytes() > 0) this.#bell.ring();
    return count;
  }

  #visitRun(end: number, runLogOffset: number, visitor: CommitVisitor): number {
    const { view } = this.memory;
    const start = this.#retired;
    let count = 0;
    for (let position = start; position !== end; ) {
      const offset = position & this.#mask;
      const lengthBytes = view.getUint32(offset, true);
      const type = view.getUint8(offset + 4);
      if (type !== PADDING_TYPE) {
        visitor.onCommitted(type, offset, lengthBytes, runLogOffset + ((position - start) | 0));
        count++;
      }
      position = (position + alignRecord(lengthBytes)) | 0;
    }
    this.#retired = end;
    this.#staging.releaseTo(end);
    return count;
  }
}
