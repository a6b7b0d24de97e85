/**
 * The corpora of the codec bench: seeded, plausible traffic.
 *
 * Texts use only characters whose octet is the same in ASCII and in GSM 7-bit, so that contenders
 * which decode the text at once fold the same numbers as those that leave it in place.
 */
import { encodeSm, encodeSubmitSmResp, resetSmView, SmView } from "../../../src/codec/index.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .,!?";

/** A small seeded generator (xorshift32); `next(n)` is in [0, n). */
export function createRandom(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function randomText(random: (below: number) => number, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += ALPHABET[random(ALPHABET.length)]!;
  return text;
}

/** `count` submit_sm or deliver_sm, one after the other; texts of 20 to 160 octets, no TLV.
 * Times are empty: npm `smpp` would turn them into dates, which cannot be folded. */
export function createSmCorpus(commandId: number, count: number, seed: number): Uint8Array {
  const random = createRandom(seed);
  const out = new Uint8Array(count * 300);
  const view = new SmView();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const source = ["ACME", "MYBRAND", "447700900001", "12345"][random(4)]!;
    const destination = `9989${String(10_000_000 + random(89_999_999))}`;
    const text = randomText(random, 20 + random(141));
    const record = Buffer.from(source + destination + text, "latin1");
    resetSmView(view, record);
    view.sourceAddrTon = random(6);
    view.sourceAddrEnd = source.length;
    view.destAddrTon = view.destAddrNpi = 1;
    view.destinationAddrStart = source.length;
    view.destinationAddrEnd = source.length + destination.length;
    view.protocolId = random(2) * 64;
    view.priorityFlag = random(4);
    view.registeredDelivery = 1;
    view.shortMessageStart = view.destinationAddrEnd;
    view.shortMessageEnd = record.length;
    at += encodeSm(commandId, out, at, i + 1, view, null, 0);
  }
  return out.slice(0, at);
}

/** `count` submit_sm_resp, one in sixteen refused and without a body. */
export function createRespCorpus(count: number, seed: number): Uint8Array {
  const random = createRandom(seed);
  const out = new Uint8Array(count * 90);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const id = Buffer.from((random(0x7fffffff) + 0x10000000).toString(16));
    const status = random(16) === 0 ? 0x58 : 0;
    at += encodeSubmitSmResp(out, at, status, i + 1, id, 0, id.length);
  }
  return out.slice(0, at);
}

/** Where each PDU of a corpus starts, and its end as the last entry. */
export function offsetsOf(corpus: Uint8Array): number[] {
  const view = new DataView(corpus.buffer, corpus.byteOffset, corpus.byteLength);
  const offsets = [0];
  for (let at = 0; at < corpus.length; ) {
    at += view.getUint32(at);
    offsets.push(at);
  }
  return offsets;
}
