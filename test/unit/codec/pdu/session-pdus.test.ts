import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type BindRequest,
  type BindResponse,
  COMMAND_ID,
  commandNameOf,
  createStatusClassTable,
  DEFECT_UNTERMINATED,
  decodeBind,
  decodeBindResp,
  describeSentinel,
  encodeBind,
  encodeBindResp,
  encodeDeliverSmResp,
  encodeHeaderOnly,
  encodeSubmitSmResp,
  expectsResponse,
  FIELD_ILLEGAL,
  FIELD_TOO_LONG,
  isResponseId,
  LENGTH_TOO_LARGE,
  LENGTH_TOO_SMALL,
  lookUpStatusClass,
  messageIdEnd,
  NEED_MORE,
  NO_ROOM,
  nextSequenceNumber,
  readCommandId,
  readCommandStatus,
  readFrame,
  readSequenceNumber,
  recogniseForeign,
  responseIdOf,
  STATUS_CLASSES,
  statusClassInNack,
  statusClassOf,
  statusClassOfDeliveryFailure,
  statusNameOf,
} from "../../../../src/codec/index.ts";
import { hex, latin1, toHex, VECTORS } from "../support/vectors.ts";

const emptyBind = (): BindRequest => ({
  systemId: "",
  password: "",
  systemType: "",
  interfaceVersion: 0,
  addrTon: 0,
  addrNpi: 0,
  addressRange: "",
});

describe("readFrame", () => {
  it("waits for every byte of the PDU and then names its length", () => {
    const bytes = hex(VECTORS.submit_sm_gsm7);
    for (let end = 0; end < bytes.length; end++) {
      assert.equal(readFrame(bytes, 0, end), NEED_MORE);
    }
    assert.equal(readFrame(bytes, 0, bytes.length), bytes.length);
  });

  it("refuses short and oversize lengths as soon as four bytes are there", () => {
    assert.equal(readFrame(hex("00000008"), 0, 4), LENGTH_TOO_SMALL);
    assert.equal(readFrame(hex("0000000f"), 0, 4), LENGTH_TOO_SMALL);
    assert.equal(readFrame(hex("7fffffff"), 0, 4), LENGTH_TOO_LARGE);
    assert.equal(readFrame(hex("ffffffff"), 0, 4), LENGTH_TOO_LARGE);
    assert.equal(readFrame(hex("00000011"), 0, 4, 16), LENGTH_TOO_LARGE);
    assert.equal(readFrame(hex("00011170"), 0, 4), NEED_MORE);
    assert.equal(readFrame(hex("00011171"), 0, 4), LENGTH_TOO_LARGE);
  });

  it("walks PDUs that arrive glued together", () => {
    const names = ["enquire_link", "submit_sm_sar", "submit_sm_resp_ok", "generic_nack"] as const;
    const stream = hex(names.map((name) => VECTORS[name]).join(""));
    const lengths: number[] = [];
    for (let at = 0; at < stream.length; ) {
      const length = readFrame(stream, at, stream.length);
      lengths.push(length);
      at += length;
    }
    assert.deepEqual(lengths, [16, 70, 25, 16]);
  });

  it("names protocols that are not SMPP", () => {
    const start = (text: string): Uint8Array => Buffer.from(text, "latin1");
    assert.equal(recogniseForeign(start("GET / HTTP/1.1"), 0, 14), "http");
    assert.equal(recogniseForeign(start("HTTP/1.1 400"), 0, 12), "http");
    assert.equal(recogniseForeign(hex("1603010200"), 0, 5), "tls");
    assert.equal(recogniseForeign(start("AMQP\0\0\x09\x01"), 0, 8), "amqp");
    assert.equal(recogniseForeign(start("SSH-2.0-x"), 0, 9), "ssh");
    assert.equal(recogniseForeign(start("GET"), 0, 3), null);
    assert.equal(recogniseForeign(hex(VECTORS.enquire_link), 0, 16), null);
  });
});

describe("headers", () => {
  it("reads ids, status and sequence as unsigned numbers", () => {
    const bytes = hex("00000010800000040000040effffffff");
    assert.equal(readCommandId(bytes, 0), 0x80000004);
    assert.equal(readCommandStatus(bytes, 0), 0x40e);
    assert.equal(readSequenceNumber(bytes, 0), 0xffffffff);
  });

  it("writes PDUs without a body", () => {
    const out = new Uint8Array(20);
    assert.equal(encodeHeaderOnly(COMMAND_ID.enquire_link, out, 0, 0, 1), 16);
    assert.equal(toHex(out, 0, 16), VECTORS.enquire_link);
    assert.equal(encodeHeaderOnly(COMMAND_ID.generic_nack, out, 4, 3, 9), 16);
    assert.equal(toHex(out, 4), VECTORS.generic_nack);
    assert.equal(encodeHeaderOnly(COMMAND_ID.unbind, out, 5, 0, 1), NO_ROOM);
  });

  it("knows all 27 commands and their responses", () => {
    const ids = Object.values(COMMAND_ID);
    assert.equal(ids.length, 27);
    assert.equal(new Set(ids).size, 27);
    assert.equal(commandNameOf(0x80000021), "submit_multi_resp");
    assert.equal(commandNameOf(0x1234), undefined);
    assert.equal(responseIdOf(COMMAND_ID.data_sm), COMMAND_ID.data_sm_resp);
    assert.equal(isResponseId(COMMAND_ID.generic_nack), true);
    assert.equal(expectsResponse(COMMAND_ID.alert_notification), false);
    assert.equal(expectsResponse(COMMAND_ID.outbind), false);
    assert.equal(expectsResponse(COMMAND_ID.submit_sm), true);
    assert.equal(expectsResponse(COMMAND_ID.submit_sm_resp), false);
  });

  it("wraps sequence numbers to 1", () => {
    assert.equal(nextSequenceNumber(1), 2);
    assert.equal(nextSequenceNumber(0x7ffffffe), 0x7fffffff);
    assert.equal(nextSequenceNumber(0x7fffffff), 1);
  });
});

describe("message_id responses", () => {
  const id = Buffer.from("210ea19d");

  it("writes the vectors", () => {
    const out = new Uint8Array(64);
    assert.equal(encodeSubmitSmResp(out, 0, 0, 2, id, 0, 8), 25);
    assert.equal(toHex(out, 0, 25), VECTORS.submit_sm_resp_ok);
    assert.equal(encodeSubmitSmResp(out, 0, 0x58, 2, id, 0, 8), 16);
    assert.equal(toHex(out, 0, 16), VECTORS.submit_sm_resp_error);
    assert.equal(encodeDeliverSmResp(out, 0, 0, 7), 17);
    assert.equal(toHex(out, 0, 17), VECTORS.deliver_sm_resp);
  });

  it("reads an id with NUL, without NUL, empty, and absent, whatever the status", () => {
    const read = (digits: string): string => {
      const bytes = hex(digits);
      return latin1(bytes, 16, messageIdEnd(bytes, 0, bytes.length));
    };
    assert.equal(read(VECTORS.submit_sm_resp_ok), "210ea19d");
    assert.equal(read(VECTORS.submit_sm_resp_ok.slice(0, -2)), "210ea19d");
    assert.equal(read(VECTORS.submit_sm_resp_error), "");
    assert.equal(read(`${VECTORS.submit_sm_resp_error}00`), "");
    assert.equal(read(`${VECTORS.submit_sm_resp_error}616200`), "ab");
  });

  it("finds the end of an id of any length, terminated or not, and no NUL beyond the PDU", () => {
    for (let length = 0; length <= 70; length++) {
      const bytes = new Uint8Array(16 + length + 8).fill(0x61, 16, 16 + length);
      assert.equal(messageIdEnd(bytes, 0, 16 + length + 1), 16 + length);
      assert.equal(messageIdEnd(bytes, 0, 16 + length), 16 + length);
      bytes.fill(0x61, 16);
      assert.equal(messageIdEnd(bytes, 0, 16 + length), 16 + length);
    }
  });

  it("refuses ids that are too long or hold a NUL, and missing room", () => {
    const out = new Uint8Array(128);
    assert.equal(encodeSubmitSmResp(out, 0, 0, 1, new Uint8Array(65).fill(49), 0, 64), 81);
    assert.equal(
      encodeSubmitSmResp(out, 0, 0, 1, new Uint8Array(65).fill(49), 0, 65),
      FIELD_TOO_LONG,
    );
    assert.equal(encodeSubmitSmResp(out, 0, 0, 1, hex("410042"), 0, 3), FIELD_ILLEGAL);
    assert.equal(encodeSubmitSmResp(new Uint8Array(24), 0, 0, 1, id, 0, 8), NO_ROOM);
    assert.equal(encodeDeliverSmResp(new Uint8Array(16), 0, 0, 1), NO_ROOM);
  });
});

describe("bind", () => {
  it("writes and reads the vectors", () => {
    const out = new Uint8Array(128);
    const bind = emptyBind();
    const bytes = hex(VECTORS.bind_transceiver);
    assert.equal(decodeBind(bytes, 0, bytes.length, bind), 0);
    assert.deepEqual(bind, {
      ...emptyBind(),
      systemId: "esme1",
      password: "secret08",
      interfaceVersion: 0x34,
    });
    const length = encodeBind(COMMAND_ID.bind_transceiver, out, 0, 1, bind);
    assert.equal(toHex(out, 0, length), VECTORS.bind_transceiver);
    const spec = hex(VECTORS.spec_bind_transmitter);
    assert.equal(decodeBind(spec, 0, spec.length, bind), 0);
    assert.equal(bind.systemType, "SUBMIT1");
    const again = encodeBind(COMMAND_ID.bind_transmitter, out, 0, 1, bind);
    assert.equal(toHex(out, 0, again), VECTORS.spec_bind_transmitter.toLowerCase());
  });

  it("refuses long, foreign and unterminated strings", () => {
    const out = new Uint8Array(128);
    const id = COMMAND_ID.bind_receiver;
    assert.equal(
      encodeBind(id, out, 0, 1, { ...emptyBind(), systemId: "x".repeat(16) }),
      FIELD_TOO_LONG,
    );
    assert.equal(
      encodeBind(id, out, 0, 1, { ...emptyBind(), password: "123456789" }),
      FIELD_TOO_LONG,
    );
    assert.ok(encodeBind(id, out, 0, 1, { ...emptyBind(), password: "123456789" }, 16) > 0);
    assert.equal(encodeBind(id, out, 0, 1, { ...emptyBind(), systemId: "a\0b" }), FIELD_ILLEGAL);
    assert.equal(encodeBind(id, out, 0, 1, { ...emptyBind(), systemId: "Ж" }), FIELD_ILLEGAL);
    assert.equal(
      encodeBind(id, new Uint8Array(20), 0, 1, { ...emptyBind(), systemId: "abc" }),
      NO_ROOM,
    );
    const cut = hex(VECTORS.bind_transceiver);
    for (let end = 16; end < cut.length; end++) {
      assert.ok(decodeBind(cut, 0, end, emptyBind()) < 0);
    }
    assert.equal(decodeBind(cut, 0, 18, emptyBind()), DEFECT_UNTERMINATED);
  });

  it("reads responses with and without body and version", () => {
    const out = new Uint8Array(64);
    const into: BindResponse = { systemId: "", scInterfaceVersion: -1 };
    const full = hex(VECTORS.bind_transceiver_resp);
    assert.equal(decodeBindResp(full, 0, full.length, into), 0);
    assert.deepEqual(into, { systemId: "SMSC", scInterfaceVersion: 0x34 });
    const id = COMMAND_ID.bind_transceiver_resp;
    assert.equal(encodeBindResp(id, out, 0, 0, 1, "SMSC", 0x34), full.length);
    assert.equal(toHex(out, 0, full.length), VECTORS.bind_transceiver_resp);
    assert.equal(encodeBindResp(id, out, 0, 0x0e, 1, "SMSC", 0x34), 16);
    assert.equal(decodeBindResp(out, 0, 16, into), 0);
    assert.deepEqual(into, { systemId: "", scInterfaceVersion: -1 });
    assert.equal(encodeBindResp(id, out, 0, 0, 1, "SMSC", -1), 21);
    assert.equal(decodeBindResp(out, 0, 21, into), 0);
    assert.deepEqual(into, { systemId: "SMSC", scInterfaceVersion: -1 });
    assert.equal(decodeBindResp(out, 0, 20, into), 0);
    assert.equal(into.systemId, "SMSC");
  });
});

describe("command_status", () => {
  it("classes follow the table, unknown codes go to another link", () => {
    const expected = {
      OK: [0],
      T: [8, 0x64, 0x67, 0x102],
      B: [0x14, 0x58],
      O: [0x45, 0xff, 0x100],
    };
    for (const [letter, codes] of Object.entries(expected)) {
      for (const code of codes) assert.equal(statusClassOf(code), letter);
    }
    for (const code of [4, 5, 0x0d, 0x0e, 0x0f, 0x53]) assert.equal(statusClassOf(code), "F");
    for (const code of [1, 2, 3, 0x0a, 0x0b, 0x65, 0xc0, 0x104]) {
      assert.equal(statusClassOf(code), "P");
    }
    for (const code of [9, 0x12, 0x46, 0x400, 0x4ff, 0x500, 0x7fffffff]) {
      assert.equal(statusClassOf(code), "O");
    }
    assert.equal(statusClassInNack(2), "F");
    assert.equal(statusClassInNack(3), "P");
    assert.deepEqual([0, 1, 2, 3].map(statusClassOfDeliveryFailure), ["T", "P", "P", "T"]);
    assert.equal(statusNameOf(0x58), "ESME_RTHROTTLED");
    assert.equal(statusNameOf(0x9), undefined);
  });

  it("links override single codes", () => {
    const table = createStatusClassTable({ 0x401: "B", 0x0b: "O" });
    const classOf = (code: number): string | undefined =>
      STATUS_CLASSES[lookUpStatusClass(table, code)];
    assert.equal(classOf(0x401), "B");
    assert.equal(classOf(0x0b), "O");
    assert.equal(classOf(0x58), "B");
    assert.equal(classOf(0x500), "O");
    assert.equal(classOf(0xffffffff), "O");
    assert.match(describeSentinel(NEED_MORE), /not arrived/);
  });
});
