/**
 * One SMPP session, seen from the operator: bytes in, bytes out, nothing else.
 *
 *   open ──bind_*──► bound ──unbind from the peer──► unbound ──► over
 *     │                └──── our own unbind ──► leaving ──► unbound ──► over
 *     └── bad length, at any time ──► ending (nothing more is read, output still leaves) ──► over
 *
 * All change of state happens in the calls of SocketEvents and in `sweep`, `answerSubmit` and
 * `sendReceipt`, which the engine makes. A peer that does not read fills two buffers; then its own
 * requests are no longer read. One thread.
 */
import {
  type BindRequest,
  COMMAND_ID,
  COMMAND_STATUS,
  commandNameOf,
  decodeBind,
  encodeBindResp,
  encodeHeaderOnly,
  encodeMessageIdResp,
  encodeSubmitSmResp,
  expectsResponse,
  HEADER_LENGTH,
  INTERFACE_VERSION,
  isResponseId,
  readCommandId,
  readCommandStatus,
  readSequenceNumber,
  recogniseForeign,
  responseIdOf,
  SEQUENCE_NUMBER_MAX,
} from "../codec/index.ts";
import type { Socket, SocketEvents } from "../environment.ts";
import type { Account, Receiver } from "./account.ts";
import { PROTOCOL_ERROR } from "./counters.ts";
import { FrameReader, type PduSink } from "./frame-reader.ts";
import type { Intake, Submitter } from "./intake.ts";
import { JOB_KIND, JOB_NONE, JOB_WORD } from "./job-pool.ts";
import { BIND_EMPTY, judgeBind, refusalOf } from "./bind-judge.ts";
import { type Culprit, isMischievous, isProvocative, misbehave } from "./mischief.ts";
import { ANSWER_LENGTH_MAX, Outbox } from "./outbox.ts";
import { DRAW_RANGE, drawOf, STATE_STEP } from "./random.ts";
import { ReceiptFlow } from "./receipt-flow.ts";
import type { Flushable, SmscShared } from "./shared.ts";

export const SESSION_STATE = {
  open: 0,
  bound: 1,
  leaving: 2,
  unbound: 3,
  ending: 4,
  /** The connection stays open, and nothing is said or heard any more. */
  silent: 5,
  over: 6,
} as const;

/** What a session asks of the engine that accepted it. */
export interface SessionOwner {
  readonly shared: SmscShared;
  readonly intake: Intake;
  /** Null if too many are in use. */
  accountOf(systemId: string): Account | null;
  /** Its socket is closed. */
  forget(session: SmscSession): void;
}

/** How far back a used sequence_number is recognised. */
const SEQUENCES_KEPT = 4096;

export class SmscSession implements SocketEvents, PduSink, Receiver, Submitter, Flushable, Culprit {
  readonly index: number;
  readonly serial: number;
  unansweredCount = 0;
  state: number = SESSION_STATE.open;
  readonly #owner: SessionOwner;
  readonly #shared: SmscShared;
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #reader: FrameReader;
  readonly #receipts: ReceiptFlow;
  readonly #sequences = new Int32Array(SEQUENCES_KEPT);
  readonly #openedMs: number;
  #account: Account | null = null;
  #maySubmit = false;
  #mayReceive = false;
  #random: number;
  #lastSequence = 0;
  #lastInMs: number;
  #enquiredMs = -1;
  #isDirty = false;
  #isEnding = false;
  #hadPdu = false;
  #isBinding = false;
  readonly #isMischievous: boolean;
  /** Nothing is read any more. */
  #isDeaf = false;
  /** We gave the peer a reason to go without unbind. */
  #isExcused: boolean;

  constructor(owner: SessionOwner, socket: Socket, index: number, serial: number, seed: number) {
    this.#owner = owner;
    this.#shared = owner.shared;
    this.#socket = socket;
    this.index = index;
    this.serial = serial;
    this.#random = seed | 0;
    const { options } = owner.shared;
    this.#outbox = new Outbox(options.writeBytes);
    this.#isMischievous = isMischievous(options);
    this.#isExcused = isProvocative(options);
    this.#reader = new FrameReader(owner.shared.options.pduLengthMax);
    this.#receipts = new ReceiptFlow(owner.shared, this.#outbox, serial);
    this.#openedMs = owner.shared.nowMs;
    this.#lastInMs = this.#openedMs;
  }

  draw(): number {
    this.#random = (this.#random + STATE_STEP) | 0;
    return drawOf(this.#random);
  }

  // SocketEvents

  onConnect(): void {}

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.isOver) return;
    const shared = this.#shared;
    shared.readClock();
    shared.counters.bytesIn += end - start;
    this.#lastInMs = shared.nowMs;
    this.#enquiredMs = -1;
    this.#reader.read(bytes, start, end, this);
    if (this.#reader.isBlocked && !this.isOver) this.#socket.pause();
    else if (shared.options.readBytesPerS !== null) this.#rest(end - start);
    this.#markDirty();
    shared.settle();
  }

  /** Reads nothing for as long as a slow peer takes for these octets. */
  #rest(bytes: number): void {
    if (this.#isDeaf || this.isOver) return;
    const { options, pool, wheel, tick } = this.#shared;
    const job = pool.claim();
    if (job === JOB_NONE) return;
    pool.set(job, JOB_WORD.KIND, JOB_KIND.reading);
    this.#nameIn(job);
    this.#socket.pause();
    wheel.schedule(job, (tick + Math.ceil((bytes * 1000) / (options.readBytesPerS ?? 1))) | 0);
  }

  /** The rest after reading is over. */
  readOn(): void {
    if (!this.#reader.isBlocked && !this.#isDeaf && !this.isOver) this.#socket.resume();
  }

  #nameIn(job: number): void {
    this.#shared.pool.set(job, JOB_WORD.SESSION, this.index);
    this.#shared.pool.set(job, JOB_WORD.SERIAL, this.serial);
  }

  onDrain(): void {
    this.#outbox.onDrain();
    if (this.state === SESSION_STATE.over) return;
    this.#shared.readClock();
    this.flush();
    if (this.#reader.isBlocked && !this.isOver && !this.#isDeaf) {
      this.#reader.resume(this);
      if (!this.#reader.isBlocked) this.#socket.resume();
      this.#markDirty();
    }
    this.#account?.onRoom();
    this.#shared.settle();
  }

  onClose(cause: string): void {
    const shared = this.#shared;
    shared.readClock();
    if (this.state === SESSION_STATE.bound && !this.#isExcused && !this.#isDeaf) {
      this.#setContext(0);
      shared.counters.countError(PROTOCOL_ERROR.missing_unbind);
    }
    this.state = SESSION_STATE.over;
    shared.counters.sessionsClosed++;
    shared.witness?.writeEvent(shared.wallMs, "close", this.serial, { cause });
    const account = this.#account;
    if (account !== null) {
      account.boundCount--;
      if (this.#mayReceive) account.removeReceiver(this);
      this.#receipts.resendAll();
    }
    this.#account = null;
    this.#owner.forget(this);
    shared.settle();
  }

  // Output

  #markDirty(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#shared.flushLater(this);
  }

  flush(): void {
    this.#isDirty = false;
    if (this.state >= SESSION_STATE.silent) return;
    this.#shared.counters.bytesOut += this.#outbox.flush(this.#socket);
    if (this.#isEnding && this.#outbox.isWritten) {
      this.#isEnding = false;
      this.#socket.end();
    }
  }

  /** Closes once everything encoded is written. */
  #endSoon(state: number): void {
    this.state = state;
    this.#isEnding = true;
    this.#markDirty();
  }

  cut(): void {
    const shared = this.#shared;
    shared.counters.disconnectsForced++;
    shared.witness?.writeEvent(shared.wallMs, "cut", this.serial, {});
    this.state = SESSION_STATE.over;
    this.#socket.destroy("cut as told");
  }

  // Culprit

  hasRoom(bytes: number): boolean {
    return this.#outbox.hasRoom(bytes + ANSWER_LENGTH_MAX);
  }

  write(encode: (out: Uint8Array, at: number, sequence: number) => number): void {
    const out = this.#outbox;
    out.used += encode(out.bytes, out.used, this.#receipts.takeProvocation());
    this.#markDirty();
  }

  excusePeer(): void {
    this.#isExcused = true;
  }

  stopReading(): void {
    this.#isDeaf = true;
    this.#socket.pause();
  }

  goSilent(): void {
    this.flush();
    this.state = SESSION_STATE.silent;
  }

  #answer(commandId: number, status: number, sequence: number): void {
    const out = this.#outbox;
    out.used += encodeHeaderOnly(commandId, out.bytes, out.used, status, sequence);
    this.#markDirty();
  }

  #nack(status: number, sequence: number): void {
    this.#shared.counters.nacksSent++;
    this.#answer(COMMAND_ID.generic_nack, status, sequence);
  }

  answerSubmit(sequence: number, status: number, idLength: number): void {
    const { counters, idBytes } = this.#shared;
    const out = this.#outbox;
    out.used += encodeSubmitSmResp(out.bytes, out.used, status, sequence, idBytes, 0, idLength);
    counters.answersSent++;
    this.#markDirty();
  }

  /** Whether an answer fits now. */
  hasAnswerRoom(): boolean {
    return this.#outbox.hasRoom(ANSWER_LENGTH_MAX);
  }

  hasReceiptRoom(): boolean {
    return this.state === SESSION_STATE.bound && this.#receipts.hasRoom();
  }

  sendReceipt(job: number): void {
    this.#receipts.send(job);
    this.#markDirty();
  }

  get isOver(): boolean {
    return this.state >= SESSION_STATE.ending;
  }

  canTake(): boolean {
    if (this.hasAnswerRoom()) return true;
    this.flush();
    return this.hasAnswerRoom();
  }

  onBadLength(bytes: Uint8Array, start: number, end: number): void {
    const { counters, witness, wallMs } = this.#shared;
    this.#setContext(0);
    const protocol = this.#hadPdu ? null : recogniseForeign(bytes, start, end);
    if (protocol === null) {
      counters.countError(PROTOCOL_ERROR.bad_length);
      const sequence = end - start >= HEADER_LENGTH ? readSequenceNumber(bytes, start) : 0;
      this.#nack(COMMAND_STATUS.ESME_RINVCMDLEN, sequence);
    } else {
      counters.countForeign(protocol);
      witness?.writeEvent(wallMs, "foreign", this.serial, { protocol });
    }
    this.#endSoon(SESSION_STATE.ending);
  }

  onPdu(bytes: Uint8Array, start: number, end: number): void {
    const { counters } = this.#shared;
    counters.pdusIn++;
    this.#hadPdu = true;
    const commandId = readCommandId(bytes, start);
    const sequence = readSequenceNumber(bytes, start);
    this.#setContext(sequence);
    if (isResponseId(commandId)) {
      this.#onResponse(commandId, readCommandStatus(bytes, start), sequence);
      return;
    }
    this.#checkRequest(bytes, start, sequence);
    if (this.state === SESSION_STATE.unbound) {
      counters.countError(PROTOCOL_ERROR.pdu_after_unbind);
      return;
    }
    if (commandId === COMMAND_ID.submit_sm) {
      if (this.#maySubmit && this.#account !== null) {
        this.#owner.intake.take(this, this.#account, bytes, start, end, sequence);
        if (this.#isMischievous && !this.isOver) misbehave(this.#shared, this);
      } else {
        this.#refuseState(commandId, sequence);
      }
      return;
    }
    this.#onRareRequest(commandId, bytes, start, end, sequence);
  }

  /** Names the PDU that errors counted from here on belong to. */
  #setContext(sequence: number): void {
    this.#shared.counters.session = this.serial;
    this.#shared.counters.sequence = sequence;
  }

  /** Counts what is wrong with the header of a request. */
  #checkRequest(bytes: Uint8Array, start: number, sequence: number): void {
    const { counters } = this.#shared;
    const place = sequence & (SEQUENCES_KEPT - 1);
    if (sequence === 0 || sequence > SEQUENCE_NUMBER_MAX) {
      counters.countError(PROTOCOL_ERROR.sequence_out_of_range);
    } else if (this.#sequences[place] === sequence) {
      counters.countError(PROTOCOL_ERROR.sequence_reused);
    } else if (sequence < this.#lastSequence && this.#lastSequence < SEQUENCE_NUMBER_MAX - 65_536) {
      counters.countError(PROTOCOL_ERROR.sequence_not_monotonic);
    }
    this.#sequences[place] = sequence;
    this.#lastSequence = sequence;
    if (readCommandStatus(bytes, start) !== 0) {
      counters.countError(PROTOCOL_ERROR.status_in_request);
    }
  }

  #refuseState(commandId: number, sequence: number): void {
    // What crosses our own unbind on the wire is no mistake.
    if (this.state !== SESSION_STATE.leaving) {
      this.#shared.counters.countError(PROTOCOL_ERROR.wrong_state);
    }
    this.#answer(responseIdOf(commandId), COMMAND_STATUS.ESME_RINVBNDSTS, sequence);
  }

  #onRareRequest(
    commandId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    sequence: number,
  ): void {
    const { counters } = this.#shared;
    switch (commandId) {
      case COMMAND_ID.bind_receiver:
      case COMMAND_ID.bind_transmitter:
      case COMMAND_ID.bind_transceiver:
        this.#onBind(commandId, bytes, start, end, sequence);
        return;
      case COMMAND_ID.enquire_link:
        counters.enquireLinks++;
        if (end - start !== HEADER_LENGTH) counters.countError(PROTOCOL_ERROR.malformed_pdu);
        if (this.#shared.options.answersEnquireLink) {
          this.#answer(COMMAND_ID.enquire_link_resp, COMMAND_STATUS.ESME_ROK, sequence);
        }
        return;
      case COMMAND_ID.unbind:
        if (this.state === SESSION_STATE.open) {
          this.#refuseState(commandId, sequence);
          return;
        }
        counters.unbinds++;
        this.#answer(COMMAND_ID.unbind_resp, COMMAND_STATUS.ESME_ROK, sequence);
        this.#endSoon(SESSION_STATE.unbound);
        return;
      default:
        this.#onOtherRequest(commandId, sequence);
    }
  }

  /** Operations this operator does not offer, and ids that no request may have. */
  #onOtherRequest(commandId: number, sequence: number): void {
    const status = refusalOf(commandId);
    if (status === undefined) {
      this.#shared.counters.countError(PROTOCOL_ERROR.unknown_command);
      // alert_notification and outbind belong to the other side and have no response.
      if (commandNameOf(commandId) === undefined || expectsResponse(commandId)) {
        this.#nack(COMMAND_STATUS.ESME_RINVCMDID, sequence);
      }
      return;
    }
    if (!this.#maySubmit) {
      this.#refuseState(commandId, sequence);
      return;
    }
    const out = this.#outbox;
    out.used += encodeMessageIdResp(
      responseIdOf(commandId),
      out.bytes,
      out.used,
      status,
      sequence,
      this.#shared.idBytes,
      0,
      0,
    );
    this.#markDirty();
  }

  #onBind(
    commandId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    sequence: number,
  ): void {
    const { counters, options, witness, wallMs, pool, wheel, tick } = this.#shared;
    const bind: BindRequest = { ...BIND_EMPTY };
    const defect = decodeBind(bytes, start, end, bind);
    if (defect < 0) counters.countError(PROTOCOL_ERROR.malformed_pdu);
    const status = defect < 0 ? COMMAND_STATUS.ESME_RINVCMDLEN : this.#judgeBind(bind, commandId);
    const { systemId } = bind;
    const type = commandNameOf(commandId);
    witness?.writeEvent(wallMs, "bind", this.serial, { sequence, systemId, type, status });
    const delayMs = this.#shared.drawDelayMs(options.bindDelayMs, this);
    if (options.bindSilence > 0 && this.draw() < options.bindSilence * DRAW_RANGE) {
      counters.bindsUnanswered++;
      return;
    }
    const job = delayMs === 0 ? JOB_NONE : pool.claim();
    if (job === JOB_NONE) {
      this.answerBind(commandId, status, sequence);
      return;
    }
    this.#isBinding ||= status === COMMAND_STATUS.ESME_ROK;
    pool.set(job, JOB_WORD.KIND, JOB_KIND.bind);
    this.#nameIn(job);
    pool.set(job, JOB_WORD.SEQUENCE, sequence);
    pool.set(job, JOB_WORD.STATUS, status);
    pool.set(job, JOB_WORD.STATE, commandId);
    wheel.schedule(job, (tick + delayMs) | 0);
  }

  /** Writes a bind_*_resp; with ESME_ROK the session is bound from here on. */
  answerBind(commandId: number, status: number, sequence: number): void {
    const { counters, options } = this.#shared;
    if (status === COMMAND_STATUS.ESME_ROK && this.#account !== null) {
      this.#isBinding = false;
      counters.binds++;
      this.#bindTo(this.#account, commandId);
    } else {
      counters.bindsRefused++;
    }
    const out = this.#outbox;
    out.used += encodeBindResp(
      responseIdOf(commandId),
      out.bytes,
      out.used,
      status,
      sequence,
      options.smscSystemId,
      INTERFACE_VERSION.v34,
    );
    this.#markDirty();
  }

  /** The status of a bind; if it is ESME_ROK, `#account` is set. */
  #judgeBind(bind: BindRequest, commandId: number): number {
    const { options, counters } = this.#shared;
    if (this.state !== SESSION_STATE.open || this.#isBinding) {
      counters.countError(PROTOCOL_ERROR.already_bound);
      return COMMAND_STATUS.ESME_RALYBND;
    }
    const status = judgeBind(options, bind, commandId, this);
    if (status !== COMMAND_STATUS.ESME_ROK) return status;
    const account = this.#owner.accountOf(bind.systemId);
    if (account === null) return COMMAND_STATUS.ESME_RBINDFAIL;
    if (options.bindsMax !== null && account.boundCount >= options.bindsMax) {
      return COMMAND_STATUS.ESME_RALYBND;
    }
    this.#account = account;
    return COMMAND_STATUS.ESME_ROK;
  }

  #bindTo(account: Account, commandId: number): void {
    this.state = SESSION_STATE.bound;
    this.#maySubmit = commandId !== COMMAND_ID.bind_receiver;
    this.#mayReceive = commandId !== COMMAND_ID.bind_transmitter;
    account.boundCount++;
    this.#receipts.account = account;
    if (this.#mayReceive) account.addReceiver(this);
  }

  #onResponse(commandId: number, status: number, sequence: number): void {
    const { counters } = this.#shared;
    if (this.#receipts.isProvoked(sequence)) {
      if (commandId === COMMAND_ID.generic_nack) counters.nacksReceived++;
      return;
    }
    switch (commandId) {
      case COMMAND_ID.deliver_sm_resp:
        this.#receipts.onAnswer(status, sequence);
        return;
      case COMMAND_ID.generic_nack:
        counters.nacksReceived++;
        // A nack of 0 is an answer only where it names a receipt (spec 4.3).
        if (sequence !== 0)
          this.#receipts.onAnswer(status || COMMAND_STATUS.ESME_RUNKNOWNERR, sequence);
        return;
      case COMMAND_ID.enquire_link_resp:
        return;
      case COMMAND_ID.unbind_resp:
        if (this.state === SESSION_STATE.leaving) this.#endSoon(SESSION_STATE.unbound);
        else counters.countError(PROTOCOL_ERROR.unexpected_response);
        return;
      default:
        counters.countError(PROTOCOL_ERROR.unexpected_response);
    }
  }

  /** Looks after everything that takes longer than it should; called about once a second. */
  sweep(): void {
    const { nowMs, options } = this.#shared;
    if (this.isOver) return;
    if (this.state === SESSION_STATE.open && nowMs - this.#openedMs >= options.bindTimeoutMs) {
      this.#socket.destroy("no bind in time");
      this.state = SESSION_STATE.over;
      return;
    }
    this.#receipts.resendLate();
    if (options.enquireLinkIntervalMs !== null && this.state === SESSION_STATE.bound) {
      this.#watchSilence(options.enquireLinkIntervalMs);
    }
  }

  #watchSilence(intervalMs: number): void {
    const { nowMs } = this.#shared;
    if (this.#enquiredMs >= 0) {
      if (nowMs - this.#enquiredMs < intervalMs) return;
      this.#setContext(0);
      this.#shared.counters.countError(PROTOCOL_ERROR.unanswered_enquire_link);
      this.state = SESSION_STATE.over;
      this.#socket.destroy("enquire_link was not answered");
    } else if (nowMs - this.#lastInMs >= intervalMs && this.hasAnswerRoom()) {
      this.#enquiredMs = nowMs;
      this.#answer(COMMAND_ID.enquire_link, 0, this.#receipts.takeSequence());
    }
  }

  /** Says goodbye: unbind to a bound peer, then the end of the connection with its answer. */
  leave(): void {
    if (this.isOver) return;
    if (this.state === SESSION_STATE.bound && this.hasAnswerRoom()) {
      this.#shared.counters.unbindsSent++;
      this.state = SESSION_STATE.leaving;
      this.#maySubmit = false;
      this.#answer(COMMAND_ID.unbind, 0, this.#receipts.takeSequence());
    } else {
      this.#endSoon(SESSION_STATE.unbound);
    }
    this.#markDirty();
  }

  /** Ends the connection without a word, also one that is silent. */
  drop(cause: string): void {
    if (this.state === SESSION_STATE.over) return;
    this.state = SESSION_STATE.over;
    this.#socket.destroy(cause);
  }
}
