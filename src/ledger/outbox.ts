/**
 * Events for those who follow messages, one queue an endpoint, so that nobody's backlog is
 * another's.
 *
 *   endpoint  kind u8 │ id u32          kind 0: what an app reads with GET /v1/events
 *   state     endpoint │ 0 u48          first u48 │ next u48: numbers there are, dropped u48
 *   chunk     endpoint │ first number u48     last at u48 │ (type u8 │ at u48 │ key 12) × n
 *
 * Chunks are appended, one an endpoint and commit. Bounded by count and age: the oldest go, and
 * who asks for them learns that they are gone. An event names its message; the rest is read from
 * the message's row. The ledger's thread only.
 */
import { MESSAGE_KEY_BYTES } from "../records/message-key.ts";
import { DlrMode } from "../records/types.ts";
import { EntryBuffer } from "./store/entry-buffer.ts";
import {
  type MessageState,
  MessageStatus,
  readKeyOrigin,
  readKeySequence,
} from "./messages/message-state.ts";
import { readUint48, writeKeyBytes, writeUint32, writeUint48 } from "./messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "./store/store.ts";

/** Types of events, by their number in the store. */
export const EVENT_TYPES = [
  "message.sent",
  "message.delivered",
  "message.undelivered",
  "message.expired",
  "message.rejected",
  "message.failed",
  "message.unknown",
  "message.canceled",
] as const;
/** Status (MessageStatus) that an event of each type tells of. */
export const EVENT_STATUS = [
  MessageStatus.SENT,
  MessageStatus.DELIVERED,
  MessageStatus.UNDELIVERED,
  MessageStatus.EXPIRED,
  MessageStatus.REJECTED,
  MessageStatus.FAILED,
  MessageStatus.UNKNOWN,
  MessageStatus.CANCELED,
] as const;

const KIND_APP = 0;
const ENDPOINT_BYTES = 5;
const KEY_BYTES = ENDPOINT_BYTES + 6;
const STATE_BYTES = 18;
const CHUNK_HEADER = 6;
const ENTRY_BYTES = 7 + MESSAGE_KEY_BYTES;
/** So that the chunk with a given number is near its key. */
const CHUNK_ENTRIES_MAX = 1024;
const AGE_INTERVAL_MS = 1000;
/** Chunks removed at most per look at an endpoint. */
const AGE_STEP = 64;

/** One event as it stands in the store. */
export interface StoredEvent {
  readonly number: number;
  readonly type: number;
  /** Wall ms. */
  readonly at: number;
  readonly sequence: number;
  readonly origin: number;
}

/** Events behind a cursor, or why there are none. */
export type EventPage =
  | { readonly kind: "events"; readonly events: readonly StoredEvent[]; readonly hasMore: boolean }
  /** Those right behind the cursor are gone, or it was never given. */
  | { readonly kind: "expired" | "unknown" };

class Endpoint {
  readonly prefix = new Uint8Array(ENDPOINT_BYTES);
  readonly entries = new EntryBuffer(ENTRY_BYTES);
  /** Number of the oldest event there is, and of the next one; equal: none. */
  first = 1;
  next = 1;
  /** Events that went unread, for age or want of room. */
  dropped = 0;
  lastAt = 0;
  isChanged = false;

  constructor(kind: number, id: number) {
    this.prefix[0] = kind;
    writeUint32(this.prefix, 1, id);
  }

  key(number: number): Uint8Array {
    const key = new Uint8Array(KEY_BYTES);
    key.set(this.prefix);
    writeUint48(key, ENDPOINT_BYTES, number);
    return key;
  }

  owns(key: Uint8Array): boolean {
    for (let i = 0; i < ENDPOINT_BYTES; i++) if (key[i] !== this.prefix[i]) return false;
    return true;
  }
}

export interface OutboxOptions {
  readonly store: LedgerStore;
  /** Events that an endpoint may have; beyond it the oldest go. */
  readonly eventsMax: number;
  readonly eventsTtlMs: number;
  readonly appIds: Iterable<number>;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #endpoints = new Map<number, Endpoint>();
  #nextAgeAt = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    for (const appId of options.appIds) this.#of(appId);
  }

  /** A message's status has changed. */
  note(message: MessageState): void {
    if (message.dlr === DlrMode.NONE) return;
    if (message.finalAt === 0 && message.dlr !== DlrMode.ALL) return;
    const type = EVENT_STATUS.indexOf(message.status as (typeof EVENT_STATUS)[number]);
    if (type < 0) return;
    const endpoint = this.#of(message.appId);
    const at = endpoint.entries.claim();
    const { bytes } = endpoint.entries;
    const when = message.finalAt === 0 ? answeredAt(message) : message.finalAt;
    bytes[at] = type;
    writeUint48(bytes, at + 1, when);
    writeKeyBytes(bytes, at + 7, message.sequence, message.origin);
    if (when > endpoint.lastAt) endpoint.lastAt = when;
  }

  /** Puts new events into the next commit; makes room for them where there is none. */
  write(): void {
    const { store, eventsMax } = this.#options;
    for (const endpoint of this.#endpoints.values()) {
      const { count } = endpoint.entries;
      if (count > 0) {
        this.#append(endpoint, endpoint.entries.filled());
        endpoint.entries.clear();
        if (endpoint.next - endpoint.first > eventsMax) {
          this.#drop(endpoint, () => endpoint.next - endpoint.first > eventsMax);
        }
      }
      if (!endpoint.isChanged) continue;
      endpoint.isChanged = false;
      store.put(LedgerTable.OUTBOX, endpoint.key(0), stateOf(endpoint));
    }
  }

  #append(endpoint: Endpoint, entries: Uint8Array): void {
    for (let at = 0; at < entries.length; at += CHUNK_ENTRIES_MAX * ENTRY_BYTES) {
      const part = entries.subarray(at, at + CHUNK_ENTRIES_MAX * ENTRY_BYTES);
      const chunk = new Uint8Array(CHUNK_HEADER + part.length);
      writeUint48(chunk, 0, endpoint.lastAt);
      chunk.set(part, CHUNK_HEADER);
      this.#options.store.put(LedgerTable.OUTBOX, endpoint.key(endpoint.next), chunk);
      endpoint.next += part.length / ENTRY_BYTES;
    }
    endpoint.isChanged = true;
  }

  /** Removes events that are too old; `now`: wall ms. Returns whether any went. */
  age(now: number): boolean {
    if (now < this.#nextAgeAt) return false;
    this.#nextAgeAt = now + AGE_INTERVAL_MS;
    const before = now - this.#options.eventsTtlMs;
    let isChanged = false;
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.first === endpoint.next) continue;
      this.#drop(endpoint, (lastAt) => lastAt < before);
      isChanged ||= endpoint.isChanged;
    }
    return isChanged;
  }

  /** Events of an app behind number `after` (0: from the oldest), as of the last visible commit. */
  read(appId: number, after: number, limit: number): EventPage {
    const endpoint = this.#of(appId);
    const from = after === 0 ? endpoint.first : after + 1;
    if (from < endpoint.first) return { kind: "expired" };
    if (from > endpoint.next) return { kind: "unknown" };
    const events: StoredEvent[] = [];
    // The chunk that holds `from` starts less than a chunk before it.
    const start = endpoint.key(Math.max(endpoint.first, from - CHUNK_ENTRIES_MAX + 1));
    this.#options.store.range(LedgerTable.OUTBOX, start, (key, value) => {
      if (!endpoint.owns(key)) return false;
      const number = readUint48(key, ENDPOINT_BYTES);
      const count = (value.length - CHUNK_HEADER) / ENTRY_BYTES;
      for (let i = Math.max(0, from - number); i < count && events.length <= limit; i++) {
        events.push(eventAt(value, CHUNK_HEADER + i * ENTRY_BYTES, number + i));
      }
      return events.length <= limit;
    });
    return { kind: "events", events: events.slice(0, limit), hasMore: events.length > limit };
  }

  #drop(endpoint: Endpoint, isTooMuch: (lastAt: number) => boolean): void {
    const { store } = this.#options;
    const gone: Uint8Array[] = [];
    store.range(LedgerTable.OUTBOX, endpoint.key(endpoint.first), (key, value) => {
      if (!endpoint.owns(key) || !isTooMuch(readUint48(value, 0))) return false;
      const count = (value.length - CHUNK_HEADER) / ENTRY_BYTES;
      gone.push(Uint8Array.from(key));
      endpoint.first = readUint48(key, ENDPOINT_BYTES) + count;
      endpoint.dropped += count;
      endpoint.isChanged = true;
      return gone.length < AGE_STEP;
    });
    for (const key of gone) store.remove(LedgerTable.OUTBOX, key);
  }

  #of(appId: number): Endpoint {
    let endpoint = this.#endpoints.get(appId);
    if (endpoint !== undefined) return endpoint;
    endpoint = new Endpoint(KIND_APP, appId);
    const state = this.#options.store.get(LedgerTable.OUTBOX, endpoint.key(0));
    if (state !== undefined) {
      endpoint.first = readUint48(state, 0);
      endpoint.next = readUint48(state, 6);
      endpoint.dropped = readUint48(state, 12);
    }
    this.#endpoints.set(appId, endpoint);
    return endpoint;
  }
}

function stateOf(endpoint: Endpoint): Uint8Array {
  const state = new Uint8Array(STATE_BYTES);
  writeUint48(state, 0, endpoint.first);
  writeUint48(state, 6, endpoint.next);
  writeUint48(state, 12, endpoint.dropped);
  return state;
}

function eventAt(chunk: Uint8Array, at: number, number: number): StoredEvent {
  return {
    number,
    type: chunk[at] as number,
    at: readUint48(chunk, at + 1),
    sequence: readKeySequence(chunk, at + 7),
    origin: readKeyOrigin(chunk, at + 7),
  };
}

/** When the SMSC took the last part. */
function answeredAt(message: MessageState): number {
  return message.parts.reduce((latest, part) => Math.max(latest, part.answeredAt), 0);
}
