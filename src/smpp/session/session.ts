/**
 * One SMPP session of a link: its window and its place among those that messages are given to, over
 * one connection (transceiver) or two (transmitter and receiver).
 *
 *   main      transceiver or transmitter: submits go out and are answered here; when it is bound,
 *             the session is bound; when it is lost, the window is ambiguous
 *   receiver  receipts of a pair come in here; it binds, is lost and binds again by itself
 *
 * The pair counts as one session for weights and capacity. What a connection does by itself is in
 * connection.ts. One thread.
 */
import { describeSentinel } from "../../codec/index.ts";
import type { Socket } from "../../environment.ts";
import { Counter } from "../../metrics/block.ts";
import { PRIORITY_COUNT } from "../../records/types.ts";
import { rowWord, SessionWord } from "../../tables/link-table.ts";
import { isFatal, isThrottled } from "./answer.ts";
import { BindRole, type BindRefusal, isCommandUnknown, roleAfterRefusal } from "./bind-role.ts";
import { Connection } from "./connection.ts";
import type { WorkerContext } from "../context.ts";
import type { RecordedPdu } from "./flight-recorder.ts";
import { LAST_BIND_TIMEOUT_MS, STALLED_AFTER_MS, TOMBSTONES_MAX } from "../pace/limits.ts";
import type { WorkerLink } from "../link.ts";
import { NO_ENTRY } from "../queue/message-table.ts";
import { OpenAttempts, UNMATCHED } from "./open-attempts.ts";
import type { SessionAssignment } from "../plan.ts";
import type { Sender } from "../record-stager.ts";
import { SequenceNumbers } from "./sequence-numbers.ts";
import { SessionTally } from "./session-tally.ts";
import { statusText } from "./status-text.ts";
import { SubmitWriter } from "../submit-writer.ts";
import { RedialKind } from "./timers.ts";
import { Window } from "./window.ts";
import type { WriteArena } from "./write-arena.ts";

/** What the flight recorder of one connection has kept. */
export interface SessionRecording {
  /** 0-based within its link. */
  readonly session: number;
  readonly isReceiver: boolean;
  readonly pdus: readonly RecordedPdu[];
}

export class SmppSession implements Sender {
  /** Index among the worker's sessions. */
  readonly local: number;
  readonly ordinal: number;
  readonly link: WorkerLink;
  readonly linkId: number;
  window: Window;
  main: Connection;
  /** By priority: the message whose next parts this session takes, or NO_ENTRY. */
  readonly carry = new Int32Array(PRIORITY_COUNT).fill(NO_ENTRY);
  /** Segments prepared for this connection and not written: they have their place in the window. */
  reserved = 0;
  /** The peer has not taken our bytes for a while. */
  isStalled = false;
  readonly #context: WorkerContext;
  readonly #sessionIndex: number;
  readonly #row: number;
  /** What it has done since start. */
  readonly tally = new SessionTally();
  readonly #writer: SubmitWriter;
  #tombstonesMax: number;
  #attempts: OpenAttempts;
  /** Made when the first pair is needed. */
  #receiver: Connection | null = null;
  #transceiverHasWorked = false;
  #pairWasTried = false;
  /** It is to be bound again when it has ended. */
  #isWanted = true;
  /** It takes nothing new, and unbinds when its window is empty. */
  #isWinding = false;
  /** The link counts it as open. */
  #isCounted = false;
  #isCutShort = false;
  #answers = 0;
  #windowShown = 0;

  constructor(context: WorkerContext, link: WorkerLink, at: SessionAssignment, local: number) {
    this.#context = context;
    this.local = local;
    this.ordinal = at.ordinal;
    this.link = link;
    this.linkId = link.id;
    this.window = new Window(link.config.windowMax);
    this.#tombstonesMax = tombstonesMax(link.config.windowMax);
    this.#writer = new SubmitWriter(context, this);
    this.#attempts = new OpenAttempts(context, this, link, this.window, this.tally);
    this.#sessionIndex = at.sessionIndex;
    this.#row = rowWord(at.sessionIndex, 0);
    this.main = this.#makeMain();
    this.main.start(context.time.now);
  }

  get isBound(): boolean {
    return this.main.isBound;
  }

  /** Bound, and to stay so: it takes new traffic. */
  get isOpen(): boolean {
    return this.isBound && !this.#isWinding;
  }

  /** Counts connections; what belongs to an earlier one is recognised by it. */
  get generation(): number {
    return this.main.generation;
  }

  /** The receiver of a pair, or null. */
  get receiver(): Connection | null {
    return this.#receiver;
  }

  /** Nothing of this session is left: no connection, no open window. */
  get isClosed(): boolean {
    return this.main.isClosed && (this.#receiver === null || this.#receiver.isClosed);
  }

  /** Segments that may still be prepared for it. */
  get room(): number {
    if (!this.isOpen) return 0;
    return this.window.limit - this.window.used - this.reserved;
  }

  /** Whether it can take a new message of this priority of a pool now. */
  takesNew(priority: number): boolean {
    return (
      this.room > 0 &&
      this.link.budget > 0 &&
      this.carry[priority] === NO_ENTRY &&
      this.link.pinned[priority]?.count === 0
    );
  }

  // What the worker calls.

  /** Acts on what has come due. */
  onTick(inGrace: boolean): void {
    const { main } = this;
    main.onTick(inGrace);
    this.#receiver?.onTick(inGrace);
    if (!main.isInGrace(inGrace) && main.times.pausedSince < 0) this.#expireAnswers();
    const { undrainedSince } = main.times;
    const heldMs = this.#context.time.now - undrainedSince;
    const stalled = undrainedSince >= 0 && heldMs >= STALLED_AFTER_MS;
    if (stalled === this.isStalled) return;
    this.isStalled = stalled;
    this.#context.availabilityChanged(this);
  }

  /** Whether it waits for no answer, and nothing of it comes due within `aheadMs`. */
  isQuiet(aheadMs: number): boolean {
    if (this.window.used > 0 || this.#isWinding || !this.main.isQuiet(aheadMs)) return false;
    return this.#receiver === null || this.#receiver.isQuiet(aheadMs);
  }

  /** Goes on with what had to wait for room, and with a drain; returns how much it did. */
  turn(): number {
    let work = this.main.turn();
    if (this.#receiver !== null) work += this.#receiver.turn();
    if (this.#isWinding) this.#wind();
    return work;
  }

  /** Writes what can be written; returns the number of PDUs. */
  pump(): number {
    const count = this.main.pump();
    return this.#receiver === null ? count : count + this.#receiver.pump();
  }

  /**
   * A SENDING staged for connection `generation` is committed: the segment may be written, or never
   * will be.
   */
  sendingCommitted(generation: number, entry: number, segment: number): void {
    if (generation === this.generation && this.isBound) this.#writer.add(entry, segment);
    else this.#context.unwritten.add(entry, segment, this);
  }

  /** Writes the words of the session table that change with traffic. */
  showProgress(): void {
    const words = this.#context.sessionWords;
    if (this.window.used !== this.#windowShown) {
      this.#windowShown = this.window.used;
      Atomics.store(words, this.#row + SessionWord.WINDOW_USED, this.window.used);
    }
    this.tally.show(words, this.#row);
    if (this.#answers === 0) return;
    this.#answers = 0;
    Atomics.store(words, this.#row + SessionWord.PROGRESS_MS, this.#context.time.now | 0);
  }

  /** Ends the session for good once its window is empty; at once if `cutShort`. */
  drain(cutShort: boolean): void {
    this.#isWanted = false;
    this.#isCutShort ||= cutShort;
    this.#startWinding();
  }

  /**
   * A plan wants this session; `anew`: over other connections, once the window of these is empty.
   */
  takeUp(anew: boolean): void {
    const wasWanted = this.#isWanted;
    this.#isWanted = true;
    if (anew) {
      this.#startWinding();
    } else if (!wasWanted && this.isBound) {
      this.#isWinding = false;
      this.#count();
    }
  }

  /** Unbinds, and binds again soon: whatever held it up is left behind. */
  bindAnew(cause: string): void {
    if (!this.isBound) return;
    this.noteError(cause);
    this.main.unbind();
  }

  /** What its connections' flight recorders have kept. */
  recordings(masksNumbers: boolean): SessionRecording[] {
    const connections = this.#receiver === null ? [this.main] : [this.main, this.#receiver];
    return connections.map(({ isReceiver, recorder }) => ({
      session: this.ordinal,
      isReceiver,
      pdus: recorder.read(masksNumbers),
    }));
  }

  /** A segment did not encode. */
  noteUnsendable(sentinel: number): void {
    this.main.log("error", "encode submit_sm", { cause: describeSentinel(sentinel) });
  }

  // What its connections call.

  /** Whether a connection is to be dialled again when it is gone. */
  wants(connection: Connection): boolean {
    return !this.#isWinding && (connection === this.main || this.#isPair);
  }

  connectionDialled(connection: Connection): void {
    if (connection !== this.main) return;
    this.reserved = 0;
    if (this.#isPair) this.#startReceiver();
  }

  connectionChanged(connection: Connection): void {
    const word = connection.isReceiver ? SessionWord.RECEIVER_STATE : SessionWord.STATE;
    Atomics.store(this.#context.sessionWords, this.#row + word, connection.times.state);
  }

  /** Why a connection was lost or could not be had. */
  noteError(cause: string): void {
    this.#context.sessionNotes.setError(this.#sessionIndex, cause, this.#context.time.wall);
  }

  connectionBound(connection: Connection): void {
    if (connection !== this.main) return;
    if (connection.role === BindRole.TRANSCEIVER) this.#transceiverHasWorked = true;
    Atomics.add(this.#context.sessionWords, this.#row + SessionWord.BINDS, 1);
    this.#context.sessionNotes.setBoundSince(this.#sessionIndex, this.#context.time.wall);
    this.#count();
  }

  /** Chooses how to bind next, where the SMSC may not know the way it was asked. */
  bindRefused(connection: Connection, refusal: BindRefusal): void {
    if (connection !== this.main) return;
    const hasWorked = this.#transceiverHasWorked;
    const role = roleAfterRefusal(connection.role, refusal, this.#isPairConfigured, hasWorked);
    if (role === connection.role) return;
    const to = role === BindRole.TRANSMITTER ? "a transmitter and a receiver" : "a transceiver";
    const cause = statusText(refusal.commandStatus);
    connection.log("info", "bind otherwise", { cause, next: to });
    connection.role = role;
    if (role === BindRole.TRANSCEIVER) {
      this.#receiver?.abandon(0);
      this.#receiver?.unbind();
      return;
    }
    // A clear refusal: the other way is worth trying at once, the first time.
    if (isCommandUnknown(refusal) && !this.#pairWasTried) connection.redialAs(RedialKind.ORDINARY);
    this.#pairWasTried = true;
  }

  /** The main connection left the bound state: what is not written goes back to the queues. */
  connectionUnbound(connection: Connection): void {
    if (connection !== this.main) return;
    this.#context.sessionNotes.setBoundSince(this.#sessionIndex, 0);
    this.#writer.abandon();
    this.#discount();
  }

  #count(): void {
    if (this.#isCounted || this.#isWinding) return;
    this.#isCounted = true;
    this.link.openCount++;
    this.#context.availabilityChanged(this);
  }

  /** It takes nothing new any more: the rest of what it carries goes back to the queues. */
  #discount(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.link.openCount--;
    this.#context.availabilityChanged(this);
    const { queues } = this.#context;
    for (let priority = 0; priority < PRIORITY_COUNT; priority++) {
      const entry = queues.takeCarried(this, priority);
      if (entry !== NO_ENTRY) queues.settle(entry);
    }
  }

  /** Records what was open on a connection that is gone; false: there was not room for all. */
  recordLost(connection: Connection): boolean {
    return connection !== this.main || this.#attempts.lose();
  }

  pumpSubmits(socket: Socket, arena: WriteArena): number {
    return this.#writer.pump(socket, arena);
  }

  /** The kernel has everything that was written to a connection, or the connection is gone. */
  outputTaken(connection: Connection): void {
    if (connection === this.main) this.#writer.outputTaken();
  }

  /** submit_sm_resp or generic_nack on `connection`; the SMSC's id is bytes [idStart, idEnd). */
  answered(
    connection: Connection,
    sequenceNumber: number,
    commandStatus: number,
    isNack: boolean,
    bytes: Uint8Array,
    idStart: number,
    idEnd: number,
  ): void {
    if (connection !== this.main) {
      this.#context.metrics.add(Counter.answersUnmatched, 1);
      return;
    }
    const { link } = this;
    const { now } = this.#context.time;
    const writtenAt = this.#attempts.writtenAt(sequenceNumber);
    const statusClass = this.#attempts.answer(
      sequenceNumber,
      commandStatus,
      isNack,
      bytes,
      idStart,
      idEnd,
    );
    if (statusClass === UNMATCHED) return;
    this.#answers++;
    const wasPaced = link.isPaced;
    if (link.noteAnswer(now, writtenAt, isThrottled(statusClass)) && !wasPaced) {
      connection.log("warn", "pace a throttled link", { status: statusText(commandStatus) });
    }
    if (isFatal(statusClass)) {
      connection.unbindSlowly(`the SMSC answered ${statusText(commandStatus)}`);
    }
  }

  get #isPairConfigured(): boolean {
    return this.link.config.bind === "transmitter_receiver";
  }

  get #isPair(): boolean {
    return this.main.role === BindRole.TRANSMITTER;
  }

  #startReceiver(): void {
    const context = this.#context;
    this.#receiver ??= new Connection(context, this, BindRole.RECEIVER, new SequenceNumbers());
    this.#receiver.start(context.time.now);
  }

  #expireAnswers(): void {
    if (this.main.isClosed) return;
    this.#attempts.expire();
    if (this.window.tombstones < this.#tombstonesMax) return;
    this.main.end(`${this.window.tombstones} submits without answer`);
  }

  #makeMain(): Connection {
    const role = this.#isPairConfigured ? BindRole.TRANSMITTER : BindRole.TRANSCEIVER;
    return new Connection(this.#context, this, role, this.window);
  }

  #startWinding(): void {
    this.#isWinding = true;
    this.#discount();
    this.#wind();
  }

  /** Everything is closed, and it is wanted: binds by the configuration of now. */
  #startAnew(): void {
    const { windowMax } = this.link.config;
    const { generation } = this.main;
    this.#isWinding = false;
    this.#transceiverHasWorked = false;
    this.#pairWasTried = false;
    if (windowMax !== this.window.limit) {
      this.window = new Window(windowMax);
      this.#tombstonesMax = tombstonesMax(windowMax);
      this.#attempts = new OpenAttempts(this.#context, this, this.link, this.window, this.tally);
    }
    this.main = this.#makeMain();
    this.main.generation = generation;
    this.main.start(this.#context.time.now);
  }

  /** One step on the way out: first the window, then the receipts' way. */
  #wind(): void {
    const { main } = this;
    if (this.isClosed && this.#isWanted) {
      this.#startAnew();
      return;
    }
    const bindMs = this.#isCutShort ? 0 : LAST_BIND_TIMEOUT_MS;
    main.abandon(bindMs);
    if (main.isBound) {
      const open = this.window.used - this.window.tombstones + this.reserved;
      if (!this.#isCutShort && (open > 0 || main.owedCount > 0)) return;
      main.unbind();
    }
    const receiver = this.#receiver;
    if (receiver === null) return;
    receiver.abandon(bindMs);
    if (this.#isCutShort || receiver.owedCount === 0) receiver.unbind();
  }
}

function tombstonesMax(windowMax: number): number {
  return Math.min(TOMBSTONES_MAX, Math.ceil(windowMax / 2));
}
