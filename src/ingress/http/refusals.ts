/**
 * Records refused calls for their CDR rows, where that is configured: a REFUSED record beside the
 * ACCEPTs.
 *
 *   refused ─► under the rate? space in the log? ─► REFUSED staged ─► journal ─► ledger ─► CDR row
 *
 * Bounded by a number a second and by the log's space: what exceeds it is counted, not recorded.
 * Calls shed for want of capacity are not recorded at all: a gateway that is full must not write
 * more. Nothing waits for these records. One instance per ingress thread.
 */
import type { Clock } from "../../environment.ts";
import { ERRORS } from "../../errors.ts";
import type { JournalAppender } from "../../journal/appender.ts";
import { admissionFits } from "../../journal/space.ts";
import { Counter, type MetricBlock } from "../../metrics/block.ts";
import { Refused, REFUSED_TYPE } from "../../records/refused.ts";
import { RING_FULL } from "../../ring/layout.ts";
import type { LogTable } from "../../tables/log-table.ts";
import { scanText, TEXT_CLEAN, utf8Length, writeAscii, writeUtf8 } from "./text-bytes.ts";

const SECOND_MS = 1000;
/** What stands in a refused call may be anything: longer texts are left out. */
const TEXT_BYTES_MAX = 200;

/** Errors of refusals that get a row. */
export type RefusalCode = "invalid" | "forbidden" | "no-route" | "rate-limited" | "policy-blocked";

export interface RefusalsOptions {
  readonly perSMax: number;
  readonly clock: Clock;
  readonly appender: JournalAppender;
  readonly logTable: LogTable;
  readonly journalBytesMax: number;
  readonly metrics: MetricBlock;
}

export class Refusals {
  readonly #options: RefusalsOptions;
  #windowEndsAt = 0;
  #inWindow = 0;

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /**
   * Stages the record of a refused call, to be published by the caller. `body`: its JSON as it
   * came. `state`: the policy rule that blocked it, or empty. `poolId`: 0 for none. False if none
   * was staged.
   */
  stage(code: RefusalCode, state: string, appId: number, poolId: number, body: unknown): boolean {
    const isStaged = this.#isAllowed() && this.#write(code, state, appId, poolId, body);
    if (!isStaged) this.#options.metrics.add(Counter.refusalsUnrecorded, 1);
    return isStaged;
  }

  #isAllowed(): boolean {
    const { clock, perSMax } = this.#options;
    const now = clock.monotonicMs();
    if (now >= this.#windowEndsAt) {
      this.#windowEndsAt = now + SECOND_MS;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    return this.#inWindow <= perSMax;
  }

  #write(code: RefusalCode, state: string, appId: number, poolId: number, body: unknown): boolean {
    const { appender, clock, logTable, journalBytesMax } = this.#options;
    const to = textOf(body, "to");
    const from = textOf(body, "from");
    const reference = textOf(body, "reference");
    const campaign = textOf(body, "campaign");
    const lengths = [code, to, from, reference, campaign, state].map((text) => utf8Length(text));
    const lengthBytes = lengths.reduce((sum, length) => sum + length, Refused.TEXTS);
    const pending = appender.pendingBytes();
    if (!admissionFits(logTable, journalBytesMax, lengthBytes, pending)) return false;
    const record = appender.claim(lengthBytes, REFUSED_TYPE);
    if (record === RING_FULL) return false;
    const { bytes, view } = appender.memory;
    view.setFloat64(record + Refused.AT, clock.wallMs(), true);
    view.setUint32(record + Refused.APP_ID, appId, true);
    view.setUint16(record + Refused.HTTP_STATUS, ERRORS[code].http ?? 0, true);
    for (let i = 0; i < lengths.length; i++) {
      view.setUint8(record + Refused.CODE_LENGTH + i, lengths[i] as number);
    }
    view.setUint32(record + Refused.POOL_ID, poolId, true);
    let at = writeAscii(code, 0, bytes, record + Refused.TEXTS);
    for (const text of [to, from, reference, campaign]) at = writeUtf8(text, bytes, at);
    writeAscii(state, 0, bytes, at);
    return true;
  }
}

/** A text of the call, or nothing if it is none that a row could hold. */
function textOf(body: unknown, field: string): string {
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, field)) return "";
  const value = (body as Readonly<Record<string, unknown>>)[field];
  if (typeof value !== "string" || value.length > TEXT_BYTES_MAX) return "";
  if (scanText(value, false) !== TEXT_CLEAN || utf8Length(value) > TEXT_BYTES_MAX) return "";
  return field === "to" && value.startsWith("+") ? value.slice(1) : value;
}
