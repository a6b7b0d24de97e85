/**
 * What an accepted message is told as: its id, and the JSON of a 202.
 *
 * Strings are put together by hand: this runs once a message. One instance per ingress thread.
 */
import { formatMessageId } from "../../records/message-key.ts";
import { BODY_ENCODING_NAMES } from "../../records/types.ts";
import type { PendingMessage } from "../calls/pending-messages.ts";

export class AcceptedTexts {
  readonly #node: string;
  /** By kind. */
  readonly #tails: string[] = [];

  constructor(node: string) {
    this.#node = node;
  }

  id(message: PendingMessage): string {
    return formatMessageId(this.#node, message.sequence, message.origin);
  }

  /** The body of its 202. `id`: as `id` gives it. */
  body(id: string, message: PendingMessage): string {
    return `{${this.members(id, message)}}`;
  }

  /** The same for one of several messages, which says whether it is a replay. */
  result(message: PendingMessage): string {
    const members = this.members(this.id(message), message);
    return message.isReplay ? `${members},"replayed":true` : members;
  }

  /** The members of `body`. */
  members(id: string, message: PendingMessage): string {
    return `"id":"${id}${this.tail(message)}`;
  }

  /** What follows the id in its string's place, its closing quote first. */
  tail(message: PendingMessage): string {
    const { reference, transliterated } = message;
    const plain = this.plainTail(message);
    if (reference === "" && transliterated === "") return plain;
    let tail = reference === "" ? plain : `${plain},"reference":${quote(reference)}`;
    if (transliterated !== "") tail += `,"transliterated":${JSON.stringify(transliterated)}`;
    return tail;
  }

  /** The same without a reference and replaced characters; alike for all of one kind. */
  plainTail(message: PendingMessage): string {
    return (this.#tails[this.kindOf(message)] ??= plainTail(message));
  }

  /** A small number for each state, count of segments and encoding. */
  kindOf({ encoding, parts, isScheduled }: PendingMessage): number {
    return (parts * ENCODING_COUNT + encoding) * 2 + Number(isScheduled);
  }
}

const ENCODING_COUNT = BODY_ENCODING_NAMES.length;

function plainTail({ isScheduled, parts, encoding }: PendingMessage): string {
  const status = isScheduled ? "scheduled" : "accepted";
  const name = BODY_ENCODING_NAMES[encoding as 0 | 1 | 2 | 3];
  return `","status":"${status}","segments":${parts},"encoding":"${name}"`;
}

/** A reference as a JSON string. It has no control characters and no half surrogate pairs. */
function quote(text: string): string {
  return text.includes('"') || text.includes("\\") ? JSON.stringify(text) : `"${text}"`;
}
