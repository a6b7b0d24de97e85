/**
 * A key set behind a URL: fetched once, refreshed while it is used, kept through outages.
 *
 *   age of the set   < 5 min ─► used      < 4 h ─► used, a new one is fetched     older ─► not used
 *   unknown key      fetched anew, if the last try is 30 s ago
 *
 * At most one fetch is under way, and tries are at least 30 s apart, whatever tokens ask for: a
 * flood of unknown keys makes no flood of fetches. A set that is refused changes nothing. What the
 * server answers is bounded in size and time (`key-fetch.ts`). One instance per URL and thread.
 */
import {
  type AsymmetricAlgorithm,
  KEY_SET_BYTES_MAX,
  parseKeySet,
  type VerifyingKey,
} from "../../config/key-set.ts";
import type { Clock, Log } from "../../environment.ts";
import { type KeyAnswer, type KeySet, NO_KEY, NO_KEY_SET, pickKey } from "./key-source.ts";

export const KEYS_FRESH_MS = 5 * 60_000;
/** So long keys are used that cannot be fetched anew. */
export const KEYS_USED_MS_MAX = 4 * 3_600_000;
export const FETCH_INTERVAL_MS_MIN = 30_000;
const FETCH_TIMEOUT_MS = 5000;

/** Gets the document at `url`; rejects if it cannot be had within the bounds. */
export type FetchText = (
  url: string,
  bounds: { readonly timeoutMs: number; readonly bytesMax: number },
) => Promise<string>;

export interface RemoteKeySetOptions {
  readonly url: string;
  readonly fetchText: FetchText;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when keys are gone or others came: what was verified with them is to be forgotten. */
  readonly onChange: () => void;
}

export class RemoteKeySet implements KeySet {
  readonly #options: RemoteKeySetOptions;
  #keys: readonly VerifyingKey[] = [];
  #text = "";
  #fetchedAtMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | null = null;

  /** Starts fetching at once. */
  constructor(options: RemoteKeySetOptions) {
    this.#options = options;
    void this.#refresh();
  }

  find(algorithm: AsymmetricAlgorithm, kid: string | null): Promise<KeyAnswer> | KeyAnswer {
    const ageMs = this.#options.clock.monotonicMs() - this.#fetchedAtMs;
    if (ageMs >= KEYS_FRESH_MS) void this.#refresh();
    const known = ageMs < KEYS_USED_MS_MAX ? pickKey(this.#keys, algorithm, kid) : NO_KEY;
    if (known !== NO_KEY) return known;
    const fetching = this.#refresh();
    if (fetching === null) return ageMs < KEYS_USED_MS_MAX ? NO_KEY : NO_KEY_SET;
    return fetching.then(() => this.#answer(algorithm, kid));
  }

  #answer(algorithm: AsymmetricAlgorithm, kid: string | null): KeyAnswer {
    const ageMs = this.#options.clock.monotonicMs() - this.#fetchedAtMs;
    return ageMs < KEYS_USED_MS_MAX ? pickKey(this.#keys, algorithm, kid) : NO_KEY_SET;
  }

  /** The fetch under way, a new one, or null if it is too early for one. Never rejects. */
  #refresh(): Promise<void> | null {
    if (this.#fetching !== null) return this.#fetching;
    const { clock } = this.#options;
    if (clock.monotonicMs() - this.#triedAtMs < FETCH_INTERVAL_MS_MIN) return null;
    this.#triedAtMs = clock.monotonicMs();
    this.#fetching = this.#fetch().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const { url, fetchText, clock, log } = this.#options;
    const bounds = { timeoutMs: FETCH_TIMEOUT_MS, bytesMax: KEY_SET_BYTES_MAX };
    try {
      const text = await fetchText(url, bounds);
      const { keys, refusal } = parseKeySet(text);
      if (keys === null) throw new Error(refusal);
      this.#fetchedAtMs = clock.monotonicMs();
      if (text === this.#text) return;
      this.#text = text;
      this.#keys = keys;
      this.#options.onChange();
      log.write("info", "fetch keys", { url, keys: keys.length });
    } catch (error) {
      log.write("warn", "fetch keys", { url, cause: (error as Error).message });
    }
  }
}
