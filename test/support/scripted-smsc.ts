/**
 * An SMSC on real sockets that does what a test tells it, well-behaved where it tells nothing.
 *
 *   bytes ──cut after the k-th?──► PDUs ──► onPdu of the peer (the test) ──► good manners
 *
 * It writes down every submit_sm that arrived whole, and every bind; that is the witness that tests
 * judge by. One thread, the test's own.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
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
} from "../../src/codec/index.ts";

/** A PDU of the gateway, copied out of the stream. */
export interface SeenPdu {
  readonly commandId: number;
  readonly commandStatus: number;
  readonly sequenceNumber: number;
  readonly bytes: Uint8Array;
}

/** A submit_sm that arrived whole. */
export interface SeenSubmit {
  readonly peer: ScriptedPeer;
  readonly sequenceNumber: number;
  readonly text: string;
  readonly to: string;
  /** What it was answered with: a status, an SMSC id, or null for nothing yet. */
  answer: number | string | null;
}

/** How a connection ends. */
export type CutKind = "rst" | "fin";

export class ScriptedPeer {
  readonly socket: Socket;
  readonly smsc: ScriptedSmsc;
  /** 0-based, in the order of connecting. */
  readonly index: number;
  readonly received: SeenPdu[] = [];
  bytesRead = 0;
  isBound = false;
  isClosed = false;
  /** Sees each PDU first; true: nothing else is done about it. */
  onPdu: (pdu: SeenPdu) => boolean = () => false;
  #cutAfter = Number.POSITIVE_INFINITY;
  #cutKind: CutKind = "rst";
  #stream: Uint8Array = new Uint8Array(0);

  constructor(smsc: ScriptedSmsc, socket: Socket, index: number) {
    this.smsc = smsc;
    this.socket = socket;
    this.index = index;
    socket.on("data", (bytes: Uint8Array) => this.#read(bytes));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
      this.isBound = false;
    });
  }

  /** Ends the connection when so many more bytes have come in; the rest is lost. */
  cutAfter(bytes: number, kind: CutKind): void {
    this.#cutAfter = this.bytesRead + bytes;
    this.#cutKind = kind;
  }

  cut(kind: CutKind): void {
    this.isBound = false;
    if (kind === "rst") this.socket.resetAndDestroy();
    else {
      this.socket.end();
      this.socket.destroySoon();
    }
  }

  send(bytes: Uint8Array): void {
    if (!this.isClosed && !this.socket.destroyed) this.socket.write(bytes.slice());
  }

  respond(commandId: number, commandStatus: number, sequenceNumber: number): void {
    const out = new Uint8Array(16);
    encodeHeaderOnly(commandId, out, 0, commandStatus, sequenceNumber);
    this.send(out);
  }

  /** Answers a submit with a status, or positively with an id. */
  answer(submit: SeenSubmit, answer: number | string): void {
    submit.answer = answer;
    this.send(submitSmResp(submit.sequenceNumber, answer));
  }

  of(commandId: number): SeenPdu[] {
    return this.received.filter((pdu) => pdu.commandId === commandId);
  }

  #read(bytes: Uint8Array): void {
    const left = this.#cutAfter - this.bytesRead;
    const taken = bytes.length >= left ? bytes.subarray(0, left) : bytes;
    this.bytesRead += taken.length;
    const joined = new Uint8Array(this.#stream.length + taken.length);
    joined.set(this.#stream);
    joined.set(taken, this.#stream.length);
    let at = 0;
    for (;;) {
      const length = readFrame(joined, at, joined.length);
      if (length < 0) break;
      this.#receive(joined.slice(at, at + length));
      at += length;
    }
    this.#stream = joined.slice(at);
    if (this.bytesRead >= this.#cutAfter) {
      this.#cutAfter = Number.POSITIVE_INFINITY;
      this.cut(this.#cutKind);
    }
  }

  #receive(bytes: Uint8Array): void {
    const pdu: SeenPdu = {
      commandId: readCommandId(bytes, 0),
      commandStatus: readCommandStatus(bytes, 0),
      sequenceNumber: readSequenceNumber(bytes, 0),
      bytes,
    };
    this.received.push(pdu);
    this.smsc.react(this, pdu);
  }
}

export class ScriptedSmsc {
  readonly peers: ScriptedPeer[] = [];
  readonly submits: SeenSubmit[] = [];
  /** command_id of every bind that came. */
  readonly binds: number[] = [];
  /** Sees each new connection, before anything else. */
  onConnection: (peer: ScriptedPeer) => void = () => undefined;
  /** command_status of a bind, by its command_id; null: no answer. */
  onBind: (commandId: number) => number | null = () => 0;
  /** A command_status, an SMSC id, or null for no answer. */
  onSubmit: (submit: SeenSubmit) => number | string | null = () => this.nextId();
  readonly #server: Server;
  #ids = 0;

  constructor(tls: TlsOptions | null = null) {
    const accept = (socket: Socket): void => {
      const peer = new ScriptedPeer(this, socket, this.peers.length);
      this.peers.push(peer);
      this.onConnection(peer);
    };
    this.#server = tls === null ? createServer(accept) : createTlsServer(tls, accept);
    // A client that breaks off its handshake.
    this.#server.on("tlsClientError", () => undefined);
  }

  /** Listens on a free loopback port and returns it. */
  async listen(port = 0): Promise<number> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const peer of this.peers) peer.socket.destroy();
    await closed;
  }

  get bound(): ScriptedPeer[] {
    return this.peers.filter((peer) => peer.isBound);
  }

  nextId(): string {
    this.#ids += 1;
    return `id-${this.#ids}`;
  }

  react(peer: ScriptedPeer, pdu: SeenPdu): void {
    const { commandId, sequenceNumber } = pdu;
    const { bind_transceiver, bind_transmitter, bind_receiver } = COMMAND_ID;
    const isBind = [bind_transceiver, bind_transmitter, bind_receiver].some(
      (id) => id === commandId,
    );
    if (isBind) this.binds.push(commandId);
    const submit = commandId === COMMAND_ID.submit_sm ? this.#note(peer, pdu) : null;
    if (peer.onPdu(pdu)) return;
    if (isBind) this.#bind(peer, pdu);
    else if (submit !== null) {
      const answer = this.onSubmit(submit);
      if (answer !== null) peer.answer(submit, answer);
    } else if (commandId === COMMAND_ID.enquire_link || commandId === COMMAND_ID.unbind) {
      peer.respond(responseIdOf(commandId), COMMAND_STATUS.ESME_ROK, sequenceNumber);
    }
  }

  #bind(peer: ScriptedPeer, { commandId, sequenceNumber }: SeenPdu): void {
    const status = this.onBind(commandId);
    if (status === null) return;
    peer.send(bindResp(commandId, status, sequenceNumber));
    peer.isBound = status === COMMAND_STATUS.ESME_ROK;
  }

  #note(peer: ScriptedPeer, pdu: SeenPdu): SeenSubmit {
    const view = new SmView();
    if (decodeSm(pdu.bytes, 0, pdu.bytes.length, view) < 0) throw new Error("a broken submit_sm");
    const text = (start: number, end: number): string =>
      Buffer.from(pdu.bytes.subarray(start, end)).toString("latin1");
    const submit: SeenSubmit = {
      peer,
      sequenceNumber: pdu.sequenceNumber,
      text: text(view.shortMessageStart, view.shortMessageEnd),
      to: text(view.destinationAddrStart, view.destinationAddrEnd),
      answer: null,
    };
    this.submits.push(submit);
    return submit;
  }
}

export function bindResp(commandId: number, status: number, sequenceNumber: number): Uint8Array {
  const out = new Uint8Array(64);
  const id = responseIdOf(commandId);
  return out.slice(0, encodeBindResp(id, out, 0, status, sequenceNumber, "scripted", 0x34));
}

/** A submit_sm_resp: with a status, or positive with an id. */
export function submitSmResp(sequenceNumber: number, answer: number | string): Uint8Array {
  const out = new Uint8Array(128);
  const id = Buffer.from(typeof answer === "string" ? answer : "", "latin1");
  const status = typeof answer === "number" ? answer : COMMAND_STATUS.ESME_ROK;
  return out.slice(0, encodeSubmitSmResp(out, 0, status, sequenceNumber, id, 0, id.length));
}
