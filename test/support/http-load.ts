/**
 * A client that counts: posts messages over keep-alive connections and writes down what it was
 * promised.
 *
 * Raw HTTP/1.1 over node:net, one request in flight per connection, so that what is on record is
 * exactly what the server answered. A connection that breaks leaves its request unknown (neither
 * promised nor refused); one that the server ends with an answer gets no further request.
 */
import { connect, type Socket } from "node:net";

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly appId: number;
  readonly connections: number;
  /** The next message to post, or null when there is none left. */
  readonly next: () => Record<string, unknown> | null;
  /** Called for every answer. */
  readonly onAnswer: (
    message: Record<string, unknown>,
    status: number,
    body: string,
    head: string,
  ) => void;
}

export interface Load {
  /** Ends when no message is left, or every connection is gone. */
  readonly done: Promise<void>;
  /** Posts nothing more; what is in flight is still answered. */
  stop(): void;
}

/** Starts posting. */
export function startLoad(options: LoadOptions): Load {
  let stopped = false;
  const lanes = Array.from({ length: options.connections }, () => runLane(options, () => stopped));
  return {
    done: Promise.all(lanes).then(() => undefined),
    stop() {
      stopped = true;
    },
  };
}

function runLane(options: LoadOptions, isStopped: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: options.host, port: options.port, noDelay: true });
    let inFlight: Record<string, unknown> | null = null;
    let received = "";
    const post = (): void => {
      inFlight = isStopped() ? null : options.next();
      if (inFlight === null) socket.end();
      else writeRequest(socket, options, inFlight);
    };
    socket.setEncoding("utf8");
    socket.on("connect", post);
    socket.on("data", (chunk: string) => {
      received += chunk;
      const answer = readAnswer(received);
      if (answer === null || inFlight === null) return;
      received = received.slice(answer.length);
      options.onAnswer(inFlight, answer.status, answer.body, answer.head);
      if (answer.isLast) inFlight = null;
      else post();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
  });
}

function writeRequest(
  socket: Socket,
  options: LoadOptions,
  message: Record<string, unknown>,
): void {
  const body = JSON.stringify(message);
  socket.write(
    `POST /v1/messages HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${options.token}\r\n` +
      `X-App-ID: ${options.appId}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

interface Answer {
  readonly status: number;
  /** Status line and headers. */
  readonly head: string;
  readonly body: string;
  readonly length: number;
  /** The server ends the connection with it. */
  readonly isLast: boolean;
}

function readAnswer(text: string): Answer | null {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return null;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head));
  const bodyLength = length === null ? 0 : Number(length[1]);
  if (text.length < head + 4 + bodyLength) return null;
  return {
    status: Number(text.slice(9, 12)),
    head: text.slice(0, head),
    body: text.slice(head + 4, head + 4 + bodyLength),
    length: head + 4 + bodyLength,
    isLast: /\r\nconnection: *close/i.test(text.slice(0, head)),
  };
}
