/** How operators may behave for a while, and bytes that none in its right mind sends. */
import { COMMAND_STATUS } from "../../src/codec/index.ts";
import type { FaultRow } from "./fault-rows.ts";
import { GOOD_MOOD, type Mood } from "./simulated-smsc.ts";

interface MoodKind {
  readonly row: FaultRow;
  readonly mood: Mood;
}

function mood(row: FaultRow, name: string, change: Partial<Mood>): MoodKind {
  return { row, mood: { ...GOOD_MOOD, name, ...change } };
}

const { ESME_RBINDFAIL, ESME_RINVPASWD, ESME_RINVSYSID, ESME_RALYBND } = COMMAND_STATUS;

export const MOODS: readonly MoodKind[] = [
  mood("F16 throttle storm", "throttle storm", { throttles: 1 }),
  mood("F16 throttle storm", "half throttled", { throttles: 0.4 }),
  mood("F11 slow answers", "slow", { answerMs: [300, 1500] }),
  mood("F11 slow answers", "slower than the gateway waits", { answerMs: [1000, 10_000] }),
  mood("F10 answers nothing", "mute", { mute: true }),
  mood("F18 refuses or hangs connections", "refuses connections", { greet: "refuse" }),
  mood("F18 refuses or hangs connections", "hangs connections", { greet: "hang" }),
  mood("F18 answers binds late", "answers binds late", { bindMs: 4000 }),
  mood("F18 answers binds late", "answers binds much too late", { bindMs: 31_000 }),
  mood("F18 refuses binds", "refuses binds", { bindStatus: ESME_RBINDFAIL }),
  mood("F18 refuses binds", "bad password", { bindStatus: ESME_RINVPASWD }),
  mood("F18 refuses binds", "unknown system_id", { bindStatus: ESME_RINVSYSID }),
  mood("F18 refuses binds", "already bound", { bindStatus: ESME_RALYBND }),
  mood("refuses much", "refuses much", { refusals: 0.5 }),
  mood("F14 answers lost", "loses answers", { dropAnswers: 0.2 }),
  mood("F14 answers late", "answers late", { lateAnswers: 0.2 }),
  mood("F14 answers twice", "answers twice", { doubleAnswers: 0.5 }),
  mood("F14 answers reordered", "reorders", { answerMs: [0, 800] }),
  mood("F14 answers of a wrong kind", "answers wrongly", { wrongAnswers: 0.3 }),
];

/** Bytes that no peer in its right mind sends. */
export const GARBAGE: readonly (readonly number[])[] = [
  [0, 0, 0, 8, 0, 0, 0, 0],
  [0x7f, 0xff, 0xff, 0xff],
  [0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
  [0, 0, 0, 16, 0, 0, 0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 9],
  [0, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4],
  [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e, 0x31],
];
