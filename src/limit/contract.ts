/**
 * The contract of a link, exact: `count` tokens a second are `count` words, each of which rests for
 * a second after its use.
 *
 *   word 0        where to look first: how many tokens were gone through, in rounds of `count`
 *                 (wraps). Whoever claims a token brings it behind that one, and nobody brings it
 *                 back: in front of a token that rests it would hide the free ones behind
 *   word 1…count  0 free · IN_HAND between claim and rest · else when it may be used again, in 1/16
 *                 ms (wraps)
 *
 * A token is claimed with a clock read before the write that it stands for, and laid to rest with
 * one read after the bytes are the kernel's. Whatever stalls between the two, no token serves two
 * writes within a second, so no half-open second sees more than `count` writes. That holds for any
 * number of threads and needs no order among them.
 *
 * Any thread may call it; compare-and-exchange makes it lock-free. Words of tokens that nobody used
 * for days would look like rests: `freeRested` has to be called every few hours.
 */

/** No token is free. */
export const NO_TOKEN = -1;
/** Most tokens of a contract: bounds the memory. */
export const TOKENS_MAX = 1_000_000;

/**
 * A second, and 0.5 % of it: the clock that judges us may be slewed by 0.05 % against ours, and the
 * kernel may hold back what it took for some milliseconds more on a busy machine.
 */
export const REST_MS = 1005;

const FREE = 0;
const IN_HAND = -0x8000_0000;
const UNITS_PER_MS = 16;
/** A rest that seems further ahead is the word of a token that nobody used for very long. */
const AHEAD_UNITS_MAX = 600_000 * UNITS_PER_MS;
/** The word that says where to look first. */
const HINT = 0;
const HINT_MAX = 2 ** 30;

/** Memory for a contract of up to `countMax` tokens; all of them free. */
export function allocateContract(countMax: number = TOKENS_MAX): SharedArrayBuffer {
  return new SharedArrayBuffer((1 + countMax) * 4);
}

/**
 * Claims a token, judged at `nowMs` (monotonic, read before the call, however long). Returns it, or
 * NO_TOKEN. It must be given to `layToRest` or `putBack`.
 */
export function claimToken(words: Int32Array, count: number, nowMs: number): number {
  const now = Math.floor(nowMs * UNITS_PER_MS) | 0;
  const rounds = roundsOf(count);
  const first = Atomics.load(words, HINT) % rounds;
  for (let i = 0; i < count; i++) {
    const token = 1 + ((first + i) % count);
    const seen = Atomics.load(words, token);
    if (seen === IN_HAND) continue;
    if (isResting(seen, now)) return NO_TOKEN;
    if (Atomics.compareExchange(words, token, seen, IN_HAND) !== seen) continue;
    advanceHint(words, rounds, (first + i + 1) % rounds);
    return token;
  }
  return NO_TOKEN;
}

/** Where the place to look first wraps: whole rounds. */
function roundsOf(count: number): number {
  return HINT_MAX - (HINT_MAX % count);
}

/** Brings the place to look first on to `to`, unless it is there or beyond by now. */
function advanceHint(words: Int32Array, rounds: number, to: number): void {
  for (;;) {
    const seen = Atomics.load(words, HINT);
    const ahead = (to - (seen % rounds) + rounds) % rounds;
    if (ahead === 0 || ahead > rounds / 2) return;
    if (Atomics.compareExchange(words, HINT, seen, to) === seen) return;
  }
}

/** The write that the token stands for happened at `atMs` (monotonic, read after it) at latest. */
export function layToRest(words: Int32Array, token: number, atMs: number): void {
  const until = Math.ceil((atMs + REST_MS) * UNITS_PER_MS) | 0;
  Atomics.store(words, token, until === FREE || until === IN_HAND ? until + 1 : until);
}

/** Nothing was written for this token. */
export function putBack(words: Int32Array, token: number): void {
  Atomics.store(words, token, FREE);
}

/** Whether `claimToken` would find nothing at `nowMs`, as far as the first look tells. */
export function isSpent(words: Int32Array, count: number, nowMs: number): boolean {
  const seen = Atomics.load(words, 1 + (Atomics.load(words, HINT) % count));
  return seen !== IN_HAND && isResting(seen, Math.floor(nowMs * UNITS_PER_MS) | 0);
}

/**
 * All tokens rest until `untilMs`: for a process that cannot know what the one before it sent.
 * Before any use.
 */
export function restAll(words: Int32Array, count: number, untilMs: number): void {
  for (let token = 1; token <= count; token++) layToRest(words, token, untilMs - REST_MS);
}

/** Frees what has rested. */
export function freeRested(words: Int32Array, count: number, nowMs: number): void {
  const now = Math.floor(nowMs * UNITS_PER_MS) | 0;
  for (let token = 1; token <= count; token++) {
    const seen = Atomics.load(words, token);
    if (seen === FREE || seen === IN_HAND || isResting(seen, now)) continue;
    Atomics.compareExchange(words, token, seen, FREE);
  }
}

function isResting(word: number, now: number): boolean {
  if (word === FREE) return false;
  const ahead = (word - now) | 0;
  return ahead > 0 && ahead <= AHEAD_UNITS_MAX;
}
