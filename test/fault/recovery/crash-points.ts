/**
 * Named points of a message's way at which F2 ends the process, as calls to the system that the
 * shim recognises. `passMax`: so many calls of the kind may pass before the one that counts.
 */
import { CallAction, CallKind, type Fault } from "./fault-shim.ts";

export interface CrashPoint {
  readonly fault: Omit<Fault, "pass">;
  readonly passMax: number;
  /** Armed before the start, so that it is met in recovery; otherwise under load. */
  readonly atStart?: boolean;
}

const { KILL_BEFORE, KILL_MIDDLE, KILL_AFTER } = CallAction;

function at(kind: number, action: number, passMax: number): CrashPoint {
  return { fault: { kind, action }, passMax };
}

function atStart(kind: number, action: number, passMax: number): CrashPoint {
  return { fault: { kind, action }, passMax, atStart: true };
}

export const CRASH_POINTS: Readonly<Record<string, CrashPoint>> = {
  "request read, not yet parsed": at(CallKind.REQUEST_READ, KILL_BEFORE, 20),
  "staged, before the block is written": at(CallKind.LOG_BLOCK, KILL_BEFORE, 50),
  "block half written": at(CallKind.LOG_BLOCK, KILL_MIDDLE, 50),
  "block written, before its sync": at(CallKind.LOG_SYNC, KILL_BEFORE, 50),
  "synced, before anybody knows": at(CallKind.LOG_SYNC, KILL_AFTER, 50),
  "before the 202": at(CallKind.REPLY_202, KILL_BEFORE, 20),
  "202 half sent": at(CallKind.REPLY_202, KILL_MIDDLE, 20),
  "after the 202": at(CallKind.REPLY_202, KILL_AFTER, 20),
  "SENDING committed, before the submit_sm": at(CallKind.SUBMIT_WRITE, KILL_BEFORE, 20),
  "submit_sm half sent": at(CallKind.SUBMIT_WRITE, KILL_MIDDLE, 20),
  "after the submit_sm": at(CallKind.SUBMIT_WRITE, KILL_AFTER, 20),
  "submit_sm_resp read, before ANSWER": at(CallKind.ANSWER_READ, KILL_BEFORE, 20),
  "receipt read, before RECEIPT": at(CallKind.RECEIPT_READ, KILL_BEFORE, 20),
  "RECEIPT committed, before the deliver_sm_resp": at(CallKind.RECEIPT_ANSWER, KILL_BEFORE, 20),
  "after the deliver_sm_resp": at(CallKind.RECEIPT_ANSWER, KILL_AFTER, 20),
  "before a segment is made": at(CallKind.SEGMENT_MAKE, KILL_BEFORE, 1),
  "segment made, directory not synced": at(CallKind.DIRECTORY_SYNC, KILL_BEFORE, 2),
  "segment filled in part": at(CallKind.LOG_ZEROS, KILL_MIDDLE, 1),
  "before a segment is removed": at(CallKind.SEGMENT_REMOVE, KILL_BEFORE, 1),
  "after a segment is removed": at(CallKind.SEGMENT_REMOVE, KILL_AFTER, 1),
  "segment without a name, before its bytes go": at(CallKind.SEGMENT_CUT, KILL_BEFORE, 1),
  "segment without a name, cut in part": at(CallKind.SEGMENT_CUT, KILL_MIDDLE, 1),
  "ledger's commit half written": at(CallKind.STORE_WRITE, KILL_MIDDLE, 10),
  "ledger's commit before its sync": at(CallKind.STORE_SYNC, KILL_BEFORE, 3),
  "ledger's commit after its sync": at(CallKind.STORE_SYNC, KILL_AFTER, 3),
  "CDR file half written": at(CallKind.CDR_WRITE, KILL_MIDDLE, 1),
  "CDR file before its sync": at(CallKind.CDR_SYNC, KILL_BEFORE, 2),
  "CDR file before its name": at(CallKind.CDR_RENAME, KILL_BEFORE, 1),
  "CDR file after its name": at(CallKind.CDR_RENAME, KILL_AFTER, 1),
  "recovery: before the epoch": atStart(CallKind.EPOCH_RENAME, KILL_BEFORE, 0),
  "recovery: after the epoch": atStart(CallKind.EPOCH_RENAME, KILL_AFTER, 0),
  "recovery: zeros half written": atStart(CallKind.LOG_ZEROS, KILL_MIDDLE, 0),
  "recovery: before a sync of the log": atStart(CallKind.LOG_SYNC, KILL_BEFORE, 2),
  "recovery: ledger's first commits": atStart(CallKind.STORE_SYNC, KILL_BEFORE, 2),
};
