/**
 * The body of the message at hand: its octets as they go out, cut into parts, and how the parts
 * find each other.
 *
 *   text ─► characters replaced ─► planned for the pool ─► a reference promised, if it has parts
 *
 * References are drawn when messages are sent; here no more of them are promised towards a handset
 * than do not repeat within the reassembly time. Beyond that the parts are cut again for 16-bit
 * references, or the message is refused, as the profile says. One per ingress thread, used again
 * for each message.
 */
import {
  CONCAT_METHOD,
  ENCODING,
  hashAddresses,
  type ConcatReferences,
  NOT_ENCODABLE,
  planText,
  ReferenceTables,
  referenceBits,
  TextPlan,
  transliterate,
  widened,
} from "../../codec/index.ts";
import type { FieldError } from "../../errors.ts";
import { copyBytes } from "../../records/memory.ts";
import { BodyEncoding, PARTS_MAX } from "../../records/types.ts";
import { type MessageDraft, refuse } from "./message-fields.ts";
import type { PoolProfile } from "./pool-profile.ts";

/** Longest text that PARTS_MAX parts can hold, in units of any alphabet. */
const TEXT_UNITS_MAX = 160 * PARTS_MAX;
/** Octets of one SMS, unpacked. */
const USER_DATA_MAX = 160;
const NO_UDH = new Uint8Array(0);

export class MessageBody {
  /** CONCAT_METHOD. */
  method: number = CONCAT_METHOD.udh8;
  dataCoding = 0;
  /** Octets of `udh` that count: a binary's own header, or one that names national tables. */
  udhLength = 0;
  udh: Uint8Array = NO_UDH;
  /** Characters that were replaced by others of the GSM alphabet, as asked for. */
  transliterated = "";
  readonly #plan = new TextPlan(TEXT_UNITS_MAX);
  readonly #promises: ReferenceTables;
  /** Views of the plan's bytes by length: making one costs more than the copy. */
  readonly #views: Uint8Array[] = [];
  #text = "";
  #hash = 0;

  /** `referencePromises` from `allocateReferences`, shared by all ingress threads. */
  constructor(referencePromises: SharedArrayBuffer) {
    this.#promises = new ReferenceTables(referencePromises);
  }

  /** The octets that go out, part after part; valid until the next plan. */
  get octets(): Uint8Array {
    const { bytes, length } = this.#plan;
    if (length > USER_DATA_MAX) return bytes.subarray(0, length);
    return (this.#views[length] ??= bytes.subarray(0, length));
  }

  get length(): number {
    return this.#plan.length;
  }

  /** Where each part ends. */
  get ends(): Uint16Array {
    return this.#plan.ends;
  }

  /** submit_sm that it takes. */
  get partCount(): number {
    return this.#plan.partCount;
  }

  /** What the sender pays for: SMS that reach the handset. */
  get segmentCount(): number {
    return this.#plan.segmentCount;
  }

  /** How the octets are laid out, an ENCODING. */
  get encoding(): number {
    return this.#plan.encoding;
  }

  /** What the segments are counted in, a BodyEncoding. */
  get alphabet(): number {
    return this.#plan.alphabet;
  }

  /** Plans the draft's text or binary for a pool; false if it cannot be sent as asked. */
  plan(draft: MessageDraft, profile: PoolProfile, problems: FieldError[]): boolean {
    this.transliterated = "";
    this.method = profile.method;
    if (draft.binary !== null) {
      this.#takeBinary(draft.binary.data, draft.binary.udh, draft.binary.dataCoding);
      return true;
    }
    let text = draft.text as string;
    if (text.length > TEXT_UNITS_MAX) return refuseLength(draft, problems);
    if (isTransliterated(draft)) {
      const { text: plain, replaced } = transliterate(text);
      text = plain;
      this.transliterated = replaced;
      if (text === "") {
        refuse(problems, "/text", "is empty once it is transliterated");
        return false;
      }
      if (text.length > TEXT_UNITS_MAX) return refuseLength(draft, problems);
    }
    this.#text = text;
    if (!this.#planText(draft, profile, problems)) return false;
    if (this.#plan.partCount > 1) {
      this.#hash = hashAddresses(draft.from, draft.fromStart, draft.to, draft.toStart);
    }
    return true;
  }

  /**
   * Looks whether a reference can be promised; false if not. Plans once more where only a wider one
   * can.
   */
  findReference(
    draft: MessageDraft,
    profile: PoolProfile,
    wallMs: number,
    problems: FieldError[],
  ): boolean {
    if (this.#plan.partCount === 1 || !this.#isExhausted(wallMs)) return true;
    const wider = widened(this.method);
    if (wider === this.method || !profile.mayWiden) return false;
    this.method = wider;
    return !this.#isExhausted(wallMs) && this.#planText(draft, profile, problems);
  }

  /** Promises the parts a reference, if there are several; false if it cannot. */
  promiseReference(wallMs: number): boolean {
    return this.#plan.partCount === 1 || this.#promisesOfMethod().take(this.#hash, wallMs) >= 0;
  }

  #isExhausted(wallMs: number): boolean {
    return this.#promisesOfMethod().isExhausted(this.#hash, wallMs);
  }

  #promisesOfMethod(): ConcatReferences {
    const { narrow, wide } = this.#promises;
    return referenceBits(this.method) === 16 ? wide : narrow;
  }

  #planText(draft: MessageDraft, profile: PoolProfile, problems: FieldError[]): boolean {
    const plan = this.#plan;
    const { encoding, partsMax } = draft;
    const found = planText(plan, this.#text, encoding, profile.text, this.method, partsMax);
    if (found === NOT_ENCODABLE) {
      refuse(problems, "/encoding", "cannot hold every character of the text");
      return false;
    }
    if (found < 0) return refuseLength(draft, problems);
    this.dataCoding = plan.dataCoding;
    this.udh = plan.udh;
    this.udhLength = plan.udhLength;
    return true;
  }

  #takeBinary(data: Uint8Array, udh: Uint8Array, dataCoding: number): void {
    const plan = this.#plan;
    copyBytes(data, 0, plan.bytes, 0, data.length);
    plan.length = plan.ends[0] = data.length;
    plan.partCount = plan.segmentCount = 1;
    plan.encoding = plan.alphabet = BodyEncoding.BINARY;
    this.dataCoding = dataCoding;
    this.udh = udh;
    this.udhLength = udh.length;
  }
}

/** Characters of a draft's text that are replaced, as asked for. */
export function replacedIn(draft: Readonly<MessageDraft>): string {
  return isTransliterated(draft) ? transliterate(draft.text as string).replaced : "";
}

function isTransliterated({ text, transliterate: isAsked, encoding }: Readonly<MessageDraft>) {
  const isFixed = encoding === ENCODING.ucs2 || encoding === ENCODING.latin1;
  return text !== null && isAsked && !isFixed;
}

function refuseLength(draft: MessageDraft, problems: FieldError[]): boolean {
  const parts = `${draft.partsMax} part${draft.partsMax === 1 ? "" : "s"}`;
  refuse(problems, "/text", `needs more than ${parts}`);
  return false;
}
