/**
 * The sink and its bucket, and their judge: every final message has its rows once, numbered without
 * a gap.
 *
 *   cut announced ──later──► put (the process may die before or after) ──later──► filed
 *
 * The bucket outlives processes. What is put twice under a name must be the same. At the end the
 * bucket and what the store still holds are read together.
 */
import { type CdrCut, chunkKey, isChunkKey, keyRow } from "../../src/ledger/cdr/cdr-format.ts";
import { CdrRows, type CdrRowsOptions } from "../../src/ledger/cdr/cdr-rows.ts";
import { type LedgerStore, LedgerTable } from "../../src/ledger/store/store.ts";
import { formatMessageId } from "../../src/records/message-key.ts";
import { CdrField, type CdrValue } from "../../src/sink/cdr-columns.ts";
import { CdrDecoder } from "../../src/sink/cdr-decode.ts";
import type { Effects } from "./effects.ts";
import type { LogModel } from "./log-model.ts";
import type { SeededRandom } from "./random.ts";

const ROLL_MS = 400;
const ROLL_BYTES_MAX = 6000;
const DISK_BYTES_MAX = 1 << 30;

/** What a process brings: its store, and timers that die with it. */
export interface CdrProcess
  extends Pick<CdrRowsOptions, "store" | "logTable" | "epoch" | "clock" | "log"> {
  readonly random: SeededRandom;
  readonly after: (ms: number, run: () => void) => void;
}

export class SimulatedCdr {
  readonly #node: string;
  readonly #effects: Effects;
  readonly #violate: (what: string) => void;
  /** Objects by first row: their rows. */
  readonly #bucket = new Map<number, readonly (readonly CdrValue[])[]>();

  constructor(node: string, effects: Effects, violate: (what: string) => void) {
    this.#node = node;
    this.#effects = effects;
    this.#violate = violate;
  }

  /** Files in the bucket. */
  get files(): number {
    return this.#bucket.size;
  }

  /** The observer of a process's ledger, with a sink that files what it cuts. */
  rowsOf(process: CdrProcess): CdrRows {
    const { random, after, store } = process;
    const cuts: CdrCut[] = [];
    let isBusy = false;
    const next = (): void => {
      const cut = cuts.shift();
      isBusy = cut !== undefined;
      if (cut === undefined) return;
      after(random.float(0, 200), () => {
        this.#effects.run("cdr.put", `${cut.from}`, () => this.#put(store, cut));
        after(random.float(0, 100), () => {
          rows.noteFiled();
          next();
        });
      });
    };
    const rows: CdrRows = new CdrRows({
      ...process,
      random: random.next,
      format: "ndjson",
      rollIntervalMs: ROLL_MS,
      rollBytesMax: ROLL_BYTES_MAX,
      diskBytesMax: DISK_BYTES_MAX,
      onCut: (cut) => {
        cuts.push(cut);
        if (!isBusy) next();
      },
    });
    return rows;
  }

  #put(store: LedgerStore, cut: CdrCut): void {
    const rows: (readonly CdrValue[])[] = [];
    const end = this.#read(store, cut.from, cut.until, (row) => rows.push([...row]));
    if (end !== cut.until) this.#violate(`CDR cut ${cut.from} ends at ${end}, not ${cut.until}`);
    const known = this.#bucket.get(cut.from);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(rows)) {
      this.#violate(`CDR file ${cut.from} was put with other rows before`);
    }
    this.#bucket.set(cut.from, rows);
  }

  /** Visits rows [from, until) of the store; returns the row behind the last. */
  #read(
    store: LedgerStore,
    from: number,
    until: number,
    visit: (row: readonly CdrValue[]) => void,
  ): number {
    const decoder = new CdrDecoder(this.#node, visit);
    let next = from;
    store.range(LedgerTable.CDR, chunkKey(from), (key, chunk) => {
      if (!isChunkKey(key) || keyRow(key) !== next || next >= until) return false;
      next = decoder.decode(chunk, next);
      return true;
    });
    return next;
  }

  /** Compares all rows with what the ledger says of each message. */
  judge(store: LedgerStore, model: LogModel, statusOf: (key: string) => string | null): void {
    const rows: (readonly CdrValue[])[] = [];
    let next = 0;
    for (const [from, filed] of [...this.#bucket].sort(([a], [b]) => a - b)) {
      if (from !== next) this.#violate(`CDR rows ${next} to ${from} are missing or doubled`);
      rows.push(...filed);
      next = from + filed.length;
    }
    this.#read(store, next, Number.POSITIVE_INFINITY, (row) => rows.push([...row]));
    const byMessage = new Map<CdrValue, string[]>();
    for (const [number, row] of rows.entries()) {
      if (row[CdrField.row] !== number) this.#violate(`CDR row ${number} has another number`);
      if (row[CdrField.record] === "duplicate") continue;
      const id = row[CdrField.message_id] ?? null;
      const known = byMessage.get(id) ?? [];
      known.push(`${row[CdrField.record]} ${row[CdrField.part] ?? row[CdrField.status]}`);
      byMessage.set(id, known);
    }
    for (const message of model.messages.values()) {
      const [sequence, origin] = message.key.split("/").map(Number) as [number, number];
      const is = byMessage.get(formatMessageId(this.#node, sequence, origin)) ?? [];
      const parts = message.parts.map((_, part) => `part ${part}`);
      const wanted = [...parts, `message ${statusOf(message.key)}`];
      if (is.join() === wanted.join()) continue;
      this.#violate(`${message.to} has CDR rows ${is.join()} instead of ${wanted.join()}`);
    }
    if (byMessage.size > model.messages.size) this.#violate("CDR rows of unknown messages");
  }
}
