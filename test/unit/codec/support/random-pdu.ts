/**
 * Seeded random PDUs that are valid by the specification, for round trips, differential runs and
 * fuzzing.
 */
import {
  COMMAND_ID,
  COMMAND_STATUS,
  type CommandName,
  type DestAddress,
  type FieldShape,
  type FieldValue,
  isResponseId,
  NPI,
  PDU_SHAPES,
  type Pdu,
  type Tlv,
  TLV_SHAPES,
  TLV_TAG,
  type TlvName,
  type UnsuccessSme,
} from "../../../../src/codec/index.ts";

/** A number in [0, below). */
export type Random = (below: number) => number;

/** xorshift32: small, fast, the same on every machine. */
export function createRandom(seed: number): Random {
  let state = (seed | 0) ^ 0x2545f491 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)]!;
}

const PRINTABLE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_.: ";

/** Printable ASCII of the given length, without leading or trailing spaces. */
export function randomString(random: Random, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const edge = i === 0 || i === length - 1;
    octets[i] = PRINTABLE.charCodeAt(random(PRINTABLE.length - (edge ? 1 : 0)));
  }
  return octets;
}

export function randomOctets(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random(256));
}

const two = (value: number): string => String(value).padStart(2, "0");

/** A legal absolute or relative time. */
function randomTime(random: Random): Uint8Array {
  const date = two(random(99)) + two(1 + random(12)) + two(1 + random(28));
  const clock = two(random(24)) + two(random(60)) + two(random(60));
  const text =
    random(2) === 0
      ? `${date}${clock}${random(10)}${two(random(49))}${pick(random, ["+", "-"])}`
      : `${two(random(2))}${two(random(12))}${two(random(28))}${clock}000R`;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const NPI_VALUES = Object.values(NPI);
const ERROR_STATUSES = Object.values(COMMAND_STATUS).filter((code) => code > 0 && code < 0x100);

function randomDests(random: Random): DestAddress[] {
  return Array.from({ length: random(6) }, () =>
    random(3) === 0
      ? { destFlag: 2 as const, dlName: randomString(random, random(21)) }
      : {
          destFlag: 1 as const,
          destAddrTon: random(7),
          destAddrNpi: pick(random, NPI_VALUES),
          destinationAddr: randomString(random, random(21)),
        },
  );
}

function randomFailures(random: Random): UnsuccessSme[] {
  return Array.from({ length: random(5) }, () => ({
    destAddrTon: random(7),
    destAddrNpi: pick(random, NPI_VALUES),
    destinationAddr: randomString(random, random(21)),
    errorStatusCode: pick(random, ERROR_STATUSES),
  }));
}

function randomField(random: Random, shape: FieldShape): FieldValue {
  switch (shape.kind) {
    case "integer":
      if (shape.name.endsWith("_ton")) return random(7);
      if (shape.name === "interface_version") return pick(random, [0x34, 0x34, 0x34, 0x33, 0x50]);
      if (shape.name.endsWith("_npi")) return pick(random, NPI_VALUES);
      return random(shape.octets === 1 ? 256 : 0xffffffff);
    case "cstring":
      return randomString(random, random(shape.lengthMax));
    case "time":
      return random(2) === 0 ? new Uint8Array(0) : randomTime(random);
    case "message":
      return randomOctets(random, pick(random, [0, 1, 20, 140, 254, random(255)]));
    case "dests":
      return randomDests(random);
    case "failures":
      return randomFailures(random);
  }
}

/** A TLV of v3.4 with a legal length, or now and then a vendor's. */
export function randomTlv(random: Random): Tlv {
  if (random(8) === 0) {
    return { tag: 0x1400 + random(0x2bff), value: randomOctets(random, random(40)) };
  }
  const name = pick(random, Object.keys(TLV_TAG) as TlvName[]);
  const shape = TLV_SHAPES[name];
  const span = Math.min(shape.lengthMax, 300) - shape.lengthMin;
  const length = shape.lengthMin + random(span + 1);
  if (shape.kind === "cstring") {
    const value = new Uint8Array(length);
    value.set(randomString(random, length - 1));
    return { tag: TLV_TAG[name], value };
  }
  return { tag: TLV_TAG[name], value: randomOctets(random, length) };
}

/** A random PDU of the given command, or of any; it encodes without an error. */
export function randomPdu(random: Random, name?: CommandName): Pdu {
  const command = name ?? pick(random, Object.keys(COMMAND_ID) as CommandName[]);
  const commandId = COMMAND_ID[command];
  const shape = PDU_SHAPES[command];
  const isResponse = isResponseId(commandId);
  const commandStatus = isResponse && random(3) === 0 ? pick(random, ERROR_STATUSES) : 0;
  const pdu: Pdu = {
    commandId,
    commandStatus,
    sequenceNumber: 1 + random(0x7fffffff),
    fields: {},
    tlvs: [],
    flags: 0,
  };
  if (shape.bodyOnlyIfOk && commandStatus !== 0) return pdu;
  for (const field of shape.fields) pdu.fields[field.name] = randomField(random, field);
  if (command === "deliver_sm") {
    pdu.fields["schedule_delivery_time"] = new Uint8Array(0);
    pdu.fields["validity_period"] = new Uint8Array(0);
    pdu.fields["replace_if_present_flag"] = pdu.fields["sm_default_msg_id"] = 0;
  }
  if (shape.tlvs) {
    const message = pdu.fields["short_message"];
    const isTaken = message instanceof Uint8Array && message.length > 0;
    for (let i = random(4); i > 0; i--) {
      const tlv = randomTlv(random);
      if (!isTaken || tlv.tag !== TLV_TAG.message_payload) pdu.tlvs.push(tlv);
    }
  }
  return pdu;
}
