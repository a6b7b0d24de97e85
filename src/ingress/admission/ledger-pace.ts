/**
 * How long an ingress thread rests so that the ledger keeps up with it.
 *
 *   lag ≤ LAG_FREE_BYTES        no rest
 *   up to LEDGER_LAG_BYTES_MAX  a rest for each message, that grows with the square of the lag
 *   beyond                      503 (Admission)
 *
 * Ingress, workers and ledger share few cores. A ledger that is far behind costs several times as
 * much a message: what is open has left its memory and is read back from the store, several times.
 * So who admits gives it time while it is still close. Clients meet slower answers, and what they
 * send waits in their sockets. One instance per ingress thread, used by that thread only.
 */
import { LogWord, type LogTable } from "../../tables/log-table.ts";

/** Less than a tenth of a second of the log at saturation; a tick of the ledger is a twentieth. */
const LAG_FREE_BYTES = 4 * 1024 * 1024;
/** After each message: at twice that lag, and at most. */
const REST_MS_AT_TWICE = 0.003;
const REST_MS_MAX = 1;
/** At a time: the thread has timers and other calls, too. Less than the least is kept. */
const TURN_MS_MIN = 0.5;
const TURN_MS_MAX = 200;
/** What is due beyond a turn is kept for the next ones, up to so much. */
const OWED_MS_MAX = 1000;

export class LedgerPace {
  readonly #table: LogTable;
  #owedMs = 0;

  constructor(table: LogTable) {
    this.#table = table;
  }

  /** What is due now in ms, 0 for nothing, with `messages` more admitted since the last call. */
  yieldMs(messages: number): number {
    const table = this.#table;
    const lag = table.load(LogWord.COMMITTED) - table.load(LogWord.LEDGER_APPLIED);
    if (lag <= LAG_FREE_BYTES) {
      this.#owedMs = 0;
      return 0;
    }
    const excess = ((lag / LAG_FREE_BYTES) ** 2 - 1) / 3;
    const owed = this.#owedMs + messages * Math.min(REST_MS_MAX, REST_MS_AT_TWICE * excess);
    const rest = owed < TURN_MS_MIN ? 0 : Math.min(TURN_MS_MAX, owed);
    this.#owedMs = Math.min(OWED_MS_MAX, owed - rest);
    return rest;
  }
}
