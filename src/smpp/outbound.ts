/**
 * What a session writes: responses and link PDUs first, then segments whose SENDING is committed,
 * each with its token.
 *
 *   replies   (command_id, command_status, sequence_number): what is owed to the peer, and our own
 *             enquire_link and unbind
 *   ready     (entry, segment): committed, not written; only what is encoded here goes out
 *
 * One write per pump and buffer; what does not fit waits for the socket to drain. One thread.
 */
import {
  COMMAND_ID,
  encodeDeliverSmResp,
  encodeHeaderOnly,
  encodeMessageIdResp,
} from "../codec/index.ts";
import type { Socket } from "../environment.ts";
import { Counter, Histogram } from "../metrics/block.ts";
import { Accept } from "../records/accept.ts";
import type { WorkerContext } from "./context.ts";
import { IntQueue } from "./int-queue.ts";
import { CONTROL_BYTES_RESERVED, SUBMIT_BYTES_MAX } from "./limits.ts";
import { NO_BYTES } from "./record-stager.ts";
import type { SmppSession } from "./session.ts";
import { attemptOf, partOf } from "./unwritten.ts";
import { WriteArena } from "./write-arena.ts";

const REPLY_BYTES_MAX = 32;

export class Outbound {
  readonly arena = new WriteArena();
  readonly #context: WorkerContext;
  readonly #session: SmppSession;
  readonly #replies = new IntQueue(64);
  readonly #ready = new IntQueue(64);

  constructor(context: WorkerContext, session: SmppSession) {
    this.#context = context;
    this.#session = session;
  }

  /** PDUs without segments that wait to be written. */
  get repliesCount(): number {
    return this.#replies.length / 3;
  }

  get readyCount(): number {
    return this.#ready.length / 2;
  }

  /** For a new connection. */
  reset(): void {
    this.arena.reset();
    this.#replies.clear();
  }

  /** Queues a PDU that is a header, or a response with an empty message_id. */
  reply(commandId: number, commandStatus: number, sequenceNumber: number): void {
    this.#replies.push(commandId);
    this.#replies.push(commandStatus);
    this.#replies.push(sequenceNumber);
  }

  /** Queues a segment whose SENDING is committed. */
  addReady(entry: number, segment: number): void {
    this.#ready.push(entry);
    this.#ready.push(segment);
  }

  /** Gives up what is ready: nothing of it was written. */
  abandonReady(): void {
    while (this.#ready.length > 0) {
      const entry = this.#ready.shift();
      this.#context.unwritten.add(entry, this.#ready.shift(), this.#session);
    }
  }

  /** Writes what can be written now; returns the number of PDUs. */
  pump(socket: Socket, withSubmits: boolean): number {
    let count = this.#pumpReplies(socket);
    if (withSubmits && this.#ready.length > 0) count += this.#pumpSubmits(socket);
    this.arena.flush(socket);
    return count;
  }

  #pumpReplies(socket: Socket): number {
    const { arena } = this;
    let count = 0;
    while (this.#replies.length > 0 && arena.reserve(REPLY_BYTES_MAX, 0, socket)) {
      const commandId = this.#replies.shift() >>> 0;
      const commandStatus = this.#replies.shift() >>> 0;
      const sequenceNumber = this.#replies.shift() >>> 0;
      arena.advance(encodeReply(arena, commandId, commandStatus, sequenceNumber));
      count++;
    }
    return count;
  }

  #pumpSubmits(socket: Socket): number {
    const { now } = this.#context.time;
    const { link } = this.#session;
    let count = 0;
    while (
      this.#ready.length > 0 &&
      this.arena.reserve(SUBMIT_BYTES_MAX, CONTROL_BYTES_RESERVED, socket) &&
      link.tryTakeToken(now)
    ) {
      const entry = this.#ready.shift();
      this.#write(entry, this.#ready.shift());
      count++;
    }
    return count;
  }

  #write(entry: number, segment: number): void {
    const { table, encoder, time, unwritten, queues, metrics } = this.#context;
    const { window, link } = this.#session;
    const { arena } = this;
    this.#session.reserved--;
    const slot = window.claim();
    const length = encoder.encode(
      arena.bytes,
      arena.at,
      window.sequenceNumberOf(slot),
      table.memoryOf(entry),
      table.recordOf(entry),
      partOf(segment),
      time.wall,
    );
    if (length < 0) {
      window.release(slot);
      this.#session.noteUnsendable(length);
      unwritten.addUnsendable(entry, segment, this.#session);
      return;
    }
    arena.advance(length);
    this.#fillSlot(slot, entry, segment);
    metrics.add(Counter.segmentsSent, 1);
    metrics.record(Histogram.submitLatency, time.wall - this.#acceptedAt(entry));
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
    window.priority[slot] = table.priority[entry] as number;
    window.producer[slot] = table.producer[entry] as number;
    window.flags[slot] = table.flags[entry] as number;
    window.part[slot] = partOf(segment);
    window.attempt[slot] = attemptOf(segment);
    window.writtenAt[slot] = time.now;
  }

  #acceptedAt(entry: number): number {
    const { table } = this.#context;
    const record = table.recordOf(entry);
    return table.memoryOf(entry).view.getFloat64(record + Accept.ACCEPTED_AT, true);
  }
}

function encodeReply(
  arena: WriteArena,
  commandId: number,
  commandStatus: number,
  sequenceNumber: number,
): number {
  if (commandId === COMMAND_ID.deliver_sm_resp) {
    return encodeDeliverSmResp(arena.bytes, arena.at, commandStatus, sequenceNumber);
  }
  if (commandId === COMMAND_ID.data_sm_resp) {
    return encodeMessageIdResp(
      commandId,
      arena.bytes,
      arena.at,
      commandStatus,
      sequenceNumber,
      NO_BYTES,
      0,
      0,
    );
  }
  return encodeHeaderOnly(commandId, arena.bytes, arena.at, commandStatus, sequenceNumber);
}
