/**
 * SMSCs that do not answer, answer late, stop, or never read: F10, F11, F12 and F19.
 *
 * Times are of the worker's clock, which here runs `SPEED` times as fast as the wall's.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { LiveLinks } from "../../support/live-links.ts";
import { ScriptedSmsc } from "../../support/scripted-smsc.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { RowRecorder, type RowReport } from "./report.ts";

const SPEED = 20;
/** Where the accuracy of a timer is measured. */
const TIMER_SPEED = 4;
const SMSGW = fileURLToPath(new URL("../../../src/cli/smsgw.js", import.meta.url));
const ENQUIRE_ANSWER_MS = 10_000;
const TOMBSTONES_MAX = 10;

/** F10: takes submits and answers none; each is ambiguous at its response timeout. */
export async function mutePeers(trials: number, seed: number): Promise<RowReport> {
  const row = new RowRecorder("F10", "the SMSC takes submits and never answers");
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const smsc = new ScriptedSmsc();
    smsc.onSubmit = () => null;
    const port = await smsc.listen();
    const responseTimeoutMs = 2_000;
    const links = new LiveLinks({
      links: [{ port, responseTimeoutMs, windowMax: 100 }],
      policy: "fail",
      speed: TIMER_SPEED,
      seed: seed + row.trials,
    });
    await links.until(() => links.world.boundCount() === 1, "bound");
    links.submit(30);
    await links.until(() => smsc.submits.length === 30, "all written");
    const writtenBy = links.nowMs;
    await links.until(() => links.openCount === 0, "all ambiguous");
    const lateMs = links.nowMs - writtenBy - responseTimeoutMs;
    row.noteWorst("ambiguous_late_ms", lateMs);
    await links.until(() => smsc.peers[0]?.isClosed === true, "closed");
    row.check(smsc.submits.length === 30, () => `${smsc.submits.length} submits arrived`);
    row.check(
      links.messages.every(({ ambiguities, state }) => ambiguities === 1 && state === "failed"),
      () => "a message was not ambiguous once",
    );
    const closed = links.world.logs.find(({ operation }) => operation === "lose a session");
    const cause = String(closed?.fields["cause"]);
    row.check(cause.includes("submits without answer"), () => `closed for ${cause}`);
    row.noteWorst("unanswered_before_close_max", TOMBSTONES_MAX);
    await links.stop();
    await smsc.close();
  }
  row.trials = trials;
  return row.report();
}

/** F11: answers late, with jitter; never more than the window is outstanding, and all of it is. */
export async function slowPeers(trials: number, seed: number): Promise<RowReport> {
  const row = new RowRecorder("F11", "answers after 1 s to 10 s; the window is respected");
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const random = seededRandom(seed + row.trials);
    const windowMax = integerIn(random, 1, 50);
    const smsc = new ScriptedSmsc();
    let outstanding = 0;
    let most = 0;
    smsc.onSubmit = (submit) => {
      outstanding += 1;
      most = Math.max(most, outstanding);
      const afterMs = integerIn(random, 1_000, row.trials % 2 === 0 ? 10_000 : 1_500);
      setTimeout(() => {
        outstanding -= 1;
        submit.peer.answer(submit, smsc.nextId());
      }, afterMs / SPEED);
      return null;
    };
    const port = await smsc.listen();
    const links = new LiveLinks({ links: [{ port, windowMax }], speed: SPEED, seed });
    await links.until(() => links.world.boundCount() === 1, "bound");
    links.submit(windowMax * 3);
    await links.until(() => links.openCount === 0, "all answered");
    row.check(most === windowMax, () => `${most} outstanding with a window of ${windowMax}`);
    row.check(
      smsc.submits.length === windowMax * 3,
      () => `${smsc.submits.length} submits for ${windowMax * 3} messages`,
    );
    row.noteWorst("window_max", windowMax);
    await links.stop();
    await smsc.close();
  }
  row.trials = trials;
  return row.report();
}

/** F12: the SMSC's process is stopped (SIGSTOP): its kernel still takes bytes, nobody answers. */
export async function stoppedPeers(trials: number, seed: number): Promise<RowReport> {
  const row = new RowRecorder("F12", "half-open: the SMSC's process is stopped in mid-traffic");
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const { child, port } = await startSmsc();
    const enquireLinkIntervalMs = 2_000;
    const links = new LiveLinks({
      links: [{ port, enquireLinkIntervalMs, windowMax: 10 }],
      speed: TIMER_SPEED,
      seed: seed + row.trials,
    });
    try {
      await links.until(() => links.world.boundCount() === 1, "bound");
      links.submit(20);
      await links.until(() => links.openCount === 0, "answered");
      child.kill("SIGSTOP");
      const stoppedAt = links.nowMs;
      links.submit(5);
      await links.until(() => links.world.boundCount() === 0, "found out");
      const tookMs = links.nowMs - stoppedAt;
      row.noteWorst("detection_over_interval_ms", tookMs - enquireLinkIntervalMs);
      row.noteWorst("detection_bar_over_interval_ms", ENQUIRE_ANSWER_MS);
      child.kill("SIGCONT");
      await links.until(() => links.openCount === 0, "sent after all");
      row.check(
        links.messages.every(({ state }) => state === "accepted"),
        () => "a message was lost",
      );
      await links.stop();
    } finally {
      child.kill("SIGKILL");
    }
  }
  row.trials = trials;
  return row.report();
}

/**
 * F19: the SMSC floods with deliver_sm and reads nothing. It runs on a thread of its own, so that
 * the memory seen here is the worker's.
 */
export async function floodingPeers(trials: number, seed: number): Promise<RowReport> {
  const row = new RowRecorder("F19", "the SMSC floods with deliver_sm and never reads");
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const flood = new Worker(new URL("./flooding-smsc.js", import.meta.url));
    const [port] = (await once(flood, "message")) as [number];
    const lastTaken = once(flood, "message") as Promise<[number]>;
    const other = new ScriptedSmsc();
    const otherPort = await other.listen();
    const links = new LiveLinks({
      links: [{ port: otherPort }, { port }],
      speed: SPEED,
      seed: seed + row.trials,
    });
    await links.until(() => links.world.boundCount() === 2, "bound");
    const before = memoryBytes();
    let most = 0;
    await links.until(() => {
      most = Math.max(most, memoryBytes() - before);
      return links.world.boundCount() === 1;
    }, "closed");
    const [lastTakenAt] = await lastTaken;
    row.noteWorst("closed_after_ms", (Date.now() - lastTakenAt) * SPEED);
    row.noteWorst("memory_bytes", most);
    const others = links.submit(10).filter((_, i) => i % 2 === 0);
    await links.until(
      () => others.every(({ state }) => state === "accepted"),
      "the other link goes on",
    );
    row.check(other.binds.length === 1, () => "the other link bound again");
    await flood.terminate();
    await links.stop();
    await other.close();
  }
  row.trials = trials;
  return row.report();
}

function memoryBytes(): number {
  const { external, arrayBuffers } = process.memoryUsage();
  return external + arrayBuffers;
}

async function startSmsc(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [SMSGW, "smsc", "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (!line.includes("listening on")) continue;
    return { child, port: Number(line.split(":").at(-1)) };
  }
  throw new Error("the simulator did not start");
}
