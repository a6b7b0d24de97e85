/**
 * Admission: one request body in, one staged ACCEPT out, or a reason why not. Knows nothing of
 * HTTP.
 *
 *   fields ─► pin allowed? route? ─► sender allowed? encode, cut into parts as the pool's profile
 *          says ─► room? ─► app bucket ─► node bucket ─► reference ─► claim, write ACCEPT
 *
 * Nothing is promised here: a message counts as accepted once its ACCEPT is committed. One instance
 * per ingress thread. Refusals are integers; `outcome` is one object that each call fills anew.
 */
import { byIndex, type DerivedApp, type DerivedPool, type PoolPlan } from "../../config/derive.ts";
import type { Clock } from "../../environment.ts";
import type { FieldError } from "../../errors.ts";
import type { JournalAppender } from "../../journal/appender.ts";
import { lifeCharge } from "../../journal/space.ts";
import type { MetricBlock } from "../../metrics/block.ts";
import {
  ACCEPT_TYPE,
  Accept,
  acceptLength,
  acceptReplayOffset,
  acceptTailOffset,
  RoutedBy,
  TailKind,
} from "../../records/accept.ts";
import { copyBytes } from "../../records/memory.ts";
import { type MessageKey, nextSequence, originOf } from "../../records/message-key.ts";
import { alignRecord } from "../../ring/layout.ts";
import { NO_ROUTE, PrefixTable } from "../../routing/prefix-table.ts";
import { CdrLevel, LEDGER_LAG_BYTES_MAX, type LogTable, LogWord } from "../../tables/log-table.ts";
import { Claim, type IdempotencyTable, KEY_WORDS } from "../../tables/idempotency-table.ts";
import { UNKNOWN_ADDRESS } from "../http/address-filter.ts";
import { IdempotencyKeys, KEY_FIELD } from "./idempotency.ts";
import { LogRoom, type WaitingMessages } from "./log-room.ts";
import { MessageBody, replacedIn } from "./message-body.ts";
import {
  MessageDraft,
  readMessage,
  refuse,
  takeSender,
  checkSendTime,
  sendDelayS,
} from "./message-fields.ts";
import { MessageRates } from "./message-rates.ts";
import { PoolAccess } from "./pool-access.ts";
import { PoolProfile } from "./pool-profile.ts";
import type { RateLimitState } from "../http/rate-headers.ts";
import { utf8Length, writeAscii, writeUtf8 } from "../http/text-bytes.ts";

/** What `admit` returns. */
export const Admit = {
  /** Its ACCEPT is staged. */
  STAGED: 0,
  INVALID: -1,
  FORBIDDEN: -2,
  NO_ROUTE: -3,
  RATE_LIMITED: -4,
  OVERLOADED: -5,
  /** Another call with its idempotency key has no answer yet. */
  KEY_RUNNING: -6,
  /** Its idempotency key belongs to another request. */
  KEY_CONFLICT: -7,
  /** Nothing is staged: an earlier call with its idempotency key was accepted. */
  REPLAYED: 1,
} as const;

/** Scopes of a token, as a bit set. */
export const ScopeBit = { SEND: 1, OPS: 2, PIN: 4 } as const;

const RETRY_OVERLOADED_S = 1;
const TOO_MANY_LONG = "too many long messages to this number";
/** Between two looks at buckets that nobody uses. */
const SETTLE_INTERVAL_MS = 1000;

export interface AdmissionOptions {
  readonly producer: number;
  readonly epoch: number;
  readonly clock: Clock;
  /** Words of promised concatenation references (allocateReferences). */
  readonly referencePromises: SharedArrayBuffer;
  readonly appender: JournalAppender;
  readonly logTable: LogTable;
  /** Bucket words: two per app, then the node's two (`bucketWord`). */
  readonly bucketWords: Int32Array;
  readonly journalBytesMax: number;
  /** Ingress threads that admit at the same time. */
  readonly ingressCount: number;
  /** Bytes that the other ingress threads have staged and the journal has not committed. */
  readonly othersPendingBytes: () => number;
  readonly pools: PoolPlan;
  readonly keys: IdempotencyTable;
  readonly metrics: MetricBlock;
}

/** What the last `admit` found: the message if it was staged, the reason if it was not. */
export interface AdmissionOutcome {
  sequence: number;
  origin: number;
  /** Monotonic ms of a staged message's admission. */
  admittedAtMs: number;
  poolIndex: number;
  priority: number;
  /** Whether its time is still to come (`send_at`). */
  isScheduled: boolean;
  expiresAtMs: number;
  /** Segments, which the app pays for. */
  parts: number;
  /** BodyEncoding: what the segments are counted in. */
  encoding: number;
  /** Empty: none. */
  reference: string;
  /** The characters that were replaced by others of the GSM alphabet, as asked for. */
  transliterated: string;
  detail: string;
  problems: FieldError[];
  retryAfterS: number;
  /** The bucket that was empty; after STAGED the app's, or null if it has none. */
  limit: RateLimitState | null;
}

export class Admission {
  readonly outcome: AdmissionOutcome = {
    sequence: 0,
    origin: 0,
    admittedAtMs: 0,
    poolIndex: 0,
    priority: 0,
    isScheduled: false,
    expiresAtMs: 0,
    parts: 0,
    encoding: 0,
    reference: "",
    transliterated: "",
    detail: "",
    problems: [],
    retryAfterS: 0,
    limit: null,
  };
  readonly origin: number;
  readonly keys: IdempotencyKeys;
  readonly #options: AdmissionOptions;
  #plan: PoolPlan;
  #routes: PrefixTable;
  /** By app index, by pool index. */
  #apps: readonly (DerivedApp | undefined)[];
  #pools: readonly (DerivedPool | undefined)[];
  /** By pool index. */
  #profiles: readonly (PoolProfile | undefined)[];
  readonly #body: MessageBody;
  #access: PoolAccess;
  readonly #rates: MessageRates;
  readonly #draft = new MessageDraft();
  #lastSequence = 0;
  #nextSettleMs = 0;
  #ledgerLags = false;
  #cdrIsFull = false;
  readonly #room: LogRoom;
  /** The dead letter that the message at hand sends anew. */
  #replayOf: MessageKey | null = null;
  #referenceLength = 0;
  #campaignLength = 0;

  /** `waiting`: what waits in this thread, asked for at messages only. */
  constructor(options: AdmissionOptions, waiting: () => WaitingMessages) {
    this.#options = options;
    const { appender, othersPendingBytes } = options;
    const pendingBytes = (): number => appender.pendingBytes() + othersPendingBytes();
    this.#room = new LogRoom({ ...options, pendingBytes, waiting });
    this.origin = originOf(options.epoch, options.producer);
    this.keys = new IdempotencyKeys(options.keys, this.origin, options.metrics);
    this.#rates = new MessageRates(options.bucketWords, options.pools, this.outcome);
    this.#plan = options.pools;
    this.#routes = new PrefixTable(options.pools.routes);
    this.#apps = byIndex(options.pools.apps, (app) => app.appIndex);
    this.#pools = byIndex(options.pools.pools, (pool) => pool.poolIndex);
    this.#profiles = profilesOf(this.#pools);
    this.#body = new MessageBody(options.referencePromises);
    this.#access = new PoolAccess(options.pools.pools);
    this.refresh();
  }

  /**
   * Goes on with another plan: the next message is admitted by its apps, rates and routes. The
   * bucket words of changed rates must be set (`carryBuckets`).
   */
  reload(plan: PoolPlan): void {
    this.#plan = plan;
    this.#rates.reload(plan);
    this.#routes = new PrefixTable(plan.routes);
    this.#apps = byIndex(plan.apps, (app) => app.appIndex);
    this.#pools = byIndex(plan.pools, (pool) => pool.poolIndex);
    this.#profiles = profilesOf(this.#pools);
    this.#access = new PoolAccess(plan.pools);
  }

  /** Id of the app with this index, 0 if it is not configured any more. */
  appIdOf(appIndex: number): number {
    return this.#apps[appIndex]?.config.id ?? 0;
  }

  /** Index of the app with this id, -1 if it is not configured. */
  appIndexOf(appId: number): number {
    return this.#plan.apps.find(({ config }) => config.id === appId)?.appIndex ?? -1;
  }

  /** Id of the pool with this index, 0 if there is none. */
  poolIdOf(poolIndex: number): number {
    return this.#pools[poolIndex]?.id ?? 0;
  }

  /** The last sequence given out; 0 if none was. */
  get lastSequence(): number {
    return this.#lastSequence;
  }

  /**
   * Looks anew at how far the ledger lags and how much space there is. To be called every few
   * milliseconds.
   */
  refresh(): void {
    const table = this.#options.logTable;
    const lag = table.load(LogWord.COMMITTED) - table.load(LogWord.LEDGER_APPLIED);
    this.#ledgerLags = lag > LEDGER_LAG_BYTES_MAX;
    this.#cdrIsFull = table.load(LogWord.CDR_LEVEL) === CdrLevel.FULL;
    this.#room.refresh();
    const monotonicMs = this.#options.clock.monotonicMs();
    if (monotonicMs < this.#nextSettleMs) return;
    this.#nextSettleMs = monotonicMs + SETTLE_INTERVAL_MS;
    this.#rates.settleAll(monotonicMs);
  }

  /**
   * Admits `body`, a PlainMessage or parsed JSON, of app `appIndex`, whose token has `scopes` and
   * whose call comes from address `from` (4 or 16 bytes; 0: unknown) with the idempotency key `key`
   * (empty: none, but for one of the message's own). On STAGED the ACCEPT is claimed and written,
   * to be published by the caller, who completes `keys.claimed` after its commit; on anything else
   * nothing was charged and `outcome` says why, or on REPLAYED which message it is.
   */
  admit(
    appIndex: number,
    body: unknown,
    scopes: number,
    from: ArrayBuffer = UNKNOWN_ADDRESS,
    key: string = "",
  ): number {
    const { keys } = this;
    keys.claimed = null;
    let code = this.#read(appIndex, body);
    if (code === Admit.STAGED && (key !== "" || this.#draft.idempotencyKey !== "")) {
      code = this.#claimKey(this.#apps[appIndex] as DerivedApp, key, body as object);
    }
    if (code === Admit.STAGED) code = this.#judge(appIndex, scopes, from);
    if (code === Admit.STAGED) code = this.#stage(this.#apps[appIndex] as DerivedApp, this.#draft);
    if (code < Admit.STAGED && keys.claimed !== null) keys.release(keys.claimed);
    return code;
  }

  /** Takes the message's key before anything is asked that another time may answer otherwise. */
  #claimKey(app: DerivedApp, key: string, body: object): number {
    const { outcome, keys } = this;
    const draft = this.#draft;
    if (key !== "" && draft.idempotencyKey !== "") {
      refuse(outcome.problems, `/${KEY_FIELD}`, "cannot stand beside the header Idempotency-Key");
      return Admit.INVALID;
    }
    switch (keys.claim(app.config.id, key === "" ? draft.idempotencyKey : key, body)) {
      case Claim.TAKEN:
        return Admit.STAGED;
      case Claim.REPLAY:
        keys.readAnswer(outcome);
        outcome.reference = draft.reference;
        outcome.transliterated = replacedIn(draft);
        return Admit.REPLAYED;
      case Claim.RUNNING:
        outcome.detail = "the first call with this key has no answer yet";
        outcome.retryAfterS = RETRY_OVERLOADED_S;
        return Admit.KEY_RUNNING;
      case Claim.CONFLICT:
        outcome.detail = "this key came with another message before";
        return Admit.KEY_CONFLICT;
      default:
        return this.#overloaded("there is no room for another idempotency key");
    }
  }

  /** `admit` for a message that sends the dead letter `replayOf` anew, whose ACCEPT says so. */
  admitReplay(appIndex: number, body: unknown, from: ArrayBuffer, replayOf: MessageKey): number {
    this.#replayOf = replayOf;
    const code = this.admit(appIndex, body, ScopeBit.PIN, from);
    this.#replayOf = null;
    return code;
  }

  /**
   * What `admit` would say now, STAGED included; stages and charges nothing. The message as it was
   * understood is in `draft`, and in `outcome` if there is a route for it, unless it is INVALID or
   * FORBIDDEN.
   */
  preview(appIndex: number, body: unknown, scopes: number, from: ArrayBuffer): number {
    let code = this.#read(appIndex, body);
    if (code === Admit.STAGED) code = this.#judge(appIndex, scopes, from);
    if (code !== Admit.STAGED) return code;
    const app = this.#apps[appIndex] as DerivedApp;
    const monotonicMs = this.#options.clock.monotonicMs();
    if (!this.#hasCapacity(appIndex, this.#recordLength(this.#draft))) return Admit.OVERLOADED;
    const { parts } = this.outcome;
    if (!this.#rates.acquire(app, parts, monotonicMs)) return Admit.RATE_LIMITED;
    this.#rates.giveBack(app, parts, monotonicMs);
    return Admit.STAGED;
  }

  /** The message that was judged last. */
  get draft(): Readonly<MessageDraft> {
    return this.#draft;
  }

  /** Reads the message into the draft. */
  #read(appIndex: number, body: unknown): number {
    const { outcome } = this;
    const app = this.#apps[appIndex];
    if (app === undefined) return this.#forbidden("the app is not configured any more");
    outcome.limit = null;
    if (outcome.problems.length > 0) outcome.problems = [];
    const isRead = readMessage(body, app.config.policies, this.#draft, outcome.problems);
    return isRead ? Admit.STAGED : Admit.INVALID;
  }

  /** Everything that depends on nothing but the draft, the app, the routes, and the time. */
  #judge(appIndex: number, scopes: number, from: ArrayBuffer): number {
    const { outcome } = this;
    const app = (this.#apps[appIndex] as DerivedApp).config;
    const draft = this.#draft;
    if (draft.sendAtMs !== 0) {
      const wallMs = this.#options.clock.wallMs();
      if (!checkSendTime(draft, wallMs, outcome.problems)) return Admit.INVALID;
    }
    if (draft.route !== 0 && (scopes & ScopeBit.PIN) === 0) {
      return this.#forbidden("route needs the scope route:pin");
    }
    outcome.poolIndex =
      draft.route === 0
        ? this.#routes.find(draft.to, draft.toStart)
        : (this.#plan.poolIndexById.get(draft.route) ?? NO_ROUTE);
    if (outcome.poolIndex === NO_ROUTE) {
      outcome.detail =
        draft.route === 0 ? "no prefix matches this number" : "there is no such link or pool";
      return Admit.NO_ROUTE;
    }
    if (!this.#access.allows(outcome.poolIndex, app.id, from)) {
      return this.#forbidden("the app, or this address, may not use the link");
    }
    return this.#planFor(draft) ? Admit.STAGED : Admit.INVALID;
  }

  #forbidden(detail: string): number {
    this.outcome.detail = detail;
    return Admit.FORBIDDEN;
  }

  /**
   * Plans the message as the pool's profile wants it: its sender, its octets, its parts. False if
   * it cannot be sent as asked.
   */
  #planFor(draft: MessageDraft): boolean {
    const { outcome } = this;
    const { problems } = outcome;
    const profile = this.#profiles[outcome.poolIndex] as PoolProfile;
    if (draft.from === "" && profile.senderDefault !== null) {
      takeSender(draft, profile.senderDefault);
    }
    if (!this.#mayUseSender(draft, profile)) return false;
    const body = this.#body;
    if (!body.plan(draft, profile, problems)) return false;
    outcome.transliterated = body.transliterated;
    outcome.encoding = body.alphabet;
    outcome.parts = body.segmentCount;
    return true;
  }

  #mayUseSender(draft: MessageDraft, { senders }: PoolProfile): boolean {
    if (senders.passesAll) return true;
    const from = draft.from.slice(draft.fromStart);
    if (from === "" ? !senders.needsSender : senders.passes(from)) return true;
    const detail = from === "" ? "is required for this number" : "may not be used to this number";
    refuse(this.outcome.problems, "/from", detail);
    return false;
  }

  /** The message is fine: checks capacity and rates, and writes its ACCEPT. */
  #stage(app: DerivedApp, draft: MessageDraft): number {
    const { outcome } = this;
    const { appender, clock } = this.#options;
    const body = this.#body;
    const profile = this.#profiles[outcome.poolIndex] as PoolProfile;
    const monotonicMs = clock.monotonicMs();
    const wallMs = clock.wallMs();
    if (!body.findReference(draft, profile, wallMs, outcome.problems)) {
      if (outcome.problems.length > 0) return Admit.INVALID;
      return this.#overloaded(TOO_MANY_LONG);
    }
    outcome.parts = body.segmentCount;
    const lengthBytes = this.#recordLength(draft);
    if (!this.#hasCapacity(app.appIndex, lengthBytes)) return Admit.OVERLOADED;
    if (!this.#rates.acquire(app, outcome.parts, monotonicMs)) return Admit.RATE_LIMITED;
    // A promise cannot be given back, so it is made only for what has its room.
    const hasRoom = appender.hasRoom(alignRecord(lengthBytes));
    if (!hasRoom || !body.promiseReference(wallMs)) {
      this.#rates.giveBack(app, outcome.parts, monotonicMs);
      return this.#overloaded(hasRoom ? TOO_MANY_LONG : "the journal is behind");
    }
    const record = appender.claim(lengthBytes, ACCEPT_TYPE);
    this.#lastSequence = nextSequence(this.#lastSequence, wallMs);
    outcome.sequence = this.#lastSequence;
    outcome.origin = this.origin;
    outcome.admittedAtMs = monotonicMs;
    outcome.priority = draft.priority;
    const delayS = sendDelayS(draft, wallMs);
    outcome.isScheduled = delayS > 0;
    outcome.expiresAtMs = wallMs + (delayS + draft.ttlS) * 1000;
    outcome.reference = draft.reference;
    this.#write(record, app.config.id, wallMs, draft);
    return Admit.STAGED;
  }

  #recordLength(draft: MessageDraft): number {
    const body = this.#body;
    this.#referenceLength = utf8Length(draft.reference);
    this.#campaignLength = utf8Length(draft.campaign);
    const texts =
      draft.to.length -
      draft.toStart +
      (draft.from.length - draft.fromStart) +
      this.#referenceLength +
      this.#campaignLength +
      body.udhLength +
      body.length;
    return acceptLength(body.partCount, texts, this.#tailKinds());
  }

  #tailKinds(): number {
    const replay = this.#replayOf === null ? 0 : TailKind.REPLAY;
    return this.keys.claimed === null ? replay : replay | TailKind.IDEMPOTENCY;
  }

  #write(record: number, appId: number, wallMs: number, draft: MessageDraft): void {
    const { outcome } = this;
    const body = this.#body;
    const { bytes, view } = this.#options.appender.memory;
    const pool = this.#pools[outcome.poolIndex];
    view.setFloat64(record + Accept.SEQUENCE, outcome.sequence, true);
    view.setUint32(record + Accept.ORIGIN, this.origin, true);
    view.setUint32(record + Accept.APP_ID, appId, true);
    view.setFloat64(record + Accept.ACCEPTED_AT, wallMs, true);
    view.setFloat64(record + Accept.EXPIRES_AT, outcome.expiresAtMs, true);
    view.setUint32(record + Accept.POOL_ID, pool?.id as number, true);
    view.setUint8(record + Accept.PRIORITY, draft.priority);
    view.setUint8(record + Accept.CLASS, draft.messageClass);
    view.setUint8(record + Accept.DLR, draft.dlr);
    view.setUint8(record + Accept.ENCODING, body.encoding);
    const source = (draft.sourceTon << 4) | draft.sourceNpi;
    view.setUint32(record + Accept.PART_COUNT, body.partCount | (source << 8), true);
    const { to, toStart, from, fromStart } = draft;
    view.setUint8(record + Accept.DATA_CODING, body.dataCoding);
    view.setUint8(record + Accept.ESM_CLASS, 0);
    view.setUint8(record + Accept.PROTOCOL_ID, 0);
    view.setUint8(record + Accept.UDH_LENGTH, body.udhLength);
    view.setUint8(record + Accept.TO_LENGTH, to.length - toStart);
    view.setUint8(record + Accept.FROM_LENGTH, from.length - fromStart);
    view.setUint8(record + Accept.REFERENCE_LENGTH, this.#referenceLength);
    view.setUint8(record + Accept.CAMPAIGN_LENGTH, this.#campaignLength);
    view.setUint16(record + Accept.BODY_LENGTH, body.length, true);
    view.setUint8(record + Accept.ROUTED_BY, draft.route === 0 ? RoutedBy.TABLE : RoutedBy.PIN);
    view.setUint8(record + Accept.PREFIX_LENGTH, draft.route === 0 ? this.#routes.foundLength : 0);
    view.setUint32(record + Accept.SEND_DELAY_S, sendDelayS(draft, wallMs), true);
    view.setUint8(record + Accept.CONCAT_METHOD, body.method);
    view.setUint8(record + Accept.SEGMENTS, body.segmentCount);
    view.setUint16(record + Accept.SEGMENTS + 1, 0, true);
    let at = record + Accept.PART_ENDS;
    for (let part = 0; part < body.partCount; part++, at += 2) {
      view.setUint16(at, body.ends[part] as number, true);
    }
    at = writeAscii(to, toStart, bytes, at);
    at = writeAscii(from, fromStart, bytes, at);
    at = writeUtf8(draft.reference, bytes, at);
    at = writeUtf8(draft.campaign, bytes, at);
    copyBytes(body.udh, 0, bytes, at, body.udhLength);
    bytes.set(body.octets, at + body.udhLength);
    const tailKinds = this.#tailKinds();
    if (tailKinds !== 0) this.#writeTail(record, tailKinds);
  }

  #writeTail(record: number, tailKinds: number): void {
    const { view } = this.#options.appender.memory;
    const { claimed } = this.keys;
    view.setUint8(record + Accept.TAIL_KINDS, tailKinds);
    const at = record + acceptTailOffset(view, record);
    if (claimed !== null) {
      for (let i = 0; i < KEY_WORDS; i++) {
        view.setInt32(at + 4 * i, claimed.words[i] as number, true);
      }
    }
    if (this.#replayOf === null) return;
    const replay = record + acceptReplayOffset(view, record);
    view.setFloat64(replay, this.#replayOf.sequence, true);
    view.setUint32(replay + 8, this.#replayOf.origin, true);
  }

  #hasCapacity(appIndex: number, lengthBytes: number): boolean {
    if (this.#ledgerLags) this.#overloaded("the ledger is behind");
    else if (this.#cdrIsFull) {
      this.#overloaded("call records wait for their bucket and have no more disk");
    } else if (!this.#room.mayWait(appIndex)) {
      this.#overloaded("too many messages of the app wait for a link");
    } else if (!this.#room.take(appIndex, lifeCharge(lengthBytes, this.#body.partCount))) {
      this.#overloaded("the journal has no space");
    } else return true;
    return false;
  }

  #overloaded(detail: string): number {
    this.outcome.detail = detail;
    this.outcome.retryAfterS = RETRY_OVERLOADED_S;
    return Admit.OVERLOADED;
  }
}

/** The profiles of the pools, by the same index. */
function profilesOf(
  pools: readonly (DerivedPool | undefined)[],
): readonly (PoolProfile | undefined)[] {
  return pools.map((pool) => (pool === undefined ? undefined : new PoolProfile(pool.profile)));
}
