/** Lists of a harness's messages, as a client pages through them. */
import assert from "node:assert/strict";
import type {
  MessageListPage,
  MessageListQuestion,
} from "../../../src/ledger/messages/message-list.ts";
import { formatMessageId } from "../../../src/records/message-key.ts";
import type { Harness } from "./harness.ts";
import { key } from "./records.ts";

/** Sequences a millisecond: `key(n * PER_MS)` is accepted n ms after T0. */
export const PER_MS = 4096;
export const ANY = { to: null, reference: null, status: null, since: null, until: null } as const;

/** One page. */
export function page(harness: Harness, question: MessageListQuestion): MessageListPage | null {
  let found: MessageListPage | null | undefined;
  assert.ok(
    harness.ledger.list(question, (answered) => {
      found = answered;
    }),
  );
  harness.work();
  assert.notEqual(found, undefined);
  return found as MessageListPage | null;
}

/** The ids of all pages. */
export function all(harness: Harness, asked: Partial<MessageListQuestion>, limit = 7): string[] {
  const ids: string[] = [];
  let after: string | null = null;
  for (let pages = 0; pages < 1000; pages++) {
    const found = page(harness, { appId: 7, ...ANY, ...asked, limit, after });
    assert.ok(found !== null && found.data.length <= limit);
    ids.push(...found.data.map(({ id }) => id));
    if (found.next === null) return ids;
    after = found.next;
  }
  return assert.fail("pages never end");
}

/** Id of the message with `key(number)`. */
export function id(number: number): string {
  const { sequence, origin } = key(number);
  return formatMessageId("gw-1", sequence, origin);
}
