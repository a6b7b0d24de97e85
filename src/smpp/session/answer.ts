/**
 * What an answer means: command_status class and attempt number to outcome and delay. Pure.
 *
 *   class            outcome
 *   OK               ACCEPTED
 *   T, O, F          RETRY: the ledger sends it again, anywhere, after 5 s · 2^(attempt-1) ≤ 5 min
 *   B                KEPT: the worker sends it again on the same link, more slowly
 *   P                REJECTED
 *
 * What would be RETRY is EXHAUSTED at the last attempt of the link's profile (`attempts_max`).
 *
 * A late answer, after the attempt was recorded as ambiguous, is never KEPT: the message is the
 * ledger's by then.
 */
import { COMMAND_STATUS, lookUpStatusClass, STATUS_CLASSES } from "../../codec/index.ts";
import { Outcome } from "../../records/attempt.ts";
import { RETRY_BASE_MS, RETRY_JITTER, RETRY_MAX_MS } from "../pace/limits.ts";

const CLASS_OK = STATUS_CLASSES.indexOf("OK");
const CLASS_THROTTLED = STATUS_CLASSES.indexOf("B");
const CLASS_OTHER_LINK = STATUS_CLASSES.indexOf("O");
const CLASS_PERMANENT = STATUS_CLASSES.indexOf("P");
const CLASS_FATAL = STATUS_CLASSES.indexOf("F");

/** Class of a command_status in a submit_sm_resp or, where that differs, in a generic_nack. */
export function classOfAnswer(classes: Uint8Array, commandStatus: number, isNack: boolean): number {
  if (!isNack) return lookUpStatusClass(classes, commandStatus);
  // A nack without an error is none the less no acceptance.
  if (commandStatus === COMMAND_STATUS.ESME_ROK) return CLASS_OTHER_LINK;
  // The peer could not even frame our PDU: the stream is out of step.
  if (commandStatus === COMMAND_STATUS.ESME_RINVCMDLEN) return CLASS_FATAL;
  return lookUpStatusClass(classes, commandStatus);
}

/** Whether this class tells that the session is broken: unbind, and bind again slowly. */
export function isFatal(statusClass: number): boolean {
  return statusClass === CLASS_FATAL;
}

export function isThrottled(statusClass: number): boolean {
  return statusClass === CLASS_THROTTLED;
}

/**
 * Outcome of an attempt, of which there may be `attemptsMax`; `mayKeep` says that the message is
 * still the worker's and has a place to wait.
 */
export function outcomeOf(
  statusClass: number,
  attempt: number,
  attemptsMax: number,
  mayKeep: boolean,
): number {
  if (statusClass === CLASS_OK) return Outcome.ACCEPTED;
  if (statusClass === CLASS_PERMANENT) return Outcome.REJECTED;
  if (statusClass === CLASS_THROTTLED && mayKeep) return Outcome.KEPT;
  return attempt >= attemptsMax ? Outcome.EXHAUSTED : Outcome.RETRY;
}

/** Delay before the next attempt, in whole ms; `random` is uniform in [0, 1). */
export function retryAfterMs(attempt: number, random: number): number {
  return jittered(Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** Math.min(attempt - 1, 16)), random);
}

/**
 * Delay, in whole ms, of a message that could have been sent for `waitedMs` but that no reference
 * is free for: as long again, within the bounds of a retry; `random` is uniform in [0, 1).
 */
export function putOffMs(waitedMs: number, random: number): number {
  return jittered(Math.min(RETRY_MAX_MS, Math.max(RETRY_BASE_MS, waitedMs)), random);
}

function jittered(base: number, random: number): number {
  return Math.round(base * (1 - RETRY_JITTER + 2 * RETRY_JITTER * random));
}
