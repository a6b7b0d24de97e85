/**
 * Bugs that were never made, put in from outside by wrapping the gateway's surroundings: each must
 * be found by some seed, or the simulation is blind there.
 */
import type { Dial, Socket } from "../../src/environment.ts";
import { COMMAND_ID, readCommandId } from "../../src/codec/index.ts";
import { JournalAppender } from "../../src/journal/appender.ts";
import type { LogDirectory, LogFile } from "../../src/journal/log-directory.ts";
import type { LogTailer, RecordVisitor } from "../../src/journal/log-reading.ts";
import type { OutcomeObserver } from "../../src/ledger/outcomes.ts";
import {
  COMMIT_NOTICE_BYTES,
  COMMIT_NOTICE_TYPE,
  CommitNotice,
} from "../../src/records/commit-notice.ts";
import { RECORD_FLAGS_PLAIN, RECORD_VERSION, RecordType } from "../../src/records/types.ts";
import { allocateRing } from "../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { LinkWord, rowWord } from "../../src/tables/link-table.ts";
import type { Effects } from "./effects.ts";
import { type Mutations, NO_MUTATIONS } from "./mutations.ts";
import type { ProcessMemory } from "./process-memory.ts";
import type { RunOptions } from "./run-seed.ts";
import { SimulatedStore, type StoreRemains, type StoreTiming } from "./simulated-store.ts";

export interface Canary {
  readonly name: string;
  /** What some violation must say. */
  readonly sings: RegExp;
  readonly options: RunOptions;
}

const NOTICE_RING_BYTES = 256 * 1024;

/** A staging ring whose records count as committed the moment they are published. */
class HastyStaging extends RingProducer {
  readonly #notices: RingProducer;

  constructor(buffer: SharedArrayBuffer, notices: RingProducer) {
    super(new RingMemory(buffer));
    this.#notices = notices;
  }

  override publish(): void {
    super.publish();
    const { view } = this.#notices;
    const at = this.#notices.claim(
      COMMIT_NOTICE_BYTES,
      COMMIT_NOTICE_TYPE,
      RECORD_VERSION,
      RECORD_FLAGS_PLAIN,
    );
    if (at < 0) throw new Error("the canary's notice ring is full");
    view.setFloat64(at + CommitNotice.LOG_OFFSET, 0, true);
    view.setInt32(at + CommitNotice.END_POSITION, this.claimedPosition, true);
    this.#notices.publish();
  }
}

/** A ring that nobody reads: it frees what it publishes. */
class UnreadRing extends RingProducer {
  override publish(): void {
    super.publish();
    this.releaseTo(this.claimedPosition);
  }
}

function hastyAppender(memory: ProcessMemory, appender: number, journal: number): JournalAppender {
  const notices = new RingMemory(allocateRing(NOTICE_RING_BYTES));
  return new JournalAppender(
    new HastyStaging(memory.stagingBuffer(appender), new RingProducer(notices)),
    new RingConsumer(notices),
    memory.bell(journal),
  );
}

/** Syncs of the log that only say they are. */
function lyingDirectory(directory: LogDirectory): LogDirectory {
  return {
    list: () => directory.list(),
    open: (name, create) => lyingFile(directory.open(name, create)),
    remove: (name) => directory.remove(name),
    rename: (from, to) => directory.rename(from, to),
    sync: () => directory.sync(),
  };
}

function lyingFile(file: LogFile): LogFile {
  return {
    write: (bytes, length, position) => file.write(bytes, length, position),
    dataSync: () => undefined,
    read: (into, offset, length, position) => file.read(into, offset, length, position),
    sizeBytes: () => file.sizeBytes(),
    truncate: (lengthBytes) => file.truncate(lengthBytes),
    close: () => file.close(),
  };
}

/** A tailer that skips every `nth` record of one type. */
function forgetfulTailer(tailer: LogTailer, forgotten: number, nth: number): LogTailer {
  let seen = 0;
  return {
    get position() {
      return tailer.position;
    },
    poll: (visitor, bytesMax) => {
      const skipping: RecordVisitor = {
        onRecord: (type, memory, offset, lengthBytes, logOffset) => {
          if (type === forgotten && ++seen % nth === 0) return;
          visitor.onRecord(type, memory, offset, lengthBytes, logOffset);
        },
      };
      return tailer.poll(skipping, bytesMax);
    },
  };
}

/** Sockets that write every 50th submit_sm twice. */
function stutteringDial(dial: Dial): Dial {
  let submits = 0;
  return (host, port, events) => {
    const socket = dial(host, port, events);
    const stuttering: Socket = {
      write: (bytes, start, end) => {
        socket.write(bytes, start, end);
        const isSubmit = end - start > 16 && readCommandId(bytes, start) === COMMAND_ID.submit_sm;
        if (isSubmit && ++submits % 50 === 0) socket.write(bytes, start, end);
      },
      get isDrained() {
        return socket.isDrained;
      },
      end: () => socket.end(),
      destroy: (cause) => socket.destroy(cause),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    };
    return stuttering;
  };
}

/** A store that says visible commits are durable, and forgets to flush for a long time. */
class RashStore extends SimulatedStore {
  constructor(effects: Effects, timing: StoreTiming, remains: StoreRemains | null) {
    super(effects, { ...timing, flushMs: () => 60_000 }, remains);
  }

  override get flushedCommit(): number {
    return this.visibleCommit;
  }
}

/** Rows that take every commit for flushed. */
function hastyRows(rows: OutcomeObserver): OutcomeObserver {
  return {
    ...bound(rows),
    doWork: (now) => rows.doWork(now, Number.POSITIVE_INFINITY),
  };
}

/** Rows that miss the end of every fiftieth message. */
function forgetfulRows(rows: OutcomeObserver): OutcomeObserver {
  let ends = 0;
  return {
    ...bound(rows),
    onStatus: (message, before) => {
      if (message.finalAt === 0 || ++ends % 50 !== 0) rows.onStatus(message, before);
    },
  };
}

function bound(rows: OutcomeObserver): OutcomeObserver {
  return {
    onPartFinal: (message, part) => rows.onPartFinal(message, part),
    onStatus: (message, before) => rows.onStatus(message, before),
    onDuplicate: (message, part) => rows.onDuplicate(message, part),
    onRefused: (memory, offset) => rows.onRefused(memory, offset),
    onKeyed: (memory, offset) => rows.onKeyed(memory, offset),
    beforeCommit: () => rows.beforeCommit(),
    doWork: (now, flushedCommit) => rows.doWork(now, flushedCommit),
  };
}

function canary(
  name: string,
  sings: RegExp,
  change: Partial<Mutations>,
  options: RunOptions = {},
): Canary {
  return { name, sings, options: { ...options, mutations: { ...NO_MUTATIONS, ...change } } };
}

export const CANARIES: readonly Canary[] = [
  canary("202 before the commit", /rule \(a\)/, { repliesEarly: true }),
  canary("commits published without their sync", /rule \(a\)|rule \(c\)/, {
    journalDirectory: lyingDirectory,
  }),
  canary("workers told of commits that did not happen", /rule \(c\)|rule \(d\)/, {
    workerAppender: hastyAppender,
    notices: (isWorker, notices) =>
      isWorker ? new UnreadRing(new RingMemory(allocateRing(16_384))) : notices,
  }),
  canary(
    "the ledger's cursor ahead of its flush",
    /lost|threw|never became final/,
    { Store: RashStore },
    { deathAt: "disk.sync_directory" },
  ),
  canary("SENDING forgotten by the ledger", /silent duplicate|maybe_dup/, {
    tailer: (tailer) => forgetfulTailer(tailer, RecordType.SENDING, 3),
  }),
  canary("RECEIPT forgotten by the ledger", /receipt/, {
    tailer: (tailer) => forgetfulTailer(tailer, RecordType.RECEIPT, 20),
  }),
  canary("ACCEPT forgotten by the ledger", /lost|threw/, {
    tailer: (tailer) => forgetfulTailer(tailer, RecordType.ACCEPT, 50),
  }),
  canary(
    "CDR rows sent out before they are flushed",
    /was put with other rows|missing or doubled|has CDR rows/,
    { cdrRows: hastyRows },
    { deathAt: "store.flush" },
  ),
  canary("a CDR row left out now and then", /has CDR rows/, { cdrRows: forgetfulRows }),
  canary("submit_sm written twice", /rule \(c\)|silent duplicate/, { dial: stutteringDial }),
  canary("contract tokens that never rest", /segments in a second/, {
    onTick: ({ plan, linkWords, contracts }) => {
      for (let link = 0; link < plan.linkCount; link++) {
        (contracts[link] as Int32Array).fill(0, 1);
        Atomics.store(linkWords, rowWord(link, LinkWord.PACE_DUE), 0);
      }
    },
  }),
];
