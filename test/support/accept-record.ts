/** Writes whole ACCEPT records for tests. */
import {
  Accept,
  ACCEPT_FLAGS,
  ACCEPT_TYPE,
  ACCEPT_VERSION,
  acceptLength,
  TailKind,
} from "../../src/records/accept.ts";
import type { RecordMemory } from "../../src/records/memory.ts";

export interface AcceptSample {
  readonly sequence: number;
  readonly origin: number;
  readonly to: string;
  readonly from: string;
  readonly reference: string;
  readonly campaign: string;
  readonly udh: Uint8Array;
  /** Body of each part. */
  readonly parts: readonly Uint8Array[];
  /** Idempotency key, 16 bytes, if there is one. */
  readonly key?: Uint8Array | undefined;
}

export function sampleLength(sample: AcceptSample): number {
  return acceptLength(sample.parts.length, textsOf(sample).length, kindsOf(sample));
}

/** Writes `sample` at `at`, header included. Returns its length in bytes. */
export function writeAccept(memory: RecordMemory, at: number, sample: AcceptSample): number {
  const { view, bytes } = memory;
  const lengthBytes = sampleLength(sample);
  bytes.fill(0, at, at + lengthBytes);
  view.setUint32(at, lengthBytes, true);
  view.setUint32(at + 4, ACCEPT_TYPE | (ACCEPT_VERSION << 8) | (ACCEPT_FLAGS << 16), true);
  writeAcceptFields(memory, at, sample);
  return lengthBytes;
}

/** Writes all of `sample` but the header. */
export function writeAcceptFields(memory: RecordMemory, at: number, sample: AcceptSample): void {
  const { view, bytes } = memory;
  view.setFloat64(at + Accept.SEQUENCE, sample.sequence, true);
  view.setUint32(at + Accept.ORIGIN, sample.origin, true);
  view.setUint8(at + Accept.PART_COUNT, sample.parts.length);
  view.setUint8(at + Accept.UDH_LENGTH, sample.udh.length);
  view.setUint8(at + Accept.TO_LENGTH, sample.to.length);
  view.setUint8(at + Accept.FROM_LENGTH, sample.from.length);
  view.setUint8(at + Accept.REFERENCE_LENGTH, Buffer.byteLength(sample.reference));
  view.setUint8(at + Accept.CAMPAIGN_LENGTH, Buffer.byteLength(sample.campaign));
  let end = 0;
  for (const [i, part] of sample.parts.entries()) {
    end += part.length;
    view.setUint16(at + Accept.PART_ENDS + 2 * i, end, true);
  }
  view.setUint16(at + Accept.BODY_LENGTH, end, true);
  view.setUint8(at + Accept.ROUTED_BY, 0);
  view.setUint8(at + Accept.PREFIX_LENGTH, 0);
  view.setUint32(at + Accept.SEND_DELAY_S, 0, true);
  view.setUint32(at + Accept.CONCAT_METHOD, 0, true);
  view.setUint8(at + Accept.TAIL_KINDS, kindsOf(sample));
  const texts = textsOf(sample);
  const textsAt = at + Accept.PART_ENDS + 2 * sample.parts.length;
  bytes.set(texts, textsAt);
  if (sample.key !== undefined) bytes.set(sample.key, textsAt + texts.length);
}

/** A short message that differs by `sequence`. */
export function shortSample(sequence: number): AcceptSample {
  return {
    sequence,
    origin: 0x101,
    to: "998901234567",
    from: "Demo",
    reference: `r-${sequence}`,
    campaign: "",
    udh: new Uint8Array(0),
    parts: [Buffer.from(`body ${sequence}`)],
  };
}

function textsOf(sample: AcceptSample): Buffer {
  const { to, from, reference, campaign, udh, parts } = sample;
  return Buffer.concat([Buffer.from(to + from + reference + campaign), udh, ...parts]);
}

function kindsOf(sample: AcceptSample): number {
  return sample.key === undefined ? 0 : TailKind.IDEMPOTENCY;
}
