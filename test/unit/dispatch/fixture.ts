/** A dispatcher over real rings, credits and bells, seen from the worker's side too. */
import { Doorbell } from "../../../src/ring/doorbell.ts";
import { allocateRing, RING_EMPTY } from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";
import {
  Dispatcher,
  type DispatcherOptions,
  type LinkDirectory,
} from "../../../src/dispatch/dispatcher.ts";
import { type DispatchEntry, emptyDispatchEntry } from "../../../src/dispatch/waiting-room.ts";
import {
  CANCEL_BYTES,
  CANCEL_REFUSED_TYPE,
  HAND_OVER_BYTES,
  HandOver,
  RETURN_TYPE,
} from "../../../src/records/hand-over.ts";
import { allocateCreditTable, CreditTable } from "../../../src/tables/credit-table.ts";
import { allocateQueueTable, QueueTable } from "../../../src/tables/queue-table.ts";
import type { SharedPlan } from "../../../src/tables/plan.ts";

export interface Seen {
  readonly worker: number;
  readonly type: number;
  readonly lengthBytes: number;
  readonly logOffset: number;
  readonly poolIndex: number;
  readonly priority: number;
  readonly appIndex: number;
  readonly concatReference: number;
  readonly attempt: number;
  readonly parts: number;
  readonly flags: number;
  readonly linkId: number;
  readonly body: Uint8Array;
}

export interface FixtureOptions {
  readonly workers?: number;
  readonly pools?: number;
  readonly apps?: number;
  readonly waitingMax?: number;
  readonly ringBytes?: number;
  readonly owner?: DispatcherOptions["owner"];
  readonly links?: LinkDirectory;
}

export class Fixture {
  readonly plan: SharedPlan;
  readonly credits: CreditTable;
  readonly queues: QueueTable;
  readonly dispatcher: Dispatcher;
  readonly rings: number[] = [];
  readonly #submit: RingConsumer[] = [];
  readonly #returns: RingProducer[] = [];
  readonly #granted: Int32Array;

  constructor(options: FixtureOptions = {}) {
    this.plan = {
      ingressCount: 1,
      workerCount: options.workers ?? 1,
      poolCount: options.pools ?? 1,
      linkCount: 2,
      sessionCount: 1,
      appCount: options.apps ?? 1,
    };
    this.credits = new CreditTable(allocateCreditTable(this.plan), this.plan);
    this.queues = new QueueTable(allocateQueueTable(this.plan), this.plan);
    this.#granted = new Int32Array(this.credits.cellCountPerProducer);
    const submitRings: RingProducer[] = [];
    const returnRings: RingConsumer[] = [];
    const bells: Doorbell[] = [];
    const words = new Int32Array(new SharedArrayBuffer(4 * this.plan.workerCount)).fill(1);
    for (let worker = 0; worker < this.plan.workerCount; worker++) {
      const submit = new RingMemory(allocateRing(options.ringBytes ?? 1 << 20));
      const back = new RingMemory(allocateRing(1 << 16));
      submitRings.push(new RingProducer(submit));
      this.#submit.push(new RingConsumer(submit));
      this.#returns.push(new RingProducer(back));
      returnRings.push(new RingConsumer(back));
      this.rings.push(0);
      bells.push(
        new Doorbell(words, worker, () => {
          this.rings[worker] = (this.rings[worker] as number) + 1;
          words[worker] = 1;
        }),
      );
    }
    this.dispatcher = new Dispatcher({
      producer: 0,
      plan: this.plan,
      credits: this.credits,
      queues: this.queues,
      submitRings,
      returnRings,
      bells,
      waitingMax: options.waitingMax ?? 1_000_000,
      owner: options.owner ?? {
        isWanted: () => true,
        expire: () => Number.MAX_SAFE_INTEGER,
        waitsSince: () => 0,
      },
      links: options.links ?? { linkIndexOf: () => -1 },
    });
  }

  /** Lets `count` more messages through. */
  grant(worker: number, poolIndex: number, priority: number, count: number): void {
    const cell = this.credits.cell(worker, poolIndex, priority);
    this.#granted[cell] = ((this.#granted[cell] as number) + count) | 0;
    this.credits.grant(0, cell, this.#granted[cell] as number);
    if (this.credits.weight(worker, poolIndex) === 0) this.credits.setWeight(worker, poolIndex, 1);
  }

  entry(fields: Partial<DispatchEntry>): DispatchEntry {
    return { ...emptyDispatchEntry(), expiresAtMs: 1e15, ...fields };
  }

  /** Submits without a body. */
  submit(fields: Partial<DispatchEntry>): boolean {
    return this.dispatcher.submit(this.entry(fields), null, 0, 0);
  }

  /** Everything the workers find on their rings now. */
  drain(): Seen[] {
    const seen: Seen[] = [];
    for (const [worker, ring] of this.#submit.entries()) {
      for (let at = ring.next(); at !== RING_EMPTY; at = ring.next()) {
        const { view } = ring;
        const lengthBytes = view.getUint32(at, true);
        seen.push({
          worker,
          type: view.getUint8(at + 4),
          lengthBytes,
          logOffset: view.getFloat64(at + HandOver.LOG_OFFSET, true),
          poolIndex: view.getUint16(at + HandOver.POOL_INDEX, true),
          priority: view.getUint8(at + HandOver.PRIORITY),
          attempt: view.getUint8(at + HandOver.ATTEMPT),
          parts: view.getUint16(at + HandOver.PARTS, true),
          flags: view.getUint8(at + HandOver.FLAGS),
          linkId: view.getUint32(at + HandOver.LINK_ID, true),
          appIndex: view.getUint32(at + HandOver.APP_INDEX, true),
          concatReference: view.getUint16(at + HandOver.CONCAT_REFERENCE, true),
          body: ring.bytes.slice(at + HAND_OVER_BYTES, at + lengthBytes),
        });
      }
      ring.release();
    }
    return seen;
  }

  /** The worker gives a message back. */
  giveBack(worker: number, seen: Seen): void {
    const ring = this.#returns[worker] as RingProducer;
    const at = ring.claim(HAND_OVER_BYTES, RETURN_TYPE, 1, 0);
    if (at < 0) throw new Error("return ring is full");
    const { view } = ring;
    view.setFloat64(at + HandOver.LOG_OFFSET, seen.logOffset, true);
    view.setUint16(at + HandOver.POOL_INDEX, seen.poolIndex, true);
    view.setUint8(at + HandOver.PRIORITY, seen.priority);
    view.setUint8(at + HandOver.ATTEMPT, seen.attempt);
    view.setUint16(at + HandOver.PARTS, seen.parts, true);
    view.setUint8(at + HandOver.FLAGS, seen.flags);
    view.setUint32(at + HandOver.LINK_ID, seen.linkId, true);
    view.setUint32(at + HandOver.APP_INDEX, seen.appIndex, true);
    view.setUint16(at + HandOver.CONCAT_REFERENCE, seen.concatReference, true);
    ring.publish();
  }

  /** The worker has not got a message that is to come back, or has begun it. */
  refuse(worker: number, logOffset: number): void {
    const ring = this.#returns[worker] as RingProducer;
    const at = ring.claim(CANCEL_BYTES, CANCEL_REFUSED_TYPE, 1, 0);
    if (at < 0) throw new Error("return ring is full");
    ring.view.setFloat64(at + HandOver.LOG_OFFSET, logOffset, true);
    ring.publish();
  }
}
