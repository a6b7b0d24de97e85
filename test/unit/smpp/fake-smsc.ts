/**
 * The operator's end of simulated sockets: decodes what the worker writes, and answers as the test
 * says.
 *
 * Events reach the worker between its turns, when the world runs them, never from inside a call. A
 * buffer that changes between `write` and `onDrain` fails the test.
 */
import assert from "node:assert/strict";
import {
  COMMAND_ID,
  COMMAND_STATUS,
  decodeSm,
  encodeBindResp,
  encodeHeaderOnly,
  encodeSubmitSmResp,
  readCommandId,
  readCommandStatus,
  readFrame,
  readSequenceNumber,
  responseIdOf,
  SmView,
} from "../../../src/codec/index.ts";
import type { Dial, Socket, SocketEvents } from "../../../src/environment.ts";

export interface Pdu {
  readonly commandId: number;
  readonly commandStatus: number;
  readonly sequenceNumber: number;
  readonly bytes: Uint8Array;
  /** Simulated ms of the write. */
  readonly atMs: number;
}

export interface SubmitFields {
  readonly to: string;
  readonly from: string;
  readonly sourceTon: number;
  readonly sourceNpi: number;
  readonly destTon: number;
  readonly destNpi: number;
  readonly esmClass: number;
  readonly protocolId: number;
  readonly priorityFlag: number;
  readonly dataCoding: number;
  readonly registeredDelivery: number;
  readonly validity: string;
  readonly shortMessage: Uint8Array;
}

export function decodeSubmit(pdu: Pdu): SubmitFields {
  const view = new SmView();
  assert.equal(decodeSm(pdu.bytes, 0, pdu.bytes.length, view), 0);
  const text = (start: number, end: number): string =>
    Buffer.from(pdu.bytes.subarray(start, end)).toString("latin1");
  return {
    to: text(view.destinationAddrStart, view.destinationAddrEnd),
    from: text(view.sourceAddrStart, view.sourceAddrEnd),
    sourceTon: view.sourceAddrTon,
    sourceNpi: view.sourceAddrNpi,
    destTon: view.destAddrTon,
    destNpi: view.destAddrNpi,
    esmClass: view.esmClass,
    protocolId: view.protocolId,
    priorityFlag: view.priorityFlag,
    dataCoding: view.dataCoding,
    registeredDelivery: view.registeredDelivery,
    validity: text(view.validityPeriodStart, view.validityPeriodEnd),
    shortMessage: pdu.bytes.slice(view.shortMessageStart, view.shortMessageEnd),
  };
}

/** What the SMSC does with a submit: a command_status, an SMSC id, or nothing. */
export type SubmitAnswer = number | string | null;

export class FakeSocket implements Socket {
  readonly port: number;
  readonly received: Pdu[] = [];
  isPaused = false;
  isClosed = false;
  endCause = "";
  /** The socket takes no bytes: no drain. */
  isStuck = false;
  readonly #smsc: FakeSmsc;
  readonly #events: SocketEvents;
  #stream = new Uint8Array(0);
  #isDrainDue = false;
  readonly #undrained: { bytes: Uint8Array; start: number; copy: Uint8Array }[] = [];
  readonly #held: Uint8Array[] = [];

  constructor(smsc: FakeSmsc, port: number, events: SocketEvents) {
    this.#smsc = smsc;
    this.port = port;
    this.#events = events;
  }

  // The worker's side.

  write(bytes: Uint8Array, start: number, end: number): void {
    assert.ok(!this.isClosed, "write to a closed socket");
    assert.ok(end > start, "empty write");
    const copy = bytes.slice(start, end);
    this.#undrained.push({ bytes, start, copy });
    this.#isDrainDue = true;
    if (!this.isStuck) this.#smsc.later(() => this.drain());
    const joined = new Uint8Array(this.#stream.length + copy.length);
    joined.set(this.#stream);
    joined.set(copy, this.#stream.length);
    let at = 0;
    for (;;) {
      const length = readFrame(joined, at, joined.length);
      if (length < 0) break;
      this.#receive(joined.slice(at, at + length));
      at += length;
    }
    this.#stream = joined.slice(at);
  }

  get isDrained(): boolean {
    if (!this.isStuck) this.#compareUndrained();
    return !this.isStuck;
  }

  end(): void {
    this.#close("ended");
  }

  destroy(cause: string): void {
    this.#close(cause);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#smsc.later(() => {
      while (!this.isPaused && this.#held.length > 0) this.#deliver(this.#held.shift()!);
    });
  }

  // The operator's side.

  connect(): void {
    this.#smsc.later(() => {
      if (!this.isClosed) this.#events.onConnect();
    });
  }

  /** Sends bytes to the worker. */
  send(bytes: Uint8Array): void {
    const copy = bytes.slice();
    this.#smsc.later(() => this.#deliver(copy));
  }

  /** The peer's end closes, or the network does. */
  cut(cause: string): void {
    this.#close(cause);
  }

  drain(): void {
    if (this.isClosed || !this.#isDrainDue) return;
    this.#isDrainDue = false;
    this.#compareUndrained();
    this.#events.onDrain();
  }

  #compareUndrained(): void {
    for (const { bytes, start, copy } of this.#undrained) {
      assert.deepEqual(bytes.slice(start, start + copy.length), copy, "buffer changed too early");
    }
    this.#undrained.length = 0;
  }

  submits(): Pdu[] {
    return this.received.filter((pdu) => pdu.commandId === COMMAND_ID.submit_sm);
  }

  /** PDUs of one kind. */
  of(commandId: number): Pdu[] {
    return this.received.filter((pdu) => pdu.commandId === commandId);
  }

  respond(commandId: number, commandStatus: number, sequenceNumber: number): void {
    const out = new Uint8Array(16);
    encodeHeaderOnly(commandId, out, 0, commandStatus, sequenceNumber);
    this.send(out);
  }

  /** Answers a submit with a status, or positively with an id. */
  answer(pdu: Pdu, answer: number | string): void {
    const out = new Uint8Array(128);
    const id = Buffer.from(typeof answer === "string" ? answer : "", "latin1");
    const status = typeof answer === "number" ? answer : 0;
    const length = encodeSubmitSmResp(out, 0, status, pdu.sequenceNumber, id, 0, id.length);
    this.send(out.subarray(0, length));
  }

  #receive(bytes: Uint8Array): void {
    const pdu: Pdu = {
      commandId: readCommandId(bytes, 0),
      commandStatus: readCommandStatus(bytes, 0),
      sequenceNumber: readSequenceNumber(bytes, 0),
      bytes,
      atMs: this.#smsc.nowMs(),
    };
    this.received.push(pdu);
    this.#smsc.react(this, pdu);
  }

  #deliver(bytes: Uint8Array): void {
    if (this.isClosed) return;
    if (this.isPaused) {
      this.#held.push(bytes);
      return;
    }
    for (const piece of this.#smsc.split(bytes)) {
      if (this.isClosed) return;
      if (this.isPaused) {
        this.#held.push(piece);
        continue;
      }
      // Lent for the call only.
      const lent = new Uint8Array(piece.length + 6);
      lent.set(piece, 3);
      this.#events.onData(lent, 3, 3 + piece.length);
      lent.fill(0xee);
    }
  }

  #close(cause: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.endCause = cause;
    this.#smsc.later(() => this.#events.onClose(cause));
  }
}

/** One operator for all ports; tests set its manners. */
export class FakeSmsc {
  readonly sockets: FakeSocket[] = [];
  nowMs: () => number;
  /** Refuse the connection, leave it hanging, or take it. */
  greeting: "accept" | "refuse" | "hang" = "accept";
  bindStatus: number | null = 0;
  /** By command_id of the bind: instead of `bindStatus`; "nack" answers with generic_nack 03. */
  bindStatuses: Readonly<Record<number, number | "nack">> = {};
  answersEnquireLink = true;
  answersUnbind = true;
  onSubmit: (pdu: Pdu, socket: FakeSocket) => SubmitAnswer = () => null;
  /** Bytes per piece that reaches the worker; 0 = whole. */
  pieceBytes = 0;
  readonly #later: (() => void)[] = [];
  #ids = 0;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  readonly dial: Dial = (_host, port, events) => {
    const socket = new FakeSocket(this, port, events);
    this.sockets.push(socket);
    if (this.greeting === "refuse") socket.cut("ECONNREFUSED");
    else if (this.greeting === "accept") socket.connect();
    return socket;
  };

  /** The last socket that was dialled (to a port). */
  last(port?: number): FakeSocket {
    const found = this.sockets.findLast((socket) => port === undefined || socket.port === port);
    assert.ok(found, "nothing was dialled");
    return found;
  }

  open(): FakeSocket[] {
    return this.sockets.filter((socket) => !socket.isClosed);
  }

  /** All submits over all sockets, in order of writing. */
  submits(): Pdu[] {
    return this.sockets.flatMap((socket) => socket.submits()).sort((a, b) => a.atMs - b.atMs);
  }

  later(run: () => void): void {
    this.#later.push(run);
  }

  /** Runs the events that are due; returns how many. */
  runEvents(): number {
    const due = this.#later.splice(0);
    for (const run of due) run();
    return due.length;
  }

  split(bytes: Uint8Array): Uint8Array[] {
    if (this.pieceBytes === 0) return [bytes];
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += this.pieceBytes) {
      pieces.push(bytes.subarray(at, at + this.pieceBytes));
    }
    return pieces;
  }

  nextId(): string {
    this.#ids++;
    return `id-${this.#ids}`;
  }

  react(socket: FakeSocket, pdu: Pdu): void {
    if (isBind(pdu.commandId)) {
      this.#answerBind(socket, pdu);
    } else if (pdu.commandId === COMMAND_ID.enquire_link && this.answersEnquireLink) {
      socket.respond(responseIdOf(pdu.commandId), 0, pdu.sequenceNumber);
    } else if (pdu.commandId === COMMAND_ID.unbind && this.answersUnbind) {
      socket.respond(responseIdOf(pdu.commandId), 0, pdu.sequenceNumber);
    } else if (pdu.commandId === COMMAND_ID.submit_sm) {
      const answer = this.onSubmit(pdu, socket);
      if (answer !== null) socket.answer(pdu, answer);
    }
  }

  #answerBind(socket: FakeSocket, { commandId, sequenceNumber }: Pdu): void {
    const status = this.bindStatuses[commandId] ?? this.bindStatus;
    if (status === null) return;
    if (status === "nack") {
      socket.respond(COMMAND_ID.generic_nack, COMMAND_STATUS.ESME_RINVCMDID, sequenceNumber);
      return;
    }
    const out = new Uint8Array(64);
    const id = responseIdOf(commandId);
    const length = encodeBindResp(id, out, 0, status, sequenceNumber, "smsc", 0x34);
    socket.send(out.subarray(0, length));
  }
}

export function isBind(commandId: number): boolean {
  return (
    commandId === COMMAND_ID.bind_transceiver ||
    commandId === COMMAND_ID.bind_transmitter ||
    commandId === COMMAND_ID.bind_receiver
  );
}
