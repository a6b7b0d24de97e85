/**
 * The outside world as parameters: clock, randomness and sockets reach all logic through these
 * shapes, so that the whole gateway also runs in one thread on a simulated world (test/sim). Files:
 * src/journal/log-directory.ts.
 */

/** Time. Every thread of a process shares both bases. */
export interface Clock {
  /**
   * Milliseconds since an arbitrary start, with fraction; never goes back. For timers, buckets,
   * latencies.
   */
  monotonicMs(): number;
  /**
   * Milliseconds since the Unix epoch as of process start plus monotonic time since: no jumps in
   * one run.
   */
  wallMs(): number;
}

/** An instant on the clocks that all processes of a machine share, for comparison between runs. */
export interface SystemInstant {
  /** Names the start of the machine from which `monotonicMs` counts; null: not known. */
  readonly boot: string | null;
  readonly monotonicMs: number;
  /** Milliseconds since the Unix epoch as the machine has them now: may jump. */
  readonly wallMs: number;
}

/**
 * By when an earlier run had sent everything. "never": there was no run; "unknown": nothing says
 * so.
 */
export type LastSent = SystemInstant | "never" | "unknown";

/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * What a socket tells its owner. All calls come from the owner's own thread, never from inside
 * `write`.
 */
export interface SocketEvents {
  onConnect(): void;
  /** Bytes [start, end) are valid during the call only. */
  onData(bytes: Uint8Array, start: number, end: number): void;
  /** Every written byte has been handed to the kernel: the write buffer may be used again. */
  onDrain(): void;
  /** Exactly once, at the end of every socket, also of one that never connected. */
  onClose(cause: string): void;
}

/** A connected or connecting stream socket. */
export interface Socket {
  /**
   * Writes `bytes[start, end)`, which must not change until `isDrained`, the next `onDrain` or
   * `onClose`.
   */
  write(bytes: Uint8Array, start: number, end: number): void;
  /** Whether every written byte is the kernel's; may be asked right after `write`. */
  readonly isDrained: boolean;
  /** Closes after what was written is sent. */
  end(): void;
  /** Closes at once. `onClose` still comes, later. */
  destroy(cause: string): void;
  /** Stops and restarts the flow of `onData`. */
  pause(): void;
  resume(): void;
}

/** TLS towards a peer. */
export interface DialTls {
  /** PEM files; null: the system's authorities, or no client certificate. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  /** Private key, PEM. */
  readonly key: string | null;
  /** Name that the peer's certificate must carry; null: the host that is dialled. */
  readonly serverName: string | null;
  /** Whether the peer's certificate is checked at all. */
  readonly verify: boolean;
}

/**
 * Opens a TCP connection, with TLS on it if `tls` is given; the result is reported through
 * `events`.
 */
export type Dial = (
  host: string,
  port: number,
  events: SocketEvents,
  tls?: DialTls | null,
) => Socket;

/**
 * One structured log line: `operation` names what was being done, `fields` carry numbers and
 * presumed cause.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";
export interface Log {
  write(level: LogLevel, operation: string, fields?: Readonly<Record<string, unknown>>): void;
}
