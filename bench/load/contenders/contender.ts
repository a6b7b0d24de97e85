/**
 * What a load run compares: servers under the same wrk script, each started fresh for its turn.
 *
 * A *server* answers and forgets; a *gateway* also hands every message to an operator, so its turn
 * ends when the operator has answered the last one, and that time and CPU count.
 */

import type { WrkResult } from "../wrk.ts";

/** How a turn's load looks. */
export interface LoadSettings {
  readonly seconds: number;
  readonly connections: number;
  readonly durability: "disk" | "process" | "none";
  readonly receipts: "none" | "final";
  /** Messages in a request: 1, or as many as a batch has. */
  readonly batch: number;
  /** Whether messages go as lines of NDJSON streams. */
  readonly stream: boolean;
  readonly links: number;
  readonly workers: number;
  /** All of them send. */
  readonly apps: number;
  /** Messages that wait, before and during the load, for a link that is down. */
  readonly queue: number;
}

/** The settings that every bench starts from. */
export const LOAD_DEFAULTS: LoadSettings = {
  seconds: 60,
  connections: 256,
  durability: "disk",
  receipts: "none",
  batch: 1,
  stream: false,
  links: 2,
  workers: 1,
  apps: 1,
  queue: 0,
};

/** What became of the messages. */
export interface Settled {
  /** Answered by the operator with success. */
  readonly messages: number;
  /**
   * From the start of the load until the last one was final in the contender's own books or, if it
   * keeps none, the operator's last answer, in seconds.
   */
  readonly seconds: number;
  /** CPU seconds since the start of the load by thread, of those that the contender names. */
  readonly cpuByThread: Readonly<Record<string, number>>;
}

/** What a load other than wrk's came to. */
export interface OwnLoad {
  readonly wrk: WrkResult;
  /** null: what the operator answered, over the time it took. */
  readonly messagesPerS: number | null;
}

/** A contender that runs. */
export interface Standing {
  readonly port: number;
  readonly token: string;
  /** A file with a line `APP TOKEN` for each app; null: app 1 only, with `token`. */
  readonly tokensFile: string | null;
  /** Its processes; their CPU and memory count. */
  readonly pids: readonly number[];
  /** How the script speaks to it. */
  readonly dialect: "json" | "kannel";
  /** Whether it knows batches and streams; others get single messages. */
  readonly takesBatches: boolean;
  /** Instead of wrk, where that cannot load it. */
  readonly load?: (settings: LoadSettings) => Promise<OwnLoad>;
  /** Called when the load begins; what it returns is called when the load has ended. */
  watch(): () => Promise<Settled | null>;
  stop(): Promise<void>;
}

export interface Contender {
  /** What this machine lacks to run it, and how to get it; null: nothing. */
  readonly missing?: () => string | null;
  readonly name: string;
  /** One line for people: what it promises with its answer. */
  readonly promise: string;
  /** Throws with what is missing, if something is. */
  start(settings: LoadSettings): Promise<Standing>;
}
