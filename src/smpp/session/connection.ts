/**
 * One connection of a session: its socket, its bind, its timers, and its end.
 *
 *   BACKOFF ──dial──► CONNECTING ──► BINDING ──bind_resp──► BOUND ──► UNBINDING ──┐
 *      ▲                  └──────────────┴────────────────────┴───► CLOSED ◄──────┘
 *      └── socket gone, what it still brought is read, what its owner had open on it recorded ◄┘
 *
 * Every change of state happens here, by four pumps: `onTick` for time, `turn` for input that had
 * to wait, `pump` for output, and the events of the socket. A new connection is dialled only after
 * the old socket has closed. What it submits and what is in the window is the session's. One
 * thread.
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
  responseIdOf,
} from "../../codec/index.ts";
import type { LogLevel, Socket, SocketEvents } from "../../environment.ts";
import { Counter } from "../../metrics/block.ts";
import { SessionState, SessionWord } from "../../tables/link-table.ts";
import { BIND_ROLE_NAMES, BindRole, type BindRefusal, bindIdOf } from "./bind-role.ts";
import type { WorkerContext } from "../context.ts";
import { FlightRecorder } from "./flight-recorder.ts";
import { Inbound } from "./inbound.ts";
import { ANOMALIES_LOGGED_MAX, GRACE_MS, STABLE_AFTER_MS } from "../pace/limits.ts";
import { Outbound } from "./outbound.ts";
import type { Numbering } from "./sequence-numbers.ts";
import type { SmppSession } from "./session.ts";
import { statusText } from "./status-text.ts";
import {
  dueAction,
  isCredentialsRefusal,
  RedialKind,
  redialDelayMs,
  redialKindOf,
  type SessionTimes,
  TimerAction,
} from "./timers.ts";
import type { WriteArena } from "./write-arena.ts";

const NEVER = -1;

const TIMEOUT_CAUSES: Readonly<Record<number, string>> = {
  [TimerAction.CONNECT_TIMED_OUT]: "connect timed out",
  [TimerAction.BIND_TIMED_OUT]: "no answer to the bind",
  [TimerAction.ENQUIRE_TIMED_OUT]: "no answer to enquire_link",
  [TimerAction.UNBIND_TIMED_OUT]: "no answer to unbind",
  [TimerAction.PEER_DOES_NOT_READ]: "the peer does not read",
  [TimerAction.PEER_FLOODS]: "the peer sends more than can be answered",
};

export class Connection {
  readonly session: SmppSession;
  /** BindRole of the next bind; changed by the session while nothing is bound. */
  role: number;
  readonly recorder = new FlightRecorder();
  readonly outbound: Outbound;
  readonly times: SessionTimes;
  /** Counts dials; what belongs to an earlier one is recognised by it. */
  generation = 0;
  readonly #context: WorkerContext;
  readonly #numbering: Numbering;
  readonly #inbound: Inbound;
  #socket: Socket | null = null;
  /** Why this side ends the connection; only onClose is awaited. Empty while it lives. */
  #endCause = "";
  /** Everything is written, and the socket told so. */
  #isFinished = false;
  /** The socket is gone, and what it left behind not yet recorded. */
  #isDying = false;
  #receiptsPending = 0;
  #redialKind: number = RedialKind.ORDINARY;
  #failures = 0;
  #boundAt = NEVER;
  #graceUntil = 0;
  #anomalies = 0;

  constructor(context: WorkerContext, session: SmppSession, role: number, numbering: Numbering) {
    this.#context = context;
    this.session = session;
    this.role = role;
    this.#numbering = numbering;
    this.outbound = new Outbound(this);
    this.#inbound = new Inbound(context, this);
    this.times = {
      state: SessionState.CLOSED,
      since: context.time.now,
      lastPduAt: NEVER,
      enquireSentAt: NEVER,
      undrainedSince: NEVER,
      owedSince: NEVER,
      pausedSince: NEVER,
      dialAt: context.time.now,
    };
  }

  get isBound(): boolean {
    return this.times.state === SessionState.BOUND;
  }

  get isReceiver(): boolean {
    return this.role === BindRole.RECEIVER;
  }

  /** Nothing of it is left, and it will not dial. */
  get isClosed(): boolean {
    return this.times.state === SessionState.CLOSED && this.#socket === null && !this.#isDying;
  }

  /** Requests of the peer that are not answered yet. */
  get owedCount(): number {
    return this.outbound.repliesCount + this.#receiptsPending;
  }

  /** The PDU of `length` bytes at `arena.at` is complete, and goes out with the next flush. */
  noteWritten(arena: WriteArena, length: number): void {
    const { at } = arena;
    this.recorder.noteOutbound(
      this.generation,
      this.#context.time.wall,
      arena.bytes,
      at,
      at + length,
    );
    arena.advance(length);
  }

  // What the session calls.

  /** Dials at `atMs`, if it lies idle. */
  start(atMs: number): void {
    if (!this.isClosed) return;
    this.times.dialAt = atMs;
    this.#enter(SessionState.BACKOFF);
  }

  /** Whether what the peer has sent may lie unread: no deadline of its counts. */
  isInGrace(workerInGrace: boolean): boolean {
    return workerInGrace || this.#context.time.now < this.#graceUntil;
  }

  /** Acts on what has come due. */
  onTick(workerInGrace: boolean): void {
    const { now } = this.#context.time;
    const { enquireLinkIntervalMs } = this.session.link.config;
    const action = dueAction(this.times, now, enquireLinkIntervalMs, this.isInGrace(workerInGrace));
    if (action === TimerAction.NONE) return;
    if (action === TimerAction.DIAL) this.#dialIfAllowed();
    else if (action === TimerAction.SEND_ENQUIRE_LINK) this.#enquireLink();
    else this.end(TIMEOUT_CAUSES[action] ?? "timed out");
  }

  /** Whether it holds nothing back, and nothing comes due within `aheadMs`. */
  isQuiet(aheadMs: number): boolean {
    const { times } = this;
    if (this.#isDying || times.undrainedSince >= 0 || times.pausedSince >= 0) return false;
    const { enquireLinkIntervalMs } = this.session.link.config;
    const { now } = this.#context.time;
    return dueAction(times, now + aheadMs, enquireLinkIntervalMs, false) === TimerAction.NONE;
  }

  /** Goes on with what had to wait for room; returns how much it did. */
  turn(): number {
    if (this.#isDying) return this.#die();
    const { pausedSince } = this.times;
    if (pausedSince < 0 || this.#socket === null) return 0;
    if (this.#inbound.readWaiting(this.#socket)) {
      this.#graceUntil = this.#context.time.now + GRACE_MS;
      this.times.lastPduAt = this.#context.time.now;
    }
    return this.times.pausedSince === pausedSince ? 0 : 1;
  }

  /** Writes what can be written; returns the number of PDUs. */
  pump(): number {
    const socket = this.#socket;
    const { state } = this.times;
    if (socket === null || state < SessionState.BINDING || state > SessionState.UNBINDING) return 0;
    const { arena } = this.outbound;
    let count = this.outbound.pump(socket);
    if (this.isBound && !this.isReceiver) count += this.session.pumpSubmits(socket, arena);
    arena.flush(socket);
    if (socket.isDrained) this.session.outputTaken(this);
    if (arena.isUndrained && this.times.undrainedSince < 0) {
      this.times.undrainedSince = this.#context.time.now;
    }
    if (this.#inbound.isIgnored && this.outbound.repliesCount === 0 && !this.#isFinished) {
      this.#isFinished = true;
      socket.end();
    }
    return count;
  }

  /** A RECEIPT taken on connection `generation` is committed: its response may go. */
  receiptCommitted(generation: number, commandId: number, sequenceNumber: number): void {
    if (generation !== this.generation) return;
    this.#receiptsPending--;
    this.reply(commandId, COMMAND_STATUS.ESME_ROK, sequenceNumber);
  }

  /** Sends unbind; answers are read until the peer has answered it, or 5 s are over. */
  unbind(): void {
    if (!this.isBound) return;
    this.#leave(SessionState.UNBINDING);
    this.reply(COMMAND_ID.unbind, 0, this.#numbering.takeSequenceNumber());
  }

  /** Unbinds, and binds again slowly: the SMSC tells that the session is broken. */
  unbindSlowly(cause: string): void {
    if (!this.isBound) return;
    this.redialAs(RedialKind.SLOW);
    this.session.noteError(cause);
    this.log("warn", "unbind", { cause });
    this.unbind();
  }

  /**
   * Gives up what is not bound yet; to be called until it is closed or bound. A bind has `bindMs`
   * to be answered, since a session that is not unbound may block the next bind for a while.
   */
  abandon(bindMs: number): void {
    const { state, since } = this.times;
    if (state === SessionState.BACKOFF) this.#enter(SessionState.CLOSED);
    if (state !== SessionState.CONNECTING && state !== SessionState.BINDING) return;
    const mayWait = state === SessionState.BINDING && this.#context.time.now - since < bindMs;
    if (!mayWait) this.end("shutting down");
  }

  /** How the next dial waits (RedialKind). */
  redialAs(kind: number): void {
    if (kind !== this.#redialKind) this.#failures = 0;
    this.#redialKind = kind;
  }

  /** Closes the socket at once; `onClose` follows. */
  end(cause: string): void {
    if (this.#socket === null || this.times.state === SessionState.CLOSED) return;
    if (this.#endCause === "") this.#endCause = cause;
    this.#leave(SessionState.CLOSED);
    this.#socket.destroy(this.#endCause);
  }

  log(level: LogLevel, operation: string, fields: Record<string, unknown>): void {
    const role =
      this.role === BindRole.TRANSCEIVER ? {} : { bind: BIND_ROLE_NAMES[this.role] as string };
    this.#context.log.write(level, operation, {
      link: this.session.linkId,
      session: this.session.ordinal,
      ...role,
      ...fields,
    });
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

  /** The stream is out of step, or no SMPP at all: generic_nack 02, and the end. */
  refuseFrame(bytes: Uint8Array, at: number, end: number, sentinel: number): void {
    this.#context.metrics.add(Counter.pduAnomalies, 1);
    const foreign = recogniseForeign(bytes, at, end);
    const sequenceNumber = end - at >= HEADER_LENGTH ? readSequenceNumber(bytes, at) : 0;
    this.reply(COMMAND_ID.generic_nack, COMMAND_STATUS.ESME_RINVCMDLEN, sequenceNumber);
    const speaks = foreign === null ? "" : `, the peer speaks ${foreign}`;
    this.#endAfterFlush(`${describeSentinel(sentinel)}${speaks}`);
  }

  /** A bind_*_resp, or a generic_nack while binding (`commandId` is then generic_nack). */
  bindAnswered(commandId: number, commandStatus: number): void {
    const isNack = commandId === COMMAND_ID.generic_nack;
    if (this.times.state !== SessionState.BINDING) {
      this.noteAnomaly("a bind_resp to no bind");
      return;
    }
    if (!isNack && commandId !== responseIdOf(bindIdOf(this.role))) {
      this.noteAnomaly("a bind_resp to another bind");
      return;
    }
    if (commandStatus !== COMMAND_STATUS.ESME_ROK || isNack) {
      this.#bindRefused({ commandStatus, isNack });
      return;
    }
    this.#boundAt = this.#context.time.now;
    this.#redialKind = RedialKind.ORDINARY;
    this.#enter(SessionState.BOUND);
    this.#context.metrics.add(Counter.bindsSucceeded, 1);
    this.log("info", "bind", {});
    this.session.connectionBound(this);
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

  /** Counts a PDU that should not be; the first few of a connection are logged. */
  noteAnomaly(what: string): void {
    this.#context.metrics.add(Counter.pduAnomalies, 1);
    if (++this.#anomalies <= ANOMALIES_LOGGED_MAX) this.log("warn", "read a PDU", { cause: what });
  }

  // Connecting.

  #dialIfAllowed(): void {
    const { dials, time, dial } = this.#context;
    const { host, port, tls } = this.session.link.config;
    if (!dials.tryDial(host, time.now)) return;
    this.generation = (this.generation + 1) | 0;
    this.#numbering.reset(this.#context.sequenceNumberFirst);
    this.outbound.reset();
    this.#inbound.reset();
    this.#receiptsPending = 0;
    this.#endCause = "";
    this.#isFinished = false;
    this.#boundAt = NEVER;
    this.#anomalies = 0;
    this.#resetTimes();
    this.session.connectionDialled(this);
    this.#enter(SessionState.CONNECTING);
    this.#socket = dial(host, port, this.#eventsOf(this.generation), tls);
  }

  #resetTimes(): void {
    this.times.lastPduAt = NEVER;
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
        this.session.outputTaken(this);
        this.times.undrainedSince = NEVER;
      },
      onClose: (cause) => {
        if (isCurrent()) this.#closed(cause);
      },
    };
  }

  #bind(): void {
    if (this.times.state !== SessionState.CONNECTING) return;
    this.#enter(SessionState.BINDING);
    const { systemId, password } = this.session.link.config;
    const { arena } = this.outbound;
    const secret = password ?? "";
    const length = encodeBind(
      bindIdOf(this.role),
      arena.bytes,
      arena.at,
      this.#numbering.takeSequenceNumber(),
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
      this.redialAs(RedialKind.SLOW);
      this.end(`bind does not encode: ${describeSentinel(length)}`);
      return;
    }
    this.noteWritten(arena, length);
    this.pump();
  }

  #bindRefused(refusal: BindRefusal): void {
    const { commandStatus, isNack } = refusal;
    this.redialAs(isNack ? RedialKind.SLOW : redialKindOf(commandStatus));
    const by = isNack ? "generic_nack " : "";
    const cause = `bind refused: ${by}${statusText(commandStatus)}`;
    if (isCredentialsRefusal(commandStatus)) {
      this.log("error", "bind", { cause: `${cause}: system_id, password or system_type is wrong` });
    }
    this.session.bindRefused(this, refusal);
    this.end(cause);
  }

  #enquireLink(): void {
    this.times.enquireSentAt = this.#context.time.now;
    this.reply(COMMAND_ID.enquire_link, 0, this.#numbering.takeSequenceNumber());
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

  #leave(state: number): void {
    const wasBound = this.isBound;
    if (this.times.state !== state) this.#enter(state);
    if (wasBound) this.session.connectionUnbound(this);
  }

  #closed(cause: string): void {
    const { metrics } = this.#context;
    this.#leave(SessionState.CLOSED);
    this.session.outputTaken(this);
    this.#socket = null;
    this.#isDying = true;
    const why = this.#endCause === "" ? cause : this.#endCause;
    const isWanted = this.session.wants(this);
    if (this.#boundAt < 0) {
      metrics.add(Counter.bindsFailed, 1);
      const isExpected = this.#redialKind === RedialKind.ALREADY_BOUND;
      this.log(isExpected ? "info" : "warn", "bind", { cause: why });
    } else {
      if (isWanted) {
        metrics.add(Counter.sessionsLost, 1);
        this.session.tally.add(SessionWord.LOST);
        this.log("warn", "lose a session", { cause: why });
      } else {
        this.log("info", "end a session", { cause: why });
      }
    }
    if (isWanted) this.session.noteError(why);
    this.#die();
  }

  /** Reads what the socket still brought, then records the window; returns 1 when that is done. */
  #die(): number {
    if (!this.#inbound.readRest() || !this.session.recordLost(this)) return 0;
    this.#isDying = false;
    this.#resetTimes();
    this.#enter(SessionState.CLOSED);
    if (this.session.wants(this)) this.#awaitRedial();
    return 1;
  }

  #awaitRedial(): void {
    const { time, random } = this.#context;
    if (this.#boundAt >= 0 && time.now - this.#boundAt >= STABLE_AFTER_MS) this.#failures = 0;
    this.times.dialAt = time.now + redialDelayMs(this.#redialKind, this.#failures, random());
    this.#failures++;
    this.#enter(SessionState.BACKOFF);
  }

  #enter(state: number): void {
    this.times.state = state;
    this.times.since = this.#context.time.now;
    this.session.connectionChanged(this);
  }
}
