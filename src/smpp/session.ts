/**
 * One SMPP session of a link: a connection, its bind, its window, and what becomes of them when it
 * ends.
 *
 *   BACKOFF ──dial──► CONNECTING ──► BINDING ──bind_resp──► BOUND ──► UNBINDING ──┐
 *      ▲                  └──────────────┴────────────────────┴───► CLOSED ◄──────┘
 *      └── socket gone, what it still brought is read, every open slot recorded as ambiguous ◄┘
 *
 * Every change of state happens here, by four pumps: `onTick` for time, `turn` for input that had
 * to wait, `pump` for output, and the events of the socket. A new connection is dialled only after
 * the old socket has closed. One thread.
 */
import {
  COMMAND_ID,
  COMMAND_STATUS,
  describeSentinel,
  encodeBind,
  HEADER_LENGTH,
  INTERFACE_VERSION,
  readSequenceNumber,
  recogniseForeign,
  statusNameOf,
} from "../codec/index.ts";
import type { LogLevel, Socket, SocketEvents } from "../environment.ts";
import { Counter } from "../metrics/block.ts";
import { PRIORITY_COUNT } from "../records/types.ts";
import { rowWord, SessionState, SessionWord } from "../tables/link-table.ts";
import { isFatal, isThrottled } from "./answer.ts";
import type { WorkerContext } from "./context.ts";
import { Inbound } from "./inbound.ts";
import {
  ANOMALIES_LOGGED_MAX,
  GRACE_MS,
  STABLE_AFTER_MS,
  STALLED_AFTER_MS,
  TOMBSTONES_MAX,
} from "./limits.ts";
import type { WorkerLink } from "./link.ts";
import { NO_ENTRY } from "./message-table.ts";
import { OpenAttempts, UNMATCHED } from "./open-attempts.ts";
import { Outbound } from "./outbound.ts";
import type { SessionAssignment } from "./plan.ts";
import type { Sender } from "./record-stager.ts";
import {
  dueAction,
  RedialKind,
  redialDelayMs,
  redialKindOf,
  type SessionTimes,
  TimerAction,
} from "./timers.ts";
import { Window } from "./window.ts";

const NEVER = -1;

const TIMEOUT_CAUSES: Readonly<Record<number, string>> = {
  [TimerAction.CONNECT_TIMED_OUT]: "connect timed out",
  [TimerAction.BIND_TIMED_OUT]: "no answer to the bind",
  [TimerAction.ENQUIRE_TIMED_OUT]: "no answer to enquire_link",
  [TimerAction.UNBIND_TIMED_OUT]: "no answer to unbind",
  [TimerAction.PEER_DOES_NOT_READ]: "the peer does not read",
  [TimerAction.PEER_FLOODS]: "the peer sends more than can be answered",
};

export class SmppSession implements Sender {
  /** Index among the worker's sessions. */
  readonly local: number;
  readonly ordinal: number;
  readonly link: WorkerLink;
  readonly linkId: number;
  readonly window: Window;
  readonly outbound: Outbound;
  readonly times: SessionTimes;
  /** By priority: the message whose next parts this session takes, or NO_ENTRY. */
  readonly carry = new Int32Array(PRIORITY_COUNT).fill(NO_ENTRY);
  /** Counts connections; what belongs to an earlier one is recognised by it. */
  generation = 0;
  /** Segments prepared for this connection and not written: they have their place in the window. */
  reserved = 0;
  /** The peer has not taken our bytes for a while. */
  isStalled = false;
  readonly #context: WorkerContext;
  readonly #row: number;
  readonly #tombstonesMax: number;
  readonly #inbound: Inbound;
  readonly #attempts: OpenAttempts;
  #socket: Socket | null = null;
  /** Why this side ends the connection; only onClose is awaited. Empty while it lives. */
  #endCause = "";
  /** Everything is written, and the socket told so. */
  #isFinished = false;
  /** The socket is gone, and its window not yet recorded. */
  #isDying = false;
  #isWanted = true;
  #isCutShort = false;
  #receiptsPending = 0;
  #redialKind: number = RedialKind.ORDINARY;
  #failures = 0;
  #boundAt = NEVER;
  #graceUntil = 0;
  #anomalies = 0;
  #answers = 0;
  #windowShown = 0;

  constructor(context: WorkerContext, link: WorkerLink, at: SessionAssignment, local: number) {
    this.#context = context;
    this.local = local;
    this.ordinal = at.ordinal;
    this.link = link;
    this.linkId = link.id;
    this.window = new Window(link.config.windowMax);
    this.#tombstonesMax = Math.min(TOMBSTONES_MAX, Math.ceil(link.config.windowMax / 2));
    this.outbound = new Outbound(context, this);
    this.#inbound = new Inbound(context, this);
    this.#attempts = new OpenAttempts(context, this, link, this.window);
    this.#row = rowWord(at.sessionIndex, 0);
    this.times = {
      state: SessionState.CLOSED,
      since: context.time.now,
      lastInboundAt: NEVER,
      enquireSentAt: NEVER,
      undrainedSince: NEVER,
      owedSince: NEVER,
      pausedSince: NEVER,
      dialAt: context.time.now,
    };
    this.#enter(SessionState.BACKOFF);
  }

  get isBound(): boolean {
    return this.times.state === SessionState.BOUND;
  }

  /** Nothing of this session is left: no connection, no open window. */
  get isClosed(): boolean {
    return this.times.state === SessionState.CLOSED && this.#socket === null && !this.#isDying;
  }

  /** Segments that may still be prepared for it. */
  get room(): number {
    if (!this.isBound) return 0;
    return this.window.limit - this.window.used - this.reserved;
  }

  /** Requests of the peer that are not answered yet. */
  get owedCount(): number {
    return this.outbound.repliesCount + this.#receiptsPending;
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
    const { time } = this.#context;
    const grace = inGrace || time.now < this.#graceUntil;
    const { enquireLinkIntervalMs } = this.link.config;
    const action = dueAction(this.times, time.now, enquireLinkIntervalMs, grace);
    if (action === TimerAction.DIAL) this.#dialIfAllowed();
    else if (action === TimerAction.SEND_ENQUIRE_LINK) this.#enquireLink();
    else if (action !== TimerAction.NONE) this.end(TIMEOUT_CAUSES[action] ?? "timed out");
    if (!grace && this.times.pausedSince < 0) this.#expireAnswers();
    const { undrainedSince } = this.times;
    const stalled = undrainedSince >= 0 && time.now - undrainedSince >= STALLED_AFTER_MS;
    if (stalled === this.isStalled) return;
    this.isStalled = stalled;
    this.#context.availabilityChanged(this);
  }

  /** Goes on with what had to wait for room, and with a drain; returns how much it did. */
  turn(): number {
    let work = 0;
    if (this.#isDying) work += this.#die();
    else if (this.times.pausedSince >= 0 && this.#socket !== null) {
      const pausedSince = this.times.pausedSince;
      if (this.#inbound.readWaiting(this.#socket)) {
        this.#graceUntil = this.#context.time.now + GRACE_MS;
        this.times.lastInboundAt = this.#context.time.now;
      }
      if (this.times.pausedSince !== pausedSince) work++;
    }
    if (!this.#isWanted) this.#wind();
    return work;
  }

  /** Writes what can be written; returns the number of PDUs. */
  pump(): number {
    const socket = this.#socket;
    const { state } = this.times;
    if (socket === null || state < SessionState.BINDING || state > SessionState.UNBINDING) return 0;
    const count = this.outbound.pump(socket, this.isBound);
    if (this.outbound.arena.isUndrained && this.times.undrainedSince < 0) {
      this.times.undrainedSince = this.#context.time.now;
    }
    if (this.#inbound.isIgnored && this.outbound.repliesCount === 0 && !this.#isFinished) {
      this.#isFinished = true;
      socket.end();
    }
    return count;
  }

  /**
   * A SENDING staged for connection `generation` is committed: the segment may be written, or never
   * will be.
   */
  sendingCommitted(generation: number, entry: number, segment: number): void {
    if (generation === this.generation && this.isBound) this.outbound.addReady(entry, segment);
    else this.#context.unwritten.add(entry, segment, this);
  }

  /** A RECEIPT taken on connection `generation` is committed: its response may go. */
  receiptCommitted(generation: number, commandId: number, sequenceNumber: number): void {
    if (generation !== this.generation) return;
    this.#receiptsPending--;
    this.reply(commandId, COMMAND_STATUS.ESME_ROK, sequenceNumber);
  }

  /** Writes the words of the session table that change with traffic. */
  showProgress(): void {
    const words = this.#context.sessionWords;
    if (this.window.used !== this.#windowShown) {
      this.#windowShown = this.window.used;
      Atomics.store(words, this.#row + SessionWord.WINDOW_USED, this.window.used);
    }
    if (this.#answers === 0) return;
    this.#answers = 0;
    Atomics.store(words, this.#row + SessionWord.PROGRESS_MS, this.#context.time.now | 0);
  }

  /** Ends the session for good once its window is empty; at once if `cutShort`. */
  drain(cutShort: boolean): void {
    this.#isWanted = false;
    this.#isCutShort ||= cutShort;
    this.#wind();
  }

  // What its PDUs call (pdu-reader.ts).

  /** Queues a response, unless the connection is gone. */
  reply(commandId: number, commandStatus: number, sequenceNumber: number): void {
    if (this.#socket !== null) this.outbound.reply(commandId, commandStatus, sequenceNumber);
  }

  /** A RECEIPT was staged; its response is owed. */
  awaitReceipt(): void {
    this.#receiptsPending++;
  }

  /** Closes the socket at once; `onClose` follows. */
  end(cause: string): void {
    if (this.#socket === null || this.times.state === SessionState.CLOSED) return;
    if (this.#endCause === "") this.#endCause = cause;
    this.#leave(SessionState.CLOSED);
    this.#socket.destroy(this.#endCause);
  }

  /** The stream is out of step, or no SMPP at all: generic_nack 02, and the end. */
  refuseFrame(bytes: Uint8Array, at: number, end: number, sentinel: number): void {
    this.#context.metrics.add(Counter.pduAnomalies, 1);
    const foreign = recogniseForeign(bytes, at, end);
    const sequenceNumber = end - at >= HEADER_LENGTH ? readSequenceNumber(bytes, at) : 0;
    this.reply(COMMAND_ID.generic_nack, COMMAND_STATUS.ESME_RINVCMDLEN, sequenceNumber);
    const speaks = foreign === null ? "" : `, the peer speaks ${foreign}`;
    this.#endAfterFlush(`${describeSentinel(sentinel)}${speaks}`);
  }

  bindAnswered(commandStatus: number, isNack: boolean): void {
    if (this.times.state !== SessionState.BINDING) {
      this.noteAnomaly("a bind_resp to no bind");
      return;
    }
    if (commandStatus !== COMMAND_STATUS.ESME_ROK || isNack) {
      this.#setRedialKind(redialKindOf(commandStatus));
      this.end(`bind refused: ${statusText(commandStatus)}`);
      return;
    }
    const { time, metrics, sessionWords } = this.#context;
    this.#boundAt = time.now;
    this.#redialKind = RedialKind.ORDINARY;
    this.#enter(SessionState.BOUND);
    this.link.boundCount++;
    metrics.add(Counter.bindsSucceeded, 1);
    Atomics.add(sessionWords, this.#row + SessionWord.BINDS, 1);
    this.#log("info", "bind", {});
    this.#context.availabilityChanged(this);
  }

  unbindAnswered(): void {
    if (this.times.state !== SessionState.UNBINDING) {
      this.noteAnomaly("an unbind_resp to no unbind");
      return;
    }
    this.end("unbound");
  }

  /** The peer ends the session: it is answered, and what is in the window will be ambiguous. */
  peerUnbinds(sequenceNumber: number): void {
    this.reply(COMMAND_ID.unbind_resp, COMMAND_STATUS.ESME_ROK, sequenceNumber);
    this.#endAfterFlush("unbound by the peer");
  }

  /** submit_sm_resp or generic_nack; the SMSC's id is bytes [idStart, idEnd). */
  answered(
    sequenceNumber: number,
    commandStatus: number,
    isNack: boolean,
    bytes: Uint8Array,
    idStart: number,
    idEnd: number,
  ): void {
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
    if (isThrottled(statusClass)) {
      const wasPaced = link.isPaced;
      if (link.noteThrottled(now, writtenAt) && !wasPaced) {
        this.#log("warn", "pace a throttled link", { status: statusText(commandStatus) });
      }
    }
    if (isFatal(statusClass)) this.#unbindSlowly(statusText(commandStatus));
  }

  /** Counts a PDU that should not be; the first few of a connection are logged. */
  noteAnomaly(what: string): void {
    this.#context.metrics.add(Counter.pduAnomalies, 1);
    if (++this.#anomalies <= ANOMALIES_LOGGED_MAX) this.#log("warn", "read a PDU", { cause: what });
  }

  /** A segment did not encode. */
  noteUnsendable(sentinel: number): void {
    this.#log("error", "encode submit_sm", { cause: describeSentinel(sentinel) });
  }

  // Connecting.

  #dialIfAllowed(): void {
    const { dials, time, dial } = this.#context;
    const { host, port } = this.link.config;
    if (!dials.tryDial(host, time.now)) return;
    this.generation = (this.generation + 1) | 0;
    this.window.reset(this.#context.sequenceNumberFirst);
    this.outbound.reset();
    this.#inbound.reset();
    this.reserved = 0;
    this.#receiptsPending = 0;
    this.#endCause = "";
    this.#isFinished = false;
    this.#boundAt = NEVER;
    this.#anomalies = 0;
    this.#resetTimes();
    this.#enter(SessionState.CONNECTING);
    this.#socket = dial(host, port, this.#eventsOf(this.generation));
  }

  #resetTimes(): void {
    this.times.lastInboundAt = NEVER;
    this.times.enquireSentAt = NEVER;
    this.times.undrainedSince = NEVER;
    this.times.owedSince = NEVER;
    this.times.pausedSince = NEVER;
  }

  #eventsOf(generation: number): SocketEvents {
    const isCurrent = (): boolean => {
      this.#context.time.refresh();
      this.#context.wake();
      return generation === this.generation && this.#socket !== null;
    };
    return {
      onConnect: () => {
        if (isCurrent()) this.#bind();
      },
      onData: (bytes, start, end) => {
        if (isCurrent() && this.#socket !== null) {
          this.#inbound.receive(this.#socket, bytes, start, end);
        }
      },
      onDrain: () => {
        if (!isCurrent()) return;
        this.outbound.arena.drained();
        this.times.undrainedSince = NEVER;
      },
      onClose: (cause) => {
        if (isCurrent()) this.#closed(cause);
      },
    };
  }

  #bind(): void {
    const socket = this.#socket;
    if (socket === null || this.times.state !== SessionState.CONNECTING) return;
    this.#enter(SessionState.BINDING);
    const { systemId, password } = this.link.config;
    const { arena } = this.outbound;
    const secret = password ?? "";
    const length = encodeBind(
      COMMAND_ID.bind_transceiver,
      arena.bytes,
      arena.at,
      this.window.takeSequenceNumber(),
      {
        systemId,
        password: secret,
        systemType: "",
        interfaceVersion: INTERFACE_VERSION.v34,
        addrTon: 0,
        addrNpi: 0,
        addressRange: "",
      },
      secret.length,
    );
    if (length < 0) {
      this.#setRedialKind(RedialKind.SLOW);
      this.end(`bind does not encode: ${describeSentinel(length)}`);
      return;
    }
    arena.advance(length);
    this.pump();
  }

  #enquireLink(): void {
    this.times.enquireSentAt = this.#context.time.now;
    this.reply(COMMAND_ID.enquire_link, 0, this.window.takeSequenceNumber());
  }

  #expireAnswers(): void {
    if (this.#socket === null) return;
    this.#attempts.expire();
    if (this.window.tombstones < this.#tombstonesMax) return;
    this.end(`${this.window.tombstones} submits without answer`);
  }

  // Ending.

  /**
   * Reads nothing more, and closes the socket when what is owed has been written, or the unbind
   * time is over.
   */
  #endAfterFlush(cause: string): void {
    if (this.#endCause !== "") return;
    this.#endCause = cause;
    this.#inbound.isIgnored = true;
    this.#leave(SessionState.UNBINDING);
  }

  /** Sends unbind; answers are read until the peer has answered it, or 5 s are over. */
  #unbind(): void {
    this.#leave(SessionState.UNBINDING);
    this.reply(COMMAND_ID.unbind, 0, this.window.takeSequenceNumber());
  }

  #unbindSlowly(cause: string): void {
    if (!this.isBound) return;
    this.#setRedialKind(RedialKind.SLOW);
    this.#log("warn", "unbind", { cause: `the SMSC answered ${cause}` });
    this.#unbind();
  }

  /** Enters a state without traffic: what is not written goes back to the queues. */
  #leave(state: number): void {
    const wasBound = this.isBound;
    if (this.times.state !== state) this.#enter(state);
    if (!wasBound) return;
    this.link.boundCount--;
    this.outbound.abandonReady();
    this.#context.availabilityChanged(this);
    const { queues } = this.#context;
    for (let priority = 0; priority < PRIORITY_COUNT; priority++) {
      const entry = queues.takeCarried(this, priority);
      if (entry !== NO_ENTRY) queues.settle(entry);
    }
  }

  #closed(cause: string): void {
    const { metrics } = this.#context;
    this.#leave(SessionState.CLOSED);
    this.#socket = null;
    this.#isDying = true;
    const why = this.#endCause === "" ? cause : this.#endCause;
    if (this.#boundAt < 0) {
      metrics.add(Counter.bindsFailed, 1);
      this.#log("warn", "bind", { cause: why });
    } else {
      if (this.#isWanted) metrics.add(Counter.sessionsLost, 1);
      this.#log(this.#isWanted ? "warn" : "info", "lose a session", { cause: why });
    }
    this.#die();
  }

  /** Reads what the socket still brought, then records the window; returns 1 when that is done. */
  #die(): number {
    if (!this.#inbound.readRest() || !this.#attempts.lose()) return 0;
    this.#isDying = false;
    this.#resetTimes();
    this.#enter(SessionState.CLOSED);
    if (this.#isWanted) this.#awaitRedial();
    return 1;
  }

  #awaitRedial(): void {
    const { time, random } = this.#context;
    if (this.#boundAt >= 0 && time.now - this.#boundAt >= STABLE_AFTER_MS) this.#failures = 0;
    this.times.dialAt = time.now + redialDelayMs(this.#redialKind, this.#failures, random());
    this.#failures++;
    this.#enter(SessionState.BACKOFF);
  }

  #setRedialKind(kind: number): void {
    if (kind !== this.#redialKind) this.#failures = 0;
    this.#redialKind = kind;
  }

  /** One step of a drain. */
  #wind(): void {
    const { state } = this.times;
    if (state === SessionState.BACKOFF) this.#enter(SessionState.CLOSED);
    else if (state === SessionState.CONNECTING || state === SessionState.BINDING) {
      this.end("shutting down");
    } else if (this.isBound) {
      const open = this.window.used - this.window.tombstones + this.reserved;
      if (this.#isCutShort || (open === 0 && this.owedCount === 0)) this.#unbind();
    }
  }

  #enter(state: number): void {
    this.times.state = state;
    this.times.since = this.#context.time.now;
    Atomics.store(this.#context.sessionWords, this.#row + SessionWord.STATE, state);
  }

  #log(level: LogLevel, operation: string, fields: Record<string, unknown>): void {
    this.#context.log.write(level, operation, {
      link: this.linkId,
      session: this.ordinal,
      ...fields,
    });
  }
}

function statusText(commandStatus: number): string {
  const name = statusNameOf(commandStatus);
  const code = `0x${commandStatus.toString(16).padStart(2, "0")}`;
  return name === undefined ? code : `${name} (${code})`;
}
