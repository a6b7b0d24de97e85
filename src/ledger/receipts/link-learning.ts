/**
 * What is learnt about the ids in a link's receipts: how often each transform matched, and the base
 * that follows.
 *
 *   votes per base ──► pinned base, once VOTES_MIN receipts agree to 3 in 4; later ones may turn it
 *
 * Numeric ids are dense, so an id read in the wrong base may well be another message's: until a
 * base is pinned only unequivocal matches count, and afterwards only that base is used. The
 * ledger's thread only.
 */
import { ID_BASE_NAMES, ID_TRANSFORM_NAMES, LinkWord, rowWord } from "../../tables/link-table.ts";
import { baseOfTransform, ID_BASE_COUNT } from "./receipt-id.ts";
import { readUint32, writeUint32 } from "../messages/row-layout.ts";

/** No base is pinned. */
export const UNPINNED = -1;
const VOTES_MIN = 16;
/** Votes are halved beyond, so that a link can change its habits. */
const VOTES_MAX = 256;
const ENTRY = 8 + 4 * ID_TRANSFORM_NAMES.length + 4 * ID_BASE_COUNT;

export class LinkLearning {
  readonly linkId: number;
  pinned: number = UNPINNED;
  /** Matches by transform since the store was made. */
  readonly matches = new Float64Array(ID_TRANSFORM_NAMES.length);
  readonly votes = new Float64Array(ID_BASE_COUNT);

  constructor(linkId: number) {
    this.linkId = linkId;
  }

  noteMatch(transform: number): void {
    this.matches[transform] = (this.matches[transform] as number) + 1;
  }

  /** Votes for a base; returns whether the pinned base changed. */
  vote(base: number): boolean {
    const { votes } = this;
    votes[base] = (votes[base] as number) + 1;
    let total = 0;
    let best = 0;
    for (let i = 0; i < votes.length; i++) {
      total += votes[i] as number;
      if ((votes[i] as number) > (votes[best] as number)) best = i;
    }
    const isClear = (votes[best] as number) >= 0.75 * total;
    if (total > VOTES_MAX) for (let i = 0; i < votes.length; i++) votes[i] = (votes[i] ?? 0) >> 1;
    if (total < VOTES_MIN || !isClear || this.pinned === best) return false;
    this.pinned = best;
    return true;
  }
}

export interface LinkSummary {
  readonly link: number;
  readonly matches: Readonly<Record<string, number>>;
  readonly pinned: string | null;
}

/** All links, by id, with their one row in the store. */
export class LinkLearnings {
  readonly #byId = new Map<number, LinkLearning>();
  isChanged = false;

  of(linkId: number): LinkLearning {
    let link = this.#byId.get(linkId);
    if (link === undefined) {
      link = new LinkLearning(linkId);
      this.#byId.set(linkId, link);
    }
    return link;
  }

  noteMatch(link: LinkLearning, transform: number): boolean {
    this.isChanged = true;
    link.noteMatch(transform);
    return link.vote(baseOfTransform(transform));
  }

  /**
   * Links that have had receipts, by id: matches by transform, and the pinned base as a word, or
   * null.
   */
  summary(): LinkSummary[] {
    return Array.from(this.#byId.values())
      .filter((link) => link.matches.some((count) => count > 0))
      .sort((a, b) => a.linkId - b.linkId)
      .map((link) => ({
        link: link.linkId,
        matches: Object.fromEntries(
          ID_TRANSFORM_NAMES.map((name, i) => [name, link.matches[i] ?? 0]),
        ),
        pinned: link.pinned === UNPINNED ? null : (ID_BASE_NAMES[link.pinned] ?? null),
      }));
  }

  /**
   * Writes what is learnt into the rows of the link table; `rowOf` gives that of a link's id, or
   * undefined.
   */
  show(words: Int32Array, rowOf: (linkId: number) => number | undefined): void {
    for (const { linkId, pinned, matches } of this.#byId.values()) {
      const row = rowOf(linkId);
      if (row === undefined) continue;
      Atomics.store(words, rowWord(row, LinkWord.ID_BASE), pinned + 1);
      for (let i = 0; i < matches.length; i++) {
        Atomics.store(words, rowWord(row, LinkWord.ID_MATCHES + i), matches[i] as number);
      }
    }
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(ENTRY * this.#byId.size);
    let at = 0;
    for (const link of this.#byId.values()) {
      writeUint32(bytes, at, link.linkId);
      bytes[at + 4] = link.pinned + 1;
      let field = at + 8;
      for (const count of link.matches) field = writeCount(bytes, field, count);
      for (const count of link.votes) field = writeCount(bytes, field, count);
      at += ENTRY;
    }
    return bytes;
  }

  load(bytes: Uint8Array): void {
    for (let at = 0; at + ENTRY <= bytes.length; at += ENTRY) {
      const link = this.of(readUint32(bytes, at));
      link.pinned = (bytes[at + 4] as number) - 1;
      let field = at + 8;
      for (let i = 0; i < link.matches.length; i++, field += 4) {
        link.matches[i] = readUint32(bytes, field);
      }
      for (let i = 0; i < link.votes.length; i++, field += 4) {
        link.votes[i] = readUint32(bytes, field);
      }
    }
  }
}

function writeCount(bytes: Uint8Array, at: number, count: number): number {
  writeUint32(bytes, at, Math.min(0xffffffff, Math.floor(count)));
  return at + 4;
}
