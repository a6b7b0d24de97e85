/**
 * Parts fold commutatively and never go back; the fold of parts into a message is the documented
 * table.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  foldMask,
  MESSAGE_STATUS,
  MessageStatus,
} from "../../../src/ledger/messages/message-state.ts";
import {
  isFinal,
  mergeAccepted,
  mergeAmbiguous,
  mergeReceipt,
  mergeRefused,
  mergeSending,
  PART_STATE_COUNT,
  PART_STATUS,
  PartRecord,
  PartState,
} from "../../../src/ledger/messages/part-state.ts";
import { Outcome } from "../../../src/records/attempt.ts";

interface Fact {
  readonly kind: "sending" | "accepted" | "refused" | "ambiguous" | "receipt";
  readonly attempt: number;
  readonly outcome: number;
  readonly at: number;
  readonly state: number;
}

/** One merge as the applier does it, with every ambiguity resolved to a resend. */
function merge(part: PartRecord, fact: Fact): void {
  switch (fact.kind) {
    case "sending":
      mergeSending(part, fact.attempt, fact.at, 1, 1, fact.attempt > 1);
      break;
    case "accepted":
      mergeAccepted(part, fact.attempt, fact.at, 1, 1, 1, "id", false);
      break;
    case "refused":
      mergeRefused(part, fact.outcome, fact.attempt, fact.at, 1, 1, 8, fact.at + 100);
      break;
    case "ambiguous":
      if (mergeAmbiguous(part, fact.attempt)) {
        const isSecond = part.firstAmbiguous !== part.lastAmbiguous;
        part.state = isSecond ? PartState.HELD : PartState.AMBIGUOUS;
      }
      break;
    default:
      mergeReceipt(part, fact.state, "", fact.at);
  }
}

/**
 * A history that one part can have: attempts in order, each with its end, the last one maybe with
 * receipts.
 */
const histories = fc
  .tuple(
    fc.array(fc.constantFrom("retry", "kept", "ambiguous"), { maxLength: 4 }),
    fc.constantFrom("none", "sending", "rejected", "accepted", "delivered", "undelivered"),
    fc.boolean(),
  )
  .map(([earlier, last, isIntermediate]): Fact[] => {
    const facts: Fact[] = [];
    let at = 0;
    const add = (kind: Fact["kind"], attempt: number, outcome = 0, state = 0): void => {
      facts.push({ kind, attempt, outcome, at: ++at, state });
    };
    for (const [i, end] of earlier.entries()) {
      add("sending", i + 1);
      if (end === "ambiguous") add("ambiguous", i + 1);
      else add("refused", i + 1, end === "retry" ? Outcome.RETRY : Outcome.KEPT);
    }
    if (last === "none") return facts;
    const attempt = earlier.length + 1;
    add("sending", attempt);
    if (last === "rejected") add("refused", attempt, Outcome.REJECTED);
    if (last === "accepted" || last.endsWith("delivered")) {
      add("accepted", attempt);
      if (isIntermediate) add("receipt", 0, 0, 1);
      if (last.endsWith("delivered")) add("receipt", 0, 0, last === "delivered" ? 2 : 5);
    }
    return facts;
  });

const interleavings = histories.chain((facts) =>
  fc.tuple(
    fc.constant(facts),
    fc.shuffledSubarray([...facts, ...facts], { minLength: 2 * facts.length }),
  ),
);

test("any interleaving with every record twice folds to the same state", () => {
  fc.assert(
    fc.property(interleavings, ([facts, shuffled]) => {
      const inOrder = new PartRecord();
      for (const fact of facts) merge(inOrder, fact);
      const mixed = new PartRecord();
      for (const fact of shuffled) merge(mixed, fact);
      if (inOrder.state === PartState.AMBIGUOUS || inOrder.state === PartState.HELD) {
        assert.ok(mixed.state === PartState.AMBIGUOUS || mixed.state === PartState.HELD);
      } else {
        assert.equal(PART_STATUS[mixed.state], PART_STATUS[inOrder.state]);
      }
      if (!isFinal(mixed.state)) assert.equal(mixed.attempt, inOrder.attempt);
    }),
    { numRuns: 2000 },
  );
});

test("a final state is never left, and the attempt never falls", () => {
  const anything = fc.record({
    kind: fc.constantFrom("sending", "accepted", "refused", "ambiguous", "receipt" as const),
    attempt: fc.integer({ min: 1, max: 5 }),
    outcome: fc.integer({ min: 1, max: 3 }),
    at: fc.integer({ min: 0, max: 1000 }),
    state: fc.integer({ min: 0, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 30 }), (facts) => {
      const part = new PartRecord();
      for (const fact of facts) {
        const { state, attempt, finalAt } = part;
        merge(part, fact as Fact);
        assert.ok(part.attempt >= attempt);
        if (state === PartState.SENT)
          assert.ok(part.state === PartState.SENT || isFinal(part.state));
        if (!isFinal(state)) continue;
        assert.equal(part.state, state);
        assert.equal(part.finalAt, finalAt);
      }
    }),
    { numRuns: 2000 },
  );
});

test("the attempt number may repeat after a refusal, if the sending is later", () => {
  const part = new PartRecord();
  mergeSending(part, 255, 10, 1, 1, false);
  mergeRefused(part, Outcome.KEPT, 255, 20, 1, 1, 0x58, 0);
  mergeSending(part, 255, 10, 1, 1, false);
  assert.equal(part.state, PartState.KEPT);
  mergeSending(part, 255, 30, 1, 1, false);
  assert.equal(part.state, PartState.SENDING);
});

test("every set of part states folds, and is final exactly when all of them are", () => {
  for (let mask = 1; mask < 1 << PART_STATE_COUNT; mask++) {
    const status = foldMask(mask);
    let areAllFinal = true;
    for (let state = 0; state < PartState.SENT_FINAL; state++) {
      if ((mask & (1 << state)) !== 0) areAllFinal = false;
    }
    assert.equal(status >= MessageStatus.SENT_FINAL, areAllFinal, `mask ${mask}`);
  }
});

test("the fold's table, by examples", () => {
  const P = PartState;
  const fold = (...states: number[]): string | undefined =>
    MESSAGE_STATUS[foldMask(states.reduce((mask, state) => mask | (1 << state), 0))];
  assert.equal(fold(P.WAITING), "accepted");
  assert.equal(fold(P.WAITING, P.KEPT), "accepted");
  assert.equal(fold(P.SENDING, P.WAITING), "submitted");
  assert.equal(fold(P.SENT, P.WAITING), "submitted");
  assert.equal(fold(P.SENT, P.REJECTED), "submitted");
  assert.equal(fold(P.SENT, P.DELIVERED), "sent");
  assert.equal(fold(P.RETRYING, P.SENT), "retrying");
  assert.equal(fold(P.AMBIGUOUS, P.RETRYING), "ambiguous");
  assert.equal(fold(P.HELD, P.AMBIGUOUS), "held");
  assert.equal(fold(P.DELIVERED, P.UNDELIVERED), "undelivered");
  assert.equal(fold(P.DELIVERED, P.UNDELIVERED, P.FAILED), "failed");
  assert.equal(fold(P.FAILED, P.REJECTED), "rejected");
  assert.equal(fold(P.EXPIRED, P.UNKNOWN), "expired");
  assert.equal(fold(P.UNKNOWN, P.DELIVERED), "unknown");
  assert.equal(fold(P.SENT_FINAL), "sent");
});
