/**
 * The input of one connection: PDUs out of a byte stream, one by one, and only while there is room
 * for what they cause.
 *
 *   bytes ──► whole PDU? ──► room in the staging ring, and not too many responses owed? ──► readPdu
 *                 └── wait      └── pause the socket; `readWaiting` goes on later. None is dropped
 *
 * A frame that cannot be is the end of the connection (`refuseFrame`). One thread.
 */
import { NEED_MORE, readFrame } from "../../codec/index.ts";
import type { Socket } from "../../environment.ts";
import type { Connection } from "./connection.ts";
import type { WorkerContext } from "../context.ts";
import { InboundBuffer } from "./inbound-buffer.ts";
import { INBOUND_BYTES_MAX, OWED_RESPONSES_MAX } from "../pace/limits.ts";
import { readPdu } from "./pdu-reader.ts";

export class Inbound {
  /** Nothing more is read on this connection; set by the session. */
  isIgnored = false;
  readonly #context: WorkerContext;
  readonly #connection: Connection;
  readonly #buffer = new InboundBuffer();

  constructor(context: WorkerContext, connection: Connection) {
    this.#context = context;
    this.#connection = connection;
  }

  /** For a new connection. */
  reset(): void {
    this.isIgnored = false;
    this.#buffer.clear();
  }

  /** Bytes [start, end) came in; they are valid during the call only. */
  receive(socket: Socket, bytes: Uint8Array, start: number, end: number): void {
    if (this.isIgnored) return;
    const { times } = this.#connection;
    if (times.pausedSince < 0 && this.#buffer.length === 0) {
      const read = this.#read(socket, bytes, start, end);
      if (read < end && !this.isIgnored) this.#buffer.append(bytes, read, end);
      return;
    }
    this.#buffer.append(bytes, start, end);
    if (times.pausedSince < 0) this.#readBuffer(socket);
    else if (this.#buffer.length > INBOUND_BYTES_MAX) {
      this.#connection.end("the peer sends on although nothing is read");
    }
  }

  /** Reads on after a pause. Returns whether the socket flows again. */
  readWaiting(socket: Socket): boolean {
    const { times } = this.#connection;
    if (2 * this.#connection.owedCount > OWED_RESPONSES_MAX) return false;
    times.owedSince = -1;
    if (!this.#context.stager.hasRoom()) return false;
    times.pausedSince = -1;
    this.#readBuffer(socket);
    if (times.pausedSince >= 0) return false;
    socket.resume();
    return true;
  }

  /** Reads what a socket has left behind that is gone. False: not all of it could be read yet. */
  readRest(): boolean {
    const { times } = this.#connection;
    times.pausedSince = -1;
    this.#readBuffer(null);
    if (times.pausedSince >= 0) return false;
    this.#buffer.clear();
    return true;
  }

  #readBuffer(socket: Socket | null): void {
    const buffer = this.#buffer;
    const read = this.#read(socket, buffer.bytes, buffer.start, buffer.end);
    if (this.isIgnored) buffer.clear();
    else buffer.consumeTo(read);
  }

  /** Reads whole PDUs; returns where it stopped. */
  #read(socket: Socket | null, bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (!this.isIgnored) {
      const length = readFrame(bytes, at, end);
      if (length === NEED_MORE) break;
      if (length < 0) {
        this.#connection.refuseFrame(bytes, at, end, length);
        return end;
      }
      if (!this.#mayRead(socket)) break;
      // Any PDU answers an enquire_link (spec 4.11); a few of its bytes do not.
      this.#connection.times.lastPduAt = this.#context.time.now;
      this.#connection.times.enquireSentAt = -1;
      const { generation, recorder } = this.#connection;
      recorder.noteInbound(generation, this.#context.time.wall, bytes, at, at + length);
      readPdu(this.#connection, this.#context.receipts, bytes, at, at + length);
      at += length;
    }
    return at;
  }

  /**
   * Whether one more PDU can be read; otherwise pauses the socket. What a dead socket left owes no
   * response.
   */
  #mayRead(socket: Socket | null): boolean {
    const { times } = this.#connection;
    const { stager, time } = this.#context;
    const floods = socket !== null && this.#connection.owedCount >= OWED_RESPONSES_MAX;
    if (!floods && stager.hasRoom()) return true;
    if (floods && times.owedSince < 0) times.owedSince = time.now;
    if (times.pausedSince < 0) {
      times.pausedSince = time.now;
      socket?.pause();
    }
    return false;
  }
}
