/**
 * Writes the segments of one session whose SENDING is committed, each with its token and its place
 * in the window.
 *
 *   ready     segments committed, not written; only what is encoded here goes out
 *   inHand    tokens of what was encoded, until the kernel has it
 *
 * A token's rest begins when the kernel has the bytes, so a full chunk is handed over before the
 * next one is begun: what a token is in hand, its link goes without.
 *
 * One thread.
 */
import type { Socket } from "../environment.ts";
import { NO_TOKEN } from "../limit/contract.ts";
import { Counter, Histogram } from "../metrics/block.ts";
import { Accept, sendableFrom } from "../records/accept.ts";
import { SessionWord } from "../tables/link-table.ts";
import type { WorkerContext } from "./context.ts";
import { IntQueue } from "./queue/int-queue.ts";
import { CONTROL_BYTES_RESERVED, SUBMIT_BYTES_MAX, WRITTEN_PER_TURN_MAX } from "./pace/limits.ts";
import type { SmppSession } from "./session/session.ts";
import { ReadyQueue } from "./queue/ready-queue.ts";
import { attemptOf, partOf } from "./session/unwritten.ts";
import type { WriteArena } from "./session/write-arena.ts";

export class SubmitWriter {
  readonly #context: WorkerContext;
  readonly #session: SmppSession;
  readonly #ready = new ReadyQueue();
  readonly #inHand = new IntQueue(64);

  constructor(context: WorkerContext, session: SmppSession) {
    this.#context = context;
    this.#session = session;
  }

  /** Queues a segment whose SENDING is committed. */
  add(entry: number, segment: number): void {
    const { priority, appIndex } = this.#context.table;
    this.#ready.add(entry, segment, priority[entry] as number, appIndex[entry] as number);
  }

  /** Gives up what is ready: nothing of it was written. */
  abandon(): void {
    while (this.#ready.length > 0) {
      this.#ready.take();
      this.#context.unwritten.add(this.#ready.takenEntry, this.#ready.takenSegment, this.#session);
    }
  }

  /** Encodes what has a token and room in the arena; returns the number of PDUs. */
  pump(socket: Socket, arena: WriteArena): number {
    if (this.#ready.length === 0) return 0;
    let nowMs = this.#context.time.readMonotonic();
    const { link } = this.#session;
    let count = 0;
    while (this.#ready.length > 0 && count < WRITTEN_PER_TURN_MAX) {
      if (!arena.hasRoom(SUBMIT_BYTES_MAX) && arena.turnOver(socket)) {
        this.outputTaken();
        nowMs = this.#context.time.readMonotonic();
      }
      if (!arena.reserve(SUBMIT_BYTES_MAX, CONTROL_BYTES_RESERVED, socket)) break;
      const token = link.tryTakeToken(nowMs);
      if (token === NO_TOKEN) break;
      this.#inHand.push(token);
      this.#ready.take();
      this.#write(arena, this.#ready.takenEntry, this.#ready.takenSegment);
      count++;
    }
    return count;
  }

  /** What was encoded is the kernel's, or never will be: its tokens rest from now. */
  outputTaken(): void {
    if (this.#inHand.length === 0) return;
    const nowMs = this.#context.time.readMonotonic();
    while (this.#inHand.length > 0) this.#session.link.layToRest(this.#inHand.shift(), nowMs);
  }

  #write(arena: WriteArena, entry: number, segment: number): void {
    const { table, encoder, time, unwritten, queues, metrics } = this.#context;
    const { window, link } = this.#session;
    this.#session.reserved--;
    const slot = window.claim();
    table.inHand[0] = table.logOffset[entry] as number;
    const length = encoder.encode(
      arena.bytes,
      arena.at,
      window.sequenceNumberOf(slot),
      table.memoryOf(entry),
      table.recordOf(entry),
      partOf(segment),
      table.concatReference[entry] as number,
      time.wall,
      link.profile,
    );
    table.inHand[0] = -1;
    if (length < 0) {
      window.release(slot);
      this.#session.noteUnsendable(length);
      unwritten.addUnsendable(entry, segment, this.#session);
      return;
    }
    this.#session.main.noteWritten(arena, length);
    this.#fillSlot(slot, entry, segment);
    metrics.add(Counter.segmentsSent, 1);
    this.#session.tally.add(SessionWord.SENT);
    this.#countTime(entry);
    link.noteUnprepared(true);
    table.prepared[entry] = (table.prepared[entry] as number) - 1;
    // What is left of the message follows on this link only.
    table.linkId[entry] = link.id;
    queues.settle(entry);
  }

  #fillSlot(slot: number, entry: number, segment: number): void {
    const { table, time } = this.#context;
    const { window } = this.#session;
    window.keySequence[slot] = table.sequence[entry] as number;
    window.origin[slot] = table.origin[entry] as number;
    window.logOffset[slot] = table.logOffset[entry] as number;
    window.expiresAt[slot] = table.expiresAt[entry] as number;
    window.appIndex[slot] = table.appIndex[entry] as number;
    window.pool[slot] = table.pool[entry] as number;
    window.concatReference[slot] = table.concatReference[entry] as number;
    window.drawnAt[slot] = table.drawnAt[entry] as number;
    window.priority[slot] = table.priority[entry] as number;
    window.producer[slot] = table.producer[entry] as number;
    window.flags[slot] = table.flags[entry] as number;
    window.part[slot] = partOf(segment);
    window.attempt[slot] = attemptOf(segment);
    window.writtenAt[slot] = time.now;
  }

  #countTime(entry: number): void {
    const { table, metrics, time } = this.#context;
    const record = table.recordOf(entry);
    const { view } = table.memoryOf(entry);
    const acceptedAt = view.getFloat64(record + Accept.ACCEPTED_AT, true);
    metrics.record(Histogram.submitLatency, time.wall - acceptedAt);
    const waitedMs = time.wall - sendableFrom(view, record);
    this.#context.countWait(table.pool[entry] as number, table.priority[entry] as number, waitedMs);
  }
}
