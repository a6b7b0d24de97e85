/** `smsgw journal` as a user runs it, on real directories that are intact, torn and damaged. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startEpoch } from "../../../src/journal/data-dir.ts";
import { lockDataDir } from "../../../src/journal/data-dir-lock.ts";
import { examineLog } from "../../../src/journal/log-examination.ts";
import { openNodeLogDirectory } from "../../../src/journal/node-log-directory.ts";
import { recoverLog } from "../../../src/journal/recovery.ts";
import { segmentName } from "../../../src/journal/segments.ts";
import { writeMessageKey } from "../../../src/ledger/messages/message-state.ts";
import { openLmdbStore } from "../../../src/ledger/store/lmdb-store.ts";
import { encodeMeta, LedgerMeta, META_KEY } from "../../../src/ledger/store/meta.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import { ACCEPT_TYPE } from "../../../src/records/accept.ts";
import { ANSWER_TYPE, Attempt, Outcome } from "../../../src/records/attempt.ts";
import { MESSAGE_KEY_BYTES } from "../../../src/records/message-key.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { sampleLength, shortSample, writeAcceptFields } from "../../support/accept-record.ts";
import { JournalRig } from "../../support/journal-rig.ts";

const PROGRAM = fileURLToPath(new URL("../../../src/cli/smsgw.js", import.meta.url));
const MESSAGES = 40;
/** Start of the segment that stands ready behind the first one. */
const PREPARED = 65536;
const folder = mkdtempSync(join(tmpdir(), "smsgw-journal-cli-"));
after(() => rmSync(folder, { recursive: true }));
const intact = join(folder, "intact");
const end = writeLog(intact);

/** A log with one ACCEPT and one ANSWER a message, one block each. Returns its end. */
function writeLog(path: string): number {
  const directory = openNodeLogDirectory(path);
  startEpoch(directory, "gw-1", 0);
  const rig = new JournalRig({ directory, appenders: 1 });
  const [appender] = rig.appenders;
  assert.ok(appender !== undefined);
  for (let sequence = 0; sequence < MESSAGES; sequence++) {
    const sample = shortSample(sequence);
    writeAcceptFields(appender.memory, appender.claim(sampleLength(sample), ACCEPT_TYPE), sample);
    appender.publish();
    rig.journal.doWork();
    const at = appender.claim(Attempt.SMSC_ID + 4, ANSWER_TYPE);
    const { view, bytes } = appender.memory;
    view.setFloat64(at + Attempt.SEQUENCE, sequence, true);
    view.setUint32(at + Attempt.ORIGIN, sample.origin, true);
    view.setFloat64(at + Attempt.AT, 1_700_000_000_000, true);
    view.setUint8(at + Attempt.FLAGS, 0);
    view.setUint8(at + Attempt.OUTCOME, Outcome.REJECTED);
    view.setUint8(at + Attempt.SMSC_ID_LENGTH, 4);
    bytes.set(Buffer.from("ab\n1"), at + Attempt.SMSC_ID);
    appender.publish();
    rig.journal.doWork();
    appender.pollCommitted({ onCommitted: () => {} });
  }
  rig.journal.close();
  return rig.table.load(LogWord.COMMITTED);
}

function smsgw(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [PROGRAM, "journal", ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] },
  });
}

/** A copy of the intact directory with its first segment changed. */
function damaged(name: string, change: (bytes: Buffer) => void): string {
  const path = join(folder, name);
  cpSync(intact, path, { recursive: true });
  const file = join(path, segmentName(0));
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes);
  return path;
}

test("an intact log is counted", () => {
  const text = smsgw("verify", "--data-dir", intact);
  assert.equal(text.status, 0, text.stderr);
  assert.match(text.stdout, /ACCEPT 40, ANSWER 40\nintact\n$/);
  const json = smsgw("verify", "--json", "--data-dir", intact);
  const report = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.deepEqual(
    { ...report, segments: 0 },
    {
      data_dir: intact,
      segments: 0,
      first_offset: 0,
      end_offset: end,
      blocks: 2 * MESSAGES,
      epoch: 1,
      records: { ACCEPT: MESSAGES, ANSWER: MESSAGES },
      damage: null,
    },
  );
});

test("a torn tail is reported and no failure; verify changes nothing", () => {
  const path = damaged("torn", (bytes) => bytes.fill(0, end - 20));
  for (const _ of [1, 2]) {
    const { status, stdout } = smsgw("verify", "--data-dir", path);
    assert.equal(status, 0);
    assert.match(stdout, /torn tail in log-0{16}, log offset \d+: .*cuts \d+ bytes/);
  }
});

test("corruption ends with 73 and says where, and what is intact behind it", () => {
  const path = damaged("corrupt", (bytes) => bytes.fill(7, 100, 110));
  const { status, stdout } = smsgw("verify", "--json", "--data-dir", path);
  assert.equal(status, 73);
  const { damage } = JSON.parse(stdout) as { damage: Record<string, unknown> };
  assert.equal(damage["offset"], 0);
  assert.equal(damage["torn"], false);
  assert.ok((damage["next_intact"] as number) > 0);
  assert.equal(smsgw("inspect", "--data-dir", path).status, 73);
});

test("corruption is shown with its ids, and given up only at the offset that was shown", () => {
  const path = damaged("skipped", (bytes) => {
    bytes[100] = (bytes[100] as number) ^ 1;
  });
  const shown = smsgw("skip", "--data-dir", path);
  assert.equal(shown.status, 1);
  assert.match(shown.stdout, /ACCEPT +gw-1-0{14}00000101 lost\nnothing is changed.* --at 0\n$/);
  assert.equal(smsgw("skip", "--data-dir", path, "--at", "8").status, 1);
  assert.equal(smsgw("verify", "--data-dir", path).status, 73);
  const done = smsgw("skip", "--data-dir", path, "--at", "0", "--json");
  assert.equal(done.status, 0, done.stderr);
  const report = JSON.parse(done.stdout) as { records: { id: string }[]; copy: string };
  assert.equal(report.records.length, 1);
  assert.ok(readFileSync(join(path, report.copy)).length > 72);
  const after = smsgw("verify", "--data-dir", path);
  assert.equal(after.status, 0);
  assert.match(after.stdout, /ACCEPT 39, ANSWER 40|ANSWER 40, ACCEPT 39/);
  const again = smsgw("skip", "--data-dir", path, "--at", "0");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /intact/);
});

/** The ledger's store beside a log, with rows for these messages. */
async function writeStore(
  path: string,
  position: { cursor: number; replayFrom: number },
  sequences: readonly number[],
): Promise<void> {
  const store = openLmdbStore(join(path, "ledger"), 16 * 1024 * 1024);
  const meta = Object.assign(new LedgerMeta(), position);
  store.put(LedgerTable.META, META_KEY, encodeMeta(meta, { count: 0, parts: 0 }));
  for (const sequence of sequences) {
    const key = new Uint8Array(MESSAGE_KEY_BYTES);
    writeMessageKey(new DataView(key.buffer), 0, sequence, shortSample(sequence).origin);
    store.put(LedgerTable.ROWS, key, Uint8Array.of(1));
  }
  store.commit();
  await store.close();
}

function blocksOf(path: string): number[] {
  const blocks: number[] = [];
  const onBlock = (offset: number): void => void blocks.push(offset);
  examineLog(openNodeLogDirectory(path), null, { onBlock, onRecord: () => {} });
  return blocks;
}

test("of what a start reads once more, only messages without a row are lost", async () => {
  const blocks = blocksOf(intact);
  const path = damaged("fresh", (bytes) => {
    for (const block of blocks.slice(0, 7)) bytes[block + 100] = (bytes[block + 100] as number) ^ 1;
  });
  const position = { replayFrom: blocks[2] as number, cursor: blocks[6] as number };
  await writeStore(path, position, [1]);
  const { stdout, stderr } = smsgw("skip", "--json", "--data-dir", path);
  const { records } = JSON.parse(stdout) as { records: { type: string; applied: boolean }[] };
  assert.deepEqual(
    records.map(({ type, applied }) => `${type} ${applied ? "is in the store" : "lost"}`),
    [
      "ACCEPT is in the store",
      "ANSWER is in the store",
      "ACCEPT is in the store",
      "ANSWER is in the store",
      "ACCEPT lost",
      "ANSWER is in the store",
      "ACCEPT lost",
    ],
    stderr,
  );
});

test("a lost head is given up from where a start reads once more", async () => {
  const blocks = blocksOf(intact);
  const path = damaged("headless", () => undefined);
  rmSync(join(path, segmentName(0)));
  const replayFrom = blocks[10] as number;
  await writeStore(path, { replayFrom, cursor: end }, []);
  const verified = smsgw("verify", "--json", "--data-dir", path);
  assert.equal(verified.status, 73);
  const { damage } = JSON.parse(verified.stdout) as { damage: Record<string, unknown> };
  assert.deepEqual([damage["offset"], damage["torn"]], [replayFrom, false]);
  const inspected = smsgw("inspect", "--limit", "1000", "--data-dir", path);
  assert.equal(inspected.status, 73);
  assert.match(
    inspected.stderr,
    /^corruption in .*: first segments are gone; intact blocks behind/,
  );
  const shown = smsgw("skip", "--data-dir", path);
  assert.match(
    shown.stdout,
    new RegExp(`${PREPARED - replayFrom} bytes that the ledger had still`),
  );
  const done = smsgw("skip", "--data-dir", path, "--at", `${replayFrom}`);
  assert.equal(done.status, 0, done.stderr);
  const directory = openNodeLogDirectory(path);
  const options = { segmentBytes: PREPARED, from: end, replayFrom };
  const { nextOffset, tailFrom } = recoverLog(directory, options);
  assert.deepEqual([tailFrom, nextOffset], [replayFrom, PREPARED]);
  assert.equal(smsgw("verify", "--data-dir", path).status, 0);
});

test("a log that ends before the ledger's cursor is corrupt, not torn", async () => {
  const path = damaged("short", (bytes) => bytes.fill(0, end - 20));
  await writeStore(path, { replayFrom: end, cursor: end }, []);
  const { status, stdout } = smsgw("verify", "--data-dir", path);
  assert.equal(status, 73);
  assert.match(stdout, /corruption in log-0{16}, log offset \d+: .*behind it: none\n$/);
});

test("records are printed with masked numbers and without their text", () => {
  const { status, stdout } = smsgw("inspect", "--data-dir", intact, "--limit", "3");
  assert.equal(status, 0);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 3);
  assert.match(lines[0] ?? "", /^ +72 ACCEPT +id=gw-1-0{14}00000101 .* to=998\*{6}567 parts=1 /);
  assert.match(lines[1] ?? "", /ANSWER .* outcome=rejected command_status=\d+ smsc_id=ab\.1$/);
  assert.doesNotMatch(stdout, /body 0|998901234567/);
});

test("a stretch of records as JSON lines", () => {
  const all = smsgw("inspect", "--json", "--data-dir", intact, "--limit", "1000").stdout;
  const records = all
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { log_offset: number });
  assert.equal(records.length, 2 * MESSAGES);
  const from = String(records[10]?.log_offset);
  const some = smsgw("inspect", "--json", "--data-dir", intact, "--from", from, "--limit", "2");
  const shown = some.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  assert.deepEqual(shown, records.slice(10, 12));
});

test("a directory in use cannot be verified, but looked into", async () => {
  const lock = await lockDataDir(intact);
  const { status, stderr } = smsgw("verify", "--data-dir", intact);
  assert.equal(status, 73);
  assert.match(stderr, /in use/);
  assert.equal(smsgw("inspect", "--data-dir", intact).status, 0);
  lock.release();
});

test("what cannot be understood or found is said", () => {
  for (const args of [[], ["nope"], ["verify", "x"], ["inspect", "--from", "-1"]]) {
    assert.equal(smsgw(...args, "--data-dir", intact).status, 2, args.join(" "));
  }
  assert.equal(smsgw("verify", "--data-dir", join(folder, "missing")).status, 1);
  assert.equal(smsgw("verify").status, 78, "no configuration");
  const foreign = smsgw("verify", "--data-dir", folder);
  assert.equal(foreign.status, 1, "no log is not an intact one");
  assert.match(foreign.stderr, /is no gateway's data directory/);
});
