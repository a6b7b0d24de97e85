/**
 * Operators by name: what an ESME should be tried against, each a set of options that can be
 * combined with others.
 *
 * A later scenario, and any option of the command line, takes the place of an earlier one's. Pure
 * data; any thread may read it.
 */
import { COMMAND_STATUS } from "../codec/index.ts";
import { MALFORMED_KINDS, type MalformedKind } from "./malformed.ts";
import type { SmscOptions } from "./options.ts";

export interface Scenario {
  readonly summary: string;
  readonly options: Partial<SmscOptions>;
}

const { ESME_RTHROTTLED, ESME_RMSGQFUL, ESME_RSYSERR, ESME_RBINDFAIL, ESME_RINVPASWD } =
  COMMAND_STATUS;

/** One malformed PDU of each of these kinds in turn, every so many submits. */
function malformed(every: number, ...kinds: MalformedKind[]): Partial<SmscOptions> {
  return { malformedEvery: every, malformed: kinds };
}

const KINDS = Object.keys(MALFORMED_KINDS) as MalformedKind[];
const FRAMING: readonly MalformedKind[] = ["short_length", "huge_length", "garbage", "foreign"];
const SURVIVABLE = KINDS.filter((kind) => !FRAMING.includes(kind));

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  clean: {
    summary: "answers at once, receipts follow: the operator of the brochure",
    options: { enquireLinkIntervalMs: 5_000 },
  },
  "fixed-latency": {
    summary: "every answer after 200 ms",
    options: { latencyMs: [200, 200], receiptDelayMs: [500, 500] },
  },
  "long-tail": {
    summary: "answers around 20 ms, one in a hundred after 400 ms and more, out of order",
    options: { latencyMs: [0, 20, "long_tail"], receiptDelayMs: [0, 200, "exponential"] },
  },
  "reordered-answers": {
    summary: "answers after 0 to 100 ms each: in any order",
    options: { latencyMs: [0, 100] },
  },
  "lost-answers": {
    summary: "2 % of what is accepted is never answered, but gets its receipt",
    options: { dropAnswers: 0.02 },
  },
  "late-answers": {
    summary: "2 % of the answers come 45 s late, after most ESMEs' response timeout",
    options: { lateAnswers: 0.02 },
  },
  "throttle-storm": {
    summary: "after 5 s everything gets ESME_RTHROTTLED for 10 s, and again every minute",
    options: {
      storms: [{ status: ESME_RTHROTTLED, fromMs: 5_000, toMs: 15_000, everyMs: 60_000 }],
    },
  },
  "sparse-throttling": {
    summary: "0.2 % ESME_RTHROTTLED and 0.1 % ESME_RMSGQFUL for no reason",
    options: {
      refusals: [
        { status: ESME_RTHROTTLED, share: 0.002 },
        { status: ESME_RMSGQFUL, share: 0.001 },
      ],
    },
  },
  flaky: {
    summary: "5 % ESME_RSYSERR and 5 % ESME_RTHROTTLED, answers after 5 to 50 ms",
    options: {
      latencyMs: [5, 50],
      refusals: [
        { status: ESME_RSYSERR, share: 0.05 },
        { status: ESME_RTHROTTLED, share: 0.05 },
      ],
    },
  },
  "strict-rate": {
    summary: "100 submits within any second and 10 unanswered; more is refused, and an error",
    options: { tps: 100, window: 10, latencyMs: [20, 20] },
  },
  "early-receipts": {
    summary: "half of the receipts come before their submit_sm_resp",
    options: { receiptBeforeAnswer: 0.5, latencyMs: [5, 20] },
  },
  "hex-ids": {
    summary: "ids in hexadecimal in answers, in decimal in receipts",
    options: { idFormat: "hex-resp-decimal-receipt" },
  },
  "padded-ids": {
    summary: "ids with leading zeros in answers, without in receipts",
    options: { idFormat: "zero-padded" },
  },
  "unruly-receipts": {
    summary: "10 % of the receipts come twice, 5 % are contradicted, 5 % are for unknown ids",
    options: { duplicateReceipts: 0.1, contradictReceipts: 0.05, strayReceipts: 0.05 },
  },
  "one-byte-writes": {
    summary: "every octet in a write of its own",
    options: { writeBytes: 1 },
  },
  "slow-reader": {
    summary: "reads 20,000 octets a second",
    options: { readBytesPerS: 20_000 },
  },
  "never-reads": {
    summary: "reads nothing any more on the connection of every 100th submit",
    options: { deafEvery: 100 },
  },
  "half-open": {
    summary: "goes silent on the connection of every 100th submit, which stays open",
    options: { silentEvery: 100 },
  },
  "cut-mid-pdu": {
    summary: "cuts the connection of every 100th submit within a PDU",
    options: { cutMidPduEvery: 100 },
  },
  "dropped-connections": {
    summary: "cuts the connection at every 100th submit, which is accepted and not answered",
    options: { disconnectEvery: 100 },
  },
  "operator-unbinds": {
    summary: "unbinds from the session of every 100th submit",
    options: { unbindEvery: 100 },
  },
  malformed: {
    summary: "every 20 submits a PDU with bad fields, an unknown command or a stray response",
    options: malformed(20, ...SURVIVABLE),
  },
  "bad-framing": {
    summary: "every 100 submits something that is no PDU, and then silence",
    options: malformed(100, ...FRAMING),
  },
  "bind-cap": {
    summary: "one session a system_id; another bind gets ESME_RALYBND",
    options: { bindsMax: 1 },
  },
  "bind-errors": {
    summary: "a third of the binds gets ESME_RBINDFAIL, ESME_RSYSERR or ESME_RINVPASWD",
    options: {
      bindRefusals: [
        { status: ESME_RBINDFAIL, share: 0.15 },
        { status: ESME_RSYSERR, share: 0.15 },
        { status: ESME_RINVPASWD, share: 0.03 },
      ],
    },
  },
  "slow-binds": {
    summary: "binds are answered after 1 to 3 s, one in ten never",
    options: { bindDelayMs: [1_000, 3_000], bindSilence: 0.1 },
  },
  "no-transceiver": {
    summary: "does not know bind_transceiver",
    options: { transceiver: false },
  },
  "silent-enquiries": {
    summary: "never answers enquire_link",
    options: { answersEnquireLink: false },
  },
};

/** The options of these scenarios together; throws RangeError for a name that is none. */
export function scenarioOptions(names: readonly string[]): Partial<SmscOptions> {
  let options: Partial<SmscOptions> = {};
  for (const name of names) {
    const scenario = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
    if (scenario === undefined) {
      const allowed = Object.keys(SCENARIOS).join(", ");
      throw new RangeError(`scenario: "${name}" is unknown, allowed: ${allowed}`);
    }
    options = { ...options, ...scenario.options };
  }
  return options;
}
