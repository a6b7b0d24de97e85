/**
 * What a load run compares: servers under the same wrk script, each started fresh for its turn.
 *
 * A *server* answers and forgets; a *gateway* also hands every message to an operator, so its turn
 * ends when the operator has answered the last one, and that time and CPU count.
 */

/** How a turn's load looks. */
export interface LoadSettings {
  readonly seconds: number;
  readonly connections: number;
  readonly durability: "disk" | "process";
  readonly receipts: "none" | "final";
  /** Messages in a request: 1, or as many as a batch has. */
  readonly batch: number;
  readonly links: number;
  readonly workers: number;
  readonly apps: number;
}

/** What became of the messages. */
export interface Settled {
  /** Answered by the operator with success. */
  readonly messages: number;
  /** From the start of the load until the operator's last answer, in seconds. */
  readonly toLastAnswerS: number;
  /** Until the last one was final in the contender's own books; null: it keeps none. */
  readonly toLastFinalS: number | null;
  /** CPU seconds since the start of the load by thread, of those that the contender names. */
  readonly cpuByThread: Readonly<Record<string, number>>;
}

/** A contender that runs. */
export interface Standing {
  readonly port: number;
  readonly token: string;
  /** Its processes; their CPU and memory count. */
  readonly pids: readonly number[];
  /** How the script speaks to it. */
  readonly dialect: "json" | "kannel";
  /** Called when the load begins; what it returns is called when the load has ended. */
  watch(): () => Promise<Settled | null>;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** One line for people: what it promises with its answer. */
  readonly promise: string;
  /** Throws with what is missing, if something is. */
  start(settings: LoadSettings): Promise<Standing>;
}
