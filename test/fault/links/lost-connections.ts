/**
 * F9: the SMSC drops the connection in the middle of a window, by RST or FIN, after the k-th byte
 * of what we write or of what it answers.
 *
 * Judged by what the SMSC has read whole and by what the sender knows: nothing is lost, a message
 * arrives twice only after an ambiguity, at most a window of them for each drop, and never where
 * the policy is to fail.
 */
import { COMMAND_ID } from "../../../src/codec/index.ts";
import { LiveLinks } from "../../support/live-links.ts";
import {
  type CutKind,
  type ScriptedPeer,
  ScriptedSmsc,
  submitSmResp,
} from "../../support/scripted-smsc.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { RowRecorder, type RowReport } from "./report.ts";

const WINDOW = 20;
const SPEED = 40;
const SUBMIT_BYTES = 70;
/** Real time for all drops. */
const DROPS_MS_MAX = 600_000;

/** `trials` drops, half with the policy to send again and half with the policy to fail. */
export async function lostConnections(trials: number, seed: number): Promise<RowReport> {
  const row = new RowRecorder(
    "F9",
    "connection lost in mid-window, RST or FIN after the k-th byte",
  );
  await dropUnder("resend", Math.ceil(trials / 2), seed, row);
  await dropUnder("fail", Math.floor(trials / 2), seed + 1, row);
  return row.report();
}

async function dropUnder(
  policy: "resend" | "fail",
  trials: number,
  seed: number,
  row: RowRecorder,
): Promise<void> {
  const random = seededRandom(seed);
  const smsc = new ScriptedSmsc();
  let drops = 0;
  smsc.onConnection = (peer) => {
    if (drops >= trials) return;
    drops += 1;
    row.trials += 1;
    const kind: CutKind = random() < 0.5 ? "rst" : "fin";
    const bindBytes = 60;
    const bytes = bindBytes + integerIn(random, 1, WINDOW * SUBMIT_BYTES);
    if (random() < 0.7) peer.cutAfter(bytes, kind);
    else cutInAnswer(peer, integerIn(random, 1, WINDOW - 1), integerIn(random, 1, 24), kind);
  };
  smsc.onSubmit = (submit) => {
    // Some answers are on their way, some never leave.
    return submit.peer.index < trials && random() < 0.5 ? null : smsc.nextId();
  };
  const port = await smsc.listen();
  const links = new LiveLinks({
    links: [{ port, windowMax: WINDOW, sessions: 2, responseTimeoutMs: 20_000 }],
    policy,
    speed: SPEED,
    // It never holds long enough to start over with short waits: the jitter keeps them short.
    random: () => random() * 0.05,
  });
  await links.until(
    () => {
      if (links.openCount < 2 * WINDOW) links.submit(WINDOW);
      return drops >= trials;
    },
    "all dropped",
    DROPS_MS_MAX,
  );
  smsc.onSubmit = () => smsc.nextId();
  await links.until(() => links.openCount === 0, "every message has its end", 60_000);
  judge(links, smsc, policy, drops, row);
  await links.stop();
  await smsc.close();
}

/** Ends the connection in the middle of the response to the n-th submit. */
function cutInAnswer(peer: ScriptedPeer, submits: number, bytes: number, kind: CutKind): void {
  let count = 0;
  peer.onPdu = ({ commandId, sequenceNumber }) => {
    if (commandId !== COMMAND_ID.submit_sm) return false;
    count += 1;
    if (count !== submits) return false;
    const whole = submitSmResp(sequenceNumber, "cut");
    peer.socket.write(whole.subarray(0, bytes), () => peer.cut(kind));
    return true;
  };
}

function judge(
  links: LiveLinks,
  smsc: ScriptedSmsc,
  policy: "resend" | "fail",
  drops: number,
  row: RowRecorder,
): void {
  const arrivals = new Map<string, number>();
  for (const { text } of smsc.submits) arrivals.set(text, (arrivals.get(text) ?? 0) + 1);
  let duplicates = 0;
  for (const message of links.messages) {
    const times = arrivals.get(message.text) ?? 0;
    duplicates += Math.max(0, times - 1);
    const { text, state, ambiguities } = message;
    row.check(state !== "accepted" || times >= 1, () => `${text} accepted, never arrived`);
    row.check(
      times <= 1 + ambiguities,
      () => `${text} arrived ${times} times with ${ambiguities} ambiguities`,
    );
    if (policy === "fail") row.check(times <= 1, () => `${text} arrived ${times} times under fail`);
    else row.check(state === "accepted", () => `${text} is ${state} under resend`);
  }
  const ambiguities = links.messages.reduce((sum, one) => sum + one.ambiguities, 0);
  row.check(
    ambiguities <= drops * WINDOW,
    () => `${ambiguities} ambiguities after ${drops} drops of a window of ${WINDOW}`,
  );
  row.noteWorst(`messages_${policy}`, links.messages.length);
  row.noteWorst(`duplicates_${policy}`, duplicates);
}
