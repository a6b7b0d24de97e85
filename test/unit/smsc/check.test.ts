/** Check mode: an ESME is found out by the one mistake that is planted in it, and by no other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import { PROTOCOL_ERRORS, type ProtocolErrorName } from "../../../src/smsc/counters.ts";
import type { SmscOptions } from "../../../src/smsc/options.ts";
import { type Peer, submitPdu, type SubmitFields, World } from "./peer.ts";

interface Plant {
  readonly options?: Partial<SmscOptions>;
  /** Makes the mistake on a session that is bound, or not yet. */
  readonly plant: (peer: Peer, world: World) => void;
  readonly isUnbound?: boolean;
  /** Mistakes that cannot be made without it. */
  readonly beside?: readonly ProtocolErrorName[];
}

function submits(...all: SubmitFields[]): Plant {
  return { plant: (peer) => all.forEach((fields) => peer.submit(fields)) };
}

function concatenated(index: number, text = "part", dataCoding = 0): SubmitFields {
  const udh = [5, 0, 3, 9, 2, index];
  return {
    esmClass: 0x40,
    dataCoding,
    text: Uint8Array.from([...udh, ...Buffer.from(text, "latin1")]),
  };
}

function tlv(tag: number, ...value: number[]): number[] {
  return [tag >> 8, tag & 0xff, 0, value.length, ...value];
}

function sar(index: number): Uint8Array {
  return Uint8Array.from([...tlv(0x020c, 0, 9), ...tlv(0x020e, 2), ...tlv(0x020f, index)]);
}

/** A submit_sm in which `from` is replaced by `to`, and something put behind it. */
function forged(from: string, to: string, behind: readonly number[] = []): Plant {
  return {
    plant: (peer) => {
      const bytes = Buffer.from(submitPdu(peer.sequence++));
      const at = bytes.indexOf(from, 0, "latin1");
      const rest = bytes.subarray(at + from.length);
      const pdu = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(to, "latin1"),
        rest,
        Uint8Array.from(behind),
      ]);
      pdu.writeUInt32BE(pdu.length, 0);
      peer.send(pdu);
    },
  };
}

const PLANTS: Readonly<Record<ProtocolErrorName, Plant>> = {
  sequence_reused: {
    plant: (peer) => {
      peer.send(submitPdu(50));
      peer.send(submitPdu(50));
    },
  },
  sequence_not_monotonic: {
    plant: (peer) => {
      peer.send(submitPdu(5001));
      peer.send(submitPdu(700));
    },
  },
  sequence_out_of_range: { plant: (peer) => peer.header(COMMAND_ID.enquire_link, 0, 0) },
  wrong_state: { isUnbound: true, plant: (peer) => peer.submit() },
  already_bound: { plant: (peer) => peer.bind("esme1", COMMAND_ID.bind_transceiver) },
  bad_length: { plant: (peer) => peer.send(Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 0)) },
  malformed_pdu: {
    plant: (peer) => {
      const pdu = submitPdu(peer.sequence++).slice(0, 30);
      pdu[3] = 30;
      peer.send(pdu);
    },
  },
  unknown_command: { plant: (peer) => peer.header(0x1234) },
  unexpected_response: { plant: (peer) => peer.answerReceipt(77) },
  unanswered_deliver_sm: {
    options: { receipts: "final", receiptTimeoutMs: 2000 },
    plant: (peer, world) => {
      peer.submit();
      world.pass(3100);
    },
  },
  unanswered_enquire_link: {
    options: { enquireLinkIntervalMs: 1000 },
    plant: (_peer, world) => world.pass(5000),
  },
  missing_unbind: { plant: (peer) => peer.close() },
  status_in_request: { plant: (peer) => peer.header(COMMAND_ID.enquire_link, 8) },
  pdu_after_unbind: {
    plant: (peer) => {
      peer.header(COMMAND_ID.unbind);
      peer.submit();
    },
  },
  foreign_protocol: {
    isUnbound: true,
    plant: (peer) => peer.send(Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "latin1")),
  },
  window_exceeded: {
    options: { window: 1, latencyMs: [100, 100] },
    plant: (peer) => {
      peer.submit();
      peer.submit();
    },
  },
  rate_exceeded: {
    options: { tps: 1 },
    plant: (peer) => {
      peer.submit();
      peer.submit();
    },
  },
  bad_ton_npi: submits({ destTon: 7 }),
  bad_address: submits({ destination: "+447700900123" }),
  string_too_long: {
    ...forged("447700900123", "447700900123456789012345"),
    beside: ["bad_address"],
  },
  reserved_value: submits({ dataCoding: 0x0b }),
  bad_time: submits({ validity: "000000000500000X" }),
  udh_malformed: submits({ esmClass: 0x40, text: Uint8Array.of(9, 0, 3) }),
  udh_with_sar: submits({ ...concatenated(1), tlvs: sar(1) }, { ...concatenated(2), tlvs: sar(2) }),
  text_twice: forged("Hello", "Hello", tlv(0x0424, 104, 105)),
  text_too_long: submits({ text: new Uint8Array(161).fill(0x41) }),
  ucs2_odd_length: submits({ text: new Uint8Array(3), dataCoding: 8 }),
  split_surrogate: submits(concatenated(1, "\xd8\x3d", 8), concatenated(2, "ab", 8)),
  split_escape: submits(concatenated(1, "euro\x1b"), concatenated(2)),
  duplicate_part: submits(concatenated(1), concatenated(1), concatenated(2)),
  incomplete_message: submits(concatenated(1)),
};

test("there is a plant for every mistake that check mode knows", () => {
  assert.deepEqual(Object.keys(PLANTS), [...PROTOCOL_ERRORS]);
});

for (const [error, { options = {}, plant, isUnbound, beside = [] }] of Object.entries(PLANTS)) {
  test(`check mode finds ${error}`, () => {
    const world = new World({ receipts: "none", ...options });
    const peer = isUnbound === true ? world.connect() : world.bound();
    plant(peer, world);
    const { findings, protocolErrorCount } = world.engine.stats();
    assert.deepEqual(
      findings.map((finding) => finding.error).filter((name) => !beside.includes(name)),
      [error],
    );
    assert.equal(findings[0]?.session, error === "incomplete_message" ? 0 : 1);
    assert.ok((findings[0]?.meaning ?? "").length > 10);
    assert.ok(protocolErrorCount >= 1);
  });
}

test("an ESME that does everything right is told so", () => {
  const world = new World({ window: 10, tps: 100, enquireLinkIntervalMs: 1000 });
  const peer = world.bound();
  for (const index of [1, 2]) peer.submit(concatenated(index));
  for (const seen of peer.take()) {
    if (seen.commandId === COMMAND_ID.deliver_sm) peer.answerReceipt(seen.sequence);
  }
  world.pass(1500);
  for (const seen of peer.take()) {
    if (seen.commandId !== COMMAND_ID.enquire_link) continue;
    peer.header(COMMAND_ID.enquire_link_resp, 0, seen.sequence);
  }
  peer.header(COMMAND_ID.unbind);
  peer.close();
  assert.deepEqual(world.engine.stats().findings, []);
});

test("a finding names the PDU it was first seen in", () => {
  const world = new World({ receipts: "none" });
  world.bound("esme1");
  const second = world.bound("esme2");
  second.submit();
  second.submit({ dataCoding: 0x0b });
  second.submit({ dataCoding: 0x0b });
  const [finding] = world.engine.stats().findings;
  assert.deepEqual(
    { ...finding, meaning: "" },
    { error: "reserved_value", count: 2, meaning: "", session: 2, sequence_number: 3 },
  );
});
