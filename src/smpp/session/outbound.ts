/**
 * What a connection writes beside submits: responses that are owed to the peer, and its own
 * enquire_link and unbind.
 *
 *   replies   (command_id, command_status, sequence_number) each, written before any submit
 *   arena     where PDUs are encoded; submit-writer.ts fills it, too
 *
 * What does not fit waits for the socket to drain. One thread.
 */
import {
  COMMAND_ID,
  encodeDeliverSmResp,
  encodeHeaderOnly,
  encodeMessageIdResp,
} from "../../codec/index.ts";
import type { Socket } from "../../environment.ts";
import type { Connection } from "./connection.ts";
import { IntQueue } from "../queue/int-queue.ts";
import { NO_BYTES } from "../record-stager.ts";
import { WriteArena } from "./write-arena.ts";

const REPLY_BYTES_MAX = 32;

export class Outbound {
  readonly arena = new WriteArena();
  readonly #connection: Connection;
  readonly #replies = new IntQueue(64);

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** PDUs that wait to be written. */
  get repliesCount(): number {
    return this.#replies.length / 3;
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

  /** Encodes what there is room for; returns the number of PDUs. */
  pump(socket: Socket): number {
    const { arena } = this;
    let count = 0;
    while (this.#replies.length > 0 && arena.reserve(REPLY_BYTES_MAX, 0, socket)) {
      const commandId = this.#replies.shift() >>> 0;
      const commandStatus = this.#replies.shift() >>> 0;
      const sequenceNumber = this.#replies.shift() >>> 0;
      const length = encodeReply(arena, commandId, commandStatus, sequenceNumber);
      this.#connection.noteWritten(arena, length);
      count++;
    }
    return count;
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
