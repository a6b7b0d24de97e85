/**
 * HTTP load from one thread: at a constant rate, free of coordinated omission, or closed loop.
 *
 *   due messages ──► idle connections ──► one request in flight each ──► histogram (HdrHistogram)
 *        └── no idle one: they wait in order, and their clocks run
 *
 * At a constant rate every request has a time at which it is due, and its latency counts from then,
 * whether or not a connection was free; how late this thread itself was is told apart. In the
 * closed loop every connection sends as soon as it has its answer. Main thread; one run an
 * instance. Times in microseconds.
 */
import { connect, type Socket } from "node:net";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

const TICK_MS = 1;
/** After the last request was due: how long answers may take. */
const TAIL_MS = 10_000;
/** What one read takes, at most. */
const READ_BYTES = 64 * 1024;
/** Bodies that are kept of accepted answers, drawn evenly from the whole run. */
const SAMPLES_MAX = 2000;

/** Latencies of answers of one kind, in microseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What a run came to. */
export interface LoadResult {
  /** Requests that were due, or sent in the closed loop. */
  readonly due: number;
  readonly accepted: Latencies;
  /** Answers other than 2xx. */
  readonly refused: Latencies;
  /** Refusals without a Retry-After. */
  readonly withoutRetryAfter: number;
  readonly unanswered: number;
  readonly lostConnections: number;
  /** From when a request was due until this thread noticed: no fault of the server's. */
  readonly generatorLate: Latencies;
  /** From when a request was due until it was written: until a connection was free. */
  readonly unwritten: Latencies;
  /** Bodies of some accepted answers. */
  readonly samples: readonly string[];
  /** Share of one core that this thread's event loop was busy. */
  readonly busy: number;
}

export interface LoadOptions {
  readonly port: number;
  /** Sent in turn. */
  readonly requests: readonly Buffer[];
  /** Requests a second; null: closed loop. */
  readonly rate: number | null;
  readonly seconds: number;
  /**
   * Of these at the start, in which the rate grows evenly from nothing: a program that has just
   * started compiles its code first, and what it falls behind by then would last. What was due then
   * is in no latencies; 0 if left out.
   */
  readonly warmUpS?: number;
  readonly connections: number;
}

/**
 * Loads a server on loopback; resolves when every request is answered, or 10 s later. Rejects when
 * a connection fails, and a rate that is not above 0.
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  if (options.rate !== null && !(options.rate > 0)) throw new Error("a rate must be above 0");
  return await new Generator(options).run();
}

/** One connection with at most one request in flight. */
interface Lane {
  readonly socket: Socket;
  dueMs: number;
  isWaiting: boolean;
  received: string;
}

class Generator {
  readonly #options: LoadOptions;
  readonly #idle: Lane[] = [];
  /** When each request was due that waits for a connection, oldest first. */
  readonly #waiting: number[] = [];
  #waitingFrom = 0;
  #sent = 0;
  #due = 0;
  #answered = 0;
  #sampled = 0;
  #withoutRetryAfter = 0;
  #lost = 0;
  #isOver = false;
  #startMs = 0;
  #endMs = 0;
  /** Of all connections: each read is used before the next one begins. */
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #accepted = createHistogram();
  readonly #refused = createHistogram();
  readonly #late = createHistogram();
  readonly #unwritten = createHistogram();
  readonly #samples: string[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  get #warmUpMs(): number {
    return (this.#options.warmUpS ?? 0) * 1000;
  }

  async run(): Promise<LoadResult> {
    const { port, connections, seconds, rate } = this.#options;
    const lanes = await Promise.all(Array.from({ length: connections }, () => this.#open(port)));
    this.#startMs = performance.now();
    const endMs = this.#startMs + seconds * 1000;
    this.#endMs = endMs;
    const loopBefore = performance.eventLoopUtilization();
    if (rate === null) for (const lane of lanes) this.#next(lane);
    else this.#idle.push(...lanes);
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const nowMs = performance.now();
        if (rate !== null) this.#release(nowMs, rate);
        this.#isOver = nowMs >= endMs;
        const isDone = this.#isOver && this.#answered + this.#lost >= this.#due;
        if (!isDone && nowMs < endMs + TAIL_MS) return;
        clearInterval(timer);
        resolve();
      }, TICK_MS);
    });
    const busy = performance.eventLoopUtilization(loopBefore).utilization;
    const lostConnections = this.#lost;
    for (const lane of lanes) lane.socket.destroy();
    return {
      due: this.#due,
      accepted: latenciesOf(this.#accepted),
      refused: latenciesOf(this.#refused),
      withoutRetryAfter: this.#withoutRetryAfter,
      unanswered: this.#due - this.#answered,
      lostConnections,
      generatorLate: latenciesOf(this.#late),
      unwritten: latenciesOf(this.#unwritten),
      samples: this.#samples,
      busy,
    };
  }

  /**
   * Constant rate: what has become due goes to idle connections, or waits. At each answer as well
   * as at each tick, so that little of a latency is this thread's own wait for its next tick.
   */
  #release(nowMs: number, rate: number): void {
    const untilMs = Math.min(nowMs, this.#endMs);
    for (;;) {
      const dueMs = this.#startMs + dueAfterMs(this.#due, rate, this.#warmUpMs);
      if (dueMs >= untilMs) break;
      this.#due++;
      this.#waiting.push(dueMs);
      if (this.#isWarm(dueMs)) this.#late.record(microseconds(nowMs - dueMs));
    }
    this.#pump(nowMs);
  }

  #pump(nowMs: number): void {
    while (this.#waitingFrom < this.#waiting.length) {
      const lane = this.#idle.pop();
      if (lane === undefined) return;
      const dueMs = this.#waiting[this.#waitingFrom++] as number;
      if (this.#isWarm(dueMs)) this.#unwritten.record(microseconds(nowMs - dueMs));
      this.#send(lane, dueMs);
    }
    this.#waiting.length = 0;
    this.#waitingFrom = 0;
  }

  /** Closed loop: the next request of a connection that has its answer. */
  #next(lane: Lane): void {
    if (this.#isOver) return;
    this.#due++;
    this.#send(lane, performance.now());
  }

  #send(lane: Lane, dueMs: number): void {
    const { requests } = this.#options;
    lane.dueMs = dueMs;
    lane.isWaiting = true;
    lane.socket.write(requests[this.#sent++ % requests.length] as Buffer);
  }

  #onAnswer(lane: Lane, head: string, body: string): void {
    lane.isWaiting = false;
    const nowMs = performance.now();
    const us = microseconds(nowMs - lane.dueMs);
    const isAccepted = head.charCodeAt(9) === 0x32;
    if (this.#isWarm(lane.dueMs)) (isAccepted ? this.#accepted : this.#refused).record(us);
    if (!isAccepted && !/\r\nretry-after:/i.test(head)) this.#withoutRetryAfter++;
    if (isAccepted) this.#sample(body);
    this.#answered++;
    const { rate } = this.#options;
    if (rate === null) {
      this.#next(lane);
      return;
    }
    this.#idle.push(lane);
    this.#release(nowMs, rate);
  }

  #isWarm(dueMs: number): boolean {
    return dueMs >= this.#startMs + this.#warmUpMs;
  }

  /** Every body so far is kept with the same chance (reservoir sampling, Vitter's algorithm R). */
  #sample(body: string): void {
    const seen = this.#sampled++;
    if (seen < SAMPLES_MAX) {
      this.#samples.push(body);
      return;
    }
    const at = Math.floor(Math.random() * (seen + 1));
    if (at < SAMPLES_MAX) this.#samples[at] = body;
  }

  #open(port: number): Promise<Lane> {
    return new Promise((resolve, reject) => {
      // Past the streams, which would cost more than the reads themselves.
      const onread = {
        buffer: this.#readBuffer,
        callback: (count: number, bytes: Uint8Array): boolean => {
          this.#onData(lane, (bytes as Buffer).toString("latin1", 0, count));
          return true;
        },
      };
      const options = { port, host: "127.0.0.1", noDelay: true, onread };
      const socket = connect(options, () => resolve(lane));
      const lane: Lane = { socket, dueMs: 0, isWaiting: false, received: "" };
      socket.on("error", reject);
      socket.on("close", () => {
        const at = this.#idle.indexOf(lane);
        if (at >= 0) this.#idle.splice(at, 1);
        if (lane.isWaiting) this.#lost++;
      });
    });
  }

  #onData(lane: Lane, text: string): void {
    const received = lane.received === "" ? text : lane.received + text;
    const headEnd = received.indexOf("\r\n\r\n");
    const head = headEnd < 0 ? "" : received.slice(0, headEnd);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (headEnd < 0 || received.length < headEnd + 4 + length) {
      lane.received = received;
      return;
    }
    lane.received = "";
    this.#onAnswer(lane, head, received.slice(headEnd + 4));
  }
}

/**
 * When the request of this index is due, in ms from the start, at `rate` a second: growing evenly
 * over the warm-up, in which half as many are due as in the same time after it.
 */
export function dueAfterMs(index: number, rate: number, warmUpMs: number): number {
  const steadyMs = (index * 1000) / rate;
  const warmMs = warmUpMs / 2;
  return steadyMs < warmMs ? Math.sqrt(2 * warmUpMs * steadyMs) : warmMs + steadyMs;
}

/** Whole microseconds, at least 1: histograms begin there. */
function microseconds(ms: number): number {
  return Math.max(1, Math.round(ms * 1000));
}

function latenciesOf(histogram: RecordableHistogram): Latencies {
  const { count, max } = histogram;
  if (count === 0) return { count, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  const [p50, p90, p99, p999] = [50, 90, 99, 99.9].map((p) => histogram.percentile(p));
  return { count, p50, p90, p99, p999, max } as Latencies;
}
