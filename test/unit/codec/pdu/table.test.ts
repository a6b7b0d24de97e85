import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  COMMAND_ID,
  type CommandName,
  createPdu,
  cStringTlv,
  DEFECT_COMMAND_ID,
  DEFECT_DEST_FLAG,
  DEFECT_TLV_STREAM,
  DEFECT_TRUNCATED,
  DEFECT_UNTERMINATED,
  decodeDataSm,
  decodePdu,
  decodeSm,
  encodeHeaderOnly,
  encodeMessageIdResp,
  encodePdu,
  encodeSm,
  FIELD_ILLEGAL,
  FIELD_TOO_LONG,
  integerTlv,
  messageIdEnd,
  NO_ROOM,
  PAYLOAD_CONFLICT,
  PDU_FLAG_LONG_STRING,
  PDU_FLAG_UNTERMINATED,
  PDU_SHAPES,
  parseReceiptOf,
  type Pdu,
  ReceiptView,
  readTlvs,
  SHORT_MESSAGE_TOO_LONG,
  SmView,
  TLV_SHAPES,
  TLV_TAG,
  tlvNameOf,
} from "../../../../src/codec/index.ts";
import { createRandom, randomPdu } from "../support/random-pdu.ts";
import { hex, latin1, toHex, VECTORS } from "../support/vectors.ts";

const names = Object.keys(COMMAND_ID) as CommandName[];

function decoded(bytes: Uint8Array, start = 0, end: number = bytes.length): Pdu {
  const pdu = decodePdu(bytes, start, end);
  assert.ok(typeof pdu !== "number", JSON.stringify(pdu));
  return pdu;
}

/** Octet values compared by content, whatever class of array holds them. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, v: unknown) => (v instanceof Uint8Array ? [...v] : v)),
  ) as unknown;
}

describe("the table-driven codec", () => {
  it("has a shape for each of the 27 commands", () => {
    assert.deepEqual(Object.keys(PDU_SHAPES).toSorted(), names.toSorted());
    assert.equal(Object.keys(TLV_TAG).length, 44);
    for (const [name, tag] of Object.entries(TLV_TAG)) assert.equal(tlvNameOf(tag), name);
    assert.equal(tlvNameOf(0x1400), undefined);
  });

  it("returns to the same PDU for random PDUs of every command", () => {
    const out = new Uint8Array(8192);
    for (const name of names) {
      const random = createRandom(COMMAND_ID[name] | 17);
      for (let i = 0; i < 200; i++) {
        const pdu = randomPdu(random, name);
        const length = encodePdu(out, 3, pdu);
        assert.ok(length >= 16, `${name} ${i}: ${length}`);
        assert.deepEqual(plain(decoded(out, 3, 3 + length)), plain(pdu), `${name} ${i}`);
      }
    }
  });

  it("writes every vector back byte for byte", () => {
    const out = new Uint8Array(512);
    for (const [name, digits] of Object.entries(VECTORS)) {
      const length = encodePdu(out, 0, decoded(hex(digits)));
      assert.equal(toHex(out, 0, length), digits.toLowerCase(), name);
    }
  });

  it("agrees with the specialised functions for submit_sm and deliver_sm", () => {
    const view = new SmView();
    const byTable = new Uint8Array(8192);
    const byHand = new Uint8Array(8192);
    for (const name of ["submit_sm", "deliver_sm"] as const) {
      const random = createRandom(99);
      for (let i = 0; i < 500; i++) {
        const pdu = randomPdu(random, name);
        const length = encodePdu(byTable, 0, pdu);
        assert.equal(decodeSm(byTable, 0, length, view), 0);
        assert.deepEqual(plain(fieldsOf(view)), plain(decoded(byTable, 0, length).fields));
        const again = encodeSm(pdu.commandId, byHand, 0, pdu.sequenceNumber, view, null, 0);
        assert.equal(toHex(byHand, 0, again), toHex(byTable, 0, length));
        // Cut anywhere, both refuse with the same defect.
        const cut = 16 + random(length - 16);
        const table = decodePdu(byTable, 0, cut);
        const hand = decodeSm(byTable, 0, cut, view);
        assert.equal(hand < 0, typeof table === "number", `${name} ${i} cut at ${cut}`);
      }
    }
  });

  it("agrees with the specialised decoder of data_sm", () => {
    const view = new SmView();
    const out = new Uint8Array(8192);
    const random = createRandom(41);
    for (let i = 0; i < 500; i++) {
      const length = encodePdu(out, 0, randomPdu(random, "data_sm"));
      const pdu = decoded(out, 0, length);
      assert.equal(decodeDataSm(out, 0, length, view), 0);
      const seen = fieldsOf(view);
      const names = Object.keys(pdu.fields);
      assert.deepEqual(
        plain(Object.fromEntries(names.map((n) => [n, seen[n]]))),
        plain(pdu.fields),
      );
      assert.deepEqual(plain(readTlvs(out, view.tlvStart, view.tlvEnd)), plain(pdu.tlvs));
      assert.equal(view.shortMessageEnd, view.shortMessageStart);
      const cut = 16 + random(length - 16);
      const table = decodePdu(out, 0, cut);
      assert.equal(decodeDataSm(out, 0, cut, view) < 0, typeof table === "number");
    }
  });

  it("reads a receipt that comes by data_sm", () => {
    const out = new Uint8Array(256);
    const text = { tag: TLV_TAG.message_payload, value: Buffer.from("id:77 stat:DELIVRD") };
    const length = encodePdu(out, 0, createPdu(COMMAND_ID.data_sm, 1, { esm_class: 4 }, [text]));
    const view = new SmView();
    const receipt = new ReceiptView();
    assert.equal(decodeDataSm(out, 0, length, view), 0);
    assert.equal(parseReceiptOf(view, receipt), 0);
    assert.equal(latin1(receipt.idBytes, receipt.idStart, receipt.idEnd), "77");
    assert.equal(receipt.messageState, 2);
  });

  it("agrees with the specialised functions for responses and headers", () => {
    const byTable = new Uint8Array(256);
    const byHand = new Uint8Array(256);
    const random = createRandom(5);
    for (let i = 0; i < 300; i++) {
      const pdu = randomPdu(random, "submit_sm_resp");
      const id = (pdu.fields["message_id"] ?? new Uint8Array(0)) as Uint8Array;
      const length = encodePdu(byTable, 0, pdu);
      const hand = encodeMessageIdResp(
        pdu.commandId,
        byHand,
        0,
        pdu.commandStatus,
        pdu.sequenceNumber,
        id,
        0,
        id.length,
      );
      assert.equal(toHex(byHand, 0, hand), toHex(byTable, 0, length));
      assert.equal(messageIdEnd(byTable, 0, length), 16 + id.length);
      const link = randomPdu(random, "enquire_link");
      assert.equal(encodePdu(byTable, 0, link), 16);
      encodeHeaderOnly(link.commandId, byHand, 0, 0, link.sequenceNumber);
      assert.equal(toHex(byHand, 0, 16), toHex(byTable, 0, 16));
    }
  });
});

function fieldsOf(view: SmView): Record<string, unknown> {
  const range = (start: number, end: number): Uint8Array => view.bytes.subarray(start, end);
  return {
    service_type: range(view.serviceTypeStart, view.serviceTypeEnd),
    source_addr_ton: view.sourceAddrTon,
    source_addr_npi: view.sourceAddrNpi,
    source_addr: range(view.sourceAddrStart, view.sourceAddrEnd),
    dest_addr_ton: view.destAddrTon,
    dest_addr_npi: view.destAddrNpi,
    destination_addr: range(view.destinationAddrStart, view.destinationAddrEnd),
    esm_class: view.esmClass,
    protocol_id: view.protocolId,
    priority_flag: view.priorityFlag,
    schedule_delivery_time: range(view.scheduleDeliveryTimeStart, view.scheduleDeliveryTimeEnd),
    validity_period: range(view.validityPeriodStart, view.validityPeriodEnd),
    registered_delivery: view.registeredDelivery,
    replace_if_present_flag: view.replaceIfPresentFlag,
    data_coding: view.dataCoding,
    sm_default_msg_id: view.smDefaultMsgId,
    short_message: range(view.shortMessageStart, view.shortMessageEnd),
  };
}

describe("lenient decoding", () => {
  it("takes responses without a body whatever their status", () => {
    for (const name of names.filter((n) => n.endsWith("_resp"))) {
      const out = new Uint8Array(16);
      encodeHeaderOnly(COMMAND_ID[name], out, 0, 0, 1);
      assert.deepEqual(decoded(out).fields, {}, name);
    }
  });

  it("takes a body with an error, long strings, and a last string without NUL in responses", () => {
    const withBody = hex(VECTORS.submit_sm_resp_ok);
    withBody[11] = 0x45;
    const pdu = decoded(withBody);
    assert.equal(pdu.commandStatus, 0x45);
    assert.equal(latin1(pdu.fields["message_id"] as Uint8Array, 0, 8), "210ea19d");
    const open = decoded(withBody.subarray(0, 24));
    assert.equal(open.flags, PDU_FLAG_UNTERMINATED);
    assert.equal((open.fields["message_id"] as Uint8Array).length, 8);
    const long = hex(`0000002c800000050000000000000001${"41".repeat(27)}00`);
    assert.equal(decoded(long).flags, PDU_FLAG_LONG_STRING);
  });

  it("keeps TLVs of any tag and any PDU byte for byte", () => {
    const digits = "00000024800000040000000000000002323130656131396400ffee000301020314000000";
    const pdu = decoded(hex(digits));
    assert.deepEqual(
      pdu.tlvs.map(({ tag, value }) => [tag, toHex(value)]),
      [
        [0xffee, "010203"],
        [0x1400, ""],
      ],
    );
    const out = new Uint8Array(64);
    assert.equal(toHex(out, 0, encodePdu(out, 0, pdu)), digits);
  });

  it("names what is wrong with a request", () => {
    const bind = hex(VECTORS.bind_transceiver);
    assert.equal(decodePdu(bind, 0, 20), DEFECT_UNTERMINATED);
    assert.equal(decodePdu(bind, 0, 33), DEFECT_TRUNCATED);
    assert.equal(decodePdu(bind, 0, 15), DEFECT_TRUNCATED);
    assert.equal(decodePdu(bind, 0, 400), DEFECT_TRUNCATED);
    assert.equal(decodePdu(hex("00000010000012340000000000000001"), 0, 16), DEFECT_COMMAND_ID);
    const sar = hex(VECTORS.submit_sm_sar);
    assert.equal(decodePdu(sar, 0, sar.length - 2), DEFECT_TLV_STREAM);
    const multi = new Uint8Array(128);
    const length = encodePdu(
      multi,
      0,
      createPdu(COMMAND_ID.submit_multi, 1, {
        dest_address: [{ destFlag: 2, dlName: new Uint8Array([65]) }],
      }),
    );
    multi[21] = 3;
    assert.equal(decodePdu(multi, 0, length), DEFECT_DEST_FLAG);
  });
});

describe("strict encoding", () => {
  const out = new Uint8Array(2048);
  const submit = (fields: Parameters<typeof createPdu>[2], tlvs: Pdu["tlvs"] = []): number =>
    encodePdu(out, 0, createPdu(COMMAND_ID.submit_sm, 1, fields, tlvs));

  it("fills what is missing with zeros", () => {
    assert.equal(submit({}), 33);
    assert.equal(toHex(out, 0, 33), `00000021000000040000000000000001${"00".repeat(17)}`);
  });

  it("refuses long strings, bad times, bad integers, bad TLVs and missing room", () => {
    assert.equal(submit({ service_type: "SIXSIX" }), FIELD_TOO_LONG);
    assert.equal(submit({ source_addr: "a\0b" }), FIELD_ILLEGAL);
    assert.equal(submit({ validity_period: "12345" }), FIELD_ILLEGAL);
    assert.equal(submit({ esm_class: 256 }), FIELD_ILLEGAL);
    assert.equal(submit({ esm_class: 1.5 }), FIELD_ILLEGAL);
    assert.equal(submit({ esm_class: "x" }), FIELD_ILLEGAL);
    assert.equal(submit({ source_addr: 5 }), FIELD_ILLEGAL);
    assert.equal(submit({ short_message: new Uint8Array(255) }), SHORT_MESSAGE_TOO_LONG);
    const payload = cStringTlv(TLV_TAG.message_payload, "hi");
    assert.equal(submit({ short_message: "x" }, [payload]), PAYLOAD_CONFLICT);
    assert.equal(submit({}, [integerTlv(TLV_TAG.source_port, 1, 1)]), FIELD_ILLEGAL);
    assert.equal(submit({}, [integerTlv(TLV_TAG.source_port, 1, 4)]), FIELD_TOO_LONG);
    assert.equal(submit({}, [{ tag: 0x10000, value: new Uint8Array(0) }]), FIELD_ILLEGAL);
    assert.equal(encodePdu(out, 0, createPdu(0x1234, 1)), DEFECT_COMMAND_ID);
    const deliver = (fields: Parameters<typeof createPdu>[2]): number =>
      encodePdu(out, 0, createPdu(COMMAND_ID.deliver_sm, 1, fields));
    assert.equal(deliver({ sm_default_msg_id: 1 }), FIELD_ILLEGAL);
    assert.equal(deliver({ validity_period: "000000000500000R" }), FIELD_ILLEGAL);
    assert.equal(
      encodePdu(out, 0, createPdu(COMMAND_ID.deliver_sm_resp, 1, { message_id: "x" })),
      FIELD_TOO_LONG,
    );
    const bind = createPdu(COMMAND_ID.bind_transceiver, 1, { system_id: "esme1" });
    for (let room = 0; room < 28; room++) {
      assert.equal(encodePdu(new Uint8Array(room), 0, bind), NO_ROOM);
    }
    assert.equal(encodePdu(new Uint8Array(28), 0, bind), 28);
  });

  it("knows the legal length of every TLV", () => {
    for (const [name, tag] of Object.entries(TLV_TAG)) {
      const shape = TLV_SHAPES[name as keyof typeof TLV_SHAPES];
      const big = new Uint8Array(shape.lengthMax + 1);
      const room = new Uint8Array(70_000);
      const encode = (length: number): number =>
        encodePdu(
          room,
          0,
          createPdu(COMMAND_ID.data_sm, 1, {}, [{ tag, value: big.subarray(0, length) }]),
        );
      assert.ok(encode(shape.lengthMin) > 0, name);
      assert.ok(encode(shape.lengthMax) > 0, name);
      assert.equal(encode(shape.lengthMax + 1), FIELD_TOO_LONG, name);
      if (shape.lengthMin > 0) assert.equal(encode(shape.lengthMin - 1), FIELD_ILLEGAL, name);
    }
  });
});
