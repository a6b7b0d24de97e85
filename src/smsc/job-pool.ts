/**
 * Messages that wait for their answer or their receipt: 128 octets each, in pages, without an
 * object per message.
 *
 *   word 0 NEXT · 1 DUE · 2 ID_LOW · 3 ID_HIGH · 4 ACCOUNT · 5 KIND · 6 STATE · 7 FLAGS
 *        8 ATTEMPTS · 9 SUBMIT_MINUTE · 10 SESSION · 11 SERIAL · 12 SEQUENCE · 13 STATUS
 *        14 LENGTHS · 15 TON_NPI
 *   octet 64 source address (20) · 84 destination address (20) · 104 start of the text (20)
 *
 * A job is in exactly one place: free, on the wheel, in an account's queue, or in a session's
 * window; NEXT links it there. Pages are made as needed up to the maximum and then kept. One
 * thread.
 */

export const JOB_WORD = {
  NEXT: 0,
  /** Tick at which the wheel fires it; while it is in a window, the tick it was sent at. */
  DUE: 1,
  ID_LOW: 2,
  ID_HIGH: 3,
  ACCOUNT: 4,
  KIND: 5,
  /** MESSAGE_STATE of the receipt. */
  STATE: 6,
  FLAGS: 7,
  ATTEMPTS: 8,
  /** Minutes since the Unix epoch. */
  SUBMIT_MINUTE: 9,
  /** Index and serial number of the session to answer on. */
  SESSION: 10,
  SERIAL: 11,
  SEQUENCE: 12,
  STATUS: 13,
  /** Source address | destination address << 8 | text << 16, in octets. */
  LENGTHS: 14,
  /** Source TON | source NPI << 8 | destination TON << 16 | destination NPI << 24. */
  TON_NPI: 15,
} as const;

export const JOB_BYTE = { SOURCE: 64, DESTINATION: 84, TEXT: 104 } as const;
/** Octets kept of each address and of the text. */
export const JOB_FIELD_BYTES = 20;

/** What the wheel does with a job when it is due. */
export const JOB_KIND = { answer: 0, receipt: 1, bind: 2, reading: 3 } as const;

/** What follows this receipt when it was answered: itself, another state, or another id. */
export const JOB_FLAG_DUPLICATE = 1;
export const JOB_FLAG_CONTRADICT = 2;
export const JOB_FLAG_STRAY = 4;

/** Neither a job nor an end of a list. */
export const JOB_NONE = -1;

const WORDS_SHIFT = 5;
const PAGE_SHIFT = 13;
const PAGE_JOBS = 1 << PAGE_SHIFT;
const PAGE_MASK = PAGE_JOBS - 1;

export class JobPool {
  readonly jobsMax: number;
  /** Jobs in use. */
  usedCount = 0;
  readonly #words: Int32Array[] = [];
  readonly #bytes: Uint8Array[] = [];
  #free = JOB_NONE;
  #madeCount = 0;

  constructor(jobsMax: number) {
    this.jobsMax = jobsMax;
  }

  /** A job whose words hold old values, or JOB_NONE if the maximum is in use. */
  claim(): number {
    let job = this.#free;
    if (job !== JOB_NONE) {
      this.#free = this.get(job, JOB_WORD.NEXT);
    } else {
      job = this.#madeCount;
      if (job >= this.jobsMax) return JOB_NONE;
      if (job >>> PAGE_SHIFT === this.#words.length) this.#addPage();
      this.#madeCount = job + 1;
    }
    this.usedCount++;
    return job;
  }

  release(job: number): void {
    this.set(job, JOB_WORD.NEXT, this.#free);
    this.#free = job;
    this.usedCount--;
  }

  get(job: number, word: number): number {
    return this.#words[job >>> PAGE_SHIFT]![((job & PAGE_MASK) << WORDS_SHIFT) + word]!;
  }

  set(job: number, word: number, value: number): void {
    this.#words[job >>> PAGE_SHIFT]![((job & PAGE_MASK) << WORDS_SHIFT) + word] = value;
  }

  /** The octets that hold the job; it begins at `byteOffsetOf(job)`. */
  bytesOf(job: number): Uint8Array {
    return this.#bytes[job >>> PAGE_SHIFT]!;
  }

  byteOffsetOf(job: number): number {
    return (job & PAGE_MASK) << (WORDS_SHIFT + 2);
  }

  /** The SMSC id as a number below 2^53. */
  idOf(job: number): number {
    const low = this.get(job, JOB_WORD.ID_LOW) >>> 0;
    return this.get(job, JOB_WORD.ID_HIGH) * 0x1_0000_0000 + low;
  }

  setId(job: number, id: number): void {
    this.set(job, JOB_WORD.ID_LOW, id | 0);
    this.set(job, JOB_WORD.ID_HIGH, Math.floor(id / 0x1_0000_0000));
  }

  /** Copies everything but the links from one job to another. */
  copy(from: number, to: number): void {
    const start = this.byteOffsetOf(from);
    const end = start + (1 << (WORDS_SHIFT + 2));
    this.bytesOf(to).set(this.bytesOf(from).subarray(start, end), this.byteOffsetOf(to));
  }

  #addPage(): void {
    const memory = new ArrayBuffer(PAGE_JOBS << (WORDS_SHIFT + 2));
    this.#words.push(new Int32Array(memory));
    this.#bytes.push(new Uint8Array(memory));
  }
}
