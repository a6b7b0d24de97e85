/**
 * Takes messages out of the submit rings into the table: SUBMIT with its body, SUBMIT_REFERENCE
 * from the log.
 *
 * Nothing is taken while there is no room to record what becomes of it. The rings are served in
 * turn. One thread.
 */
import type { RingConsumer } from "../../ring/one-to-one-ring.ts";
import { RECORD_LENGTH_OFFSET, RECORD_TYPE_OFFSET, RING_EMPTY } from "../../ring/layout.ts";
import { Accept, acceptIsConsistent } from "../../records/accept.ts";
import {
  allParts,
  CANCEL_TYPE,
  HAND_OVER_BYTES,
  HandOver,
  SUBMIT_TYPE,
} from "../../records/hand-over.ts";
import type { CreditKeeper } from "./credit-keeper.ts";
import { TAKEN_PER_TURN_MAX } from "../pace/limits.ts";
import type { LocalQueues } from "./local-queues.ts";
import type { MessageTable } from "./message-table.ts";
import type { RecordStager } from "../record-stager.ts";

export class Intake {
  readonly #rings: readonly RingConsumer[];
  readonly #table: MessageTable;
  readonly #stager: RecordStager;
  readonly #queues: LocalQueues;
  readonly #credits: CreditKeeper;
  #first = 0;

  constructor(
    rings: readonly RingConsumer[],
    table: MessageTable,
    stager: RecordStager,
    queues: LocalQueues,
    credits: CreditKeeper,
  ) {
    this.#rings = rings;
    this.#table = table;
    this.#stager = stager;
    this.#queues = queues;
    this.#credits = credits;
  }

  /** Takes up to a turn's worth of messages; returns how many. */
  poll(): number {
    let taken = 0;
    for (let i = 0; i < this.#rings.length; i++) {
      const producer = (this.#first + i) % this.#rings.length;
      taken += this.#pollRing(producer, TAKEN_PER_TURN_MAX - taken);
    }
    this.#first = (this.#first + 1) % this.#rings.length;
    return taken;
  }

  #pollRing(producer: number, max: number): number {
    const ring = this.#rings[producer] as RingConsumer;
    let taken = 0;
    while (taken < max && this.#table.freeCount > 0 && this.#stager.hasRoomToSend()) {
      const at = ring.next();
      if (at === RING_EMPTY) break;
      this.#take(ring, at, producer);
      taken++;
    }
    if (taken > 0) ring.release();
    return taken;
  }

  #take(ring: RingConsumer, at: number, producer: number): void {
    const { view } = ring;
    if (view.getUint8(at + RECORD_TYPE_OFFSET) === CANCEL_TYPE) {
      this.#queues.giveBack(view.getFloat64(at + HandOver.LOG_OFFSET, true), producer);
      return;
    }
    const table = this.#table;
    const entry = table.take();
    const pool = view.getUint16(at + HandOver.POOL_INDEX, true);
    const priority = view.getUint8(at + HandOver.PRIORITY);
    table.producer[entry] = producer;
    table.pool[entry] = pool;
    table.priority[entry] = priority;
    const logOffset = view.getFloat64(at + HandOver.LOG_OFFSET, true);
    table.logOffset[entry] = logOffset;
    table.attempt[entry] = view.getUint8(at + HandOver.ATTEMPT);
    table.flags[entry] = view.getUint8(at + HandOver.FLAGS);
    table.linkId[entry] = view.getUint32(at + HandOver.LINK_ID, true);
    table.appIndex[entry] = view.getUint32(at + HandOver.APP_INDEX, true);
    table.concatReference[entry] = view.getUint16(at + HandOver.CONCAT_REFERENCE, true);
    this.#credits.receive(producer, pool, priority);
    const hasBody = view.getUint8(at + RECORD_TYPE_OFFSET) === SUBMIT_TYPE;
    if (!hasBody && !this.#queues.load(entry)) {
      this.#credits.release(producer, pool, priority);
      this.#queues.drop(entry);
      return;
    }
    table.inHand[0] = logOffset;
    if (hasBody) this.#takeBody(ring, at, entry);
    this.#queues.readKey(entry);
    const { view: body } = table.memoryOf(entry);
    const partCount = body.getUint8(table.recordOf(entry) + Accept.PART_COUNT);
    const parts = view.getUint16(at + HandOver.PARTS, true) & allParts(partCount);
    if (parts === 0) throw new Error("a SUBMIT names no part that its message has");
    table.parts[entry] = parts;
    this.#queues.accept(entry);
    table.inHand[0] = -1;
  }

  #takeBody(ring: RingConsumer, at: number, entry: number): void {
    const lengthBytes = ring.view.getUint32(at + RECORD_LENGTH_OFFSET, true) - HAND_OVER_BYTES;
    const record = at + HandOver.ACCEPT;
    if (!acceptIsConsistent(ring, record, lengthBytes)) {
      // Our own threads wrote it: a broken invariant, and the end of the process.
      throw new Error("a SUBMIT carries an ACCEPT whose lengths do not agree");
    }
    this.#table.setBody(entry, ring, record, lengthBytes);
  }
}
