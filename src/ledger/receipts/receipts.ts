/**
 * Receipts and their messages: matched at once, or parked until their answer comes.
 *
 *   RECEIPT ─► look-up in the link's base ─► verified against the part's SMSC id ─► merged
 *      │ nothing, or in doubt about the base                 ▲
 *      └─► parked ───────── ANSWER with that id, or a base is pinned
 *
 * Of several parts with that id the spelling decides, then the youngest answer that it can be meant
 * for: an open one, or one that ended with the same receipt lately. An SMSC that gives an id again
 * speaks of the later part, and a duplicate must not end an earlier one whose own receipt was lost.
 * A part that ended long ago is not meant: the receipt may be early for one that gets its id anew.
 *
 * A link whose base is not pinned yet takes unequivocal matches only; what is in doubt waits a
 * little for its own answer and is then taken for what it looks like. Duplicates, late and
 * contradicting receipts find a final part and change nothing. The ledger's thread only.
 */
import type { Log } from "../../environment.ts";
import { Counter, type MetricBlock } from "../../metrics/block.ts";
import { LinkLearnings, type LinkLearning, UNPINNED } from "./link-learning.ts";
import type { MessageState } from "../messages/message-state.ts";
import type { Messages } from "../messages/messages.ts";
import { type LedgerMeta, LINKS_KEY } from "../store/meta.ts";
import { type ParkedReceipt, ParkedReceipts, PARK_MS } from "./parked-receipts.ts";
import { isFinal, mergeReceipt, type PartRecord, PartState } from "../messages/part-state.ts";
import {
  baseOfTransform,
  hashId,
  ID_BASE_COUNT,
  IdBase,
  inAnswersBase,
  inReceiptsBase,
  matchingTransform,
  normaliseId,
} from "./receipt-id.ts";
import { ReceiptIndex } from "./receipt-index.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

/** How long a receipt in doubt waits for its own answer: longer than answers usually take. */
const DOUBT_MS = 5000;
/** Parked receipts looked at per call of `tidy`. */
const TIDY_PARKED = 256;
const TIDY_SLOTS = 2048;
/** Receipts come again within so long; later ones rather belong to a part that got the id anew. */
const DUPLICATE_MS = PARK_MS;

export interface ReceiptsOptions {
  readonly store: LedgerStore;
  readonly meta: LedgerMeta;
  readonly messages: Messages;
  readonly metrics: MetricBlock;
  readonly log: Log;
  readonly receiptGraceMs: number;
  readonly parkedMax: number;
  readonly generationEntriesMax: number;
}

export class Receipts {
  readonly index: ReceiptIndex;
  readonly parked: ParkedReceipts;
  readonly links = new LinkLearnings();
  readonly #options: ReceiptsOptions;
  /** The match that `#lookUp` found. */
  #message: MessageState | null = null;
  #part = 0;
  #transform = -1;
  readonly #candidates: number[] = [];
  /** When the receipt came that is being looked up (wall ms); 0: any part with its id may match. */
  #cameAt = 0;
  #state = 0;
  /** The link whose base a vote has just pinned. */
  #pinnedLately: LinkLearning | null = null;
  #unmatched = 0;
  #nextLogAt = 0;

  constructor(options: ReceiptsOptions) {
    this.#options = options;
    this.parked = new ParkedReceipts(options.parkedMax);
    this.index = new ReceiptIndex({
      generationEntriesMax: options.generationEntriesMax,
      isOpen: (sequence, origin, part) => {
        const message = options.messages.find(sequence, origin);
        const record = message?.parts[part];
        return record !== undefined && !isFinal(record.state);
      },
    });
    this.index.load(options.store);
    this.parked.load(options.store);
    const learnt = options.store.get(LedgerTable.META, LINKS_KEY);
    if (learnt !== undefined) this.links.load(learnt);
  }

  /**
   * The SMSC gave part `part` the id `id`: receipts for it can be matched now, and those parked
   * are.
   */
  onAnswered(message: MessageState, part: number, linkId: number, id: string, at: number): void {
    if (id === "") return;
    const { seed } = this.#options.meta;
    const normal = normaliseId(id);
    const deadline = message.expiresAt + this.#options.receiptGraceMs;
    const low = hashId(linkId, normal, ~seed);
    const high = hashId(linkId, normal, seed);
    this.index.add(high, low, message.sequence, message.origin, part, Math.ceil(deadline));
    if (this.parked.count > 0) this.#matchParked(message, part, linkId, normal, at);
  }

  /** A part that had ids is final: its entries are not needed any more. */
  onPartFinal(message: MessageState, part: number): void {
    const { seed } = this.#options.meta;
    for (const { linkId, id } of (message.parts[part] as PartRecord).ids ?? []) {
      const normal = normaliseId(id);
      const high = hashId(linkId, normal, seed);
      const low = hashId(linkId, normal, ~seed);
      this.index.markDead(high, low, message.sequence, message.origin, part);
    }
  }

  /** A receipt as it came in; `at` is wall ms. */
  onReceipt(linkId: number, id: string, messageState: number, error: string, at: number): void {
    const link = this.links.of(linkId);
    this.#cameAt = at;
    this.#state = messageState;
    if (this.#match(link, id)) {
      if (this.links.noteMatch(link, this.#transform)) this.#pinnedLately = link;
      this.#apply(messageState, error, at);
      return;
    }
    const displaced = this.parked.park({
      at,
      linkId,
      messageState,
      id,
      error,
      number: 0,
      isStored: false,
      isGone: false,
      wasRetried: false,
    });
    this.#options.metrics.add(Counter.receiptsParked, 1);
    if (displaced !== null) this.#giveUp(displaced, at, "too many receipts are parked");
  }

  /**
   * Gives up what was parked long enough, tries what was in doubt, tidies the index. Returns work
   * done.
   */
  tidy(now: number): number {
    let work = 0;
    for (; work < TIDY_PARKED; work++) {
      const oldest = this.parked.oldest();
      if (oldest === null || oldest.at + PARK_MS > now) break;
      this.#cameAt = 0;
      this.#state = oldest.messageState;
      if (this.#matchWaiting(this.links.of(oldest.linkId), oldest)) {
        this.#settleParked(oldest);
        continue;
      }
      this.parked.take(oldest);
      this.#giveUp(oldest, now, "no answer ever brought its id");
    }
    for (; work < TIDY_PARKED; work++) {
      const receipt = this.parked.nextToRetry(now - DOUBT_MS);
      if (receipt === null) break;
      this.#cameAt = receipt.at;
      this.#state = receipt.messageState;
      const link = this.links.of(receipt.linkId);
      if (this.#matchWaiting(link, receipt)) this.#settleParked(receipt);
    }
    this.retryPinned();
    return work + (this.index.tidy(now, TIDY_SLOTS) > 0 ? 1 : 0);
  }

  /** Puts index, parked receipts and what was learnt into the store's next commit. */
  write(): void {
    const { store, meta } = this.#options;
    meta.nextChunk = this.index.write(store, meta.nextChunk);
    meta.nextParked = this.parked.write(store, meta.nextParked);
    if (!this.links.isChanged) return;
    this.links.isChanged = false;
    store.put(LedgerTable.META, LINKS_KEY, this.links.encode());
  }

  /**
   * Looks the id up as the link's receipts mean it. On true, `#message`, `#part`, `#transform` tell
   * the match.
   */
  #match(link: LinkLearning, id: string): boolean {
    const normal = normaliseId(id);
    if (link.pinned !== UNPINNED) {
      if (this.#lookUp(link.linkId, id, normal, link.pinned)) return true;
      this.#voteForOthers(link, id, normal);
      return false;
    }
    if (!this.#lookUp(link.linkId, id, normal, IdBase.SAME)) {
      this.#voteForOthers(link, id, normal);
      return false;
    }
    // In doubt if another base leads to another message.
    const message = this.#message;
    const part = this.#part;
    const transform = this.#transform;
    for (let base = 1; base < ID_BASE_COUNT; base++) {
      if (!this.#lookUp(link.linkId, id, normal, base)) continue;
      if (this.#message !== message || this.#part !== part) return false;
    }
    this.#message = message;
    this.#part = part;
    this.#transform = transform;
    return true;
  }

  /**
   * Without a match in the expected base: what another one would find counts towards pinning it.
   */
  #voteForOthers(link: LinkLearning, id: string, normal: string): void {
    let vote = -1;
    for (let base = 0; base < ID_BASE_COUNT; base++) {
      if (base === link.pinned || !this.#lookUp(link.linkId, id, normal, base)) continue;
      if (vote >= 0) return;
      vote = base;
    }
    if (vote < 0) return;
    this.links.isChanged = true;
    if (link.vote(vote)) this.#pinnedLately = link;
  }

  /**
   * After a vote pinned a base: what was parked meanwhile is tried again. Called between records.
   */
  retryPinned(): void {
    const link = this.#pinnedLately;
    if (link === null) return;
    this.#pinnedLately = null;
    this.#retryParked(link);
  }

  #lookUp(linkId: number, id: string, normal: string, base: number): boolean {
    const wanted = inAnswersBase(normal, base);
    if (wanted === null) return false;
    const { seed } = this.#options.meta;
    const high = hashId(linkId, wanted, seed);
    const low = hashId(linkId, wanted, ~seed);
    let best: MessageState | null = null;
    let bestPart = 0;
    let bestTransform = -1;
    let bestRank = 0;
    let bestAnsweredAt = 0;
    // Loading a message may end parts and so use the index: first all candidates, then their
    // messages.
    const candidates = this.#candidates;
    candidates.length = 0;
    for (let isFound = this.index.find(high, low); isFound; isFound = this.index.findNext()) {
      candidates.push(this.index.foundSequence, this.index.foundOrigin, this.index.foundPart);
    }
    for (let i = 0; i < candidates.length; i += 3) {
      const foundPart = candidates[i + 2] as number;
      const known = this.#options.messages.find(
        candidates[i] as number,
        candidates[i + 1] as number,
      );
      const part = known?.parts[foundPart];
      if (known === null || part === undefined) continue;
      const transform = verify(part, linkId, id, base);
      if (transform < 0) continue;
      const { answeredAt, finalAt } = part;
      if (finalAt !== 0 && this.#cameAt > finalAt + DUPLICATE_MS) continue;
      // A receipt that contradicts the part's own one is meant for it only if for none else.
      const rank = 2 * transform + (finalAt === 0 || part.receiptState === this.#state ? 0 : 1);
      const isBetter = rank === bestRank ? answeredAt > bestAnsweredAt : rank < bestRank;
      if (best !== null && !isBetter) continue;
      best = known;
      bestPart = foundPart;
      bestTransform = transform;
      bestRank = rank;
      bestAnsweredAt = answeredAt;
    }
    this.#message = best;
    this.#part = bestPart;
    this.#transform = bestTransform;
    return best !== null;
  }

  #apply(messageState: number, error: string, at: number): void {
    const message = this.#message as MessageState;
    const { messages, metrics } = this.#options;
    metrics.add(Counter.receiptsMatched, 1);
    messages.settleByTime(message, at);
    const part = message.parts[this.#part] as PartRecord;
    if (mergeReceipt(part, messageState, error, at)) messages.settle(message);
  }

  /** Merges the parked receipts that an answer's id explains. */
  #matchParked(
    message: MessageState,
    part: number,
    linkId: number,
    normal: string,
    at: number,
  ): void {
    const link = this.links.of(linkId);
    const base = link.pinned === UNPINNED ? IdBase.SAME : link.pinned;
    const expected = inReceiptsBase(normal, base);
    const waiting = expected === null ? undefined : this.parked.find(linkId, expected);
    if (waiting === undefined) return;
    for (const receipt of Array.from(waiting)) {
      // Older ones are given up, whenever that is done: a replay must come to the same.
      if (receipt.at + PARK_MS <= at) continue;
      const transform = verify(message.parts[part] as PartRecord, linkId, receipt.id, base);
      if (transform < 0 || (link.pinned === UNPINNED && this.#isInDoubt(receipt))) continue;
      this.#message = message;
      this.#part = part;
      this.#transform = transform;
      this.#settleParked(receipt);
    }
  }

  /**
   * Whether a parked receipt would find a message in another base than its answer's: dense ids make
   * it look like the answer to a message that came later.
   */
  #isInDoubt(receipt: ParkedReceipt): boolean {
    this.#cameAt = receipt.at;
    this.#state = receipt.messageState;
    const normal = normaliseId(receipt.id);
    for (let base = 1; base < ID_BASE_COUNT; base++) {
      if (this.#lookUp(receipt.linkId, receipt.id, normal, base)) return true;
    }
    return false;
  }

  #retryParked(link: LinkLearning): void {
    for (const receipt of this.parked.ofLink(link.linkId)) {
      if (receipt.isGone) continue;
      this.#cameAt = receipt.at;
      this.#state = receipt.messageState;
      const normal = normaliseId(receipt.id);
      if (this.#lookUp(link.linkId, receipt.id, normal, link.pinned)) this.#settleParked(receipt);
    }
  }

  /**
   * Without a pinned base, takes a receipt that has waited for what it looks like: in the answers'
   * base if that leads to a message, else in another.
   */
  #matchWaiting(link: LinkLearning, receipt: ParkedReceipt): boolean {
    const normal = normaliseId(receipt.id);
    if (link.pinned !== UNPINNED) {
      return this.#lookUp(link.linkId, receipt.id, normal, link.pinned);
    }
    for (let base = 0; base < ID_BASE_COUNT; base++) {
      if (this.#lookUp(receipt.linkId, receipt.id, normal, base)) return true;
    }
    return false;
  }

  #settleParked(receipt: ParkedReceipt): void {
    this.parked.take(receipt);
    const link = this.links.of(receipt.linkId);
    this.links.isChanged = true;
    link.noteMatch(this.#transform);
    // A match in another base has voted when its receipt came in.
    const isSame = baseOfTransform(this.#transform) === IdBase.SAME;
    if (isSame && link.vote(IdBase.SAME)) this.#pinnedLately = link;
    this.#apply(receipt.messageState, receipt.error, receipt.at);
  }

  #giveUp(receipt: ParkedReceipt, now: number, cause: string): void {
    this.#options.metrics.add(Counter.receiptsUnmatched, 1);
    this.#unmatched++;
    if (now < this.#nextLogAt) return;
    this.#nextLogAt = now + 1000;
    this.#options.log.write("warn", "match receipt", {
      cause,
      link: receipt.linkId,
      smsc_id: receipt.id,
      given_up: this.#unmatched,
    });
    this.#unmatched = 0;
  }
}

/** By which transform one of the part's ids on this link is `id`, read in `base`; -1 if none is. */
function verify(part: PartRecord, linkId: number, id: string, base: number): number {
  let best = -1;
  const ids = part.ids;
  if (ids === null || part.state === PartState.WAITING) return best;
  for (const known of ids) {
    if (known.linkId !== linkId) continue;
    const transform = matchingTransform(known.id, id, base);
    if (transform >= 0 && (best < 0 || transform < best)) best = transform;
  }
  return best;
}
