/**
 * One link as one worker sees it: its share of the sessions, the shared contract and pace, and what
 * waits for this link alone.
 *
 *   a segment is prepared (SENDING staged) only while all workers together have prepared less than
 *   the pace frees until it can be written, or this one less than its sessions' share of that; it
 *   is written only with a token of the contract and its time of the pace
 *
 * `openTurn` and `closeTurn` bracket a turn of the worker, so that the shared words are touched
 * once a turn, except for the tokens. One thread per instance; the words are shared.
 */
import type { DerivedLink } from "../config/derive.ts";
import type { LinkConfig } from "../config/types.ts";
import {
  claimToken,
  freeRested,
  layToRest,
  NO_TOKEN,
  putBack,
  REST_MS,
} from "../limit/contract.ts";
import { PRIORITY_COUNT } from "../records/types.ts";
import { LinkWord, rowWord } from "../tables/link-table.ts";
import {
  FREE_RESTED_EVERY_MS,
  MEASURE_SLICE_MS,
  PACE_CUT_INTERVAL_MS,
  PACE_JUDGE_MS,
  PACE_OF_CONTRACT,
  PACE_SLOWEST_MILLI,
} from "./pace/limits.ts";
import { LinkProfile } from "./link-profile.ts";
import { MessageList } from "./queue/message-list.ts";
import type { MessageTable } from "./queue/message-table.ts";
import {
  cutPace,
  holdAfterStormMs,
  isOfThisPace,
  isPaceOpen,
  paceAvailable,
  raisePace,
  refreshPace,
  restartPace,
  takePace,
} from "./pace/pace.ts";
import type { SmppSession } from "./session/session.ts";
import { StallWatch } from "./stall-watch.ts";
import { GO_ON, HALF, ThrottleWatch } from "./pace/throttle-watch.ts";

const UNLIMITED = 0x3fffffff;
/** A token of a link without a contract: there is none to lay to rest. */
const UNCOUNTED = 0;

export class WorkerLink {
  readonly id: number;
  readonly linkIndex: number;
  config: LinkConfig;
  /** Own sessions. */
  readonly sessions: SmppSession[] = [];
  /** By priority: messages that only this link may send, by log offset. */
  readonly pinned: MessageList[];
  profile: LinkProfile;
  /** Own sessions that take traffic. */
  openCount = 0;
  /** Messages in `pinned`, as others were shown last. */
  countShown = 0;
  readonly stalls = new StallWatch();
  /** Segments that may still be prepared in this turn. */
  budget = 0;
  readonly #words: Int32Array;
  readonly #row: number;
  readonly #tokens: Int32Array;
  /** The pace under which the contract is used up; 0 without a contract. */
  #contractMilli = 0;
  readonly #throttling = new ThrottleWatch();
  #preparedHere = 0;
  /** No worker has anything prepared, as of this turn. */
  #isIdle = false;
  #nowMs = 0;
  #preparedDelta = 0;
  #writtenDelta = 0;
  #sentHere = 0;
  #sliceStartMs = 0;
  #sliceWritten = 0;
  #rate = 0;
  /** -Infinity: none was measured. */
  #rateBest: number = Number.NEGATIVE_INFINITY;
  #freeRestedAtMs = 0;
  /** Tokens that any contract of its had: those beyond a lowered rate come to rest as well. */
  #tokenCountMax = 0;

  /** `words` are the link table's, `tokens` this link's contract (limit/contract.ts). */
  constructor(link: DerivedLink, words: Int32Array, tokens: Int32Array, table: MessageTable) {
    this.linkIndex = link.linkIndex;
    this.config = link.config;
    this.profile = new LinkProfile(link.profile);
    this.id = link.config.id;
    this.#words = words;
    this.#row = rowWord(link.linkIndex, 0);
    this.pinned = Array.from({ length: PRIORITY_COUNT }, () => new MessageList(table));
    this.#tokens = tokens;
    this.configure(link);
    this.#sliceWritten = Atomics.load(words, this.#row + LinkWord.WRITTEN);
  }

  /**
   * Goes by this configuration from now on. Tokens that were used still rest, whoever used them: so
   * over a change no second sees more than the greater of the two rates.
   */
  configure({ config, profile }: DerivedLink): void {
    this.config = config;
    this.profile = new LinkProfile(profile);
    this.#tokenCountMax = Math.max(this.#tokenCountMax, config.rateTps ?? 0);
    const tokensPerS = ((config.rateTps ?? 0) * 1000) / REST_MS;
    this.#contractMilli = Math.floor(tokensPerS * 1000 * PACE_OF_CONTRACT);
  }

  /** The contract does not let anything through. */
  get isClosed(): boolean {
    return this.config.rateTps === 0;
  }

  /** It goes more slowly than its contract, since the SMSC throttled it. */
  get isPaced(): boolean {
    return Atomics.load(this.#words, this.#row + LinkWord.PACE_MILLI) !== 0;
  }

  /** Segments prepared by this worker and not yet written. */
  get preparedHere(): number {
    return this.#preparedHere;
  }

  /**
   * Looks up how many segments may be prepared: what is free within `horizonMs`. What others have
   * prepared does not cut into the share of this worker's sessions: one that does not get to write
   * would keep all from sending. A worker that has none prepared may always prepare one.
   */
  openTurn(nowMs: number, horizonMs: number): void {
    if (this.isClosed) {
      this.budget = 0;
      return;
    }
    const prepared = Atomics.load(this.#words, this.#row + LinkWord.PREPARED);
    const pace = this.#paceMilli();
    this.#isIdle = prepared === 0;
    this.#nowMs = nowMs;
    const paced = paceAvailable(this.#words, this.#row, pace, nowMs, horizonMs, this.#isIdle);
    const free = Math.min(UNLIMITED, paced);
    if (free === UNLIMITED) {
      this.budget = UNLIMITED;
      return;
    }
    const share = Math.floor((free * this.openCount) / this.config.sessions);
    const least = this.#preparedHere === 0 ? 1 : 0;
    this.budget = Math.max(least, free - prepared, share - this.#preparedHere);
  }

  /** Tells the other workers what this turn prepared and wrote. */
  closeTurn(): void {
    if (this.#preparedDelta !== 0) {
      Atomics.add(this.#words, this.#row + LinkWord.PREPARED, this.#preparedDelta);
      this.#preparedDelta = 0;
    }
    if (this.#writtenDelta !== 0) {
      Atomics.add(this.#words, this.#row + LinkWord.WRITTEN, this.#writtenDelta);
      this.#writtenDelta = 0;
    }
  }

  notePrepared(): void {
    if (this.#isIdle) {
      this.#isIdle = false;
      restartPace(this.#words, this.#row, this.#nowMs);
    }
    this.budget--;
    this.#preparedHere++;
    this.#preparedDelta++;
  }

  /** Segments that this worker's sessions have written since start. */
  get sentCount(): number {
    return this.#sentHere;
  }

  /**
   * Whether a message that waits could go out: a session takes traffic and has a place in its
   * window, and nothing of the link waits for the journal or its turn.
   */
  couldSend(isJournalIdle: boolean): boolean {
    if (this.isClosed || this.budget <= 0) return false;
    if (this.#preparedHere > 0 && (!isJournalIdle || this.isPaced)) return false;
    return this.sessions.some(
      ({ isOpen, isStalled, window }) => isOpen && !isStalled && window.used < window.limit,
    );
  }

  noteStall(): void {
    Atomics.add(this.#words, this.#row + LinkWord.STALLS, 1);
  }

  /** A prepared segment was written, or never will be. */
  noteUnprepared(written: boolean): void {
    this.#preparedHere--;
    this.#preparedDelta--;
    if (!written) return;
    this.#writtenDelta++;
    this.#sentHere = (this.#sentHere + 1) | 0;
  }

  /**
   * Takes the token and the time of one segment, which is then written at once; `nowMs` was read
   * before. Returns a token for `layToRest`, or NO_TOKEN.
   */
  tryTakeToken(nowMs: number): number {
    const { rateTps } = this.config;
    const pace = this.#paceMilli();
    if (rateTps === 0) return NO_TOKEN;
    if (!isPaceOpen(this.#words, this.#row, pace, nowMs)) return NO_TOKEN;
    const token = rateTps === null ? UNCOUNTED : claimToken(this.#tokens, rateTps, nowMs);
    if (token === NO_TOKEN) return NO_TOKEN;
    if (takePace(this.#words, this.#row, pace, nowMs)) return token;
    if (token !== UNCOUNTED) putBack(this.#tokens, token);
    return NO_TOKEN;
  }

  /** The segment of this token left before `atMs`, or never will. */
  layToRest(token: number, atMs: number): void {
    if (token !== UNCOUNTED) layToRest(this.#tokens, token, atMs);
  }

  /**
   * The SMSC answered a segment of this link, written at `writtenAtMs`. Returns whether that slowed
   * the link down.
   */
  noteAnswer(nowMs: number, writtenAtMs: number, throttled: boolean): boolean {
    if (!isOfThisPace(this.#words, this.#row, nowMs, writtenAtMs)) return false;
    const factor = this.#throttling.note(nowMs, throttled, this.#isSlowest());
    if (factor === GO_ON) return false;
    this.#throttling.reset();
    const isStorm = factor <= HALF;
    const from = this.config.rateTps ?? Math.max(1, this.#rate, this.#sliceRate(nowMs));
    return cutPace(
      this.#words,
      this.#row,
      nowMs,
      isStorm ? PACE_CUT_INTERVAL_MS : PACE_JUDGE_MS,
      Math.max(HALF, factor),
      from,
      isStorm ? holdAfterStormMs(nowMs - writtenAtMs) : 0,
    );
  }

  /** Measures the rate and raises the pace; every few milliseconds. */
  onTick(nowMs: number): void {
    if (this.#sliceStartMs === 0) this.#sliceStartMs = nowMs;
    if (nowMs - this.#sliceStartMs >= MEASURE_SLICE_MS) {
      this.#rate = this.#sliceRate(nowMs);
      this.#rateBest = Math.max(this.#rateBest, this.#rate);
      this.#sliceStartMs = nowMs;
      this.#sliceWritten = Atomics.load(this.#words, this.#row + LinkWord.WRITTEN);
    }
    raisePace(this.#words, this.#row, nowMs, this.config.rateTps ?? Math.max(1, this.#rateBest));
    refreshPace(this.#words, this.#row, nowMs);
    if (nowMs < this.#freeRestedAtMs) return;
    this.#freeRestedAtMs = nowMs + FREE_RESTED_EVERY_MS;
    freeRested(this.#tokens, this.#tokenCountMax, nowMs);
  }

  /** 1/1000 segment/s that may leave now; 0: as many as there are. */
  #paceMilli(): number {
    const milli = Atomics.load(this.#words, this.#row + LinkWord.PACE_MILLI);
    return milli === 0 ? this.#contractMilli : milli;
  }

  #isSlowest(): boolean {
    const milli = Atomics.load(this.#words, this.#row + LinkWord.PACE_MILLI);
    if (milli === 0) return false;
    const reference = this.config.rateTps ?? this.#rateBest;
    return milli <= Math.min(PACE_SLOWEST_MILLI, reference * 100);
  }

  #sliceRate(nowMs: number): number {
    const elapsedMs = Math.max(1, nowMs - this.#sliceStartMs);
    const written = Atomics.load(this.#words, this.#row + LinkWord.WRITTEN) + this.#writtenDelta;
    return (((written - this.#sliceWritten) | 0) * 1000) / Math.max(100, elapsedMs);
  }
}
