import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_STATUS } from "../../../src/codec/index.ts";
import { FLAG_MAYBE_DUP, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { LinkWord } from "../../../src/tables/link-table.ts";
import type { Pdu } from "./fake-smsc.ts";
import { decodeSubmit, type FakeSocket, type SubmitAnswer } from "./fake-smsc.ts";
import { type AttemptRecord, World } from "./world.ts";

const STATUSES = [
  COMMAND_STATUS.ESME_RTHROTTLED,
  COMMAND_STATUS.ESME_RSYSERR,
  COMMAND_STATUS.ESME_RINVDSTADR,
];

function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

interface Sent {
  readonly sequence: number;
  readonly logOffset: number;
  readonly partCount: number;
}

/** Everything that goes wrong at random, and a ledger that resends what is its own. */
class Chaos {
  readonly world: World;
  readonly sent = new Map<number, Sent>();
  readonly random: () => number;
  isCalm = false;
  /** Messages handed to workers again. */
  handedCount = 0;
  #seen = 0;
  #late: { pdu: Pdu; socket: FakeSocket }[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.world = new World({
      links: [
        { sessions: 2, windowMax: 6, responseTimeoutMs: 400 },
        { sessions: 1, windowMax: 4, rateTps: 200, responseTimeoutMs: 400 },
      ],
      pools: [
        {
          members: [
            { linkIndex: 0, weight: 2 },
            { linkIndex: 1, weight: 1 },
          ],
        },
        { members: [{ linkIndex: 1, weight: 1 }] },
      ],
      workers: 2,
      stagingBytes: 16_384,
      returnBytes: 16_384,
    });
    this.world.smsc.onSubmit = (pdu, socket) => this.#answerTo(pdu, socket);
  }

  #answerTo(pdu: Pdu, socket: FakeSocket): SubmitAnswer {
    const draw = this.random();
    if (this.isCalm || draw < 0.7) return "ok";
    if (draw < 0.9) return STATUSES[Math.floor(this.random() * STATUSES.length)]!;
    if (draw < 0.97) this.#late.push({ pdu, socket });
    return null;
  }

  submit(): void {
    const { random, world } = this;
    const count = random() < 0.3 ? 1 + Math.floor(random() * 4) : 1;
    const parts = Array.from({ length: count }, (_, i) => Buffer.from(`part ${i}`));
    const options = {
      parts,
      priority: Math.floor(random() * 4),
      poolIndex: random() < 0.8 ? 0 : 1,
      asReference: random() < 0.3,
      worker: random() < 0.5 ? 0 : 1,
    };
    const { sequence, logOffset } = world.submit({ ...options, from: `m${this.sent.size}` });
    this.sent.set(sequence, { sequence, logOffset, partCount: count });
  }

  /** One step of the world, with what goes wrong in it and what the ledger does about the rest. */
  step(): void {
    const { random, world } = this;
    if (!this.isCalm) {
      world.isJournalHeld = random() < 0.4;
      world.smsc.greeting = random() < 0.5 ? "refuse" : "accept";
      if (random() < 0.01)
        world.smsc
          .open()
          .at(Math.floor(random() * 3))
          ?.cut("ECONNRESET");
    }
    for (const { pdu, socket } of this.#late.splice(0)) {
      if (random() < 0.1) socket.answer(pdu, "late");
      else this.#late.push({ pdu, socket });
    }
    world.randomValue = random();
    world.step();
    this.#resend();
  }

  #resend(): void {
    const { world } = this;
    for (const worker of [0, 1]) {
      for (const back of world.takeReturns(worker)) {
        const target = this.random() < 0.5 ? 0 : 1;
        const { logOffset, parts, ...rest } = back;
        this.#hand(logOffset, { ...rest, partsToSend: parts, worker: target });
      }
    }
    const records = world.attempts();
    for (const record of records.slice(this.#seen)) {
      const isRetry = record.type === "ANSWER" && record.outcome === Outcome.RETRY;
      // A late answer settled it already, or will find it sent again: the first end counts.
      if (!isRetry || endsOf(records, record) > 1) continue;
      const { logOffset } = this.sent.get(record.sequence)!;
      this.#hand(logOffset, {
        poolIndex: 0,
        attempt: record.attempt + 1,
        partsToSend: 1 << record.part,
        linkId: 0,
        flags: FLAG_MAYBE_DUP,
        worker: 0,
      });
    }
    this.#seen = records.length;
  }

  #hand(logOffset: number, options: Parameters<World["hand"]>[3]): void {
    this.handedCount++;
    this.world.hand(logOffset, new Uint8Array(0), 1, { ...options, asReference: true });
  }
}

function keyOf({ sequence, part, attempt }: AttemptRecord): string {
  return `${sequence}/${part}/${attempt}`;
}

function endsOf(records: readonly AttemptRecord[], of: AttemptRecord): number {
  return records.filter((record) => record.type !== "SENDING" && keyOf(record) === keyOf(of))
    .length;
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`seed ${seed}: every attempt has one SENDING and one end, and nothing is left`, () => {
    const chaos = new Chaos(seed);
    const { world } = chaos;
    for (let i = 0; i < 250; i++) {
      chaos.submit();
      for (let steps = 0; steps < 6; steps++) chaos.step();
    }
    chaos.isCalm = true;
    world.isJournalHeld = false;
    world.smsc.greeting = "accept";
    let quiet = 0;
    for (let i = 0; i < 90_000 && quiet < 3000; i++) {
      const before = world.journal.records.length + chaos.handedCount;
      chaos.step();
      const isIdle = world.workers.every((worker) => worker.messageCount === 0);
      const isSame = world.journal.records.length + chaos.handedCount === before;
      quiet = isIdle && isSame && world.boundCount() === 3 ? quiet + 1 : 0;
    }
    assert.equal(quiet, 3000, "no message stays in a worker");
    judge(world, chaos.sent);
  });
}

/** What must hold of the log, and of what reached the SMSC, when all is done. */
function judge(world: World, sent: ReadonlyMap<number, Sent>): void {
  const sendings = new Map<string, AttemptRecord>();
  const ends = new Map<string, AttemptRecord[]>();
  for (const record of world.attempts()) {
    const key = keyOf(record);
    if (record.type === "SENDING") {
      assert.ok(!sendings.has(key), `two SENDING for ${key}`);
      sendings.set(key, record);
      continue;
    }
    assert.ok(sendings.has(key), `an end without SENDING: ${key}`);
    ends.set(key, [...(ends.get(key) ?? []), record]);
  }
  let unwritten = 0;
  for (const key of sendings.keys()) {
    const [first, second, third] = ends.get(key) ?? [];
    assert.ok(first, `no end for ${key}`);
    assert.equal(third, undefined);
    if (second !== undefined) assert.deepEqual([first.type, second.type], ["AMBIGUOUS", "ANSWER"]);
    if (first.status === NOT_WRITTEN) unwritten++;
  }
  assert.equal(world.smsc.submits().length, sendings.size - unwritten);
  const written = new Map<string, number>();
  for (const pdu of world.smsc.submits()) {
    const { from, shortMessage } = decodeSubmit(pdu);
    const text = `${from}/${Buffer.from(shortMessage).toString("latin1").at(-1)}`;
    written.set(text, (written.get(text) ?? 0) + 1);
  }
  let index = 0;
  for (const { sequence, partCount } of sent.values()) {
    for (let part = 0; part < partCount; part++) {
      const attempts = [...sendings.values()].filter(
        (record) => record.sequence === sequence && record.part === part,
      );
      const last = ends.get(keyOf(attempts.at(-1)!))!;
      const isSettled = last.some(
        ({ type, outcome }) =>
          type === "AMBIGUOUS" || outcome === Outcome.ACCEPTED || outcome === Outcome.REJECTED,
      );
      assert.ok(isSettled, `part ${part} of ${sequence} is neither settled nor sent again`);
      assert.ok(written.has(`m${index}/${part}`));
    }
    index++;
  }
  for (const row of [0, 1]) assert.equal(world.linkWord(row, LinkWord.PREPARED), 0);
}
