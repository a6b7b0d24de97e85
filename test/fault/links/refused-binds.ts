/**
 * SMSCs that do not let us bind (F18), and one that throttles everything (F16): in simulated time,
 * with a fake SMSC.
 *
 * The number of binds is compared with what the documented delays say, worked out here anew: full
 * jitter up to 1 s, 2 s, … 60 s; 30 s … 300 s, half as much jitter on top, where we are refused;
 * between 5 s and 10 s, 20 s, … 60 s where we are believed to be bound.
 */
import { COMMAND_ID, COMMAND_STATUS } from "../../../src/codec/index.ts";
import { Outcome } from "../../../src/records/attempt.ts";
import { decodeSubmit } from "../../unit/smpp/fake-smsc.ts";
import { World } from "../../unit/smpp/world.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { RowRecorder, type RowReport } from "./report.ts";

const HORIZON_MS = 1_800_000;
const TOLERANCE = 0.1;
/** The burst of a host, and one more each 100 ms. */
const DIALS_A_SECOND_MAX = 18;
const EXPECTED_RUNS = 4_000;

type Law = "ordinary" | "refused" | "bound";

interface Manner {
  readonly name: string;
  readonly law: Law;
  /** How long an attempt takes until it has failed. */
  readonly attemptMs: number;
  readonly set: (world: World) => void;
}

function refusing(name: string, status: number, law: Law): Manner {
  return {
    name,
    law,
    attemptMs: 3,
    set: (world) => {
      world.smsc.bindStatus = status;
    },
  };
}

const MANNERS: readonly Manner[] = [
  refusing("0D bind failed", COMMAND_STATUS.ESME_RBINDFAIL, "refused"),
  refusing("0E wrong password", COMMAND_STATUS.ESME_RINVPASWD, "refused"),
  refusing("0F wrong system_id", COMMAND_STATUS.ESME_RINVSYSID, "refused"),
  refusing("05 already bound", COMMAND_STATUS.ESME_RALYBND, "bound"),
  {
    name: "connection refused",
    law: "ordinary",
    attemptMs: 1,
    set: (world) => {
      world.smsc.greeting = "refuse";
    },
  },
  {
    name: "connection hangs",
    law: "ordinary",
    attemptMs: 5_000,
    set: (world) => {
      world.smsc.greeting = "hang";
    },
  },
  {
    name: "bind_resp after 30 s",
    law: "ordinary",
    attemptMs: 10_000,
    set: (world) => {
      world.smsc.bindStatus = null;
    },
  },
];

function delayMs(law: Law, failures: number, random: () => number): number {
  const doubled = 1000 * 2 ** Math.min(failures, 20);
  if (law === "ordinary") return random() * Math.min(60_000, doubled);
  if (law === "refused") return Math.min(300_000, 30 * doubled) * (1 + random() / 2);
  return 5_000 + random() * (Math.min(60_000, 10 * doubled) - 5_000);
}

/** Attempts in the horizon, on average, as the documented delays say. */
function expectedCount(manner: Manner): number {
  const random = seededRandom(99);
  let count = 0;
  for (let run = 0; run < EXPECTED_RUNS; run++) {
    let at = 0;
    for (let failures = 0; at < HORIZON_MS; failures++) {
      count += 1;
      at += manner.attemptMs + delayMs(manner.law, failures, random);
    }
  }
  return count / EXPECTED_RUNS;
}

/** F18: `trials` half hours of each manner. */
export function refusedBinds(trials: number, seed: number): RowReport {
  const row = new RowRecorder("F18", "binds refused, hanging or answered too late, for 30 min");
  for (const manner of MANNERS) {
    let count = 0;
    for (let trial = 0; trial < trials; trial++) {
      row.trials += 1;
      const world = new World({ stepMs: 5, random: seededRandom(seed * 1000 + row.trials) });
      manner.set(world);
      count += attempts(world, row);
    }
    const expected = expectedCount(manner) * trials;
    const off = Math.abs(count - expected) / expected;
    // A few trials scatter; many must come close.
    const allowed = Math.max(TOLERANCE, 3 / Math.sqrt(expected));
    row.check(off <= allowed, () => `${manner.name}: ${count} binds, expected ${expected}`);
    row.noteWorst(
      `off_by_share_${manner.name.replaceAll(" ", "_")}`,
      Math.round(off * 1000) / 1000,
    );
  }
  return row.report();
}

/** Runs the horizon; returns how often the main connection was tried. */
function attempts(world: World, row: RowRecorder): number {
  const end = world.nowMs + HORIZON_MS;
  const dialledAt: number[] = [];
  while (world.nowMs < end) {
    const before = world.smsc.sockets.length;
    world.step();
    for (let i = before; i < world.smsc.sockets.length; i++) dialledAt.push(world.nowMs);
  }
  for (let i = 0; i < dialledAt.length; i++) {
    const from = dialledAt[i] as number;
    const within = dialledAt.filter((at) => at >= from && at < from + 1000).length;
    row.check(within <= DIALS_A_SECOND_MAX, () => `${within} dials within a second`);
    row.noteWorst("dials_in_one_second", within);
  }
  row.check(world.smsc.open().length <= 2, () => "sockets are left open");
  // A refused transceiver is tried as a pair, too: its receiver has a schedule of its own.
  const receivers = world.smsc.sockets.filter((one) => one.of(COMMAND_ID.bind_receiver).length > 0);
  return dialledAt.length - receivers.length;
}

/** F16, what is not about rates: throttled for a minute, then served; nothing is lost. */
export function throttleStorms(trials: number, seed: number): RowReport {
  const row = new RowRecorder("F16", "everything throttled for 60 s, then nothing: none lost");
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const world = new World({
      links: [{ rateTps: 200 }],
      random: seededRandom(seed + row.trials),
    });
    let isStorm = true;
    world.smsc.onSubmit = () => (isStorm ? COMMAND_STATUS.ESME_RTHROTTLED : world.smsc.nextId());
    world.bindAll();
    const stormEnds = world.nowMs + 60_000;
    const count = 300;
    for (let i = 0; i < count; i++) world.submit({ text: `m${i}` });
    while (world.nowMs < stormEnds) world.step();
    const during = world.smsc.submits().length;
    isStorm = false;
    const accepted = (): number =>
      world.answers().filter(({ outcome }) => outcome === Outcome.ACCEPTED).length;
    world.runUntil(() => accepted() === count, 120_000);
    const taken = world.smsc.submits().slice(during);
    const texts = taken.map((pdu) => Buffer.from(decodeSubmit(pdu).shortMessage).toString());
    row.check(new Set(texts).size === count, () => `${new Set(texts).size} of ${count} arrived`);
    row.check(texts.length === count, () => `${texts.length} submits for ${count} messages`);
    row.check(world.worker.messageCount === 0, () => "something is left in the worker");
    row.noteWorst("submits_during_storm", during);
  }
  row.trials = trials;
  return row.report();
}
