/** A connection to the gateway on which a test writes what it likes and reads what comes. */
import type { Duplex } from "node:stream";
import { connect, type Socket } from "node:net";

const DEADLINE_MS = 60_000;

/** Collects what a connection gives; for any stream of bytes. */
export class RawConnection {
  readonly stream: Duplex;
  text = "";
  isClosed = false;
  #wake: () => void = () => undefined;

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on("error", () => undefined);
    stream.on("data", (segment: Buffer) => {
      this.text += segment.toString("latin1");
      this.#wake();
    });
    stream.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** Status codes of the answers so far. */
  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  }

  write(...pieces: readonly (string | Uint8Array)[]): this {
    for (const piece of pieces) if (!this.stream.destroyed) this.stream.write(piece);
    return this;
  }

  /** Resolves with the statuses when there are `count`, or the connection is closed. */
  async answers(count: number): Promise<readonly number[]> {
    await this.#until(() => this.statuses.length >= count);
    return this.statuses;
  }

  /** Resolves with the statuses when the other side has closed. */
  async closed(): Promise<readonly number[]> {
    await this.#until(() => false);
    return this.statuses;
  }

  end(): void {
    this.stream.destroy();
  }

  async #until(isThere: () => boolean): Promise<void> {
    const giveUp = setTimeout(() => this.stream.destroy(new Error("late")), DEADLINE_MS);
    while (!isThere() && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(giveUp);
  }
}

/** Connects from the loopback address `from`. */
export function dialFrom(from: string, port: number): Socket {
  return connect({ host: "127.0.0.1", port, localAddress: from, noDelay: true });
}
