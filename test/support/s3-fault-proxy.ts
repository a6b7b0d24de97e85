/**
 * A proxy in front of an S3 server that fails like networks and services do.
 *
 *   pass        everything goes through
 *   down        connections are closed at once
 *   slow_down   503 SlowDown, the server never hears of it
 *   cut         the connection breaks in the middle of the body
 *   lose_reply  the server does it, its answer never arrives
 *
 * Headers go through as they came, so signatures stay valid.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const S3_FAULTS = ["down", "slow_down", "cut", "lose_reply"] as const;
export type S3Fault = (typeof S3_FAULTS)[number] | "pass";

const SLOW_DOWN =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>' +
  "<Message>Please reduce your request rate.</Message></Error>";

const NO_CONDITIONS =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidArgument</Code>' +
  "<Message>If-None-Match is not supported.</Message></Error>";

export class S3FaultProxy {
  /** Decides for each request; to be replaced at any time. */
  faultOf: (method: string, path: string) => S3Fault = () => "pass";
  /** Requests by what was done to them. */
  readonly counts: Record<S3Fault, number> = {
    pass: 0,
    down: 0,
    slow_down: 0,
    cut: 0,
    lose_reply: 0,
  };
  /** Whether it is a service that does not know conditional writes. */
  refusesConditions = false;
  readonly #target: number;
  readonly #server = createServer((from, to) => this.#take(from, to));

  constructor(targetPort: number) {
    this.#target = targetPort;
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #take(from: IncomingMessage, to: ServerResponse): void {
    const fault = this.faultOf(from.method ?? "", from.url ?? "");
    this.counts[fault] += 1;
    from.on("error", () => undefined);
    to.on("error", () => undefined);
    const hasBody = Number(from.headers["content-length"] ?? 0) > 1;
    if (fault === "pass" && this.refusesConditions && "if-none-match" in from.headers) {
      from.resume();
      from.on("end", () => {
        to.writeHead(400, { "content-type": "application/xml" }).end(NO_CONDITIONS);
      });
    } else if (fault === "down" || (fault === "cut" && !hasBody)) {
      from.socket.destroy();
    } else if (fault === "slow_down") {
      from.resume();
      from.on("end", () => to.writeHead(503, { "content-type": "application/xml" }).end(SLOW_DOWN));
    } else {
      this.#forward(from, to, fault);
    }
  }

  #forward(from: IncomingMessage, to: ServerResponse, fault: S3Fault): void {
    const { method, url, rawHeaders } = from;
    const up = request(
      {
        host: "127.0.0.1",
        port: this.#target,
        method,
        path: url,
        headers: rawHeaders as unknown as Record<string, string>,
        setHost: false,
      },
      (answer) => {
        if (fault === "lose_reply") {
          answer.resume();
          answer.on("end", () => from.socket.destroy());
          return;
        }
        to.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(to);
      },
    );
    up.on("error", () => from.socket.destroy());
    from.on("close", () => {
      if (!from.complete) up.destroy();
    });
    if (fault === "cut") {
      const half = Number(from.headers["content-length"] ?? 0) / 2;
      let sent = 0;
      from.on("data", (chunk: Buffer) => {
        const part = chunk.subarray(0, Math.max(0, Math.floor(half) - sent));
        sent += part.length;
        up.write(part, () => {
          if (sent < Math.floor(half)) return;
          up.destroy();
          from.socket.destroy();
        });
      });
      return;
    }
    from.pipe(up);
  }
}
