/**
 * Messages on their way back to the producer they came from: RETURN on its return ring.
 *
 * A message waits here while the ring is full, and until the records it rests on are committed
 * (order rule a). It keeps its attempt, its remaining parts, their concatenation reference and the
 * link it is bound to. One thread.
 */
import { RING_FULL } from "../../ring/layout.ts";
import type { Doorbell } from "../../ring/doorbell.ts";
import type { RingProducer } from "../../ring/one-to-one-ring.ts";
import { Counter, type MetricBlock } from "../../metrics/block.ts";
import {
  CANCEL_BYTES,
  CANCEL_REFUSED_TYPE,
  HAND_OVER_BYTES,
  HandOver,
  RETURN_TYPE,
} from "../../records/hand-over.ts";
import { RECORD_FLAGS_PLAIN, RECORD_VERSION } from "../../records/types.ts";
import { MessageList } from "./message-list.ts";
import { NO_ENTRY, type MessageTable } from "./message-table.ts";
import type { RecordStager } from "../record-stager.ts";

export class Returns {
  readonly #table: MessageTable;
  readonly #stager: RecordStager;
  readonly #rings: readonly RingProducer[];
  readonly #bells: readonly Doorbell[];
  readonly #metrics: MetricBlock;
  readonly #lists: MessageList[];
  #refusals: { readonly logOffset: number; readonly producer: number }[] = [];
  #waiting = 0;

  constructor(
    table: MessageTable,
    stager: RecordStager,
    rings: readonly RingProducer[],
    bells: readonly Doorbell[],
    metrics: MetricBlock,
  ) {
    this.#table = table;
    this.#stager = stager;
    this.#rings = rings;
    this.#bells = bells;
    this.#metrics = metrics;
    this.#lists = rings.map(() => new MessageList(table));
  }

  /** Tells a producer that a message it wants back is not here, or begun. */
  refuse(logOffset: number, producer: number): void {
    this.#refusals.push({ logOffset, producer });
  }

  get waitingCount(): number {
    return this.#waiting;
  }

  /** Sends an entry back, now or later; it must be in no list. */
  add(entry: number): void {
    (this.#lists[this.#table.producer[entry] as number] as MessageList).append(entry);
    this.#waiting++;
  }

  /** Publishes what can be; returns how many messages went. */
  flush(): number {
    if (this.#refusals.length > 0) this.#flushRefusals();
    if (this.#waiting === 0) return 0;
    let total = 0;
    for (let producer = 0; producer < this.#lists.length; producer++) {
      const count = this.#flushProducer(producer);
      if (count === 0) continue;
      (this.#rings[producer] as RingProducer).publish();
      (this.#bells[producer] as Doorbell).ring();
      total += count;
    }
    this.#waiting -= total;
    if (total > 0) this.#metrics.add(Counter.messagesReturned, total);
    return total;
  }

  #flushRefusals(): void {
    this.#refusals = this.#refusals.filter(({ logOffset, producer }) => {
      const ring = this.#rings[producer] as RingProducer;
      const type = CANCEL_REFUSED_TYPE;
      const at = ring.claim(CANCEL_BYTES, type, RECORD_VERSION, RECORD_FLAGS_PLAIN);
      if (at === RING_FULL) return true;
      ring.view.setFloat64(at + HandOver.LOG_OFFSET, logOffset, true);
      ring.publish();
      (this.#bells[producer] as Doorbell).ring();
      return false;
    });
  }

  #flushProducer(producer: number): number {
    const list = this.#lists[producer] as MessageList;
    let count = 0;
    while (list.head !== NO_ENTRY) {
      const entry = list.head;
      if ((this.#table.restsOn[entry] as number) > this.#stager.committed) break;
      if (!this.#write(this.#rings[producer] as RingProducer, entry)) break;
      list.remove(entry);
      this.#table.free(entry);
      count++;
    }
    return count;
  }

  #write(ring: RingProducer, entry: number): boolean {
    const at = ring.claim(HAND_OVER_BYTES, RETURN_TYPE, RECORD_VERSION, RECORD_FLAGS_PLAIN);
    if (at === RING_FULL) return false;
    const { view } = ring;
    const table = this.#table;
    view.setFloat64(at + HandOver.LOG_OFFSET, table.logOffset[entry] as number, true);
    view.setUint16(at + HandOver.POOL_INDEX, table.pool[entry] as number, true);
    view.setUint8(at + HandOver.PRIORITY, table.priority[entry] as number);
    view.setUint8(at + HandOver.ATTEMPT, table.attempt[entry] as number);
    view.setUint16(at + HandOver.PARTS, table.parts[entry] as number, true);
    view.setUint16(at + HandOver.FLAGS, table.flags[entry] as number, true);
    view.setUint32(at + HandOver.LINK_ID, table.linkId[entry] as number, true);
    view.setUint32(at + HandOver.APP_INDEX, table.appIndex[entry] as number, true);
    const concatReference = table.concatReference[entry] as number;
    view.setUint16(at + HandOver.CONCAT_REFERENCE, concatReference, true);
    return true;
  }
}
