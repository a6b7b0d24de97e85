/**
 * What an accepted message is told as: its id, and the JSON of a 202.
 *
 * Strings are put together by hand: this runs once a message. One instance per ingress thread.
 */
import { formatMessageId } from "../records/message-key.ts";
import { BODY_ENCODING_NAMES } from "../records/types.ts";
import type { PendingMessage } from "./pending-messages.ts";

export class AcceptedTexts {
  readonly #node: string;

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
    const encoding = BODY_ENCODING_NAMES[message.encoding as 0 | 1 | 2 | 3];
    const { reference, transliterated } = message;
    let tail = reference === "" ? "" : `,"reference":${quote(reference)}`;
    if (transliterated !== "") tail += `,"transliterated":${JSON.stringify(transliterated)}`;
    const status = message.isScheduled ? "scheduled" : "accepted";
    return (
      `"id":"${id}","status":"${status}","segments":${message.parts},` +
      `"encoding":"${encoding}"${tail}`
    );
  }
}

/** A reference as a JSON string. It has no control characters and no half surrogate pairs. */
function quote(text: string): string {
  return text.includes('"') || text.includes("\\") ? JSON.stringify(text) : `"${text}"`;
}
