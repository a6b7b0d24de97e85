/**
 * What the simulator does to a connection at every so many submits, beside answering them.
 *
 *   submit 1 … every-1: nothing · submit every: the deed · every+1 … : nothing · …
 *
 * Counted over the whole simulator, so that a connection that takes the place of one that was cut
 * gets its share. One thread.
 */
import { COMMAND_ID, encodeHeaderOnly } from "../codec/index.ts";
import {
  isFatalKind,
  MALFORMED_LENGTH_MAX,
  type MalformedKind,
  writeMalformed,
} from "./malformed.ts";
import type { SmscOptions } from "./options.ts";
import type { SmscShared } from "./shared.ts";

/** The session that does it. */
export interface Culprit {
  readonly serial: number;
  hasRoom(bytes: number): boolean;
  /** Encodes something of our own into the output, under our next sequence_number. */
  write(encode: (out: Uint8Array, at: number, sequence: number) => number): void;
  flush(): void;
  /** Breaks the connection at once. */
  cut(): void;
  /** Reads nothing any more; what is owed is still written. */
  stopReading(): void;
  /** Answers and sends nothing any more; the connection stays. */
  goSilent(): void;
  /** Unbinds. */
  leave(): void;
  /** The peer has a reason to go without a word. */
  excusePeer(): void;
}

/** Octets that are missing from the PDU that is cut. */
const CUT_SHORT_BYTES = 7;

/** Whether there are deeds at all: asked once a connection. */
export function isMischievous(options: SmscOptions): boolean {
  const { malformedEvery, cutMidPduEvery, silentEvery, deafEvery, unbindEvery } = options;
  return [malformedEvery, cutMidPduEvery, silentEvery, deafEvery, unbindEvery].some(
    (every) => every !== null,
  );
}

/** Whether peers have a reason to go without a word, since answers do not come. */
export function isProvocative(options: SmscOptions): boolean {
  const { magic, answersEnquireLink, dropAnswers, lateAnswers } = options;
  return magic || !answersEnquireLink || dropAnswers > 0 || lateAnswers > 0;
}

/** Does to the connection of the latest submit what is due. */
export function misbehave(shared: SmscShared, culprit: Culprit): void {
  const { options, counters } = shared;
  const { submits } = counters;
  if (isDue(options.malformedEvery, submits)) sendMalformed(shared, culprit);
  if (isDue(options.cutMidPduEvery, submits)) {
    culprit.write(
      (out, at, sequence) =>
        encodeHeaderOnly(COMMAND_ID.enquire_link, out, at, 0, sequence) - CUT_SHORT_BYTES,
    );
    culprit.flush();
    culprit.cut();
  } else if (isDue(options.silentEvery, submits)) {
    counters.silenced++;
    culprit.goSilent();
  } else if (isDue(options.deafEvery, submits)) {
    counters.deafened++;
    culprit.stopReading();
  } else if (isDue(options.unbindEvery, submits)) {
    culprit.leave();
  }
}

function sendMalformed(shared: SmscShared, culprit: Culprit): void {
  const { counters, options, witness, wallMs } = shared;
  if (!culprit.hasRoom(MALFORMED_LENGTH_MAX)) return;
  const kind = malformedAt(options, counters.submits);
  culprit.write((out, at, sequence) => writeMalformed(kind, out, at, sequence));
  counters.malformedSent++;
  culprit.excusePeer();
  witness?.writeEvent(wallMs, "malformed", culprit.serial, { kind });
  if (isFatalKind(kind)) culprit.goSilent();
}

/** The kind that is sent at the `submits`-th submit: all in turn. */
function malformedAt(options: SmscOptions, submits: number): MalformedKind {
  const { malformed, malformedEvery } = options;
  const turn = Math.floor(submits / (malformedEvery ?? 1)) - 1;
  return malformed[turn % malformed.length] as MalformedKind;
}

function isDue(every: number | null, submits: number): boolean {
  return every !== null && submits % every === 0;
}
