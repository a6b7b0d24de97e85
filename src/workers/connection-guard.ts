/**
 * Keeps client connections within a bound, so that a flood of them leaves descriptors for the
 * journal, the operators and the admin listener.
 *
 *   connections ≥ max ─► listeners closed, spare descriptors given up ─► ≤ ¾ max ─► again
 *
 * uWebSockets.js says nothing of accepted sockets, and accepts all that wait in one go. So open
 * descriptors are counted, more than there were at start: exactly in /proc, and every few
 * milliseconds by the lowest free one, which costs two system calls and is no greater than the
 * count. Connections that do nothing end after 10 s by themselves. Main thread.
 */
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import type { Log } from "../environment.ts";

const DESCRIPTORS = "/proc/self/fd";
/** Held to be given up when there are no others left. */
const SPARE_DESCRIPTORS = 64;
/** Descriptors that connections leave: so many, or this share of all, whichever is more. */
const LEFT_MIN = 640;
const LEFT_SHARE = 0.3;
const RESUME_SHARE = 0.75;
const PROBE_INTERVAL_MS = 5;
/**
 * While less than half of the bound is used an idle process should sleep: for as long as a flood
 * would take to the bound, within these limits.
 */
const PROBE_INTERVAL_MS_CALM_MIN = 20;
const PROBE_INTERVAL_MS_CALM_MAX = 100;
const CALM_SHARE = 0.5;
/** More than one thread can accept. */
const ACCEPTS_PER_MS_MAX = 60;
const COUNT_INTERVAL_MS_MIN = 50;
/** Counting may take such a share of the time. */
const COUNT_COST_SHARE = 0.02;

export interface ConnectionGuardOptions {
  readonly connectionsMax: number;
  /** How many a connection takes; default 1. */
  readonly descriptorsPerConnection?: number;
  /** Open descriptors of the process; throws where that cannot be told, or there is none left. */
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
  readonly #perConnection: number;
  #spare: number[] = [];
  #isPaused = false;
  #probeAfterMs = PROBE_INTERVAL_MS;

  /** To be made when the process listens. */
  constructor(options: ConnectionGuardOptions) {
    this.#options = options;
    this.#perConnection = options.descriptorsPerConnection ?? 1;
    this.#takeSpare();
    this.#atStart = options.countDescriptors();
    const { descriptorsMax, connectionsMax } = options;
    const left = Math.max(LEFT_MIN, Math.floor(descriptorsMax * LEFT_SHARE));
    const room = Math.floor((descriptorsMax - this.#atStart - left) / this.#perConnection);
    this.connectionsMax = Math.max(1, Math.min(connectionsMax, room));
  }

  /** Whether no connection is taken now. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** When to probe again, in ms, by what the last probe found. */
  get probeAfterMs(): number {
    return this.#probeAfterMs;
  }

  /** Looks at the lowest free descriptor only, and closes the listeners if it is time. */
  probe(): void {
    if (this.#isPaused) return;
    let descriptor: number;
    try {
      descriptor = this.#options.openSpare();
    } catch {
      this.#probeAfterMs = PROBE_INTERVAL_MS;
      this.#pause(null);
      return;
    }
    this.#options.closeSpare(descriptor);
    const connections = this.#connections(descriptor);
    this.#probeAfterMs = this.#intervalMs(connections);
    if (connections >= this.connectionsMax) this.#pause(connections);
  }

  /** Counts, and closes or opens the listeners if it is time. */
  look(): void {
    const { log, resume } = this.#options;
    const connections = this.#count();
    const connections_max = this.connectionsMax;
    if (!this.#isPaused && (connections === null || connections >= connections_max)) {
      this.#pause(connections);
    } else if (connections === null) {
      return;
    } else if (this.#isPaused && connections <= connections_max * RESUME_SHARE) {
      this.#takeSpare();
      resume();
      this.#isPaused = false;
      log.write("info", "listening again", { connections });
    }
  }

  /** Connections; null: the count failed for want of a descriptor. */
  #count(): number | null {
    try {
      return this.#connections(this.#options.countDescriptors() + this.#missingSpare());
    } catch (error) {
      if ((error as { code?: string }).code === "EMFILE") return null;
      throw error;
    }
  }

  #intervalMs(connections: number): number {
    if (connections >= this.connectionsMax * CALM_SHARE) return PROBE_INTERVAL_MS;
    const roomMs = (this.connectionsMax - connections) / ACCEPTS_PER_MS_MAX;
    return Math.min(PROBE_INTERVAL_MS_CALM_MAX, Math.max(PROBE_INTERVAL_MS_CALM_MIN, roomMs));
  }

  #connections(descriptors: number): number {
    return Math.ceil((descriptors - this.#atStart) / this.#perConnection);
  }

  #pause(connections: number | null): void {
    const { log, pause } = this.#options;
    this.#isPaused = true;
    pause();
    this.#giveUpSpare();
    const fields = { connections, connections_max: this.connectionsMax };
    log.write("warn", "too many connections: listening paused", fields);
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
  port: {
    readonly descriptorsPerConnection: number;
    pause(): void;
    resume(): void;
  },
  log: Log,
): WatchedConnections {
  const descriptorsMax = softDescriptorLimit();
  if (descriptorsMax === null) return { isPaused: () => false, stop: () => undefined };
  const guard = new ConnectionGuard({
    connectionsMax,
    descriptorsPerConnection: port.descriptorsPerConnection,
    countDescriptors,
    descriptorsMax,
    openSpare: () => openSync("/dev/null", "r"),
    closeSpare: closeSync,
    pause: () => port.pause(),
    resume: () => port.resume(),
    log,
  });
  if (guard.connectionsMax < connectionsMax) {
    const cause = `ulimit -n is ${descriptorsMax}`;
    log.write("warn", "http.connections_max is lowered", { to: guard.connectionsMax, cause });
  }
  let nextCountMs = 0;
  let timer: NodeJS.Timeout;
  const look = (): void => {
    guard.probe();
    timer = setTimeout(look, guard.probeAfterMs);
    const startMs = performance.now();
    if (startMs < nextCountMs) return;
    try {
      guard.look();
    } catch (error) {
      log.write("warn", "count connections", { cause: (error as Error).message });
    }
    const endMs = performance.now();
    nextCountMs = endMs + Math.max(COUNT_INTERVAL_MS_MIN, (endMs - startMs) / COUNT_COST_SHARE);
  };
  look();
  return { isPaused: () => guard.isPaused, stop: () => clearTimeout(timer) };
}

/** Linux tells their number since 6.2; before, they have to be listed. */
function countDescriptors(): number {
  const { size } = statSync(DESCRIPTORS);
  return size > 0 ? size : readdirSync(DESCRIPTORS).length;
}

function softDescriptorLimit(): number | null {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return line === null ? null : Number(line[1]);
  } catch {
    return null;
  }
}
