/**
 * When a session must act, and how long it waits before it dials again: pure functions of its times
 * and the clock.
 *
 *   CONNECTING ──5 s──► close        BINDING ──10 s──► close
 *   BOUND: silence ──► enquire_link ──10 s──► close
 *   UNBINDING ──5 s──► close     output not taken, or requests not answered, for 30 s ──► close
 *
 * Any whole PDU is a sign of life (spec 4.11), so inactivity ends a session after the interval and
 * 10 s. Silence does not count while we ourselves do not read, nor shortly after. The response
 * timer, one for each submit, is the window's (open-attempts.ts).
 */
import { COMMAND_STATUS } from "../../codec/index.ts";
import { SessionState } from "../../tables/link-table.ts";
import {
  BIND_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  ENQUIRE_TIMEOUT_MS,
  OWED_PAUSE_MAX_MS,
  REDIAL_BASE_MS,
  REDIAL_BOUND_BASE_MS,
  REDIAL_MAX_MS,
  REDIAL_SLOW_BASE_MS,
  REDIAL_SLOW_MAX_MS,
  UNBIND_TIMEOUT_MS,
  UNDRAINED_MAX_MS,
} from "../pace/limits.ts";

/** Times in monotonic ms; -1 = not running. */
export interface SessionTimes {
  /** SessionState. */
  state: number;
  /** When it was entered. */
  since: number;
  /** When the last whole PDU came in. */
  lastPduAt: number;
  enquireSentAt: number;
  /** Since when the socket holds bytes of ours. */
  undrainedSince: number;
  /** Since when reading is paused because too many responses are owed. */
  owedSince: number;
  /** Since when we do not read, for any cause. */
  pausedSince: number;
  /** When the next dial is due, in BACKOFF. */
  dialAt: number;
}

export const TimerAction = {
  NONE: 0,
  DIAL: 1,
  SEND_ENQUIRE_LINK: 2,
  CONNECT_TIMED_OUT: 3,
  BIND_TIMED_OUT: 4,
  ENQUIRE_TIMED_OUT: 5,
  UNBIND_TIMED_OUT: 6,
  PEER_DOES_NOT_READ: 7,
  PEER_FLOODS: 8,
} as const;

/** What is due at `now`; `inGrace` suspends everything that waits for the peer's bytes. */
export function dueAction(
  times: Readonly<SessionTimes>,
  now: number,
  enquireLinkIntervalMs: number,
  inGrace: boolean,
): number {
  switch (times.state) {
    case SessionState.BACKOFF:
      return now >= times.dialAt ? TimerAction.DIAL : TimerAction.NONE;
    case SessionState.CONNECTING:
      if (inGrace) return TimerAction.NONE;
      return isOver(times.since, CONNECT_TIMEOUT_MS, now, TimerAction.CONNECT_TIMED_OUT);
    case SessionState.BINDING:
      if (inGrace) return TimerAction.NONE;
      return isOver(times.since, BIND_TIMEOUT_MS, now, TimerAction.BIND_TIMED_OUT);
    case SessionState.UNBINDING:
      return isOver(times.since, UNBIND_TIMEOUT_MS, now, TimerAction.UNBIND_TIMED_OUT);
    case SessionState.BOUND:
      return dueWhileBound(times, now, enquireLinkIntervalMs, inGrace);
    default:
      return TimerAction.NONE;
  }
}

function dueWhileBound(
  times: Readonly<SessionTimes>,
  now: number,
  enquireLinkIntervalMs: number,
  inGrace: boolean,
): number {
  const stuck = isOver(times.undrainedSince, UNDRAINED_MAX_MS, now, TimerAction.PEER_DOES_NOT_READ);
  if (stuck !== TimerAction.NONE) return stuck;
  const owed = isOver(times.owedSince, OWED_PAUSE_MAX_MS, now, TimerAction.PEER_FLOODS);
  if (owed !== TimerAction.NONE || inGrace || times.pausedSince >= 0) return owed;
  if (times.enquireSentAt >= 0) {
    return isOver(times.enquireSentAt, ENQUIRE_TIMEOUT_MS, now, TimerAction.ENQUIRE_TIMED_OUT);
  }
  return isOver(times.lastPduAt, enquireLinkIntervalMs, now, TimerAction.SEND_ENQUIRE_LINK);
}

function isOver(since: number, lengthMs: number, now: number, action: number): number {
  return since >= 0 && now - since >= lengthMs ? action : TimerAction.NONE;
}

/** How a session ended, as far as redialling goes. */
export const RedialKind = {
  /** The network, or the peer, for no stated reason. */
  ORDINARY: 0,
  /** The SMSC refuses us: credentials, or a broken session. */
  SLOW: 1,
  /** ESME_RALYBND: it believes that we are still bound. */
  ALREADY_BOUND: 2,
} as const;

/** Whether a bind was refused for what the configuration says of us: no fast retry helps. */
export function isCredentialsRefusal(commandStatus: number): boolean {
  return (
    commandStatus === COMMAND_STATUS.ESME_RINVPASWD ||
    commandStatus === COMMAND_STATUS.ESME_RINVSYSID ||
    commandStatus === COMMAND_STATUS.ESME_RINVSYSTYP
  );
}

/** How to redial after a bind refused with this command_status. */
export function redialKindOf(commandStatus: number): number {
  switch (commandStatus) {
    case COMMAND_STATUS.ESME_RALYBND:
      return RedialKind.ALREADY_BOUND;
    case COMMAND_STATUS.ESME_RBINDFAIL:
    case COMMAND_STATUS.ESME_RINVPASWD:
    case COMMAND_STATUS.ESME_RINVSYSID:
    case COMMAND_STATUS.ESME_RINVSYSTYP:
    case COMMAND_STATUS.ESME_RINVCMDID:
      return RedialKind.SLOW;
    default:
      return RedialKind.ORDINARY;
  }
}

/**
 * Wait before the next dial after `failures` failed ones in a row; `random` is uniform in [0, 1).
 */
export function redialDelayMs(kind: number, failures: number, random: number): number {
  const doublings = Math.min(failures, 16);
  if (kind === RedialKind.SLOW) {
    const base = Math.min(REDIAL_SLOW_MAX_MS, REDIAL_SLOW_BASE_MS * 2 ** doublings);
    return base * (1 + random / 2);
  }
  if (kind === RedialKind.ALREADY_BOUND) {
    const cap = Math.min(REDIAL_MAX_MS, 2 * REDIAL_BOUND_BASE_MS * 2 ** doublings);
    return REDIAL_BOUND_BASE_MS + random * (cap - REDIAL_BOUND_BASE_MS);
  }
  return random * Math.min(REDIAL_MAX_MS, REDIAL_BASE_MS * 2 ** doublings);
}
