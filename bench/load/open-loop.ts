/**
 * Load at a constant rate, free of coordinated omission: every message has a time at which it is
 * due, and its latency counts from then, whether or not a connection was free.
 *
 *   due messages ──► idle connections ──► one request in flight each ──► histogram (HdrHistogram)
 *        └── no idle one: they wait in order, and their clocks run
 *
 * A process of its own, started by `runOpenLoop`: `node open-loop.js PORT TOKEN RATE SECONDS
 * CONNECTIONS EXTRA`; prints one JSON line. Times in microseconds.
 */
import { execFile } from "node:child_process";
import { connect, type Socket } from "node:net";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { fileURLToPath } from "node:url";

const TICK_MS = 1;
const DISTINCT = 10_000;
/** After the last message was due: how long answers may take. */
const TAIL_MS = 10_000;

/** Latencies of answers of one kind, in microseconds. */
export interface Latencies {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What a run at a constant rate came to. */
export interface OpenLoopResult {
  readonly due: number;
  readonly accepted: Latencies;
  /** Answers other than 2xx. */
  readonly refused: Latencies;
  /** Refusals without a Retry-After. */
  readonly withoutRetryAfter: number;
  readonly unanswered: number;
  readonly lostConnections: number;
}

export interface OpenLoopOptions {
  readonly port: number;
  readonly token: string;
  /** Messages a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly connections: number;
  /** Added to each message's JSON, with its comma. */
  readonly extra: string;
}

/** Runs the generator in a process of its own. */
export function runOpenLoop(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { port, token, rate, seconds, connections, extra } = options;
  const args = [port, token, rate, seconds, connections, extra].map(String);
  const script = fileURLToPath(import.meta.url);
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`open-loop generator: ${error.message}\n${stderr}`));
      else resolve(JSON.parse(stdout) as OpenLoopResult);
    });
  });
}

class Generator {
  readonly #requests: readonly Buffer[];
  readonly #intervalMs: number;
  readonly #total: number;
  readonly #idle: Lane[] = [];
  /** When each message was due that waits for a connection, oldest first. */
  readonly #waiting: number[] = [];
  #waitingFrom = 0;
  #due = 0;
  #answered = 0;
  #withoutRetryAfter = 0;
  #lost = 0;
  readonly #accepted = createHistogram();
  readonly #refused = createHistogram();

  constructor(options: OpenLoopOptions) {
    this.#requests = makeRequests(options);
    this.#intervalMs = 1000 / options.rate;
    this.#total = Math.floor(options.rate * options.seconds);
  }

  async run(port: number, connections: number): Promise<OpenLoopResult> {
    const lanes = await Promise.all(
      Array.from({ length: connections }, () => openLane(port, this)),
    );
    this.#idle.push(...lanes);
    const startMs = performance.now();
    const endMs = startMs + this.#total * this.#intervalMs + TAIL_MS;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const nowMs = performance.now();
        this.#release(startMs, nowMs);
        if (this.#answered < this.#total - this.#lost && nowMs < endMs) return;
        clearInterval(timer);
        resolve();
      }, TICK_MS);
    });
    for (const lane of lanes) lane.socket.destroy();
    return {
      due: this.#due,
      accepted: latenciesOf(this.#accepted),
      refused: latenciesOf(this.#refused),
      withoutRetryAfter: this.#withoutRetryAfter,
      unanswered: this.#due - this.#answered,
      lostConnections: this.#lost,
    };
  }

  #release(startMs: number, nowMs: number): void {
    while (this.#due < this.#total) {
      const dueMs = startMs + this.#due * this.#intervalMs;
      if (dueMs > nowMs) break;
      this.#due++;
      this.#waiting.push(dueMs);
    }
    this.#pump();
  }

  #pump(): void {
    while (this.#waitingFrom < this.#waiting.length) {
      const lane = this.#idle.pop();
      if (lane === undefined) return;
      lane.dueMs = this.#waiting[this.#waitingFrom++] as number;
      lane.socket.write(this.#requests[this.#waitingFrom % DISTINCT] as Buffer);
    }
    this.#waiting.length = 0;
    this.#waitingFrom = 0;
  }

  answered(lane: Lane, head: string): void {
    const us = Math.max(1, Math.round((performance.now() - lane.dueMs) * 1000));
    const isAccepted = head.charCodeAt(9) === 0x32;
    (isAccepted ? this.#accepted : this.#refused).record(us);
    if (!isAccepted && !/\r\nretry-after:/i.test(head)) this.#withoutRetryAfter++;
    this.#answered++;
    this.#idle.push(lane);
    this.#pump();
  }

  lost(): void {
    this.#lost++;
  }
}

/** One connection with at most one request in flight. */
interface Lane {
  readonly socket: Socket;
  dueMs: number;
  received: string;
}

function openLane(port: number, generator: Generator): Promise<Lane> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(lane));
    const lane: Lane = { socket, dueMs: 0, received: "" };
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      lane.received += text;
      const headEnd = lane.received.indexOf("\r\n\r\n");
      if (headEnd < 0) return;
      const head = lane.received.slice(0, headEnd);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (lane.received.length < headEnd + 4 + length) return;
      lane.received = "";
      generator.answered(lane, head);
    });
    socket.on("error", reject);
    socket.on("close", () => generator.lost());
  });
}

function makeRequests({ token, extra }: OpenLoopOptions): Buffer[] {
  return Array.from({ length: DISTINCT }, (_, i) => {
    const to = `+9989${String((i * 7919) % 100_000_000).padStart(8, "0")}`;
    const text = `Your order ${i} is on its way and arrives today between 14:00 and 16:00.`;
    const fields = `"to":"${to}","from":"MYBRAND","text":"${text}","reference":"order-${i}"`;
    const body = `{${fields}${extra}}`;
    return Buffer.from(
      "POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
        `Authorization: Bearer ${token}\r\nX-App-ID: 1\r\nContent-Length: ${body.length}\r\n\r\n` +
        body,
    );
  });
}

function latenciesOf(histogram: RecordableHistogram): Latencies {
  const { count, max } = histogram;
  if (count === 0) return { count, p50: 0, p90: 0, p99: 0, p999: 0, max: 0 };
  const [p50, p90, p99, p999] = [50, 90, 99, 99.9].map((p) => histogram.percentile(p));
  return { count, p50, p90, p99, p999, max } as Latencies;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port, token, rate, seconds, connections, extra] = process.argv.slice(2);
  const options: OpenLoopOptions = {
    port: Number(port),
    token: token ?? "",
    rate: Number(rate),
    seconds: Number(seconds),
    connections: Number(connections),
    extra: extra ?? "",
  };
  const result = await new Generator(options).run(options.port, options.connections);
  console.log(JSON.stringify(result));
}
