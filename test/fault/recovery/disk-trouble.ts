/**
 * F8: writes and syncs of the log and of the ledger's store that fail or last, by the shim; a data
 * directory that vanishes. F7: a disk without room for the log, by the shim, and a real full one.
 *
 * Each trouble comes to a gateway under load, on one data directory through all lives. What a
 * failed sync was to make durable is lost, so a 202 that came all the same shows as a loss. A file
 * whose sync failed must not be synced again by that process: the shim wrote down every sync.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LastExit, readLastExit } from "../../../src/journal/data-dir.ts";
import { openNodeLogDirectory } from "../../../src/journal/node-log-directory.ts";
import type { Workspace } from "../../support/processes.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { CallAction, CallKind, Errno, type Fault, FaultShim } from "./fault-shim.ts";
import type { Verdict } from "./judge.ts";
import { openScene, type Scene } from "./scene.ts";

/**
 * 75 in order; a process with a thread that hangs in its trouble kills itself or aborts, see
 * docs/THREADS.md.
 */
const ENDS: readonly (number | string)[] = [75, "SIGKILL", "SIGABRT"];
/** lmdb 3.5.6 writes beyond a piece of its heap when a page cannot be written (mdb_page_flush). */
const PAGE_WRITE_ENDS: readonly (number | string)[] = [...ENDS, "SIGSEGV"];
const PROMISED_BEFORE = 40;
const PROMISED_AFTER = 20;
const PASS_MAX = 20;
const SLOW_MS = 500;
/** A large store has megabytes of free pages; a busy machine takes minutes to use them up. */
const STORE_GROWS_MS = 300_000;
const NO_ROOM = "no room for the log";
const SMALL = "journal: { segment_bytes: 65536, bytes_max: 33554432 }";

export interface TroubleOptions {
  readonly workspace: Workspace;
  readonly rounds: number;
  readonly seed: number;
  readonly troubles?: readonly string[];
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
}

export interface TroubleResult {
  readonly seed: number;
  readonly trials: number;
  readonly by_trouble: Readonly<Record<string, number>>;
  /** What did not go as it should, in words. */
  readonly surprises: readonly string[];
  readonly failed_syncs: number;
  /** Syncs of a file after a failed one, by the same process. */
  readonly syncs_again: number;
  /** From room to the next 202, ms, the greatest. */
  readonly accepting_again_ms_max: number;
  readonly verdict: Verdict;
}

/** One trouble in one life; says what was wrong, or null. */
type Trouble = (stage: Stage) => Promise<string | null>;

interface Stage {
  readonly scene: Scene;
  readonly shim: FaultShim;
  readonly random: () => number;
  acceptingAgainMsMax: number;
}

function fails(kind: number, errno: number): Trouble {
  return async ({ scene, shim, random }) => {
    const pass = integerIn(random, 0, PASS_MAX);
    return await endsWithTrouble(scene, shim, {
      kind,
      action: CallAction.FAIL,
      pass,
      value: errno,
    });
  };
}

/** F8, by name. */
export const TROUBLES: Readonly<Record<string, Trouble>> = {
  "sync of the log: EIO": fails(CallKind.LOG_SYNC, Errno.EIO),
  "sync of the log: ENOSPC": fails(CallKind.LOG_SYNC, Errno.ENOSPC),
  "block of the log: EIO": fails(CallKind.LOG_BLOCK, Errno.EIO),
  "block of the log: ENOSPC": fails(CallKind.LOG_BLOCK, Errno.ENOSPC),
  "block of the log: EROFS": fails(CallKind.LOG_BLOCK, Errno.EROFS),
  "new segment: EROFS": fails(CallKind.SEGMENT_MAKE, Errno.EROFS),
  "log, read by the ledger: EIO": unreadable(CallKind.LOG_READ),
  "message in the log, read by a worker: EIO": unreadable(CallKind.WORKER_LOG_READ),
  "ledger's store, growth: ENOSPC": noRoomInStore,
  "ledger's store, write: ENOSPC": fails(CallKind.STORE_WRITE, Errno.ENOSPC),
  "ledger's store, write: EIO": fails(CallKind.STORE_WRITE, Errno.EIO),
  "ledger's store, sync: EIO": fails(CallKind.STORE_SYNC, Errno.EIO),
  "syncs of the log last 500 ms": slowDisk,
  "data directory vanishes": vanish,
};

/** F8. */
export async function troubleDisk(options: TroubleOptions): Promise<TroubleResult> {
  return await runTroubles(options, TROUBLES);
}

/** F7 by the shim: the log's files cannot grow, then they can again. */
export async function fillLog(options: TroubleOptions): Promise<TroubleResult> {
  return await runTroubles(options, { [NO_ROOM]: noRoom });
}

async function runTroubles(
  options: TroubleOptions,
  all: Readonly<Record<string, Trouble>>,
): Promise<TroubleResult> {
  const { workspace, rounds, seed, say } = options;
  const shim = new FaultShim(workspace.folder);
  const scene = await openScene({ workspace, env: shim.env, lines: [SMALL] });
  const stage = { scene, shim, random: seededRandom(seed), acceptingAgainMsMax: 0 };
  const counts: Record<string, number> = {};
  const surprises: string[] = [];
  for (let round = 1; round <= rounds && options.signal?.aborted !== true; round++) {
    for (const [name, trouble] of Object.entries(all)) {
      if (options.troubles !== undefined && !options.troubles.includes(name)) continue;
      await scene.start();
      scene.startLoad();
      await scene.untilPromised(PROMISED_BEFORE);
      const surprise = await trouble(stage);
      shim.clear();
      if (!scene.isGone) await scene.kill();
      if (surprise !== null) surprises.push(`${name}: ${surprise}`);
      counts[name] = (counts[name] ?? 0) + 1;
      say?.(`round ${round}, ${name}: ${surprise ?? "as it should be"}`);
    }
  }
  const verdict = await scene.conclude();
  return {
    seed,
    trials: Object.values(counts).reduce((sum, count) => sum + count, 0),
    by_trouble: counts,
    surprises,
    failed_syncs: shim.failedSyncs(),
    syncs_again: shim.syncsAfterFailure().length,
    accepting_again_ms_max: stage.acceptingAgainMsMax,
    verdict,
  };
}

async function endsWithTrouble(
  scene: Scene,
  shim: FaultShim,
  fault: Fault,
): Promise<string | null> {
  shim.arm(fault);
  const code = await scene.untilGone();
  const ends = fault.kind === CallKind.STORE_WRITE ? PAGE_WRITE_ENDS : ENDS;
  return ends.includes(code) ? null : `ended with ${code}: ${scene.gateway.lines.at(-1)}`;
}

/** Over two lives, in which the same messages are read: none must be held guilty of their ends. */
function unreadable(kind: number): Trouble {
  return async (stage) => await endsTwice(stage, kind);
}

async function endsTwice({ scene, shim }: Stage, kind: number): Promise<string | null> {
  const fault = { kind, action: CallAction.FAIL, pass: 0, value: Errno.EIO };
  const surprise = await endsWithTrouble(scene, shim, fault);
  if (surprise !== null) return surprise;
  shim.arm(fault);
  try {
    await scene.start();
    await scene.untilGone();
  } catch (error) {
    // It may end before it listens.
    if (shim.hits === 0) throw error;
  }
  const { reason, strikes } = readLastExit(openNodeLogDirectory(scene.dataDir)) as LastExit;
  const isTold = /EIO/.test(reason) && strikes.length === 0;
  return isTold ? null : `${reason}; ${strikes.length} records with strikes`;
}

async function slowDisk({ scene, shim }: Stage): Promise<string | null> {
  shim.arm({ kind: CallKind.LOG_SYNC, action: CallAction.DELAY, pass: 0, value: SLOW_MS });
  await scene.untilPromised(PROMISED_AFTER);
  shim.clear();
  await scene.untilPromised(PROMISED_AFTER);
  return scene.isGone ? "ended" : null;
}

/**
 * The log goes on in its open file until the next segment; the process ends then, also if something
 * has made a directory of that name again.
 */
async function vanish({ scene }: Stage): Promise<string | null> {
  const away = `${scene.dataDir}-away`;
  renameSync(scene.dataDir, away);
  mkdirSync(scene.dataDir);
  const code = await scene.untilGone();
  rmSync(scene.dataDir, { recursive: true, force: true });
  renameSync(away, scene.dataDir);
  return ENDS.includes(code) ? null : `ended with ${code}`;
}

async function noRoom(stage: Stage): Promise<string | null> {
  const { scene, shim, random } = stage;
  shim.limitLog(integerIn(random, 0, 200_000));
  try {
    await untilRefused(scene);
  } finally {
    shim.limitLog(null);
  }
  return await acceptsAgain(stage);
}

/** The ledger tries its commit again until there is room; meanwhile everything is refused. */
async function noRoomInStore(stage: Stage): Promise<string | null> {
  const { scene, shim } = stage;
  shim.arm({ kind: CallKind.STORE_GROW, action: CallAction.FAIL, pass: 0, value: Errno.ENOSPC });
  try {
    await untilRefused(scene, STORE_GROWS_MS);
  } finally {
    shim.clear();
  }
  return await acceptsAgain(stage);
}

async function untilRefused(scene: Scene, deadlineMs?: number): Promise<void> {
  const refused = (): number => scene.refusals.get(503) ?? 0;
  const enough = refused() + PROMISED_AFTER;
  await scene.until(() => refused() > enough || scene.isGone, "503 comes", deadlineMs);
}

async function acceptsAgain(stage: {
  readonly scene: Scene;
  acceptingAgainMsMax: number;
}): Promise<string | null> {
  const { scene } = stage;
  const from = Date.now();
  await scene.untilPromised(1);
  stage.acceptingAgainMsMax = Math.max(stage.acceptingAgainMsMax, Date.now() - from);
  await scene.untilPromised(PROMISED_AFTER);
  if (scene.isGone) return `ended: ${scene.gateway.lines.at(-1)}`;
  const { withoutRetryAfter } = scene;
  return withoutRetryAfter > 0 ? `${withoutRetryAfter} 503s without Retry-After` : null;
}

export interface FullDiskResult {
  readonly trials: number;
  readonly surprises: readonly string[];
  /** Gateways that ended while the disk was full. */
  readonly ended: number;
  /** From room to the next 202, ms, the greatest, of those that did not end. */
  readonly accepting_again_ms_max: number;
  readonly verdict: Verdict;
}

/**
 * F7 on a real full disk: `data_dir` on a tmpfs of 48 MiB that a file of somebody else fills. The
 * gateway refuses, and accepts again when that file is gone; or it ends for want of room, and the
 * next one goes on. Null where mounting is not allowed.
 */
export async function fillDisk(options: TroubleOptions): Promise<FullDiskResult | null> {
  const { workspace, rounds, say } = options;
  const dataDir = join(workspace.folder, "disk");
  mkdirSync(dataDir);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", dataDir]);
  if (mounted.status !== 0) return null;
  try {
    const scene = await openScene({ workspace, lines: [SMALL], dataDir });
    const stage = { scene, acceptingAgainMsMax: 0 };
    const surprises: string[] = [];
    let ended = 0;
    for (let round = 1; round <= rounds; round++) {
      await scene.start();
      scene.startLoad();
      await scene.untilPromised(PROMISED_BEFORE);
      const before = scene.refusals.get(503) ?? 0;
      fill(join(dataDir, "filler"));
      await scene.until(
        () => (scene.refusals.get(503) ?? 0) > before + PROMISED_AFTER || scene.isGone,
        "the full disk is noticed",
      );
      if (scene.isGone) ended += 1;
      rmSync(join(dataDir, "filler"));
      const surprise = scene.isGone ? null : await acceptsAgain(stage);
      if (surprise !== null) surprises.push(surprise);
      if (!scene.isGone) await scene.kill();
      const code = await scene.gateway.exited;
      if (!ENDS.includes(code)) surprises.push(`ended with ${code}`);
      say?.(`round ${round}: ${code}, ${scene.client.promised} promised`);
    }
    const { acceptingAgainMsMax: accepting_again_ms_max } = stage;
    const verdict = await scene.conclude();
    return { trials: rounds, surprises, ended, accepting_again_ms_max, verdict };
  } finally {
    spawnSync("umount", ["-l", dataDir]);
  }
}

/** Writes until there is no room. */
function fill(path: string): void {
  for (let bytes = 1 << 20; bytes >= 4096; bytes /= 2) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(bytes, 1), { flag: "a" });
    } catch {
      // Smaller pieces still fit.
    }
  }
}
