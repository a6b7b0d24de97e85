/**
 * SMSCs that answer wrongly: garbage at every state (F13), answers out of order, twice, to nothing,
 * of the wrong kind or too late (F14), sequence numbers that wrap (F17).
 */
import { COMMAND_ID, encodeHeaderOnly } from "../../../src/codec/index.ts";
import { LiveLinks } from "../../support/live-links.ts";
import {
  bindResp,
  ScriptedSmsc,
  type ScriptedPeer,
  type SeenSubmit,
  submitSmResp,
} from "../../support/scripted-smsc.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { RowRecorder, type RowReport } from "./report.ts";

const SPEED = 20;
/** A PDU may be so long; nothing allocates more for one. */
const ALLOCATED_BYTES_MAX = 4 << 20;

const STATES = ["connecting", "binding", "bound", "unbinding"] as const;

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

/** Broken streams, by name. */
const VECTORS: readonly (readonly [string, Uint8Array])[] = [
  ["length 0", hex("00000000 00000015 00000000 00000001")],
  ["length 8", hex("00000008 00000015 00000000 00000001")],
  ["length 15", hex("0000000f 00000015 00000000 000000")],
  ["length 2^31 - 1", hex("7fffffff 00000005 00000000 00000001")],
  ["length 2^32 - 1", hex("ffffffff 00000005 00000000 00000001")],
  ["just over the cap", hex("00011171 00000005 00000000 00000001")],
  ["an HTTP answer", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n", "latin1")],
  ["a TLS alert", hex("15 0303 0002 0228 00000000 00000000 00000000")],
  ["an SSH banner", Buffer.from("SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "latin1")],
  ["zeros", new Uint8Array(64)],
  ["ones", new Uint8Array(64).fill(0xff)],
  ["a deliver_sm cut short", hex("00000014 00000005 00000000 00000001 00010141")],
  ["a data_sm cut short", hex("00000014 00000103 00000000 00000001 00010141")],
  ["an unknown command", hex("00000010 00001234 00000000 00000009")],
  ["a submit_sm", hex("00000010 00000004 00000000 00000009")],
  ["an unknown response", hex("00000010 80001234 00000000 00000009")],
  ["generic_nack for nothing", hex("00000010 80000000 00000003 7ffffff0")],
  ["submit_sm_resp for nothing", hex("00000011 80000004 00000000 7ffffff0 00")],
  ["unbind_resp for nothing", hex("00000010 80000006 00000000 00000009")],
  ["an outbind", hex("00000012 0000000b 00000000 00000001 0000")],
  ["the start of a PDU, then silence", hex("000000ff 00000005 00")],
  [
    "a TLV longer than the PDU",
    hex(`00000026 00000005 00000000 00000001 ${"00".repeat(17)} 0424ffff 41`),
  ],
];

/** F13: garbage in every state of a connection; another link goes on, and this one comes back. */
export async function garbage(trials: number): Promise<RowReport> {
  const row = new RowRecorder("F13", "garbage, oversize, short and foreign PDUs at every state");
  const smsc = new ScriptedSmsc();
  const other = new ScriptedSmsc();
  const [port, otherPort] = await Promise.all([smsc.listen(), other.listen()]);
  const links = new LiveLinks({
    links: [{ port, enquireLinkIntervalMs: 2_000 }, { port: otherPort }],
    speed: SPEED,
    // It never holds long enough to start over with short waits: the jitter keeps them short.
    random: () => 0.01,
  });
  await links.until(() => links.world.boundCount() === 2, "bound");
  const before = memoryBytes();
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const state = STATES[row.trials % STATES.length] as (typeof STATES)[number];
    const [name, bytes] = VECTORS[row.trials % VECTORS.length] as (typeof VECTORS)[number];
    await inState(links, smsc, state, bytes);
    links.submit(10);
    await links.until(() => links.openCount === 0, `all sent after ${name} when ${state}`, 20_000);
    row.noteWorst("memory_bytes", memoryBytes() - before);
  }
  row.trials = trials;
  const { worst } = row;
  row.check((worst["memory_bytes"] ?? 0) < 16 * ALLOCATED_BYTES_MAX, () => "memory grew");
  row.check(other.binds.length === 1, () => "the other link bound again");
  row.check(
    links.messages.every((one) => one.state === "accepted"),
    () => "a message was lost",
  );
  await links.stop();
  await Promise.all([smsc.close(), other.close()]);
  return row.report();
}

/** Brings the connection into `state`, and sends the bytes there. */
async function inState(
  links: LiveLinks,
  smsc: ScriptedSmsc,
  state: (typeof STATES)[number],
  bytes: Uint8Array,
): Promise<void> {
  // A generic_nack while binding makes it a pair.
  const isBound = (): boolean => links.world.boundCount() === 2 && smsc.bound.length > 0;
  await links.until(isBound, `bound before ${state}`);
  if (state === "bound") {
    smsc.bound[0]?.send(bytes);
    await links.run(100);
    return;
  }
  const next = smsc.peers.length;
  let isDone = false;
  const once = (peer: ScriptedPeer): void => {
    peer.send(bytes);
    isDone = true;
  };
  smsc.onConnection = (peer) => {
    smsc.onConnection = () => undefined;
    if (state === "connecting") once(peer);
    peer.onPdu = ({ commandId, sequenceNumber }) => {
      if (state === "binding" && isBindId(commandId)) {
        once(peer);
        peer.send(bindResp(commandId, 0, sequenceNumber));
        peer.isBound = true;
        return true;
      }
      return false;
    };
  };
  for (const peer of smsc.bound) {
    if (state === "unbinding") {
      peer.respond(COMMAND_ID.unbind, 0, 1);
      peer.onPdu = ({ commandId }) => {
        if (commandId === COMMAND_ID.unbind_resp) once(peer);
        return false;
      };
    } else peer.cut("rst");
  }
  const isThere = (): boolean => isDone && (state === "unbinding" || smsc.peers.length > next);
  await links.until(isThere, `a connection that is ${state}`);
}

/** F14: every way in which an answer can be wrong, at random; each attempt has one end. */
export async function wrongAnswers(trials: number, seed: number): Promise<RowReport> {
  const row = new RowRecorder("F14", "answers reordered, doubled, unknown, of a wrong kind, late");
  const random = seededRandom(seed);
  const smsc = new ScriptedSmsc();
  const held: SeenSubmit[] = [];
  const responseTimeoutMs = 1_000;
  smsc.onSubmit = (submit) => {
    row.trials += 1;
    held.push(submit);
    return null;
  };
  const port = await smsc.listen();
  const links = new LiveLinks({
    links: [{ port, windowMax: 50, sessions: 2, responseTimeoutMs }],
    speed: SPEED,
    seed,
  });
  await links.until(() => links.world.boundCount() === 2, "bound");
  while (row.trials < trials || links.openCount > 0) {
    if (row.trials < trials && links.openCount < 60) links.submit(20);
    while (held.length > 0 && random() < 0.8) {
      const at = integerIn(random, 0, held.length - 1);
      answerWrongly(held.splice(at, 1)[0] as SeenSubmit, random, smsc, responseTimeoutMs);
    }
    await links.turn();
  }
  const arrivals = new Map<string, number>();
  for (const { text } of smsc.submits) arrivals.set(text, (arrivals.get(text) ?? 0) + 1);
  for (const { text, state, ambiguities } of links.messages) {
    const times = arrivals.get(text) ?? 0;
    row.check(state === "accepted", () => `${text} is ${state}`);
    row.check(
      times >= 1 && times <= 1 + ambiguities,
      () => `${text} arrived ${times} times with ${ambiguities} ambiguities`,
    );
  }
  const late = links.messages.filter(({ lateAnswers }) => lateAnswers > 0).length;
  row.check(late > 0 || trials < 5_000, () => "no late answer was tried");
  row.noteWorst("settled_by_a_late_answer", late);
  await links.stop();
  await smsc.close();
  return row.report();
}

function answerWrongly(
  submit: SeenSubmit,
  random: () => number,
  smsc: ScriptedSmsc,
  responseTimeoutMs: number,
): void {
  const { peer, sequenceNumber } = submit;
  const roll = random();
  if (roll < 0.02) {
    // Too late, though not by much.
    setTimeout(() => peer.answer(submit, smsc.nextId()), (responseTimeoutMs * 1.5) / SPEED);
    return;
  }
  if (roll < 0.1) peer.send(submitSmResp(integerIn(random, 0x10000, 0x7fffffff), "nobody"));
  if (roll > 0.1 && roll < 0.2) {
    const wrong = new Uint8Array(16);
    encodeHeaderOnly(COMMAND_ID.query_sm_resp, wrong, 0, 0, sequenceNumber);
    peer.send(wrong);
  }
  peer.answer(submit, smsc.nextId());
  if (roll > 0.9) peer.answer(submit, "again");
}

/** F17: numbers that wrap from 0x7FFFFFFF to 1 with a full window. */
export async function wrappingNumbers(trials: number, seed: number): Promise<RowReport> {
  const row = new RowRecorder("F17", "sequence_number wraps with a window of 100");
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const random = seededRandom(seed + row.trials);
    const smsc = new ScriptedSmsc();
    const held: SeenSubmit[] = [];
    smsc.onSubmit = (submit) => {
      held.push(submit);
      return null;
    };
    const port = await smsc.listen();
    const links = new LiveLinks({
      links: [{ port, windowMax: 100 }],
      speed: 1,
      seed,
      sequenceNumberFirst: 0x7fffffff - integerIn(random, 0, 40),
    });
    await links.until(() => links.world.boundCount() === 1, "bound");
    links.submit(300);
    await links.until(() => {
      while (held.length > 0) {
        const at = integerIn(random, 0, held.length - 1);
        const submit = held.splice(at, 1)[0] as SeenSubmit;
        submit.peer.answer(submit, `id of ${submit.text}`);
      }
      return links.openCount === 0;
    }, "all answered");
    const numbers = smsc.submits.map(({ sequenceNumber }) => sequenceNumber);
    row.check(numbers.includes(1) || numbers.includes(2), () => "the numbers did not wrap");
    row.check(new Set(numbers).size === numbers.length, () => "a number was used twice");
    row.check(
      numbers.every((number) => number >= 1 && number <= 0x7fffffff),
      () => "a number out of range",
    );
    for (const answer of links.world.answers()) {
      const message = links.messages.find(({ sequence }) => sequence === answer.sequence);
      row.check(answer.smscId === `id of ${message?.text}`, () => `${answer.smscId} mismatched`);
    }
    await links.stop();
    await smsc.close();
  }
  row.trials = trials;
  return row.report();
}

function isBindId(commandId: number): boolean {
  const { bind_transceiver, bind_transmitter, bind_receiver } = COMMAND_ID;
  return [bind_transceiver, bind_transmitter, bind_receiver].some((id) => id === commandId);
}

function memoryBytes(): number {
  const { external, arrayBuffers } = process.memoryUsage();
  return external + arrayBuffers;
}
