/**
 * Asks all workers for what the flight recorders of a link have kept. Main thread only.
 */
import type { Worker } from "node:worker_threads";
import type { SessionRecording } from "../smpp/session/session.ts";
import type { ThreadCommand, ThreadNote } from "./thread-data.ts";

/** A worker that does not answer in this time is left out. */
const ANSWER_MS_MAX = 2_000;

interface Question {
  readonly recordings: SessionRecording[];
  missing: number;
  readonly done: (recordings: readonly SessionRecording[]) => void;
}

export class LinkDumps {
  readonly #workers: readonly Worker[];
  readonly #open = new Map<number, Question>();
  readonly #onStalled: (linkId: number, recordings: readonly SessionRecording[]) => void;
  #last = 0;

  /** `onStalled` is given what was kept of a link that stalled. */
  constructor(
    workers: readonly Worker[],
    onStalled: (linkId: number, recordings: readonly SessionRecording[]) => void,
  ) {
    this.#workers = workers;
    this.#onStalled = onStalled;
    for (const worker of workers) worker.on("message", (note: ThreadNote) => this.#take(note));
  }

  /** Calls `done` once, with what has come within two seconds. */
  ask(linkId: number, done: (recordings: readonly SessionRecording[]) => void): void {
    this.#last += 1;
    const question = this.#last;
    this.#open.set(question, { recordings: [], missing: this.#workers.length, done });
    const command: ThreadCommand = { kind: "dump", question, linkId };
    for (const worker of this.#workers) worker.postMessage(command);
    setTimeout(() => this.#close(question), ANSWER_MS_MAX).unref();
  }

  #take(note: ThreadNote): void {
    if (note.kind === "stalled") {
      const { linkId } = note;
      this.ask(linkId, (recordings) => this.#onStalled(linkId, recordings));
    }
    if (note.kind !== "dumped") return;
    const open = this.#open.get(note.question);
    if (open === undefined) return;
    open.recordings.push(...note.recordings);
    open.missing -= 1;
    if (open.missing === 0) this.#close(note.question);
  }

  #close(question: number): void {
    const open = this.#open.get(question);
    this.#open.delete(question);
    open?.done(open.recordings);
  }
}
