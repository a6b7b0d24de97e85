/**
 * What `smsgw journal inspect` says of a record: its fields by name, message text never, numbers
 * masked.
 */
import { Accept, acceptIsConsistent, acceptToOffset } from "../records/accept.ts";
import { AmbiguousCause, Attempt, FLAG_MAYBE_DUP, Outcome } from "../records/attempt.ts";
import { Concluded, Verdict } from "../records/concluded.ts";
import type { RecordMemory } from "../records/memory.ts";
import { formatMessageId } from "../records/message-key.ts";
import { Receipt } from "../records/receipt.ts";
import { Refused } from "../records/refused.ts";
import { Decision, Resolved } from "../records/resolved.ts";
import { Started } from "../records/started.ts";
import { MESSAGE_CLASS_NAMES, RecordType } from "../records/types.ts";

/** Fields of one record, in the order they are shown. */
export type RecordFields = Record<string, string | number | boolean>;

const TYPE_NAMES = namesOf(RecordType);
const OUTCOME_NAMES = namesOf(Outcome);
const CAUSE_NAMES = namesOf(AmbiguousCause);
const VERDICT_NAMES = namesOf(Verdict);
const DECISION_NAMES = namesOf(Decision);
const DIGITS_SHOWN = 3;

/** Name of a record type as in docs/JOURNAL.md. */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `type ${type}`;
}

/** Fields of the record at `at`; `node` names the node in message ids. */
export function recordFields(
  type: number,
  memory: RecordMemory,
  at: number,
  lengthBytes: number,
  node: string,
): RecordFields {
  const { view } = memory;
  switch (type) {
    case RecordType.STARTED:
      return {
        at: wallText(view.getFloat64(at + Started.AT, true)),
        epoch: view.getUint32(at + Started.EPOCH, true),
        node: textOf(memory, at + Started.NODE, view.getUint8(at + Started.NODE_LENGTH)),
      };
    case RecordType.ACCEPT:
      return acceptFields(memory, at, lengthBytes, node);
    case RecordType.SENDING:
    case RecordType.ANSWER:
    case RecordType.AMBIGUOUS:
      return attemptFields(type, memory, at, node);
    case RecordType.CONCLUDED:
      return {
        id: idAt(view, at + Concluded.SEQUENCE, node),
        at: wallText(view.getFloat64(at + Concluded.AT, true)),
        verdict: nameIn(VERDICT_NAMES, view.getUint8(at + Concluded.VERDICT)),
      };
    case RecordType.RECEIPT:
      return {
        at: wallText(view.getFloat64(at + Receipt.AT, true)),
        link: view.getUint32(at + Receipt.LINK_ID, true),
        message_state: view.getUint8(at + Receipt.MESSAGE_STATE),
        smsc_id: textOf(memory, at + Receipt.TEXTS, view.getUint8(at + Receipt.SMSC_ID_LENGTH)),
      };
    case RecordType.RESOLVED:
      return {
        id: idAt(view, at + Resolved.SEQUENCE, node),
        at: wallText(view.getFloat64(at + Resolved.AT, true)),
        decision: nameIn(DECISION_NAMES, view.getUint8(at + Resolved.DECISION)),
      };
    case RecordType.REFUSED:
      return {
        at: wallText(view.getFloat64(at + Refused.AT, true)),
        app: view.getUint32(at + Refused.APP_ID, true),
        http_status: view.getUint16(at + Refused.HTTP_STATUS, true),
        code: textOf(memory, at + Refused.TEXTS, view.getUint8(at + Refused.CODE_LENGTH)),
      };
    default:
      return {};
  }
}

function acceptFields(
  memory: RecordMemory,
  at: number,
  lengthBytes: number,
  node: string,
): RecordFields {
  if (!acceptIsConsistent(memory, at, lengthBytes)) return { inconsistent: true };
  const { view } = memory;
  const to = textOf(memory, at + acceptToOffset(view, at), view.getUint8(at + Accept.TO_LENGTH));
  const classIndex = view.getUint8(at + Accept.CLASS);
  return {
    id: idAt(view, at + Accept.SEQUENCE, node),
    at: wallText(view.getFloat64(at + Accept.ACCEPTED_AT, true)),
    app: view.getUint32(at + Accept.APP_ID, true),
    pool: view.getUint32(at + Accept.POOL_ID, true),
    class: MESSAGE_CLASS_NAMES[classIndex] ?? `class ${classIndex}`,
    priority: view.getUint8(at + Accept.PRIORITY),
    to: masked(to),
    parts: view.getUint8(at + Accept.PART_COUNT),
    body_bytes: view.getUint16(at + Accept.BODY_LENGTH, true),
    expires_at: wallText(view.getFloat64(at + Accept.EXPIRES_AT, true)),
  };
}

function attemptFields(type: number, memory: RecordMemory, at: number, node: string): RecordFields {
  const { view } = memory;
  const fields: RecordFields = {
    id: idAt(view, at + Attempt.SEQUENCE, node),
    at: wallText(view.getFloat64(at + Attempt.AT, true)),
    link: view.getUint32(at + Attempt.LINK_ID, true),
    part: view.getUint8(at + Attempt.PART),
    attempt: view.getUint8(at + Attempt.ATTEMPT),
  };
  if ((view.getUint8(at + Attempt.FLAGS) & FLAG_MAYBE_DUP) !== 0) fields["maybe_dup"] = true;
  const outcome = view.getUint8(at + Attempt.OUTCOME);
  if (type === RecordType.AMBIGUOUS) fields["cause"] = nameIn(CAUSE_NAMES, outcome);
  if (type !== RecordType.ANSWER) return fields;
  fields["outcome"] = nameIn(OUTCOME_NAMES, outcome);
  fields["command_status"] = view.getUint32(at + Attempt.COMMAND_STATUS, true);
  fields["smsc_id"] = textOf(
    memory,
    at + Attempt.SMSC_ID,
    view.getUint8(at + Attempt.SMSC_ID_LENGTH),
  );
  return fields;
}

/** Every record about a message holds its sequence and, behind it, its origin. */
function idAt(view: DataView, sequenceOffset: number, node: string): string {
  return formatMessageId(
    node,
    view.getFloat64(sequenceOffset, true),
    view.getUint32(sequenceOffset + 8, true),
  );
}

/** ASCII as received; anything else shows as dots. */
function textOf(memory: RecordMemory, offset: number, length: number): string {
  let text = "";
  for (const byte of memory.bytes.subarray(offset, offset + length)) {
    text += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
  }
  return text;
}

function masked(number: string): string {
  const hidden = Math.max(0, number.length - 2 * DIGITS_SHOWN);
  if (hidden === 0) return "*".repeat(number.length);
  return number.slice(0, DIGITS_SHOWN) + "*".repeat(hidden) + number.slice(-DIGITS_SHOWN);
}

function wallText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

function namesOf(values: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(values).map(([name, value]) => [value, name]));
}

function nameIn(names: ReadonlyMap<number, string>, value: number): string {
  return names.get(value)?.toLowerCase() ?? String(value);
}
