/**
 * Hostile requests from a seed: valid bodies of every call, then broken in their values, their JSON
 * or their bytes.
 */
import { integerIn } from "../../support/seeded-random.ts";

export interface FuzzRequest {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
}

const TO = "998901234567";
const HOSTILE: readonly string[] = [
  "null",
  "true",
  "[]",
  "{}",
  '""',
  "0",
  "-1",
  "1.5",
  "1e999",
  "-1e-999",
  "9".repeat(400),
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u202e"',
  '"__proto__"',
  '{"__proto__":{"to":"1"}}',
  '{"constructor":{"prototype":{}}}',
  '{"toString":1,"length":-1}',
  `"${"x".repeat(3000)}"`,
  `"${"ж".repeat(900)}"`,
  "[".repeat(12) + "]".repeat(12),
  "[".repeat(3000),
  `"+${TO}"`,
  '"otp"',
  '"998"',
];
const NAMES = [
  ..."to from text binary reference campaign class priority route encoding".split(" "),
  ..."transliterate max_parts send_at ttl_s policy dlr webhook idempotency_key".split(" "),
  ..."__proto__ constructor messages data udh data_coding To".split(" "),
];
const TYPES = ["text/plain", "application/json; charset=utf-16", "multipart/form-data", ""];

/** A generator of requests; the same for the same `random`. */
export class RequestMaker {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  next(): FuzzRequest {
    const call = this.#pick(["", "", ":batch", ":preview", ":stream"]);
    const isStream = call === ":stream";
    const type = isStream ? "application/x-ndjson" : "application/json";
    const text = call === ":batch" ? this.#batch() : isStream ? this.#lines() : this.#message();
    const broken = this.#chance(0.4) ? this.#breakText(text) : text;
    const bytes = Buffer.from(broken);
    return {
      path: `/v1/messages${this.#chance(0.1) ? call.replace(":", "%3A") : call}`,
      type: this.#chance(0.02) ? this.#pick(TYPES) : type,
      body: this.#chance(0.3) ? this.#breakBytes(bytes) : bytes,
    };
  }

  #batch(): string {
    const count = integerIn(this.#random, 0, 4);
    const messages = Array.from({ length: count }, () => this.#message());
    return `{"messages":${this.#chance(0.05) ? this.#value() : `[${messages.join(",")}]`}}`;
  }

  #lines(): string {
    const count = integerIn(this.#random, 0, 4);
    return Array.from({ length: count }, () => this.#message()).join("\n");
  }

  #message(): string {
    const members = [`"to":"${TO}"`, `"text":"${this.#pick(["x", "ж€", "a\\nb", "{}"])}"`];
    while (this.#chance(0.6)) members.push(`"${this.#pick(NAMES)}":${this.#value()}`);
    if (this.#chance(0.3)) members.splice(integerIn(this.#random, 0, 1), 1);
    if (this.#chance(0.3)) members.push(members[0] as string);
    return `{${members.join(",")}}`;
  }

  #value(): string {
    if (this.#chance(0.2)) return `{"${this.#pick(NAMES)}":${this.#pick(HOSTILE)}}`;
    return this.#pick(HOSTILE);
  }

  /** Cuts, repeats or inserts what means something in JSON. */
  #breakText(text: string): string {
    const at = integerIn(this.#random, 0, text.length);
    const length = integerIn(this.#random, 0, 12);
    const slice = text.slice(at, at + length);
    const inserted = this.#pick(["{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "\n", "\ufeff"]);
    switch (integerIn(this.#random, 0, 3)) {
      case 0:
        return text.slice(0, at) + text.slice(at + length);
      case 1:
        return text.slice(0, at) + slice.repeat(3) + text.slice(at);
      case 2:
        return text.slice(0, at) + inserted + text.slice(at);
      default:
        return text.slice(0, at) + this.#value() + text.slice(at + length);
    }
  }

  /** Changes bytes, as a wrong charset or a broken sender would. */
  #breakBytes(bytes: Buffer): Buffer {
    if (this.#chance(0.1)) return Buffer.from(bytes.toString("latin1"), "utf16le");
    const broken = Buffer.from(bytes);
    const count = integerIn(this.#random, 1, 4);
    for (let i = 0; i < count && broken.length > 0; i++) {
      const at = integerIn(this.#random, 0, broken.length - 1);
      broken[at] = this.#chance(0.5)
        ? integerIn(this.#random, 0, 255)
        : (broken[at] as number) ^ (1 << integerIn(this.#random, 0, 7));
    }
    return broken;
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(of: readonly T[]): T {
    return of[integerIn(this.#random, 0, of.length - 1)] as T;
  }
}
