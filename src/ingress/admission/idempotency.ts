/**
 * Idempotency keys at admission: a call with a key that is known sends nothing.
 *
 *   key, request ─► claim ─┬─ taken ───► admitted ─► [commit] ─► complete: kept with its answer
 *                          │                └─ refused ─► release: the key is free again
 *                          ├─ replay ──► the answer of the first call
 *                          ├─ running ─► 409, soon it has one
 *                          └─ conflict ► 422, the key was used for another request
 *
 * A key belongs to its app. Requests are compared as JSON values, in the canonical form of RFC 8785
 * and without the key itself, by 64 bits of SHA-256; keys by 64 more. One instance per ingress
 * thread.
 */
import { hash } from "node:crypto";
import type { ProblemSource } from "../../errors.ts";
import { Counter, type MetricBlock } from "../../metrics/block.ts";
import {
  Claim,
  factEncoding,
  factScheduled,
  factSegments,
  type IdempotencyTable,
  KEY_WORDS,
  packFacts,
} from "../../tables/idempotency-table.ts";

/** Longest key, in characters. */
export const KEY_LENGTH_MAX = 255;
/** What a key may be made of: what a header can carry everywhere. */
export const KEY_PATTERN = `^[ -~]{1,${KEY_LENGTH_MAX}}$`;
/** In place of a header that came without a value, or more than once. */
export const BAD_KEY = "\n";

const KEY = new RegExp(KEY_PATTERN);

/** Name of the field that carries a message's key. */
export const KEY_FIELD = "idempotency_key";

/** Whether a client may use `text` as a key. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** Why a header Idempotency-Key (empty: none) is refused, or null. */
export function keyProblem(key: string, isStream: boolean): ProblemSource | null {
  if (key === "" || (!isStream && isKey(key))) return null;
  const detail = isStream
    ? `a stream has no Idempotency-Key; its lines may have ${KEY_FIELD}`
    : `Idempotency-Key must be one of 1 to ${KEY_LENGTH_MAX} printable ASCII characters`;
  return { code: "invalid", detail, errors: [{ pointer: "", detail }] };
}

/** The key of message `item` of a batch whose header gave `key`; no client can give it itself. */
export function keyOfItem(key: string, item: number): string {
  return `${key}\n${item}`;
}

/** A key that a call has taken. */
export interface KeyClaim {
  /** As in the tail of an ACCEPT: fingerprint of app and key, digest of the request. */
  readonly words: Int32Array;
  readonly number: number;
}

/** The message of an earlier call. */
export interface ReplayedAnswer {
  sequence: number;
  origin: number;
  parts: number;
  /** BodyEncoding. */
  encoding: number;
  isScheduled: boolean;
}

export class IdempotencyKeys {
  readonly #table: IdempotencyTable;
  readonly #origin: number;
  readonly #metrics: MetricBlock;
  #claims = 0;
  /** What `claim` has taken last. */
  claimed: KeyClaim | null = null;

  /** `origin`: of the keys of this thread's messages. */
  constructor(table: IdempotencyTable, origin: number, metrics: MetricBlock) {
    this.#table = table;
    this.#origin = origin;
    this.#metrics = metrics;
  }

  /** Takes `key` for a request of an app (`claimed`), or says why not; a value of Claim. */
  claim(appId: number, key: string, body: object): number {
    const words = new Int32Array(KEY_WORDS);
    hashInto(words, 0, `${appId}\n${key}`);
    hashInto(words, 2, canonical(body, true));
    const number = ++this.#claims;
    const found = this.#table.claim(words, this.#origin, number);
    if (found === Claim.TAKEN) this.claimed = { words, number };
    else this.#metrics.add(COUNTERS[found] as number, 1);
    return found;
  }

  /** What `claim` has found, after REPLAY. */
  readAnswer(into: ReplayedAnswer): void {
    const { sequence, origin, facts } = this.#table.answer;
    into.sequence = sequence;
    into.origin = origin;
    into.parts = factSegments(facts);
    into.encoding = factEncoding(facts);
    into.isScheduled = factScheduled(facts);
  }

  /** The call was refused: its key is free again. */
  release({ words, number }: KeyClaim): void {
    this.#table.release(words, this.#origin, number);
  }

  /** The call's message is committed. */
  complete({ words, number }: KeyClaim, answer: Readonly<ReplayedAnswer>): void {
    const { sequence, parts, encoding, isScheduled } = answer;
    const facts = packFacts(parts, encoding, isScheduled);
    this.#table.complete(words, this.#origin, number, sequence, facts);
  }
}

const COUNTERS: Readonly<Record<number, number>> = {
  [Claim.REPLAY]: Counter.idempotencyReplays,
  [Claim.RUNNING]: Counter.idempotencyRunning,
  [Claim.CONFLICT]: Counter.idempotencyConflicts,
  [Claim.FULL]: Counter.idempotencyFull,
};

function hashInto(words: Int32Array, at: number, text: string): void {
  const digest = hash("sha256", text, "buffer");
  words[at] = digest.readInt32LE(0);
  words[at + 1] = digest.readInt32LE(4);
}

/** JSON with the members of each object in the order of their names; depth is bounded before. */
function canonical(value: unknown, isMessage: boolean): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((one) => canonical(one, false)).join(",")}]`;
  const fields = value as Readonly<Record<string, unknown>>;
  const members: string[] = [];
  for (const name of Object.keys(fields).sort()) {
    if (isMessage && name === KEY_FIELD) continue;
    members.push(`${JSON.stringify(name)}:${canonical(fields[name], false)}`);
  }
  return `{${members.join(",")}}`;
}
