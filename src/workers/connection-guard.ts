/**
 * Keeps client connections within a bound, so that a flood of them leaves descriptors for the
 * journal, the operators and the admin listener.
 *
 *   connections ≥ max ─► listeners closed, spare descriptors given up ─► connections ≤ ¾ max ─► again
 *
 * uWebSockets.js says nothing of accepted sockets, so open descriptors are counted, in /proc, more
 * than there were at start. Connections that do nothing end after 10 s by themselves. Main thread.
 */
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import type { Log } from "../environment.ts";

/** Held to be given up when there are no others left. */
const SPARE_DESCRIPTORS = 64;
/** Of the descriptors that the process may have, beside those it has at start. */
const CONNECTIONS_SHARE_MAX = 0.7;
const RESUME_SHARE = 0.75;
const LOOK_INTERVAL_MS_MIN = 25;
const LOOK_INTERVAL_MS_MAX = 500;
/** Looking may take such a share of the time. */
const LOOK_COST_SHARE = 0.02;

export interface ConnectionGuardOptions {
  readonly connectionsMax: number;
  /** Open descriptors of the process; throws where that cannot be told. */
  readonly countDescriptors: () => number;
  /** How many it may have. */
  readonly descriptorsMax: number;
  readonly openSpare: () => number;
  readonly closeSpare: (descriptor: number) => void;
  /** Closes the listeners, opens them again. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly log: Log;
}

export class ConnectionGuard {
  readonly connectionsMax: number;
  readonly #options: ConnectionGuardOptions;
  readonly #atStart: number;
  #spare: number[] = [];
  #isPaused = false;

  /** To be made when the process listens. */
  constructor(options: ConnectionGuardOptions) {
    this.#options = options;
    this.#takeSpare();
    this.#atStart = options.countDescriptors();
    const room = Math.floor((options.descriptorsMax - this.#atStart) * CONNECTIONS_SHARE_MAX);
    this.connectionsMax = Math.max(1, Math.min(options.connectionsMax, room));
  }

  /** Whether no connection is taken now. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Counts, and closes or opens the listeners if it is time. */
  look(): void {
    const { log, pause, resume, countDescriptors } = this.#options;
    const connections = countDescriptors() + this.#missingSpare() - this.#atStart;
    const connections_max = this.connectionsMax;
    if (!this.#isPaused && connections >= connections_max) {
      this.#isPaused = true;
      pause();
      this.#giveUpSpare();
      log.write("warn", "too many connections: listening paused", { connections, connections_max });
    } else if (this.#isPaused && connections <= connections_max * RESUME_SHARE) {
      this.#takeSpare();
      resume();
      this.#isPaused = false;
      log.write("info", "listening again", { connections });
    }
  }

  #missingSpare(): number {
    return SPARE_DESCRIPTORS - this.#spare.length;
  }

  #takeSpare(): void {
    while (this.#spare.length < SPARE_DESCRIPTORS) this.#spare.push(this.#options.openSpare());
  }

  #giveUpSpare(): void {
    for (const descriptor of this.#spare) this.#options.closeSpare(descriptor);
    this.#spare = [];
  }
}

export interface WatchedConnections {
  /** Whether no connection is taken now. */
  readonly isPaused: () => boolean;
  readonly stop: () => void;
}

/** Watches the connections of this process. Where /proc does not tell, nothing is bounded. */
export function watchConnections(
  connectionsMax: number,
  log: Log,
  listeners: { readonly pause: () => void; readonly resume: () => void },
): WatchedConnections {
  const descriptorsMax = softDescriptorLimit();
  if (descriptorsMax === null) return { isPaused: () => false, stop: () => undefined };
  const guard = new ConnectionGuard({
    connectionsMax,
    countDescriptors: () => readdirSync("/proc/self/fd").length,
    descriptorsMax,
    openSpare: () => openSync("/dev/null", "r"),
    closeSpare: closeSync,
    ...listeners,
    log,
  });
  if (guard.connectionsMax < connectionsMax) {
    const cause = `ulimit -n is ${descriptorsMax}`;
    log.write("warn", "http.connections_max is lowered", { to: guard.connectionsMax, cause });
  }
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const startMs = performance.now();
    try {
      guard.look();
    } catch (error) {
      log.write("warn", "count connections", { cause: (error as Error).message });
    }
    const costMs = performance.now() - startMs;
    const wanted = Math.max(LOOK_INTERVAL_MS_MIN, costMs / LOOK_COST_SHARE);
    timer = setTimeout(look, Math.min(LOOK_INTERVAL_MS_MAX, wanted));
  };
  look();
  return { isPaused: () => guard.isPaused, stop: () => clearTimeout(timer) };
}

function softDescriptorLimit(): number | null {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return line === null ? null : Number(line[1]);
  } catch {
    return null;
  }
}
