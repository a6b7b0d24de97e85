/**
 * A message's way through the ingress thread and the journal, stage by stage, in one thread and
 * without sockets; what follows is bench:worker.
 *
 *   bytes ─parse─► body ─accept─► ACCEPT staged ─commit─► on disk ─publish─► submit ring, 202
 *
 *   npm run bench:stages -- [--seconds 3] [--messages 256] [--json FILE]
 *
 * `--messages` go through each stage together, as one commit. Medians, in µs a message; the
 * reference of the commit is a bare write and fdatasync of as many bytes, in the same rounds.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removalAtOnce } from "../../test/support/removal-directory.ts";
import { readFlags } from "../../test/support/flags.ts";
import { messageText } from "../../src/cli/load/requests.ts";
import { Admit } from "../../src/ingress/admission/admission.ts";
import { PlainMessage } from "../../src/ingress/admission/plain-message.ts";
import { openNodeLogDirectory } from "../../src/journal/node-log-directory.ts";
import { LogWord } from "../../src/tables/log-table.ts";
import { IngressRig } from "../../test/unit/ingress/rig.ts";
import { describeOrigin, origin } from "../load/machine.ts";
import { type Measure, writeFigures } from "../load/results.ts";
import { median } from "../load/statistics.ts";

const SCOPES_ALL = -1;
const CREDIT = 1 << 29;
const REFERENCE_BLOCKS = 64;
const STAGES = ["parse", "accept", "commit", "publish", "reference"] as const;

const CONFIG = `
node: { name: gw-1 }
apps: [{ id: 1, name: demo, rate_tps: 100000, burst: 1000000, scopes: [send] }]
links: [{ id: 100, host: 127.0.0.1, port: 2775, system_id: a }]
pools: [{ id: 1000, name: main, members: [{ link: 100, weight: 1 }] }]
routes: [{ prefix: "998", to: 1000 }]
auth: { jwt: { secret_file: secret } }
workers: { count: 2 }
`;

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "3" },
    messages: { type: "string", default: "256" },
    json: { type: "string" },
  },
});

type StageTimes = Record<(typeof STAGES)[number], number[]>;

const folder = mkdtempSync(join(tmpdir(), "smsgw-stages-"));
try {
  main(Number(flags.seconds) * 1000, Number(flags.messages));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function main(forMs: number, count: number): void {
  const from = origin();
  console.log(describeOrigin(from));
  const times = measure(forMs, count);
  const measures: Measure[] = STAGES.map((stage) => ({
    name: stage === "reference" ? "bare write + fdatasync" : stage,
    unit: "µs a message",
    better: "lower",
    values: [median(times[stage])],
  }));
  for (const { name, values } of measures) {
    console.log(`${name.padEnd(24)} ${(values[0] as number).toFixed(2).padStart(8)} µs a message`);
  }
  console.log(`${times.parse.length} rounds of ${count} messages`);
  if (flags.json !== undefined) writeFigures(flags.json, "stages", from, flags, measures);
}

function measure(forMs: number, count: number): StageTimes {
  const log = openNodeLogDirectory(join(folder, "log"));
  const rig = new IngressRig({ config: CONFIG, log, pendingMax: 16_384, waitingMax: 1 << 20 });
  rig.grant(0, 0, CREDIT);
  const removal = removalAtOnce(log, rig.logTable);
  const reference = makeReference(join(folder, "reference"));
  const bodies = Array.from({ length: count }, (_, i) => Buffer.from(messageText(i, false)));
  const plains = bodies.map(() => new PlainMessage());
  const ticket = { accepted: (): void => undefined };
  const times: StageTimes = { parse: [], accept: [], commit: [], publish: [], reference: [] };
  const timed = <T>(stage: keyof StageTimes, work: () => T): T => {
    const startedAt = performance.now();
    const result = work();
    times[stage].push(((performance.now() - startedAt) * 1000) / count);
    return result;
  };
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    rig.clock.nowMs += 1000;
    const logBefore = rig.logTable.load(LogWord.COMMITTED);
    const areRead = timed("parse", () => bodies.every((bytes, i) => plains[i]?.read(bytes)));
    if (!areRead) throw new Error("a message is not plain");
    timed("accept", () => {
      for (const body of plains) {
        const code = rig.ingress.accept(0, body, SCOPES_ALL, ticket);
        if (code !== Admit.STAGED) throw new Error(`a message was refused: ${code}`);
      }
      rig.appender.publish();
    });
    timed("commit", () => {
      while (rig.journal.doWork() > 0);
    });
    timed("publish", () => {
      while (rig.ingress.doWork() > 0);
    });
    if (rig.submitted().length !== count) throw new Error("the submit ring lacks messages");
    const committed = rig.logTable.load(LogWord.COMMITTED);
    timed("reference", () => reference.write(committed - logBefore));
    rig.logTable.store(LogWord.LEDGER_APPLIED, committed);
    rig.logTable.store(LogWord.RELEASABLE, committed);
    removal.onTick();
  }
  reference.close();
  rig.journal.close();
  return times;
}

/** A file that has its full length already. */
function makeReference(path: string): { write: (bytes: number) => void; close: () => void } {
  const block = Buffer.alloc(1 << 20, 1);
  const file = openSync(path, "w");
  for (let i = 0; i < REFERENCE_BLOCKS; i++) writeSync(file, block);
  fdatasyncSync(file);
  let next = 0;
  return {
    write: (bytes) => {
      writeSync(file, block, 0, Math.min(bytes, block.length), (next++ % REFERENCE_BLOCKS) << 20);
      fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}
