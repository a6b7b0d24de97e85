/**
 * An ESME over a simulated socket: everything the engine needs, in one thread, on a clock that
 * tests move.
 */
import {
  type BindRequest,
  COMMAND_ID,
  encodeBind,
  encodeHeaderOnly,
  encodeDeliverSmResp,
  encodeSm,
  readCommandId,
  readCommandStatus,
  readFrame,
  readLatin1,
  messageIdEnd,
  readSequenceNumber,
  resetSmView,
  SmView,
} from "../../../src/codec/index.ts";
import type { Clock, Socket } from "../../../src/environment.ts";
import { SmscEngine } from "../../../src/smsc/engine.ts";
import { resolveSmscOptions, type SmscOptions } from "../../../src/smsc/options.ts";
import { seededRandom } from "../../../src/smsc/random.ts";
import type { SmscSession } from "../../../src/smsc/session.ts";
import { Witness } from "../../../src/smsc/witness.ts";

/** 2026-11-21 22:17 UTC. */
export const START_WALL_MS = Date.UTC(2026, 10, 21, 22, 17);

export class TestClock implements Clock {
  nowMs = 5000.25;
  monotonicMs(): number {
    return this.nowMs;
  }
  wallMs(): number {
    return START_WALL_MS + this.nowMs - 5000.25;
  }
}

/** A PDU that the simulator sent. */
export interface Seen {
  readonly commandId: number;
  readonly status: number;
  readonly sequence: number;
  /** message_id of a submit_sm_resp. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The simulator's world: engine, clock, and what the witness wrote. */
export class World {
  readonly clock = new TestClock();
  readonly engine: SmscEngine;
  #log = "";

  constructor(given: Partial<SmscOptions> = {}, seed = 1) {
    const witness = new Witness((bytes, start, end) => {
      this.#log += new TextDecoder().decode(bytes.subarray(start, end));
    });
    this.engine = new SmscEngine(
      resolveSmscOptions(given),
      this.clock,
      seededRandom(seed),
      seed,
      witness,
    );
  }

  connect(): Peer {
    return new Peer(this.engine);
  }

  /** A peer that is bound already; its bind response is not among what it has seen. */
  bound(systemId = "esme1", commandId: number = COMMAND_ID.bind_transceiver): Peer {
    const peer = this.connect();
    peer.bind(systemId, commandId);
    peer.take();
    return peer;
  }

  /** Moves time on, with all work done when it is due. */
  pass(ms: number): void {
    const end = this.clock.nowMs + ms;
    for (;;) {
      const due = this.engine.nextDueMs();
      if (due > end) break;
      this.clock.nowMs = Math.max(due, this.clock.nowMs);
      this.engine.doWork();
    }
    this.clock.nowMs = end;
    this.engine.doWork();
  }

  /** Everything the witness has written, parsed. */
  log(): Record<string, unknown>[] {
    this.engine.shared.witness?.flush();
    return this.#log
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

export interface SubmitFields {
  readonly source?: string;
  readonly sourceTon?: number;
  readonly sourceNpi?: number;
  readonly destination?: string;
  readonly destTon?: number;
  readonly destNpi?: number;
  readonly text?: Uint8Array;
  readonly esmClass?: number;
  readonly dataCoding?: number;
  readonly registeredDelivery?: number;
  readonly validity?: string;
  readonly tlvs?: Uint8Array;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Encodes a submit_sm, with valid defaults for what is not given. */
export function submitPdu(sequence: number, fields: SubmitFields = {}): Uint8Array {
  const source = latin1(fields.source ?? "ACME");
  const destination = latin1(fields.destination ?? "447700900123");
  const validity = latin1(fields.validity ?? "");
  const text = fields.text ?? latin1("Hello");
  const tlvs = fields.tlvs ?? new Uint8Array(0);
  const view = new SmView();
  resetSmView(view, Buffer.concat([source, destination, validity, text, tlvs]));
  view.sourceAddrTon = fields.sourceTon ?? 5;
  view.sourceAddrNpi = fields.sourceNpi ?? 0;
  view.destAddrTon = fields.destTon ?? 1;
  view.destAddrNpi = fields.destNpi ?? 1;
  view.sourceAddrEnd = view.destinationAddrStart = source.length;
  view.destinationAddrEnd = view.validityPeriodStart = source.length + destination.length;
  view.validityPeriodEnd = view.shortMessageStart = view.validityPeriodStart + validity.length;
  view.shortMessageEnd = view.tlvStart = view.shortMessageStart + text.length;
  view.tlvEnd = view.tlvStart + tlvs.length;
  view.esmClass = fields.esmClass ?? 0;
  view.dataCoding = fields.dataCoding ?? 0;
  view.registeredDelivery = fields.registeredDelivery ?? 1;
  const out = new Uint8Array(1024);
  const length = encodeSm(COMMAND_ID.submit_sm, out, 0, sequence, view, null, 0);
  if (length < 0) throw new Error(`encodeSm gives ${length}`);
  return out.slice(0, length);
}

export class Peer {
  readonly session: SmscSession;
  sequence = 1;
  isPaused = false;
  isEnded = false;
  destroyedFor: string | null = null;
  /** Octets of each write so far. */
  readonly lengthsWritten: number[] = [];
  /** Whether written bytes count as sent at once. */
  isReading = true;
  #written: { bytes: Uint8Array; start: number; end: number }[] = [];
  #inbound: Uint8Array = new Uint8Array(0);

  constructor(engine: SmscEngine) {
    const socket: Socket = {
      write: (bytes, start, end) => {
        this.lengthsWritten.push(end - start);
        this.#written.push({ bytes, start, end });
      },
      isDrained: false,
      end: () => {
        this.isEnded = true;
      },
      destroy: (cause) => {
        this.destroyedFor = cause;
      },
      pause: () => {
        this.isPaused = true;
      },
      resume: () => {
        this.isPaused = false;
      },
    };
    this.session = engine.accept(socket);
  }

  /** Sends bytes as one readable chunk. */
  send(bytes: Uint8Array): void {
    this.session.onData(bytes, 0, bytes.length);
    if (this.isReading) this.drain();
  }

  /** Reads everything written so far, as a kernel would take it: after the call that wrote it. */
  drain(): void {
    while (this.#written.length > 0) {
      const taken = this.#written.map(({ bytes, start, end }) => bytes.slice(start, end));
      this.#written = [];
      this.#inbound = Buffer.concat([this.#inbound, ...taken]);
      this.session.onDrain();
    }
  }

  /** Removes and returns all bytes seen so far, PDUs or not. */
  takeBytes(): Uint8Array {
    this.drain();
    const bytes = this.#inbound;
    this.#inbound = new Uint8Array(0);
    return bytes;
  }

  get writesWaiting(): number {
    return this.#written.length;
  }

  /** Removes and returns every PDU seen so far. Throws if there is anything else. */
  take(): Seen[] {
    const seen = this.takeWhole();
    if (this.#inbound.length > 0) throw new Error("the simulator sent a bad frame");
    return seen;
  }

  /** Removes and returns the PDUs seen so far, up to what is none or not whole. */
  takeWhole(): Seen[] {
    const seen: Seen[] = [];
    const bytes = this.takeBytes();
    let at = 0;
    while (at < bytes.length) {
      const length = readFrame(bytes, at, bytes.length);
      if (length <= 0) break;
      const pdu = bytes.slice(at, at + length);
      seen.push({
        commandId: readCommandId(pdu, 0),
        status: readCommandStatus(pdu, 0),
        sequence: readSequenceNumber(pdu, 0),
        id: readLatin1(pdu, 16, messageIdEnd(pdu, 0, pdu.length)),
        bytes: pdu,
      });
      at += length;
    }
    this.#inbound = bytes.slice(at);
    return seen;
  }

  /** The one PDU seen. */
  takeOne(): Seen {
    const seen = this.take();
    if (seen.length !== 1) throw new Error(`${seen.length} PDUs were seen instead of one`);
    return seen[0] as Seen;
  }

  bind(systemId: string, commandId: number, password = "secret"): void {
    const fields: BindRequest = {
      systemId,
      password,
      systemType: "",
      interfaceVersion: 0x34,
      addrTon: 0,
      addrNpi: 0,
      addressRange: "",
    };
    const out = new Uint8Array(128);
    const length = encodeBind(commandId, out, 0, this.sequence++, fields);
    this.send(out.slice(0, length));
  }

  header(commandId: number, status = 0, sequence = this.sequence++): void {
    const out = new Uint8Array(16);
    encodeHeaderOnly(commandId, out, 0, status, sequence);
    this.send(out);
  }

  /** Sends a submit_sm; returns its length. */
  submit(fields: SubmitFields = {}): number {
    const pdu = submitPdu(this.sequence++, fields);
    this.send(pdu);
    return pdu.length;
  }

  answerReceipt(sequence: number, status = 0): void {
    const out = new Uint8Array(17);
    encodeDeliverSmResp(out, 0, status, sequence);
    this.send(out);
  }

  close(cause = "peer went away"): void {
    this.session.onClose(cause);
  }
}
