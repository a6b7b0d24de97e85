/**
 * Judges a run by three witnesses, none of which is the gateway's opinion of itself:
 *
 *   client's log   what was asked, and what was promised (202)
 *   SMSC's log     every submit_sm that arrived, what it answered, the receipts it sent
 *   CDRs           the files a customer would be billed from
 *
 * For everything promised: the SMSC took each part, or refused one for good, and exactly one
 * message row and a row for each part say so. What it took twice is flagged in the part's row, or
 * in a row `duplicate`. It never took a part more often than once and one resend, and once for each
 * decision about a held message. Nothing that was refused to the client was sent.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type ClientEntry, readClientLog } from "./client-log.ts";

const RECEIPT_DELIVERED = 2;
const ACCEPTED = 202;
/** Faults that are quoted word by word. */
const QUOTES_MAX = 20;

export interface Verdict {
  readonly promised: number;
  /** Asked without an answer: they may have been taken or not. */
  readonly unknown: number;
  readonly refused: number;
  /** Promised messages without an outcome that the SMSC's log bears out. */
  readonly lost: number;
  /** Parts that the SMSC took more than once. */
  readonly doubled: number;
  /** Of these, those that no CDR row flags `maybe_dup`. */
  readonly unflagged: number;
  /** Parts that were sent more often than one resend and the decisions about them allow. */
  readonly excess: number;
  /** Promised messages, and parts, with other than one CDR row; gaps in the rows' numbers. */
  readonly books: number;
  /** Sent or billed although the client was refused, or never asked. */
  readonly strangers: number;
  /** Rows that the SMSC's log contradicts. */
  readonly untrue: number;
  readonly submits: number;
  readonly rows: number;
  /** The first faults, in words. */
  readonly faults: readonly string[];
}

/** Whether nothing is wrong. */
export function isClean(verdict: Verdict): boolean {
  const { lost, unflagged, excess, books, strangers, untrue } = verdict;
  return lost + unflagged + excess + books + strangers + untrue === 0;
}

export interface Witnesses {
  readonly clientLog: string;
  readonly smscLog: string;
  /** `data_dir/cdr`. */
  readonly cdrFolder: string;
  /** command_status values that are final for a message. */
  readonly permanent: readonly number[];
}

/** Judges when the gateway has ended and the SMSC has closed its log. */
export function judge(witnesses: Witnesses): Verdict {
  return new Judge(witnesses).run();
}

type FaultKind = "lost" | "unflagged" | "excess" | "books" | "strangers" | "untrue";

interface SmscLine {
  readonly event: string;
  readonly destination: string;
  readonly esm_class: number;
  readonly short_message: string;
  readonly id: string;
  readonly status: number;
  readonly state: number;
}

/** What the SMSC knows of one destination, by part. */
class Seen {
  readonly taken: number[] = [];
  readonly ids: string[][] = [];
  isRefused = false;
}

interface Row {
  readonly row: number;
  readonly record: "part" | "message" | "refusal" | "duplicate";
  readonly message_id: string;
  readonly part?: number;
  readonly status: string;
  readonly maybe_dup?: boolean;
  readonly to: string;
  readonly smsc_id?: string;
  readonly series: string;
}

interface Billed {
  readonly messages: Row[];
  readonly parts: Row[];
  readonly flagged: Set<number>;
}

class Judge {
  readonly #witnesses: Witnesses;
  readonly #entries: Map<string, ClientEntry>;
  readonly #seen = new Map<string, Seen>();
  readonly #receipts = new Map<string, number>();
  readonly #billed = new Map<string, Billed>();
  readonly #faults: string[] = [];
  #submits = 0;
  #rows = 0;
  readonly #counts = {
    promised: 0,
    unknown: 0,
    refused: 0,
    lost: 0,
    doubled: 0,
    unflagged: 0,
    excess: 0,
    books: 0,
    strangers: 0,
    untrue: 0,
  };

  constructor(witnesses: Witnesses) {
    this.#witnesses = witnesses;
    this.#entries = readClientLog(witnesses.clientLog);
    this.#readSmscLog();
    this.#readCdrs();
  }

  run(): Verdict {
    for (const to of this.#seen.keys()) if (!this.#entries.has(to)) this.#stranger(to, "sent");
    for (const to of this.#billed.keys()) if (!this.#entries.has(to)) this.#stranger(to, "billed");
    for (const entry of this.#entries.values()) this.#judgeMessage(entry);
    return { ...this.#counts, submits: this.#submits, rows: this.#rows, faults: this.#faults };
  }

  #judgeMessage(entry: ClientEntry): void {
    const { to, status } = entry;
    const seen = this.#seen.get(to);
    const billed = this.#billed.get(to);
    const isPromised = status === ACCEPTED;
    if (isPromised) this.#counts.promised += 1;
    else if (status === 0) this.#counts.unknown += 1;
    else {
      this.#counts.refused += 1;
      if (seen !== undefined || billed !== undefined) this.#stranger(to, `refused with ${status}`);
      return;
    }
    if (seen !== undefined && billed === undefined) this.#fault("books", `${to}: sent, no row`);
    if (isPromised && billed === undefined) this.#fault("lost", `${to}: no row`);
    if (billed !== undefined) this.#judgeOutcome(entry, seen ?? new Seen(), billed);
  }

  #judgeOutcome(entry: ClientEntry, seen: Seen, billed: Billed): void {
    const { to, parts, id } = entry;
    const [message] = billed.messages;
    const partNumbers = new Set(billed.parts.map(({ part }) => part));
    if (
      billed.messages.length !== 1 ||
      billed.parts.length !== parts ||
      partNumbers.size !== parts
    ) {
      const rows = `${billed.messages.length} rows, ${billed.parts.length} of ${parts} part rows`;
      this.#fault("books", `${to}: ${rows}`);
    }
    if (id !== null && message?.message_id !== id) this.#fault("books", `${to}: not under ${id}`);
    let missing = 0;
    for (let part = 0; part < parts; part++) {
      const taken = seen.taken[part] ?? 0;
      if (taken === 0) missing += 1;
      if (taken > 1) {
        this.#counts.doubled += 1;
        if (!billed.flagged.has(part))
          this.#fault("unflagged", `${to} part ${part}: ${taken} times`);
      }
      if (taken > 2 + entry.resends) this.#fault("excess", `${to} part ${part}: ${taken} times`);
    }
    const { status } = message ?? { status: "none" };
    if (missing > 0 && !seen.isRefused) {
      this.#fault("lost", `${to}: ${missing} of ${parts} never taken, ${status}`);
    }
    if (status === "rejected" && !seen.isRefused)
      this.#fault("untrue", `${to}: rejected by nobody`);
    for (const row of billed.parts) this.#judgePart(row, seen);
  }

  /** A delivered part's id was given for that part, and has a receipt that says so. */
  #judgePart({ to, part, status, smsc_id: smscId }: Row, seen: Seen): void {
    if (smscId !== undefined && seen.ids[part as number]?.includes(smscId) !== true) {
      this.#fault("untrue", `${to} part ${part}: ${smscId} was not given for it`);
    }
    if (status !== "delivered") return;
    const ids = seen.ids[part as number] ?? [];
    if (!ids.some((id) => this.#receipts.get(id) === RECEIPT_DELIVERED)) {
      this.#fault("untrue", `${to} part ${part}: delivered without a receipt`);
    }
  }

  #readSmscLog(): void {
    for (const text of readFileSync(this.#witnesses.smscLog, "utf8").split("\n")) {
      if (!text.endsWith("}")) continue;
      const line = JSON.parse(text) as SmscLine;
      if (line.event === "receipt") this.#receipts.set(line.id, line.state);
      if (line.event !== "submit") continue;
      this.#submits += 1;
      const seen = this.#seen.get(line.destination) ?? new Seen();
      this.#seen.set(line.destination, seen);
      const part = partOf(line);
      if (line.status === 0) {
        seen.taken[part] = (seen.taken[part] ?? 0) + 1;
        (seen.ids[part] ??= []).push(line.id);
      } else if (this.#witnesses.permanent.includes(line.status)) {
        seen.isRefused = true;
      }
    }
  }

  #readCdrs(): void {
    const numbers = new Set<string>();
    const lastOf = new Map<string, number>();
    for (const row of cdrRows(this.#witnesses.cdrFolder)) {
      this.#rows += 1;
      const number = `${row.series} ${row.row}`;
      if (numbers.has(number)) this.#fault("books", `row ${number} twice`);
      numbers.add(number);
      lastOf.set(row.series, Math.max(row.row, lastOf.get(row.series) ?? 0));
      const billed = this.#billed.get(row.to) ?? { messages: [], parts: [], flagged: new Set() };
      this.#billed.set(row.to, billed);
      if (row.record === "message") billed.messages.push(row);
      if (row.record === "part") billed.parts.push(row);
      const isFlag =
        row.record === "duplicate" || (row.record === "part" && row.maybe_dup === true);
      if (isFlag) billed.flagged.add(row.part as number);
    }
    let expected = 0;
    for (const last of lastOf.values()) expected += last + 1;
    if (numbers.size !== expected) this.#fault("books", `${expected - numbers.size} rows missing`);
  }

  #stranger(to: string, what: string): void {
    this.#fault("strangers", `${to}: ${what}`);
  }

  #fault(kind: FaultKind, words: string): void {
    this.#counts[kind] += 1;
    if (this.#faults.length < QUOTES_MAX) this.#faults.push(`${kind}: ${words}`);
  }
}

/** Index of the part by its user data header; 0 without one. */
function partOf({ esm_class: esmClass, short_message: body }: SmscLine): number {
  if ((esmClass & 0x40) === 0) return 0;
  // 05 00 03 ref total number, or 06 08 04 ref ref total number.
  const length = Number.parseInt(body.slice(0, 2), 16);
  return Number.parseInt(body.slice(2 * length, 2 * length + 2), 16) - 1;
}

function* cdrRows(folder: string): Generator<Row> {
  for (const name of readdirSync(join(folder, "data"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".gz")) continue;
    const text = gunzipSync(readFileSync(join(folder, "data", name))).toString();
    const series = seriesOf(name);
    for (const line of text.split("\n")) {
      if (line !== "") yield { ...(JSON.parse(line) as Row), series };
    }
  }
}

/** `<node>-<series>-<epoch>-<from>-<until>.ndjson.gz` */
function seriesOf(name: string): string {
  return name.split("-").at(-4) as string;
}
