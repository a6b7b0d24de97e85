/**
 * The books: how many messages were accepted, are open, and ended in which state; and which
 * stretches of the log must stay because a body in them is still wanted.
 *
 *   accepted = open + Σ final[state]            final[state] = rows in that state + removed[state]
 *
 * They change with the states and are written in the same transaction, so they hold as of the
 * ledger's cursor. The ledger's thread only; anybody may read a copy.
 */
import {
  isFinalStatus,
  MESSAGE_STATUS,
  MESSAGE_STATUS_COUNT,
  MessageStatus,
} from "./messages/message-state.ts";
import { rowHasMovedBody, rowPartCount, rowStatus } from "./messages/row-layout.ts";
import { LedgerTable, type LedgerStore } from "./store/store.ts";
import { readMeta } from "./store/meta.ts";

export class Books {
  accepted = 0;
  open = 0;
  /** Parts of open messages. */
  openParts = 0;
  /** Messages that ended so, by MessageStatus; 0 for the open ones. */
  readonly final = new Float64Array(MESSAGE_STATUS_COUNT);
  /** Of these, whose rows retention has removed. */
  readonly removed = new Float64Array(MESSAGE_STATUS_COUNT);

  noteAccepted(parts: number): void {
    this.accepted++;
    this.open++;
    this.openParts += parts;
  }

  noteFinal(status: number, parts: number): void {
    this.open--;
    this.openParts -= parts;
    this.final[status] = (this.final[status] as number) + 1;
  }

  noteRemoved(status: number): void {
    this.removed[status] = (this.removed[status] as number) + 1;
  }
}

/** The books as plain words and numbers. */
export interface BooksSummary {
  readonly accepted: number;
  readonly open: number;
  readonly final: Readonly<Record<string, number>>;
}

export function summarise(books: Books): BooksSummary {
  const final: Record<string, number> = {};
  for (let status = MessageStatus.SENT_FINAL; status < MESSAGE_STATUS_COUNT; status++) {
    final[MESSAGE_STATUS[status] as string] = books.final[status] as number;
  }
  return { accepted: books.accepted, open: books.open, final };
}

export interface BooksReport {
  readonly ok: boolean;
  /** One line per figure that the rows do not confirm. */
  readonly mismatches: readonly string[];
  readonly books: BooksSummary;
  readonly rows: number;
}

/**
 * Recounts the books from the rows and the open index of a store. Reads everything: for offline use
 * and tests.
 */
export function verifyBooks(store: LedgerStore): BooksReport {
  const meta = readMeta(store);
  const counted = new Float64Array(MESSAGE_STATUS_COUNT);
  let rows = 0;
  let openParts = 0;
  let movedBodies = 0;
  store.range(LedgerTable.ROWS, new Uint8Array(0), (_key, row) => {
    const status = rowStatus(row);
    counted[status] = (counted[status] as number) + 1;
    rows++;
    if (rowHasMovedBody(row)) movedBodies++;
    if (!isFinalStatus(status)) openParts += rowPartCount(row);
    return true;
  });
  let indexed = 0;
  store.keys(LedgerTable.OPEN, new Uint8Array(0), () => {
    indexed++;
    return true;
  });
  let bodies = 0;
  store.keys(LedgerTable.BODIES, new Uint8Array(0), () => {
    bodies++;
    return true;
  });
  const { books } = meta;
  const mismatches: string[] = [];
  const expect = (what: string, stated: number, found: number): void => {
    if (stated !== found) mismatches.push(`${what}: books say ${stated}, rows say ${found}`);
  };
  let open = 0;
  let final = 0;
  for (let status = 0; status < MESSAGE_STATUS_COUNT; status++) {
    if (!isFinalStatus(status)) {
      open += counted[status] as number;
      continue;
    }
    final += books.final[status] as number;
    const found = (counted[status] as number) + (books.removed[status] as number);
    expect(`final ${MESSAGE_STATUS[status]} (${status})`, books.final[status] as number, found);
  }
  expect("open", books.open, open);
  expect("open index", books.open, indexed);
  expect("open parts", books.openParts, openParts);
  expect("moved bodies", bodies, movedBodies);
  expect("accepted", books.accepted, open + final);
  return { ok: mismatches.length === 0, mismatches, books: summarise(books), rows };
}
